"""Parquet and Arrow files as corpora: the rows of `datasets` tables, whose audio is bytes with a path beside them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from earmark.corpus.cells import damage_in_words, leaf_values, open_arrow, open_parquet
from earmark.corpus.entry import Entry, Item, Skipped, Unlistable
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.location import is_url, join, local_path, parent
from earmark.corpus.remote import open_location
from earmark.corpus.source import ArrowCell, HeldBytes, ParquetCell, Source
from earmark.errors import CorpusError

__all__ = ["NO_AUDIO_COLUMN", "AudioColumn", "RowNames", "audio_columns", "list_arrow", "list_parquet", "row_id"]

NO_AUDIO_COLUMN = "a table without a column of bytes and path; --audio-column names one"
"""Why a table is skipped."""

_BATCH_ROWS = 256
_REMOTE_BATCH_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioColumn:
    """A column that holds audio.

    Attributes
    ----------
    name
        Its dotted path.
    data, path
        Dotted paths of the leaf columns with the bytes and with the file's name; None where there is none.
    """

    name: str
    data: str
    path: str | None


def audio_columns(schema: pa.Schema, wanted: Sequence[str]) -> list[AudioColumn]:
    """Return the columns of audio: all structs of bytes and path (there may be none), or the ones that are wanted.

    Raises
    ------
    CorpusError
        If a wanted column is not there or cannot hold audio.
    """
    found = {column.name: column for field in schema for column in _columns_in(field, "")}
    if not wanted:
        return [column for column in found.values() if column.path is not None]
    missing = [name for name in wanted if name not in found]
    if missing:
        have = ", ".join(found) or "none"
        raise CorpusError(f"--audio-column {missing[0]}: not a column of bytes; the ones that are: {have}")
    return [found[name] for name in wanted]


def _columns_in(field: pa.Field, outer: str) -> Iterator[AudioColumn]:
    name = f"{outer}{field.name}"
    if _is_binary(field.type):
        yield AudioColumn(name=name, data=name, path=None)
    elif pa.types.is_struct(field.type):
        inner = {one.name: one for one in field.type}
        if "bytes" in inner and _is_binary(inner["bytes"].type):
            path = f"{name}.path" if "path" in inner else None
            yield AudioColumn(name=name, data=f"{name}.bytes", path=path)
        else:
            for one in inner.values():
                yield from _columns_in(one, f"{name}.")


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def row_id(file_id: str, row: int, path: str | None, column: str | None) -> str:
    """Return the id of a row's audio; the column is named where there are several.

    Examples
    --------
    >>> row_id("a.parquet", 3, "x.wav", None), row_id("a.parquet", 3, None, "left.audio")
    ('a.parquet#3/x.wav', 'a.parquet#3/left.audio')
    """
    parts = [
        f"{file_id}#{row}",
        *([encode_item_id(column)] if column else []),
        *([encode_item_id(path)] if path else []),
    ]
    return "/".join(parts)


def list_parquet(location: str, file_id: str, wanted: Sequence[str] = ()) -> Iterator[Entry]:
    """List the rows of a Parquet file; the audio of a local one is read by whoever scans it, row group by row group.

    Parameters
    ----------
    location
        Path or URL.
    file_id
        Its item id, which those of the rows begin with.
    wanted
        As for `audio_columns`.

    Yields
    ------
    Entry
        One for each row and column of audio. Where the file is damaged, an `Unlistable` with its own id comes last.
    """
    try:
        with damage_in_words(location), open_location(location) as file:
            parquet = open_parquet(file)
            columns = audio_columns(parquet.schema_arrow, wanted)
            names, first = RowNames(location, file_id, columns), 0
            if not columns:
                yield Skipped(id=file_id, reason=NO_AUDIO_COLUMN)
                return
            for group in range(parquet.num_row_groups):
                yield from _list_group(parquet, group, names, first)
                first += parquet.metadata.row_group(group).num_rows
    except (CorpusError, OSError) as error:
        yield Unlistable(id=file_id, error=_words(error, location))


def list_arrow(location: str, file_id: str, wanted: Sequence[str] = ()) -> Iterator[Entry]:
    """List the rows of an Arrow stream or file, such as those of a saved `datasets` folder.

    Parameters
    ----------
    location, file_id, wanted
        As for `list_parquet`.

    Yields
    ------
    Entry
        As from `list_parquet`.
    """
    try:
        with damage_in_words(location), open_location(location) as file:
            names: RowNames | None = None
            first = 0
            for number, batch in enumerate(open_arrow(file)):
                names = names or RowNames(location, file_id, audio_columns(batch.schema, wanted))
                if not names.columns:
                    yield Skipped(id=file_id, reason=NO_AUDIO_COLUMN)
                    return
                held = local_path(location) is None
                for row in range(len(batch)):
                    for column in names.columns:
                        path = _cell(batch, column.path, row)
                        data = leaf_values(batch, column.data)[row]
                        size = None if not data.is_valid else data.as_buffer().size
                        source: Source = ArrowCell(
                            location=location, batch=number, row=row, column=column.data, fallback=names.beside(path)
                        )
                        if held and data.is_valid:
                            source = HeldBytes(data=data.as_py())
                        yield names.entry(first + row, column, path, source, size)
                first += len(batch)
    except (CorpusError, OSError) as error:
        yield Unlistable(id=file_id, error=_words(error, location))


class RowNames:
    """What the rows of one file have in common."""

    def __init__(self, location: str, file_id: str, columns: list[AudioColumn]) -> None:
        self.location, self.columns = location, columns
        self._file_id = file_id

    def entry(self, row: int, column: AudioColumn, path: str | None, source: Source, size: int | None) -> Entry:
        """Return the entry of the audio in a column of a row."""
        item_id = self.id_of(row, column, path)
        if path is None and size is None:
            return Skipped(id=item_id, reason="the row has neither bytes nor a path")
        return Item(id=item_id, source=source, size_bytes=size)

    def id_of(self, row: int, column: AudioColumn, path: str | None) -> str:
        """Return the id of the audio in a column of a row."""
        return row_id(self._file_id, row, path, column.name if len(self.columns) > 1 else None)

    def path_in(self, batch: pa.RecordBatch, column: AudioColumn, row: int) -> str | None:
        """Return the path that a row of a batch has."""
        path: str | None = _cell(batch, column.path, row)
        return path

    def data_in(self, batch: pa.RecordBatch, column: AudioColumn, row: int) -> bytes | None:
        """Return the bytes that a row of a batch has."""
        data: bytes | None = _cell(batch, column.data, row)
        return data

    def has_audio(self, batch: pa.RecordBatch, column: AudioColumn, row: int) -> bool:
        """Return whether a row has bytes or refers to a file."""
        return self.path_in(batch, column, row) is not None or leaf_values(batch, column.data)[row].is_valid

    def beside(self, path: str | None) -> str | None:
        """Return where a file is that a row refers to by its path; None if that leads nowhere from here."""
        elsewhere = local_path(self.location) is None
        if path is None or is_url(path) or (elsewhere and (path.startswith("/") or ".." in path.split("/"))):
            return None
        return join(parent(self.location), path)


def _list_group(parquet: pq.ParquetFile, group: int, names: RowNames, first: int) -> Iterator[Entry]:
    """List one row group: of a local file only the paths are read here."""
    about = parquet.metadata.row_group(group)
    sizes = _unpacked_bytes(about)
    held = local_path(names.location) is None
    leaves = [column.path for column in names.columns if column.path]
    if held:
        leaves += [column.data for column in names.columns]
    n_rows = about.num_rows
    if not leaves:
        batches: Iterator[Any] = iter([None])
    else:
        per_row = max(1, sum(sizes.get(leaf, 0) for leaf in leaves)) / max(1, n_rows)
        batch_rows = max(1, min(_BATCH_ROWS, int(_REMOTE_BATCH_BYTES / per_row)))
        batches = parquet.iter_batches(batch_size=batch_rows, row_groups=[group], columns=leaves, use_threads=False)
    row = 0
    for batch in batches:
        for at in range(n_rows if batch is None else len(batch)):
            for column in names.columns:
                path = None if batch is None else _cell(batch, column.path, at)
                size: int | None = sizes.get(column.data, 0) // max(1, n_rows)
                source: Source = ParquetCell(
                    location=names.location,
                    row_group=group,
                    row=row,
                    column=column.data,
                    fallback=names.beside(path),
                )
                data = _cell(batch, column.data, at) if held else None
                if isinstance(data, bytes):
                    source, size = HeldBytes(data=data), len(data)
                yield names.entry(first + row, column, path, source, size)
            row += 1


def _unpacked_bytes(about: Any) -> dict[str, int]:  # noqa: ANN401 - pyarrow has no types
    """Return what the columns of a row group unpack to."""
    chunks = (about.column(i) for i in range(about.num_columns))
    return {chunk.path_in_schema: int(chunk.total_uncompressed_size) for chunk in chunks}


def _cell(batch: Any, column: str | None, row: int) -> Any:  # noqa: ANN401 - str, bytes or None
    return None if column is None else leaf_values(batch, column)[row].as_py()


def _words(error: Exception, location: str) -> str:
    said = getattr(error, "strerror", None) or str(error)
    return said.removeprefix(f"{location}: ")
