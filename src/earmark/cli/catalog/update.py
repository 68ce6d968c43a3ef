"""`earmark catalog update`."""

from pathlib import Path

import click

from earmark.catalog import update_tracks
from earmark.cli.catalog.progress import catalog_progress
from earmark.cli.exit_codes import INCOMPLETE
from earmark.cli.text import counted, displayed

__all__ = ["update"]


@click.command()
@click.argument("path", metavar="CATALOG", type=click.Path(path_type=Path))
@click.option(
    "--metadata", required=True, type=click.Path(path_type=Path), help="CSV file with what is right, a row a track."
)
@click.option("--clear-empty", is_flag=True, help="An empty cell takes away what the catalog says.")
@click.pass_context
def update(ctx: click.Context, *, path: Path, metadata: Path, clear_empty: bool) -> None:
    """Correct what CATALOG says of its tracks: ISRC, title, artist, label, rights holder. Needs no audio.

    Rows are put to tracks by `track_id`, or where that is empty by `path` as the catalog has it. Columns that the file
    does not have, and empty cells, leave things as they are. What `export` writes can be corrected and given back.
    Exits with 4 if some rows fit no track.

    \b
    Example:
      earmark catalog update my.catalog --metadata corrected.csv
    """  # noqa: D301 - click reads the \b
    with catalog_progress("correcting", wanted=not ctx.obj["quiet"]) as on_progress:
        done = update_tracks(path, metadata, clear_empty=clear_empty, on_progress=on_progress)
    for row in done.unknown:
        click.echo(f"earmark: error: no such track: {displayed(row)}", err=True)
    click.echo(
        f"{counted(done.n_changed, 'track')} corrected in {displayed(str(path))}; {done.n_same:,} were so already, "
        f"{counted(len(done.unknown), 'row')} without a track"
    )
    ctx.exit(INCOMPLETE if done.unknown else 0)
