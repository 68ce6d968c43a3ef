"""audfprint (PyPI `audfprint2`) spoken to in JSON lines; `peers.py` runs it in an environment of its own.

An argument after the folder, `dense`, asks for 70 landmarks a second with fan-out 8 and four sub-frame shifts of the
query, as its author advises for short and noisy queries, in place of its defaults.
"""

import sys
from pathlib import Path

import peer_protocol
from audfprint2 import Analyzer, HashTable, Matcher

HOP_S = 256 / 11025


class Audfprint:
    """Its hash table, with times long enough for tracks of 25 minutes."""

    def __init__(self, folder, dense):
        self._path = Path(folder) / "index.pklz"
        self._analyzer, self._asking = Analyzer(70.0 if dense else 20.0), Analyzer(70.0 if dense else 20.0)
        if dense:
            self._analyzer.maxpairsperpeak = self._asking.maxpairsperpeak = 8
            self._asking.shifts = 4
        self._matcher = Matcher()
        self._matcher.window = 2
        self._table = HashTable(str(self._path)) if self._path.exists() else HashTable(maxtime=65536)

    def add(self, track_id, path):
        hashes = self._analyzer.wavfile2hashes(path)
        self._table.store(track_id, [(int(t), int(h)) for t, h in hashes.tolist()])

    def save(self):
        self._table.save(str(self._path))
        return self._path.stat().st_size

    def query(self, path, _seconds):
        hashes = self._asking.wavfile2hashes(path)
        if not len(hashes):
            return None
        results = self._matcher.match_hashes(self._table, hashes)
        if not len(results):
            return None
        number, count, offset = (int(x) for x in results[0][:3])
        # It reports nothing under its least count of 5.
        return {
            "track_id": self._table.names[number],
            "track_start_s": offset * HOP_S,
            "score": count,
            "accepted": count >= self._matcher.threshcount,
        }


if __name__ == "__main__":
    peer_protocol.serve(lambda folder: Audfprint(folder, "dense" in sys.argv[2:]))
