"""Chromaprint with a local index over its 32-bit codes, spoken to in JSON lines; `peers.py` runs it.

A query's codes, and all that differ from one in a single bit, are looked up; every hit votes for a track and an
offset; the fifty best offsets are judged by the share of bits that differ, as Haitsma and Kalker (2002) do. They
accept up to 0.35.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import peer_protocol

CODE_S = 1365 / 11025
"""Chromaprint's frames of 4096 samples at 11,025 Hz overlap by two thirds."""
MAX_BIT_ERROR_RATE = 0.35
N_CANDIDATES = 50
FLIPS = np.concatenate([[0], 1 << np.arange(32)]).astype(np.uint32)
GAP = 400
"""Codes between two tracks, so that no query lies across a border."""


def codes_of(path):
    """Return the raw codes of a whole file, as fpcalc gives them."""
    command = ["fpcalc", "-raw", "-length", "0", "-json", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    # Exit code 3 is a decoding error, which Debian's 1.5.1 reports at the end of every file; what it prints is whole.
    # It prints nothing where a file is too short for one code.
    return np.array(json.loads(done.stdout)["fingerprint"] if done.stdout.strip() else [], np.uint32)


class Chromaprint:
    """A sorted list of all codes and where they are."""

    def __init__(self, folder):
        self._path = folder / "index.npz"
        self._parts, self._ids, self._starts, self._n = [], [], [], 0
        if self._path.exists():
            self._load()

    def _load(self):
        with np.load(self._path) as kept:
            self._codes, self._order = kept["codes"], kept["order"]
            self._ids, self._starts = kept["ids"].tolist(), kept["starts"].tolist()
        self._sorted = self._codes[self._order]

    def add(self, track_id, path):
        codes = codes_of(path)
        self._ids.append(track_id)
        self._starts.append(self._n)
        self._parts += [codes, np.zeros(GAP, np.uint32)]
        self._n += len(codes) + GAP

    def save(self):
        codes = np.concatenate(self._parts)
        order = np.argsort(codes, kind="stable").astype(np.uint32)
        np.savez(self._path, codes=codes, order=order, ids=self._ids, starts=self._starts)
        self._load()
        return self._path.stat().st_size

    def query(self, path, _seconds):
        codes = codes_of(path)
        if not len(codes):
            return None
        wanted = codes[:, None] ^ FLIPS
        first = np.searchsorted(self._sorted, wanted, "left").ravel()
        last = np.searchsorted(self._sorted, wanted, "right").ravel()
        at = np.repeat(np.arange(len(codes)), len(FLIPS))
        n_hits = np.where(wanted.ravel() == 0, 0, last - first)  # zeros are silence, and fill the gaps
        ranks = np.repeat(first - np.cumsum(n_hits) + n_hits, n_hits) + np.arange(n_hits.sum())
        offsets = self._order[ranks].astype(np.int64) - np.repeat(at, n_hits)
        values, votes = np.unique(offsets[offsets >= 0], return_counts=True)
        best = values[np.argsort(-votes, kind="stable")[:N_CANDIDATES]]
        return self._judge(codes, np.unique(best[:, None] + np.arange(-1, 2))) if len(best) else None

    def _judge(self, codes, offsets):
        offsets = offsets[(offsets >= 0) & (offsets + len(codes) <= len(self._codes))]
        theirs = self._codes[offsets[:, None] + np.arange(len(codes))]
        rates = np.bitwise_count(theirs ^ codes).mean(axis=1) / 32
        best = int(np.argmin(rates))
        track = int(np.searchsorted(self._starts, offsets[best], "right")) - 1
        return {
            "track_id": self._ids[track],
            "track_start_s": float(offsets[best] - self._starts[track]) * CODE_S,
            "score": 1 - float(rates[best]),
            "accepted": bool(rates[best] <= MAX_BIT_ERROR_RATE),
        }


if __name__ == "__main__":
    peer_protocol.serve(lambda folder: Chromaprint(Path(folder)))
