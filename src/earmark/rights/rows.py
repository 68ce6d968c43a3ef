"""Rows of a registry file: from cells to a grant, with every mistake named."""

import difflib
import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from earmark.errors import ParameterError
from earmark.rights.columns import Columns
from earmark.rights.grants import COVERAGE_COLUMNS, PERMISSIONS, SCOPES, Grant
from earmark.rights.identifiers import parse_isrc
from earmark.rights.table import Row
from earmark.rights.territories import parse_territories

__all__ = ["BadCell", "parse_row"]

# date.fromisoformat also reads 20261101 and 2026-W45-7, which people do not write on purpose.
_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

T = TypeVar("T")


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


def parse_row(row: Row, columns: Columns) -> tuple[Grant | None, list[BadCell]]:
    """Read one grant.

    Parameters
    ----------
    row : Row
        The cells.
    columns : Columns
        Which cell says what.

    Returns
    -------
    grant : Grant or None
        The grant; None if anything is wrong with the row.
    mistakes : list of BadCell
        All that is wrong.
    """
    if len(row.cells) != len(columns.names):
        return None, [BadCell(line=row.line, column=None, complaint=_count_complaint(row, columns))]
    mistakes: list[BadCell] = []

    def read(column: str, parse: Callable[[str], T], fallback: T) -> T:
        at = columns.positions.get(column)
        try:
            return parse("" if at is None else " ".join(row.cells[at].split()))
        except ParameterError as error:
            mistakes.append(BadCell(line=row.line, column=column, complaint=str(error)))
            return fallback

    grant = Grant(
        grant_id=read("grant_id", _parse_required, ""),
        licensee=read("licensee", _parse_licensee, ""),
        scope=read("scope", lambda text: _choose(text, SCOPES), SCOPES[0]),
        permission=read("permission", lambda text: _choose(text, PERMISSIONS), PERMISSIONS[0]),
        territories=read("territories", _parse_where, frozenset()),
        excluded_territories=read("excluded_territories", parse_territories, frozenset()),
        track_id=read("track_id", _parse_covered, None),
        isrc=read("isrc", lambda text: parse_isrc(text) if text else None, None),
        label=read("label", _parse_covered, None),
        rightsholder=read("rightsholder", _parse_covered, None),
        valid_from=read("valid_from", _parse_date, None),
        valid_to=read("valid_to", _parse_date, None),
        contract_ref=read("contract_ref", _parse_optional, None),
        supersedes=read("supersedes", _parse_optional, None),
        line=row.line,
    )
    mistakes += _contradictions(grant, {mistake.column for mistake in mistakes})
    return (None if mistakes else grant), mistakes


def _contradictions(grant: Grant, bad: set[str | None]) -> list[BadCell]:
    """Find what is wrong between the cells of a row, leaving out cells that are wrong by themselves."""
    found: list[tuple[str | None, str]] = []
    if not bad.intersection(COVERAGE_COLUMNS) and all(getattr(grant, column) is None for column in COVERAGE_COLUMNS):
        found.append((None, f"the row covers nothing; fill at least one of {', '.join(COVERAGE_COLUMNS)}"))
    if grant.valid_from is not None and grant.valid_to is not None and grant.valid_to < grant.valid_from:
        found.append(
            ("valid_to", f"{grant.valid_to} is before valid_from, {grant.valid_from}; expected it on or after")
        )
    if "territories" not in bad and not grant.territories - grant.excluded_territories:
        found.append(("excluded_territories", "every territory is excluded; expected at least one to be left"))
    return [BadCell(line=grant.line, column=column, complaint=complaint) for column, complaint in found]


def _count_complaint(row: Row, columns: Columns) -> str:
    """Say that a row has too many or too few cells."""
    advice = "; put cells that contain the delimiter between quotes" if len(row.cells) > len(columns.names) else ""
    return f"the row has {len(row.cells)} cells, expected {len(columns.names)} as in the header{advice}"


def _parse_required(text: str) -> str:
    """Read a cell that must not be blank."""
    if not text:
        raise ParameterError("the cell is empty; expected a value")
    return text


def _parse_licensee(text: str) -> str:
    """Read a licensee."""
    if not text:
        raise ParameterError("the cell is empty; expected a name, or * for anyone")
    return text


def _parse_optional(text: str) -> str | None:
    """Read a cell that may be blank."""
    return text or None


def _parse_covered(text: str) -> str | None:
    """Read what a grant covers. There are no wildcards: a `*` that was taken for a name would cover nothing."""
    if "*" in text and not text.strip("* "):
        raise ParameterError(f"{text!r} is no name; leave the cell empty where the column does not matter")
    return text or None


def _parse_where(text: str) -> frozenset[str]:
    """Read the territories. Blank might mean everywhere or not yet known, so it must be said."""
    territories = parse_territories(text)
    if not territories:
        raise ParameterError("the cell is empty; say Worldwide if the grant holds everywhere")
    return territories


def _parse_date(text: str) -> date | None:
    """Read a date."""
    if not text:
        return None
    try:
        if _ISO_DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(f"{text!r} is no day of the calendar ({error})") from error
    raise ParameterError(f"{reprlib.repr(text)} is no date; expected YYYY-MM-DD")


def _choose(text: str, words: tuple[T, ...]) -> T:
    """Read one word of a list, in any case."""
    for word in words:
        if text.casefold() == word:
            return word
    close = difflib.get_close_matches(text.casefold()[:40], [str(word) for word in words], 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise ParameterError(f"{reprlib.repr(text)} is unknown; expected one of {', '.join(map(str, words))}{hint}")
