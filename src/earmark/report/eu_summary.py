"""A draft of the audio parts of the EU's public summary of training content, filled with figures of a scan.

The sections are those of the template that the European Commission published on 24 July 2025 for Article 53(1)(d) of
Regulation (EU) 2024/1689. The draft states what was measured, and leaves to the provider what a scan cannot know.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from earmark.report.occupancy import milliseconds
from earmark.report.records import read_matches, read_summary
from earmark.report.tables import writing
from earmark.scan import MatchRow

__all__ = ["write_eu_summary"]

_MAX_REASONS = 100
_TO_FILL_IN = "*[for the provider to fill in]*"
_MARKUP = re.compile(r"([\\`*_\[\]<>#|&~$])")


def write_eu_summary(scan: Path, out: Path) -> None:
    """Write the draft as Markdown.

    Parameters
    ----------
    scan, out
        As of `earmark.report.html.write_html`, which also raises the same.
    """
    summary = read_summary(scan)
    tracks: set[str] = set()
    holders: set[str] = set()
    reasons: Counter[tuple[str, str]] = Counter()
    ms: Counter[tuple[str, str]] = Counter()
    for match in read_matches(scan):
        tracks.add(match.track_id)
        if match.rightsholder is not None:
            holders.add(match.rightsholder)
        if _is_opt_out(match):
            key = (match.status, match.reason)
            reasons[key] += 1
            ms[key] += milliseconds(match.item_end_s) - milliseconds(match.item_start_s)
    sections = [_general(summary), _sources(summary, len(tracks), len(holders)), _reservations(summary, reasons, ms)]
    with writing(out) as file:
        file.write("\n".join([_HEAD, *sections]).encode("utf-8", "backslashreplace"))


def _is_opt_out(match: MatchRow) -> bool:
    """Return whether somebody has said no: a clause that forbids decides, or a reservation is part of the reason."""
    return (match.status == "unlicensed" and match.grant_id is not None) or "reservation " in match.reason


_HEAD = f"""\
# Public summary of training content: draft of the audio parts

> This is a draft, made from the result of a scan. It holds figures and evidence of opt-outs, nothing else. It makes no
> claim that a model, a dataset or its use complies with any law, and is no legal advice. What a scan cannot know is
> marked {_TO_FILL_IN}.
"""


def _general(summary: dict[str, Any]) -> str:
    hours, items = summary["hours"], summary["items"]
    return f"""\
## 1. General information

- Provider and model: {_TO_FILL_IN}
- Modality: audio
- Size of the audio data: {hours["listed"]:,.2f} hours listed, {hours["decoded"]:,.2f} decoded, {hours["scanned"]:,.2f}
  scanned. The template asks for one of its ranges of hours: {_TO_FILL_IN}
- Files: {items["total"]:,} listed; {_counts(items)}
- Coverage of the scan: {_plain(summary["coverage"])}
- What such a scan does not find: {_plain(summary["limits"])}
- Types of content, languages, date of the last acquisition: {_TO_FILL_IN}
"""


def _sources(summary: dict[str, Any], n_tracks: int, n_holders: int) -> str:
    options, matched = summary["options"], summary["matched_s"]
    lines = "\n".join(
        f"| {status} | {summary['matches'][status]:,} | {matched[status] / 3600:,.3f} |"
        for status in ("licensed", "unlicensed", "review")
    )
    return f"""\
## 2. List of data sources: audio

The corpus was compared with a catalog of {summary["catalog"]["tracks"]:,} recordings
({summary["catalog"]["hours"]:,.2f} hours; digest `{_plain(summary["catalog"]["digest"])}`). {n_tracks:,} of them, of
{n_holders:,} named rights holders, were found in it. The use asked about: {_plain(options["use"] or "none given")}, by
{_plain(options["licensee"] or "nobody named")}, in {_plain(options["territory"] or "no territory given")}, on
{_plain(options["as_of"] or "no day given")}.

| status of a match | matches | hours |
|---|---|---|
{lines}

Recordings that are not in the catalog are not in these figures. Which datasets the corpus comes from, and how it was
obtained (2.1 public datasets, 2.2 licensed and other private datasets, 2.3 crawled and scraped data, 2.4 user data,
2.5 synthetic data, 2.6 other): {_TO_FILL_IN}
"""


def _reservations(summary: dict[str, Any], reasons: Counter[tuple[str, str]], ms: Counter[tuple[str, str]]) -> str:
    digest = "none was given" if summary["registry"] is None else f"SHA-256 `{summary['registry']['sha256']}`"
    shown = reasons.most_common(_MAX_REASONS)
    lines = "\n".join(
        f"| {status} | {n:,} | {ms[status, why] / 1000:,.3f} | {_plain(why)} |" for (status, why), n in shown
    )
    table = f"| status | lines of matches | seconds | reason |\n|---|---|---|---|\n{lines}\n" if shown else "None.\n"
    more = f"\nThe {_MAX_REASONS} most frequent of {len(reasons):,} reasons.\n" if len(reasons) > _MAX_REASONS else ""
    return f"""\
## 3. Data processing: opt-outs and reservations of rights

Registry of grants and reservations: {digest}.
Evidence of opt-outs: matches that a clause of the registry forbids, or whose reason names a reservation. A recording
with several ids has a line for each. Matches that no grant covers are not an opt-out, and are counted in section 2.

{table}{more}
Measures taken to respect them before and during training: {_TO_FILL_IN}
"""


def _counts(items: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {status}" for status, n in items.items() if status != "total" and n) or "none"


def _plain(text: object) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))
