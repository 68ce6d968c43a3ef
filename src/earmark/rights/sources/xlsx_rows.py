"""Spreadsheets: a sheet for each kind of facts, row by row."""

import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from earmark.errors import ParameterError, RegistryError
from earmark.rights.columns import match_columns
from earmark.rights.kinds import KINDS, PROVENANCE
from earmark.rights.rows import BadCell, parse_row
from earmark.rights.sources.incoming import Incoming, Notice, Statement
from earmark.rights.table import Row

__all__ = ["read_xlsx"]

# Sheets are read row by row, but the table of shared texts is held whole; this much is some ten million short cells.
_MAX_TEXTS_BYTES: Final = 256 << 20
_MAX_SHEET_BYTES: Final = 8 << 30


def read_xlsx(incoming: Incoming) -> Iterator[Statement]:
    """Yield the facts of a spreadsheet.

    Parameters
    ----------
    incoming : Incoming
        Sheets that are called `grants`, `recordings`, `holdings` or `reservations`, each with a header in its first row
        that is not blank. If it has a single sheet, its columns tell the kind. Other sheets are left out.

    Yields
    ------
    Statement
        A fact for each good row, and what is wrong with each other one.

    Raises
    ------
    RegistryError
        If it is no spreadsheet, has no such sheet, or a sheet has other columns.
    ParameterError
        If openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise ParameterError("spreadsheets need openpyxl: pip install 'earmark[xlsx]'") from error
    _check_archive(incoming)
    try:
        book = openpyxl.load_workbook(incoming.file, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, TypeError) as error:
        raise RegistryError(f"{incoming.path} is no spreadsheet that can be read: {error}") from error
    try:
        found = {sheet.title.strip().casefold(): sheet for sheet in book.worksheets}
        named: list[tuple[str | None, Any]] = [(name, found[name]) for name in KINDS if name in found]
        if not named and len(found) == 1:
            named = [(None, book.worksheets[0])]
        if not named:
            raise RegistryError(f"{incoming.path}: no sheet called {', '.join(KINDS)}; found {', '.join(found)}")
        for title in [sheet.title for sheet in book.worksheets if all(sheet is not each for _, each in named)]:
            yield Notice(words=f"sheet {title!r} is left out")
        for name, sheet in named:
            rows = ([_text_of(cell.value, str(cell.number_format)) for cell in cells] for cells in sheet.iter_rows())
            yield from _facts_of(sheet.title, rows, name, incoming)
    except (zipfile.BadZipFile, KeyError, ValueError, SyntaxError) as error:  # lxml's and expat's errors are the last
        raise RegistryError(f"{incoming.path}: damaged: {error}") from error
    finally:
        book.close()


def _check_archive(incoming: Incoming) -> None:
    """Refuse what would fill the memory."""
    try:
        with zipfile.ZipFile(incoming.file) as archive:
            for part in archive.infolist():
                limit = _MAX_SHEET_BYTES if "worksheets/" in part.filename else _MAX_TEXTS_BYTES
                if part.file_size > limit:
                    raise RegistryError(
                        f"{incoming.path}: {part.filename} is {part.file_size:,} bytes, more than {limit:,}; "
                        "save the sheets as CSV"
                    )
    except zipfile.BadZipFile as error:
        raise RegistryError(f"{incoming.path} is no spreadsheet that can be read: {error}") from error
    incoming.file.seek(0)


def _facts_of(title: str, rows: Iterable[list[str]], name: str | None, incoming: Incoming) -> Iterator[Statement]:
    """Yield the facts of one sheet."""
    source = f"{incoming.path}, sheet {title}"
    columns = None
    for line, texts in enumerate(rows, 1):
        if not any(texts):
            continue
        if columns is None:
            while texts and not texts[-1]:
                texts.pop()
            columns = match_columns(Row(line=line, cells=tuple(texts)), source, KINDS[name] if name else None)
            if ignored := [name for name in columns.ignored if name not in PROVENANCE]:
                yield Notice(words=f"sheet {title}: columns that mean nothing here: {', '.join(ignored)}")
            continue
        width = len(columns.names)
        if any(texts[width:]):
            yield BadCell(line=line, column=None, complaint=f"sheet {title}: a cell beyond the last column")
            continue
        row = Row(line=line, cells=tuple((texts + [""] * width)[:width]))
        fact, mistakes = parse_row(row, columns)
        if fact is None:
            yield from (
                BadCell(line=each.line, column=each.column, complaint=f"sheet {title}: {each.complaint}")
                for each in mistakes
            )
        else:
            yield fact


def _text_of(value: object, number_format: str) -> str:
    """Return what a cell would be in a CSV file: dates as YYYY-MM-DD, whole numbers without a point."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat()
    if isinstance(value, float | int):
        if "%" in number_format:
            return f"{round(value * 100, 10)!r}%"
        return str(int(value)) if value == int(value) else repr(value)
    return "" if value is None else str(value)
