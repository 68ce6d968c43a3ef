"""`earmark scan`."""

import re
from datetime import date
from pathlib import Path

import click

from earmark.cli.exit_codes import FAIL_ON
from earmark.matching import DEFAULT_MAX_E_VALUE
from earmark.rights import SCOPES, Use

__all__ = ["scan"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class _Date(click.ParamType[date]):
    """A day, as YYYY-MM-DD and in no other form."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            if not _DATE.fullmatch(str(value)):
                raise ValueError("of another form")
            return date.fromisoformat(str(value))
        except ValueError as error:
            self.fail(f"{value!r} is no day; expected YYYY-MM-DD ({error})", param, ctx)


@click.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--catalog", required=True, type=click.Path(path_type=Path), help="Catalog folder to look for.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New or empty folder to write to.")
@click.option("--registry", type=click.Path(path_type=Path), help="License registry, a CSV file.")
@click.option("--licensee", help="Who wants to use the corpus.")
@click.option("--use", "scope", type=click.Choice(SCOPES), help="What for.")
@click.option("--territory", help="In which country, as two letters (ISO 3166).")
@click.option("--as-of", type=_Date(), metavar="YYYY-MM-DD", help="On which day.")
@click.option("--effort", default="fast", show_default=True, help="How hard to look.")
@click.option(
    "--max-e-value",
    type=float,
    default=DEFAULT_MAX_E_VALUE,
    show_default=True,
    help="Chance matches to accept an hour.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes [default: one a processor].")
@click.option("--resume", is_flag=True, help="Go on with the scan that --out holds, if any.")
@click.option("--fail-on", type=click.Choice(FAIL_ON), help="Exit with 1 on such findings.")
@click.pass_context
def scan(
    ctx: click.Context,
    *,
    corpus: Path,
    catalog: Path,
    out: Path,
    registry: Path | None,
    licensee: str | None,
    scope: str | None,
    territory: str | None,
    as_of: date | None,
    effort: str,
    max_e_value: float,
    jobs: int | None,
    resume: bool,
    fail_on: str | None,
) -> None:
    """Scan CORPUS, a directory or an audio file, for the recordings of a catalog.

    Writes matches.jsonl, items.jsonl and summary.json to --out as it goes. Ctrl-C leaves whole lines in them. A match
    is `licensed` if a grant of the registry covers the use, `unlicensed` if none does or one forbids it, and `review`
    where a fact is missing that it depends on.

    \b
    Example:
      earmark scan ~/corpus --catalog my.catalog --out scan1 --registry rights.csv \\
        --licensee "Acme AI" --use ai_training --territory US --as-of 2026-11-01
    """  # noqa: D301 - click reads the \b
    from earmark.cli.exit_codes import exit_code
    from earmark.cli.progress import scan_progress
    from earmark.cli.table import print_result, stdout_console
    from earmark.scan import ScanPlan, stop_on_signals
    from earmark.scan import scan as run_scan

    plan = ScanPlan(
        corpus=corpus,
        catalog=catalog,
        out=out,
        registry=registry,
        use=Use(licensee=licensee, scope=scope, territory=territory, as_of=as_of),
        effort=effort,
        max_e_value=max_e_value,
        jobs=jobs,
        resume=resume,
    )
    with stop_on_signals() as stop, scan_progress(corpus, wanted=not ctx.obj["quiet"]) as on_item:
        summary = run_scan(plan, stop=stop, on_item=on_item)
    print_result(stdout_console(), summary, out)
    ctx.exit(exit_code(summary, fail_on))
