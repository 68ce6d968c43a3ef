"""Fingerprints of items without loss in few bytes, to be matched again later as if the audio were there.

Matching looks at an item's saliency map, at its peak bitmaps and at its patches. The two last were made of a finer map
than the one that is kept (8 bits), so what that map gives instead is compared with them, and where they differ, which
is in 1 of 50 words and 1 of 40 dimensions, the difference is kept, too. The map itself is half zeros, and its other
values are nearly noise: a bit for each value, and the values that are not zero, each coded by zlib.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from earmark.errors import ScanError
from earmark.fingerprint import Fingerprint, Model
from earmark.fingerprint.embedding import embed, n_patches
from earmark.fingerprint.peaks import peak_words

__all__ = ["fingerprint_from_bytes", "fingerprint_to_bytes"]

# Samples, frames; SHA-256 of what comes out, cut short; bytes of the four parts.
_HEAD: Final = struct.Struct("<QQ16sQQQQ")
# Bounds the memory: 4.4 minutes of map as floats are 2 MB. A multiple of a patch hop, and even.
_BLOCK_FRAMES: Final = 8192
# On music of the tests zlib's better levels save 0.3 % and take up to 50 times as long.
_LEVEL: Final = 1


def fingerprint_to_bytes(fingerprint: Fingerprint, model: Model) -> bytes:
    """Return an item's fingerprint as bytes: about 1.2 kB a second of music.

    Parameters
    ----------
    fingerprint
        Of the item.
    model
        That it was made with.
    """
    transposed = np.ascontiguousarray(fingerprint.saliency.T)  # neighbours in time are more alike than in pitch
    words, patches = _predicted(fingerprint.saliency, model)
    parts = [
        np.packbits(transposed != 0),
        transposed[transposed != 0],
        words ^ fingerprint.words,
        fingerprint.patches - patches,  # modulo 256
    ]
    coded = [zlib.compress(part.tobytes(), _LEVEL) for part in parts]
    head = _HEAD.pack(fingerprint.n_samples, fingerprint.n_frames, _digest(fingerprint), *map(len, coded))
    return b"".join([head, *coded])


def fingerprint_from_bytes(data: bytes, model: Model) -> Fingerprint:
    """Return the fingerprint that `fingerprint_to_bytes` was given, bit for bit.

    Parameters
    ----------
    data
        From `fingerprint_to_bytes`.
    model
        That the fingerprint was made with.

    Raises
    ------
    ScanError
        If the bytes are not those, or this version of Earmark makes other fingerprints of the same audio.
    """
    try:
        n_samples, n_frames, digest, *sizes = _HEAD.unpack_from(data)
        at = np.cumsum([_HEAD.size, *sizes])
        if len(data) != at[-1]:
            raise ValueError(f"{len(data)} bytes, expected {at[-1]}")
        shapes = [
            -(-n_frames * model.config.n_bands // 8),
            None,
            len(model.config.item_peaks) * 2 * (n_frames // 2) * 8,
            n_patches(n_frames, model.config) * model.config.n_dims,
        ]
        mask, values, words, patches = (
            _inflated(data[start:stop], size) for start, stop, size in zip(at, at[1:], shapes, strict=False)
        )
        fingerprint = _restored(n_samples, n_frames, (mask, values, words, patches), model)
    except (struct.error, zlib.error, ValueError, OverflowError, MemoryError) as error:
        raise ScanError(f"the kept fingerprint is damaged: {error}") from error
    if _digest(fingerprint) != digest:
        raise ScanError("the kept fingerprint is damaged, or of a version of Earmark that hears otherwise")
    return fingerprint


def _inflated(data: bytes, size: int | None) -> bytes:
    """Return what was deflated, which has so many bytes; None takes any number up to what zlib can have made."""
    limit = 1100 * len(data) + 100 if size is None else size
    inflater = zlib.decompressobj()
    found = inflater.decompress(data, limit + 1)
    if not inflater.eof or inflater.unused_data or len(found) != (len(found) if size is None else size):
        raise ValueError("a part of another length")
    return found


def _restored(n_samples: int, n_frames: int, parts: tuple[bytes, bytes, bytes, bytes], model: Model) -> Fingerprint:
    mask, values, words, patches = parts
    config = model.config
    is_set = np.unpackbits(np.frombuffer(mask, np.uint8), count=n_frames * config.n_bands).astype(np.bool_)
    transposed = np.zeros(n_frames * config.n_bands, np.uint8)
    transposed[is_set] = np.frombuffer(values, np.uint8)
    saliency = np.ascontiguousarray(transposed.reshape(config.n_bands, n_frames).T)
    predicted_words, predicted_patches = _predicted(saliency, model)
    return Fingerprint(
        n_samples=n_samples,
        n_frames=n_frames,
        words=predicted_words ^ np.frombuffer(words, np.uint64).reshape(predicted_words.shape),
        patches=predicted_patches + np.frombuffer(patches, np.int8).reshape(predicted_patches.shape),
        saliency=saliency,
    )


def _predicted(saliency: NDArray[np.uint8], model: Model) -> tuple[NDArray[np.uint64], NDArray[np.int8]]:
    """Return the peak bitmaps and patches that a map of 8 bits gives."""
    config, n_frames = model.config, len(saliency)
    words = np.zeros((len(config.item_peaks), 2, n_frames // 2), np.uint64)
    patches = np.zeros((n_patches(n_frames, config), config.n_dims), np.int8)
    for start, block in _blocks(saliency, config.patch_frames):
        for phase in range(2):
            marked = peak_words(block[phase : _BLOCK_FRAMES + phase], config)
            room = words[:, phase, start // 2 : (start + _BLOCK_FRAMES) // 2]
            room[:, : marked.shape[1]] = marked[:, : room.shape[1]]
        first = start // config.patch_hop_frames
        some = patches[first : first + _BLOCK_FRAMES // config.patch_hop_frames]
        some[:] = embed(block, model.projection, model.offset, config)[: len(some)]
    return words, patches


def _blocks(saliency: NDArray[np.uint8], patch_frames: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the map as floats, block by block, each as far as a patch reaches that begins in it."""
    for start in range(0, len(saliency), _BLOCK_FRAMES):
        yield start, saliency[start : start + _BLOCK_FRAMES + patch_frames].astype(np.float32) / np.float32(255)


def _digest(fingerprint: Fingerprint) -> bytes:
    sha256 = hashlib.sha256(b"%d %d" % (fingerprint.n_samples, fingerprint.n_frames))
    for part in (fingerprint.words, fingerprint.patches, fingerprint.saliency):
        sha256.update(np.ascontiguousarray(part).tobytes())
    return sha256.digest()[:16]
