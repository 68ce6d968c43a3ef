"""The policy: from a recording and its intended use to a verdict, as a pure function.

The rules, in order:

1. A grant covers a recording if every coverage column that it fills (track id, ISRC, label, rights holder) agrees with
   the recording's: a row with an ISRC and a label covers the recording that has both. Names are compared without regard
   to case and white space, ISRCs without dashes.
2. It applies if it is to this licensee (or to `*`, anyone), for exactly this scope (none implies another), its
   territories less its exclusions hold this territory, the day lies within its validity, first and last day included,
   and no grant that supersedes it, directly or through others, is within its own validity on that day.
3. Of the grants that apply the most specific decides: one that names a track id before one that names an ISRC, then a
   label, then a rights holder; a row's rank is that of its most specific column, and its other columns only narrow it.
   Of one rank, forbidding comes before a constraint, a constraint before leave, whether to `*` or by name; of grants
   that say the same, the least grant id is named.
4. `allowed` gives `licensed`, `not_allowed` and no grant at all `unlicensed`, `constrained` `review`.
5. A fact that is missing, of the use or of the recording, gives `review`, unless every value that it may take leads to
   the same verdict. So does a missing registry.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from earmark.rights.facts import Facts, Recording, Use, establish_facts
from earmark.rights.grants import Permission
from earmark.rights.index import Clause, GrantIndex, clauses_about
from earmark.rights.possibilities import holds_on, open_facts, possible_deciders
from earmark.rights.reasons import explain_absence, explain_choice, explain_decision, explain_doubt, whatever
from earmark.rights.registry import Registry

__all__ = ["Recording", "Status", "Use", "Verdict", "decide"]

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
    """

    status: Status
    grant_id: str | None
    reason: str


def decide(recording: Recording, registry: Registry | None, use: Use) -> Verdict:
    """Decide whether a license covers a use of a recording.

    Parameters
    ----------
    recording : Recording
        What the catalog says of the recording.
    registry : Registry or None
        The grants; None if there is none to ask.
    use : Use
        What is intended.

    Returns
    -------
    Verdict
        By the rules at the head of this module. It depends on the arguments alone.

    Raises
    ------
    ParameterError
        If the use's scope or territory is unknown, or its date is no plain date.

    Examples
    --------
    >>> decide(Recording(track_id="t1"), None, Use()).reason
    'no registry given'
    """
    facts = establish_facts(recording, use)
    if registry is None:
        return Verdict(status="review", grant_id=None, reason="no registry given")
    index = registry.index
    clauses = [clause for clause in clauses_about(index, facts) if _may_apply(clause, facts, index)]
    unknown = [
        fact for fact in open_facts(facts, index) if fact.of_use or any(fact.matters_to(clause) for clause in clauses)
    ]
    deciders = _until_two_statuses(possible_deciders(clauses, unknown))
    status, *others = {_status_of(decider) for decider in deciders}
    if others:
        return Verdict(
            status="review",
            grant_id=None,
            reason=explain_doubt(deciders, [fact for fact in unknown if any(map(fact.matters_to, clauses))]),
        )
    grants = [decider for decider in deciders if decider is not None]
    if len(deciders) == 1 and grants:
        reason = explain_decision(grants[0], clauses, facts)
    elif grants:
        reason = explain_choice(grants, facts, everywhere=None not in deciders)
    else:
        reason = explain_absence(_clauses_of_any_scope(facts, index), facts, index)
    return Verdict(
        status=status,
        grant_id=grants[0].grant.grant_id if len(deciders) == 1 and grants else None,
        reason=reason + whatever(unknown),
    )


def _may_apply(clause: Clause, facts: Facts, index: GrantIndex) -> bool:
    """Say whether neither a known territory nor a known date rules out a clause about the recording."""
    if facts.territory is not None and facts.territory not in clause.territories:
        return False
    return facts.as_of is None or holds_on(clause, facts.as_of, index)


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


def _clauses_of_any_scope(facts: Facts, index: GrantIndex) -> list[Clause]:
    """Find the clauses that may cover the recording for this licensee, whatever their scope."""
    return clauses_about(index, replace(facts, scope=None))
