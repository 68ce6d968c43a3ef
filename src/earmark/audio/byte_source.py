"""The bytes of a recording, handed to C decoders through callbacks that never raise.

An exception that leaves a callback is printed by the foreign-function layer and lost, and libsndfile takes a short
read for the end of the file. So every read is filled up, and what goes wrong is kept for whoever called the decoder.
All sources come this way, paths too: names then never reach a C library, nor does FFmpeg guess a format by a name or
take one for a protocol. It costs 3 % of the decoding time of mp3, 7 % of PCM and nothing else (a 5 min file each).
"""

import io
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

from earmark.errors import AudioError, ParameterError, UnreadableAudioError

__all__ = ["ByteSource", "open_source", "shown"]

# Decoders ask for as little as four bytes at a time.
_BUFFER_BYTES = 1 << 16


class ByteSource:
    """A seekable run of bytes, from where `file` stands to its end.

    Parameters
    ----------
    file
        A binary file object. One that cannot seek is first copied to a temporary file.
    owned
        Whether `close` closes `file`.

    Attributes
    ----------
    size
        Length in bytes.

    Raises
    ------
    OSError
        If the object cannot be measured or copied.
    """

    def __init__(self, file: BinaryIO, *, owned: bool) -> None:
        self._file, self._owned = file, owned
        if not _can_seek(file):
            self._file, self._owned = _spooled(file), True
        self._base = self._file.tell()
        self.size = max(0, self._file.seek(0, io.SEEK_END) - self._base)
        self._file.seek(self._base)
        self._position = 0
        self._failure: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes [>= 0; -1: all], fewer only at the end or after a failure."""
        wanted = self.size - self._position if size < 0 else size
        parts = []
        while wanted > 0 and (part := self._read_once(wanted)):
            parts.append(part)
            wanted -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` and return the number of bytes read, fewer only at the end or after a failure."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to `offset` bytes from `whence`, held to zero and up; return the new position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        target = max(0, start + offset)
        try:
            self._file.seek(self._base + target)
            self._position = target
        except BaseException as error:  # noqa: BLE001 - C calls this; raise_failure raises it
            self._failure = error
        return self._position

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def raise_failure(self) -> None:
        """Raise what a callback could not raise, once.

        Raises
        ------
        AudioError
            If the file could not be read on.
        """
        failure, self._failure = self._failure, None
        if isinstance(failure, OSError | ValueError):
            raise AudioError(f"reading failed: {failure}") from failure
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Close the file if it is ours."""
        if self._owned:
            self._file.close()

    def _read_once(self, size: int) -> bytes:
        try:
            part = self._file.read(size) or b""
            self._position += len(part)
        except BaseException as error:  # noqa: BLE001 - as in seek
            self._failure = error
            return b""
        return part


def open_source(source: str | os.PathLike[str] | bytes | BinaryIO, name: str | None) -> tuple[ByteSource, str]:
    """Open a path, bytes or a binary file object.

    Parameters
    ----------
    source
        A path, the bytes of a whole file, or a binary file object, which is read from where it stands.
    name
        What to call it in messages; None takes the path or the object's own name.

    Returns
    -------
    tuple of ByteSource and str
        The bytes and the name.

    Raises
    ------
    UnreadableAudioError
        If there is nothing to read: no such file, a directory, a FIFO, an empty file, no permission.
    ParameterError
        If `source` is none of these kinds.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        name = name or "<bytes>"
        opened = ByteSource(io.BytesIO(source), owned=True)
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        name = name or str(path)
        opened = _open_path(path, name)
    elif hasattr(source, "read"):
        own = getattr(source, "name", None)
        name = name or (own if isinstance(own, str) else "<file object>")
        try:
            opened = ByteSource(source, owned=False)
        except (OSError, ValueError) as error:
            raise UnreadableAudioError(f"{shown(name)}: cannot be read: {error}") from error
    else:
        raise ParameterError(f"source must be a path, bytes or a binary file object, got {type(source).__name__}")
    if opened.size == 0:
        opened.close()
        raise UnreadableAudioError(f"{shown(name)}: empty file")
    return opened, name


def shown(name: str) -> str:
    r"""Return a name fit for one line of a message.

    Examples
    --------
    >>> shown("song.mp3"), shown("a\nb.mp3")
    ('song.mp3', "'a\\nb.mp3'")
    """
    return name if name.isprintable() else ascii(name)


def _open_path(path: Path, name: str) -> ByteSource:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableAudioError(f"{shown(name)}: is a directory")
        # Opening a FIFO would wait for a writer for ever.
        if not stat.S_ISREG(mode):
            raise UnreadableAudioError(f"{shown(name)}: is a FIFO, socket or device, not a file")
        return ByteSource(path.open("rb", buffering=_BUFFER_BYTES), owned=True)
    except OSError as error:
        raise UnreadableAudioError(f"{shown(name)}: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in the name
        raise UnreadableAudioError(f"{shown(name)}: {error}") from error


def _can_seek(file: BinaryIO) -> bool:
    try:
        return file.seekable()
    except AttributeError:
        return hasattr(file, "seek") and hasattr(file, "tell")


def _spooled(file: BinaryIO) -> BinaryIO:
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - ByteSource closes it
    try:
        shutil.copyfileobj(file, spool, 1 << 20)
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    return spool
