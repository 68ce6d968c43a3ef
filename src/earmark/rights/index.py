"""The grants of a registry, arranged so that those about one recording are found without reading them all."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import itemgetter
from typing import Final

from earmark.rights.facts import UPC, Facts
from earmark.rights.grants import (
    ANYONE,
    COVERAGE_COLUMNS,
    SCOPES,
    Grant,
    Permission,
    first_day,
    last_day,
    successors_of,
)
from earmark.rights.identifiers import fold_name, parse_isrc, parse_upc

__all__ = [
    "Bucket",
    "Clause",
    "GrantIndex",
    "buckets_about",
    "build_index",
    "clauses_about",
    "clauses_in",
    "successor_on",
]

# Of several grants of one rank the first of these decides.
_SEVERITY: Final[dict[Permission, int]] = {"not_allowed": 0, "constrained": 1, "allowed": 2}

_Columns = tuple[int, ...]
Bucket = dict[tuple[str | None, str], tuple["Clause", ...]]
_Values = tuple[str | None, ...] | str | None  # of some columns; of one column its value alone
_Table = dict[_Values, Bucket]
_Lookup = tuple[_Columns, Callable[[tuple[str | None, ...]], _Values], _Table]


@dataclass(frozen=True, kw_only=True, slots=True)
class Clause:
    """A grant made ready for comparison.

    Parameters
    ----------
    grant : Grant
        The grant as written.
    coverage : tuple of str or None
        What it covers, folded, in the order of `COVERAGE_COLUMNS`; None asks for nothing.
    licensee : str or None
        Whom it is to, folded; None is anyone.
    product : str or None
        What it is for, folded; None is anything.
    territories : frozenset of str
        Where it holds: its territories less its exclusions.
    start, end : datetime.date
        First and last day on which it holds; the calendar's ends where it names none.
    replaceable : bool
        Whether another grant supersedes it.
    order : tuple of (int, int, str)
        Rank (position in `COVERAGE_COLUMNS` of its most specific column), severity, grant id: of the clauses that
        apply, the least decides.
    """

    grant: Grant
    coverage: tuple[str | None, ...]
    licensee: str | None
    product: str | None
    territories: frozenset[str]
    start: date
    end: date
    replaceable: bool
    order: tuple[int, int, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantIndex:
    """Clauses by what they cover.

    Parameters
    ----------
    tables : dict
        By which columns of a recording are known (one bool for each of `COVERAGE_COLUMNS`): for each combination of
        columns that some grant fills, those of them that are known, and by their values the bucket, which holds clauses
        by (licensee, scope). A recording of which some columns are unknown is looked up by those that are known.
    columns : frozenset of int
        All that are in some shape.
    for_products : bool
        Whether some grant is for one product only.
    places : frozenset of frozenset of str
        Where clauses hold: every set of territories that some clause has.
    successors : dict of str to tuple of Grant
        By grant id: the grants that supersede it directly.
    """

    tables: dict[tuple[bool, ...], tuple[_Lookup, ...]]
    columns: frozenset[int]
    for_products: bool
    places: frozenset[frozenset[str]]
    successors: dict[str, tuple[Grant, ...]]


def build_index(grants: Iterable[Grant], among: Iterable[Grant] | None = None) -> GrantIndex:
    """Arrange grants for lookup.

    Parameters
    ----------
    grants : iterable of Grant
        Grants with distinct ids, links without cycles (see `broken_links`).
    among : iterable of Grant or None
        All grants that may supersede them, if there are others.

    Returns
    -------
    GrantIndex
        The same clauses whatever the order of the grants.
    """
    grants = tuple(grants)
    successors = successors_of(grants if among is None else among)
    gathered: dict[tuple[_Columns, _Columns], dict[_Values, dict[tuple[str | None, str], list[Clause]]]] = {}
    for clause in (_compile(grant, replaceable=grant.grant_id in successors) for grant in grants):
        shape = tuple(column for column, value in enumerate(clause.coverage) if value is not None)
        for known in _subsets(shape):
            values = _values_of(known)(clause.coverage)
            bucket = gathered.setdefault((shape, known), {}).setdefault(values, {})
            bucket.setdefault((clause.licensee, clause.grant.scope), []).append(clause)
    buckets = {
        table: {
            values: {party: tuple(clauses) for party, clauses in bucket.items()} for values, bucket in entries.items()
        }
        for table, entries in gathered.items()
    }
    return GrantIndex(
        tables=_tables(sorted({shape for shape, _ in buckets}), buckets),
        columns=frozenset(column for shape, _ in buckets for column in shape),
        for_products=any(grant.product for grant in grants),
        places=frozenset(grant.territories - grant.excluded_territories for grant in grants),
        successors=successors,
    )


def clauses_about(
    index: GrantIndex, facts: Facts, *, any_scope: bool = False, any_licensee: bool = False
) -> list[Clause]:
    """Find the clauses that may cover a recording, for a licensee and a scope; what is unknown excludes nothing.

    Parameters
    ----------
    index : GrantIndex
        The registry's grants.
    facts : Facts
        What is known; territory, product and date are not looked at.
    any_scope, any_licensee : bool
        Whether to take scope or licensee for unknown.

    Returns
    -------
    list of Clause
        In no particular order.
    """
    return clauses_in(buckets_about(index, facts), facts, any_scope=any_scope, any_licensee=any_licensee)


def buckets_about(index: GrantIndex, facts: Facts) -> list[Bucket]:
    """Find the buckets of clauses that may cover a recording, whatever their licensee and scope.

    Parameters
    ----------
    index, facts
        As of `clauses_about`.

    Returns
    -------
    list of dict
        For `clauses_in`.
    """
    found: list[Bucket] = []
    first = facts.coverages[0]
    for known, values_of, buckets in index.tables[tuple([value is not None for value in first])]:
        for coverage in facts.coverages if UPC in known else (first,):
            bucket = buckets.get(values_of(coverage))
            if bucket is not None:
                found.append(bucket)
    return found


def clauses_in(
    buckets: Sequence[Bucket], facts: Facts, *, any_scope: bool = False, any_licensee: bool = False
) -> list[Clause]:
    """Take the clauses for a licensee and a scope out of buckets.

    Parameters
    ----------
    buckets : sequence of dict
        Of `buckets_about`.
    facts, any_scope, any_licensee
        As of `clauses_about`.

    Returns
    -------
    list of Clause
        In no particular order.
    """
    found: list[Clause] = []
    if not buckets:
        return found
    scopes = SCOPES if any_scope or facts.use.scope is None else (facts.use.scope,)
    licensee = None if any_licensee else facts.use.licensee
    for bucket in buckets:
        if licensee is not None:
            for scope in scopes:
                found += bucket.get((licensee, scope), ())
                found += bucket.get((None, scope), ())
        else:
            for (_, scope), clauses in bucket.items():
                if scope in scopes:
                    found += clauses
    return found


def successor_on(index: GrantIndex, grant: Grant, day: date) -> Grant | None:
    """Find what stands in the place of a superseded grant on a day.

    A grant is out of force from the first day of a grant that supersedes it, directly or through others, whatever the
    territory, licensee or scope of the successor: a new contract replaces the old one as a whole. Leave that was
    replaced does not come back when its successor ends, for whether it does is for a contract to say; a refusal does,
    for what lifted it is over.

    Parameters
    ----------
    index : GrantIndex
        The registry's grants.
    grant : Grant
        The grant that may be superseded.
    day : datetime.date
        The day asked about.

    Returns
    -------
    Grant or None
        The nearest successor that is in force, the least id of equally near ones; if there is none, and the grant gives
        leave, the nearest that has ended; else None.
    """
    over: Grant | None = None
    generation = index.successors.get(grant.grant_id, ())
    while generation:
        for heir in generation:
            start, end = first_day(heir), last_day(heir)
            if start <= day <= end:
                return heir
            if start <= end < day and over is None:
                over = heir
        generation = tuple(nxt for heir in generation for nxt in index.successors.get(heir.grant_id, ()))
    return None if grant.permission == "not_allowed" else over


def _tables(
    shapes: Iterable[_Columns], buckets: Mapping[tuple[_Columns, _Columns], _Table]
) -> dict[tuple[bool, ...], tuple[_Lookup, ...]]:
    """Arrange the buckets by which columns of a recording are known: for each shape, those columns and their table."""
    return {
        mask: tuple(
            (known, _values_of(known), buckets[shape, known])
            for shape in shapes
            for known in [tuple(column for column in shape if mask[column])]
        )
        for mask in itertools.product((False, True), repeat=len(COVERAGE_COLUMNS))
    }


@lru_cache
def _values_of(columns: _Columns) -> Callable[[tuple[str | None, ...]], _Values]:
    """Return the function that takes the values of some columns out of a coverage: it is called for every decision."""
    return itemgetter(*columns) if columns else itemgetter(slice(0))


def _compile(grant: Grant, *, replaceable: bool) -> Clause:
    """Fold one grant for comparison."""
    coverage = (
        fold_name(grant.track_id),
        parse_isrc(grant.isrc) if grant.isrc else None,
        parse_upc(grant.upc) if grant.upc else None,
        fold_name(grant.label),
        fold_name(grant.rightsholder),
    )
    licensee = fold_name(grant.licensee)
    rank = next(column for column, value in enumerate(coverage) if value is not None)
    return Clause(
        grant=grant,
        coverage=coverage,
        licensee=None if licensee == ANYONE else licensee,
        product=fold_name(grant.product),
        territories=grant.territories - grant.excluded_territories,
        start=first_day(grant),
        end=last_day(grant),
        replaceable=replaceable,
        order=(rank, _SEVERITY[grant.permission], grant.grant_id),
    )


def _subsets(columns: _Columns) -> Iterator[_Columns]:
    """Yield every subset of `columns`, each in order."""
    for size in range(len(columns) + 1):
        yield from itertools.combinations(columns, size)
