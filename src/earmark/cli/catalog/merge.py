"""`earmark catalog merge`."""

from pathlib import Path

import click

from earmark.catalog import merge_catalogs
from earmark.cli.catalog.progress import catalog_progress
from earmark.cli.exit_codes import INCOMPLETE
from earmark.cli.text import counted, displayed
from earmark.fingerprint import load_model

__all__ = ["merge"]


@click.command()
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.argument("catalogs", metavar="CATALOG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_context
def merge(ctx: click.Context, *, out: Path, catalogs: tuple[Path, ...]) -> None:
    """Make the new catalog OUT of the tracks of several catalogs, which stay as they are. Needs no audio.

    The same audio is stored once, under all its ids. If an id comes again with other audio the first counts, the others
    are named, and the exit code is 4.

    \b
    Example:
      earmark catalog merge all.catalog label-a.catalog label-b.catalog
    """  # noqa: D301 - click reads the \b
    with catalog_progress("merging", wanted=not ctx.obj["quiet"]) as on_progress:
        done = merge_catalogs(out, catalogs, model=load_model(), on_progress=on_progress)
    for track_id in done.conflicts:
        click.echo(f"earmark: error: left out: {displayed(track_id)}: the id comes again with other audio", err=True)
    click.echo(
        f"{counted(done.n_tracks, 'track')}, {counted(done.n_recordings, 'recording')}, in {displayed(str(out))}; "
        f"{done.n_same:,} came again, {len(done.conflicts):,} left out"
    )
    ctx.exit(INCOMPLETE if done.conflicts else 0)
