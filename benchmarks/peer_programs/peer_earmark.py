"""Earmark in JSON lines as the others, so that all are measured alike; `peers.py` runs it.

An argument after the folder names the effort.
"""

import csv
import sys
from pathlib import Path

import peer_protocol

from earmark import audio
from earmark.catalog import build_catalog, open_catalog
from earmark.fingerprint import fingerprint, load_model
from earmark.matching import Matcher


class Earmark:
    """A catalog, and a matcher of one effort. Its score is the negative log10 of the odds."""

    def __init__(self, folder, effort):
        self._path = Path(folder) / "catalog"
        self._files, self._effort = [], effort
        if self._path.exists():
            self._open()

    def _open(self):
        self._catalog = open_catalog(self._path, load_model())
        # Odds are per hour; what the threshold would not let through is kept to draw thresholds from.
        self._matcher = Matcher(self._catalog, load_model(), effort=self._effort, max_e_value=1e3)

    def add(self, track_id, path):
        self._files.append((Path(path), track_id))

    def save(self):
        table = self._path.with_name("tracks.csv")
        with table.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([("path", "track_id"), *self._files])
        build_catalog(self._path, [path for path, _ in self._files], metadata=table, model=load_model(), jobs=1)
        self._open()
        return sum(file.stat().st_size for file in self._path.rglob("*") if file.is_file())

    def query(self, path, _seconds):
        with audio.stream(path) as stream:
            matches = self._matcher.match(fingerprint(stream, load_model()))
        best = min(matches, key=lambda match: match.log10_e_value, default=None)
        if best is None:
            return None
        return {
            "track_id": self._catalog.track(best.track).track_id,
            "track_start_s": best.track_start_s - best.item_start_s * best.tempo_ratio,
            "score": -best.log10_e_value,
            "accepted": best.log10_e_value <= -3.0,
        }


if __name__ == "__main__":
    peer_protocol.serve(lambda folder: Earmark(folder, sys.argv[2]))
