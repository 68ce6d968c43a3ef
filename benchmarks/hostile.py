"""The crash and fuzz tests of the suite, with more files and more kills than a test run has time for.

    python benchmarks/hostile.py --files 3000 --kills 60

Exits with pytest's code: 0 if every file had its one line and every killed scan was resumed to the same bytes.
"""

import argparse
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1] / "tests"
CHOSEN = (
    "test_scan_isolation.py::test_hundreds_of_malformed_files_are_scanned_to_the_end",
    "test_scan_resume.py::test_killed_at_random_moments_and_resumed",
)


class More:
    """Sets the numbers of the tests before they run."""

    def __init__(self, **numbers):
        self._numbers = numbers

    def pytest_collection_modifyitems(self, items):
        for item in items:
            for name, number in self._numbers.items():
                if hasattr(item.module, name):
                    setattr(item.module, name, number)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=3000, help="malformed files")
    parser.add_argument("--kills", type=int, default=60, help="times that a scan is killed")
    parser.add_argument("--seed", type=int, default=5, help="of the malformed files")
    given = parser.parse_args()
    more = More(N_MALFORMED=given.files, N_KILLS=given.kills, SEED=given.seed)
    chosen = [str(TESTS / each) for each in CHOSEN]
    sys.exit(pytest.main(["-q", "-n", "0", "--durations", "2", *chosen], plugins=[more]))


if __name__ == "__main__":
    main()
