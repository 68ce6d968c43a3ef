"""`earmark explain`."""

import dataclasses
import json
from pathlib import Path

import click

from earmark.cli.cases import case_as_json, case_in_words
from earmark.cli.text import counted, displayed
from earmark.report import MatchStory, Story, odds_in_words, seconds_in_words, tell_story

__all__ = ["explain"]


@click.command()
@click.argument("scan", metavar="SCAN_DIR", type=click.Path(path_type=Path))
@click.argument("item")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(*, scan: Path, item: str, as_json: bool) -> None:
    """Tell the whole story of ITEM by the scan in SCAN_DIR.

    For each match: which seconds of the item are which seconds of which track, how sure that is, and which clause makes
    it licensed, unlicensed or up for review; and, if the registry of the scan is still there, who holds the rights and
    which other grants do not decide, and why.

    \b
    Example:
      earmark explain scan1 "album/01 intro.mp3"
    """  # noqa: D301 - click reads the \b
    story = tell_story(scan, item)
    click.echo(_as_json(story) if as_json else _in_words(story))


def _in_words(story: Story) -> str:
    row, use = story.item, story.use
    asked = {
        "by": use.licensee,
        "for": use.scope,
        "of": use.product,
        "in": use.territory,
        "on": None if use.as_of is None else str(use.as_of),
    }
    length = "of unknown length" if row.duration_s is None else f"of {row.duration_s:.1f} s"
    lines = [
        f"item       {row.item}",
        f"sha256     {row.sha256 or 'not read'}",
        f"status     {row.status}",
        f"heard      {row.scanned_s:.1f} s {length}, {row.matched_s:.1f} s in {_matches(row.matches)}",
        f"asked      {' '.join(f'{word} {name}' for word, name in asked.items() if name) or 'nothing about its use'}",
        f"catalog    {story.catalog}",
        f"registry   {story.registry or 'none'}"
        + (f" (sha256 {story.registry_sha256})" if story.registry_sha256 else ""),
    ]
    lines += [f"problem    {row.error}"] if row.error else []
    lines += [f"note       {story.note}"] if story.note else []
    text = "\n".join(map(displayed, lines))
    return "\n\n".join([text, *(_match_in_words(each, story) for each in story.matches)])


def _matches(n_matches: int) -> str:
    return counted(n_matches, "match") if n_matches == 1 else f"{n_matches:,} matches"


def _match_in_words(story: MatchStory, whole: Story) -> str:
    match = story.match
    names = [name for name in (match.artist, match.title) if name]
    changes = [f"tempo x{match.tempo_ratio:g}"] if match.tempo_ratio != 1 else []
    changes += [f"pitch {match.pitch_semitones:+g} semitones"] if match.pitch_semitones else []
    lines = [
        f"seconds    {seconds_in_words(match.item_start_s, match.item_end_s)} of the item are "
        f"{seconds_in_words(match.track_start_s, match.track_end_s)} of the track"
        + (f" ({', '.join(changes)})" if changes else ""),
        f"odds       {odds_in_words(match.log10_e_value)}: chance matches as good in an hour; "
        f"{whole.max_e_value:g} were accepted",
        f"evidence   {match.score:,.0f} spectral peaks coincide, {match.expected_score:,.0f} would by chance",
        f"track      {match.track_id}" + (f" ({': '.join(names)})" if names else ""),
    ]
    lines += [f"ISRC       {match.isrc}"] if match.isrc else []
    lines += [f"label      {match.label}"] if match.label else []
    text = "\n".join(map(displayed, lines))
    if story.case is not None and story.case.verdict.status == match.status:
        return f"{text}\n{case_in_words(story.case)}"
    return f"{text}\n" + "\n".join(map(displayed, (f"status     {match.status}", f"why        {match.reason}")))


def _as_json(story: Story) -> str:
    values = {
        "item": dataclasses.asdict(story.item),
        "catalog": story.catalog,
        "registry": story.registry,
        "registry_sha256": story.registry_sha256,
        "max_e_value": story.max_e_value,
        "note": story.note,
        "matches": [
            {
                **dataclasses.asdict(each.match),
                "case": None if each.case is None else json.loads(case_as_json(each.case)),
            }
            for each in story.matches
        ],
    }
    return json.dumps(values, indent=2, ensure_ascii=False)
