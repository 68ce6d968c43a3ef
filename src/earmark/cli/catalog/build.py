"""`earmark catalog build`."""

from pathlib import Path

import click

from earmark.catalog import build_catalog
from earmark.cli.catalog.sources import index, takes_sources

__all__ = ["build"]


@click.command()
@takes_sources
@click.pass_context
def build(
    ctx: click.Context, *, path: Path, sources: tuple[Path, ...], metadata: Path | None, jobs: int | None
) -> None:
    """Make the new catalog CATALOG out of audio files and directories.

    The metadata file is CSV with a column `path` (absolute, or relative to the file or to a SOURCE) and any of
    `track_id, isrc, title, artist, label, rightsholder`; further columns are kept. Files without a row go by their tags
    and by their path. The same audio under several ids is stored once. A build that was stopped goes on when it is
    called again. Exits with 4 if some files could not be used, with 3 if none could.

    \b
    Example:
      earmark catalog build my.catalog ~/music --metadata tracks.csv
    """  # noqa: D301 - click reads the \b
    index(ctx, build_catalog, path=path, sources=sources, metadata=metadata, jobs=jobs)
