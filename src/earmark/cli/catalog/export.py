"""`earmark catalog export`."""

from pathlib import Path

import click

__all__ = ["export"]


@click.command()
@click.argument("path", metavar="CATALOG", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--label", help="Only tracks of this label; empty for those without one.")
@click.pass_context
def export(ctx: click.Context, *, path: Path, out: Path, label: str | None) -> None:
    """Write the track table of CATALOG to OUT, a .csv, .parquet or .xlsx file.

    One row a track: the columns of a metadata file, further ones that it had, and what the catalog knows: `duration_s`,
    `recording` (equal for ids of the same audio), `source_sha256` and `segment`.

    \b
    Example:
      earmark catalog export my.catalog tracks.parquet
    """  # noqa: D301 - click reads the \b
    from earmark.cli.catalog.progress import catalog_progress
    from earmark.cli.text import counted, displayed
    from earmark.report.tables import format_of
    from earmark.report.track_table import write_tracks

    with catalog_progress("exporting", wanted=not ctx.obj["quiet"]) as on_progress:
        n_tracks = write_tracks(path, out, format_of(out), label=label, on_progress=on_progress)
    click.echo(f"{counted(n_tracks, 'track')} of {displayed(str(path))} in {displayed(str(out))}")
