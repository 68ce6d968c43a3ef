"""What `build` and `add` share: arguments, and what is printed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from earmark.catalog import BuildReport, NothingIndexedError
from earmark.cli.catalog.duplicates import in_words
from earmark.cli.catalog.progress import catalog_progress
from earmark.cli.exit_codes import INCOMPLETE, NOTHING_USABLE
from earmark.cli.text import counted, displayed
from earmark.fingerprint import load_model
from earmark.matching import find_duplicates

__all__ = ["index", "takes_sources"]

_NAMES_SHOWN = 5
_PAIRS_SHOWN = 20

_Command = TypeVar("_Command", bound=Callable[..., Any])


def takes_sources(command: _Command) -> _Command:
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


def index(
    ctx: click.Context,
    make: Callable[..., BuildReport],
    *,
    path: Path,
    sources: tuple[Path, ...],
    metadata: Path | None,
    jobs: int | None,
) -> None:
    """Build or add, print what came of it, and exit."""
    from earmark.scan.plan import available_processors

    quiet = ctx.obj["quiet"]
    try:
        with catalog_progress("indexing", wanted=not quiet) as on_progress:
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
    click.echo(_in_words(report, path))
    if not quiet:
        _print_likely(report, path)
    ctx.exit(INCOMPLETE if report.failed else 0)


def _in_words(report: BuildReport, path: Path) -> str:
    resumed = f" ({report.n_resumed:,} of them before it was stopped)" if report.n_resumed else ""
    known = f", {report.n_known:,} there already" if report.n_known else ""
    return (
        f"{counted(report.n_indexed, 'track')}, {report.duration_s / 3600:.2f} h, indexed in "
        f"{displayed(str(path))}{resumed}; {len(report.failed):,} failed, "
        f"{counted(report.n_skipped, 'other file')} skipped{known}"
    )


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


def _print_likely(report: BuildReport, path: Path) -> None:
    """Print which of the new tracks the catalog is likely to have twice."""
    if not report.segments:
        return
    with catalog_progress("comparing", wanted=True) as on_progress:
        pairs = list(find_duplicates(path, load_model(), segments=report.segments, on_progress=on_progress))
    for pair in pairs[:_PAIRS_SHOWN]:
        click.echo(f"earmark: warning: {displayed(in_words(pair))}", err=True)
    if len(pairs) > _PAIRS_SHOWN:
        more = len(pairs) - _PAIRS_SHOWN
        click.echo(f"earmark: warning: and {more:,} more such pairs; see 'earmark catalog duplicates'", err=True)


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
