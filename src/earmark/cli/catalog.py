"""`earmark catalog`: build, add, remove, info; pack and unpack are in `earmark.cli.packs`."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from earmark.catalog import BuildReport, CatalogInfo, NothingIndexedError, add_tracks, build_catalog, catalog_info
from earmark.catalog import Progress as BuildProgress
from earmark.catalog import remove_tracks as remove_from_catalog
from earmark.cli import packs
from earmark.cli.exit_codes import INCOMPLETE, NOTHING_USABLE
from earmark.cli.text import counted, displayed
from earmark.fingerprint import load_model

__all__ = ["catalog"]

_NAMES_SHOWN = 5

_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group()
def catalog() -> None:
    """Make and change catalogs: the recordings that scans look for.

    \b
    Example:
      earmark catalog build my.catalog ~/music --metadata tracks.csv
      earmark catalog info my.catalog
    """  # noqa: D301 - click reads the \b


catalog.add_command(packs.pack)
catalog.add_command(packs.unpack)


def _takes_sources(command: _Command) -> _Command:
    """Give a command the arguments that build and add share."""
    for decorate in (
        click.option("--jobs", type=click.IntRange(min=1), help="Worker processes [default: one a processor]."),
        click.option(
            "--metadata", type=click.Path(path_type=Path), help="CSV file that says which file is what track."
        ),
        click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(path_type=Path)),
        click.argument("path", metavar="CATALOG", type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command


@catalog.command()
@_takes_sources
@click.pass_context
def build(
    ctx: click.Context, *, path: Path, sources: tuple[Path, ...], metadata: Path | None, jobs: int | None
) -> None:
    """Make the new catalog CATALOG out of audio files and directories.

    The metadata file is CSV with a column `path` (absolute, or relative to the file or to a SOURCE) and any of
    `track_id, isrc, title, artist, label, rightsholder`; further columns are kept. Files without a row go by their tags
    and by their path. Exits with 4 if some files could not be used, with 3 if none could.

    \b
    Example:
      earmark catalog build my.catalog ~/music --metadata tracks.csv
    """  # noqa: D301 - click reads the \b
    _index(ctx, build_catalog, path=path, sources=sources, metadata=metadata, jobs=jobs)


@catalog.command()
@_takes_sources
@click.pass_context
def add(ctx: click.Context, *, path: Path, sources: tuple[Path, ...], metadata: Path | None, jobs: int | None) -> None:
    """Add audio files and directories to CATALOG.

    Arguments and exit codes are those of `build`. A track id that is in the catalog already is not replaced: remove it
    first.

    \b
    Example:
      earmark catalog add my.catalog ~/new-releases --metadata new.csv
    """  # noqa: D301 - click reads the \b
    _index(ctx, add_tracks, path=path, sources=sources, metadata=metadata, jobs=jobs)


@catalog.command()
@click.argument("path", metavar="CATALOG", type=click.Path(path_type=Path))
@click.argument("track_ids", metavar="TRACK_ID...", nargs=-1, required=True)
def remove(*, path: Path, track_ids: tuple[str, ...]) -> None:
    """Take tracks out of CATALOG. If one of the ids is not in it, nothing is removed.

    \b
    Example:
      earmark catalog remove my.catalog "album/01 intro.flac" GBAYE6800011
    """  # noqa: D301 - click reads the \b
    n_removed = remove_from_catalog(path, track_ids)
    click.echo(f"{counted(n_removed, 'track')} removed from {displayed(str(path))}")


@catalog.command()
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


def _index(
    ctx: click.Context,
    make: Callable[..., BuildReport],
    *,
    path: Path,
    sources: tuple[Path, ...],
    metadata: Path | None,
    jobs: int | None,
) -> None:
    from earmark.scan.plan import available_processors

    quiet = ctx.obj["quiet"]
    try:
        with _progress(wanted=not quiet) as on_progress:
            report = make(
                path,
                sources,
                metadata=metadata,
                model=load_model(),
                jobs=jobs or available_processors(),
                on_progress=on_progress,
            )
    except NothingIndexedError as error:
        _print_notices(error.report, quiet=quiet)
        click.echo(f"earmark: error: {displayed(str(error))}", err=True)
        ctx.exit(NOTHING_USABLE)
    _print_notices(report, quiet=quiet)
    click.echo(
        f"{counted(report.n_indexed, 'track')}, {report.duration_s / 3600:.2f} h, indexed in {displayed(str(path))}; "
        f"{len(report.failed):,} failed, {counted(report.n_skipped, 'other file')} skipped"
    )
    ctx.exit(INCOMPLETE if report.failed else 0)


def _print_notices(report: BuildReport, *, quiet: bool) -> None:
    """Print what failed, and unless quiet what else there is to know."""
    notices = [f"error: not indexed: {source}: {why}" for source, why in report.failed]
    if not quiet:
        notices += [f"warning: {source}: {what}" for source, what in report.warnings]
        notices += [f"warning: the same audio goes by {len(ids)} track ids: {_some(ids)}" for ids in report.duplicates]
        if report.unmatched:
            rows = "row fits" if len(report.unmatched) == 1 else "rows fit"
            shown = _some(report.unmatched)
            notices.append(f"warning: {len(report.unmatched):,} metadata {rows} no file among the sources: {shown}")
    for notice in notices:
        click.echo(f"earmark: {displayed(notice)}", err=True)


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


@contextlib.contextmanager
def _progress(*, wanted: bool) -> Iterator[Callable[[BuildProgress], None] | None]:
    """Give the callback that moves a bar, None without a terminal."""
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    columns = (
        TextColumn("indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[hours]:.1f} h of audio"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("indexing", total=None, hours=0.0)
        yield lambda at: bar.update(task, completed=at.n_done, total=at.n_total, hours=at.duration_s / 3600)


def _json(found: CatalogInfo) -> str:
    values = dataclasses.asdict(found) | {"path": displayed(str(found.path))}
    values["labels"] = [{"label": label, "n_tracks": n_tracks} for label, n_tracks in found.labels]
    return json.dumps(values, indent=2, ensure_ascii=False)


def _in_words(found: CatalogInfo) -> str:
    removed = f" ({found.n_removed:,} more removed)" if found.n_removed else ""
    lines = [
        f"catalog   {displayed(str(found.path))}",
        f"tracks    {found.n_tracks:,}{removed}",
        f"audio     {found.duration_s / 3600:.2f} h",
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
