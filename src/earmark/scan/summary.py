"""What a scan comes to: its counts, its circumstances, and in words what it covered and what it did not."""

import dataclasses
import importlib.metadata
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from earmark import __version__
from earmark.catalog import Catalog
from earmark.fingerprint import Model
from earmark.rights import Registry
from earmark.scan.judging import ItemRecord, union_s
from earmark.scan.listening import shortest_s
from earmark.scan.plan import ScanPlan
from earmark.scan.rows import SCHEMA_VERSION

__all__ = ["Circumstances", "Summary", "Tally", "summarise"]

_STATUSES = ("unmatched", "licensed", "unlicensed", "review", "error", "skipped")
_VERDICTS = ("licensed", "unlicensed", "review")
# Reasons counted one by one; those of a listing can name directories, and there may be any number of them.
_MAX_REASONS = 50
_OTHER_REASONS = "other reasons"
_LIBRARIES = ("av", "faiss-cpu", "numba", "numpy", "soundfile")

# What each effort is blind to. Measured with 18 clean excerpts of 10 s of the bundled music, found of them: speed 1.02
# all, 1.03 15, 1.06 2; pitch 0.35 semitones all, 0.5 16, 1 4; tempo 1.05 all, 1.1 17; excerpts of 3 s all, of 2.2 s 15.
_LIMITS = {
    "fast": (
        "Effort fast looks for recordings at their own speed and pitch: about 2 % of speed, a third of a semitone of "
        "pitch or 5 % of tempo pass, and music that was changed by more is often not found. Excerpts under "
        "{shortest_s:.2f} s cannot be found; those under 5 s, and music well below speech or noise, can be missed. "
        "Other recordings of the same work (covers, live versions) are not looked for."
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The contents of `summary.json`, in their order.

    Attributes
    ----------
    schema_version
        Of this and of the rows.
    earmark_version
        Who scanned.
    complete
        Whether the listing was gone through to its end, well or badly; False while the scan goes on.
    stopped_by
        What stopped a scan that is not complete, such as "SIGINT".
    started, finished
        UTC; `finished` is None while the scan goes on.
    corpus
        As it was given.
    options
        The options that results depend on.
    registry
        File and SHA-256 of the registry; None if there was none.
    catalog
        Path, digest, tracks and hours of the catalog.
    model_digest, config_digest
        Of the model, and of the numbers that make a fingerprint.
    items
        How many items there are of each status, and in all.
    items_with_problems
        How many items were not heard as a whole: errors, truncated ones, and ones with samples that are not finite.
    matches
        How many matches there are of each status, and in all; several track ids of one recording count once.
    hours
        Hours of audio `listed` (as far as their length is known), `decoded` and `scanned`.
    matched_s
        Seconds of items in matches of each status, and in any match.
    elapsed_s
        Seconds that the scan took.
    rates
        Hours of audio scanned in an hour (`realtime`), and items a second.
    errors, skipped
        How many items of each cause.
    coverage
        What was scanned and what was not, in words.
    limits
        What this effort does not find, in words.
    versions
        Of the libraries that results can depend on.
    """

    schema_version: int
    earmark_version: str
    complete: bool
    stopped_by: str | None
    started: str
    finished: str | None
    corpus: str
    options: dict[str, Any]
    registry: dict[str, str | None] | None
    catalog: dict[str, Any]
    model_digest: str
    config_digest: str
    items: dict[str, int]
    items_with_problems: int
    matches: dict[str, int]
    hours: dict[str, float]
    matched_s: dict[str, float]
    elapsed_s: float
    rates: dict[str, float]
    errors: dict[str, int]
    skipped: dict[str, int]
    coverage: str
    limits: str
    versions: dict[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What is known of a scan before its first item.

    Attributes
    ----------
    plan
        What was asked for.
    catalog, model, registry
        With what.
    started
        When, in UTC.
    """

    plan: ScanPlan
    catalog: Catalog
    model: Model
    registry: Registry | None
    started: datetime


class Tally:
    """Counts the records of a scan as they come."""

    def __init__(self) -> None:
        self.items: Counter[str] = Counter()
        self.matches: Counter[str] = Counter()
        self.matched_s = dict.fromkeys(_VERDICTS, 0.0)
        self.problems: dict[str, Counter[str]] = {"error": Counter(), "skipped": Counter()}
        self.n_matches = 0
        self.n_with_problems = 0
        self.listed_s = self.decoded_s = self.scanned_s = self.any_matched_s = 0.0

    def add(self, record: ItemRecord) -> None:
        """Count one item."""
        item = record.item
        self.items[item.status] += 1
        self.listed_s += item.duration_s or 0.0
        self.decoded_s += record.decoded_s
        self.scanned_s += item.scanned_s
        self.any_matched_s += item.matched_s
        self.n_matches += item.matches
        for status in _VERDICTS:
            those = [match for match in record.matches if match.status == status]
            self.matches[status] += len({match.group_id for match in those})
            self.matched_s[status] += union_s(those)
        if record.problem is not None:
            self._add_problem("skipped" if item.status == "skipped" else "error", record.problem.kind)

    def _add_problem(self, outcome: str, kind: str) -> None:
        counts = self.problems[outcome]
        counts[kind if kind in counts or len(counts) < _MAX_REASONS else _OTHER_REASONS] += 1
        self.n_with_problems += outcome == "error"


def summarise(
    about: Circumstances, tally: Tally, *, now: datetime, elapsed_s: float, complete: bool, stopped_by: str | None
) -> Summary:
    """Return the summary of a scan, finished or not.

    Parameters
    ----------
    about
        What was known before.
    tally
        What came since.
    now
        In UTC.
    elapsed_s
        Seconds that the scan has taken; less than since its start, if it was resumed.
    complete, stopped_by
        As in `Summary`.
    """
    elapsed_s = max(elapsed_s, 1e-3)
    n_items = sum(tally.items.values())
    config = about.model.config
    return Summary(
        schema_version=SCHEMA_VERSION,
        earmark_version=__version__,
        complete=complete,
        stopped_by=stopped_by,
        started=_iso(about.started),
        finished=_iso(now) if complete or stopped_by else None,
        corpus=_text(about.plan.corpus),
        options=_options(about.plan),
        registry=None
        if about.registry is None
        else {"path": _text(about.plan.registry), "sha256": about.registry.digest},
        catalog={
            "path": _text(about.plan.catalog),
            "digest": about.catalog.digest,
            "tracks": about.catalog.n_tracks,
            "hours": _hours(about.catalog.duration_s),
        },
        model_digest=about.model.digest,
        config_digest=config.digest,
        items={**{status: tally.items[status] for status in _STATUSES}, "total": n_items},
        items_with_problems=tally.n_with_problems,
        matches={**{status: tally.matches[status] for status in _VERDICTS}, "total": tally.n_matches},
        hours={
            "listed": _hours(tally.listed_s),
            "decoded": _hours(tally.decoded_s),
            "scanned": _hours(tally.scanned_s),
        },
        matched_s={
            **{status: round(tally.matched_s[status], 3) for status in _VERDICTS},
            "any": round(tally.any_matched_s, 3),
        },
        elapsed_s=round(elapsed_s, 3),
        rates={"realtime": round(tally.scanned_s / elapsed_s, 1), "items_per_s": round(n_items / elapsed_s, 2)},
        errors=dict(tally.problems["error"].most_common()),
        skipped=dict(tally.problems["skipped"].most_common()),
        coverage=_coverage(tally, n_items, complete=complete, stopped_by=stopped_by),
        limits=_LIMITS[about.plan.effort].format(shortest_s=shortest_s(config)),
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
    )


def _coverage(tally: Tally, n_items: int, *, complete: bool, stopped_by: str | None) -> str:
    """Say what was scanned, and count what was not."""
    n_whole = n_items - tally.n_with_problems - tally.items["skipped"]
    sentences = [f"{n_whole:,} of {n_items:,} listed files were scanned from start to end."]
    if tally.items["skipped"]:
        sentences.append(f"Left out by rule: {_counts(tally.problems['skipped'])}.")
    if tally.n_with_problems:
        sentences.append(f"Not scanned, or only in part: {_counts(tally.problems['error'])}.")
    if stopped_by:
        sentences.append(f"The scan was stopped by {stopped_by} before the end of the corpus.")
    elif not complete:
        sentences.append("The scan has not come to its end.")
    return " ".join(sentences)


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{n:,} {kind}" for kind, n in counts.most_common())


def _options(plan: ScanPlan) -> dict[str, Any]:
    use = plan.use
    return {
        "effort": plan.effort,
        "max_e_value": plan.max_e_value,
        "licensee": use.licensee,
        "use": use.scope,
        "territory": use.territory,
        "as_of": None if use.as_of is None else use.as_of.isoformat(),
    }


def _hours(seconds: float) -> float:
    return round(seconds / 3600.0, 6)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(path: object) -> str:
    """Return a path as valid text: bytes of it that are no UTF-8 as backslash escapes."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
