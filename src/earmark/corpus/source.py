"""Where the bytes of an item are: small values that travel to worker processes, and are opened there by a reader.

A location is a path, or a URL that fsspec knows ("s3://bucket/key"); only URLs contain "://".
"""

from dataclasses import dataclass

__all__ = ["ArrowCell", "FilePart", "HeldBytes", "ParquetCell", "Source", "TableCell", "WholeFile"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeFile:
    """A file.

    Attributes
    ----------
    location
        Its path or URL.
    version
        Of a file elsewhere what the place says of its bytes, such as an ETag; None if it says nothing.
    """

    location: str
    version: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePart:
    """A run of bytes of a file, such as a member of an uncompressed tar.

    Attributes
    ----------
    location
        Path or URL of the file.
    offset, size
        In bytes [>= 0].
    version
        As for `WholeFile`.
    """

    location: str
    offset: int
    size: int
    version: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldBytes:
    """Bytes that could only be had by reading up to them, as in a gzip tar: the item carries them.

    Attributes
    ----------
    data
        The whole file.
    """

    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class TableCell:
    """A value of a table.

    Attributes
    ----------
    location
        Path or URL of the file.
    row
        Number of the row within its group or batch [>= 0].
    column
        Path of the leaf column that has the bytes, such as ("audio", "bytes"); "[]" goes from a list to its elements.
    elements
        Which element of each list on the way [>= 0].
    fallback
        Location of the audio if the cell is null, as where a dataset refers to files beside it.
    """

    location: str
    row: int
    column: tuple[str, ...]
    elements: tuple[int, ...] = ()
    fallback: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ParquetCell(TableCell):
    """A value of a Parquet file; a reader that is asked for rows in their order reads each page once.

    Attributes
    ----------
    row_group
        Number of the row group [>= 0].
    """

    row_group: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrowCell(TableCell):
    """A value of an Arrow stream or file, such as those of a saved `datasets` folder.

    Attributes
    ----------
    batch
        Number of the record batch [>= 0].
    """

    batch: int


Source = WholeFile | FilePart | HeldBytes | ParquetCell | ArrowCell
