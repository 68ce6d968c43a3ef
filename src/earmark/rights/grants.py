"""Grants: what a rights holder allowed or forbade, to whom, where and when."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, Literal

__all__ = [
    "ANYONE",
    "COVERAGE_COLUMNS",
    "COVERAGE_WORDS",
    "PERMISSIONS",
    "SCOPES",
    "Grant",
    "Permission",
    "Scope",
    "broken_links",
    "first_day",
    "last_day",
    "successors_of",
]

Scope = Literal["ai_training", "ai_generative_training", "data_mining", "ai_inference"]
Permission = Literal["allowed", "not_allowed", "constrained"]

SCOPES: Final[tuple[Scope, ...]] = ("ai_training", "ai_generative_training", "data_mining", "ai_inference")
PERMISSIONS: Final[tuple[Permission, ...]] = ("allowed", "not_allowed", "constrained")

# What a grant may cover, the most specific first: this order is the order of precedence.
COVERAGE_COLUMNS: Final = ("track_id", "isrc", "upc", "label", "rightsholder")
COVERAGE_WORDS: Final = ("track id", "ISRC", "UPC", "label", "rightsholder")

_ONE_DAY: Final = timedelta(days=1)

# The licensee of a grant to everybody.
ANYONE: Final = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """One row of a license registry.

    Parameters
    ----------
    grant_id : str
        Unique in its registry.
    licensee : str
        Whom the grant is to; `*` means anyone.
    scope : str
        One of `SCOPES`; none implies another.
    permission : str
        One of `PERMISSIONS`.
    product : str or None
        The model or product that the grant is for; None is any.
    exclusive : bool
        Whether nobody else is to have the same.
    track_id, isrc, upc, label, rightsholder : str or None
        What the grant covers: the recordings that agree with every one of these that is not None; one at
        least is not. `upc` is a release that holds the recording.
    territories : frozenset of str
        Country codes where the grant holds; all of `COUNTRIES` for `Worldwide`.
    excluded_territories : frozenset of str
        Country codes taken out of `territories`.
    valid_from, valid_to : datetime.date or None
        First and last day on which the grant holds, both inclusive; None leaves that end open.
    withdrawn_on : datetime.date or None
        First day on which it no longer holds because it was taken back, whatever `valid_to` says.
    constraints : str or None
        What must be kept to, in words; of a constrained grant.
    contract_ref : str or None
        Where the contract is to be found.
    contract_sha256 : str or None
        SHA-256 of the contract's file, in hexadecimal.
    supersedes : str or None
        Id of the grant that this one replaces.
    line : int
        Line of the file where the row begins, from 1; 0 if it came from no file. Makes no difference to equality.
    """

    grant_id: str
    licensee: str
    scope: Scope
    permission: Permission
    territories: frozenset[str]
    excluded_territories: frozenset[str] = frozenset()
    product: str | None = None
    exclusive: bool = False
    track_id: str | None = None
    isrc: str | None = None
    upc: str | None = None
    label: str | None = None
    rightsholder: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    withdrawn_on: date | None = None
    constraints: str | None = None
    contract_ref: str | None = None
    contract_sha256: str | None = None
    supersedes: str | None = None
    line: int = field(default=0, compare=False)


def first_day(grant: Grant) -> date:
    """Return the first day on which a grant holds; the calendar's first if it names none."""
    return grant.valid_from or date.min


def last_day(grant: Grant) -> date:
    """Return the last day on which a grant holds: that of its validity, or the one before it was withdrawn."""
    end = grant.valid_to or date.max
    if grant.withdrawn_on is None:
        return end
    return min(end, max(grant.withdrawn_on, date.min + _ONE_DAY) - _ONE_DAY)


def broken_links(grants: Iterable[Grant], elsewhere: Collection[str] = ()) -> Iterator[tuple[Grant, str]]:
    """Find the grants whose `supersedes` leads nowhere or back to themselves.

    Parameters
    ----------
    grants : iterable of Grant
        Grants with distinct ids.
    elsewhere : collection of str
        Ids of other grants, whose links are not known.

    Yields
    ------
    grant : Grant
        A grant with a bad link; of a cycle, the one with the first line.
    message : str
        What is wrong with it.
    """
    by_id = {grant.grant_id: grant for grant in grants}
    settled: set[str] = set()
    for grant in by_id.values():
        target = grant.supersedes
        if target == grant.grant_id:
            yield grant, f"{target!r} is the grant itself; expected the grant_id of another"
        elif target is not None and target not in by_id:
            if target not in elsewhere:
                yield grant, f"{target!r} is the grant_id of no row; expected that of another row"
        elif cycle := _cycle_from(grant, by_id, settled):
            first = min(cycle, key=lambda member: (member.line, member.grant_id))
            ids = " supersedes ".join(member.grant_id for member in (*cycle, cycle[0]))
            yield first, f"the links form a cycle: {ids}"


def _cycle_from(grant: Grant, by_id: Mapping[str, Grant], settled: set[str]) -> list[Grant]:
    """Follow the links from `grant`; return the cycle of two or more that they run into, if it is a new one."""
    path: dict[str, Grant] = {}
    while grant.grant_id not in settled and grant.grant_id not in path:
        path[grant.grant_id] = grant
        if grant.supersedes is None or grant.supersedes not in by_id:
            break
        grant = by_id[grant.supersedes]
    closed = grant.grant_id in path and grant.supersedes in path
    settled.update(path)
    members = list(path.values())
    cycle = members[list(path).index(grant.grant_id) :] if closed else []
    return cycle if len(cycle) > 1 else []


def successors_of(grants: Iterable[Grant]) -> dict[str, tuple[Grant, ...]]:
    """Map each superseded grant to its direct successors.

    Parameters
    ----------
    grants : iterable of Grant
        Grants with distinct ids.

    Returns
    -------
    dict of str to tuple of Grant
        By the id of the superseded grant: the grants that name it in `supersedes`, in order of their ids.
    """
    found: defaultdict[str, list[Grant]] = defaultdict(list)
    for grant in grants:
        if grant.supersedes is not None:
            found[grant.supersedes].append(grant)
    return {grant_id: tuple(sorted(heirs, key=lambda heir: heir.grant_id)) for grant_id, heirs in found.items()}
