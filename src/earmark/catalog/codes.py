"""Codes of patches: what a segment keeps of an embedding, taken out of its index and turned back into one.

Codes are the model's own and the same in every catalog, so they move between catalogs whatever the index is like.
"""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from earmark.fingerprint import Model

__all__ = ["decoded_patches", "indexed_codes"]


def indexed_codes(index: Any, n_patches: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:  # noqa: ANN401 - FAISS has no types
    """Return the codes in an inverted file of FAISS's fast-scan layout, in the order of the patches.

    Parameters
    ----------
    index : faiss.IndexIVFPQFastScan
    n_patches : int
        All ids in it are below this.

    Returns
    -------
    codes : np.ndarray [shape=(n_patches, n_subvectors // 2), dtype=uint8]
        Two sub-vectors a byte, the first in the lower four bits.
    spoken : np.ndarray [shape=(n_patches,), dtype=bool]
        False for patches that are not in the index, as they say nothing.
    """
    codes = np.zeros((n_patches, index.code_size), np.uint8)
    spoken = np.zeros(n_patches, np.bool_)
    packer, lists = index.get_CodePacker(), index.invlists
    for number in range(index.nlist):
        n = lists.list_size(number)
        if not n:
            continue
        ids = np.array(faiss.rev_swig_ptr(lists.get_ids(number), n))
        n_blocks = -(-n // packer.nvec)
        blocks = np.array(faiss.rev_swig_ptr(lists.get_codes(number), n_blocks * packer.block_size))
        flat = np.empty((n_blocks * packer.nvec, index.code_size), np.uint8)
        for block, some in zip(blocks.reshape(n_blocks, -1), flat.reshape(n_blocks, -1), strict=True):
            packer.unpack_all(faiss.swig_ptr(block), faiss.swig_ptr(some))
        codes[ids], spoken[ids] = flat[:n], True
    return codes, spoken


def decoded_patches(codes: NDArray[np.uint8], spoken: NDArray[np.bool_], model: Model) -> NDArray[np.int8]:
    """Return the embeddings that codes stand for; indexed again they give the same codes.

    Parameters
    ----------
    codes, spoken
        As from `indexed_codes`.
    model : Model

    Returns
    -------
    np.ndarray [shape=(n_patches, n_dims), dtype=int8]
        All zeros where nothing was spoken.
    """
    n_subvectors = model.centroids.shape[0]
    numbers = np.stack([codes & 15, codes >> 4], axis=2).reshape(len(codes), n_subvectors)
    vectors = model.centroids[np.arange(n_subvectors), numbers].reshape(len(codes), model.config.n_dims)
    patches = np.rint(vectors * model.config.patch_scale).clip(-127, 127).astype(np.int8)
    patches[~spoken] = 0
    return patches
