"""The lists that vectors are sorted into: the model's own, and so the same in every segment of every catalog.

A vector's list follows from its code alone. So catalogs merge, and grow, without anything being trained or sorted
anew, and a search works out once for all segments of a catalog where to look. There are several levels: a list of one
is the sum of four lists of the next. Centres are kept as codes of the model's product quantizer, 16 bytes each.

Lists that were trained again are others, so a manifest names those of each segment by their digest. The newest are
written with; the earlier ones ship too, as long as there are catalogs of their model, and are searched as they are.
"""

import dataclasses
import functools
import hashlib
import io
import zipfile
import zlib
from importlib import resources
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from earmark.errors import CatalogError, CatalogVersionError
from earmark.fingerprint import Model

__all__ = ["LEVELS", "Lists", "Queries", "check_lists", "decode", "load_lists", "newest_lists", "read_lists"]

LEVELS: Final = (1, 128, 512, 2048, 8192, 32768)
"""Numbers of lists."""

_N_COARSE, _N_FINE = LEVELS[1], LEVELS[-1]
# Of the 128 coarse lists: a vector goes to the nearest fine list in the nearest 4, a query looks for its lists in the
# nearest 32. More changes nothing that was measured.
_ASSIGN_COARSE: Final = 4
_QUERY_COARSE: Final = 32
_FLAT: Final = 2048
# The newest first. The second were trained on 100,776 vectors, the first on 2.3 million.
_FILES: Final = ("lists.npz", "lists_1.npz")
_ASSIGN_ROWS: Final = 1 << 14


class Lists:
    """The lists of a model.

    Parameters
    ----------
    codes : np.ndarray [shape=(32768, n_subvectors // 2), dtype=uint8]
        The centres of the finest lists; every 256 of them are a coarse list.
    model : Model

    Attributes
    ----------
    digest : str
        SHA-256 of the codes: their name.
    """

    def __init__(self, codes: NDArray[np.uint8], model: Model) -> None:
        self.digest = _digest(codes)
        self._model = model
        self._fine = _unit(decode(codes, model))
        self._coarse = self._centres(_N_COARSE)
        self._quantizer = faiss.IndexFlatIP(self._coarse.shape[1])  # FAISS's indexes do not hold theirs
        self._quantizer.add(self._coarse)
        self._finders: dict[int, Any] = {}

    def assign(self, codes: NDArray[np.uint8], n_lists: int) -> NDArray[np.uint16]:
        """Return the list of each of some codes.

        Parameters
        ----------
        codes : np.ndarray [shape=(n, n_subvectors // 2), dtype=uint8]
        n_lists : int
            One of `LEVELS`.

        Returns
        -------
        np.ndarray [shape=(n,), dtype=uint16]
        """
        if n_lists == 1:
            return np.zeros(len(codes), np.uint16)
        parts = [self._nearest(codes[i : i + _ASSIGN_ROWS]) for i in range(0, len(codes), _ASSIGN_ROWS)]
        return (np.concatenate([np.empty(0, np.int64), *parts]) // (_N_FINE // n_lists)).astype(np.uint16)

    def nearest(
        self, vectors: NDArray[np.float32], n_lists: int, n: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the `n` lists nearest to each vector, best first, and their products [each shape=(n_vectors, n)].

        -1 where there are fewer.
        """
        if n >= n_lists:
            every = np.broadcast_to(np.arange(n_lists, dtype=np.int64), (len(vectors), n_lists))
            return np.ascontiguousarray(every), np.zeros(every.shape, np.float32)
        if n_lists not in self._finders:
            self._finders[n_lists] = self._finder(n_lists)
        products, numbers = self._finders[n_lists].search(vectors, n)
        return numbers, products

    def _centres(self, n_lists: int) -> NDArray[np.float32]:
        grouped = self._fine.reshape(n_lists, -1, self._fine.shape[1])
        return _unit(grouped.mean(axis=1))

    def _nearest(self, codes: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the finest list of each code, of those in the nearest coarse lists."""
        vectors = decode(codes, self._model)
        coarse = np.argpartition(vectors @ -self._coarse.T, _ASSIGN_COARSE - 1, axis=1)[:, :_ASSIGN_COARSE]
        best = np.full(len(vectors), -np.inf, np.float32)
        found = np.zeros(len(vectors), np.int64)
        per_coarse = _N_FINE // _N_COARSE
        for number in range(_N_COARSE):
            rows = np.flatnonzero((coarse == number).any(axis=1))
            if not len(rows):
                continue
            first = number * per_coarse
            products = vectors[rows] @ self._fine[first : first + per_coarse].T
            nearest = products.argmax(axis=1)
            product = products[np.arange(len(rows)), nearest]
            better = product > best[rows]
            best[rows[better]], found[rows[better]] = product[better], first + nearest[better]
        return found

    def _finder(self, n_lists: int) -> Any:  # noqa: ANN401 - FAISS has no types
        """Return an index of the lists' centres: all of them, or where there are many those of the nearest coarse."""
        n_dims = self._fine.shape[1]
        index: Any
        if n_lists <= _FLAT:
            index = faiss.IndexFlatIP(n_dims)
            index.add(self._centres(n_lists))
            return index
        index = faiss.IndexIVFPQFastScan(
            self._quantizer, n_dims, _N_COARSE, self._model.centroids.shape[0], 4, faiss.METRIC_INNER_PRODUCT
        )
        index.by_residual = False
        faiss.copy_array_to_vector(np.ascontiguousarray(self._model.centroids, np.float32).ravel(), index.pq.centroids)
        index.is_trained = True
        index.nprobe = _QUERY_COARSE
        index.add(self._centres(n_lists))
        return index


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """An item's patches, and where to look for them, worked out once for all segments.

    Parameters
    ----------
    vectors : np.ndarray [shape=(n, n_dims), dtype=float32]
        Of unit length.
    model : Model
        Whose lists they are looked for in.
    """

    vectors: NDArray[np.float32]
    model: Model
    _known: dict[tuple[str | None, int, int], tuple[NDArray[np.int64], NDArray[np.float32]]] = dataclasses.field(
        default_factory=dict, init=False
    )

    def probes(self, digest: str | None, n_lists: int, n_probes: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return which of the `n_lists` lists of some digest to look into; see `Lists.nearest`."""
        if n_lists == 1:
            return np.zeros((len(self.vectors), 1), np.int64), np.zeros((len(self.vectors), 1), np.float32)
        key = digest, n_lists, n_probes
        if key not in self._known:
            self._known[key] = load_lists(self.model, digest).nearest(self.vectors, n_lists, n_probes)
        return self._known[key]


def decode(codes: NDArray[np.uint8], model: Model) -> NDArray[np.float32]:
    """Return the vectors that codes stand for.

    Parameters
    ----------
    codes : np.ndarray [shape=(n, n_subvectors // 2), dtype=uint8]
        Two sub-vectors a byte, the first in the lower four bits.
    model : Model

    Returns
    -------
    np.ndarray [shape=(n, n_dims), dtype=float32]
    """
    n_subvectors = model.centroids.shape[0]
    numbers = np.stack([codes & 15, codes >> 4], axis=2).reshape(len(codes), n_subvectors)
    found = model.centroids[np.arange(n_subvectors), numbers]
    return np.ascontiguousarray(found.reshape(len(codes), model.config.n_dims), np.float32)


def load_lists(model: Model, digest: str | None = None) -> Lists:
    """Return lists that ship with a model.

    Parameters
    ----------
    model : Model
    digest : str or None
        Which, of those that `check_lists` lets pass; None for the newest.

    Raises
    ------
    CatalogError
        If those of this version of Earmark are for another model.
    """
    return _built(model, newest_lists(model) if digest is None else digest)


def newest_lists(model: Model) -> str:
    """Return the digest of the lists that are written with.

    Raises
    ------
    CatalogError
        If those of this version of Earmark are for another model.
    """
    return next(iter(_shipped(model)))


def check_lists(path: Path, model: Model, digest: str) -> None:
    """Raise CatalogVersionError, naming `path`, unless this version of Earmark has the lists of a digest."""
    shipped = _shipped(model)
    if digest not in shipped:
        raise CatalogVersionError(
            f"{path}: sorted into lists {digest}, but this version of Earmark has {' and '.join(shipped)}: "
            "update Earmark"
        )


def read_lists(data: bytes, model: Model) -> Lists:
    """Return the lists that `benchmarks/train_lists.py` wrote.

    Raises
    ------
    CatalogError
        If `data` is not such a file, or they are for another model.
    """
    return Lists(_read_codes(data, model), model)


@functools.lru_cache(maxsize=2)
def _shipped(model: Model) -> dict[str, NDArray[np.uint8]]:
    """Return the codes of the centres of all lists that there are, by digest, the newest first."""
    folder = resources.files("earmark.catalog")
    codes = [_read_codes(folder.joinpath(name).read_bytes(), model) for name in _FILES]
    return {_digest(one): one for one in codes}


@functools.lru_cache(maxsize=4)
def _built(model: Model, digest: str) -> Lists:
    return Lists(_shipped(model)[digest], model)


def _read_codes(data: bytes, model: Model) -> NDArray[np.uint8]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as kept:
            codes, made_for = kept["codes"], str(kept["model"])
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CatalogError(f"not the lists of a model: {error}") from error
    if made_for != model.digest:
        raise CatalogError(f"the lists are for model {made_for}, got {model.digest}: run benchmarks/train_lists.py")
    shape = (_N_FINE, model.centroids.shape[0] // 2)
    if codes.shape != shape or codes.dtype != np.uint8:
        raise CatalogError(f"the lists should be {shape} of uint8, got {codes.shape} of {codes.dtype}")
    return np.asarray(codes)


def _digest(codes: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(codes).tobytes()).hexdigest()


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.ascontiguousarray(vectors / np.maximum(lengths, np.float32(1e-9)), np.float32)
