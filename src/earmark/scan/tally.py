"""The counts of a scan: items, hours and causes, and in words what was covered and what was not."""

from collections import Counter
from typing import Any

from earmark.scan.exemptions import used_entries
from earmark.scan.judging import ItemRecord, union_s
from earmark.scan.rows import ItemRow

__all__ = ["Tally", "hours"]

_STATUSES = ("unmatched", "licensed", "unlicensed", "review", "error", "skipped")
_VERDICTS = ("licensed", "unlicensed", "review")
# Reasons counted one by one; those of a listing can name directories, and there may be any number of them.
_MAX_REASONS = 50
_OTHER_REASONS = "other reasons"


class Tally:
    """Counts the records of a scan as they come."""

    def __init__(self) -> None:
        self.items: Counter[str] = Counter()
        self.matches: Counter[str] = Counter()
        self.matched_s = dict.fromkeys(_VERDICTS, 0.0)
        self.problems: dict[str, Counter[str]] = {"error": Counter(), "skipped": Counter()}
        self.list_entries: Counter[tuple[str, int]] = Counter()
        self.n_matches = 0
        self.n_with_problems = 0
        self.n_of_unknown_length = 0
        self.listed_s = self.decoded_s = self.scanned_s = self.failed_s = self.skipped_s = self.any_matched_s = 0.0

    def add(self, record: ItemRecord) -> None:
        """Count one item."""
        item = record.item
        self.items[item.status] += 1
        self.listed_s += item.duration_s or 0.0
        self.decoded_s += record.decoded_s
        self.scanned_s += item.scanned_s
        self._add_unscanned(item)
        self.any_matched_s += item.matched_s
        self.n_matches += item.matches
        self.list_entries += used_entries(item, record.matches)
        for status in _VERDICTS:
            those = [match for match in record.matches if match.status == status]
            self.matches[status] += len({match.group_id for match in those})
            self.matched_s[status] += union_s(those)
        if record.problem is not None:
            self._add_problem("skipped" if item.status == "skipped" else "error", record.problem.kind)

    def _add_unscanned(self, item: ItemRow) -> None:
        if item.duration_s is None:
            self.n_of_unknown_length += item.status != "skipped"
        elif item.status == "skipped":
            self.skipped_s += item.duration_s
        else:
            self.failed_s += max(item.duration_s - item.scanned_s, 0.0)

    def sums(self) -> dict[str, Any]:
        """Return what a summary has of the counts, under the names that it has there."""
        return {
            "items": {**{status: self.items[status] for status in _STATUSES}, "total": sum(self.items.values())},
            "items_with_problems": self.n_with_problems,
            "matches": {**{status: self.matches[status] for status in _VERDICTS}, "total": self.n_matches},
            "hours": {
                "listed": hours(self.listed_s),
                "decoded": hours(self.decoded_s),
                "scanned": hours(self.scanned_s),
                "failed": hours(self.failed_s),
                "skipped": hours(self.skipped_s),
            },
            "matched_s": {
                **{status: round(self.matched_s[status], 3) for status in _VERDICTS},
                "any": round(self.any_matched_s, 3),
            },
            "errors": dict(self.problems["error"].most_common()),
            "skipped": dict(self.problems["skipped"].most_common()),
        }

    def coverage(self, *, complete: bool, stopped_by: str | None) -> str:
        """Say what was scanned, and count what was not, in words.

        Parameters
        ----------
        complete, stopped_by
            As in `Summary`.
        """
        n_items = sum(self.items.values())
        n_whole = n_items - self.n_with_problems - self.items["skipped"]
        sentences = [f"{n_whole:,} of {n_items:,} listed files were scanned from start to end."]
        if self.items["skipped"]:
            sentences.append(f"Left out by rule: {_counts(self.problems['skipped'])}.")
        if self.n_with_problems:
            sentences.append(f"Not scanned, or only in part: {_counts(self.problems['error'])}.")
        sentences.append(
            f"Of {hours(self.listed_s):,.3f} h of audio of known length {hours(self.scanned_s):,.3f} h were scanned, "
            f"{hours(self.failed_s):,.3f} h failed, and {hours(self.skipped_s):,.3f} h were left out by rule."
        )
        if self.n_of_unknown_length:
            sentences.append(f"The length of {self.n_of_unknown_length:,} of the files that failed is not known.")
        if stopped_by:
            sentences.append(f"The scan was stopped by {stopped_by} before the end of the corpus.")
        elif not complete:
            sentences.append("The scan has not come to its end.")
        return " ".join(sentences)

    def _add_problem(self, outcome: str, kind: str) -> None:
        counts = self.problems[outcome]
        counts[kind if kind in counts or len(counts) < _MAX_REASONS else _OTHER_REASONS] += 1
        self.n_with_problems += outcome == "error"


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{n:,} {kind}" for kind, n in counts.most_common())


def hours(seconds: float) -> float:
    """Return seconds as hours, to the few milliseconds that a summary keeps."""
    return round(seconds / 3600.0, 6)
