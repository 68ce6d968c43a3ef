"""Rows of a table of facts: from cells to a fact, with every mistake named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from earmark.errors import ParameterError
from earmark.rights.columns import Columns
from earmark.rights.grants import Grant
from earmark.rights.kinds import Fact, Kind
from earmark.rights.reservations import Reservation
from earmark.rights.table import Row

__all__ = ["BadCell", "parse_cells", "parse_row"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BadCell:
    """A mistake in a registry file.

    Parameters
    ----------
    line : int
        Line where the row begins, from 1.
    column : str or None
        The column; None if the row as a whole is wrong.
    complaint : str
        What came and what was expected.
    """

    line: int
    column: str | None
    complaint: str


def parse_row(row: Row, columns: Columns) -> tuple[Fact | None, list[BadCell]]:
    """Read one fact.

    Parameters
    ----------
    row : Row
        The cells.
    columns : Columns
        Which cell says what.

    Returns
    -------
    fact : Grant, RecordingEntry, Holding, Reservation or None
        The fact; None if anything is wrong with the row.
    mistakes : list of BadCell
        All that is wrong.
    """
    if len(row.cells) != len(columns.names):
        return None, [BadCell(line=row.line, column=None, complaint=_count_complaint(row, columns))]
    cells = {column: row.cells[at] for column, at in columns.positions.items()}
    return parse_cells(cells, columns.kind, row.line)


def parse_cells(cells: Mapping[str, str], kind: Kind, line: int) -> tuple[Fact | None, list[BadCell]]:
    """Read one fact.

    Parameters
    ----------
    cells : mapping of str to str
        Text by column; columns that are not there count as blank.
    kind : Kind
        What it is.
    line : int
        Where it comes from.

    Returns
    -------
    fact, mistakes
        As of `parse_row`.
    """
    mistakes: list[BadCell] = []
    values: dict[str, Any] = {}
    for column, parse in kind.parsers.items():
        try:
            values[column] = parse(" ".join(cells.get(column, "").split()))
        except ParameterError as error:
            mistakes.append(BadCell(line=line, column=column, complaint=str(error)))
    bad = {mistake.column for mistake in mistakes}
    if not bad.intersection(kind.coverage) and all(values[column] is None for column in kind.coverage):
        does = "covers nothing" if len(kind.coverage) > 2 else "names no recording"
        complaint = f"the row {does}; fill at least one of {', '.join(kind.coverage)}"
        mistakes.append(BadCell(line=line, column=None, complaint=complaint))
    for column, complaint in _contradictions(values, kind):
        mistakes.append(BadCell(line=line, column=column, complaint=complaint))
    return (None if mistakes else kind.type(**values, line=line)), mistakes


def _contradictions(values: Mapping[str, Any], kind: Kind) -> list[tuple[str, str]]:
    """Find what is wrong between the cells of a row, leaving out cells that are wrong by themselves."""
    if kind.type is Grant:
        return [*_of_validity(values), *_of_territories(values), *_of_permission(values)]
    if kind.type is Reservation:
        found = []
        if values.get("permission") == "allowed":
            found.append(("permission", "'allowed' reserves nothing; expected not_allowed or constrained"))
        if values.get("url") is None and values.get("text") is None:
            found.append(("url", "neither url nor text is filled; expected where or in which words it was declared"))
        return found
    return _of_territories(values)


def _of_validity(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    start, end = values.get("valid_from"), values.get("valid_to")
    if start is None or end is None or start <= end:
        return []
    return [("valid_to", f"{end} is before valid_from, {start}; expected it on or after")]


def _of_territories(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "territories" not in values or values["territories"] - values.get("excluded_territories", frozenset()):
        return []
    return [("excluded_territories", "every territory is excluded; expected at least one to be left")]


def _of_permission(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    permission = values.get("permission")
    if values.get("exclusive") and permission == "not_allowed":
        found.append(("exclusive", "a grant that forbids cannot be exclusive; leave the cell empty"))
    if values.get("exclusive") and values.get("licensee") == "*":
        found.append(("exclusive", "a grant to anyone cannot be exclusive; name the licensee, or leave the cell empty"))
    if values.get("constraints") and permission in {"allowed", "not_allowed"}:
        found.append(("constraints", f"the grant says {permission}, which has none; expected permission constrained"))
    return found


def _count_complaint(row: Row, columns: Columns) -> str:
    """Say that a row has too many or too few cells."""
    advice = "; put cells that contain the delimiter between quotes" if len(row.cells) > len(columns.names) else ""
    return f"the row has {len(row.cells)} cells, expected {len(columns.names)} as in the header{advice}"
