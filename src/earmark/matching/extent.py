"""Where a match begins and ends, on both sides."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprint.kernel import kernel
from earmark.matching.bitmaps import count_rows

__all__ = ["Extent", "find_extent"]

STEP = 16
"""Words (1 s) after which the shift may follow a drift of tempo by one word: up to 6 %."""

PATIENCE = 32
"""Words (2 s) without any evidence after which a match has ended. Gaps that are shorter are bridged."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """Words of an item and of a track that belong together; stops are exclusive.

    Attributes
    ----------
    start, stop : int
        Item words.
    start_shift, stop_shift : int
        Track word less item word, at the start and at the stop.
    found : int
        Coincident peaks between start and stop.
    expected : float
        As many would coincide by chance, given how many peaks each band has on either side.
    """

    start: int
    stop: int
    start_shift: int
    stop_shift: int
    found: int
    expected: float


def find_extent(
    item_words: NDArray[np.uint64], track_words: NDArray[np.uint64], start: int, stop: int, shift: int
) -> Extent:
    """Extend a stretch that matches to where the match begins and ends.

    From the strongest second of the stretch on, either way, each word counts by how much its coincidences exceed the
    middle between chance and the stretch's own rate; the match ends where the sum is highest.

    Parameters
    ----------
    item_words : np.ndarray [shape=(n_item,), dtype=uint64]
        One phase of the item.
    track_words : np.ndarray [shape=(n_track,), dtype=uint64]
    start, stop : int
        The stretch, in item words.
    shift : int
        Track word less item word.

    Returns
    -------
    Extent
    """
    extent = _extend(item_words, track_words, start, stop, shift)
    near_start, near_stop = max(extent.start, start - PATIENCE), min(extent.stop, stop + PATIENCE)
    # The stretch may hold the match's beginning or end, and then its rate is too low: look again with a better one.
    return _extend(item_words, track_words, near_start, near_stop, shift)


def _extend(
    item_words: NDArray[np.uint64], track_words: NDArray[np.uint64], start: int, stop: int, shift: int
) -> Extent:
    start, stop = max(start, -shift), min(stop, len(track_words) - shift)
    if stop <= start:
        return Extent(start=start, stop=start, start_shift=shift, stop_shift=shift, found=0, expected=0.0)
    item, track = item_words[start:stop], track_words[start + shift : stop + shift]
    found = np.bitwise_count(item & track).astype(np.float64)
    chance = _expected(item, track) / len(item)
    threshold = (chance + found.mean()) / 2
    patience = PATIENCE * (found.mean() - chance) / 2
    middle = start + int(np.argmax(np.convolve(found, np.ones(STEP), "same")))
    right, right_shift, n_right = _walk(item_words, track_words, middle, shift, 1, threshold, patience)
    left, left_shift, n_left = _walk(item_words, track_words, middle - 1, shift, -1, threshold, patience)
    a, e = int(left) + 1, int(right)
    expected = 0.0
    if e > a:
        at = np.clip(a + int(left_shift), 0, len(track_words))
        span = min(e - a, len(track_words) - at)
        expected = _expected(item_words[a : a + span], track_words[at : at + span])
    return Extent(
        start=a,
        stop=e,
        start_shift=int(left_shift),
        stop_shift=int(right_shift),
        found=int(n_left + n_right),
        expected=expected,
    )


def _expected(item: NDArray[np.uint64], track: NDArray[np.uint64]) -> float:
    counts = np.zeros((2, 64), np.float32)
    count_rows(np.stack([item, track]), counts)
    return float((counts[0].astype(np.float64) * counts[1]).sum()) / len(item)


@kernel
def _count(item_words, track_words, start, shift, direction, length):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    total = 0
    for j in range(length):
        i = start + direction * j
        if 0 <= i < item_words.shape[0] and 0 <= i + shift < track_words.shape[0]:
            word = item_words[i] & track_words[i + shift]
            while word:
                word &= word - np.uint64(1)
                total += 1
    return total


@kernel
def _walk(item_words, track_words, start, shift, direction, threshold, patience):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the first word past the match, the shift there and the coincidences up to it."""
    best_stop, best_shift, best_found = start, shift, 0
    best = total = 0.0
    found, i, steps = 0, start, 0
    while 0 <= i < item_words.shape[0] and 0 <= i + shift < track_words.shape[0]:
        if steps % STEP == 0 and steps:
            here = _count(item_words, track_words, i, shift, direction, 2 * STEP)
            for s in (shift - 1, shift + 1):
                if _count(item_words, track_words, i, s, direction, 2 * STEP) > here + STEP // 4:
                    shift = s
                    break
            if not 0 <= i + shift < track_words.shape[0]:
                break
        c = _count(item_words, track_words, i, shift, direction, 1)
        total += c - threshold
        found += c
        i += direction
        steps += 1
        if total > best:
            best, best_stop, best_shift, best_found = total, i, shift, found
        elif total < best - patience:
            break
    return best_stop, best_shift, best_found
