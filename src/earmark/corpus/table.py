"""Parquet and Arrow files as corpora: the rows of `datasets` tables, whose audio is bytes with a path beside them."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from earmark.corpus.cells import damage_in_words, leaves_of, open_arrow, open_parquet
from earmark.corpus.columns import ELEMENT, AudioColumn, Sound, audio_columns, size_of, sounds_in, written_path
from earmark.corpus.entry import Entry, Item, Skipped, Unlistable
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.location import is_url, join, local_path, parent
from earmark.corpus.remote import open_location
from earmark.corpus.source import ArrowCell, HeldBytes, ParquetCell, Source
from earmark.errors import CorpusError

__all__ = ["NO_AUDIO_COLUMN", "RowNames", "list_arrow", "list_parquet", "row_id"]

NO_AUDIO_COLUMN = "a table without a column of bytes and path; --audio-column names one"
"""Why a table is skipped."""

_BATCH_ROWS = 256
_REMOTE_BATCH_BYTES = 16 << 20


def row_id(file_id: str, row: int, path: str | None, column: str | None) -> str:
    """Return the id of a row's audio; the column is named where there are several places.

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
                for row in range(len(batch)):
                    yield from _list_arrow_row(names, batch, row, number, first)
                first += len(batch)
    except (CorpusError, OSError) as error:
        yield Unlistable(id=file_id, error=_words(error, location))


def _list_arrow_row(names: "RowNames", batch: pa.RecordBatch, row: int, number: int, first: int) -> Iterator[Entry]:
    """List one row of a record batch, of which `number` is the number and `first` the first row's."""
    for column in names.columns:
        for sound in sounds_in(batch, column, row):
            size = None if sound.data is None else size_of(sound.data)
            source: Source = ArrowCell(
                location=names.location,
                batch=number,
                row=row,
                column=column.data,
                elements=sound.elements,
                fallback=names.beside(sound.path),
            )
            if local_path(names.location) is None and sound.data is not None:
                source = HeldBytes(data=sound.data[0].as_py())
            yield names.entry(first + row, column, sound, source, size)


class RowNames:
    """What the rows of one file have in common."""

    def __init__(self, location: str, file_id: str, columns: list[AudioColumn]) -> None:
        self.location, self.columns = location, columns
        self._file_id = file_id

    def entry(self, row: int, column: AudioColumn, sound: Sound, source: Source, size: int | None) -> Entry:
        """Return the entry of the audio in a column of a row."""
        item_id = self.id_of(row, column, sound)
        if len(sound.elements) < column.steps.count(ELEMENT):
            return Skipped(id=item_id, reason="an empty list")
        if sound.path is None and size is None:
            return Skipped(id=item_id, reason="the row has neither bytes nor a path")
        return Item(id=item_id, source=source, size_bytes=size)

    def id_of(self, row: int, column: AudioColumn, sound: Sound) -> str:
        """Return the id of the audio in a column of a row."""
        named = len(self.columns) > 1 or ELEMENT in column.steps
        return row_id(self._file_id, row, sound.path, written_path(column.steps, sound.elements) if named else None)

    def beside(self, path: str | None) -> str | None:
        """Return where a file is that a row refers to by its path; None if that leads nowhere from here."""
        elsewhere = local_path(self.location) is None
        if path is None or is_url(path) or (elsewhere and (path.startswith("/") or ".." in path.split("/"))):
            return None
        return join(parent(self.location), path)


def _list_group(parquet: pq.ParquetFile, group: int, names: RowNames, first: int) -> Iterator[Entry]:
    """List one row group: of a local file only the paths are read here, or what tells how long its lists are."""
    about = parquet.metadata.row_group(group)
    sizes, leaves = _unpacked_bytes(about), leaves_of(parquet)
    held = local_path(names.location) is None
    wanted = [leaves[column.path] for column in names.columns if column.path]
    if held:
        wanted += [leaves[column.data] for column in names.columns]
    else:
        wanted += [leaves[one.data] for one in names.columns if one.path is None and ELEMENT in one.steps]
    row = 0
    for batch in _batches(parquet, group, wanted, sum(sizes.get(leaf, 0) for leaf in wanted)):
        for at in range(len(batch)):
            for column in names.columns:
                # Of each the mean is known alone.
                mean = sizes.get(leaves[column.data], 0) // max(1, about.num_rows)
                for sound in _sounds_in(batch, column, at):
                    source: Source = ParquetCell(
                        location=names.location,
                        row_group=group,
                        row=row,
                        column=column.data,
                        elements=sound.elements,
                        fallback=names.beside(sound.path),
                    )
                    size: int | None = mean
                    if held and sound.data is not None:
                        data = sound.data[0].as_py()
                        source, size = HeldBytes(data=data), len(data)
                    yield names.entry(first + row, column, sound, source, size)
            row += 1


def _batches(parquet: pq.ParquetFile, group: int, wanted: list[str], n_bytes: int) -> Iterator[Any]:
    """Yield the rows of a row group with some of its leaf columns, which unpack to so many bytes, some at a time."""
    n_rows = parquet.metadata.row_group(group).num_rows
    if not wanted:
        return iter([range(n_rows)])
    batch_rows = max(1, min(_BATCH_ROWS, int(_REMOTE_BATCH_BYTES * n_rows / max(1, n_bytes))))
    return iter(parquet.iter_batches(batch_size=batch_rows, row_groups=[group], columns=wanted, use_threads=False))


def _sounds_in(batch: Any, column: AudioColumn, row: int) -> Iterator[Sound]:  # noqa: ANN401 - pyarrow has no types
    """Yield what a column holds in a row of which perhaps nothing was read."""
    if isinstance(batch, range) or column.steps[0] not in batch.schema.names:
        return iter([Sound(elements=(), data=None, path=None)])
    return sounds_in(batch, column, row)


def _unpacked_bytes(about: Any) -> dict[str, int]:  # noqa: ANN401 - pyarrow has no types
    """Return what the columns of a row group unpack to."""
    chunks = (about.column(i) for i in range(about.num_columns))
    return {chunk.path_in_schema: int(chunk.total_uncompressed_size) for chunk in chunks}


def _words(error: Exception, location: str) -> str:
    said = getattr(error, "strerror", None) or str(error)
    return said.removeprefix(f"{location}: ")
