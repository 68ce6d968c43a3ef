"""Every form in which the result of a scan goes out."""

from pathlib import Path

from earmark.errors import ParameterError
from earmark.report.croissant import write_croissant
from earmark.report.eu_summary import write_eu_summary
from earmark.report.html import write_html
from earmark.report.row_tables import ROW_TABLES, write_row_tables
from earmark.report.sarif import write_sarif
from earmark.report.tables import TABLE_FORMATS

__all__ = ["REPORT_FORMATS", "write_report"]

_DOCUMENTS = {
    "croissant": write_croissant,
    "eu-summary": write_eu_summary,
    "html": write_html,
    "sarif": write_sarif,
}
REPORT_FORMATS = (*TABLE_FORMATS, *_DOCUMENTS)
"""What `write_report` writes."""


def write_report(scan: Path, out: Path, kind: str, rows: str = "matches") -> None:
    """Write the result of a scan in another form.

    Parameters
    ----------
    scan
        The folder of the scan.
    out
        File to write; what is there is replaced.
    kind
        One of `REPORT_FORMATS`.
    rows
        For tables, which of `earmark.report.row_tables.ROW_TABLES`.

    Raises
    ------
    ParameterError
        If an argument is none of those.
    ReportError
        If it cannot be written.
    ScanError
        If the scan cannot be read.
    """
    if rows not in ROW_TABLES:
        raise ParameterError(f"rows must be one of {', '.join(ROW_TABLES)}, got {rows!r}")
    if kind in TABLE_FORMATS:
        write_row_tables(scan, out, kind, rows)
    elif kind in _DOCUMENTS:
        _DOCUMENTS[kind](scan, out)
    else:
        raise ParameterError(f"format must be one of {', '.join(REPORT_FORMATS)}, got {kind!r}")
