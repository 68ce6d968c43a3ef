"""The model: what was learned from the training music, and the name of it."""

import dataclasses
import functools
import hashlib
import io
import zipfile
import zlib
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import ParameterError
from earmark.fingerprint.config import FingerprintConfig

__all__ = ["Model", "dump_model", "load_model", "read_model"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Model:
    """The learned part of a fingerprint. Made by `benchmarks/train_model.py`.

    Attributes
    ----------
    config : FingerprintConfig
        The numbers that the model was trained with.
    projection : np.ndarray [shape=(patch_frames // 2 * n_bands, n_dims), dtype=float32]
        Discriminant axes, rotated so that the sub-vectors of the product quantizer share the variance.
    offset : np.ndarray [shape=(n_dims,), dtype=float32]
        The projection of the mean patch.
    centroids : np.ndarray [shape=(n_subvectors, 16, n_dims // n_subvectors), dtype=float32]
        The product quantizer, for embeddings of unit length.
    cohort : np.ndarray [shape=(n_cohort, n_words), dtype=uint64]
        Peak bitmaps of unrelated music, `track_peaks` a word: what an item is compared with to learn what chance gives.
    digest : str
        SHA-256 of all the above: the model's name. Fingerprints of different models cannot be compared.
    """

    config: FingerprintConfig
    projection: NDArray[np.float32]
    offset: NDArray[np.float32]
    centroids: NDArray[np.float32]
    cohort: NDArray[np.uint64]
    digest: str = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", _digest(self.config, self._arrays()))

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in _ARRAYS}


_UNREADABLE = (ValueError, KeyError, OSError, EOFError, RuntimeError, MemoryError)
_ARRAYS = {"projection": np.float32, "offset": np.float32, "centroids": np.float32, "cohort": np.uint64}


@functools.lru_cache(maxsize=1)
def load_model() -> Model:
    """Return the model that ships with this version of Earmark.

    Examples
    --------
    >>> load_model().projection.shape
    (1984, 128)
    """
    return read_model(resources.files("earmark.fingerprint").joinpath("model.npz").read_bytes())


def dump_model(model: Model) -> bytes:
    """Return the model as the bytes of an .npz file, without pickled objects."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, allow_pickle=False, **{name: getattr(model, name).astype(kind) for name, kind in _ARRAYS.items()}
    )
    return buffer.getvalue()


def read_model(data: bytes) -> Model:
    """Return the model that `dump_model` wrote.

    Raises
    ------
    ParameterError
        If `data` is not such a file, or its arrays do not fit the config.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(f"{name}.npy") for name in _ARRAYS}
        arrays = {name: np.load(io.BytesIO(member), allow_pickle=False) for name, member in members.items()}
    except (*_UNREADABLE, zipfile.BadZipFile, zlib.error) as error:
        raise ParameterError(f"not a model of Earmark: {error}") from error
    config = FingerprintConfig()
    n_inputs = config.patch_frames // 2 * config.n_bands
    shapes = {
        "projection": (n_inputs, config.n_dims),
        "offset": (config.n_dims,),
        "centroids": (config.n_dims // 4, 16, 4),
        "cohort": (-1, -1),
    }
    for name, kind in _ARRAYS.items():
        array, shape = arrays[name], shapes[name]
        fits = array.ndim == len(shape) and all(n in (-1, m) for n, m in zip(shape, array.shape, strict=True))
        if not fits or array.dtype != kind:
            raise ParameterError(
                f"the model's {name} should be {shape} of {np.dtype(kind)}, got {array.shape} of {array.dtype}"
            )
    return Model(config=config, **arrays)


def _digest(config: FingerprintConfig, arrays: dict[str, NDArray[Any]]) -> str:
    sha = hashlib.sha256(config.digest.encode())
    for name, array in arrays.items():
        sha.update(f"{name} {array.shape} {array.dtype.str}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
