"""Patch embeddings: 2 s of saliency as a short vector, near for the same music and far for other music."""

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprint.config import FingerprintConfig
from earmark.fingerprint.kernel import kernel

__all__ = ["embed", "n_patches", "pair_sums", "project"]


def n_patches(n_frames: int, config: FingerprintConfig) -> int:
    """Return how many whole patches lie in that many frames.

    Examples
    --------
    >>> [n_patches(n, FingerprintConfig()) for n in (61, 62, 70)]
    [0, 1, 2]
    """
    return max((n_frames - config.patch_frames) // config.patch_hop_frames + 1, 0)


def pair_sums(saliency: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum neighbouring frames: row `i` is frame `2 * i` plus frame `2 * i + 1`; a last odd frame is dropped.

    Parameters
    ----------
    saliency : np.ndarray [shape=(n_frames, n_bands), dtype=float32]

    Returns
    -------
    np.ndarray [shape=(n_frames // 2, n_bands), dtype=float32]
    """
    n = len(saliency) // 2 * 2
    return saliency[0:n:2] + saliency[1:n:2]


def embed(
    saliency: NDArray[np.float32],
    projection: NDArray[np.float32],
    offset: NDArray[np.float32],
    config: FingerprintConfig,
) -> NDArray[np.int8]:
    """Project every patch and bring it to unit length.

    Sums run in a fixed order in float32, so a patch's embedding does not depend on its neighbours, on threads or on
    where a block began.

    Parameters
    ----------
    saliency : np.ndarray [shape=(n_frames, n_bands), dtype=float32]
    projection : np.ndarray [shape=(patch_frames // 2 * n_bands, n_dims), dtype=float32]
        Rows are ordered by time, then band.
    offset : np.ndarray [shape=(n_dims,), dtype=float32]
        The projection of the mean patch, subtracted.
    config : FingerprintConfig

    Returns
    -------
    np.ndarray [shape=(n_patches, n_dims), dtype=int8]
        Patch `i` covers frames `i * patch_hop_frames` to `i * patch_hop_frames + patch_frames`. Unit length is
        `patch_scale`; a patch of less mean saliency than `patch_floor` is all zeros.
    """
    return project(pair_sums(saliency), projection, offset, config, hop_frames=config.patch_hop_frames)


def project(
    pairs: NDArray[np.float32],
    projection: NDArray[np.float32],
    offset: NDArray[np.float32],
    config: FingerprintConfig,
    *,
    hop_frames: int,
) -> NDArray[np.int8]:
    """Do what `embed` does, from the sums of pairs of frames and with patches at a step of one's own.

    Parameters
    ----------
    pairs : np.ndarray [shape=(n_pairs, n_bands), dtype=float32]
        From `pair_sums`.
    projection, offset, config
        As for `embed`.
    hop_frames : int
        From one patch to the next; even.

    Returns
    -------
    np.ndarray [shape=(n_patches, n_dims), dtype=int8]
    """
    n_pairs, hop_pairs = config.patch_frames // 2, hop_frames // 2
    n = max((len(pairs) - n_pairs) // hop_pairs + 1, 0)
    patches = np.zeros((n, config.n_dims), np.int8)
    least_sum = np.float32(config.patch_floor * config.patch_frames * config.n_bands)
    _project(pairs, projection, offset, hop_pairs, n_pairs, least_sum, config.patch_scale, patches)
    return patches


@kernel
def _project(pairs, projection, offset, hop, length, least_sum, scale, patches):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    n_bands, n_dims = pairs.shape[1], projection.shape[1]
    e = np.empty(n_dims, np.float32)
    for p in range(patches.shape[0]):
        e[:] = -offset
        total = np.float32(0.0)
        for i in range(length):
            for b in range(n_bands):
                x = pairs[p * hop + i, b]
                if x != 0.0:
                    total += x
                    row = i * n_bands + b
                    for d in range(n_dims):
                        e[d] += x * projection[row, d]
        if total < least_sum:
            continue  # stays zero
        square = 0.0
        for d in range(n_dims):
            square += np.float64(e[d]) * np.float64(e[d])
        if square > 0.0:
            gain = scale / np.sqrt(square)
            for d in range(n_dims):
                patches[p, d] = np.int8(min(max(np.rint(e[d] * gain), -127.0), 127.0))
