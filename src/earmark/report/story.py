"""The whole story of one item: what was heard of it, each match with its seconds, odds, track and clause."""

import dataclasses
import difflib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from earmark.errors import EarmarkError, ScanError
from earmark.report.records import read_items, read_matches, read_summary
from earmark.rights import ExplainedCase, Recording, Registry, Use, explain_case, parse_share, read_registry
from earmark.scan import ItemRow, MatchRow

__all__ = ["MatchStory", "Story", "tell_story"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class MatchStory:
    """One match, and how its verdict came about.

    Attributes
    ----------
    match
        As the scan wrote it.
    case
        The verdict decided again, with what is known of the recording and the grants that do not decide; None if the
        registry of the scan is not to be had.
    """

    match: MatchRow
    case: ExplainedCase | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """All that a scan has to say about an item.

    Attributes
    ----------
    item
        Its line in `items.jsonl`.
    matches
        In the order of the item's seconds.
    use
        What the scan was asked about.
    catalog, registry, registry_sha256
        What it was compared with; None for no registry.
    max_e_value
        The chance matches in an hour that the scan accepts.
    note
        Why there is no more to say about the verdicts; None if there is.
    """

    item: ItemRow
    matches: tuple[MatchStory, ...]
    use: Use
    catalog: str
    registry: str | None
    registry_sha256: str | None
    max_e_value: float
    note: str | None


def tell_story(scan: Path, item: str) -> Story:
    """Gather what a scan says about an item.

    Parameters
    ----------
    scan
        The folder that the scan wrote.
    item
        Id of the item.

    Raises
    ------
    ScanError
        If the folder cannot be read, or has no such item; the message names those that are spelled alike.
    """
    summary = read_summary(scan)
    row = _find(scan, item)
    matches = sorted(
        (match for match in read_matches(scan) if match.item == item), key=lambda m: (m.item_start_s, m.log10_e_value)
    )
    use, used = _use_of(summary), summary.get("registry") or {}
    registry, note = _registry_of(used) if matches else (None, None)
    return Story(
        item=row,
        matches=tuple(
            MatchStory(
                match=match, case=None if registry is None else explain_case(_recording_of(match), registry, use)
            )
            for match in matches
        ),
        use=use,
        catalog=str((summary.get("catalog") or {}).get("path")),
        registry=used.get("path"),
        registry_sha256=used.get("sha256"),
        max_e_value=float(summary["options"]["max_e_value"]),
        note=note,
    )


def _find(scan: Path, item: str) -> ItemRow:
    """Return the row of an item."""
    near: list[str] = []
    for row in read_items(scan):
        if row.item == item:
            return row
        if len(near) < 10_000:
            near.append(row.item)
    alike = difflib.get_close_matches(item, near, 3) or list(_same_name(item, near))[:3]
    advice = f"; did you mean {', '.join(alike)}?" if alike else "; expected an id as in items.jsonl"
    raise ScanError(f"{scan} has no item {item!r}{advice}")


def _same_name(item: str, items: list[str]) -> Iterator[str]:
    return (each for each in items if each.rpartition("/")[2] == item.rpartition("/")[2])


def _use_of(summary: dict[str, Any]) -> Use:
    options = summary["options"]
    as_of, share = options.get("as_of"), options.get("sufficient_share")
    return Use(
        licensee=options.get("licensee"),
        scope=options.get("use"),
        territory=options.get("territory"),
        as_of=None if as_of is None else date.fromisoformat(as_of),
        product=options.get("product"),
        sufficient_share=None if share is None else parse_share(share),
    )


def _registry_of(used: dict[str, str]) -> tuple[Registry | None, str | None]:
    """Open the registry of the scan, if it is where it was and what it was."""
    if not used:
        return None, "the scan had no registry"
    try:
        registry = read_registry(used["path"])
    except EarmarkError as error:
        return None, f"the registry of the scan is not to be had any more: {error}"
    if registry.digest != used["sha256"]:
        return None, f"{used['path']} was changed since the scan; the verdicts are those of the scan"
    return registry, None


def _recording_of(match: MatchRow) -> Recording:
    return Recording(track_id=match.track_id, isrc=match.isrc, label=match.label, rightsholder=match.rightsholder)
