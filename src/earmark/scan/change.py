"""Whether an item is still what a scan heard: by id and size, and by its bytes where its file was touched since."""

import contextlib

from earmark.corpus import Entry, FilePart, HeldBytes, Item, ItemReader, TableCell, WholeFile, file_of, local_path
from earmark.errors import CorpusError
from earmark.scan.journal import Mark
from earmark.scan.rows import ItemRow

__all__ = ["difference", "modified_ns", "version"]


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


def version(entry: Entry) -> str | None:
    """Return what the place of a file elsewhere says of its bytes, such as an ETag; None if nobody knows."""
    if isinstance(entry, Item) and isinstance(entry.source, WholeFile | FilePart):
        return entry.source.version
    return None


def difference(entry: Entry | None, row: ItemRow, mark: Mark, reader: ItemReader) -> str | None:
    """Return in words how a corpus differs from what was scanned, at one entry; None if it does not.

    An entry must have the id that it had, and the size that the listing gave it. Where the file that it is or lies in
    was changed since it was heard, as far as the file system says, or its bytes are at hand, it must have the SHA-256
    that it had; of a file elsewhere the ETag must be the one that it had, where there is such a thing.

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
    outside = _difference_outside(entry, mark)
    if outside is not None:
        return f"{row.item!r} {outside}"
    if not isinstance(entry, Item) or row.sha256 is None:
        return None
    if isinstance(entry.source, HeldBytes) or modified_ns(entry) != mark.modified_ns:
        now = _sha256(entry, reader)
        if now != row.sha256:
            return f"{row.item!r} had the SHA-256 {row.sha256} and has {now or 'none, for it cannot be read'}"
    return None


def _difference_outside(entry: Entry, mark: Mark) -> str | None:
    """Return how an entry differs, as far as that shows without reading it."""
    size_bytes = entry.size_bytes if isinstance(entry, Item) else None
    if size_bytes != mark.size_bytes:
        return f"had {_bytes(mark.size_bytes)} and has {_bytes(size_bytes)}"
    now = version(entry)
    if None not in (now, mark.version) and now != mark.version:
        return f"had the ETag {mark.version} and has {now}"
    return None


def _bytes(size_bytes: int | None) -> str:
    return "no known size" if size_bytes is None else f"{size_bytes:,} bytes"


def _sha256(item: Item, reader: ItemReader) -> str | None:
    try:
        with reader.open(item) as file:
            return reader.sha256(item, file)
    except (OSError, CorpusError):
        return None
