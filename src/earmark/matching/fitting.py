"""Where words of an item fit a track best, by the number of coincidences alone."""

import numpy as np
from numpy.typing import NDArray

from earmark.matching.bitmaps import best_alignments, count_levels

__all__ = ["LEAST_OVERLAP", "best_fits", "best_in_track", "track_stretch"]

LEAST_OVERLAP = 0.7
"""Share of a stretch that must lie within the track. Of music that a track begins or ends with, a neighbouring window
has more."""


def best_fits(words: NDArray[np.uint64], references: NDArray[np.uint64]) -> list[tuple[float, int, int]]:
    """Return for each reference how well words fit it where they fit best, the phase, and the place in the reference.

    The fit is the excess of coincidences over the square root of the words: a faster rendition has more of them.

    Parameters
    ----------
    words : np.ndarray [shape=(n_levels, n_phases, n_words), dtype=uint64]
        Of an item; of one phase or both.
    references : np.ndarray [shape=(n, n_words or more), dtype=uint64]
        Of tracks.
    """
    words = np.ascontiguousarray(words)
    counts = np.zeros((words.shape[1], 64), np.float32)
    count_levels(words, counts)
    n = len(references)
    phases, places, excess = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.float32)
    best_alignments(words, counts, references, 0.0, 1.0, phases, places, excess)
    fits = excess / max(words.shape[2], 1) ** 0.5
    return list(zip(fits.tolist(), phases.tolist(), places.tolist(), strict=True))


def best_in_track(words: NDArray[np.uint64], track_words: NDArray[np.uint64]) -> tuple[float, int, int]:
    """Return the same for all of a track: fit, phase, and the track word that the first word lies beside.

    Of a passage that the track repeats, a search for patches may have brought the wrong one. One phase is laid
    everywhere, and both where it fits best.
    """
    n_words = words.shape[2]
    margin = n_words - round(LEAST_OVERLAP * n_words)
    reference = track_stretch(track_words, -margin, max(len(track_words), n_words) + 2 * margin)
    _, _, place = best_fits(words[:, :1], reference[None])[0]
    first = place - margin - 1
    fit, phase, off = best_fits(words, track_stretch(track_words, first, n_words + 2)[None])[0]
    return fit, phase, first + off


def track_stretch(words: NDArray[np.uint64], start: int, length: int) -> NDArray[np.uint64]:
    """Return `length` words of a track from `start` on, 0 where it has none."""
    out = np.zeros(length, np.uint64)
    a, e = max(start, 0), min(start + length, len(words))
    if e > a:
        out[a - start : e - start] = words[a:e]
    return out
