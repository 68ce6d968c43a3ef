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
def _mark_peaks(saliency, levels, floor, words):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    n_bands, n_peaks = saliency.shape[1], levels[-1]
    best = np.empty(n_peaks, np.float32)
    where = np.empty(n_peaks, np.int64)
    for i in range(words.shape[1]):
        count = 0
        for b in range(n_bands):
            x = saliency[2 * i, b] + saliency[2 * i + 1, b]
            if x < floor or (count == n_peaks and x <= best[n_peaks - 1]):
                continue
            j = count if count < n_peaks else n_peaks - 1
            while j > 0 and best[j - 1] < x:
                best[j] = best[j - 1]
                where[j] = where[j - 1]
                j -= 1
            best[j] = x
            where[j] = b
            count = min(count + 1, n_peaks)
        word, j = np.uint64(0), 0
        for level in range(levels.shape[0]):
            while j < min(levels[level], count):
                word |= np.uint64(1) << np.uint64(where[j])
                j += 1
            words[level, i] = word
