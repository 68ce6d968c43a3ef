"""The vector index of a segment: codes of patches in inverted lists, mapped into memory, each list checked when used.

Two files, written by `VectorWriter`. `vectors.lists` has the codes of all lists in blocks of 32, as FAISS's fast scan
reads them, and after them the patch numbers, block by block. `vectors.table` has how many codes each list has, and the
CRC-32 of its blocks and numbers. FAISS searches them where they lie: nothing is copied, and nothing but the table is
read to open them. A small segment has one list, so that a search is an exact scan of the codes.
"""

import dataclasses
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from earmark.catalog.code_blocks import BLOCK, unpack_blocks
from earmark.catalog.lists import LEVELS, Queries, check_lists
from earmark.catalog.manifest import LISTS, TABLE
from earmark.errors import CatalogDamagedError
from earmark.fingerprint import Model

__all__ = ["Layout", "VectorIndex", "open_vector_index", "settled_hits"]

_READ_BLOCKS: Final = 1 << 15
_ID_BYTES: Final = 8
# FAISS's own type stubs have other names and arguments for these.
_SearchParametersIVF: Any = faiss.SearchParametersIVF
_IDSelectorBitmap: Any = faiss.IDSelectorBitmap

_PROBES: Final = {1: 1, 128: 24, 512: 96, 2048: 128, 8192: 192, 32768: 48}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the vectors of a segment are arranged.

    Measured up to 2,048 lists, see docs/scale.md.

    Parameters
    ----------
    exact_below : int
        Segments of fewer vectors are scanned whole.
    vectors_per_list : int
        A larger one has as many lists as leave each at least so many on average, of the numbers in `LEVELS`; at
        least 128.
    probes : mapping of int to int
        How many of so many lists a search looks into; all, where it is not said.
    max_patches : int
        A segment is closed when it has this many, and the next one begun: it bounds the memory of a build (24 bytes a
        patch, and about as much again while they are sorted).
    """

    exact_below: int = 16_384
    vectors_per_list: int = 400
    probes: Mapping[int, int] = dataclasses.field(default_factory=lambda: dict(_PROBES))
    max_patches: int = 16_000_000

    def n_lists(self, n_vectors: int) -> int:
        """Return the number of lists for that many vectors."""
        if n_vectors < self.exact_below:
            return 1
        return max(n for n in LEVELS if n <= max(n_vectors // self.vectors_per_list, LEVELS[1]))

    def n_probes(self, n_lists: int) -> int:
        """Return how many of that many lists a search looks into."""
        return min(self.probes.get(n_lists, n_lists), n_lists)


def open_vector_index(
    directory: Path,
    model: Model,
    *,
    n_patches: int,
    n_vectors: int,
    n_lists: int,
    n_probes: int,
    lists: str | None = None,
) -> "VectorIndex":
    """Open the index of a segment.

    Parameters
    ----------
    directory : Path
        The segment's. The files have the size that they should have, and the table is known to be good.
    model : Model
    n_patches, n_vectors, n_lists, n_probes : int
        As the manifest has them.
    lists : str or None
        Likewise, their digest.

    Raises
    ------
    CatalogDamagedError
        If the files do not fit each other, or the manifest.
    CatalogVersionError
        If this version of Earmark has no such lists.
    """
    table = np.fromfile(directory / TABLE, "<u4")
    if len(table) != 2 * n_lists or n_lists not in LEVELS:
        raise CatalogDamagedError(f"{directory / TABLE}: damaged: expected {n_lists} lists")
    if n_lists > 1 and lists is not None:
        check_lists(directory / LISTS, model, lists)
    return VectorIndex(
        directory / LISTS, table, model, n_patches=n_patches, n_vectors=n_vectors, n_probes=n_probes, lists=lists
    )


class VectorIndex:
    """The vector index of a segment, mapped into memory and shared by all who open it.

    Parameters
    ----------
    path : Path
        The file of lists.
    table : np.ndarray [shape=(2 * n_lists,), dtype=uint32]
        How many codes each list has, and its checksum.
    model : Model
    n_patches, n_vectors, n_probes : int
        Patches, those of them that are indexed, and how many lists a search looks into.
    lists : str or None
        Digest of the lists; None if there is but one.

    Raises
    ------
    CatalogDamagedError
        If the file does not fit the table.
    """

    def __init__(
        self,
        path: Path,
        table: NDArray[np.uint32],
        model: Model,
        *,
        n_patches: int,
        n_vectors: int,
        n_probes: int,
        lists: str | None,
    ) -> None:
        self._path, self._digest, n_lists = path, lists, len(table) // 2
        self._n_patches, self._n_vectors, self._n_probes = n_patches, n_vectors, n_probes
        self._sizes, self._sums = table[:n_lists].astype(np.int64), table[n_lists:]
        n_blocks = -(-self._sizes // BLOCK)
        self._first_block = np.concatenate([[0], np.cumsum(n_blocks)])
        self._code_size = model.centroids.shape[0] // 2
        total, n_bytes = int(self._first_block[-1]), self._path.stat().st_size
        if self._sizes.sum() != n_vectors or n_bytes != total * BLOCK * (self._code_size + _ID_BYTES):
            raise CatalogDamagedError(f"{self._path}: damaged: {n_bytes} bytes do not fit {n_vectors} vectors")
        self._index = self._opened(model, total)
        data = faiss.rev_swig_ptr(self._lists.ptr, n_bytes)  # FAISS's own map
        data.flags.writeable = False
        self._blocks = data[: total * BLOCK * self._code_size].reshape(total, self._code_size, BLOCK)
        self._numbers = data[total * BLOCK * self._code_size :].view("<i8").reshape(total, BLOCK)
        self._good = np.zeros(n_lists, np.bool_)
        self._all_good = False

    def search(
        self, queries: Queries, k: int, live: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the nearest vectors.

        Parameters
        ----------
        queries : Queries
        k : int
            How many, > 0.
        live : np.ndarray [dtype=uint8] or None
            Bits, least first: which patches may be found; None for all.

        Returns
        -------
        tuple of np.ndarray
            Patch numbers and inner products [shape=(n, min(k, n_vectors)), dtype=int64, float32], best first;
            -1 and 0 where there are fewer. FAISS rounds the products to 8 bits a table of a sub-vector.

        Raises
        ------
        CatalogDamagedError
            If a list that is looked into is not as it was written; lists are checked at their first use.
        """
        lists, nearness = queries.probes(self._digest, len(self._sizes), self._n_probes)
        self._check(lists)
        k = min(k, self._n_vectors)
        products = np.empty((len(lists), k), np.float32)
        numbers = np.empty((len(lists), k), np.int64)
        some = {} if live is None else {"sel": _IDSelectorBitmap(live)}
        parameters = _SearchParametersIVF(nprobe=lists.shape[1], **some)
        arrays = [faiss.swig_ptr(one) for one in (lists, nearness, products, numbers)]
        faiss.omp_set_num_threads(1)  # processes share the work, not threads
        try:
            # The wrapper for Python takes no parameters here.
            self._index.search_preassigned_c(len(lists), faiss.swig_ptr(queries.vectors), k, *arrays, False, parameters)
        except RuntimeError as error:
            raise CatalogDamagedError(f"{self._path}: damaged: FAISS cannot search it: {error}") from error
        return settled_hits(numbers, products, self._n_patches, self._path)

    def codes(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the codes of all patches, in their order.

        Returns
        -------
        codes : np.ndarray [shape=(n_patches, n_subvectors // 2), dtype=uint8]
            Two sub-vectors a byte, the first in the lower four bits.
        spoken : np.ndarray [shape=(n_patches,), dtype=bool]
            False for patches that are not in the index, as they say nothing.

        Raises
        ------
        CatalogDamagedError
            If a list is not as it was written.
        """
        self._check(np.arange(len(self._sizes)))
        codes = np.zeros((self._n_patches, self._code_size), np.uint8)
        spoken = np.zeros(self._n_patches, np.bool_)
        for start in range(0, len(self._blocks), _READ_BLOCKS):
            numbers = self._numbers[start : start + _READ_BLOCKS].ravel()
            filled = numbers >= 0
            if numbers.max(initial=-1) >= self._n_patches:
                raise CatalogDamagedError(f"{self._path}: damaged: a patch number out of range")
            unpacked = unpack_blocks(self._blocks[start : start + _READ_BLOCKS])
            codes[numbers[filled]], spoken[numbers[filled]] = unpacked[filled], True
        return codes, spoken

    def _check(self, lists: NDArray[np.int64]) -> None:
        """Check those lists that nobody has looked into yet."""
        if self._all_good:
            return
        wanted = np.zeros(len(self._good) + 1, np.bool_)  # the last for those that are missing: -1
        wanted[lists] = True
        for number in np.flatnonzero(wanted[:-1] & ~self._good):
            here = slice(self._first_block[number], self._first_block[number + 1])
            if zlib.crc32(self._numbers[here].data, zlib.crc32(self._blocks[here].data)) != self._sums[number]:
                raise CatalogDamagedError(
                    f"{self._path}: damaged: list {number} is not as it was written; "
                    "build the catalog again or restore it"
                )
            self._good[number] = True
        self._all_good = bool(self._good.all())

    def _opened(self, model: Model, n_blocks: int) -> Any:  # noqa: ANN401 - FAISS has no types
        """Map the file, and return an index of FAISS over it."""
        n_lists, n_dims = len(self._sizes), model.config.n_dims
        lists: Any = faiss.OnDiskInvertedLists()
        lists.nlist, lists.code_size, lists.read_only, lists.prefetch_nthread = n_lists, self._code_size, True, 0
        lists.filename, lists.totsize = str(self._path), self._path.stat().st_size
        # For FAISS a list's numbers follow its codes, as many bytes after them as it has room for codes.
        before = self._first_block[:-1] * BLOCK
        room = n_blocks * BLOCK + before * (_ID_BYTES - self._code_size) // self._code_size
        entries = np.stack([self._sizes, room, before * self._code_size], axis=1).astype(np.uint64)
        lists.lists.resize(n_lists)
        faiss.memcpy(lists.lists.data(), faiss.swig_ptr(entries), entries.nbytes)
        try:
            lists.do_mmap()
        except RuntimeError as error:
            raise CatalogDamagedError(f"{self._path}: damaged: FAISS cannot open it: {error}") from error
        self._quantizer = faiss.IndexFlatIP(n_dims)  # never asked
        index = faiss.IndexIVFPQFastScan(
            self._quantizer, n_dims, n_lists, model.centroids.shape[0], 4, faiss.METRIC_INNER_PRODUCT
        )
        index.by_residual = False
        faiss.copy_array_to_vector(np.ascontiguousarray(model.centroids, np.float32).ravel(), index.pq.centroids)
        index.is_trained, index.ntotal = True, self._n_vectors
        index.replace_invlists(lists, False)
        self._lists = lists  # the index does not hold it
        return index


def settled_hits(
    numbers: NDArray[np.int64], products: NDArray[np.float32], n_patches: int, path: Path
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return what FAISS found, with products of 0 where there is nothing; it puts anything there.

    Raises
    ------
    CatalogDamagedError
        If a patch number is out of range; it names `path`.
    """
    if numbers.max(initial=-1) >= n_patches or numbers.min(initial=-1) < -1:
        raise CatalogDamagedError(f"{path}: damaged: a patch number out of range")
    products[numbers < 0] = 0.0
    return numbers, products
