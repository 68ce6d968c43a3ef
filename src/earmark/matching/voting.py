"""Candidates: where patches of an item and of a track agree on one offset."""

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprint.kernel import kernel

__all__ = ["SIMILARITY_FLOOR", "vote"]

SIMILARITY_FLOOR = 0.2
"""Inner products of unrelated patches; what lies above is a vote (DESIGN.md section 2, step 4)."""


def vote(
    tracks: NDArray[np.integer], offsets: NDArray[np.int64], similarities: NDArray[np.float32], n_candidates: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Add up the votes of neighbouring patches for a track at an offset.

    A hit votes with its similarity above `SIMILARITY_FLOOR` for its own offset and the two next to it; of the hits of
    one patch for one offset the best counts. Of two neighbouring offsets of a track only the better is a candidate.

    Parameters
    ----------
    tracks : np.ndarray [shape=(n_patches, k), dtype=int32 or int64]
        Track of each hit, below 2**31; -1 for none. Any other number will do that tells what a vote is for.
    offsets : np.ndarray [shape=(n_patches, k), dtype=int64]
        Steps from the item's patch to the track's, of one patch hop each; below 2**30 in magnitude.
    similarities : np.ndarray [shape=(n_patches, k), dtype=float32]
    n_candidates : int
        At most so many.

    Returns
    -------
    tracks : np.ndarray [shape=(n,), dtype=int64]
    offsets : np.ndarray [shape=(n,), dtype=int64]
    votes : np.ndarray [shape=(n,), dtype=float32]
        Best first; of equal votes the lower track, then the lower offset.

    Examples
    --------
    >>> vote(np.array([[7], [7]], np.int32), np.array([[3], [4]]), np.array([[0.5], [0.5]], np.float32), 5)
    (array([7]), array([3]), array([0.6], dtype=float32))
    """
    counted = (tracks >= 0) & (similarities > SIMILARITY_FLOOR)
    patch = np.nonzero(counted)[0]
    keys = (tracks[counted].astype(np.int64) << 32) + (offsets[counted] + (1 << 30))
    order = np.argsort(keys, kind="stable")
    weights = similarities[counted] - np.float32(SIMILARITY_FLOOR)
    kept, votes = _best_offsets(keys[order], patch[order], weights[order], len(tracks), n_candidates)
    return kept >> 32, (kept & 0xFFFFFFFF) - (1 << 30), votes


@kernel
def _best_offsets(keys, patch, weights, n_patches, n_candidates):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    n = keys.shape[0]
    totals = np.full(n, np.float32(-1.0), np.float32)
    best = np.zeros(n_patches, np.float32)
    low = high = 0
    for i in range(n):
        if i > 0 and keys[i] == keys[i - 1]:
            continue  # one total for each key
        while keys[low] < keys[i] - 1:
            low += 1
        while high < n and keys[high] <= keys[i] + 1:
            high += 1
        total = np.float32(0.0)
        for j in range(low, high):
            if weights[j] > best[patch[j]]:
                total += weights[j] - best[patch[j]]
                best[patch[j]] = weights[j]
        for j in range(low, high):
            best[patch[j]] = 0.0
        totals[i] = total
    kept = np.empty(min(n, n_candidates), np.int64)
    votes = np.empty(len(kept), np.float32)
    count = 0
    while count < len(kept):
        top = np.argmax(totals)
        if totals[top] <= 0.0:
            break
        kept[count], votes[count] = keys[top], totals[top]
        count += 1
        first = last = int(top)
        while first >= 0 and keys[first] >= keys[top] - 1:
            totals[first] = -1.0
            first -= 1
        while last < n and keys[last] <= keys[top] + 1:
            totals[last] = -1.0
            last += 1
    return kept[:count], votes[:count]
