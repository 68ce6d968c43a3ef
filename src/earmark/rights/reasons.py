"""Reasons: one sentence for each verdict, exact about grants and dates.

No reason names a licensee other than the one asked about: contracts with others are nobody's business.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from operator import attrgetter
from typing import Final

from earmark.rights.facts import Facts, Recording
from earmark.rights.grants import COVERAGE_COLUMNS, COVERAGE_WORDS, Grant, Permission, last_day
from earmark.rights.index import Clause, GrantIndex, successor_on
from earmark.rights.possibilities import OpenFact
from earmark.rights.territories import describe_territories

__all__ = [
    "explain_absence",
    "explain_choice",
    "explain_contradiction",
    "explain_decision",
    "explain_doubt",
    "explain_reservation",
    "explain_runner_up",
    "whatever",
]

_DOES_IT: Final[dict[Permission, str]] = {
    "allowed": "allows it",
    "not_allowed": "forbids it",
    "constrained": "allows it under constraints",
}
_MAY_DO_IT: Final[dict[Permission, str]] = {
    "allowed": "may allow it",
    "not_allowed": "may forbid it",
    "constrained": "may allow it under constraints",
}
_LIMITS: Final = " under constraints that must be checked"
_COVERED: Final = attrgetter(*COVERAGE_COLUMNS)
# A reason names up to this many grants one by one; beyond it, a count reads better.
_MAX_NAMED: Final = 5


def explain_decision(clause: Clause, applicable: Iterable[Clause], facts: Facts) -> str:
    """Say which clause decides, and over which other it prevails.

    Parameters
    ----------
    clause : Clause
        The one that decides.
    applicable : iterable of Clause
        All that apply, or may.
    facts : Facts
        The case.

    Returns
    -------
    str
        A sentence without a full stop.
    """
    grant = clause.grant
    verb = "forbids" if grant.permission == "not_allowed" else "allows"
    words = f"{_name(grant)} {verb} {_asked(facts)} for {_list_columns(grant, ' and ')}"
    if grant.permission == "constrained":
        words += _LIMITS + (f": {_clean(grant.constraints)}" if grant.constraints else "")
    rivals = [c for c in applicable if c.order > clause.order and c.grant.permission != grant.permission]
    if not rivals:
        return words
    rival = min(rivals, key=lambda other: other.order)
    why = "being more specific" if rival.order[0] > clause.order[0] else "being the stricter of equal rank"
    return f"{words}; {why}, it prevails over {_name(rival.grant)}, which {_DOES_IT[rival.grant.permission]}"


def explain_choice(clauses: Sequence[Clause], facts: Facts, *, everywhere: bool) -> str:
    """Say that clauses decide alike, each for some values of what is unknown.

    Parameters
    ----------
    clauses : sequence of Clause
        One or more of one permission.
    facts : Facts
        The case.
    everywhere : bool
        Whether one of them decides for every value; otherwise they forbid, and no clause allows the rest.

    Returns
    -------
    str
        A sentence without a full stop.
    """
    ids = sorted(clause.grant.grant_id for clause in clauses)
    names = _enumerate(ids, "and") if len(ids) <= _MAX_NAMED else f"{len(ids)} in number"
    plural = "s" if len(ids) > 1 else ""
    if not everywhere:
        return f"no grant allows {_asked(facts)}, and grant{plural} {names} may forbid it"
    verb = "forbid" if clauses[0].grant.permission == "not_allowed" else "allow"
    limits = _LIMITS if clauses[0].grant.permission == "constrained" else ""
    return f"grants {names} between them {verb} {_asked(facts)}{limits}"


def explain_absence(related: Sequence[Clause], facts: Facts, index: GrantIndex) -> str:
    """Say that no clause allows the use, and why the one that comes closest does not.

    Parameters
    ----------
    related : sequence of Clause
        Clauses that may cover the recording for this licensee, whatever their scope.
    facts : Facts
        The case.
    index : GrantIndex
        The registry's grants.

    Returns
    -------
    str
        A sentence without a full stop. The closest clause is the one with the fewest obstacles, then the least in
        `Clause.order`.
    """
    near = [
        (obstacles, clause)
        for clause in related
        if clause.grant.permission != "not_allowed" and (obstacles := _list_obstacles(clause, facts, index))
    ]
    if near:
        obstacles, clause = min(near, key=lambda pair: (len(pair[0]), pair[1].order))
        of_other_scope = facts.use.scope not in {None, clause.grant.scope}
        leave = "" if of_other_scope else f"{_DOES_IT[clause.grant.permission]} but "
        return f"{_name(clause.grant)} {leave}{_enumerate(obstacles, 'and')}"
    party = "" if facts.use.licensee is None else f" to {_clean(facts.use.given.licensee)}"
    verb = f"allows {facts.use.scope or 'any use'} of" if related else "covers"
    columns = _list_columns(facts.recording, ", ")
    return f"no grant{party} {verb} " + (f"the recording ({columns})" if columns else "a recording that has no name")


def explain_doubt(deciders: Sequence[Clause | None], unknown: Sequence[OpenFact]) -> str:
    """Say what must be known to decide, and what may come of it.

    Parameters
    ----------
    deciders : sequence of Clause or None
        Clauses of different verdicts, each deciding for some values of what is unknown.
    unknown : sequence of OpenFact
        The unknown facts that matter.

    Returns
    -------
    str
        A sentence without a full stop.
    """
    outcomes = [f"{_name(c.grant)} {_MAY_DO_IT[c.grant.permission]}" for c in deciders if c is not None]
    if None in deciders:
        outcomes.append("no grant may apply")
    return f"cannot be decided without {_enumerate([f.name for f in unknown], 'and')}: {_enumerate(outcomes, 'or')}"


def explain_contradiction(rival: Clause, facts: Facts) -> str:
    """Say what contradicts the leave that a grant gives.

    Parameters
    ----------
    rival : Clause
        An exclusive grant to another licensee, whom the words do not name, or a reservation.
    facts : Facts
        The case.

    Returns
    -------
    str
        A clause without a full stop.
    """
    if not rival.grant.exclusive:
        return f"{_reservation(rival)} keeps {facts.use.scope or 'it'} from anyone without a grant of its own"
    return f"somebody else's exclusive grant covers the same ({_list_columns(rival.grant, ' and ')})"


def explain_reservation(reserved: Sequence[Clause]) -> str:
    """Add the first of the reservations that apply to a reason; an empty string if there are none."""
    if not reserved:
        return ""
    more = {clause.grant.grant_id.rsplit("/", 1)[0] for clause in reserved}
    also = f", as {len(more) - 1} more do" if len(more) > 1 else ""
    return f"; {_reservation(reserved[0])} reserves it{also}"


def _reservation(clause: Clause) -> str:
    """Name a reservation, with where and when it was declared."""
    grant = clause.grant
    details = [_clean(grant.contract_ref)] if grant.contract_ref else []
    details += [f"asserted on {grant.valid_from}"] if grant.valid_from is not None else []
    return f"reservation {grant.grant_id.rsplit('/', 1)[0]}" + (f" ({', '.join(details)})" if details else "")


def explain_runner_up(
    clause: Clause, deciders: Sequence[Clause], facts: Facts, index: GrantIndex
) -> tuple[str, list[str]]:
    """Say why a clause about the recording does not decide.

    Parameters
    ----------
    clause : Clause
        The clause.
    deciders : sequence of Clause
        Those that do decide.
    facts : Facts
        The case.
    index : GrantIndex
        The registry's grants.

    Returns
    -------
    words : str
        A sentence without a full stop.
    obstacles : list of str
        What keeps it from applying, as verb phrases; none if it applies, or may.
    """
    grant = clause.grant
    obstacles = _list_obstacles(clause, facts, index)
    does = {"allowed": "allows", "not_allowed": "forbids", "constrained": "allows under constraints"}[grant.permission]
    words = f"{_name(grant)} {does} {grant.scope} for {_list_columns(grant, ' and ')}"
    if obstacles:
        return f"{words} but {_enumerate(obstacles, 'and')}", obstacles
    first = min(deciders, key=lambda decider: decider.order, default=None)
    if first is None or first.order > clause.order:
        return f"{words}, if it applies", obstacles
    if first.order[0] < clause.order[0]:
        return f"{words} but is less specific", obstacles
    strict = first.order[1] < clause.order[1]
    return f"{words} but is {'the less strict' if strict else 'no stricter'} of equal rank", obstacles


def whatever(unknown: Sequence[OpenFact]) -> str:
    """Say that a verdict holds for all values of the unknown facts; an empty string if there are none."""
    return f", whatever {_enumerate([fact.name for fact in unknown], 'and')}" if unknown else ""


def _list_obstacles(clause: Clause, facts: Facts, index: GrantIndex) -> list[str]:
    """List the known facts that keep a clause about the recording from applying, as verb phrases; the scope first."""
    grant, found = clause.grant, []
    if facts.use.scope not in {None, grant.scope}:
        found.append(f"covers {grant.scope} only (which does not imply {facts.use.scope})")
    if facts.use.territory is not None and facts.use.territory not in clause.territories:
        held = f"covers {describe_territories(clause.territories)} only, not {facts.use.territory}"
        found.append(f"excludes {facts.use.territory}" if facts.use.territory in grant.territories else held)
    if facts.use.product is not None and clause.product not in {None, facts.use.product}:
        found.append(f"is for {_clean(grant.product)} only, not {_clean(facts.use.given.product)}")
    if facts.use.as_of is not None:
        found += _list_date_obstacles(clause, facts.use.as_of, index)
    return found


def _list_date_obstacles(clause: Clause, day: date, index: GrantIndex) -> list[str]:
    """Say why a clause is not in force on a day; empty if it is."""
    if clause.start > day:
        return [f"begins on {clause.start}, after {day}"]
    if clause.end < day:
        withdrawn = clause.grant.withdrawn_on
        if withdrawn is not None and (clause.grant.valid_to is None or withdrawn <= clause.grant.valid_to):
            return [f"was withdrawn on {withdrawn}"]
        return [f"ended on {clause.end}, before {day}"]
    heir = successor_on(index, clause.grant, day)
    if heir is None:
        return []
    if last_day(heir) < day:
        return [f"was superseded by {_name(heir)}, which ended on {last_day(heir)}"]
    return [f"is superseded by {_name(heir)}, in force on {day}"]


def _name(grant: Grant) -> str:
    """Name a grant, with its contract if it has one."""
    return f"grant {grant.grant_id}" + (f" (contract {grant.contract_ref})" if grant.contract_ref else "")


def _asked(facts: Facts) -> str:
    """Describe what is intended, leaving out what is not given."""
    words = facts.use.scope or "any use"
    if facts.use.product is not None:
        words += f" for {_clean(facts.use.given.product)}"
    if facts.use.licensee is not None:
        words += f" by {_clean(facts.use.given.licensee)}"
    if facts.use.territory is not None:
        words += f" in {facts.use.territory}"
    return words if facts.use.as_of is None else f"{words} on {facts.use.as_of}"


def _list_columns(named: Recording | Grant, separator: str) -> str:
    """Name what a recording is, or what a grant covers, by its coverage columns."""
    columns = zip(COVERAGE_WORDS, _COVERED(named), strict=True)
    return separator.join([f"{word} {name}" for word, value in columns if value and (name := _clean(value))])


def _clean(text: str | tuple[str, ...] | None) -> str:
    """Put a name, or the first of several, on one line."""
    if isinstance(text, tuple):
        more = f" and {len(text) - 1} more" if len(text) > 1 else ""
        return _clean(text[0]) + more if text else ""
    return " ".join((text or "").split())


def _enumerate(parts: Sequence[str], conjunction: str) -> str:
    """Join phrases: `a`, `a and b`, `a, b and c`."""
    return f" {conjunction} ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
