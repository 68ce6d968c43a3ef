"""Unknown facts: which clauses may turn out to decide, whatever the truth is.

The values that an unknown fact may take fall into finitely many classes that no grant tells apart: a name that some
grant mentions, or any other; a day between two ends of validities; a country in the same grants' territories. One value
of each class stands for all of it. Values are tried one fact after the other, and a branch ends as soon as the facts
left open cannot change the verdict, so that few combinations are ever tried.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from earmark.rights.facts import Facts
from earmark.rights.grants import COVERAGE_WORDS, SCOPES, Grant, Permission, first_day, last_day
from earmark.rights.index import Clause, GrantIndex, successor_on
from earmark.rights.territories import COUNTRIES, split_world

__all__ = [
    "OpenFact",
    "deciding_clause",
    "holds_on",
    "open_facts",
    "possible_contradiction",
    "possible_deciders",
]

_LICENSEE: Final = "the licensee"


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenFact:
    """An unknown fact.

    Parameters
    ----------
    name : str
        In words, such as `the territory`.
    of_use : bool
        Whether to name it even where it matters to no clause: facts of the use, which the user may give.
    matters_to : callable
        Says whether a clause applies for some values only.
    split : callable
        For each class of values, the clauses among those given that still may apply.
    """

    name: str
    of_use: bool
    matters_to: Callable[[Clause], bool]
    split: Callable[[Sequence[Clause]], Iterator[list[Clause]]]


def holds_on(clause: Clause, day: date, index: GrantIndex) -> bool:
    """Say whether a clause is in force on a day.

    Parameters
    ----------
    clause : Clause
        The clause.
    day : datetime.date
        The day.
    index : GrantIndex
        Where its successors are.

    Returns
    -------
    bool
        `start <= day <= end`, and no successor in its place.
    """
    if not clause.start <= day <= clause.end:
        return False
    return not clause.replaceable or successor_on(index, clause.grant, day) is None


def deciding_clause(clauses: Iterable[Clause]) -> Clause | None:
    """Return the clause that decides among those that apply: the least in `Clause.order`; None if there is none."""
    return min(clauses, key=lambda clause: clause.order, default=None)


def open_facts(facts: Facts, index: GrantIndex, *, all_columns: bool = False) -> list[OpenFact]:
    """List the unknown facts.

    Parameters
    ----------
    facts : Facts
        What is known.
    index : GrantIndex
        The registry's grants.
    all_columns : bool
        Whether to list facts of the recording that no grant asks for.

    Returns
    -------
    list of OpenFact
        The facts of the use first.
    """
    found: list[OpenFact] = []
    if facts.use.licensee is None:
        found.append(_named(_LICENSEE, lambda clause: clause.licensee, of_use=True))
    if facts.use.scope is None:
        found.append(OpenFact(name="the use", of_use=True, matters_to=lambda _: True, split=_split_scopes))
    if facts.use.territory is None:
        found.append(
            OpenFact(
                name="the territory",
                of_use=True,
                matters_to=lambda clause: clause.territories != COUNTRIES,
                split=_split_territories,
            )
        )
    if facts.use.product is None and index.for_products:
        # Not of the use: most grants are for any product, and then nobody need hear of it.
        found.append(_named("the product", lambda clause: clause.product, of_use=False))
    if facts.use.as_of is None:
        found.append(
            OpenFact(
                name="the as-of date",
                of_use=True,
                matters_to=lambda c: c.replaceable or c.start > date.min or c.end < date.max,
                split=lambda clauses: _split_days(clauses, index),
            )
        )
    for column, value in enumerate(facts.coverages[0]):
        if value is None and (all_columns or column in index.columns):
            found.append(_named(f"the recording's {COVERAGE_WORDS[column]}", _coverage_of(column), of_use=False))
    return found


def possible_deciders(clauses: Sequence[Clause], unknown: Sequence[OpenFact]) -> Iterator[Clause | None]:
    """Yield clauses that decide for some values of the unknown facts, until every possible verdict has been seen.

    Parameters
    ----------
    clauses : sequence of Clause
        The clauses that no known fact rules out.
    unknown : sequence of OpenFact
        The unknown facts.

    Yields
    ------
    Clause or None
        A clause that applies for some values and whose permission decides for them; None if no clause allows or
        constrains for them. Each verdict that some values lead to is yielded at least once, and no other; clauses of
        the same permission may be left out, and some come more than once.
    """
    best = deciding_clause(c for c in clauses if not any(fact.matters_to(c) for fact in unknown))
    ahead = clauses if best is None else [clause for clause in clauses if clause.order < best.order]
    if all(_outcome(clause) == _outcome(best) for clause in ahead):
        yield best
        return
    first, *others = unknown
    for remaining in first.split(clauses):
        yield from possible_deciders(remaining, others)


def possible_contradiction(
    clauses: Sequence[Clause], rivals: Sequence[Clause], unknown: Sequence[OpenFact]
) -> Clause | None:
    """Find a clause that contradicts the deciding one for some values of the unknown facts.

    Parameters
    ----------
    clauses : sequence of Clause
        The clauses that no known fact rules out. For all values one of them decides, and allows the use.
    rivals : sequence of Clause
        Exclusive grants to others, and reservations, that no known fact rules out.
    unknown : sequence of OpenFact
        The unknown facts.

    Returns
    -------
    Clause or None
        A rival that is no less specific than the clause that decides: an exclusive grant to another licensee, or, where
        no clause allows the use to the licensee by name, a reservation.
    """
    if not rivals:
        return None
    if not unknown:
        best = deciding_clause(clauses)
        assert best is not None
        by_name = any(clause.licensee is not None and clause.grant.permission == "allowed" for clause in clauses)
        near = [rival for rival in rivals if rival.order[0] <= best.order[0]]
        return next((rival for rival in near if rival.grant.exclusive or not by_name), None)
    first, *others = unknown
    if first.name == _LICENSEE:
        branches = list(_split_licensees(clauses, rivals))
    else:
        theirs = {id(rival) for rival in rivals}
        branches = [
            ([clause for clause in left if id(clause) not in theirs], [each for each in left if id(each) in theirs])
            for left in first.split([*clauses, *rivals])
        ]
    found = (possible_contradiction(mine, others_clauses, others) for mine, others_clauses in branches)
    return next((rival for rival in found if rival is not None), None)


def _split_licensees(
    clauses: Sequence[Clause], rivals: Sequence[Clause]
) -> Iterator[tuple[list[Clause], list[Clause]]]:
    """Try every licensee that some clause names, and one that none names: whose rivals are the others' clauses."""
    names = {clause.licensee for clause in (*clauses, *rivals)} - {None}
    for name in (None, *sorted(filter(None, names))):
        mine = [clause for clause in clauses if clause.licensee in {None, name}]
        yield mine, [rival for rival in rivals if rival.licensee is None or rival.licensee != name]


def _outcome(clause: Clause | None) -> Permission:
    """Return what follows if this clause decides; that none applies is as good as a refusal."""
    return "not_allowed" if clause is None else clause.grant.permission


def _coverage_of(column: int) -> Callable[[Clause], str | None]:
    """Return the function that reads one coverage column of a clause."""
    return lambda clause: clause.coverage[column]


def _named(name: str, value_of: Callable[[Clause], str | None], *, of_use: bool) -> OpenFact:
    """Describe an unknown name: it may be any that a clause asks for, or another; None in a clause asks for nothing."""

    def split(clauses: Sequence[Clause]) -> Iterator[list[Clause]]:
        by_value = _group(clauses, value_of)
        always = by_value.get(None, [])
        yield always
        for value in sorted(filter(None, by_value)):
            yield always + by_value[value]

    return OpenFact(name=name, of_use=of_use, matters_to=lambda clause: value_of(clause) is not None, split=split)


def _split_scopes(clauses: Sequence[Clause]) -> Iterator[list[Clause]]:
    """Try every scope: there are no others."""
    by_scope = _group(clauses, lambda clause: clause.grant.scope)
    for scope in SCOPES:
        yield by_scope.get(scope, [])


def _split_territories(clauses: Sequence[Clause]) -> Iterator[list[Clause]]:
    """Try one country of each class of countries that lie in the same clauses' territories."""
    for country in map(min, split_world(clause.territories for clause in clauses)):
        yield [clause for clause in clauses if country in clause.territories]


def _split_days(clauses: Sequence[Clause], index: GrantIndex) -> Iterator[list[Clause]]:
    """Try the first day of every stretch of days in which no validity begins or ends."""
    days = {date.min}
    for start, end in _validities(clauses, index):
        days.add(start)
        if end < date.max:
            days.add(end + timedelta(days=1))
    for day in sorted(days):
        yield [clause for clause in clauses if holds_on(clause, day, index)]


def _validities(clauses: Iterable[Clause], index: GrantIndex) -> Iterator[tuple[date, date]]:
    """Yield the validities of clauses and of all that supersede them."""
    heirs: list[Grant] = []
    for clause in clauses:
        yield clause.start, clause.end
        heirs += index.successors.get(clause.grant.grant_id, ()) if clause.replaceable else ()
    while heirs:
        heir = heirs.pop()
        yield first_day(heir), last_day(heir)
        heirs += index.successors.get(heir.grant_id, ())


def _group(clauses: Iterable[Clause], key: Callable[[Clause], str | None]) -> dict[str | None, list[Clause]]:
    """Sort clauses into groups by a key."""
    groups: defaultdict[str | None, list[Clause]] = defaultdict(list)
    for clause in clauses:
        groups[key(clause)].append(clause)
    return dict(groups)
