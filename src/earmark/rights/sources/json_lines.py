"""JSON lines: one fact a line, each with its kind."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from earmark.rights.columns import meant_by
from earmark.rights.kinds import KINDS, PROVENANCE, Kind
from earmark.rights.rows import BadCell, parse_cells
from earmark.rights.sources.incoming import Incoming, Statement
from earmark.rights.table import text_lines

__all__ = ["read_json_lines"]


def read_json_lines(incoming: Incoming) -> Iterator[Statement]:
    """Yield the facts of a file of JSON lines.

    Parameters
    ----------
    incoming : Incoming
        UTF-8; on each line an object with `kind` (`grants`, `recordings`, `holdings` or `reservations`) and the columns
        of that kind, as texts, numbers, lists or null.

    Yields
    ------
    Statement
        A fact for each good line, and what is wrong with each other one.

    Raises
    ------
    RegistryError
        If it is no UTF-8, or a line is too long.
    """
    for number, line in enumerate(text_lines(incoming.file, str(incoming.path)), 1):
        if line.strip():
            yield from _read_line(line, number)


def _read_line(line: str, number: int) -> Iterator[Statement]:
    try:
        values: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        yield BadCell(line=number, column=None, complaint=f"no JSON: {error}")
        return
    kind = KINDS.get(str(values.get("kind"))) if isinstance(values, dict) else None
    if kind is None:
        got = values.get("kind") if isinstance(values, dict) else type(values).__name__
        complaint = f"{got!r} is no kind of facts; expected an object whose kind is one of {', '.join(KINDS)}"
        yield BadCell(line=number, column="kind", complaint=complaint)
        return
    mistakes = list(_unknown_keys(values, kind, number))
    fact, wrong = parse_cells({key: _text_of(value) for key, value in values.items()}, kind, number)
    mistakes += wrong
    if fact is None or mistakes:
        yield from mistakes
    else:
        yield fact


def _unknown_keys(values: Mapping[str, Any], kind: Kind, number: int) -> Iterator[BadCell]:
    """Complain of keys that are probably meant for a column which narrows a fact."""
    absent = sorted(set(kind.columns).difference(values))
    for key in values:
        if key not in kind.columns and key not in ("kind", *PROVENANCE) and (meant := meant_by(key, absent)):
            yield BadCell(line=number, column=key, complaint=f"unknown; is it {meant}? Name it so, or drop it")


def _text_of(value: object) -> str:
    """Return what a value would be in a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(_text_of, value))
    return value if isinstance(value, str) else json.dumps(value)
