"""Tables of text: a CSV file's header and rows, each row with the line where it begins."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from earmark.errors import RegistryError

__all__ = ["Row", "Table", "open_table"]

_DELIMITERS: Final = ",;\t"
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")

# First bytes of files that people pass for CSV, and what to say of them.
_NOT_CSV: Final = (
    (b"SQLite format 3\x00", "is a SQLite file; expected a CSV table"),
    (b"PK\x03\x04", "is a ZIP or spreadsheet file; save the sheet as CSV (UTF-8)"),
    (b"\xff\xfe", "is UTF-16 text; save it as CSV in UTF-8"),
    (b"\xfe\xff", "is UTF-16 text; save it as CSV in UTF-8"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a table.

    Parameters
    ----------
    line : int
        Line of the file where the row begins, from 1; quoted cells may span lines.
    cells : tuple of str
        The cells as written.
    """

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A header, and the rows below it as they are read.

    Parameters
    ----------
    header : Row
        The first row that is not blank.
    rows : iterator of Row
        The others that are not blank, read once. A row may have more or fewer cells than the header.
    """

    header: Row
    rows: Iterator[Row]


def open_table(data: bytes, source: str, expected: frozenset[str]) -> Table:
    """Read a CSV file.

    The delimiter is the comma, semicolon or tab with which the header shows the most of the expected columns. Lines end
    in LF, CRLF or CR. Rows without a character in any cell are passed over.

    Parameters
    ----------
    data : bytes
        The file: UTF-8 text, with or without a byte order mark.
    source : str
        The file's name, for errors.
    expected : frozenset of str
        Column names in small letters.

    Returns
    -------
    Table
        Header and rows; reading the rows raises too.

    Raises
    ------
    RegistryError
        If the file is empty or of another kind, or (while reading) a quoted cell is malformed.
    """
    text = _decode(data, source)
    shown = [len(expected & _header_names(text, delimiter)) for delimiter in _DELIMITERS]
    rows = _read_rows(text, _DELIMITERS[shown.index(max(shown))], source)
    header = next(rows, None)
    if header is None:
        raise RegistryError(f"{source} is empty; expected a header line such as 'grant_id,licensee,scope,...'")
    return Table(header=header, rows=rows)


def _header_names(text: str, delimiter: str) -> frozenset[str]:
    """Return the column names that a delimiter shows; none if the header cannot be read with it."""
    try:
        header = next(_read_rows(text, delimiter, ""), None)
    except RegistryError:
        return frozenset()
    return frozenset() if header is None else frozenset(cell.strip().casefold() for cell in header.cells)


def _decode(data: bytes, source: str) -> str:
    """Decode UTF-8, naming what else the file may be."""
    for start, complaint in _NOT_CSV:
        if data.startswith(start):
            raise RegistryError(f"{source} {complaint}")
    if (at := data.find(b"\0")) >= 0:
        raise RegistryError(f"{source}, line {_line_at(data, at)}: a NUL byte; expected CSV text in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"{source}, line {_line_at(error.object, error.start)}"
        byte = error.object[error.start]
        raise RegistryError(f"{where}: byte 0x{byte:02x} is not UTF-8; save the file as CSV in UTF-8") from error


def _line_at(data: bytes, offset: int) -> int:
    """Return the line, from 1, of a byte."""
    return len(_LINE_END.findall(data[:offset])) + 1


def _read_rows(text: str, delimiter: str, source: str) -> Iterator[Row]:
    """Yield the rows that are not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield Row(line=line, cells=tuple(cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise RegistryError(f"{source}, line {line}: malformed quotes in the row that begins here ({error})") from error
