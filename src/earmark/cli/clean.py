"""`earmark clean`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from earmark.cli.exit_codes import INCOMPLETE

__all__ = ["clean", "policy_options", "report_cleaned"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--drop",
        type=click.Choice(["unlicensed", "review", "licensed"]),
        multiple=True,
        default=("unlicensed", "review"),
        show_default=True,
        help="Which matches go; may come again.",
    ),
    click.option("--keep-unheard", is_flag=True, help="Keep what was not scanned, or not to its end."),
    click.option("--min-matched-s", type=float, default=0.0, help="Keep items with fewer matched seconds."),
    click.option("--min-matched-share", type=float, default=0.0, help="Keep items of which less is matched [0 to 1]."),
    click.option("--redact", type=click.Choice(["silence", "cut"]), help="Take out the matched seconds only."),
    click.option(
        "--redact-form",
        type=click.Choice(["flac", "wav"]),
        default="flac",
        show_default=True,
        help="What redacted items become.",
    ),
    click.option("--margin-s", type=float, default=0.25, show_default=True, help="Seconds more at both ends."),
    click.option("--link", is_flag=True, help="Of a folder: make hard links to the files that stay."),
)


def policy_options(command: _Command) -> _Command:
    """Give a command the options that say what goes out of a corpus, and how."""
    wrapped: Any = command
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


@click.command()
@click.argument("scan", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New or empty folder to write to.")
@click.option("--corpus", help="Where the corpus is now [default: where it was scanned].")
@policy_options
@click.pass_context
def clean(
    ctx: click.Context,
    *,
    scan: Path,
    out: Path,
    corpus: str | None,
    drop: tuple[str, ...],
    keep_unheard: bool,
    min_matched_s: float,
    min_matched_share: float,
    redact: str | None,
    redact_form: str,
    margin_s: float,
    link: bool,
) -> None:
    """Write the corpus of a finished SCAN anew, without what was found in it and what could not be heard.

    The form stays: tar shards and tables are rewritten without the flagged items, lists without their lines, and of a
    folder of files the list of those that stay is written (files.txt). clean.json says what was done.

    \b
    Example:
      earmark clean scan1 --out clean1
      earmark clean scan1 --out clean2 --drop unlicensed --min-matched-s 5 --redact silence
    """  # noqa: D301 - click reads the \b
    from earmark.report.cleaning import CleanPolicy, clean_corpus

    policy = CleanPolicy(
        statuses=drop,
        keep_unheard=keep_unheard,
        min_matched_s=min_matched_s,
        min_matched_share=min_matched_share,
        redact=redact,
        redact_form=redact_form,
        margin_s=margin_s,
        link=link,
    )
    ctx.exit(report_cleaned(clean_corpus(scan, out, policy, corpus=corpus), out))


def report_cleaned(cleaned: Any, out: Path) -> int:  # noqa: ANN401 - a Cleaned; its module is loaded when called
    """Print what a cleaning came to; return the exit code."""
    counts = [f"{cleaned.kept:,} items kept", f"{cleaned.dropped:,} dropped"]
    if cleaned.redacted:
        counts.append(f"{cleaned.redacted:,} redacted ({cleaned.removed_s:,.1f} s)")
    click.echo(", ".join(counts) + f": {out}")
    if cleaned.dropped_unheard:
        words = "of those dropped were not heard, or not as a whole, so nobody knows what is in them"
        click.echo(f"{cleaned.dropped_unheard:,} {words}; --keep-unheard keeps them")
    if cleaned.kept_unheard:
        words = "of those kept were not heard, or not as a whole"
        click.echo(f"NOT CLEARED: {cleaned.kept_unheard:,} {words}; items.jsonl of the scan says why")
    if cleaned.n_problems:
        click.echo(f"{cleaned.n_problems:,} places are not in the copy; clean.json names them")
    return INCOMPLETE if cleaned.n_problems or cleaned.kept_unheard else 0
