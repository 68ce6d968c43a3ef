"""A spool: a file that tracks are appended to as they are heard, so that nothing need be heard twice."""

import contextlib
import dataclasses
import json
import os
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from earmark.catalog.track import Sketch, TrackTags

__all__ = ["Spool", "SpooledTrack"]

_MAGIC: Final = "earmark-spool 1 {}\n"
_FRAME: Final = struct.Struct("<II")  # length and CRC-32 of what follows
_HEAD: Final = struct.Struct("<I")  # length of its JSON
# What a power failure may cost; a kill of the process costs nothing that was appended.
_SYNC_S: Final = 30.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SpooledTrack:
    """A track that was heard.

    Attributes
    ----------
    tags : TrackTags
    sketch : Sketch
        Without words and patches if it is a further id of a recording that is stored already.
    source_sha256 : bytes or None
        Of the file that it was made from.
    """

    tags: TrackTags
    sketch: Sketch
    source_sha256: bytes | None


class Spool:
    """A spool, opened to be read once and then appended to.

    What a killed writer left half written at the end is cut off.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    purpose : str
        One word; what was spooled for another purpose is thrown away.
    """

    def __init__(self, path: Path, purpose: str) -> None:
        self.path = path
        self._magic = _MAGIC.format(purpose).encode()
        self._file = path.open("a+b")
        self._synced = time.monotonic()

    def read(self) -> Iterator[SpooledTrack]:
        """Yield the tracks in it, in order; to be exhausted before anything is appended."""
        self._file.seek(0)
        if self._file.read(len(self._magic)) != self._magic:
            self._cut(0)
            self._file.write(self._magic)
            self._file.flush()
            return
        good = len(self._magic)
        while (payload := self._payload()) is not None:
            track = _parse(payload)
            good = self._file.tell()
            yield track
            self._file.seek(good)
        self._cut(good)

    def append(self, track: SpooledTrack) -> None:
        """Append a track and hand it to the system."""
        payload = _render(track)
        self._file.write(_FRAME.pack(len(payload), zlib.crc32(payload)) + payload)
        self._file.flush()
        if time.monotonic() - self._synced >= _SYNC_S:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def close(self) -> None:
        """Close the file. May be called twice."""
        with contextlib.suppress(OSError):  # a full disk was reported when it was written to
            self._file.close()

    def _payload(self) -> bytes | None:
        """Return what the next frame holds; None at the end, or where a frame is torn or damaged."""
        frame = self._file.read(_FRAME.size)
        if len(frame) < _FRAME.size:
            return None
        length, crc = _FRAME.unpack(frame)
        if length > os.fstat(self._file.fileno()).st_size - self._file.tell():
            return None
        payload = self._file.read(length)
        return payload if len(payload) == length and zlib.crc32(payload) == crc else None

    def _cut(self, length: int) -> None:
        self._file.truncate(length)
        self._file.seek(length)


def _render(track: SpooledTrack) -> bytes:
    sketch = track.sketch
    about = {
        "tags": dataclasses.asdict(track.tags),
        "n_samples": sketch.n_samples,
        "content": sketch.content.hex(),
        "source_sha256": track.source_sha256.hex() if track.source_sha256 is not None else None,
        "n_words": len(sketch.words),
        "shape": sketch.patches.shape,
    }
    head = json.dumps(about).encode()
    return b"".join((_HEAD.pack(len(head)), head, sketch.words.astype("<u8").tobytes(), sketch.patches.tobytes()))


def _parse(payload: bytes) -> SpooledTrack:
    (length,) = _HEAD.unpack_from(payload)
    start = _HEAD.size + length
    about = json.loads(payload[_HEAD.size : start])
    words = np.frombuffer(payload, "<u8", about["n_words"], start).astype(np.uint64)
    patches = np.frombuffer(payload, np.int8, -1, start + words.nbytes).reshape(about["shape"])
    source = about["source_sha256"]
    return SpooledTrack(
        tags=TrackTags(**about["tags"]),
        sketch=Sketch(
            n_samples=about["n_samples"], words=words, patches=patches, content=bytes.fromhex(about["content"])
        ),
        source_sha256=bytes.fromhex(source) if source is not None else None,
    )
