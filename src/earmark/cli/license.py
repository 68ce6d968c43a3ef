"""`earmark license`: import, template, check, export."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from earmark.cli.exit_codes import INCOMPLETE, NOTHING_USABLE
from earmark.cli.text import counted, displayed
from earmark.cli.use_options import Day, takes_use
from earmark.errors import EarmarkError
from earmark.rights import TABLE_FORMATS, Recording, Use

if TYPE_CHECKING:
    from earmark.rights.importing import ImportProgress, ImportReport, Refusal

__all__ = ["license"]

_SHOWN = 20  # refusals and notices on the terminal: a screenful


@click.group()
def license() -> None:  # noqa: A001 - the command's name
    """Keep a license registry: recordings, who holds them, grants and reservations.

    \b
    Example:
      earmark license template templates
      earmark license import my.registry grants.csv recordings.xlsx release.xml
      earmark license check my.registry --isrc GBAYE6800011 --licensee "Acme AI" --use ai_training
    """  # noqa: D301 - click reads the \b


@license.command("import")
@click.argument("registry", type=click.Path(path_type=Path))
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Import nothing if anything is wrong, or if grants overlap.")
@click.option("--replace", is_flag=True, help="Let recordings and holdings take the place of those that are there.")
@click.option("--use-types", type=click.Path(path_type=Path), help="JSON: what user-defined AI use types mean.")
@click.option("--covers", multiple=True, metavar="COLUMN=VALUE", help="What declarations are about that do not say so.")
@click.option("--asserted-at", type=Day(), metavar="YYYY-MM-DD", help="Since when such declarations are known.")
@click.option("--rejects", type=click.Path(path_type=Path), help="New file for all that is refused, as JSON lines.")
@click.option("--wait", default=30.0, show_default=True, help="Seconds to wait for another writer.")
@click.pass_context
def import_command(
    ctx: click.Context,
    *,
    registry: Path,
    files: tuple[Path, ...],
    strict: bool,
    replace: bool,
    use_types: Path | None,
    covers: tuple[str, ...],
    asserted_at: date | None,
    rejects: Path | None,
    wait: float,
) -> None:
    """Import FILEs into REGISTRY, which is made if it is not there.

    Takes CSV and XLSX (see `template`), JSON lines, DDEX ERN 4.3 and 3.8.2, tdmrep.json, ODRL in JSON-LD, and media
    with C2PA manifests; told apart by their contents. A row that is wrong is refused, and the others go in: exit code
    4, or 3 if nothing could be used. An ERN deal is a grant only for the use types that --use-types names.

    \b
    Example:
      earmark license import my.registry grants.csv recordings.csv
      earmark license import my.registry release.xml --use-types use-types.json
      earmark license import my.registry tdmrep.json --covers label="Small Label" --asserted-at 2024-06-01
    """  # noqa: D301 - click reads the \b
    from earmark.rights.importing import ImportOptions, import_files
    from earmark.rights.sources.repertoire import parse_repertoire
    from earmark.rights.use_types import read_use_types

    options = ImportOptions(
        strict=strict,
        replace=replace,
        repertoire=parse_repertoire(covers),
        asserted_at=asserted_at,
        use_types=read_use_types(use_types) if use_types is not None else {},
        wait_s=wait,
    )
    quiet = ctx.obj["quiet"]
    with _refusals(rejects) as on_refusal, _progress(wanted=not quiet) as on_progress:
        report = import_files(registry, files, options, on_refusal=on_refusal, on_progress=on_progress)
    if not quiet:
        _print_some(report.notices, "notice")
    click.echo(f"{displayed(str(registry))}: {_in_words(report)}")
    if files and report.n_files_refused == len(files):
        ctx.exit(NOTHING_USABLE)
    ctx.exit(INCOMPLETE if report.n_refused else 0)


@license.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(TABLE_FORMATS),
    default="csv",
    show_default=True,
    help="What kind of tables to write.",
)
def template(*, out: Path, form: str) -> None:
    """Write tables to fill in to OUT: a new folder for CSV, a new file for the others.

    Each has all columns of its kind and a row that shows how it is meant.

    \b
    Example:
      earmark license template templates
      earmark license template rights.xlsx --format xlsx
    """  # noqa: D301 - click reads the \b
    from earmark.rights.exporting import write_template

    for path in write_template(out, form):
        click.echo(displayed(str(path)))


@license.command()
@click.argument("registry", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="New folder for CSV, new file else [default: stdout].")
@click.option("--format", "form", type=click.Choice(TABLE_FORMATS), help="[default: jsonl on stdout, csv with --out]")
def export(*, registry: Path, out: Path | None, form: str | None) -> None:
    """Give back what was imported into REGISTRY, with the file, digest and message that each fact came from.

    \b
    Example:
      earmark license export my.registry
      earmark license export my.registry --out tables
      earmark license export my.registry --out rights.xlsx --format xlsx
    """  # noqa: D301 - click reads the \b
    from earmark.rights.exporting import export_json_lines, export_registry

    if out is None:
        if form not in {None, "jsonl"}:
            raise EarmarkError(f"--format {form} needs --out; only jsonl goes to stdout")
        export_json_lines(registry, sys.stdout)
    else:
        for path in export_registry(registry, out, form or "csv"):
            click.echo(displayed(str(path)))


@license.command()
@click.argument("registry", type=click.Path(path_type=Path))
@click.option("--track-id", help="Id of the track in catalogs.")
@click.option("--isrc", help="Its ISRC.")
@click.option("--upc", multiple=True, help="A release that it is on.")
@click.option("--label", help="Its label.")
@click.option("--rightsholder", help="Who holds its rights.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@takes_use
def check(
    *,
    registry: Path,
    track_id: str | None,
    isrc: str | None,
    upc: tuple[str, ...],
    label: str | None,
    rightsholder: str | None,
    as_json: bool,
    use: Use,
) -> None:
    """Decide one case by REGISTRY, and say why.

    REGISTRY is a registry file or a CSV table. What is not given counts as unknown, unless the registry knows it.

    \b
    Example:
      earmark license check my.registry --isrc GBAYE6800011 --licensee "Acme AI" --use ai_training \\
        --territory US --as-of 2026-11-01
    """  # noqa: D301 - click reads the \b
    from earmark.cli.cases import case_as_json, case_in_words
    from earmark.rights import explain_case, read_registry

    recording = Recording(track_id=track_id, isrc=isrc, label=label, rightsholder=rightsholder, upc=upc)
    case = explain_case(recording, read_registry(registry), use)
    click.echo(case_as_json(case) if as_json else case_in_words(case))


@contextlib.contextmanager
def _refusals(rejects: Path | None) -> Iterator[Callable[["Refusal"], None]]:
    """Give the callback that prints the first refusals, and writes all to a file if there is to be one."""
    n_refused = 0
    with contextlib.ExitStack() as stack:
        file = None
        if rejects is not None:
            try:
                file = stack.enter_context(rejects.open("x", encoding="utf-8"))
            except OSError as error:
                raise EarmarkError(f"--rejects {str(rejects)!r}: {error.strerror}; expected a new file") from error

        def on_refusal(refusal: "Refusal") -> None:
            nonlocal n_refused
            n_refused += 1
            if n_refused <= _SHOWN:
                click.echo(f"earmark: error: refused: {displayed(str(refusal))}", err=True)
            if file is not None:
                values = {name: getattr(refusal, name) for name in ("file", "line", "column", "complaint")}
                file.write(json.dumps(values, ensure_ascii=False) + "\n")

        yield on_refusal
    if n_refused > _SHOWN:
        where = f"all are in {rejects}" if rejects is not None else "--rejects FILE keeps them all"
        click.echo(f"earmark: error: {n_refused - _SHOWN:,} more refused; {where}", err=True)


@contextlib.contextmanager
def _progress(*, wanted: bool) -> Iterator[Callable[["ImportProgress"], None] | None]:
    """Give the callback that moves a bar, None without a terminal."""
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    columns = (
        TextColumn("importing"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[n_facts]:,} facts"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("importing", total=None, n_facts=0)
        yield lambda at: bar.update(task, completed=at.n_bytes, total=at.n_bytes_total, n_facts=at.n_facts)


def _print_some(lines: tuple[str, ...], what: str) -> None:
    for line in lines[:_SHOWN]:
        click.echo(f"earmark: {what}: {displayed(line)}", err=True)
    if len(lines) > _SHOWN:
        click.echo(f"earmark: {what}: {len(lines) - _SHOWN:,} more like these", err=True)


def _in_words(report: "ImportReport") -> str:
    """Say what became of an import."""
    parts = [counted(n, kind.removesuffix("s")) for kind, n in sorted(report.added.items())]
    words = f"{', '.join(parts) or 'nothing'} added"
    for name, counts in (("replaced", report.replaced), ("there already", report.known)):
        if counts:
            words += f", {sum(counts.values()):,} {name}"
    return words + (f", {report.n_refused:,} refused" if report.n_refused else "")
