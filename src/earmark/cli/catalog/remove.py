"""`earmark catalog remove`."""

from pathlib import Path

import click

from earmark.catalog import remove_tracks
from earmark.cli.catalog.progress import catalog_progress
from earmark.cli.text import counted, displayed

__all__ = ["remove"]


@click.command()
@click.argument("path", metavar="CATALOG", type=click.Path(path_type=Path))
@click.argument("track_ids", metavar="TRACK_ID...", nargs=-1, required=True)
@click.pass_context
def remove(ctx: click.Context, *, path: Path, track_ids: tuple[str, ...]) -> None:
    """Take tracks out of CATALOG. If one of the ids is not in it, nothing is removed.

    It counts at once; `compact` frees the room. Other ids of the same audio stay.

    \b
    Example:
      earmark catalog remove my.catalog "album/01 intro.flac" GBAYE6800011
    """  # noqa: D301 - click reads the \b
    with catalog_progress("removing", wanted=not ctx.obj["quiet"]) as on_progress:
        n_removed = remove_tracks(path, track_ids, on_progress=on_progress)
    click.echo(f"{counted(n_removed, 'track')} removed from {displayed(str(path))}")
