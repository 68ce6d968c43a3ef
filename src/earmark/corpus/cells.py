"""Values of Parquet and Arrow files, row by row: what was read for one row is kept for the next."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from earmark.corpus.remote import open_location
from earmark.corpus.source import ArrowCell, ParquetCell
from earmark.errors import CorpusError

__all__ = ["Cells", "damage_in_words", "leaf_values", "open_arrow", "open_parquet"]

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
        self._column: tuple[str, int, str] | None = None
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._values, self._first = pa.array([], pa.binary()), 0

    def value(self, cell: ParquetCell) -> bytes | None:
        column = (cell.location, cell.row_group, cell.column)
        if column != self._column or cell.row < self._first:
            self._column = None
            self._start(cell)
            self._column = column
        while cell.row >= self._first + len(self._values):
            self._first += len(self._values)
            batch = next(self._batches, None)
            if batch is None:
                self._column = None
                raise CorpusError(f"{cell.location}: row group {cell.row_group} ends before row {cell.row}")
            self._values = leaf_values(batch, cell.column)
        return _as_bytes(self._values[cell.row - self._first])

    def close(self) -> None:
        if self._file is not None:
            self._file[1].close()
        self._file, self._column, self._batches = None, None, iter(())

    def _start(self, cell: ParquetCell) -> None:
        """Go to the first row of a cell's row group."""
        if self._file is None or self._file[0] != cell.location:
            self.close()
            file = open_location(cell.location)
            self._file = cell.location, file, open_parquet(file)
        _, _, parquet = self._file
        group = parquet.metadata.row_group(cell.row_group)
        chunks = (group.column(i) for i in range(group.num_columns))
        unpacked = sum(_checked_size(chunk, cell) for chunk in chunks if chunk.path_in_schema == cell.column)
        n_rows = max(1, int(_BATCH_BYTES * group.num_rows / max(unpacked, 1)))
        self._batches = parquet.iter_batches(
            batch_size=n_rows, row_groups=[cell.row_group], columns=[cell.column], use_threads=False
        )
        self._values, self._first = self._values[:0], 0


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
        return _as_bytes(leaf_values(self._batch, cell.column)[cell.row])

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


def leaf_values(batch: pa.RecordBatch, column: str) -> pa.Array:
    """Return a leaf column by its dotted path; null where any struct on the way is."""
    first, *rest = _split(batch.schema, column)
    values = batch.column(first)
    return pc.struct_field(values, rest) if rest else values


def _split(schema: pa.Schema, column: str) -> list[str]:
    """Take a dotted path apart; a top-level name may hold dots itself."""
    names = sorted((name for name in schema.names if column == name or column.startswith(f"{name}.")), key=len)
    if not names:
        raise CorpusError(f"there is no column {column!r}; the file has {', '.join(schema.names)}")
    rest = column[len(names[-1]) + 1 :]
    return [names[-1], *(rest.split(".") if rest else [])]


def _checked_size(chunk: Any, cell: ParquetCell) -> int:  # noqa: ANN401 - pyarrow has no types
    """Return the bytes that a column chunk unpacks to."""
    unpacked, packed = int(chunk.total_uncompressed_size), max(1, int(chunk.total_compressed_size))
    if unpacked > _BOMB_BYTES and unpacked > packed * _BOMB_RATIO:
        raise CorpusError(
            f"{cell.location}: column {cell.column} of row group {cell.row_group} unpacks from {packed:,} to "
            f"{unpacked:,} bytes, which no audio does; taken for a decompression bomb"
        )
    return unpacked


def _as_bytes(value: pa.Scalar) -> bytes | None:
    if not value.is_valid:
        return None
    data = value.as_py()
    if not isinstance(data, bytes):
        raise CorpusError(f"the cell holds {type(data).__name__}, not bytes")
    return data
