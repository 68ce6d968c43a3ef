"""`earmark catalog add`."""

from pathlib import Path

import click

from earmark.catalog import add_tracks
from earmark.cli.catalog.sources import index, takes_sources

__all__ = ["add"]


@click.command()
@takes_sources
@click.pass_context
def add(ctx: click.Context, *, path: Path, sources: tuple[Path, ...], metadata: Path | None, jobs: int | None) -> None:
    """Add audio files and directories to CATALOG.

    Arguments and exit codes are those of `build`. A file that is in the catalog already is passed over. A track id that
    is there with another file is not replaced: remove it first.

    \b
    Example:
      earmark catalog add my.catalog ~/new-releases --metadata new.csv
    """  # noqa: D301 - click reads the \b
    index(ctx, add_tracks, path=path, sources=sources, metadata=metadata, jobs=jobs)
