"""`earmark scan`."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from earmark.cli.parameters import ShardText, Size, load_config
from earmark.cli.reading import reading_options
from earmark.cli.scan_options import SharedOptions, scan_options
from earmark.cli.use_options import takes_use
from earmark.corpus.options import CorpusOptions
from earmark.matching import DEFAULT_EFFORT, DEFAULT_MAX_E_VALUE, EFFORTS
from earmark.rights import Use

if TYPE_CHECKING:
    from earmark.scan import Limits, Shard

__all__ = ["scan"]


@click.command()
@click.argument("corpus")
@scan_options
@click.option(
    "--effort",
    type=click.Choice(EFFORTS),
    default=DEFAULT_EFFORT,
    show_default=True,
    help="How hard to look for music that was changed.",
)
@click.option(
    "--max-e-value",
    type=float,
    default=DEFAULT_MAX_E_VALUE,
    show_default=True,
    help="Chance matches to accept an hour.",
)
@click.option(
    "--engine",
    type=click.Choice(("local", "ray")),
    default="local",
    show_default=True,
    help="Where the workers run: here, or on a Ray cluster.",
)
@click.option(
    "--address", metavar="HOST:PORT", help="Ray cluster, or `local` for a new one here [default: as Ray has it]."
)
@click.option(
    "--catalog-cache",
    type=click.Path(path_type=Path),
    help="Where copies of catalogs behind URLs go [default: the temporary folder].",
)
@click.option("--shard", type=ShardText(), metavar="I/N", help="Scan the I-th of N parts only; see `earmark merge`.")
@click.option("--min-seconds", type=click.FloatRange(min=0), default=0.0, help="Leave out what is shorter.")
@click.option("--max-item-size", type=Size(), default="64G", show_default=True, help="Leave out what is larger.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=load_config,
    help="TOML file with any of these; what stands on the command line goes first.",
)
@click.option(
    "--keep-fingerprints", is_flag=True, help="Keep what `earmark rescan` needs to match again without audio."
)
@click.option("--clean", type=click.Path(path_type=Path), help="Then write the corpus without what was found there.")
@reading_options
@takes_use
@click.pass_context
def scan(
    ctx: click.Context,
    *,
    corpus: str,
    shared: SharedOptions,
    limits: "Limits",
    fail_on: str | None,
    use: Use,
    effort: str,
    max_e_value: float,
    engine: str,
    address: str | None,
    catalog_cache: Path | None,
    shard: "Shard | None",
    min_seconds: float,
    max_item_size: int,
    keep_fingerprints: bool,
    clean: Path | None,
    reading: CorpusOptions,
) -> None:
    """Scan CORPUS for the recordings of a catalog.

    CORPUS is a directory, tar shard, table, manifest or audio file, or the URL of one (s3://bucket/folder); braces
    name several (shard-{000..127}.tar). docs/corpora.md lists the forms.

    Writes matches.jsonl, items.jsonl and summary.json to --out as it goes, and when it ends the log audit.jsonl and the
    rows as Parquet too. --out is a new or an empty folder, or with --resume that of a scan that was stopped or killed.
    A match is `licensed` if a grant of the registry covers the use, `unlicensed` if none does or one forbids it, and
    `review` where a fact is missing that it depends on.

    \b
    Example:
      earmark scan ~/corpus --catalog my.catalog --out scan1 --registry rights.csv \\
        --licensee "Acme AI" --use ai_training --territory US --as-of 2026-11-01
      earmark scan --config scan.toml --resume --shard 3/16 --out scan-3
      earmark scan s3://bucket/corpus --catalog s3://bucket/my.catalog --out scan2 --engine ray --address 10.0.0.1:6379
    """  # noqa: D301 - click reads the \b
    from earmark.audit import logged
    from earmark.cli.clean import report_cleaned
    from earmark.cli.exit_codes import FINDINGS, exit_code
    from earmark.cli.progress import scan_progress
    from earmark.cli.table import print_result, stdout_console
    from earmark.report import write_parquet
    from earmark.report.cleaning import check_clean_out, clean_corpus
    from earmark.scan import ScanPlan, Shard, stop_on_signals
    from earmark.scan import scan as run_scan

    out = shared["out"]
    plan = ScanPlan(
        corpus=corpus,
        reading=reading,
        use=use,
        effort=effort,
        max_e_value=max_e_value,
        engine=engine,
        address=address,
        catalog_cache=catalog_cache,
        limits=dataclasses.replace(limits, max_bytes=max_item_size),
        min_seconds=min_seconds,
        shard=shard or Shard(),
        keep_fingerprints=keep_fingerprints,
        **shared,
    )
    if clean is not None and shard is not None:
        raise click.UsageError("--clean needs all of the corpus: merge the shards, then use `earmark clean`", ctx)
    if clean is not None:
        check_clean_out(clean, corpus)
    progress = scan_progress(corpus, reading, wanted=not ctx.obj["quiet"])
    with stop_on_signals() as stop, logged(out), progress as on_item:
        summary = run_scan(plan, stop=stop, on_item=on_item)
        if summary.complete:
            write_parquet(out)
    print_result(stdout_console(), summary, out)
    code = exit_code(summary, fail_on)
    if clean is not None and summary.complete:
        cleaned = report_cleaned(clean_corpus(out, clean), clean)
        code = cleaned if code in (0, FINDINGS) and cleaned else code
    ctx.exit(code)
