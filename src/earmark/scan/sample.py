"""What a dataset holds in its audio column, as items: bytes, paths, decoded samples."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from earmark.audio.render import wav_bytes
from earmark.corpus import HeldBytes, Item, WholeFile
from earmark.errors import CorpusError

__all__ = ["sample_item"]

_EXPECTED = (
    "expected bytes, a path or URL, {'bytes', 'path'} as `datasets` has it undecoded, {'array', 'sampling_rate'} or an "
    "AudioDecoder"
)


def sample_item(value: object, *, item_id: str | None = None, sr: int | None = None) -> Item:
    """Return a value of an audio column as an item.

    Parameters
    ----------
    value
        Bytes of a file; its path or URL; a mapping with `bytes` or `path`, or with `array` and `sampling_rate`; an
        AudioDecoder of `datasets`; or with `sr` an array of samples.
    item_id
        What to call it; None for the path, and of what has none the SHA-256 of its bytes.
    sr
        Sampling rate of an array in Hz.

    Raises
    ------
    CorpusError
        If it is nothing of the kind.

    Examples
    --------
    >>> sample_item({"bytes": None, "path": "a/b.wav"}).source.location
    'a/b.wav'
    >>> sample_item({"bytes": b"RIFF", "path": "b.wav"}).id
    'b.wav'
    """
    value = getattr(value, "_hf_encoded", value)  # an AudioDecoder of `datasets` keeps what it was made of
    if isinstance(value, Mapping):
        return _of_mapping(value, item_id)
    if isinstance(value, bytes | bytearray | memoryview):
        return _of_bytes(bytes(value), item_id)
    if isinstance(value, str | os.PathLike):
        return _of_path(os.fspath(value), item_id)
    if sr is not None and value is not None:
        return _of_bytes(_wav(value, sr), item_id)
    if hasattr(value, "get_all_samples"):
        samples = value.get_all_samples()
        return _of_bytes(_wav(samples.data, samples.sample_rate), item_id)
    raise CorpusError("the row has no audio" if value is None else f"{_EXPECTED}, got {type(value).__name__}")


def _of_mapping(value: Mapping[str, Any], item_id: str | None) -> Item:
    path = value.get("path")
    if value.get("bytes") is not None:
        return _of_bytes(bytes(value["bytes"]), item_id or path)
    if value.get("array") is not None and value.get("sampling_rate"):
        return _of_bytes(_wav(value["array"], int(value["sampling_rate"])), item_id or path)
    if path:
        return _of_path(path, item_id)
    if set(value) & {"bytes", "path", "array"}:
        raise CorpusError("the row has no audio")
    raise CorpusError(f"{_EXPECTED}, got a mapping with {', '.join(map(str, value)) or 'nothing'}")


def _of_bytes(data: bytes, item_id: str | None) -> Item:
    name = item_id or hashlib.sha256(data).hexdigest()
    return Item(id=_text(name), source=HeldBytes(data=data), size_bytes=len(data))


def _of_path(location: str | bytes, item_id: str | None) -> Item:
    location = os.fsdecode(location)
    return Item(id=_text(item_id or location), source=WholeFile(location=location), size_bytes=None)


def _wav(samples: Any, sr: int) -> bytes:  # noqa: ANN401 - whatever numpy takes
    """Return decoded samples as a file; of two axes the shorter one is that of the channels."""
    y = np.asarray(samples)
    if y.dtype.kind not in "fiu" or y.ndim not in (1, 2) or not y.size:
        raise CorpusError(f"expected samples as an array of one or two axes, got {y.dtype} of shape {y.shape}")
    if y.dtype.kind != "f":
        y = y.astype(np.float64) / 2.0 ** (8 * y.dtype.itemsize - 1) - (y.dtype.kind == "u")
    if y.ndim == 2 and y.shape[0] < y.shape[1]:
        y = y.T
    return wav_bytes(y.astype(np.float32), sr)


def _text(name: str) -> str:
    """Return a name as valid text: ids of items are UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
