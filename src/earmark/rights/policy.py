"""The policy: from a recording and its intended use to a verdict, as a pure function.

The rules, in order:

1. A grant covers a recording if every coverage column that it fills (track id, ISRC, UPC, label, rights holder) agrees
   with the recording's: a row with an ISRC and a label covers the recording that has both; one with a UPC covers the
   recordings of that release. Names are compared without regard to case and white space, identifiers without dashes.
2. It applies if it is to this licensee (or to `*`, anyone), for exactly this scope (none implies another), for this
   product or any, its territories less its exclusions hold this territory, the day lies within its validity, first and
   last day included, and no grant that supersedes it, directly or through others, is within its own validity on that
   day: what comes later counts if it says what it replaces.
3. Of the grants that apply the most specific decides: one that names a track id before one that names an ISRC, then a
   UPC, then a label, then a rights holder; a row's rank is that of its most specific column, and its other columns and
   its product only narrow it. Of one rank, forbidding comes before a constraint, a constraint before leave, whether to
   `*` or by name; of grants that say the same, the least grant id is named.
4. `allowed` gives `licensed`, `not_allowed` and no grant at all `unlicensed`, `constrained` `review`.
5. Contradictions give `review`: leave to this licensee where an exclusive grant to another, no less specific, applies;
   leave to anyone where a reservation, no less specific, applies and no grant gives leave to this licensee by name, for
   that is what a reservation asks for.
6. A fact that is missing, of the use or of the recording, gives `review`, unless every value that it may take leads to
   the same verdict. So does a missing registry.
7. Where several hold the rights, each holder's share is decided by itself, by the grants that name this holder or none.
   All must be licensed, or as great a share as the use says suffices (`earmark.rights.splitting`). What nobody is named
   to hold is somebody's whose name is missing.
8. Where catalog and registry contradict each other about a recording, each account is decided by itself, and accounts
   that lead to different verdicts give `review`.
"""

from fractions import Fraction

from earmark.rights.facts import Facts, FoldedUse, Recording, Use, facts_of, fold_use
from earmark.rights.knowledge import Case, cases_of
from earmark.rights.recordings import SHARE_TOLERANCE
from earmark.rights.registry import Registry
from earmark.rights.splitting import Part, put_together
from earmark.rights.weighing import Status, Verdict, weigh

__all__ = ["Recording", "Status", "Use", "Verdict", "decide"]


def decide(recording: Recording, registry: Registry | None, use: Use, *, n_runners_up: int = 0) -> Verdict:
    """Decide whether a license covers a use of a recording.

    Parameters
    ----------
    recording : Recording
        What the catalog says of the recording.
    registry : Registry or None
        The grants; None if there is none to ask.
    use : Use
        What is intended.
    n_runners_up : int
        How many of the grants that do not decide to put into words [>= 0].

    Returns
    -------
    Verdict
        By the rules at the head of this module. It depends on the arguments alone, and on what the registry file held
        when it was opened.

    Raises
    ------
    ParameterError
        If the use's scope or territory is unknown, its date is no plain date, or its share out of range.
    RegistryError
        If the registry file, in which recordings are looked up, is damaged.

    Examples
    --------
    >>> decide(Recording(track_id="t1"), None, Use()).reason
    'no registry given'
    """
    folded = fold_use(use)
    if registry is None:
        return Verdict(status="review", grant_id=None, reason="no registry given")
    if registry.recordings is None:
        return weigh(facts_of(recording, folded), registry, n_runners_up=n_runners_up)
    cases = cases_of(recording, registry.recordings)
    verdicts = [_decide_case(case, registry, folded, n_runners_up) for case in cases]
    first = verdicts[0]
    if all(verdict.status == first.status for verdict in verdicts):
        return first
    accounts = zip(cases, verdicts, strict=True)
    return Verdict(
        status="review",
        grant_id=None,
        reason="catalog and registry contradict each other about the recording: "
        + "; or ".join(f"if {_account(case)}, {verdict.reason}" for case, verdict in accounts),
        runners_up=tuple(dict.fromkeys(words for verdict in verdicts for words in verdict.runners_up)),
    )


def _decide_case(case: Case, registry: Registry, use: FoldedUse, n_runners_up: int) -> Verdict:
    """Decide one account of a recording."""
    holders = case.holders
    if not holders:
        return weigh(facts_of(case.recording, use), registry, n_runners_up=n_runners_up)
    if len(holders) == 1 and holders[0][1] == 1:
        return weigh(_facts_for(holders[0][0], case, use), registry, n_runners_up=n_runners_up)
    named: list[tuple[str | None, Fraction | None]] = [*holders]
    shares = [share for _, share in holders]
    missing = 0 if None in shares else 1 - sum(share for share in shares if share is not None)
    if missing > SHARE_TOLERANCE:
        named.append((None, Fraction(missing)))
    parts = []
    for holder, share in named:
        verdict = weigh(_facts_for(holder, case, use), registry, n_runners_up=n_runners_up)
        parts.append(Part(holder=holder, share=share, verdict=verdict))
    return put_together(parts, use.use.sufficient_share)


def _facts_for(holder: str | None, case: Case, use: FoldedUse) -> Facts:
    """Return the facts of a recording if all of it is one holder's."""
    of = case.recording
    recording = Recording(track_id=of.track_id, isrc=of.isrc, label=of.label, rightsholder=holder, upc=of.upc)
    return facts_of(recording, use)


def _account(case: Case) -> str:
    """Name what accounts differ in."""
    recording = case.recording
    holders = " and ".join(name for name, _ in case.holders) or recording.rightsholder
    names = {"its ISRC": recording.isrc, "its label": recording.label, "its rightsholder": holders}
    return ", ".join(f"{word} is {name}" for word, name in names.items() if name)
