"""`earmark catalog compact`."""

from pathlib import Path

import click

from earmark.catalog import compact_catalog
from earmark.cli.catalog.progress import catalog_progress
from earmark.cli.text import counted, displayed
from earmark.fingerprint import load_model

__all__ = ["compact"]


@click.command()
@click.argument("path", metavar="CATALOG", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Write all segments anew, not only those where it pays.")
@click.pass_context
def compact(ctx: click.Context, *, path: Path, everything: bool) -> None:
    """Free the room of removed tracks in CATALOG and join its small segments. Needs no audio.

    Until it is done the disk holds both, what is written anew and what it replaces.

    \b
    Example:
      earmark catalog compact my.catalog
    """  # noqa: D301 - click reads the \b
    with catalog_progress("compacting", wanted=not ctx.obj["quiet"]) as on_progress:
        done = compact_catalog(path, model=load_model(), everything=everything, on_progress=on_progress)
    click.echo(
        f"{displayed(str(path))}: {counted(done.n_segments_before, 'segment')}, {done.n_bytes_before / 1e6:.2f} MB, "
        f"became {done.n_segments_after:,}, {done.n_bytes_after / 1e6:.2f} MB; {done.n_rewritten:,} written anew"
    )
