"""The rows of a scan as tables: matches and items, with the columns of the JSON lines."""

import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earmark.report.records import read_items, read_matches, read_summary
from earmark.report.tables import Column, Table, write_tables
from earmark.scan import ItemRow, MatchRow

__all__ = ["ROW_TABLES", "row_table", "write_parquet", "write_row_tables"]

ROW_TABLES = ("matches", "items")


def row_table(scan: Path, name: str) -> Table:
    """Return the rows of one of `ROW_TABLES`, read as they are taken."""
    kind, rows = (MatchRow, read_matches(scan)) if name == "matches" else (ItemRow, read_items(scan))
    return Table(title=name, columns=_columns(kind), rows=_cells(rows))


def _columns(kind: type) -> tuple[Column, ...]:
    return tuple(Column(name=field.name, kind=_kind(field.type)) for field in dataclasses.fields(kind))


def _kind(annotation: Any) -> str:  # noqa: ANN401 - a type or what describes one
    types = {annotation, *typing.get_args(annotation)}
    return "number" if float in types else "integer" if int in types else "text"


def _cells(rows: Iterator[MatchRow] | Iterator[ItemRow]) -> Iterator[tuple[Any, ...]]:
    return (dataclasses.astuple(row) for row in rows)


def write_row_tables(scan: Path, out: Path, kind: str, name: str) -> None:
    """Write rows of a scan as a table; XLSX gets both tables and the summary, each on a sheet.

    Parameters
    ----------
    scan
        The folder of the scan.
    out
        File to write; what is there is replaced.
    kind
        One of `earmark.report.tables.TABLE_FORMATS`.
    name
        Which of `ROW_TABLES`; XLSX begins with it.

    Raises
    ------
    ReportError
        If it cannot be written.
    ScanError
        If the scan cannot be read.
    """
    tables = [row_table(scan, name)]
    if kind == "xlsx":
        tables += [row_table(scan, other) for other in ROW_TABLES if other != name]
        tables.append(_summary_table(read_summary(scan)))
    write_tables(out, kind, tables)


def write_parquet(scan: Path) -> None:
    """Write `matches.parquet` and `items.parquet` beside the JSON lines of a scan that has come to its end.

    Parameters
    ----------
    scan
        The folder of the scan.

    Raises
    ------
    ReportError
        If they cannot be written.
    ScanError
        If the scan cannot be read.
    """
    for name in ROW_TABLES:
        write_row_tables(scan, scan / f"{name}.parquet", "parquet", name)


def _summary_table(summary: dict[str, Any]) -> Table:
    return Table(title="summary", columns=(Column(name="key"), Column(name="value")), rows=_flat(summary, ""))


def _flat(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list) else value
