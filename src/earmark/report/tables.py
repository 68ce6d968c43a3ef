"""Tables: rows written as CSV, Parquet or XLSX, with bounded memory, to a file that is there whole or not at all."""

import contextlib
import csv
import dataclasses
import io
import itertools
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from earmark.errors import ParameterError, ReportError
from earmark.scan.whole_file import whole_file

__all__ = ["TABLE_FORMATS", "Column", "Table", "format_of", "harmless", "write_tables", "writing"]

TABLE_FORMATS = ("csv", "parquet", "xlsx")

Cell = str | int | float | bool | Decimal | None

_BATCH_ROWS = 20_000
_SHEET_ROWS = 1_048_576 - 1  # of XLSX, less the header
_CELL_CHARACTERS = 32_767  # of XLSX
# What spreadsheets take for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name
        In the header.
    kind
        `text`, `integer`, `number`, or `decimal` with so many `digits` after the point.
    digits
        Of a decimal.
    """

    name: str
    kind: str = "text"
    digits: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows with a header.

    Attributes
    ----------
    title
        Of the sheet.
    columns
        Of the rows.
    rows
        Taken one by one, once.
    """

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: an apostrophe comes before what it could take for one.

    Examples
    --------
    >>> harmless("=1+1"), harmless("1+1"), harmless("-")
    ("'=1+1", '1+1', "'-")
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def format_of(out: Path, formats: Sequence[str] = TABLE_FORMATS) -> str:
    """Return the format that a file's name asks for.

    Raises
    ------
    ParameterError
        If it asks for none of them.

    Examples
    --------
    >>> format_of(Path("ledger.XLSX"))
    'xlsx'
    """
    suffix = out.suffix.lower().removeprefix(".")
    if suffix not in formats:
        raise ParameterError(
            f"{str(out)!r} does not say its format; expected a name that ends in .{', .'.join(formats)}"
        )
    return suffix


def write_tables(out: Path, kind: str, tables: Sequence[Table]) -> None:
    """Write tables to a file.

    Text that a spreadsheet could take for a formula gets an apostrophe in CSV and XLSX; Parquet keeps it as it is.

    Parameters
    ----------
    out
        The file; what is there is replaced.
    kind
        One of `TABLE_FORMATS`.
    tables
        One; for XLSX one or more, each a sheet.

    Raises
    ------
    ParameterError
        If there is no such format, or it cannot hold so many tables.
    ReportError
        If the file cannot be written, or a library for it is missing.
    """
    if kind not in TABLE_FORMATS:
        raise ParameterError(f"format must be one of {', '.join(TABLE_FORMATS)}, got {kind!r}")
    if kind != "xlsx" and len(tables) != 1:
        raise ParameterError(f"{kind} holds one table, got {len(tables)}")
    with writing(out) as file:
        if kind == "xlsx":
            _write_xlsx(file, tables)
        else:
            (_write_csv if kind == "csv" else _write_parquet)(file, tables[0])


@contextlib.contextmanager
def writing(out: Path) -> Iterator[IO[bytes]]:
    """Give a file that takes the place of `out` when it is whole.

    Raises
    ------
    ReportError
        If it cannot be written.
    """
    try:
        with whole_file(out) as file:
            yield file
    except OSError as error:
        raise ReportError(f"{str(out)!r} cannot be written: {error.strerror or error}") from error


def _write_csv(file: IO[bytes], made: Table) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    table = csv.writer(text)
    table.writerow([column.name for column in made.columns])
    for row in made.rows:
        table.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in row])
    text.flush()
    text.detach()


def _write_parquet(file: IO[bytes], made: Table) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
    fields = [pa.field(c.name, kinds[c.kind] if c.kind in kinds else pa.decimal128(38, c.digits)) for c in made.columns]
    schema = pa.schema(fields, metadata={"title": made.title})
    remaining = iter(made.rows)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(remaining, _BATCH_ROWS)):
            arrays = [pa.array([_well_formed(row[at]) for row in batch], field.type) for at, field in enumerate(fields)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _write_xlsx(file: IO[bytes], tables: Sequence[Table]) -> None:
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise ReportError("XLSX needs a library: pip install 'earmark[xlsx]'") from error
    book = Workbook(write_only=True)
    for table in tables:
        remaining = iter(table.rows)
        for number in itertools.count(1):
            batch = list(itertools.islice(remaining, 1))
            if not batch and number > 1:
                break
            sheet = book.create_sheet(table.title if number == 1 else f"{table.title} {number}")
            sheet.append([column.name for column in table.columns])
            for row in itertools.chain(batch, itertools.islice(remaining, _SHEET_ROWS - 1)):
                sheet.append([_sheet_cell(cell) for cell in row])
    book.save(file)


def _sheet_cell(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    text = _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", harmless(str(_well_formed(cell))))
    if len(text) > _CELL_CHARACTERS:
        logger.warning("a cell of %d characters was cut: XLSX holds %d", len(text), _CELL_CHARACTERS)
    return text[:_CELL_CHARACTERS]


def _well_formed(cell: Cell) -> Any:  # noqa: ANN401 - whatever a cell may be
    if isinstance(cell, str) and not cell.isascii():
        return cell.encode("utf-8", "backslashreplace").decode("utf-8")
    return cell
