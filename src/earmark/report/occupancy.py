"""Occupancy: whose each second of an item is, where matches overlap and where one recording has several ids."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from earmark.errors import ParameterError
from earmark.scan import MatchRow

__all__ = ["OVERLAPS", "matched_ms", "milliseconds", "occupied_ms"]

OVERLAPS = ("split", "once")
"""How a second that several matches claim is shared out: in equal parts, or to the match with the best odds alone."""


def milliseconds(seconds: float) -> int:
    """Return seconds of a row, which has three digits after the point, as whole milliseconds.

    Examples
    --------
    >>> milliseconds(1.005), milliseconds(0.1)
    (1005, 100)
    """
    return round(seconds * 1000)


def occupied_ms(matches: Sequence[MatchRow], overlaps: str) -> list[Fraction]:
    """Return how much of an item belongs to each of its matches.

    A moment is shared among the matches that claim it as `overlaps` says, and a match's part in equal parts among
    the track ids of its recording. So no moment counts twice, and none is lost.

    Parameters
    ----------
    matches
        All rows of one item.
    overlaps
        One of `OVERLAPS`.

    Returns
    -------
    list of Fraction
        Milliseconds, exact, one for each row; they sum to `matched_ms`.

    Raises
    ------
    ParameterError
        If `overlaps` is none of those.
    """
    if overlaps not in OVERLAPS:
        raise ParameterError(f"overlaps must be one of {', '.join(OVERLAPS)}, got {overlaps!r}")
    starts: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    for at, match in enumerate(matches):
        start, end = milliseconds(match.item_start_s), milliseconds(match.item_end_s)
        if start < end:
            starts.setdefault(start, []).append(at)
            ends.setdefault(end, []).append(at)
    owned = [Fraction(0)] * len(matches)
    rank = _ranks(matches)
    active: dict[str, set[int]] = {}
    for moment, following in pairwise([*sorted({*starts, *ends}), 0]):
        for at in ends.get(moment, ()):
            active[matches[at].group_id].discard(at)
            if not active[matches[at].group_id]:
                del active[matches[at].group_id]
        for at in starts.get(moment, ()):
            active.setdefault(matches[at].group_id, set()).add(at)
        if not active:
            continue
        groups = list(active) if overlaps == "split" else [min(active, key=rank.__getitem__)]
        for group in groups:
            for at in active[group]:
                owned[at] += Fraction(following - moment, len(groups) * len(active[group]))
    return owned


def _ranks(matches: Sequence[MatchRow]) -> dict[str, tuple[float, float, int]]:
    """Return what to order matches by: the better odds, then the higher score, then who comes first."""
    rank: dict[str, tuple[float, float, int]] = {}
    for at, match in enumerate(matches):
        mine = (match.log10_e_value, -match.score, at)
        rank[match.group_id] = min(rank.get(match.group_id, mine), mine)
    return rank


def matched_ms(matches: Sequence[MatchRow]) -> int:
    """Return how much of an item lies in any of its matches, in milliseconds."""
    total, reached = 0, 0
    for start, end in sorted((milliseconds(m.item_start_s), milliseconds(m.item_end_s)) for m in matches):
        total += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return total
