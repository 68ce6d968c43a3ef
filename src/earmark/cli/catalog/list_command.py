"""`earmark catalog list`."""

import dataclasses
import json
from pathlib import Path

import click

from earmark.catalog import ListedTrack, list_tracks
from earmark.cli.text import displayed

__all__ = ["list"]


@click.command(name="list")
@click.argument("path", metavar="CATALOG", type=click.Path(path_type=Path))
@click.option("--label", help="Only tracks of this label; empty for those without one.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def list(*, path: Path, label: str | None, as_json: bool) -> None:  # noqa: A001 - the command's name
    """List the tracks of CATALOG: id, length, artist, title and label, with tabs between.

    \b
    Example:
      earmark catalog list my.catalog --label "Blue Note"
    """  # noqa: D301 - click reads the \b
    for track in list_tracks(path, label=label):
        click.echo(json.dumps(dataclasses.asdict(track), ensure_ascii=False) if as_json else _line(track))


def _line(track: ListedTrack) -> str:
    minutes, seconds = divmod(round(track.duration_s), 60)
    cells = (track.track_id, f"{minutes}:{seconds:02d}", track.artist, track.title, track.label)
    return "\t".join(displayed(cell or "") for cell in cells)
