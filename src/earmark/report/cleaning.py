"""The clean corpus: a corpus without what a scan found in it, by a policy of what goes and how."""

import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from earmark.audio.redaction import REDACTED_SUFFIXES, redact_audio
from earmark.corpus import CorpusOptions, local_path
from earmark.corpus.copying import copy_corpus
from earmark.corpus.fate import Fate, Redacted, written
from earmark.corpus.id_set import IdSet
from earmark.errors import AudioError, ParameterError, ScanError
from earmark.report.records import read_items, read_matches, read_summary
from earmark.scan import ItemRow, fully_heard

__all__ = ["CLEAN_FILE", "CleanPolicy", "Cleaned", "check_clean_out", "clean_corpus"]

logger = logging.getLogger(__name__)

CLEAN_FILE = "clean.json"
"""What was done, beside the clean corpus."""

_MATCHED = ("licensed", "unlicensed", "review")
_MAX_PROBLEMS = 10_000
# Where a match starts and ends is known to about a quarter of a second (README, "Measured").
_MARGIN_S = 0.25


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CleanPolicy:
    """What goes, and how.

    Attributes
    ----------
    statuses
        Of `licensed`, `unlicensed` and `review`: the matches that count.
    keep_unheard
        Whether items stay that were not heard, or not as a whole, and so are not cleared; see `fully_heard`.
    min_matched_s
        Items with fewer seconds in such matches stay [>= 0].
    min_matched_share
        Items with less of their length in such matches stay [0 <= share <= 1].
    redact
        "silence" or "cut": only the matched seconds go; None: the whole item.
    redact_form
        "flac" or "wav", what redacted items become.
    margin_s
        Seconds that go before and behind a match [>= 0].
    link
        Whether hard links are made to the files of a folder that stay.
    """

    statuses: tuple[str, ...] = ("unlicensed", "review")
    keep_unheard: bool = False
    min_matched_s: float = 0.0
    min_matched_share: float = 0.0
    redact: str | None = None
    redact_form: str = "flac"
    margin_s: float = _MARGIN_S
    link: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Cleaned:
    """What a cleaning came to.

    Attributes
    ----------
    kept, dropped, redacted
        Items that stayed, went, and lost some seconds.
    kept_unheard, dropped_unheard
        Items among those kept and among those dropped that were not heard, or not as a whole: nobody knows what is in
        them.
    unknown
        Items among those dropped that the scan does not know: they came later, or changed their names.
    removed_s
        Seconds that were redacted.
    problems
        Places that could not be copied, and why; at most 10,000 of them.
    n_problems
        How many there were.
    """

    kept: int
    dropped: int
    redacted: int
    kept_unheard: int
    dropped_unheard: int
    unknown: int
    removed_s: float
    problems: tuple[tuple[str, str], ...]
    n_problems: int


def clean_corpus(scan: Path, out: Path, policy: CleanPolicy | None = None, *, corpus: str | None = None) -> Cleaned:
    """Write a corpus anew without what a scan found in it, in the form that it has; see `copy_corpus`.

    Parameters
    ----------
    scan
        Folder of a finished scan.
    out
        A new or an empty folder, outside the corpus.
    policy
        What goes, and how.
    corpus
        Where the corpus is now; None is where the scan found it.

    Returns
    -------
    Cleaned
        As in `clean.json`, which is written too.

    Raises
    ------
    ScanError
        If the scan cannot be read, did not go to the end of the corpus or is of a shard of it, or `out` cannot be used.
    CorpusError
        If the corpus cannot be read.
    ParameterError
        If the policy makes no sense.
    """
    policy = policy or CleanPolicy()
    _check(policy)
    summary = read_summary(scan)
    if not summary.get("complete"):
        raise ScanError(f"{scan}: the scan did not come to the end of the corpus; finish it first")
    shard = summary["options"].get("shard")
    if shard is not None:
        raise ScanError(f"{scan}: holds shard {shard} of the corpus alone; join all shards with `earmark merge` first")
    location = corpus or str(summary["corpus"])
    check_clean_out(out, location)
    fates = _Fates(scan, policy)
    copy_corpus(location, out, fates, _reading(summary), link=policy.link)
    cleaned = fates.result()
    about = {
        "scan": str(scan),
        "corpus": location,
        "catalog_digest": summary["catalog"]["digest"],
        "policy": dataclasses.asdict(policy),
        **dataclasses.asdict(cleaned),
    }
    with written(out / CLEAN_FILE) as file:
        file.write(json.dumps(about, indent=2, ensure_ascii=True).encode() + b"\n")
    return cleaned


class _Fates:
    """Decides by the rows of a scan, and counts; see `earmark.corpus.fate.Fates`."""

    def __init__(self, scan: Path, policy: CleanPolicy) -> None:
        self._policy = policy
        self._known, self._unheard = IdSet(), IdSet()
        self._spans = _spans(scan, policy)
        self._flagged: set[str] = set()
        for row in read_items(scan):
            self._known.add(row.item)
            if not fully_heard(row):
                self._unheard.add(row.item)
            if _goes(row, self._spans.get(row.item, []), policy):
                self._flagged.add(row.item)
        counted = ("kept", "dropped", "redacted", "kept_unheard", "dropped_unheard", "unknown")
        self._counts = dict.fromkeys(counted, 0)
        self._removed_s = 0.0
        self._problems: list[tuple[str, str]] = []
        self._n_problems = 0

    def peek(self, item_id: str) -> Fate:
        if item_id not in self._known or (item_id in self._unheard and not self._policy.keep_unheard):
            return "drop"
        if item_id not in self._flagged:
            return "keep"
        return "redact" if self._policy.redact is not None and item_id in self._spans else "drop"

    def of(self, item_id: str, *, lost: bool = False) -> Fate:
        fate: Fate = "drop" if lost else self.peek(item_id)
        if fate == "keep":
            self._counts["kept"] += 1
            self._counts["kept_unheard"] += item_id in self._unheard
        elif fate == "drop":
            self._counts["dropped"] += 1
            self._counts["dropped_unheard"] += item_id in self._unheard
            if item_id not in self._known:
                self._counts["unknown"] += 1
                self.damaged(item_id, "is left out: the scan does not know it")
        return fate

    def redact(
        self, item_id: str, file: BinaryIO, start_s: float = 0.0, duration_s: float | None = None
    ) -> Redacted | None:
        margin_s = self._policy.margin_s
        spans = [(max(0.0, start - margin_s), end + margin_s) for start, end in self._spans[item_id]]
        cut, form = self._policy.redact == "cut", self._policy.redact_form
        try:
            left = redact_audio(file, spans, form=form, cut=cut, start_s=start_s, duration_s=duration_s)
        except AudioError as error:
            self.damaged(item_id, f"is left out as a whole, for it cannot be redacted: {error}")
            self._counts["dropped"] += 1
            return None
        if left.duration_s == 0.0:
            left.file.close()
            self._counts["dropped"] += 1
            return None
        self._counts["redacted"] += 1
        self._removed_s += left.removed_s
        return Redacted(file=left.file, suffix=REDACTED_SUFFIXES[form], duration_s=left.duration_s)

    def damaged(self, place: str, words: str) -> None:
        logger.warning("%s: %s", place, words)
        self._n_problems += 1
        if len(self._problems) < _MAX_PROBLEMS:
            self._problems.append((place, words))

    def result(self) -> Cleaned:
        return Cleaned(
            **self._counts,
            removed_s=round(self._removed_s, 3),
            problems=tuple(self._problems),
            n_problems=self._n_problems,
        )


def _spans(scan: Path, policy: CleanPolicy) -> dict[str, list[tuple[float, float]]]:
    """Return the matched seconds of the items, those that count."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in read_matches(scan):
        if row.status in policy.statuses:
            found.setdefault(row.item, []).append((row.item_start_s, row.item_end_s))
    return found


def _goes(row: ItemRow, spans: Sequence[tuple[float, float]], policy: CleanPolicy) -> bool:
    if not spans:
        return False
    matched_s = _union_s(spans)
    share = 1.0 if not row.duration_s else matched_s / row.duration_s
    return matched_s >= policy.min_matched_s and share >= policy.min_matched_share


def _union_s(spans: Sequence[tuple[float, float]]) -> float:
    """Return the seconds that lie in any of some spans."""
    total = reached = 0.0
    for start, end in sorted(spans):
        total += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return total


def _reading(summary: dict[str, Any]) -> CorpusOptions:
    reading = dict(summary["options"].get("reading") or {})
    if "audio_columns" in reading:
        reading["audio_columns"] = tuple(reading["audio_columns"])
    return CorpusOptions(**reading)


def _check(policy: CleanPolicy) -> None:
    wrong = [status for status in policy.statuses if status not in _MATCHED]
    if wrong or not policy.statuses:
        raise ParameterError(f"statuses must be of {', '.join(_MATCHED)}, got {', '.join(wrong) or 'none'}")
    if policy.redact not in (None, "silence", "cut"):
        raise ParameterError(f"redact must be silence or cut, got {policy.redact!r}")
    if not (policy.min_matched_s >= 0 and 0 <= policy.min_matched_share <= 1 and policy.margin_s >= 0):
        raise ParameterError("expected min_matched_s >= 0, 0 <= min_matched_share <= 1 and margin_s >= 0")


def check_clean_out(out: Path, location: str) -> None:
    """Make sure that a clean corpus may be written to a folder, without touching it.

    Raises
    ------
    ScanError
        If it is no new or empty folder, or lies inside the corpus.
    """
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ScanError(f"--out {str(out)!r} is not an empty folder; expected a new or an empty one")
        corpus = local_path(location)
        inside = corpus is not None and corpus.is_dir() and out.resolve().is_relative_to(corpus.resolve())
    except OSError as error:
        raise ScanError(f"--out {str(out)!r}: {error.strerror or error}") from error
    if inside:
        raise ScanError(f"--out {str(out)!r} lies inside the corpus {location!r}; expected a folder elsewhere")
