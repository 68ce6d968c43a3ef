"""`earmark merge`."""

from pathlib import Path

import click

from earmark.cli.exit_codes import FAIL_ON

__all__ = ["merge"]


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("scans", metavar="SCAN_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--fail-on", type=click.Choice(FAIL_ON), help="Exit with 1 on such findings.")
@click.pass_context
def merge(ctx: click.Context, *, out: Path, scans: tuple[Path, ...], fail_on: str | None) -> None:
    """Join the scans of all shards of a corpus into OUT, a new or empty folder.

    Each SCAN_DIR is the --out of a scan with --shard I/N. All N must be there, each once and come to its end, made of
    one listing with the same catalog, registry and options. The result is that of one scan of the whole corpus.

    \b
    Example:
      earmark merge scan-all scan-1 scan-2 scan-3 scan-4
    """  # noqa: D301 - click reads the \b
    from earmark.audit import logged
    from earmark.cli.exit_codes import exit_code
    from earmark.cli.table import print_result, stdout_console
    from earmark.report import write_parquet
    from earmark.scan import merge_scans

    with logged(out):
        summary = merge_scans(out, scans)
        write_parquet(out)
    print_result(stdout_console(), summary, out)
    ctx.exit(exit_code(summary, fail_on))
