"""The policy: from a recording and its intended use to a verdict, as a pure function.

The rules, in order:

1. A grant covers a recording if every coverage column that it fills (track id, ISRC, UPC, label, rights holder) agrees
   with the recording's: a row with an ISRC and a label covers the recording that has both; one with a UPC covers the
   recordings of that release. Names are compared without regard to case and white space, identifiers without dashes.
2. It applies if it is to this licensee (or to `*`, anyone), for exactly this scope (none implies another), for this
   product or any, its territories less its exclusions hold this territory, the day lies within its validity, first and
   last day included, before the day on which it was withdrawn, and no grant that supersedes it, directly or through
   others, has begun by then: what comes later counts if it says what it replaces. A refusal that was superseded is in
   force again when its successor has ended; leave is not.
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

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from earmark.rights.facts import FoldedUse, Recording, Use, facts_of, fold_use, with_holder
from earmark.rights.knowledge import Case, cases_of, places_of
from earmark.rights.recordings import SHARE_TOLERANCE
from earmark.rights.registry import Registry
from earmark.rights.splitting import Part, put_together
from earmark.rights.territories import split_world
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
    if folded.territory is None and (places := places_of(recording, registry.recordings)):
        countries = _one_of_each(places, registry.index.places, _places_reserved(registry))
        uses = {country: fold_use(replace(use, territory=country)) for country in countries}
        return _whatever_territory(
            {country: _decide_there(recording, registry, here, n_runners_up) for country, here in uses.items()}
        )
    return _decide_there(recording, registry, folded, n_runners_up)


@lru_cache(maxsize=256)
def _one_of_each(*places: frozenset[frozenset[str]]) -> tuple[str, ...]:
    """Return a country of each class of countries that no shares, grants and reservations tell apart."""
    return tuple(map(min, split_world(frozenset().union(*places))))


def _places_reserved(registry: Registry) -> frozenset[frozenset[str]]:
    return frozenset() if registry.reserved is None else registry.reserved.places


def _whatever_territory(verdicts: Mapping[str, Verdict]) -> Verdict:
    """Put together the verdicts for one country of each class of countries that nothing tells apart."""
    first: dict[Status, tuple[str, Verdict]] = {}
    for country, verdict in verdicts.items():
        first.setdefault(verdict.status, (country, verdict))
    words = [f"in {country}, {verdict.reason}" for country, verdict in first.values()]
    status, *others = first
    ids = {verdict.grant_id for verdict in verdicts.values()}
    return Verdict(
        status="review" if others else status,
        grant_id=ids.pop() if len(ids) == 1 and not others else None,
        reason=("cannot be decided without the territory: " if others else "whatever the territory: such as ")
        + "; or ".join(words),
        forbidden=all(verdict.forbidden for verdict in verdicts.values()),
        runners_up=_all_runners_up(verdict for _, verdict in first.values()),
    )


def _decide_there(recording: Recording, registry: Registry, use: FoldedUse, n_runners_up: int) -> Verdict:
    """Decide a case in which it is known who holds which share in the territory, or matters not."""
    assert registry.recordings is not None
    cases = cases_of(recording, registry.recordings, use.territory)
    first = _decide_case(cases[0], registry, use, n_runners_up)
    verdicts = [first, *[_decide_case(case, registry, use, n_runners_up) for case in cases[1:]]]
    if all(verdict.status == first.status for verdict in verdicts[1:]):
        return first
    accounts = zip(cases, verdicts, strict=True)
    return Verdict(
        status="review",
        grant_id=None,
        reason="catalog and registry contradict each other about the recording: "
        + "; or ".join(f"if {_account(case, cases)}, {verdict.reason}" for case, verdict in accounts),
        runners_up=_all_runners_up(verdicts),
    )


def _all_runners_up(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words for verdict in verdicts for words in verdict.runners_up))


def _decide_case(case: Case, registry: Registry, use: FoldedUse, n_runners_up: int) -> Verdict:
    """Decide one account of a recording."""
    facts = facts_of(case.recording, use)
    if not case.holders:
        return weigh(facts, registry, n_runners_up=n_runners_up)
    named: list[tuple[str | None, Fraction | None]] = [*case.holders]
    missing = _missing(tuple([share for _, share in named]))
    if missing > SHARE_TOLERANCE:
        named.append((None, missing))
    parts = []
    for holder, share in named:
        verdict = weigh(with_holder(facts, holder), registry, n_runners_up=n_runners_up)
        parts.append(Part(holder=holder, share=share, verdict=verdict))
    return put_together(parts, use.given.sufficient_share)


@lru_cache(maxsize=4096)  # few ways to share are in use, and fractions are slow
def _missing(shares: tuple[Fraction | None, ...]) -> Fraction:
    """Return the share that nobody is named to hold; nothing where a share is not known, for that may be all of it."""
    known = [share for share in shares if share is not None]
    return 1 - sum(known, Fraction()) if len(known) == len(shares) else Fraction()


def _account(case: Case, cases: Sequence[Case]) -> str:
    """Name what accounts may differ in."""
    recording = case.recording
    holders = " and ".join(name for name, _ in case.holders) or recording.rightsholder
    several_tracks = len({each.recording.track_id for each in cases}) > 1
    names = {
        "its track id": recording.track_id if several_tracks else None,
        "its ISRC": recording.isrc,
        "its label": recording.label,
        "its rightsholder": holders,
    }
    return ", ".join(f"{word} is {name}" for word, name in names.items() if name)
