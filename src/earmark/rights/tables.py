"""Tables of facts written out: CSV files, a spreadsheet, or JSON lines."""

import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from earmark.errors import ParameterError, RegistryError
from earmark.rights.kinds import Kind

__all__ = ["TABLE_FORMATS", "FactTable", "write_json_lines", "write_tables"]

TABLE_FORMATS: Final = ("csv", "xlsx", "jsonl")


@dataclass(frozen=True, kw_only=True, slots=True)
class FactTable:
    """Facts of one kind.

    Parameters
    ----------
    kind : Kind
        Which.
    columns : tuple of str
        The header.
    rows : iterator of sequence of str
        The cells, read once.
    """

    kind: Kind
    columns: tuple[str, ...]
    rows: Iterator[Sequence[str]]


def write_tables(tables: Sequence[FactTable], out: Path, form: str) -> tuple[Path, ...]:
    """Write tables to new files.

    Parameters
    ----------
    tables : sequence of FactTable
        What to write.
    out : pathlib.Path
        For `csv` a folder, new or empty, that gets a file for each table; else a file that is not there yet.
    form : str
        One of `TABLE_FORMATS`.

    Returns
    -------
    tuple of pathlib.Path
        The files.

    Raises
    ------
    RegistryError
        If `out` is in use or cannot be written.
    ParameterError
        If `form` is unknown, or needs what is not installed.
    """
    if form not in TABLE_FORMATS:
        raise ParameterError(f"form must be one of {', '.join(TABLE_FORMATS)}, got {form!r}")
    try:
        if form == "csv":
            out.mkdir(parents=True, exist_ok=True)
            if any(out.iterdir()):
                raise RegistryError(
                    f"{out} is not empty; expected a new or an empty folder for a CSV file of each kind"
                )
            return tuple(_write_csv(table, out / f"{table.kind.name}.csv") for table in tables)
        if out.exists():
            raise RegistryError(f"{out} is there already; expected the name of a new file")
        if form == "xlsx":
            _write_xlsx(tables, out)
        else:
            with _new_text(out) as file:
                write_json_lines(tables, file)
        return (out,)
    except OSError as error:
        raise RegistryError(f"{out} cannot be written: {error.strerror or error}") from error


def write_json_lines(tables: Sequence[FactTable], file: IO[str]) -> None:
    """Write tables as JSON lines: an object for each fact, blank cells left out."""
    for table in tables:
        for row in table.rows:
            cells = {column: cell for column, cell in zip(table.columns, row, strict=True) if cell}
            file.write(json.dumps({"kind": table.kind.name, **cells}, ensure_ascii=False) + "\n")


def _new_text(path: Path) -> IO[str]:
    return path.open("x", encoding="utf-8", newline="")


def _write_csv(table: FactTable, path: Path) -> Path:
    with _new_text(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)
    return path


def _write_xlsx(tables: Sequence[FactTable], out: Path) -> None:
    try:
        import openpyxl
    except ImportError as error:
        raise ParameterError("spreadsheets need openpyxl: pip install 'earmark[xlsx]'") from error
    book = openpyxl.Workbook(write_only=True)
    for table in tables:
        sheet = book.create_sheet(table.kind.name)
        sheet.append(table.columns)
        for row in table.rows:
            sheet.append([_plain(cell) for cell in row])
    aside = out.with_name(f".{out.name}.partial")
    book.save(aside)
    os.link(aside, out)  # fails if it is there by now
    aside.unlink()


def _plain(cell: str) -> str:
    """Return a text that a spreadsheet keeps: without control characters, which its XML cannot hold."""
    return "".join(c for c in cell if c.isprintable() or c.isspace())
