"""`earmark rescan`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from earmark.cli.scan_options import SharedOptions, scan_options
from earmark.cli.use_options import takes_use
from earmark.matching import EFFORTS
from earmark.rights import Use

if TYPE_CHECKING:
    from earmark.scan import Limits

__all__ = ["rescan"]


@click.command()
@click.argument("scan_dir", type=click.Path(path_type=Path))
@scan_options
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
@click.option(
    "--effort", type=click.Choice(EFFORTS), help="How hard to look for music that was changed [default: as the scan]."
)
@click.option("--max-e-value", type=float, help="Chance matches to accept an hour [default: as the scan].")
@takes_use
@click.pass_context
def rescan(
    ctx: click.Context,
    *,
    scan_dir: Path,
    shared: SharedOptions,
    limits: "Limits",
    fail_on: str | None,
    since: Path | None,
    identity: Path | None,
    use: Use,
    effort: str | None,
    max_e_value: float | None,
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
    from earmark.scan import RescanPlan, kept_bytes, stop_on_signals
    from earmark.scan import rescan as run_rescan

    identities = [] if identity is None else read_identities(identity)
    out = shared["out"]
    plan = RescanPlan(
        scan=scan_dir,
        use=use,
        effort=effort,
        max_e_value=max_e_value,
        limits=limits,
        added_since=None if since is None else read_any_state(since, load_model(), identities=identities),
        **shared,
    )
    progress = scan_progress(scan_dir, wanted=not ctx.obj["quiet"], total=kept_bytes(scan_dir))
    with stop_on_signals() as stop, logged(out), progress as on_item:
        summary = run_rescan(plan, stop=stop, on_item=on_item)
        if summary.complete:
            write_parquet(out)
    print_result(stdout_console(), summary, out)
    ctx.exit(exit_code(summary, fail_on))
