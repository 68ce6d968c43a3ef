"""Exemptions: what an allow list and an ignore list make of the record of an item."""

import dataclasses
import logging
import re
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from earmark.rights.case_lists import CaseEntry, CaseList, find_entry, read_case_list
from earmark.scan.judging import ItemRecord, union_s
from earmark.scan.listening import Problem
from earmark.scan.rows import ItemRow, MatchRow, worst_status

__all__ = ["ALLOW", "IGNORE", "Lists", "exempt", "lists_in_summary", "named", "read_lists", "used_entries", "with_used"]

ALLOW, IGNORE = "allow list", "ignore list"
_ALLOWED = re.compile(rf"{ALLOW}, line (\d+): ")
_IGNORED = re.compile(rf"(?:^|; )(?:\d+ match(?:es)? )?left out by {IGNORE}, line (\d+): ")
_MAX_REPORTED = 20

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Lists:
    """The lists of a scan.

    Attributes
    ----------
    allow
        Matches that count as licensed.
    ignore
        Matches that are left out, and whole items.
    """

    allow: CaseList | None = None
    ignore: CaseList | None = None


def read_lists(allow: Path | None, ignore: Path | None, today: date) -> Lists:
    """Read the lists of a scan, and warn of entries whose last day is over.

    Raises
    ------
    RegistryError
        If one of them cannot be used.
    """
    lists = Lists(
        allow=None if allow is None else read_case_list(allow, today),
        ignore=None if ignore is None else read_case_list(ignore, today),
    )
    for _, cases in named(lists):
        if cases is None:
            continue
        for entry in cases.expired[:_MAX_REPORTED]:
            logger.warning(
                "%s, line %d: expired on %s and is not applied (%s; by %s)",
                cases.source,
                entry.line,
                entry.expires,
                entry.reason,
                entry.author,
            )
        if len(cases.expired) > _MAX_REPORTED:
            logger.warning("%s: %d entries have expired in all", cases.source, len(cases.expired))
    return lists


def exempt(lists: Lists, record: ItemRecord) -> ItemRecord:
    """Return the record of an item with its lists applied.

    An entry of the ignore list that names the item's content and nothing else leaves the item out: it is `skipped`,
    even if it could not be read. Another one leaves out the matches that agree with it. An entry of the allow list
    makes the matches that agree with it `licensed`, whatever the registry says. Reasons name the entry.

    Parameters
    ----------
    lists
        Of the scan.
    record
        What was heard, and judged by the registry.
    """
    item = record.item
    if lists.ignore is not None and item.sha256 is not None:
        entry = find_entry(lists.ignore, sha256=item.sha256)
        if entry is not None:
            return _left_out(record, entry)
    kept: list[MatchRow] = []
    ignored: dict[int, tuple[CaseEntry, set[str]]] = {}
    for match in record.matches:
        entry = _entry_for(lists.ignore, item, match)
        if entry is None:
            kept.append(_allowed(_entry_for(lists.allow, item, match), match))
        else:
            ignored.setdefault(entry.line, (entry, set()))[1].add(match.group_id)
    if tuple(kept) == record.matches:
        return record
    words = [_counted(len(groups), entry) for entry, groups in ignored.values()]
    return dataclasses.replace(
        record,
        item=dataclasses.replace(
            item,
            status=worst_status({match.status for match in kept}) or "unmatched",  # type: ignore[arg-type]
            matched_s=union_s(kept),
            matches=len({match.group_id for match in kept}),
            error="; ".join(filter(None, [item.error, *words])) or None,
        ),
        matches=tuple(kept),
    )


def _entry_for(cases: CaseList | None, item: ItemRow, match: MatchRow) -> CaseEntry | None:
    if cases is None:
        return None
    return find_entry(cases, sha256=item.sha256, track_id=match.track_id, isrc=match.isrc, artist=match.artist)


def _allowed(entry: CaseEntry | None, match: MatchRow) -> MatchRow:
    if entry is None or match.status == "licensed":
        return match
    reason = f"{ALLOW}, {_in_words(entry)}; without it {match.status}: {match.reason}"
    return dataclasses.replace(match, status="licensed", grant_id=None, reason=reason)


def _left_out(record: ItemRecord, entry: CaseEntry) -> ItemRecord:
    words = f"left out by {IGNORE}, {_in_words(entry)}"
    error = words if record.item.error is None else f"{record.item.error}; {words}"
    return dataclasses.replace(
        record,
        item=dataclasses.replace(record.item, status="skipped", matched_s=0.0, matches=0, error=error),
        matches=(),
        problem=Problem(kind=f"on the {IGNORE}", words=error),
    )


def _counted(n: int, entry: CaseEntry) -> str:
    return f"{n} match{'' if n == 1 else 'es'} left out by {IGNORE}, {_in_words(entry)}"


def _in_words(entry: CaseEntry) -> str:
    until = "without an end" if entry.expires is None else f"until {entry.expires}"
    return f"line {entry.line}: {entry.reason} (by {entry.author}, {until})"


def used_entries(item: ItemRow, matches: Iterable[MatchRow]) -> Counter[tuple[str, int]]:
    """Return how often rows say that an entry was applied, by list and line.

    The rows say it all, so that a scan that is resumed can count those of its earlier runs.
    """
    used = Counter((ALLOW, int(found[1])) for match in matches if (found := _ALLOWED.match(match.reason)))
    used.update((IGNORE, int(found[1])) for found in _IGNORED.finditer(item.error or ""))
    return used


def named(lists: Lists) -> tuple[tuple[str, CaseList | None], ...]:
    """Return the lists with their names."""
    return ((ALLOW, lists.allow), (IGNORE, lists.ignore))


def lists_in_summary(lists: Lists) -> dict[str, Any] | None:
    """Return what is to be said of the lists before they were used: digests, numbers, lines that have expired."""
    if lists.allow is None and lists.ignore is None:
        return None
    return {name: _in_summary(cases) for name, cases in named(lists)}


def with_used(said: dict[str, Any] | None, used: Counter[tuple[str, int]]) -> dict[str, Any] | None:
    """Return what `lists_in_summary` said, with the lines that were used and how often."""
    if said is None:
        return None
    return {
        name: about and {**about, "used": {str(line): n for (of, line), n in sorted(used.items()) if of == name}}
        for name, about in said.items()
    }


def _in_summary(cases: CaseList | None) -> dict[str, Any] | None:
    if cases is None:
        return None
    return {
        "path": cases.source.encode("utf-8", "backslashreplace").decode("utf-8"),
        "sha256": cases.digest,
        "entries": len(cases.entries),
        "expired": [entry.line for entry in cases.expired],
    }
