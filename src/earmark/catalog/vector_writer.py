"""Writing the vector index of a segment: patches to codes, codes sorted by list."""

import zlib
from pathlib import Path
from typing import Any, BinaryIO, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from earmark.catalog.code_blocks import BLOCK, pack_blocks
from earmark.catalog.lists import load_lists
from earmark.catalog.manifest import LISTS, TABLE
from earmark.catalog.vectors import Layout
from earmark.errors import CatalogError
from earmark.fingerprint import Model

__all__ = ["VectorWriter", "write_lists"]

_ENCODE_ROWS: Final = 1 << 16
_WRITE_BLOCKS: Final = 1 << 15


class VectorWriter:
    """Turns patches into codes as they come and writes the index of a segment; the same patches give the same bytes.

    Parameters
    ----------
    directory : Path
        The segment's.
    model : Model

    Attributes
    ----------
    n_patches : int
        Patches so far, silent ones included.
    """

    def __init__(self, directory: Path, model: Model) -> None:
        self._directory, self._model = directory, model
        self._quantizer = _quantizer(model)
        self._waiting: list[NDArray[np.int8]] = []
        self._n_waiting = 0
        self._codes: list[NDArray[np.uint8]] = []
        self._numbers: list[NDArray[np.int64]] = []
        self.n_patches = 0

    def append(self, patches: NDArray[np.int8]) -> None:
        """Take the next patches [shape=(n, n_dims), dtype=int8]; rows of zeros are numbered, but left out."""
        self._waiting.append(patches)
        self._n_waiting += len(patches)
        if self._n_waiting >= _ENCODE_ROWS:
            self._encode()

    def append_codes(self, codes: NDArray[np.uint8], spoken: NDArray[np.bool_]) -> None:
        """Take the next patches as another index has them; see `VectorIndex.codes`."""
        self._encode()
        self._take(codes[spoken], spoken)

    def finish(self, layout: Layout) -> tuple[int, int]:
        """Write the index and return the number of vectors and of lists.

        Raises
        ------
        CatalogError
            If the lists of the model are not there.
        """
        self._encode()
        codes = np.concatenate([np.empty((0, self._quantizer.code_size), np.uint8), *self._codes])
        numbers = np.concatenate([np.empty(0, np.int64), *self._numbers])
        self._codes.clear()
        self._numbers.clear()
        n_lists = layout.n_lists(len(codes))
        lists = load_lists(self._model).assign(codes, n_lists) if n_lists > 1 else np.zeros(len(codes), np.uint16)
        with (self._directory / LISTS).open("xb") as file:
            table = write_lists(file, codes, numbers, lists, n_lists)
        table.tofile(self._directory / TABLE)
        return len(codes), n_lists

    def _encode(self) -> None:
        if not self._n_waiting:
            return
        patches = np.concatenate(self._waiting)
        self._waiting, self._n_waiting = [], 0
        spoken = np.asarray(patches.any(axis=1))
        vectors = patches[spoken].astype(np.float32) / np.float32(self._model.config.patch_scale)
        self._take(self._quantizer.compute_codes(vectors) if len(vectors) else None, spoken)

    def _take(self, codes: NDArray[np.uint8] | None, spoken: NDArray[np.bool_]) -> None:
        if codes is not None and len(codes):
            self._codes.append(codes)
            self._numbers.append(np.flatnonzero(spoken) + self.n_patches)
        self.n_patches += len(spoken)


def _quantizer(model: Model) -> Any:  # noqa: ANN401 - FAISS has no types
    n_subvectors, n_centroids, _ = model.centroids.shape
    if n_centroids != 16:
        raise CatalogError(f"the model's quantizer has {n_centroids} centroids a sub-vector; fast scan needs 16")
    quantizer = faiss.ProductQuantizer(model.config.n_dims, n_subvectors, 4)
    faiss.copy_array_to_vector(np.ascontiguousarray(model.centroids, np.float32).ravel(), quantizer.centroids)
    return quantizer


def write_lists(
    file: BinaryIO, codes: NDArray[np.uint8], numbers: NDArray[np.int64], lists: NDArray[np.uint16], n_lists: int
) -> NDArray[np.uint32]:
    """Sort codes by list and write them.

    Parameters
    ----------
    file : file
        The file of lists, empty.
    codes : np.ndarray [shape=(n, n_subvectors // 2), dtype=uint8]
    numbers : np.ndarray [shape=(n,), dtype=int64]
        Of their patches; within a list codes stay in the order in which they are here.
    lists : np.ndarray [shape=(n,), dtype=uint16]
        The list of each.
    n_lists : int

    Returns
    -------
    np.ndarray [shape=(2 * n_lists,), dtype=uint32]
        The table: how many codes each list has, and the CRC-32 of its blocks and numbers.
    """
    order = np.argsort(lists, kind="stable")
    sizes = np.bincount(lists, minlength=n_lists)
    n_blocks = -(-sizes // BLOCK)
    # Where each code goes, of all the places in all the blocks; the rest stays empty.
    first_place = np.concatenate([[0], np.cumsum(n_blocks[:-1])]) * BLOCK
    before = np.concatenate([[0], np.cumsum(sizes[:-1])])
    places = np.arange(len(order)) + np.repeat(first_place - before, sizes)
    total = int(n_blocks.sum())
    sums = np.zeros(n_lists, np.uint32)
    ends = np.cumsum(n_blocks)
    for what in (codes, numbers):
        for start in range(0, total, _WRITE_BLOCKS):
            stop = min(start + _WRITE_BLOCKS, total)
            part = slice(*np.searchsorted(places, [start * BLOCK, stop * BLOCK]))
            filler = 0 if what is codes else -1
            flat = np.full(((stop - start) * BLOCK, *what.shape[1:]), filler, what.dtype)
            flat[places[part] - start * BLOCK] = what[order[part]]
            data = pack_blocks(flat) if what is codes else flat.astype("<i8").reshape(-1, BLOCK)
            _add_sums(sums, ends, start, data)
            file.write(data.tobytes())
    return np.concatenate([sizes.astype("<u4"), sums.astype("<u4")])


def _add_sums(sums: NDArray[np.uint32], ends: NDArray[np.int64], start: int, data: NDArray[Any]) -> None:
    """Go on with the sums of the lists that some blocks from `start` on belong to."""
    at = start
    number = int(np.searchsorted(ends, start, side="right"))
    while at < start + len(data):
        stop = min(int(ends[number]), start + len(data))
        sums[number] = zlib.crc32(np.ascontiguousarray(data[at - start : stop - start]).data, int(sums[number]))
        at, number = stop, number + 1
