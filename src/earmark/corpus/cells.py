"""Values of Parquet and Arrow files, row by row: what was read for one row is kept for the next."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from earmark.corpus.columns import parquet_leaves, value_at, written_path
from earmark.corpus.remote import open_location
from earmark.corpus.source import ArrowCell, ParquetCell
from earmark.errors import CorpusError

__all__ = ["Cells", "damage_in_words", "leaves_of", "open_arrow", "open_parquet"]

# Decoded at a time; a single larger value is read as a whole.
_BATCH_BYTES = 16 << 20
_BUFFER_BYTES = 1 << 20
# Audio does not compress much. A column that claims to unpack to more than this, a thousandfold, is a bomb.
_BOMB_BYTES, _BOMB_RATIO = 256 << 20, 200


class Cells:
    """Reads cells of tables; rows asked for in their order are read once."""

    def __init__(self) -> None:
        self._parquet, self._arrow = _ParquetCells(), _ArrowCells()

    def value(self, cell: ParquetCell | ArrowCell) -> bytes | None:
        """Return the bytes of a cell, None if it is null.

        Raises
        ------
        OSError
            If the file cannot be read.
        CorpusError
            If the file is damaged, or its column is a decompression bomb.
        """
        with damage_in_words(cell.location):
            return self._parquet.value(cell) if isinstance(cell, ParquetCell) else self._arrow.value(cell)

    def close(self) -> None:
        """Close the files. May be called twice."""
        self._parquet.close()
        self._arrow.close()


class _ParquetCells:
    def __init__(self) -> None:
        self._file: tuple[str, BinaryIO, pq.ParquetFile] | None = None
        self._column: tuple[str, int, tuple[str, ...]] | None = None
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._batch: pa.RecordBatch | None = None
        self._first = 0

    def value(self, cell: ParquetCell) -> bytes | None:
        column = (cell.location, cell.row_group, cell.column)
        if column != self._column or cell.row < self._first:
            self._column = None
            self._start(cell)
            self._column = column
        while self._batch is None or cell.row >= self._first + len(self._batch):
            self._first += 0 if self._batch is None else len(self._batch)
            self._batch = next(self._batches, None)
            if self._batch is None:
                self._column = None
                raise CorpusError(f"{cell.location}: row group {cell.row_group} ends before row {cell.row}")
        return value_at(self._batch, cell.column, cell.row - self._first, cell.elements)

    def close(self) -> None:
        if self._file is not None:
            self._file[1].close()
        self._file, self._column, self._batches, self._batch = None, None, iter(()), None

    def _start(self, cell: ParquetCell) -> None:
        """Go to the first row of a cell's row group."""
        if self._file is None or self._file[0] != cell.location:
            self.close()
            file = open_location(cell.location)
            self._file = cell.location, file, open_parquet(file)
        # A page can be as large as its row group: the last one's memory goes before the next one's is asked for.
        self._batches, self._batch, self._first = iter(()), None, 0
        pa.default_memory_pool().release_unused()
        _, _, parquet = self._file
        leaf = leaves_of(parquet)[cell.column]
        group = parquet.metadata.row_group(cell.row_group)
        chunks = (group.column(i) for i in range(group.num_columns))
        unpacked = sum(_checked_size(chunk, cell) for chunk in chunks if chunk.path_in_schema == leaf)
        n_rows = max(1, int(_BATCH_BYTES * group.num_rows / max(unpacked, 1)))
        self._batches = parquet.iter_batches(
            batch_size=n_rows, row_groups=[cell.row_group], columns=[leaf], use_threads=False
        )


class _ArrowCells:
    def __init__(self) -> None:
        self._file: tuple[str, BinaryIO] | None = None
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._number = -1
        self._batch: pa.RecordBatch | None = None

    def value(self, cell: ArrowCell) -> bytes | None:
        if self._file is None or self._file[0] != cell.location or cell.batch < self._number:
            self.close()
            file = open_location(cell.location)
            self._file, self._batches = (cell.location, file), open_arrow(file)
        while self._number < cell.batch:
            self._batch, self._number = next(self._batches, None), self._number + 1
            if self._batch is None:
                self.close()
                raise CorpusError(f"{cell.location}: ends before record batch {cell.batch}")
        assert self._batch is not None
        return value_at(self._batch, cell.column, cell.row, cell.elements)

    def close(self) -> None:
        if self._file is not None:
            self._file[1].close()
        self._file, self._batches, self._number, self._batch = None, iter(()), -1, None


class damage_in_words:  # noqa: N801 - used like a function
    """A context that turns what Arrow raises on damaged files into CorpusError."""

    def __init__(self, location: str) -> None:
        self._location = location

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.errno is not None:
            return
        if isinstance(error, pa.ArrowException | OSError | ValueError | LookupError | OverflowError):
            raise CorpusError(f"{self._location}: {' '.join(str(error).split())}") from error


def open_parquet(file: BinaryIO) -> pq.ParquetFile:
    """Open a Parquet file so that columns are read as they are decoded, not row groups at once."""
    return pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False)


def leaves_of(parquet: pq.ParquetFile) -> dict[tuple[str, ...], str]:
    """Return a Parquet file's own names of its leaf columns, see `parquet_leaves`."""
    schema = parquet.schema
    return parquet_leaves(parquet.schema_arrow, [schema.column(i).path for i in range(len(schema.names))])


def open_arrow(file: BinaryIO) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of an Arrow stream or file, one by one."""
    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    if not is_file:
        yield from pa.ipc.open_stream(file)
        return
    reader = pa.ipc.open_file(file)
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)


def _checked_size(chunk: Any, cell: ParquetCell) -> int:  # noqa: ANN401 - pyarrow has no types
    """Return the bytes that a column chunk unpacks to."""
    unpacked, packed = int(chunk.total_uncompressed_size), max(1, int(chunk.total_compressed_size))
    if unpacked > _BOMB_BYTES and unpacked > packed * _BOMB_RATIO:
        where = f"column {written_path(cell.column)} of row group {cell.row_group}"
        raise CorpusError(
            f"{cell.location}: {where} unpacks from {packed:,} to {unpacked:,} bytes, which no audio does; "
            f"taken for a decompression bomb"
        )
    return unpacked
