"""The vector index of segments that were written before format version 2: read, and no longer written.

An inverted file of FAISS in its fast-scan layout, with lists of the segment's own; one list is an exact scan.
"""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from earmark.catalog.code_blocks import BLOCK, unpack_blocks
from earmark.catalog.lists import Queries
from earmark.catalog.manifest import VECTORS_V1
from earmark.catalog.vectors import settled_hits
from earmark.errors import CatalogDamagedError
from earmark.fingerprint import Model

__all__ = ["VectorIndexV1"]

# FAISS's own type stubs have other names and arguments for these.
_SearchParametersIVF: Any = faiss.SearchParametersIVF
_IDSelectorBitmap: Any = faiss.IDSelectorBitmap


class VectorIndexV1:
    """The vector index of a segment, mapped into memory and shared by all who open it.

    Parameters
    ----------
    directory : Path
        The segment's; the file is known to be good.
    model : Model
    n_patches, n_vectors, n_lists, n_probes : int
        As the manifest has them.

    Raises
    ------
    CatalogDamagedError
        If FAISS cannot open it, or it is another index than the manifest says.
    """

    def __init__(
        self, directory: Path, model: Model, *, n_patches: int, n_vectors: int, n_lists: int, n_probes: int
    ) -> None:
        self._path = directory / VECTORS_V1
        self._n_patches, self._n_probes = n_patches, n_probes
        try:
            self._index: Any = faiss.read_index(str(self._path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise CatalogDamagedError(f"{self._path}: damaged: FAISS cannot open it: {error}") from error
        expected = (faiss.IndexIVFPQFastScan, model.config.n_dims, n_vectors, n_lists)
        found = (type(self._index), self._index.d, self._index.ntotal, getattr(self._index, "nlist", 0))
        if found != expected or self._index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise CatalogDamagedError(f"{self._path}: damaged: expected index {expected}, found {found}")

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
            If a patch number is out of range.
        """
        k = min(k, self._index.ntotal)
        faiss.omp_set_num_threads(1)  # processes share the work, not threads
        some = {} if live is None else {"sel": _IDSelectorBitmap(live)}
        parameters = _SearchParametersIVF(nprobe=self._n_probes, **some)
        try:
            products, numbers = self._index.search(queries.vectors, k, params=parameters)
        except RuntimeError as error:
            raise CatalogDamagedError(f"{self._path}: damaged: FAISS cannot search it: {error}") from error
        return settled_hits(numbers, products, self._n_patches, self._path)

    def codes(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the codes of all patches; see `VectorIndex.codes`."""
        lists, code_size = self._index.invlists, self._index.code_size
        codes = np.zeros((self._n_patches, code_size), np.uint8)
        spoken = np.zeros(self._n_patches, np.bool_)
        for number in range(self._index.nlist):
            n = lists.list_size(number)
            if n:
                numbers = faiss.rev_swig_ptr(lists.get_ids(number), n)
                if numbers.max() >= self._n_patches or numbers.min() < 0:
                    raise CatalogDamagedError(f"{self._path}: damaged: a patch number out of range")
                blocks = faiss.rev_swig_ptr(lists.get_codes(number), -(-n // BLOCK) * BLOCK * code_size)
                codes[numbers] = unpack_blocks(blocks.reshape(-1, code_size, BLOCK))[:n]
                spoken[numbers] = True
        return codes, spoken
