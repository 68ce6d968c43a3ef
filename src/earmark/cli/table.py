"""What a scan found, as a table for people."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from earmark.cli.text import counted, displayed
from earmark.report import Finding, odds_in_words, read_matches, seconds_in_words, worst_findings
from earmark.scan import MATCHES_FILE, Summary

__all__ = ["print_result", "stdout_console"]

_MAX_ROWS = 50
_STYLES = {"unlicensed": "bold red", "review": "yellow", "licensed": "green"}
_PIPE_WIDTH = 160  # where no terminal sets a width, wide enough for most reasons


def stdout_console() -> Console:
    """Return a console on stdout; a pipe gets no colours, and is wide unless COLUMNS says otherwise."""
    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console


def print_result(console: Console, summary: Summary, out: Path) -> None:
    """Print what a scan comes to, and its findings, the worst first.

    Parameters
    ----------
    console
        Where to.
    summary
        Of the scan.
    out
        The folder that it wrote.
    """
    findings, n_findings = worst_findings(read_matches(out), _MAX_ROWS)
    if findings:
        console.print(_table(findings))
    if n_findings > len(findings):
        _say(console, f"{len(findings)} of {n_findings:,} findings; all of them are in {out / MATCHES_FILE}")
    counts = ", ".join(f"{n:,} {status}" for status, n in summary.items.items() if n and status != "total")
    _say(
        console,
        f"{counted(summary.items['total'], 'item')} ({counts or 'none'}), {counted(n_findings, 'finding')}; "
        f"{_duration(summary.hours['scanned'] * 3600)} of audio in {_duration(summary.elapsed_s)}, "
        f"{summary.rates['realtime']:,.0f} x realtime",
    )
    _say(console, summary.coverage)
    _say(console, f"Rows and summary are in {out}")


def _duration(seconds: float) -> str:
    """Return a length of time in the unit that gives it two digits or three before the point."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _say(console: Console, text: str) -> None:
    """Print a line that no one but the terminal breaks."""
    console.print(Text(displayed(text)), soft_wrap=True)


def _table(findings: Sequence[Finding]) -> Table:
    table = Table()
    table.add_column("item", overflow="fold", ratio=4)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("track", overflow="fold", ratio=4)
    table.add_column("status", no_wrap=True)
    table.add_column("odds", no_wrap=True)
    table.add_column("why", overflow="fold", ratio=6)
    for finding in findings:
        table.add_row(
            Text(displayed(finding.item)),
            seconds_in_words(finding.item_start_s, finding.item_end_s),
            Text(displayed(finding.track)),
            Text(finding.status, style=_STYLES.get(finding.status, "")),
            odds_in_words(finding.log10_e_value),
            Text(displayed(finding.reason)),
        )
    return table
