"""The scan: every item of a corpus against a catalog and a registry, on all processors, to files of rows."""

from earmark.scan.coverage import fully_heard
from earmark.scan.folder import SUMMARY_FILE
from earmark.scan.journal import JOURNAL_FILE
from earmark.scan.kept import FINGERPRINTS_FILE
from earmark.scan.limits import Limits
from earmark.scan.merging import merge_scans
from earmark.scan.plan import ScanPlan
from earmark.scan.rescanning import RescanPlan, kept_bytes, rescan
from earmark.scan.rows import (
    ITEMS_FILE,
    MATCHES_FILE,
    SCHEMA_VERSION,
    ItemRow,
    MatchRow,
    row_from_json,
    row_to_json,
    worst_status,
)
from earmark.scan.scanning import scan
from earmark.scan.shard import Shard, parse_shard
from earmark.scan.stopping import Stop, stop_on_signals
from earmark.scan.summary import Summary

__all__ = [
    "FINGERPRINTS_FILE",
    "ITEMS_FILE",
    "JOURNAL_FILE",
    "MATCHES_FILE",
    "SCHEMA_VERSION",
    "SUMMARY_FILE",
    "ItemRow",
    "Limits",
    "MatchRow",
    "RescanPlan",
    "ScanPlan",
    "Shard",
    "Stop",
    "Summary",
    "fully_heard",
    "kept_bytes",
    "merge_scans",
    "parse_shard",
    "rescan",
    "row_from_json",
    "row_to_json",
    "scan",
    "stop_on_signals",
    "worst_status",
]
