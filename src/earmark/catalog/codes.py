"""Codes of patches: what a segment keeps of an embedding, turned back into one.

Codes are the model's own and the same in every catalog, so they move between catalogs whatever the index is like.
"""

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.lists import decode
from earmark.fingerprint import Model

__all__ = ["decoded_patches"]


def decoded_patches(codes: NDArray[np.uint8], spoken: NDArray[np.bool_], model: Model) -> NDArray[np.int8]:
    """Return the embeddings that codes stand for; indexed again they give the same codes.

    Parameters
    ----------
    codes, spoken
        As from `VectorIndex.codes`.
    model : Model

    Returns
    -------
    np.ndarray [shape=(n_patches, n_dims), dtype=int8]
        All zeros where nothing was spoken.
    """
    patches = np.rint(decode(codes, model) * model.config.patch_scale).clip(-127, 127).astype(np.int8)
    patches[~spoken] = 0
    return patches
