"""From what was heard in an item to its rows: rights, sums and the item's status."""

import dataclasses
from collections.abc import Iterable

from earmark.catalog import Track
from earmark.corpus import Skipped, Unlistable
from earmark.matching import Match
from earmark.rights import Recording, Registry, Use, Verdict, decide
from earmark.scan.listening import Hearing, Problem
from earmark.scan.rows import ItemRow, ItemStatus, MatchRow, worst_status

__all__ = ["ItemRecord", "Judge", "unheard", "union_s"]

_LOWEST_LOG10 = -300.0  # DESIGN.md §2.7


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ItemRecord:
    """All that a scan has to say about one item.

    Attributes
    ----------
    item
        Its line in `items.jsonl`.
    matches
        Its lines in `matches.jsonl`.
    decoded_s
        Seconds of it that were decoded.
    problem
        What `item.error` says, with a word to count it by.
    """

    item: ItemRow
    matches: tuple[MatchRow, ...] = ()
    decoded_s: float = 0.0
    problem: Problem | None = None


class Judge:
    """Puts matches and rights together.

    Parameters
    ----------
    registry
        The grants; None if there is none, and then every match is up for review.
    use
        What is intended.
    """

    def __init__(self, registry: Registry | None, use: Use) -> None:
        self._registry, self._use = registry, use
        self._verdicts: dict[Recording, Verdict] = {}

    def judge(self, item_id: str, hearing: Hearing) -> ItemRecord:
        """Return the record of an item that was listened to."""
        matches = tuple(self._match_row(item_id, match, track) for match, track in hearing.found)
        status: ItemStatus
        if hearing.outcome == "heard":
            status = worst_status({match.status for match in matches}) or "unmatched"  # type: ignore[assignment]
        else:
            status = "error" if hearing.outcome == "error" else "skipped"
        row = ItemRow(
            item=item_id,
            sha256=hearing.sha256,
            duration_s=None if hearing.duration_s is None else round(hearing.duration_s, 3),
            scanned_s=round(hearing.scanned_s, 3),
            status=status,
            matched_s=union_s(matches),
            matches=len({match.group_id for match in matches}),
            error=None if hearing.problem is None else hearing.problem.words,
        )
        return ItemRecord(item=row, matches=matches, decoded_s=hearing.decoded_s, problem=hearing.problem)

    def _match_row(self, item_id: str, match: Match, track: Track) -> MatchRow:
        verdict = self._verdict(track)
        return MatchRow(
            item=item_id,
            item_start_s=round(match.item_start_s, 3),
            item_end_s=round(match.item_end_s, 3),
            track_id=track.track_id,
            group_id=f"{item_id}#{match.group}",
            isrc=track.isrc,
            title=track.title,
            artist=track.artist,
            label=track.label,
            rightsholder=track.rightsholder,
            track_start_s=round(match.track_start_s, 3),
            track_end_s=round(match.track_end_s, 3),
            tempo_ratio=round(match.tempo_ratio, 4),
            pitch_semitones=round(match.pitch_semitones, 2),
            score=round(match.score, 3),
            expected_score=round(match.expected_score, 3),
            log10_e_value=max(round(match.log10_e_value, 2), _LOWEST_LOG10),
            status=verdict.status,
            grant_id=verdict.grant_id,
            reason=verdict.reason,
        )

    def _verdict(self, track: Track) -> Verdict:
        recording = Recording(
            track_id=track.track_id, isrc=track.isrc, label=track.label, rightsholder=track.rightsholder
        )
        if recording not in self._verdicts:
            self._verdicts[recording] = decide(recording, self._registry, self._use)
        return self._verdicts[recording]


def unheard(entry: Skipped | Unlistable) -> ItemRecord:
    """Return the record of an entry that no one listens to."""
    status: ItemStatus
    if isinstance(entry, Skipped):
        status, problem = "skipped", Problem(kind=entry.reason, words=entry.reason)
    else:
        status, problem = "error", Problem(kind="not readable", words=entry.error)
    row = ItemRow(
        item=entry.id,
        sha256=None,
        duration_s=None,
        scanned_s=0.0,
        status=status,
        matched_s=0.0,
        matches=0,
        error=problem.words,
    )
    return ItemRecord(item=row, problem=problem)


def union_s(matches: Iterable[MatchRow]) -> float:
    """Return the seconds of an item that lie in any of its matches."""
    total, reached = 0.0, 0.0
    for start, end in sorted((match.item_start_s, match.item_end_s) for match in matches):
        total += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return round(total, 3)
