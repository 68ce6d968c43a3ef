"""What a scan's result means for whoever waits for the exit code."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line's help has no need of what a scan imports
    from earmark.scan import Summary

__all__ = ["FAILURE", "FAIL_ON", "FINDINGS", "INCOMPLETE", "INTERRUPTED", "NOTHING_USABLE", "exit_code"]

FINDINGS, FAILURE, NOTHING_USABLE, INCOMPLETE, INTERRUPTED = 1, 2, 3, 4, 130
"""The list of DESIGN.md section 4; 0 is for what is done."""

FAIL_ON = ("unlicensed", "any")
_HEARD = ("unmatched", "licensed", "unlicensed", "review")


def exit_code(summary: "Summary", fail_on: str | None) -> int:
    """Return the exit code of a scan, by the list and the order of precedence of DESIGN.md §4.

    Parameters
    ----------
    summary
        Of the scan.
    fail_on
        One of `FAIL_ON`: what findings are a failure; None if none are.
    """
    if summary.stopped_by == "SIGINT":
        return INTERRUPTED
    if summary.stopped_by is not None:
        return INCOMPLETE
    if not any(summary.items[status] for status in _HEARD):
        return NOTHING_USABLE
    if summary.items_with_problems:
        return INCOMPLETE
    n_findings = {None: 0, "unlicensed": summary.items["unlicensed"], "any": summary.matches["total"]}[fail_on]
    return FINDINGS if n_findings else 0
