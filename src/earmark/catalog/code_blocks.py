"""Codes in blocks of 32, as FAISS's fast scan reads them.

Within a block the bytes of a pair of sub-vectors stand together for all 32 codes, and codes that are 16 apart share a
byte, in the order in which 16-byte shuffles want them (FAISS's `pq4_pack_codes`; a test holds this against FAISS).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "pack_blocks", "unpack_blocks"]

BLOCK: Final = 32
"""Codes in a block."""

_HALF: Final = BLOCK // 2
_ORDER: Final = tuple(i // 2 + _HALF // 2 * (i % 2) for i in range(_HALF))


def pack_blocks(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pack codes into blocks.

    Parameters
    ----------
    codes : np.ndarray [shape=(32 * n_blocks, code_size), dtype=uint8]

    Returns
    -------
    np.ndarray [shape=(n_blocks, code_size, 32), dtype=uint8]

    Examples
    --------
    >>> codes = np.arange(64, dtype=np.uint8).reshape(32, 2)
    >>> bool((unpack_blocks(pack_blocks(codes)) == codes).all())
    True
    """
    columns = codes.reshape(-1, BLOCK, codes.shape[1]).transpose(0, 2, 1)
    first, second = columns[..., list(_ORDER)], columns[..., [_HALF + i for i in _ORDER]]
    return np.concatenate([(first & 15) | (second << 4), (first >> 4) | (second & 0xF0)], axis=2)


def unpack_blocks(blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo `pack_blocks`."""
    low, high = blocks[..., :_HALF], blocks[..., _HALF:]
    columns = np.empty_like(blocks)
    columns[..., list(_ORDER)] = (low & 15) | (high << 4)
    columns[..., [_HALF + i for i in _ORDER]] = (low >> 4) | (high & 0xF0)
    return np.ascontiguousarray(columns.transpose(0, 2, 1)).reshape(-1, blocks.shape[1])
