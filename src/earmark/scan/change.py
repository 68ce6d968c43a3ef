"""Whether an item is still what a scan heard: by id and size, and by its bytes where its file was touched since."""

from earmark.corpus import Entry, Item, ItemReader, file_of
from earmark.errors import CorpusError
from earmark.scan.journal import Mark
from earmark.scan.rows import ItemRow

__all__ = ["difference", "modified_ns"]


def modified_ns(entry: Entry) -> int | None:
    """Return when the file that an entry is, or lies in, was changed last; None if nobody knows, as with URLs."""
    if not isinstance(entry, Item):
        return None
    path = file_of(entry)
    try:
        return None if path is None else path.stat().st_mtime_ns
    except OSError:
        return None


def difference(entry: Entry | None, row: ItemRow, mark: Mark) -> str | None:
    """Return in words how a corpus differs from what was scanned, at one entry; None if it does not.

    An entry must have the id that it had, and a file its size. Where the file was changed since it was heard, as far
    as the file system says, it is read and must have the SHA-256 that it had.

    Parameters
    ----------
    entry
        What is listed now; None if the listing is at its end.
    row, mark
        What was written about it.
    """
    if entry is None:
        return f"{row.item!r} is no longer there"
    if entry.id != row.item:
        return f"{row.item!r} was there, and in its place there is {entry.id!r}"
    size_bytes = entry.size_bytes if isinstance(entry, Item) else None
    if size_bytes != mark.size_bytes:
        return f"{row.item!r} had {_bytes(mark.size_bytes)} and has {_bytes(size_bytes)}"
    if isinstance(entry, Item) and row.sha256 is not None and modified_ns(entry) != mark.modified_ns:
        now = _sha256(entry)
        if now != row.sha256:
            return f"{row.item!r} had the SHA-256 {row.sha256} and has {now or 'none, for it cannot be read'}"
    return None


def _bytes(size_bytes: int | None) -> str:
    return "no bytes that are scanned" if size_bytes is None else f"{size_bytes:,} bytes"


def _sha256(item: Item) -> str | None:
    try:
        with ItemReader() as reader, reader.open(item) as file:
            return reader.sha256(item, file)
    except (OSError, CorpusError):
        return None
