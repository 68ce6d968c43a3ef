"""The result of a scan as one HTML page, which fetches nothing."""

import itertools
from pathlib import Path

from earmark.report.findings import odds_in_words, seconds_in_words, worst_findings
from earmark.report.records import read_items, read_matches, read_summary
from earmark.report.tables import writing

__all__ = ["write_html"]

_MAX_FINDINGS = 2000  # more than a person reads, and what a browser still shows at once
_MAX_PROBLEMS = 500


def write_html(scan: Path, out: Path) -> None:
    """Write what a scan found as a page for people: counts, findings, and what was not scanned.

    Parameters
    ----------
    scan
        The folder of the scan.
    out
        File to write; what is there is replaced.

    Raises
    ------
    ReportError
        If it cannot be written.
    ScanError
        If the scan cannot be read.
    """
    import jinja2

    findings, n_findings = worst_findings(read_matches(scan), _MAX_FINDINGS)
    problems = (item for item in read_items(scan) if item.error is not None)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("earmark.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("scan.html").render(
        summary=read_summary(scan),
        findings=findings,
        n_findings=n_findings,
        problems=list(itertools.islice(problems, _MAX_PROBLEMS)),
        seconds=seconds_in_words,
        odds=odds_in_words,
    )
    with writing(out) as file:
        file.write(page.encode("utf-8", "backslashreplace"))
