"""What Ray costs: one corpus with two workers here and with two of a Ray cluster, CPU and wall seconds.

Ray's own processes count too. Needs `pip install 'earmark[ray]'`, and no music: the bundled tracks come many times.
"""

import argparse
import contextlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from earmark.catalog import build_catalog
from earmark.fingerprint import load_model
from earmark.scan import ScanPlan, scan

MUSIC = Path(__file__).parents[1] / "data" / "music"
TICKS = os.sysconf("SC_CLK_TCK")


class ProcessTimes:
    """CPU seconds of this process and all below it, those that have ended since included; a context manager."""

    def __init__(self):
        self._seen, self._over = {}, threading.Event()
        self._watch = threading.Thread(target=self._go_on)

    def __enter__(self):
        self._look()
        self._start = dict(self._seen)
        self._watch.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._watch.join()
        self._look()
        self.cpu_s = sum(cpu - self._start.get(pid, 0) for pid, cpu in self._seen.items()) / TICKS

    def _go_on(self):
        while not self._over.wait(0.2):
            self._look()

    def _look(self):
        parents, times = {}, {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                pid = int(stat.parent.name)
                parents[pid], times[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
        for pid in parents:
            above = pid
            while above in parents and above != os.getpid():
                above = parents[above]
            if above == os.getpid():
                self._seen[pid] = times[pid]


def measured(plan):
    start = time.monotonic()
    with ProcessTimes() as times:
        summary = scan(plan)
    assert summary.complete
    return time.monotonic() - start, times.cpu_s, summary


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=20, help="how often each bundled track is in the corpus")
    parser.add_argument("--effort", default="standard")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        build_catalog(root / "catalog", [MUSIC], model=load_model(), jobs=1)
        (root / "corpus").mkdir()
        for n in range(options.copies):
            for path in sorted(MUSIC.glob("*.opus")):
                shutil.copy(path, root / "corpus" / f"{n:03}-{path.name}")
        common = {"corpus": root / "corpus", "catalog": root / "catalog", "effort": options.effort, "jobs": 2}
        rows = {
            "local": measured(ScanPlan(out=root / "local", **common)),
            "Ray": measured(ScanPlan(out=root / "ray", engine="ray", address="local", **common)),
        }
        for name in ("items.jsonl", "matches.jsonl"):
            assert (root / "ray" / name).read_bytes() == (root / "local" / name).read_bytes()
        hours = rows["local"][2].hours["scanned"]
        print(f"{hours:.2f} hours, effort {options.effort}, two workers, start-up included\n")
        print("| engine | wall s | CPU s | CPU s per hour |\n|---|---|---|---|")
        for name, (wall_s, cpu_s, _) in rows.items():
            print(f"| {name} | {wall_s:.1f} | {cpu_s:.1f} | {cpu_s / hours:.1f} |")


if __name__ == "__main__":
    main()
