"""Clean copies of tables: Parquet keeps its schema, row groups and compression, Arrow its record batches."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from earmark.corpus.cells import damage_in_words, open_arrow, open_parquet
from earmark.corpus.columns import ELEMENT, AudioColumn, Sound, audio_columns, sounds_in
from earmark.corpus.entry import Item
from earmark.corpus.fate import Fate, Fates, Redacted, redacted_name, written
from earmark.corpus.reader import ItemReader
from earmark.corpus.remote import open_location
from earmark.corpus.source import WholeFile
from earmark.corpus.table import RowNames
from earmark.errors import CorpusError

__all__ = ["copy_arrow", "copy_parquet"]

_BATCH_BYTES = 32 << 20


def copy_parquet(location: str, file_id: str, out: Path, fates: Fates, wanted: Sequence[str]) -> None:
    """Copy a Parquet file without the rows of items to be dropped. A row group is held in memory at a time.

    Parameters
    ----------
    location
        Path or URL.
    file_id
        Its item id.
    out
        Where the copy goes.
    fates
        Decide.
    wanted
        Columns of audio, as in the scan.
    """
    try:
        with damage_in_words(location), open_location(location) as source, written(out) as target:
            parquet = open_parquet(source)
            schema, about = parquet.schema_arrow, parquet.metadata
            rows = _Rows(location, file_id, audio_columns(schema, wanted), fates)
            with pq.ParquetWriter(target, schema, compression=_compression(about)) as writer:
                for group in range(about.num_row_groups):
                    kept = [
                        rows.kept(batch)
                        for batch in parquet.iter_batches(
                            batch_size=_batch_rows(about.row_group(group)), row_groups=[group], use_threads=False
                        )
                    ]
                    table = pa.Table.from_batches(kept, schema)
                    if len(table):
                        writer.write_table(table, row_group_size=len(table))
    except CorpusError as error:
        fates.damaged(file_id, f"no copy was made: {error}")


def copy_arrow(location: str, file_id: str, out: Path, fates: Fates, wanted: Sequence[str]) -> int:
    """Copy an Arrow stream or file without the rows of items to be dropped; return how many rows are left.

    Parameters
    ----------
    location, file_id, out, fates, wanted
        As for `copy_parquet`.
    """
    n_rows = 0
    try:
        with damage_in_words(location), open_location(location) as source, written(out) as target:
            is_file = source.read(6) == b"ARROW1"
            source.seek(0)
            rows: _Rows | None = None
            writer: Any = None
            for batch in open_arrow(source):
                if rows is None:
                    rows = _Rows(location, file_id, audio_columns(batch.schema, wanted), fates)
                    writer = (pa.ipc.new_file if is_file else pa.ipc.new_stream)(target, batch.schema)
                kept = rows.kept(batch)
                writer.write_batch(kept)
                n_rows += len(kept)
            if writer is not None:
                writer.close()
    except CorpusError as error:
        fates.damaged(file_id, f"no copy was made: {error}")
    return n_rows


class _Rows:
    """Says of the rows of one table, batch by batch, what stays of them."""

    def __init__(self, location: str, file_id: str, columns: list[AudioColumn], fates: Fates) -> None:
        self._names, self._fates = RowNames(location, file_id, columns), fates
        self._next = 0
        self._reader = ItemReader()

    def kept(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return what stays of the next rows."""
        decided = [self._fate_of(batch, row) for row in range(len(batch))]
        self._next += len(batch)
        edits = [edit for _, edits in decided for edit in edits]
        gone = {edit.row for edit in edits if edit.redacted is None}
        for column in self._names.columns:
            mine = [edit for edit in edits if edit.column is column and edit.redacted is not None]
            batch = _with_cells(batch, column, mine) if mine else batch
        mask = [fate != "drop" and row not in gone for row, (fate, _) in enumerate(decided)]
        return batch.filter(pa.array(mask, pa.bool_()))

    def _fate_of(self, batch: pa.RecordBatch, row: int) -> tuple[Fate, list["_Edit"]]:
        """Return the fate of a row, and what to redact in it."""
        ids = [
            (column, sound, self._names.id_of(self._next + row, column, sound))
            for column in self._names.columns
            for sound in sounds_in(batch, column, row)
            if sound.path is not None or sound.data is not None
        ]
        lost = any(self._fates.peek(item_id) == "drop" for _, _, item_id in ids)
        fates = [(column, sound, item_id, self._fates.of(item_id, lost=lost)) for column, sound, item_id in ids]
        if lost:
            return "drop", []
        to_redact = [(column, sound, item_id) for column, sound, item_id, fate in fates if fate == "redact"]
        return "keep", [
            _Edit(row=row, column=column, elements=sound.elements, redacted=self._redacted(sound, item_id))
            for column, sound, item_id in to_redact
        ]

    def _redacted(self, sound: Sound, item_id: str) -> Redacted | None:
        try:
            with self._opened(sound) as file:
                return self._fates.redact(item_id, file)
        except (OSError, CorpusError) as error:
            self._fates.damaged(item_id, getattr(error, "strerror", None) or str(error))
            return None

    def _opened(self, sound: Sound) -> BinaryIO:
        if sound.data is not None:
            return io.BytesIO(sound.data[0].as_py())
        beside = self._names.beside(sound.path)
        if beside is None:
            raise CorpusError("the row has neither bytes nor a path")
        return self._reader.open(Item(id="", source=WholeFile(location=beside), size_bytes=None))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Edit:
    """Other audio for one place of a batch; None if it could not be made, and then the row goes."""

    row: int
    column: AudioColumn
    elements: tuple[int, ...]
    redacted: Redacted | None


def _with_cells(batch: pa.RecordBatch, column: AudioColumn, edits: list[_Edit]) -> pa.RecordBatch:
    """Return a batch with other audio in some places of a column."""
    at = batch.schema.get_field_index(column.steps[0])
    field, values = batch.schema.field(at), batch.column(at).to_pylist()
    for edit in edits:
        assert edit.redacted is not None
        with edit.redacted.file as file:
            data = file.read()
        left = list(edit.elements)
        keys = [edit.row, *(left.pop(0) if step == ELEMENT else step for step in column.data[1:])]
        holder: Any = values
        for key in keys[:-1]:
            holder = holder[key]
        holder[keys[-1]] = data
        if column.path is not None and holder["path"]:
            holder["path"] = redacted_name(holder["path"], edit.redacted.suffix)
    return batch.set_column(at, field, pa.array(values, field.type))


def _batch_rows(about: Any) -> int:  # noqa: ANN401 - pyarrow has no types
    return max(1, int(_BATCH_BYTES * about.num_rows / max(1, about.total_byte_size)))


def _compression(about: Any) -> dict[str, str]:  # noqa: ANN401
    """Return how each column is compressed, by the first row group."""
    if not about.num_row_groups:
        return {}
    group = about.row_group(0)
    chunks = (group.column(i) for i in range(group.num_columns))
    return {
        chunk.path_in_schema: "NONE" if chunk.compression == "UNCOMPRESSED" else chunk.compression for chunk in chunks
    }
