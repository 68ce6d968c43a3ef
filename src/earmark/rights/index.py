"""The grants of a registry, arranged so that those about one recording are found without reading them all."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Final

from earmark.rights.facts import UPC, Facts
from earmark.rights.grants import ANYONE, SCOPES, Grant, Permission, successors_of
from earmark.rights.identifiers import fold_name, parse_isrc, parse_upc

__all__ = ["Clause", "GrantIndex", "build_index", "clauses_about", "successor_in_force"]

# Of several grants of one rank the first of these decides.
_SEVERITY: Final[dict[Permission, int]] = {"not_allowed": 0, "constrained": 1, "allowed": 2}

_Columns = tuple[int, ...]
_Bucket = dict[tuple[str | None, str], tuple["Clause", ...]]


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
    shapes : tuple of tuple of int
        The combinations of coverage columns (positions in `COVERAGE_COLUMNS`) that some grant fills.
    buckets : dict
        By (shape, known columns among it), then by those columns' values, then by (licensee, scope): the clauses. A
        recording of which some columns are unknown is looked up by those that are known.
    columns : frozenset of int
        All that are in some shape.
    for_products : bool
        Whether some grant is for one product only.
    successors : dict of str to tuple of Grant
        By grant id: the grants that supersede it directly.
    """

    shapes: tuple[_Columns, ...]
    buckets: dict[tuple[_Columns, _Columns], dict[tuple[str | None, ...], _Bucket]]
    columns: frozenset[int]
    for_products: bool
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
    gathered: dict[
        tuple[_Columns, _Columns], dict[tuple[str | None, ...], dict[tuple[str | None, str], list[Clause]]]
    ] = {}
    for clause in (_compile(grant, replaceable=grant.grant_id in successors) for grant in grants):
        shape = tuple(column for column, value in enumerate(clause.coverage) if value is not None)
        for known in _subsets(shape):
            values = tuple(clause.coverage[column] for column in known)
            bucket = gathered.setdefault((shape, known), {}).setdefault(values, {})
            bucket.setdefault((clause.licensee, clause.grant.scope), []).append(clause)
    buckets = {
        table: {
            values: {party: tuple(clauses) for party, clauses in bucket.items()} for values, bucket in entries.items()
        }
        for table, entries in gathered.items()
    }
    return GrantIndex(
        shapes=tuple(sorted({shape for shape, _ in buckets})),
        buckets=buckets,
        columns=frozenset(column for shape, _ in buckets for column in shape),
        for_products=any(grant.product for grant in grants),
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
    found: list[Clause] = []
    scopes = SCOPES if any_scope or facts.scope is None else (facts.scope,)
    licensee = None if any_licensee else facts.licensee
    for bucket in _buckets_about(index, facts.coverages):
        if licensee is not None:
            for scope in scopes:
                found += bucket.get((licensee, scope), ())
                found += bucket.get((None, scope), ())
        else:
            for (_, scope), clauses in bucket.items():
                if scope in scopes:
                    found += clauses
    return found


def successor_in_force(index: GrantIndex, grant_id: str, day: date) -> Grant | None:
    """Find what stands in the place of a superseded grant on a day.

    A grant is out of force on every day on which a grant that supersedes it, directly or through others, is within its
    dates, whatever the territory, licensee or scope of the successor: a new contract replaces the old one as a whole.

    Parameters
    ----------
    index : GrantIndex
        The registry's grants.
    grant_id : str
        The grant that may be superseded.
    day : datetime.date
        The day asked about.

    Returns
    -------
    Grant or None
        The nearest successor within its dates, the least id of equally near ones; None if there is none.
    """
    generation = index.successors.get(grant_id, ())
    while generation:
        for heir in generation:
            if (heir.valid_from or date.min) <= day <= (heir.valid_to or date.max):
                return heir
        generation = tuple(nxt for heir in generation for nxt in index.successors.get(heir.grant_id, ()))
    return None


def _buckets_about(index: GrantIndex, coverages: tuple[tuple[str | None, ...], ...]) -> list[_Bucket]:
    """Return the bucket of each shape that agrees with what is known of the recording."""
    found: list[_Bucket] = []
    complete = None not in coverages[0]
    for shape in index.shapes:
        known = shape if complete else tuple([column for column in shape if coverages[0][column] is not None])
        buckets = index.buckets[shape, known]
        for coverage in coverages if UPC in known else coverages[:1]:
            bucket = buckets.get(tuple([coverage[column] for column in known]))
            if bucket is not None:
                found.append(bucket)
    return found


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
        start=grant.valid_from or date.min,
        end=grant.valid_to or date.max,
        replaceable=replaceable,
        order=(rank, _SEVERITY[grant.permission], grant.grant_id),
    )


def _subsets(columns: _Columns) -> Iterator[_Columns]:
    """Yield every subset of `columns`, each in order."""
    for size in range(len(columns) + 1):
        yield from combinations(columns, size)
