"""Peak bitmaps: the most salient bands of each 64 ms as one 64-bit word."""

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprint.config import FingerprintConfig
from earmark.fingerprint.kernel import kernel

__all__ = ["peak_words"]


def peak_words(saliency: NDArray[np.float32], config: FingerprintConfig) -> NDArray[np.uint64]:
    """Mark the spectral peaks of each pair of frames, at every level of `config.item_peaks`.

    Bit `b` of word `i` is set if band `b` is among the level's number of most salient bands of frames `2 * i` and
    `2 * i + 1` taken together, and its saliency there sums to `peak_floor` or more. Of equals the lower band wins.

    Parameters
    ----------
    saliency : np.ndarray [shape=(n_frames, 64), dtype=float32]
    config : FingerprintConfig

    Returns
    -------
    np.ndarray [shape=(n_levels, n_frames // 2), dtype=uint64]

    Examples
    --------
    >>> S = np.zeros((2, 64), np.float32)
    >>> S[:, 3] = 0.5
    >>> peak_words(S, FingerprintConfig()).tolist()
    [[8], [8], [8]]
    """
    levels = np.array(config.item_peaks, np.int64)
    words = np.empty((len(levels), len(saliency) // 2), np.uint64)
    _mark_peaks(saliency, levels, np.float32(config.peak_floor), words)
    return words


@kernel
def _count_above(row, low):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count = np.int32(0)
    for b in range(64):  # a fixed number: these loops become a few instructions on whole registers
        count += np.int32(row[b] > low)
    return count


@kernel
def _bits_above(row, low):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    word = np.uint64(0)
    for b in range(64):
        word |= np.uint64(row[b] > low) << np.uint64(b)
    return word


@kernel
def _between(row, n, low):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return where `n` of a row's values lie above, twice; both sides of it, where equals straddle it."""
    high = np.float32(4.0)
    middle = (low + high) * np.float32(0.5)
    while low < middle < high:
        count = _count_above(row, middle)
        if count == n:
            return middle, middle
        if count > n:
            low = middle
        else:
            high = middle
        middle = (low + high) * np.float32(0.5)
    return low, high


@kernel
def _mark_peaks(saliency, levels, floor, words):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    row = np.zeros(64, np.float32)
    for i in range(words.shape[1]):
        for b in range(saliency.shape[1]):
            x = saliency[2 * i, b] + saliency[2 * i + 1, b]
            row[b] = x if x >= floor else np.float32(0.0)
        low = np.float32(0.0)
        for level in range(levels.shape[0] - 1, -1, -1):  # from many peaks to few
            high = low
            if _count_above(row, low) > levels[level]:
                low, high = _between(row, levels[level], low)
            word = _bits_above(row, high)
            if low < high:
                missing = levels[level] - _count_above(row, high)
                for b in range(64):
                    if missing > 0 and low < row[b] <= high:
                        word |= np.uint64(1) << np.uint64(b)
                        missing -= 1
            words[level, i] = word
