"""`earmark rescan`."""

from pathlib import Path

import click

from earmark.cli.exit_codes import FAIL_ON
from earmark.cli.parameters import Size
from earmark.cli.use_options import takes_use
from earmark.matching import EFFORTS
from earmark.rights import Use

__all__ = ["rescan"]


@click.command()
@click.argument("scan_dir", type=click.Path(path_type=Path))
@click.option(
    "--catalog",
    "catalogs",
    required=True,
    multiple=True,
    metavar="PATH|URL",
    help="Catalog folder to look for; several are shards of one catalog.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option(
    "--added-since",
    "since",
    metavar="STATE",
    type=click.Path(path_type=Path),
    help="Only what the catalog has gained since: SCAN_DIR, an earlier rescan, a pack, or an older catalog.",
)
@click.option(
    "--identity",
    type=click.Path(path_type=Path),
    help="File of the private key that opens --added-since, if encrypted.",
)
@click.option("--registry", type=click.Path(path_type=Path), help="License registry: a registry file, or CSV.")
@click.option("--allow", type=click.Path(path_type=Path), help="CSV list of cases that count as licensed.")
@click.option("--ignore", type=click.Path(path_type=Path), help="CSV list of matches and items to leave out.")
@click.option(
    "--effort", type=click.Choice(EFFORTS), help="How hard to look for music that was changed [default: as the scan]."
)
@click.option("--max-e-value", type=float, help="Chance matches to accept an hour [default: as the scan].")
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes [default: one a processor].")
@click.option("--resume", is_flag=True, help="Go on with the rescan that --out holds, if any.")
@click.option(
    "--timeout-per-item",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Give an item up after so long [default: in proportion to its size and length].",
)
@click.option(
    "--memory-per-item", type=Size(), default="2G", show_default=True, help="Give an item up that needs more."
)
@click.option("--fail-on", type=click.Choice(FAIL_ON), help="Exit with 1 on such findings.")
@takes_use
@click.pass_context
def rescan(
    ctx: click.Context,
    *,
    scan_dir: Path,
    catalogs: tuple[str, ...],
    out: Path,
    since: Path | None,
    identity: Path | None,
    registry: Path | None,
    allow: Path | None,
    ignore: Path | None,
    use: Use,
    effort: str | None,
    max_e_value: float | None,
    jobs: int | None,
    resume: bool,
    timeout_per_item: float | None,
    memory_per_item: int,
    fail_on: str | None,
) -> None:
    """Match the corpus of a scan again, without its audio.

    SCAN_DIR is the folder of a scan that was made with --keep-fingerprints and came to its end. --out gets what a scan
    of the audio with these options would write. With --added-since only tracks are looked for that the catalog has
    gained; odds are those of the whole catalog.

    \b
    Example:
      earmark rescan scan1 --catalog my.catalog --out scan2 --registry rights.csv \\
        --licensee "Acme AI" --use ai_training --territory US --as-of 2026-11-01
      earmark rescan scan1 --catalog my.catalog --out news1 --added-since scan1
    """  # noqa: D301 - click reads the \b
    from earmark.audit import logged
    from earmark.cli.exit_codes import exit_code
    from earmark.cli.progress import scan_progress
    from earmark.cli.table import print_result, stdout_console
    from earmark.exchange import read_any_state, read_identities
    from earmark.fingerprint import load_model
    from earmark.report import write_parquet
    from earmark.scan import Limits, RescanPlan, kept_bytes, stop_on_signals
    from earmark.scan import rescan as run_rescan

    identities = [] if identity is None else read_identities(identity)
    plan = RescanPlan(
        scan=scan_dir,
        catalog=catalogs,
        out=out,
        registry=registry,
        allow=allow,
        ignore=ignore,
        use=use,
        effort=effort,
        max_e_value=max_e_value,
        jobs=jobs,
        limits=Limits(timeout_s=timeout_per_item, memory_bytes=memory_per_item),
        added_since=None if since is None else read_any_state(since, load_model(), identities=identities),
        resume=resume,
    )
    progress = scan_progress(scan_dir, wanted=not ctx.obj["quiet"], total=kept_bytes(scan_dir))
    with stop_on_signals() as stop, logged(out), progress as on_item:
        summary = run_rescan(plan, stop=stop, on_item=on_item)
        if summary.complete:
            write_parquet(out)
    print_result(stdout_console(), summary, out)
    ctx.exit(exit_code(summary, fail_on))
