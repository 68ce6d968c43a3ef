"""The license registry: all grants, read from a CSV file."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from earmark.errors import ParameterError, RegistryError
from earmark.rights.columns import KNOWN_COLUMNS, Columns, match_columns
from earmark.rights.grants import COVERAGE_COLUMNS, Grant, broken_links
from earmark.rights.identifiers import fold_name
from earmark.rights.index import GrantIndex, build_index
from earmark.rights.rows import BadCell, parse_row
from earmark.rights.table import Row, open_table

__all__ = ["Grant", "Registry", "make_registry", "read_registry"]

# An error names this many mistakes one by one; a screenful.
_MAX_NAMED: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """Grants, and where they come from. Made by `read_registry` or `make_registry`.

    Parameters
    ----------
    grants : tuple of Grant
        In the order of the file.
    source : str
        Name of the file, without its folder; or what the caller called it.
    digest : str or None
        SHA-256 of the file's bytes, in hexadecimal; None if there was no file.
    ignored_columns : tuple of str
        Columns of the file that have no meaning here.
    index : GrantIndex
        The grants, arranged for `decide`.
    """

    grants: tuple[Grant, ...]
    source: str
    digest: str | None
    ignored_columns: tuple[str, ...]
    index: GrantIndex = field(repr=False, compare=False)


def make_registry(
    grants: Iterable[Grant], *, source: str = "memory", digest: str | None = None, ignored_columns: tuple[str, ...] = ()
) -> Registry:
    """Make a registry of grants.

    Parameters
    ----------
    grants : iterable of Grant
        The grants. Names, dates and territories are taken as they are; ids and links are checked.
    source : str
        What to call it in reports.
    digest : str or None
        SHA-256 of the bytes that the grants were read from.
    ignored_columns : tuple of str
        What was passed over in reading.

    Returns
    -------
    Registry
        The grants, arranged for `decide`.

    Raises
    ------
    RegistryError
        If two grants have one id, one covers nothing or a malformed ISRC, or one supersedes an unknown grant or,
        directly or through others, itself.

    Examples
    --------
    >>> from earmark.rights.territories import COUNTRIES
    >>> grant = Grant(grant_id="G1", licensee="*", scope="data_mining", permission="allowed", label="Foo",
    ...               territories=COUNTRIES)
    >>> len(make_registry([grant]).grants)
    1
    """
    grants = tuple(grants)
    mistakes = _duplicates((grant.grant_id, grant.line) for grant in grants)
    mistakes += [_mistake(grant, None, "the grant covers nothing") for grant in grants if _covers_nothing(grant)]
    mistakes += _bad_links(grants, elsewhere=frozenset())
    if mistakes:
        raise RegistryError(_report(mistakes, source))
    try:
        index = build_index(grants)
    except ParameterError as error:
        raise RegistryError(f"{source}: {error}") from error
    return Registry(grants=grants, source=source, digest=digest, ignored_columns=ignored_columns, index=index)


def read_registry(path: str | Path) -> Registry:
    """Read a registry from a CSV file.

    UTF-8, with or without a byte order mark; commas, semicolons or tabs; a header line with the columns `grant_id,
    licensee, scope, permission, territories`, one or more of `track_id, isrc, label, rightsholder`, and, where wanted,
    `excluded_territories, valid_from, valid_to, contract_ref, supersedes`. Both dates are inclusive. `territories` must
    be filled: `Worldwide` where the grant holds everywhere. Other columns are ignored, and listed in the result.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    Registry
        Its grants.

    Raises
    ------
    RegistryError
        If the file cannot be read, is no such CSV, or any row is wrong. The message names the file, and line, column,
        value and what was expected for each of the first 20 mistakes. Nothing is read in part.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror or error}") from error
    table = open_table(data, str(path), KNOWN_COLUMNS)
    columns = match_columns(table.header, str(path))
    grants, mistakes = _parse_rows(table.rows, columns)
    if mistakes:
        raise RegistryError(_report(mistakes, str(path)))
    return make_registry(
        grants, source=path.name, digest=hashlib.sha256(data).hexdigest(), ignored_columns=columns.ignored
    )


def _parse_rows(rows: Iterable[Row], columns: Columns) -> tuple[list[Grant], list[BadCell]]:
    """Read all rows; return the good grants, and all mistakes in the order of the lines."""
    grants: list[Grant] = []
    mistakes: list[BadCell] = []
    ids: list[tuple[str, int]] = []
    at = columns.positions["grant_id"]
    for row in rows:
        grant, wrong = parse_row(row, columns)
        mistakes += wrong
        ids.append((" ".join(row.cells[at].split()) if at < len(row.cells) else "", row.line))
        if grant is not None:
            grants.append(grant)
    mistakes += _duplicates(ids)
    mistakes += _bad_links(grants, elsewhere=frozenset(grant_id for grant_id, _ in ids))
    return grants, sorted(mistakes, key=lambda mistake: mistake.line)


def _duplicates(ids: Iterable[tuple[str, int]]) -> list[BadCell]:
    """Complain of each (id, line) whose id came before; a blank id is another's complaint."""
    found = []
    first: dict[str, int] = {}
    for grant_id, line in ids:
        if grant_id and grant_id in first:
            complaint = f"{grant_id!r} is also the grant_id of line {first[grant_id]}"
            found.append(BadCell(line=line, column="grant_id", complaint=complaint))
        first.setdefault(grant_id, line)
    return found


def _bad_links(grants: Sequence[Grant], elsewhere: frozenset[str]) -> list[BadCell]:
    """Complain of links that lead nowhere or in a circle; `elsewhere` are the ids of rows that could not be read."""
    return [_mistake(grant, "supersedes", complaint) for grant, complaint in broken_links(grants, elsewhere)]


def _covers_nothing(grant: Grant) -> bool:
    """Say whether no coverage column is filled."""
    return all(fold_name(getattr(grant, column)) is None for column in COVERAGE_COLUMNS)


def _mistake(grant: Grant, column: str | None, complaint: str) -> BadCell:
    """Complain of a grant."""
    return BadCell(line=grant.line, column=column, complaint=f"grant {grant.grant_id}: {complaint}")


def _report(mistakes: Sequence[BadCell], source: str) -> str:
    """Write the first mistakes one to a line, each with the file, and count them all."""
    lines = [
        source
        + (f", line {mistake.line}" if mistake.line else "")
        + (f", column {mistake.column}" if mistake.column else "")
        + f": {mistake.complaint}"
        for mistake in mistakes[:_MAX_NAMED]
    ]
    if len(mistakes) == 1:
        return lines[0]
    more = f"\n... and {len(mistakes) - _MAX_NAMED} more" if len(mistakes) > _MAX_NAMED else ""
    return f"{source}: {len(mistakes)} mistakes\n" + "\n".join(lines) + more
