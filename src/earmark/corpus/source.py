"""Where the bytes of an item are: small values that travel to worker processes, and are opened there by a reader.

A location is a path, or a URL that fsspec knows ("s3://bucket/key"); only URLs contain "://".
"""

from dataclasses import dataclass

__all__ = ["ArrowCell", "FilePart", "HeldBytes", "ParquetCell", "Source", "WholeFile"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeFile:
    """A file.

    Attributes
    ----------
    location
        Its path or URL.
    """

    location: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePart:
    """A run of bytes of a file, such as a member of an uncompressed tar.

    Attributes
    ----------
    location
        Path or URL of the file.
    offset, size
        In bytes [>= 0].
    """

    location: str
    offset: int
    size: int


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
class ParquetCell:
    """A value of a Parquet file; a reader that is asked for rows in their order reads each page once.

    Attributes
    ----------
    location
        Path or URL of the file.
    row_group, row
        Number of the row group, and of the row within it [>= 0].
    column
        Dotted path of the leaf column that has the bytes, such as "audio.bytes".
    fallback
        Location of the audio if the cell is null, as where a dataset refers to files beside it.
    """

    location: str
    row_group: int
    row: int
    column: str
    fallback: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrowCell:
    """A value of an Arrow stream or file, such as those of a saved `datasets` folder.

    Attributes
    ----------
    location
        Path or URL of the file.
    batch, row
        Number of the record batch, and of the row within it [>= 0].
    column, fallback
        As for `ParquetCell`.
    """

    location: str
    batch: int
    row: int
    column: str
    fallback: str | None = None


Source = WholeFile | FilePart | HeldBytes | ParquetCell | ArrowCell
