"""`earmark catalog duplicates`."""

import dataclasses
import json
from pathlib import Path

import click

from earmark.cli.catalog.progress import catalog_progress
from earmark.cli.text import counted, displayed
from earmark.fingerprint import load_model
from earmark.matching import LikelyDuplicate, find_duplicates

__all__ = ["duplicates", "in_words"]


@click.command()
@click.argument("path", metavar="CATALOG", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@click.pass_context
def duplicates(ctx: click.Context, *, path: Path, as_json: bool) -> None:
    """List pairs of tracks of CATALOG that are likely one recording, encoded in two ways. Changes nothing.

    Both ids, how much of both is the same, and how much later it is in the second, with tabs between. A remaster, or a
    version with something quieter over it, is listed, too: which to remove is for people to say. Ids of the very same
    audio are one recording already, and not listed.

    \b
    Example:
      earmark catalog duplicates my.catalog
    """  # noqa: D301 - click reads the \b
    with catalog_progress("comparing", wanted=not ctx.obj["quiet"]) as on_progress:
        pairs = list(find_duplicates(path, load_model(), on_progress=on_progress))
    for pair in pairs:
        click.echo(json.dumps(dataclasses.asdict(pair), ensure_ascii=False) if as_json else _line(pair))
    if not ctx.obj["quiet"]:
        click.echo(f"{counted(len(pairs), 'pair')} in {displayed(str(path))}", err=True)


def in_words(pair: LikelyDuplicate) -> str:
    """Return what build and add say of a pair."""
    return f"likely the same recording, stored twice: {pair.track_id}, {pair.other_id} ({pair.covered:.0%} the same)"


def _line(pair: LikelyDuplicate) -> str:
    same, later = f"{100 * pair.covered:.0f} %", f"{pair.offset_s:+.2f} s"
    return "\t".join((displayed(pair.track_id), displayed(pair.other_id), same, later))
