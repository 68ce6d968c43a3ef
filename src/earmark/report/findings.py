"""Findings: matches as a person reads them, one for each recording found at a place, the worst first."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

from earmark.scan import MatchRow, worst_status

__all__ = ["Finding", "odds_in_words", "seconds_in_words", "worst_findings"]

_SEVERITY = {"unlicensed": 0, "review": 1, "licensed": 2}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A recording found in an item.

    Attributes
    ----------
    item
        Id of the item.
    item_start_s, item_end_s
        The seconds of the item.
    track
        Artist and title, or the track id if there is no title; with a count of further ids of the same recording.
    track_start_s, track_end_s
        The seconds of the track.
    status
        The worst of its track ids.
    log10_e_value
        The best of its track ids.
    reason
        Why it has this status.
    """

    item: str
    item_start_s: float
    item_end_s: float
    track: str
    track_start_s: float
    track_end_s: float
    status: str
    log10_e_value: float
    reason: str


def worst_findings(matches: Iterable[MatchRow], limit: int) -> tuple[list[Finding], int]:
    """Return what a person should look at first, and how many findings there are in all.

    Parameters
    ----------
    matches
        In the order in which a scan wrote them; taken one by one.
    limit
        How many to return at most [>= 0].

    Returns
    -------
    findings : list of Finding
        Unlicensed ones first, then those for review, then licensed ones; of one status in the order of the scan.
    n_findings : int
        How many there are.
    """
    ranked = ((_SEVERITY.get(finding.status, 0), n, finding) for n, finding in enumerate(_findings(matches)))
    worst: list[tuple[int, int, Finding]] = []
    n_findings = 0
    # Sorted batch by batch, so that no more than a batch is held, however many findings there are.
    while batch := list(itertools.islice(ranked, limit + 1000)):
        n_findings += len(batch)
        worst = sorted([*worst, *batch], key=lambda one: one[:2])[:limit]
    return [finding for _, _, finding in worst], n_findings


def _findings(matches: Iterable[MatchRow]) -> Iterator[Finding]:
    """Join the track ids of each recording at a place."""
    for _, of_item in itertools.groupby(matches, key=lambda match: match.item):
        groups: dict[str, list[MatchRow]] = {}
        for match in of_item:
            groups.setdefault(match.group_id, []).append(match)
        yield from map(_finding, groups.values())


def _finding(group: Sequence[MatchRow]) -> Finding:
    status = worst_status({match.status for match in group})
    shown = next((match for match in group if match.status == status), group[0])
    more = len({match.track_id for match in group}) - 1
    return Finding(
        item=shown.item,
        item_start_s=shown.item_start_s,
        item_end_s=shown.item_end_s,
        track=_track_in_words(shown) + (f" (+{more} id{'s' if more > 1 else ''})" if more else ""),
        track_start_s=shown.track_start_s,
        track_end_s=shown.track_end_s,
        status=shown.status,
        log10_e_value=min(match.log10_e_value for match in group),
        reason=shown.reason,
    )


def _track_in_words(match: MatchRow) -> str:
    if match.title is None:
        return match.track_id
    return match.title if match.artist is None else f"{match.artist}: {match.title}"


def odds_in_words(log10_e_value: float) -> str:
    """Return odds for a table: the expected number of chance matches in an hour.

    Parameters
    ----------
    log10_e_value
        Its log [-300 <= log10_e_value].

    Examples
    --------
    >>> odds_in_words(-11.7), odds_in_words(-300.0)
    ('E 2e-12/h', 'E 1e-300/h')
    """
    return f"E {10.0**log10_e_value:.0e}/h"


def seconds_in_words(start_s: float, end_s: float) -> str:
    """Return a stretch of time for a table, in seconds.

    Examples
    --------
    >>> seconds_in_words(0.0, 9.96)
    '0.0-10.0'
    """
    return f"{start_s:.1f}-{end_s:.1f}"
