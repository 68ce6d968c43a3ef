"""Opens items: each a seekable file object of its bytes, whatever it lies in, read about once."""

import hashlib
import io
import math
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from earmark.corpus.entry import Item
from earmark.corpus.location import local_path, open_local
from earmark.corpus.random_access import RandomAccess
from earmark.corpus.remote import open_location
from earmark.corpus.source import ArrowCell, FilePart, HeldBytes, ParquetCell, Source, WholeFile
from earmark.errors import CorpusError

if TYPE_CHECKING:
    from earmark.corpus.cells import Cells

__all__ = ["MAX_ITEM_BYTES", "ItemReader", "file_of"]

MAX_ITEM_BYTES = 32 << 30
"""The largest item that is fetched from elsewhere or unpacked: 50 hours of stereo at 44.1 kHz and 32 bits."""

# What is fetched is held in memory up to here, beyond in a temporary file.
_IN_MEMORY_BYTES = 64 << 20
_CHUNK_BYTES = 8 << 20


def file_of(item: Item) -> Path | None:
    """Return the local file that an item's bytes lie in; None if they are carried, or elsewhere.

    Examples
    --------
    >>> file_of(Item(id="a.tar/b.wav", source=FilePart(location="a.tar", offset=512, size=9), size_bytes=9)).name
    'a.tar'
    """
    return None if isinstance(item.source, HeldBytes) else local_path(item.source.location)


class ItemReader:
    """Opens the items of a corpus, one after the other; a context manager.

    Items that lie together, such as the rows of a Parquet file, are cheapest one after the other: what was opened for
    one is kept for the next.
    """

    def __init__(self) -> None:
        self._cells: Cells | None = None
        self._kept: tuple[str, BinaryIO] | None = None
        self._digested: tuple[tuple[str, int, int] | None, str] = None, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self, item: Item) -> BinaryIO:
        """Open an item.

        Parameters
        ----------
        item
            As a listing gave it, in this process or in another one.

        Returns
        -------
        BinaryIO
            The bytes of the recording, from the first to the last, for reading and seeking; to be closed by the
            caller, before the next item is opened. `item.start_s` and `duration_s` are for whoever decodes it.

        Raises
        ------
        OSError
            If the bytes cannot be had; with a URL the message says what to do about it.
        CorpusError
            If what holds them is damaged.
        """
        stretch = item.start_s > 0 or item.duration_s is not None
        if stretch and isinstance(item.source, WholeFile) and local_path(item.source.location) is None:
            return self._open_kept(item.source.location)
        return self._open(item.source)

    def sha256(self, item: Item, file: BinaryIO) -> str:
        """Return the SHA-256 of an item's bytes; where items are stretches of one file, it is not read for each anew.

        Parameters
        ----------
        item
            The item.
        file
            What `open` gave for it; it is read to its end and set back to its start.
        """
        path = file_of(item)
        key = None
        if path is not None and isinstance(item.source, WholeFile):
            about = os.fstat(file.fileno())
            key = (str(path), about.st_size, about.st_mtime_ns)
        if key is None or key != self._digested[0]:
            # Of a file that grows no more than it had at first, or that might never end.
            self._digested = key, _sha256(file, None if key is None else key[1])
        file.seek(0)
        return self._digested[1]

    def close(self) -> None:
        """Let go of what was kept open. May be called twice."""
        if self._cells is not None:
            self._cells.close()
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None

    def _open(self, source: Source) -> BinaryIO:
        match source:
            case HeldBytes(data=data):
                return io.BytesIO(data)
            case WholeFile(location=location):
                path = local_path(location)
                return open_local(path) if path is not None else _fetch(location, 0, None)
            case FilePart(location=location, offset=offset, size=size):
                path = local_path(location)
                if path is None:
                    return _fetch(location, offset, size)
                file = open_local(path)
                present = max(0, min(size, os.fstat(file.fileno()).st_size - offset))  # less of a tar cut short
                return io.BufferedReader(_Window(file, offset, present))
            case ParquetCell() | ArrowCell():
                return self._open_cell(source)

    def _open_kept(self, location: str) -> BinaryIO:
        """Open a file from elsewhere that further items may be stretches of: it is fetched once for all of them."""
        if self._kept is None or self._kept[0] != location:
            if self._kept is not None:
                self._kept[1].close()
                self._kept = None
            self._kept = location, _fetch(location, 0, None)
        file = self._kept[1]
        size = file.seek(0, io.SEEK_END)
        return io.BufferedReader(_Window(file, 0, size, owned=False))

    def _open_cell(self, cell: ParquetCell | ArrowCell) -> BinaryIO:
        if self._cells is None:
            from earmark.corpus.cells import Cells  # pyarrow takes 40 MB, and most corpora have no table

            self._cells = Cells()
        data = self._cells.value(cell)
        if data is not None:
            return io.BytesIO(data)
        if cell.fallback is None:
            raise CorpusError("the row has neither bytes nor a path")
        return self._open(WholeFile(location=cell.fallback))


class _Window(RandomAccess):
    """A run of bytes of a file as a file of its own; closes the file when it is closed, if it owns it."""

    def __init__(self, file: BinaryIO, offset: int, size: int, *, owned: bool = True) -> None:
        super().__init__(size)
        self._file, self._offset, self._owned = file, offset, owned

    def read_at(self, position: int, n_bytes: int) -> bytes:
        self._file.seek(self._offset + position)
        return self._file.read(n_bytes)

    def close(self) -> None:
        if self._owned:
            self._file.close()
        super().close()


def _fetch(location: str, offset: int, size: int | None) -> BinaryIO:
    """Copy a file from elsewhere, or a part of it, each byte once: into memory, or if it is large a temporary file."""
    n_wanted = MAX_ITEM_BYTES + 1 if size is None else size
    with open_location(location) as file:
        file.seek(offset)
        start = file.read(min(n_wanted, _IN_MEMORY_BYTES))
        if len(start) < _IN_MEMORY_BYTES:
            return io.BytesIO(start)
        target = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        try:
            target.write(start)
            while chunk := file.read(min(_CHUNK_BYTES, n_wanted - target.tell())):
                target.write(chunk)
            if target.tell() > MAX_ITEM_BYTES:
                raise CorpusError(f"{location}: holds more than {MAX_ITEM_BYTES:,} bytes")
            target.seek(0)
        except BaseException:
            target.close()
            raise
    return target


def _sha256(file: BinaryIO, size_bytes: int | None) -> str:
    """Return the digest of a file from where it stands, of so many bytes at most if it has a size."""
    left, digest = size_bytes or math.inf, hashlib.sha256()  # some files of the system have no size, and contents
    while left > 0 and (part := file.read(int(min(left, _CHUNK_BYTES)))):
        digest.update(part)
        left -= len(part)
    return digest.hexdigest()
