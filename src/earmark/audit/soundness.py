"""Soundness: whether everything in the folder of a scan is as its log says."""

import json
from pathlib import Path

from earmark.audit.checking import LogCheck, check_log, faults_in_files, is_an_end_of
from earmark.audit.copies import faults_in_copies
from earmark.audit.record import LOG_FILE
from earmark.audit.scan_lines import raw_lines
from earmark.errors import AuditError, TamperedError
from earmark.scan import ITEMS_FILE, SUMMARY_FILE

__all__ = ["check_scan", "sound_log"]


def check_scan(scan: Path) -> tuple[LogCheck, tuple[str, ...]]:
    """Return what the log of a scan folder says, and what in the folder is not as it was logged.

    Raises
    ------
    AuditError
        If it is not the folder of a scan.
    """
    log = scan / LOG_FILE
    if not log.exists():
        if not any((scan / name).exists() for name in (ITEMS_FILE, SUMMARY_FILE)):
            raise AuditError(f"{scan}: there is no {LOG_FILE}; expected the folder of a scan, or the file of a proof")
        return LogCheck(), (f"{LOG_FILE} was removed, or the scan was cut off before it was written",)
    check = check_log(raw_lines(log))
    if check.faults:
        return check, check.faults
    faults = faults_in_files(scan, check) + faults_in_copies(scan, check.copies or {})
    if not any(fault.startswith(SUMMARY_FILE) for fault in faults) and not _agree(check, scan / SUMMARY_FILE):
        number = check.tree.size
        faults = (*faults, f"{LOG_FILE}, line {number} was changed: it does not say what {SUMMARY_FILE} says")
    return check, faults


def _agree(check: LogCheck, path: Path) -> bool:
    """Return whether the last record says what the summary says."""
    try:
        summary = json.loads(path.read_bytes())
        return check.end is not None and isinstance(summary, dict) and is_an_end_of(check.end, summary)
    except (ValueError, RecursionError):
        return False


def sound_log(scan: Path) -> LogCheck:
    """Return what the log of a scan folder says, if all is as it was logged.

    Raises
    ------
    TamperedError
        If it is not.
    AuditError
        If it is not the folder of a scan.
    """
    check, faults = check_scan(scan)
    if faults:
        raise TamperedError(f"{scan}: {'; '.join(faults)}")
    return check
