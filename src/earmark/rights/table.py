"""Tables of text: a CSV file's header and rows, each row with the line where it begins, read as they come."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO, Final

from earmark.errors import RegistryError

__all__ = ["Row", "Table", "open_table", "text_lines"]

_DELIMITERS: Final = ",;\t"
_BLOCK: Final = 1 << 20

# A line may be as long as all 14 cells of the widest table at csv's own limit of 128 KiB a cell.
_MAX_LINE_BYTES: Final = 2 << 20

# How many lines to look for the header in: blank ones may come first, and a quoted name may span some.
_HEAD_LINES: Final = 100

# First bytes of files that people pass for CSV, and what to say of them.
_NOT_TEXT: Final = (
    (b"SQLite format 3\x00", "is a SQLite file; expected a table of text"),
    (b"PK\x03\x04", "is a ZIP or spreadsheet file; save the sheet as CSV (UTF-8)"),
    (b"\xff\xfe", "is UTF-16 text; save it as CSV in UTF-8"),
    (b"\xfe\xff", "is UTF-16 text; save it as CSV in UTF-8"),
)
_BOM: Final = b"\xef\xbb\xbf"


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


def open_table(file: BinaryIO, source: str, expected: frozenset[str]) -> Table:
    """Read a CSV file.

    The delimiter is the comma, semicolon or tab with which the header shows the most of the expected columns. Lines end
    in LF, CRLF or CR. Rows without a character in any cell are passed over. A file of any length is read in the memory
    of one line.

    Parameters
    ----------
    file : binary file
        UTF-8 text, with or without a byte order mark; stays open.
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
        If the file is empty or of another kind, or (while reading) is no UTF-8 or a quoted cell is malformed.
    """
    lines = text_lines(file, source)
    head = list(islice(lines, _HEAD_LINES))
    shown = [len(expected & _header_names(head, delimiter)) for delimiter in _DELIMITERS]
    rows = _read_rows(chain(head, lines), _DELIMITERS[shown.index(max(shown))], source)
    header = next(rows, None)
    if header is None:
        raise RegistryError(f"{source} is empty; expected a header line such as 'grant_id,licensee,scope,...'")
    return Table(header=header, rows=rows)


def text_lines(file: BinaryIO, source: str) -> Iterator[str]:
    """Yield the lines of a text file, each with its end.

    Parameters
    ----------
    file : binary file
        UTF-8, with or without a byte order mark.
    source : str
        The file's name, for errors.

    Yields
    ------
    str
        Ends are LF, CRLF or CR.

    Raises
    ------
    RegistryError
        If the file is of another kind, a line is no UTF-8, holds a NUL byte or is longer than 2 MiB.
    """
    rest, number = _first_block(file, source), 0
    while True:
        block = file.read(_BLOCK)
        *whole, rest = [*rest.splitlines(keepends=True), b""] if not block else _split(rest + block)
        for line in whole:
            number += 1
            yield _decode(line, source, number)
        if not block:
            return
        if len(rest) > _MAX_LINE_BYTES:
            raise RegistryError(f"{source}, line {number + 1}: longer than {_MAX_LINE_BYTES:,} bytes; expected a table")


def _split(data: bytes) -> list[bytes]:
    """Split into lines; the last one, which may go on, comes last. A CR at the end may be half of a CRLF."""
    lines = data.splitlines(keepends=True)
    return lines if not data.endswith(b"\n") else [*lines, b""]


def _first_block(file: BinaryIO, source: str) -> bytes:
    """Read the beginning, without a byte order mark; name what else the file may be."""
    data = file.read(_BLOCK)
    for start, complaint in _NOT_TEXT:
        if data.startswith(start):
            raise RegistryError(f"{source} {complaint}")
    return data.removeprefix(_BOM)


def _decode(line: bytes, source: str, number: int) -> str:
    if b"\0" in line:
        raise RegistryError(f"{source}, line {number}: a NUL byte; expected CSV text in UTF-8")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        byte = line[error.start]
        raise RegistryError(
            f"{source}, line {number}: byte 0x{byte:02x} is not UTF-8; save the file as CSV in UTF-8"
        ) from error


def _header_names(head: Iterable[str], delimiter: str) -> frozenset[str]:
    """Return the column names that a delimiter shows; none if the header cannot be read with it."""
    try:
        header = next(_read_rows(head, delimiter, ""), None)
    except RegistryError:
        return frozenset()
    return frozenset() if header is None else frozenset(cell.strip().casefold() for cell in header.cells)


def _read_rows(lines: Iterable[str], delimiter: str, source: str) -> Iterator[Row]:
    """Yield the rows that are not blank."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield Row(line=line, cells=tuple(cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise RegistryError(f"{source}, line {line}: malformed quotes in the row that begins here ({error})") from error
