"""Weighing: the clauses about one recording of one rights holder, and the verdict that they lead to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from earmark.rights.facts import Facts
from earmark.rights.grants import Permission
from earmark.rights.index import Clause, GrantIndex, buckets_about, clauses_about, clauses_in
from earmark.rights.possibilities import (
    deciding_clause,
    holds_on,
    open_facts,
    possible_contradiction,
    possible_deciders,
)
from earmark.rights.reasons import (
    explain_absence,
    explain_choice,
    explain_contradiction,
    explain_decision,
    explain_doubt,
    explain_reservation,
    explain_runner_up,
    whatever,
)
from earmark.rights.registry import Registry

__all__ = ["Status", "Verdict", "weigh"]

Status = Literal["licensed", "unlicensed", "review"]

_STATUS_OF: Final[dict[Permission, Status]] = {
    "allowed": "licensed",
    "not_allowed": "unlicensed",
    "constrained": "review",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether a license covers a use of a recording.

    Parameters
    ----------
    status : str
        `licensed`, `unlicensed` or `review`.
    grant_id : str or None
        The grant that decides; None where none or several do.
    reason : str
        Why, in one sentence without a full stop.
    forbidden : bool
        Of `unlicensed`: whether a grant says so, where otherwise none says that it is allowed.
    runners_up : tuple of str
        Other grants about the recording and why they do not decide, the closest first; as many as were asked for.
    """

    status: Status
    grant_id: str | None
    reason: str
    forbidden: bool = False
    runners_up: tuple[str, ...] = ()


def weigh(facts: Facts, registry: Registry, *, n_runners_up: int = 0) -> Verdict:
    """Decide a case in which one holder, known or not, has all the rights.

    Parameters
    ----------
    facts : Facts
        The case.
    registry : Registry
        What the grants and reservations say.
    n_runners_up : int
        How many other grants to put into words [>= 0].

    Returns
    -------
    Verdict
        By rules 1 to 6 of `earmark.rights.policy`.
    """
    index = registry.index
    buckets = buckets_about(index, facts)
    clauses = [clause for clause in clauses_in(buckets, facts) if _may_apply(clause, facts, index)]
    unknown = [fact for fact in open_facts(facts, index) if fact.of_use or any(map(fact.matters_to, clauses))]
    deciders = _until_two_statuses(possible_deciders(clauses, unknown)) if unknown else [deciding_clause(clauses)]
    status = _status_of(deciders[0])
    grants = [decider for decider in deciders if decider is not None]
    if any(_status_of(other) != status for other in deciders[1:]):
        status, reason = "review", explain_doubt(deciders, [f for f in unknown if any(map(f.matters_to, clauses))])
    else:
        related = clauses_in(buckets, facts, any_scope=True) if not grants else ()
        reason = _explain(deciders, grants, clauses, related, facts, registry) + whatever(unknown)
    if status == "licensed" and (rival := _rival(clauses, facts, registry)) is not None:
        status, reason = "review", f"{reason}; but {explain_contradiction(rival, facts)}"
    elif status == "unlicensed" and registry.reserved is not None:
        reason += explain_reservation(_applying(registry.reserved, facts))
    return Verdict(
        status=status,
        grant_id=grants[0].grant.grant_id if len(deciders) == 1 and grants else None,
        reason=reason,
        forbidden=status == "unlicensed" and bool(grants),
        runners_up=_runners_up(grants, facts, index)[:n_runners_up] if n_runners_up else (),
    )


def _explain(
    deciders: Sequence[Clause | None],
    grants: Sequence[Clause],
    clauses: Sequence[Clause],
    related: Sequence[Clause],
    facts: Facts,
    registry: Registry,
) -> str:
    """Say why the deciders, which agree, lead to their verdict."""
    if len(deciders) == 1 and grants:
        return explain_decision(grants[0], clauses, facts)
    if grants:
        return explain_choice(grants, facts, everywhere=None not in deciders)
    return explain_absence(related, facts, registry.index)


def _may_apply(clause: Clause, facts: Facts, index: GrantIndex) -> bool:
    """Say whether neither a known territory, product nor date rules out a clause about the recording."""
    if facts.use.territory is not None and facts.use.territory not in clause.territories:
        return False
    if facts.use.product is not None and clause.product is not None and clause.product != facts.use.product:
        return False
    return facts.use.as_of is None or holds_on(clause, facts.use.as_of, index)


def _status_of(decider: Clause | None) -> Status:
    """Return what follows if this clause decides, or none."""
    return "unlicensed" if decider is None else _STATUS_OF[decider.grant.permission]


def _until_two_statuses(deciders: Iterable[Clause | None]) -> list[Clause | None]:
    """Collect distinct deciders, up to the first that gives another status than those before it."""
    found: dict[str | None, Clause | None] = {}
    statuses: set[Status] = set()
    for decider in deciders:
        found.setdefault(None if decider is None else decider.grant.grant_id, decider)
        statuses.add(_status_of(decider))
        if len(statuses) > 1:
            break
    return list(found.values())


def _applying(index: GrantIndex, facts: Facts, *, any_licensee: bool = False) -> list[Clause]:
    """Return the clauses that apply, or may, the first that would decide first."""
    about = clauses_about(index, facts, any_licensee=any_licensee)
    found = [clause for clause in about if _may_apply(clause, facts, index)]
    return sorted(found, key=lambda clause: clause.order)


def _rival(clauses: Sequence[Clause], facts: Facts, registry: Registry) -> Clause | None:
    """Return a clause that, for some values of what is unknown, contradicts the one that allows the use."""
    rivals: list[Clause] = []
    if registry.exclusives is not None:
        others = _applying(registry.exclusives, facts, any_licensee=True)
        rivals += [clause for clause in others if facts.use.licensee is None or clause.licensee != facts.use.licensee]
    if registry.reserved is not None:
        rivals += _applying(registry.reserved, facts)
    if not rivals:
        return None
    everything = [*clauses, *rivals]
    unknown = [
        fact for fact in open_facts(facts, registry.index, all_columns=True) if any(map(fact.matters_to, everything))
    ]
    return possible_contradiction(clauses, rivals, unknown)


def _runners_up(deciders: Sequence[Clause], facts: Facts, index: GrantIndex) -> tuple[str, ...]:
    """Put into words the other clauses about the recording for this licensee: those that apply first."""
    related = clauses_about(index, facts, any_scope=True)
    words = [
        (clause, explain_runner_up(clause, deciders, facts, index))
        for clause in sorted(related, key=lambda clause: clause.order)
        if all(clause is not decider for decider in deciders)
    ]
    words.sort(key=lambda pair: len(pair[1][1]))
    return tuple(sentence for _, (sentence, _) in words)
