"""The vector index of a segment: product-quantized patch embeddings, in FAISS's fast-scan layout.

A small segment has one inverted list, so a search is an exact scan of the codes; a larger one has many, and a search
looks into some. Codes are the model's own, never residual to the lists, and so the same in every catalog. That an
exact scan is an inverted file of one list is on purpose: unlike FAISS's flat fast-scan index it keeps ids, so silent
patches take no room, and it can leave out removed tracks while it searches (faiss 1.15.1); it takes the same time.
"""

import dataclasses
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from earmark.catalog.codes import indexed_codes
from earmark.catalog.manifest import VECTORS
from earmark.errors import CatalogDamagedError, CatalogError
from earmark.fingerprint import Model

__all__ = ["Layout", "VectorIndex", "write_vector_index"]

# k-means: FAISS's own lower limit of training vectors a list, below which it warns, and enough rounds to settle.
_TRAINING_PER_LIST: Final = 39
_TRAINING_ROUNDS: Final = 10
_SEED: Final = 1
_ADD_ROWS: Final = 1 << 16
# FAISS's own type stubs have other names and arguments for these.
_SearchParametersIVF: Any = faiss.SearchParametersIVF
_IDSelectorBitmap: Any = faiss.IDSelectorBitmap


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the vectors of a segment are arranged.

    Measured on the development music, 10 s excerpts clean and under white noise at 0 dB: up to 260,000 vectors (75 h)
    an exact scan takes at most 0.35 ms a query on one core, and lists that keep .98 of its best 20 save nothing worth
    having, as each list looked into costs as much as scanning 400 codes.

    Parameters
    ----------
    exact_below : int
        Segments of fewer vectors are scanned whole.
    lists_per_root : float
        Inverted lists of a larger one: this times the square root of its vectors.
    probe_share : float
        Share of the lists that a search looks into, at least `min_probes`.
    min_probes : int
    max_patches : int
        A segment is closed when it has this many, and the next one begun: it bounds the memory of a build (128 bytes
        a patch) and keeps an index file near 100 MB.
    """

    exact_below: int = 300_000
    lists_per_root: float = 2.0
    probe_share: float = 1 / 8
    min_probes: int = 64
    max_patches: int = 4_000_000

    def n_lists(self, n_vectors: int) -> int:
        """Return the number of lists for that many vectors."""
        wanted = round(self.lists_per_root * n_vectors**0.5)
        return 1 if n_vectors < self.exact_below else max(1, min(wanted, n_vectors // _TRAINING_PER_LIST))

    def n_probes(self, n_lists: int) -> int:
        """Return how many of that many lists a search looks into."""
        return min(n_lists, max(self.min_probes, round(self.probe_share * n_lists)))


def write_vector_index(directory: Path, patches: NDArray[np.int8], model: Model, n_lists: int) -> int:
    """Index patches and write the index; the same patches give the same bytes.

    Parameters
    ----------
    directory : Path
        The segment's.
    patches : np.ndarray [shape=(n_patches, n_dims), dtype=int8]
        Row numbers are the ids; rows of zeros are left out.
    model : Model
        Its centroids make the codes.
    n_lists : int
        Inverted lists, at most the number of rows that are not zero.

    Returns
    -------
    int
        The number of vectors in the index.

    Raises
    ------
    CatalogError
        If the index cannot be written.
    """
    numbers = np.flatnonzero(patches.any(axis=1))
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # sums in one order
    try:
        index = _empty_index(_coarse_centroids(patches, numbers, model, n_lists), model)
        for start in range(0, len(numbers), _ADD_ROWS):
            ids = numbers[start : start + _ADD_ROWS]
            index.add_with_ids(_floats(patches[ids], model), ids)
        faiss.write_index(index, str(directory / VECTORS))
    except RuntimeError as error:  # FAISS's only exception
        raise CatalogError(f"{directory / VECTORS}: cannot be written: {error}") from error
    finally:
        faiss.omp_set_num_threads(threads)
    return len(numbers)


class VectorIndex:
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
        self._path = directory / VECTORS
        self._n_patches, self._n_probes = n_patches, n_probes
        try:
            self._index = faiss.read_index(str(self._path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise CatalogDamagedError(f"{self._path}: damaged: FAISS cannot open it: {error}") from error
        expected = (faiss.IndexIVFPQFastScan, model.config.n_dims, n_vectors, n_lists)
        found = (type(self._index), self._index.d, self._index.ntotal, getattr(self._index, "nlist", 0))
        if found != expected or self._index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise CatalogDamagedError(f"{self._path}: damaged: expected index {expected}, found {found}")

    def codes(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the codes of all patches, see `indexed_codes`."""
        return indexed_codes(self._index, self._n_patches)

    def search(
        self, queries: NDArray[np.float32], k: int, live: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the nearest vectors.

        Parameters
        ----------
        queries : np.ndarray [shape=(n, n_dims), dtype=float32]
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
            products, numbers = self._index.search(queries, k, params=parameters)
        except RuntimeError as error:
            raise CatalogDamagedError(f"{self._path}: damaged: FAISS cannot search it: {error}") from error
        if numbers.max(initial=-1) >= self._n_patches or numbers.min(initial=-1) < -1:
            raise CatalogDamagedError(f"{self._path}: damaged: a patch number out of range")
        products[numbers < 0] = 0.0  # FAISS puts anything there
        return numbers, products


def _floats(patches: NDArray[np.int8], model: Model) -> NDArray[np.float32]:
    return patches.astype(np.float32) / np.float32(model.config.patch_scale)


def _empty_index(coarse: NDArray[np.float32], model: Model) -> Any:  # noqa: ANN401 - FAISS has no types
    n_subvectors, n_centroids, _ = model.centroids.shape
    if n_centroids != 16:
        raise CatalogError(f"the model's quantizer has {n_centroids} centroids a sub-vector; fast scan needs 16")
    quantizer = faiss.IndexFlatIP(model.config.n_dims)
    quantizer.add(coarse)
    index = faiss.IndexIVFPQFastScan(
        quantizer, model.config.n_dims, len(coarse), n_subvectors, 4, faiss.METRIC_INNER_PRODUCT
    )
    index.by_residual = False
    faiss.copy_array_to_vector(np.ascontiguousarray(model.centroids, np.float32).ravel(), index.pq.centroids)
    index.is_trained = True
    return index


def _coarse_centroids(
    patches: NDArray[np.int8], numbers: NDArray[np.int64], model: Model, n_lists: int
) -> NDArray[np.float32]:
    """Return the centres of the lists: spherical k-means over a seeded sample; one list needs none to speak of."""
    if n_lists == 1:
        return np.zeros((1, model.config.n_dims), np.float32)
    n_training = min(len(numbers), n_lists * _TRAINING_PER_LIST)
    chosen = np.sort(np.random.default_rng(_SEED).choice(numbers, n_training, replace=False))
    kmeans = faiss.Kmeans(
        model.config.n_dims,
        n_lists,
        niter=_TRAINING_ROUNDS,
        seed=_SEED,
        spherical=True,
        max_points_per_centroid=_TRAINING_PER_LIST,
        min_points_per_centroid=1,
    )
    kmeans.train(_floats(patches[chosen], model))
    return np.asarray(kmeans.centroids, np.float32)
