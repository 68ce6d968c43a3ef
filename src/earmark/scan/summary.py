"""What a scan comes to: its counts, its circumstances, and in words what it covered and what it did not."""

import dataclasses
import importlib.metadata
from datetime import UTC, datetime
from typing import Any

from earmark import __version__
from earmark.errors import ScanError
from earmark.fingerprint import Model
from earmark.rights import Registry, format_share
from earmark.scan.exemptions import Lists, lists_in_summary, with_used
from earmark.scan.journal import Header
from earmark.scan.listening import shortest_s
from earmark.scan.opened import OpenedCatalog
from earmark.scan.plan import ScanPlan
from earmark.scan.rows import SCHEMA_VERSION
from earmark.scan.tally import Tally, hours

__all__ = ["Summary", "circumstances", "iso", "summarise"]

LIBRARIES = ("av", "faiss-cpu", "numba", "numpy", "soundfile")

# What each effort is blind to; measured by benchmarks/accuracy.py.
_LIMITS = {
    "fast": (
        "Effort fast looks for recordings at their own speed and pitch: about 2 % of speed, a third of a semitone of "
        "pitch or 5 % of tempo pass, and music that was changed by more is often not found."
    ),
    "standard": (
        "Effort standard looks for recordings as they are, and at speeds of 0.67 to 1.5 (pitch and tempo together) and "
        "tempos of 0.6 to 1.6 (pitch kept). Music whose pitch was changed apart from its tempo by more than a third of "
        "a semitone is often not found."
    ),
    "thorough": (
        "Effort thorough looks for recordings as they are, and changed in speed by 0.67 to 1.5, in tempo by 0.6 to 1.6 "
        "or in pitch by up to 6 semitones, also pitch together with a tempo of 0.7 to 1.4."
    ),
}
_LIMITS_OF_ALL = (
    "Excerpts under {shortest_s:.2f} s cannot be found; those under 5 s, and music well below speech or noise, can be "
    "missed. Other recordings of the same work (covers, live versions, re-recordings) are not looked for, and neither "
    "is music that a dataset holds as tokens of a codec or as features instead of sound."
)


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
        UTC; `started` is when the first of all runs began, `finished` is None while the scan goes on.
    corpus
        As it was given.
    options
        The options that results depend on.
    registry
        File and SHA-256 of the registry; None if there was none.
    lists
        Of the `allow list` and the `ignore list`: path, SHA-256, how many entries apply, lines that have expired, and
        how often each line was used; None if there were none.
    catalog
        Path, digest, tracks and hours of the catalog; of several shards, all paths, one digest, and the sums.
    model_digest, config_digest
        Of the model, and of the numbers that make a fingerprint.
    items
        How many items there are of each status, and in all.
    items_with_problems
        How many items were not heard as a whole: errors, truncated ones, and ones with samples that are not finite.
    matches
        How many matches there are of each status, and in all; several track ids of one recording count once.
    hours
        Hours of audio `listed`, `decoded`, `scanned`, `failed` and `skipped` by rule, as far as their length is known.
    matched_s
        Seconds of items in matches of each status, and in any match.
    elapsed_s
        Seconds that the scan took, all its runs together.
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
    lists: dict[str, Any] | None
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


def circumstances(
    plan: ScanPlan, catalog: OpenedCatalog, model: Model, registry: Registry | None, lists: Lists
) -> dict[str, Any]:
    """Return what is known of a scan before its first item, under the names that it has in a summary."""
    config = model.config
    return {
        "earmark_version": __version__,
        "corpus": _text(plan.corpus),
        "options": _options(plan),
        "registry": None if registry is None else {"path": _text(plan.registry), "sha256": registry.digest},
        "lists": lists_in_summary(lists),
        "catalog": {
            "path": ", ".join(map(_text, catalog.locations)),
            "digest": catalog.digest,
            "tracks": catalog.n_tracks,
            "hours": hours(catalog.duration_s),
        },
        "model_digest": model.digest,
        "config_digest": config.digest,
        "limits": f"{_LIMITS[plan.effort]} {_LIMITS_OF_ALL.format(shortest_s=shortest_s(config))}",
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def summarise(
    header: Header, tally: Tally, *, now: datetime, elapsed_s: float, complete: bool, stopped_by: str | None
) -> Summary:
    """Return the summary of a scan, finished or not.

    Parameters
    ----------
    header
        What was known before: `about` is from `circumstances`.
    tally
        What came since.
    now
        In UTC.
    elapsed_s
        Seconds that the scan has taken; less than since its start, if it was resumed.
    complete, stopped_by
        As in `Summary`.

    Raises
    ------
    ScanError
        If what the header has of a summary is not all of it.
    """
    elapsed_s = max(elapsed_s, 1e-3)
    n_items = sum(tally.items.values())
    try:
        return Summary(
            **{**header.about, "lists": with_used(header.about["lists"], tally.list_entries)},
            schema_version=SCHEMA_VERSION,
            complete=complete,
            stopped_by=stopped_by,
            started=header.started,
            finished=iso(now) if complete or stopped_by else None,
            **tally.sums(),
            elapsed_s=round(elapsed_s, 3),
            rates={"realtime": round(tally.scanned_s / elapsed_s, 1), "items_per_s": round(n_items / elapsed_s, 2)},
            coverage=tally.coverage(complete=complete, stopped_by=stopped_by),
        )
    except (TypeError, KeyError) as error:
        raise ScanError(f"the journal of the scan has another idea of a summary: {error}") from error


def _options(plan: ScanPlan) -> dict[str, Any]:
    use = plan.use
    return {
        "reading": {name: value for name, value in dataclasses.asdict(plan.reading).items() if value},
        "effort": plan.effort,
        "max_e_value": plan.max_e_value,
        "min_seconds": plan.min_seconds,
        "max_item_bytes": plan.limits.max_bytes,
        "licensee": use.licensee,
        "use": use.scope,
        "territory": use.territory,
        "as_of": None if use.as_of is None else use.as_of.isoformat(),
        "product": use.product,
        "sufficient_share": None if use.sufficient_share is None else format_share(use.sufficient_share),
        "shard": None if plan.shard.count == 1 else str(plan.shard),
        "keep_fingerprints": plan.keep_fingerprints or None,
        "rescan_of": plan.rescan_of,
        "added_since": plan.added_since,
    }


def iso(moment: datetime) -> str:
    """Return a moment as it stands in a summary: in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(path: object) -> str:
    """Return a path as valid text: bytes of it that are no UTF-8 as backslash escapes."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
