"""What a scan's result means for whoever waits for the exit code."""

from earmark.scan import Summary

__all__ = ["FAIL_ON", "exit_code"]

FAIL_ON = ("unlicensed", "any")
_FINDINGS, _NOTHING_SCANNED, _INCOMPLETE, _INTERRUPTED = 1, 3, 4, 130
_HEARD = ("unmatched", "licensed", "unlicensed", "review")


def exit_code(summary: Summary, fail_on: str | None) -> int:
    """Return the exit code of a scan, by the list and the order of precedence of DESIGN.md §4.

    Parameters
    ----------
    summary
        Of the scan.
    fail_on
        One of `FAIL_ON`: what findings are a failure; None if none are.
    """
    if summary.stopped_by == "SIGINT":
        return _INTERRUPTED
    if summary.stopped_by is not None:
        return _INCOMPLETE
    if not any(summary.items[status] for status in _HEARD):
        return _NOTHING_SCANNED
    if summary.items_with_problems:
        return _INCOMPLETE
    n_findings = {None: 0, "unlicensed": summary.items["unlicensed"], "any": summary.matches["total"]}[fail_on]
    return _FINDINGS if n_findings else 0
