"""`earmark catalog info`."""

import dataclasses
import json
from pathlib import Path

import click

from earmark.catalog import CatalogInfo, catalog_info
from earmark.cli.text import counted, displayed

__all__ = ["info"]


@click.command()
@click.argument("path", metavar="CATALOG", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(*, path: Path, as_json: bool) -> None:
    """Tell what is in CATALOG.

    \b
    Example:
      earmark catalog info my.catalog --json
    """  # noqa: D301 - click reads the \b
    found = catalog_info(path)
    click.echo(_json(found) if as_json else _in_words(found))


def _json(found: CatalogInfo) -> str:
    values = dataclasses.asdict(found) | {"path": displayed(str(found.path))}
    values["labels"] = [{"label": label, "n_tracks": n_tracks} for label, n_tracks in found.labels]
    return json.dumps(values, indent=2, ensure_ascii=False)


def _in_words(found: CatalogInfo) -> str:
    removed = f" ({found.n_removed:,} more removed)" if found.n_removed else ""
    lines = [
        f"catalog   {displayed(str(found.path))}",
        f"tracks    {found.n_tracks:,}{removed}",
        f"audio     {found.duration_s / 3600:.2f} h in {counted(found.n_recordings, 'recording')}",
        f"on disk   {found.n_bytes / 1e6:.2f} MB, {found.n_bytes_per_hour / 1e6:.2f} MB per hour of audio",
        f"format    {found.format_version}, written by {found.written_by}",
        f"model     {found.model_digest}",
        f"digest    {found.digest}",
    ]
    for segment in found.segments:
        gone = f" ({segment.n_removed:,} removed)" if segment.n_removed else ""
        lines.append(
            f"segment   {segment.name}: {counted(segment.n_tracks, 'track')}{gone}, {segment.n_vectors:,} vectors "
            f"({segment.index}), {segment.n_bytes / 1e6:.2f} MB"
        )
    lines += [
        f"label     {displayed(label or 'none given')}: {counted(n_tracks, 'track')}"
        for label, n_tracks in found.labels
    ]
    return "\n".join(lines)
