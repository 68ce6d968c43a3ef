"""qfp (PyPI `qfp`: quads of peaks, Sonnleitner and Widmer 2016) in JSON lines; `peers.py` runs it.

Two faults of version 0.2.0 are mended, so that it can be measured at all: a query ends with an IndexError where any
track has few hits, and with a ZeroDivisionError where a candidate lies beyond a track's end. It verifies against 15 s
of the track, and wants half of those peaks; a shorter query is held to its share of that.
"""

import sqlite3
from pathlib import Path

import peer_protocol
from qfp import QueryFingerprint, ReferenceFingerprint
from qfp.db import QfpDB

FRAME_S = 0.004
WINDOW_S = 15.0


class _MendedDB(QfpDB):
    def _bin_times(self, *args, **kwargs):
        return super()._bin_times(*args, **kwargs) or {0: []}

    def _verify_peaks(self, mc, reference, *args, **kwargs):
        return super()._verify_peaks(mc, reference, *args, **kwargs) if reference else 0.0


class Qfp:
    """Its SQLite database."""

    def __init__(self, folder):
        self._path = Path(folder) / "index.db"
        self._db = _MendedDB(str(self._path))

    def add(self, track_id, path):
        fingerprint = ReferenceFingerprint(path)
        fingerprint.create()
        self._db.store(fingerprint, track_id)

    def save(self):
        with sqlite3.connect(self._path) as connection:
            connection.execute("PRAGMA optimize")
        return self._path.stat().st_size

    def query(self, path, seconds):
        fingerprint = QueryFingerprint(path)
        fingerprint.create()
        self._db.query(fingerprint, 0.0)
        best = max(fingerprint.matches, key=lambda match: match.vScore, default=None)
        if best is None:
            return None
        return {
            "track_id": best.record,
            "track_start_s": best.offset * FRAME_S,
            "score": best.vScore,
            "accepted": best.vScore >= 0.5 * min(seconds / WINDOW_S, 1.0),
        }


if __name__ == "__main__":
    peer_protocol.serve(Qfp)
