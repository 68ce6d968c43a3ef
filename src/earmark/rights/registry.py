"""The license registry: all grants and reservations, arranged for decisions, and what is known of recordings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from earmark.errors import ParameterError, RegistryError
from earmark.rights.grants import COVERAGE_COLUMNS, Grant, broken_links
from earmark.rights.identifiers import fold_name
from earmark.rights.index import GrantIndex, build_index
from earmark.rights.recording_table import RecordingTable
from earmark.rights.reservations import Reservation, as_clauses
from earmark.rights.rows import BadCell

__all__ = ["Grant", "Registry", "bad_links", "duplicate_ids", "make_registry", "report_mistakes"]

# An error names this many mistakes one by one; a screenful.
_MAX_NAMED: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """Grants, reservations, and where they come from. Made by `read_registry` or `make_registry`.

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
    reservations : tuple of Reservation
        In the order of the file.
    recordings : RecordingTable or None
        What is known of recordings; None where the registry has none.
    index : GrantIndex
        The grants, arranged for `decide`.
    exclusives : GrantIndex or None
        Those of them that are exclusive; None if none is.
    reserved : GrantIndex or None
        The reservations, arranged alike; None if there are none.
    """

    grants: tuple[Grant, ...]
    source: str
    digest: str | None
    ignored_columns: tuple[str, ...]
    reservations: tuple[Reservation, ...] = ()
    recordings: RecordingTable | None = None
    index: GrantIndex = field(repr=False, compare=False)
    exclusives: GrantIndex | None = field(repr=False, compare=False)
    reserved: GrantIndex | None = field(repr=False, compare=False)


def make_registry(
    grants: Iterable[Grant],
    reservations: Iterable[Reservation] = (),
    *,
    recordings: RecordingTable | None = None,
    source: str = "memory",
    digest: str | None = None,
    ignored_columns: tuple[str, ...] = (),
) -> Registry:
    """Make a registry of grants.

    Parameters
    ----------
    grants : iterable of Grant
        The grants. Names, dates and territories are taken as they are; ids and links are checked.
    reservations : iterable of Reservation
        The reservations; likewise.
    recordings : RecordingTable or None
        What is known of recordings.
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
        If two grants or two reservations have one id, one covers nothing or a malformed ISRC or UPC, or one
        supersedes an unknown grant or, directly or through others, itself.

    Examples
    --------
    >>> from earmark.rights.territories import COUNTRIES
    >>> grant = Grant(grant_id="G1", licensee="*", scope="data_mining", permission="allowed", label="Foo",
    ...               territories=COUNTRIES)
    >>> len(make_registry([grant]).grants)
    1
    """
    grants, reservations = tuple(grants), tuple(reservations)
    mistakes = duplicate_ids((grant.grant_id, grant.line) for grant in grants)
    mistakes += duplicate_ids(((each.reservation_id, each.line) for each in reservations), "reservation_id")
    mistakes += [_mistake(grant, None, "the grant covers nothing") for grant in grants if _covers_nothing(grant)]
    mistakes += bad_links(grants, elsewhere=frozenset())
    if mistakes:
        raise RegistryError(report_mistakes(mistakes, source))
    exclusives = [grant for grant in grants if grant.exclusive]
    clauses = [clause for reservation in reservations for clause in as_clauses(reservation)]
    try:
        return Registry(
            grants=grants,
            source=source,
            digest=digest,
            ignored_columns=ignored_columns,
            reservations=reservations,
            recordings=recordings,
            index=build_index(grants),
            exclusives=build_index(exclusives, among=grants) if exclusives else None,
            reserved=build_index(clauses) if clauses else None,
        )
    except ParameterError as error:
        raise RegistryError(f"{source}: {error}") from error


def duplicate_ids(ids: Iterable[tuple[str, int]], column: str = "grant_id") -> list[BadCell]:
    """Complain of each (id, line) whose id came before; a blank id is another's complaint."""
    found = []
    first: dict[str, int] = {}
    for grant_id, line in ids:
        if grant_id and grant_id in first:
            complaint = f"{grant_id!r} is also the {column} of line {first[grant_id]}"
            found.append(BadCell(line=line, column=column, complaint=complaint))
        first.setdefault(grant_id, line)
    return found


def bad_links(grants: Sequence[Grant], elsewhere: frozenset[str]) -> list[BadCell]:
    """Complain of links that lead nowhere or in a circle; `elsewhere` are the ids of rows that could not be read."""
    return [_mistake(grant, "supersedes", complaint) for grant, complaint in broken_links(grants, elsewhere)]


def _covers_nothing(grant: Grant) -> bool:
    """Say whether no coverage column is filled."""
    return all(fold_name(getattr(grant, column)) is None for column in COVERAGE_COLUMNS)


def _mistake(grant: Grant, column: str | None, complaint: str) -> BadCell:
    """Complain of a grant."""
    return BadCell(line=grant.line, column=column, complaint=f"grant {grant.grant_id}: {complaint}")


def report_mistakes(mistakes: Sequence[BadCell], source: str) -> str:
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
