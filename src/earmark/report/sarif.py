"""SARIF 2.1.0: findings for the tools that show what scanners of code find."""

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from earmark.report.findings import seconds_in_words
from earmark.report.records import read_items, read_matches, read_summary
from earmark.report.tables import writing
from earmark.scan import ItemRow, MatchRow

__all__ = ["SARIF_VERSION", "write_sarif"]

SARIF_VERSION = "2.1.0"
_ROOT = "CORPUS"
# SARIF 2.1.0 section 3.27.9 and 3.27.10: a kind other than `fail` goes with level `none`.
_RULES = {
    "unlicensed": ("fail", "error", "No license covers the use of a recording, or one forbids it."),
    "review": ("review", "none", "Whether a license covers the use of a recording is for a person to decide."),
    "licensed": ("pass", "none", "A license covers the use of a recording."),
}


def write_sarif(scan: Path, out: Path) -> None:
    """Write the matches of a scan as a SARIF log; items that could not be scanned are its notifications.

    Parameters
    ----------
    scan, out
        As of `earmark.report.html.write_html`, which also raises the same.
    """
    summary = read_summary(scan)
    run = {
        "tool": {"driver": _driver(summary)},
        "invocations": [_invocation(scan, summary)],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The scanned corpus."}}},
        "columnKind": "unicodeCodePoints",
        "properties": {"coverage": summary["coverage"], "limits": summary["limits"], "options": summary["options"]},
    }
    head = json.dumps(run, ensure_ascii=True)
    with writing(out) as file:
        # One result after the other, as there may be more than fit into memory.
        file.write(b'{"$schema": "https://json.schemastore.org/sarif-2.1.0.json", ')
        file.write(f'"version": "{SARIF_VERSION}", "runs": [{head[:-1]}, "results": [\n'.encode())
        _write_all(file, (_result(matches) for matches in _groups(scan)))
        file.write(b'], "artifacts": [\n')
        _write_all(file, (_artifact(item) for item in read_items(scan) if item.matches))
        file.write(b"]}]}\n")


def _write_all(file: IO[bytes], values: Iterator[dict[str, Any]]) -> None:
    for number, value in enumerate(values):
        file.write((",\n" if number else "").encode() + json.dumps(value, ensure_ascii=True).encode())


def _driver(summary: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "Earmark",
        "version": summary["earmark_version"],
        "rules": [
            {
                "id": name,
                "shortDescription": {"text": words},
                "defaultConfiguration": {"level": level},
            }
            for name, (_, level, words) in _RULES.items()
        ],
    }


def _invocation(scan: Path, summary: dict[str, Any]) -> dict[str, Any]:
    times = {"startTimeUtc": summary["started"], "endTimeUtc": summary["finished"]}
    return {
        "executionSuccessful": bool(summary["complete"]),
        **{key: value for key, value in times.items() if value is not None},
        "toolExecutionNotifications": [
            {
                "level": "error" if item.status == "error" else "note",
                "message": {"text": f"{item.status}: {item.error}"},
                "locations": [{"physicalLocation": {"artifactLocation": _location(item.item)}}],
            }
            for item in read_items(scan)
            if item.error is not None and item.status != "skipped"
        ],
    }


def _groups(scan: Path) -> Iterator[list[MatchRow]]:
    """Yield the rows of each match: the track ids of one recording at one place."""
    for _, of_item in itertools.groupby(read_matches(scan), key=lambda match: match.item):
        groups: dict[str, list[MatchRow]] = {}
        for match in of_item:
            groups.setdefault(match.group_id, []).append(match)
        yield from groups.values()


def _result(matches: list[MatchRow]) -> dict[str, Any]:
    shown = min(matches, key=lambda match: list(_RULES).index(match.status) if match.status in _RULES else 0)
    kind, level, _ = _RULES[shown.status]
    track = shown.title if shown.artist is None else f"{shown.artist}: {shown.title}"
    text = (
        f"{seconds_in_words(shown.item_start_s, shown.item_end_s)} s are "
        f"{seconds_in_words(shown.track_start_s, shown.track_end_s)} s of {track or shown.track_id}: "
        f"{shown.status}, {shown.reason}"
    )
    return {
        "ruleId": shown.status,
        "ruleIndex": list(_RULES).index(shown.status),
        "kind": kind,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": _location(shown.item)}}],
        "partialFingerprints": {"earmark/v1": _fingerprint(matches)},
        "rank": round(min(100.0, max(0.0, -shown.log10_e_value)), 2),
        "properties": {
            "item_start_s": shown.item_start_s,
            "item_end_s": shown.item_end_s,
            "track_ids": [match.track_id for match in matches],
            "log10_e_value": shown.log10_e_value,
            "grant_id": shown.grant_id,
        },
    }


def _fingerprint(matches: list[MatchRow]) -> str:
    """Return what stays the same when the item is scanned again: item, tracks and seconds, to the whole second."""
    ids = sorted(match.track_id for match in matches)
    text = json.dumps([matches[0].item, ids, round(matches[0].item_start_s)])
    return hashlib.sha256(text.encode()).hexdigest()


def _artifact(item: ItemRow) -> dict[str, Any]:
    hashes = {} if item.sha256 is None else {"hashes": {"sha-256": item.sha256}}
    return {"location": _location(item.item), **hashes}


def _location(item: str) -> dict[str, str]:
    return {"uri": quote(item.encode("utf-8", "backslashreplace"), safe="/"), "uriBaseId": _ROOT}
