"""Checking what was imported as a whole: links between grants, and grants that overlap."""

import sqlite3
from collections.abc import Iterator
from datetime import date
from itertools import combinations, groupby
from typing import Any, Final

from earmark.rights.grants import ANYONE, COVERAGE_COLUMNS, Grant, broken_links, first_day, last_day
from earmark.rights.identifiers import fold_name
from earmark.rights.kinds import GRANTS
from earmark.rights.rows import BadCell, parse_cells

__all__ = ["overlaps", "partial_successors", "unlink_broken"]

# Of more grants than this that cover the very same thing for one licensee, the others are not compared: 20,000 pairs.
_MAX_GROUP: Final = 200
_MAX_NOTICES: Final = 1000

_SAME: Final = ("scope", "track_id", "isrc", "upc", "label", "rightsholder")
_COLUMNS: Final = ", ".join(f"grants.{column}" for column in GRANTS.parsers)


def unlink_broken(connection: sqlite3.Connection, first_new: int) -> Iterator[tuple[str, BadCell]]:
    """Take out the new grants that supersede what is not there or, through others, themselves.

    Parameters
    ----------
    connection : sqlite3.Connection
        The open registry file.
    first_new : int
        Id of the first source of this import.

    Yields
    ------
    name : str
        The file of a grant that was taken out.
    mistake : BadCell
        Why.
    """
    new = "SELECT 1 FROM grants WHERE supersedes IS NOT NULL AND source_id >= ? LIMIT 1"
    if connection.execute(new, (first_new,)).fetchone() is None:
        return
    while broken := _broken(connection):
        for grant, complaint in broken:
            (name,) = connection.execute(
                "SELECT sources.name FROM grants JOIN sources USING (source_id) WHERE grant_id = ?", (grant.grant_id,)
            ).fetchone()
            connection.execute("DELETE FROM grants WHERE grant_id = ?", (grant.grant_id,))
            words = f"grant {grant.grant_id}: {complaint}"
            yield name, BadCell(line=grant.line, column="supersedes", complaint=words)


def _broken(connection: sqlite3.Connection) -> list[tuple[Grant, str]]:
    """Return the grants with bad links. Only grants with links are held in memory, and of those only the ids."""
    rows = connection.execute(
        "SELECT grant_id, supersedes, line FROM grants WHERE supersedes IS NOT NULL ORDER BY rowid"
    )
    linked = [
        Grant(
            grant_id=grant_id,
            licensee="*",
            scope="ai_training",
            permission="allowed",
            territories=frozenset(),
            supersedes=supersedes,
            line=line,
        )
        for grant_id, supersedes, line in rows
    ]
    ends = connection.execute(
        "SELECT DISTINCT supersedes FROM grants WHERE supersedes IN "
        "(SELECT grant_id FROM grants WHERE supersedes IS NULL)"
    )
    return list(broken_links(linked, frozenset(grant_id for (grant_id,) in ends)))


def overlaps(connection: sqlite3.Connection, first_new: int) -> Iterator[str]:
    """Find new grants that hold at once with another that says the same or the contrary of the same things.

    Parameters
    ----------
    connection, first_new
        As of `unlink_broken`.

    Yields
    ------
    str
        For each pair, the first 1,000: which, since when, and what follows.
    """
    if connection.execute("SELECT 1 FROM grants WHERE source_id >= ? LIMIT 1", (first_new,)).fetchone() is None:
        return
    order = ", ".join(f"lower({column})" for column in _SAME)
    rows = connection.execute(f"SELECT {_COLUMNS}, line, source_id FROM grants ORDER BY {order}, rowid")  # noqa: S608
    n_found = 0
    for _, group in groupby(rows, key=_same_things):
        members = [row for _, row in zip(range(_MAX_GROUP), group, strict=False)]
        if len(members) < 2 or all(row[-1] < first_new for row in members):
            continue
        grants = [(_grant(row), row[-1] >= first_new) for row in members]
        for (one, one_is_new), (other, other_is_new) in combinations(grants, 2):
            if (one_is_new or other_is_new) and (words := _overlap(one, other)):
                n_found += 1
                if n_found > _MAX_NOTICES:
                    yield f"more than {_MAX_NOTICES:,} pairs of grants overlap; the others are not named"
                    return
                yield words


def partial_successors(connection: sqlite3.Connection, first_new: int) -> Iterator[str]:
    """Find grants that supersede another and do not say something of all that it was about.

    A successor takes the place of the whole grant, so what it leaves out is no longer settled by either.

    Parameters
    ----------
    connection, first_new
        As of `unlink_broken`.

    Yields
    ------
    str
        For each pair of which one is new, the first 1,000: which, and what is left out.
    """
    columns = ", ".join(f"{table}.{column}" for table in ("heir", "old") for column in GRANTS.parsers)
    rows = connection.execute(
        f"SELECT {columns} FROM grants AS heir JOIN grants AS old ON heir.supersedes = old.grant_id "  # noqa: S608
        "WHERE heir.source_id >= ?1 OR old.source_id >= ?1 ORDER BY heir.rowid",
        (first_new,),
    )
    n_found = 0
    for row in rows:
        heir, old = (_grant((*cells, 0, 0)) for cells in (row[: len(GRANTS.parsers)], row[len(GRANTS.parsers) :]))
        if left_out := _left_out(heir, old):
            n_found += 1
            if n_found > _MAX_NOTICES:
                return
            yield (
                f"grant {heir.grant_id} supersedes {old.grant_id} as a whole but differs from it in "
                f"{', '.join(left_out)}: what only {old.grant_id} is about is no longer settled by either"
            )


def _left_out(heir: Grant, old: Grant) -> list[str]:
    """Name the columns in which a successor does not reach as far as the grant that it supersedes."""
    found = ["licensee"] if fold_name(heir.licensee) not in {ANYONE, fold_name(old.licensee)} else []
    for column in ("scope", "product", *COVERAGE_COLUMNS):
        wanted, there = (fold_name(getattr(grant, column)) for grant in (heir, old))
        if wanted is not None and wanted != there:
            found.append(column)
    if (old.territories - old.excluded_territories) - (heir.territories - heir.excluded_territories):
        found.append("territories")
    return found


def _same_things(row: tuple[Any, ...]) -> tuple[str | None, ...]:
    values = dict(zip(GRANTS.parsers, row, strict=False))
    return tuple(fold_name(values[column]) for column in _SAME)


def _grant(row: tuple[Any, ...]) -> Grant:
    cells = {column: cell for column, cell in zip(GRANTS.parsers, row, strict=False) if cell is not None}
    grant, mistakes = parse_cells(cells, GRANTS, row[-2])
    assert isinstance(grant, Grant), mistakes
    return grant


def _overlap(one: Grant, other: Grant) -> str | None:
    """Say how two grants that cover the same get into each other's way; None if they do not."""
    if one.grant_id == other.supersedes or other.grant_id == one.supersedes:
        return None
    start, end = max(map(first_day, (one, other))), min(map(last_day, (one, other)))
    places = (one.territories - one.excluded_territories) & (other.territories - other.excluded_territories)
    products = {fold_name(one.product), fold_name(other.product)} - {None}
    if start > end or not places or len(products) > 1:
        return None
    same_party = fold_name(one.licensee) == fold_name(other.licensee)
    if not same_party and not (one.exclusive or other.exclusive):
        return None
    since = "the beginning" if start == date.min else start
    days = f"from {since} to {'no end' if end == date.max else end}"
    names = f"grants {one.grant_id} and {other.grant_id} hold at once {days}"
    if not same_party:
        return f"{names} for different licensees, and one is exclusive: such matches are up for review"
    if one.permission != other.permission:
        said = f"{one.permission} and {other.permission}"
        return f"{names} and say {said}: the stricter decides; let one supersede the other"
    return f"{names} and say the same: the one of the lesser id is named"
