"""Whether an item is still what a scan heard: by id and size, and by its bytes where its file was touched since."""

import contextlib

from earmark.corpus import Entry, HeldBytes, Item, ItemReader, TableCell, file_of, local_path
from earmark.errors import CorpusError
from earmark.scan.journal import Mark
from earmark.scan.rows import ItemRow

__all__ = ["difference", "modified_ns"]


def modified_ns(entry: Entry) -> int | None:
    """Return when the file that an entry is, or lies in, was changed last; None if nobody knows, as with URLs.

    Of a row of a table that may refer to a file beside it, the later time of the two.
    """
    if not isinstance(entry, Item):
        return None
    paths = [file_of(entry)]
    if isinstance(entry.source, TableCell) and entry.source.fallback is not None:
        paths.append(local_path(entry.source.fallback))
    times = []
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            times += [] if path is None else [path.stat().st_mtime_ns]
    return max(times, default=None)


def difference(entry: Entry | None, row: ItemRow, mark: Mark, reader: ItemReader) -> str | None:
    """Return in words how a corpus differs from what was scanned, at one entry; None if it does not.

    An entry must have the id that it had, and the size that the listing gave it. Where the file that it is or lies in
    was changed since it was heard, as far as the file system says, or its bytes are at hand, it must have the SHA-256
    that it had.

    Parameters
    ----------
    entry
        What is listed now; None if the listing is at its end.
    row, mark
        What was written about it.
    reader
        Reads the entries that have to be read; one for all of them, so that those that lie together are read together.
    """
    if entry is None:
        return f"{row.item!r} is no longer there"
    if entry.id != row.item:
        return f"{row.item!r} was there, and in its place there is {entry.id!r}"
    size_bytes = entry.size_bytes if isinstance(entry, Item) else None
    if size_bytes != mark.size_bytes:
        return f"{row.item!r} had {_bytes(mark.size_bytes)} and has {_bytes(size_bytes)}"
    if not isinstance(entry, Item) or row.sha256 is None:
        return None
    if isinstance(entry.source, HeldBytes) or modified_ns(entry) != mark.modified_ns:
        now = _sha256(entry, reader)
        if now != row.sha256:
            return f"{row.item!r} had the SHA-256 {row.sha256} and has {now or 'none, for it cannot be read'}"
    return None


def _bytes(size_bytes: int | None) -> str:
    return "no known size" if size_bytes is None else f"{size_bytes:,} bytes"


def _sha256(item: Item, reader: ItemReader) -> str | None:
    try:
        with reader.open(item) as file:
            return reader.sha256(item, file)
    except (OSError, CorpusError):
        return None
