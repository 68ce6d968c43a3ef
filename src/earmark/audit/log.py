"""The audit log of a scan folder: written from what the scan wrote, and only ever appended to.

Every line is a record of canonical JSON; the lines are the leaves of a Merkle tree (RFC 6962). A run of a scan adds

- `begin`: with what it was scanned (digests of catalog, model, registry and lists, thresholds, calibration, versions);
- `item`, for each item: its digest and outcome, and the SHA-256 of its lines in `items.jsonl` and `matches.jsonl`, with
  a random salt, so that nobody can guess a record from its hash;
- `summary`, salted too: the SHA-256 of every line of `summary.json`, and of the Parquet files and the journal;
- `end`: coverage, times, digests of listing and files, and the root of all lines before it.
"""

import contextlib
import itertools
import json
import logging
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earmark.audit.checking import check_log, faults_in_files
from earmark.audit.copies import copies_of
from earmark.audit.merkle import Tree, leaf_hash
from earmark.audit.record import FORMAT, LOG_FILE, VERSION, Chain, calibration_of, outcome_of, well_formed
from earmark.audit.scan_lines import ItemLines, raw_lines, read_item_lines, sha256_hex
from earmark.audit.totals import Totals
from earmark.audit.writing import write_whole
from earmark.errors import AuditError, EarmarkError, TamperedError
from earmark.scan import SCHEMA_VERSION, SUMMARY_FILE

__all__ = ["logged", "write_log"]

_SALT_BYTES = 16
_SUMMARY_KEYS = ("earmark_version", "started", "catalog", "model_digest", "config_digest", "options", "versions")

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def logged(scan: Path) -> Iterator[None]:
    """Log a scan that runs inside: whatever ends it, the log tells what is in its files then.

    A log that is there already, of a scan that is now resumed, is checked first.

    Parameters
    ----------
    scan
        The folder that it writes.

    Raises
    ------
    TamperedError
        If files of an earlier run are not those that were logged.
    AuditError
        If the log cannot be written.
    """
    before = _summary_of(scan)
    _Earlier(scan)
    try:
        yield
    except BaseException:
        if _summary_of(scan) not in (None, before):
            try:
                write_log(scan)
            except EarmarkError as error:  # what ended the scan matters more
                logger.warning("the audit log was not written: %s", error)
        raise
    if _summary_of(scan) not in (None, before):
        write_log(scan)


def _summary_of(scan: Path) -> bytes | None:
    try:
        return (scan / SUMMARY_FILE).read_bytes()
    except OSError:
        return None


def _read_summary(scan: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a summary says for the first record of a run, and what for the last."""
    path = scan / SUMMARY_FILE
    try:
        summary: dict[str, Any] = json.loads(path.read_bytes())
        if summary["schema_version"] > SCHEMA_VERSION:
            raise AuditError(
                f"{path}: schema_version is {summary['schema_version']}, this version of Earmark knows up to "
                f"{SCHEMA_VERSION}"
            )
        return _circumstances(summary), outcome_of(summary)
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror or error}; expected the folder of a scan") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AuditError(f"{path}: not the summary of a scan: {error!r}") from error


def write_log(scan: Path) -> None:
    """Add to the log of a scan folder what its files hold and the log does not.

    The earlier lines stay as they are, so the tree of the earlier log is a part of the new one. The log is replaced at
    once: a crash leaves the one or the other.

    Parameters
    ----------
    scan
        A folder that a scan has written, to its end or not.

    Raises
    ------
    TamperedError
        If the log is damaged, or the files are not those that it logged.
    AuditError
        If the files cannot be read, or the log cannot be written.
    """
    circumstances, outcome = _read_summary(scan)
    earlier = _Earlier(scan)
    kept = raw_lines(scan / LOG_FILE) if earlier.n_runs else ()
    added = (line + b"\n" for line in _new_lines(scan, circumstances, outcome, earlier))
    write_whole(scan / LOG_FILE, itertools.chain(kept, added))


class _Earlier:
    """What the log says already; checked against the files as far as it goes."""

    def __init__(self, scan: Path) -> None:
        self.tree, self.totals, self.n_runs, self.last = Tree(), Totals(), 0, None
        if not (scan / LOG_FILE).exists():
            return
        check = check_log(raw_lines(scan / LOG_FILE))
        faults = check.faults or faults_in_files(scan, check, only_start=True)
        if faults:
            raise TamperedError(
                f"{scan}: the scan cannot go on from files that are not those that were logged: {faults[0]}; "
                "put the files back, or scan again into a new folder"
            )
        self.tree, self.totals, self.n_runs, self.last = check.tree, check.totals, check.n_runs, check.last


def _item_content(lines: ItemLines, salt: str) -> dict[str, Any]:
    """Return what an `item` record says."""
    row = lines.row
    return {
        "item": well_formed(row.item),
        "sha256": row.sha256,
        "status": row.status,
        "scanned_s": row.scanned_s,
        "matched_s": row.matched_s,
        "matches": row.matches,
        "item_line": sha256_hex(lines.line),
        "match_lines": [sha256_hex(line) for line in lines.matches],
        "salt": salt,
    }


def _new_lines(
    scan: Path, circumstances: dict[str, Any], outcome: dict[str, Any], earlier: _Earlier
) -> Iterator[bytes]:
    """Yield the lines of one run."""
    tree, totals, chain = earlier.tree, earlier.totals, Chain(earlier.tree.size, earlier.last)
    run = earlier.n_runs + 1

    def kept(kind: str, content: dict[str, Any]) -> bytes:
        line = chain.line(kind, content)
        tree.add(leaf_hash(line))
        return line

    yield kept("begin", {"format": FORMAT, "version": VERSION, "run": run, **circumstances})
    n_logged = totals.n_items
    for number, lines in enumerate(read_item_lines(scan)):
        if number >= n_logged:
            content = _item_content(lines, secrets.token_hex(_SALT_BYTES))
            totals.add(content)
            yield kept("item", content)
    digests = [sha256_hex(line) for line in raw_lines(scan / SUMMARY_FILE)]
    salt = secrets.token_hex(_SALT_BYTES)
    yield kept("summary", {"run": run, "lines": digests, "copies": copies_of(scan), "salt": salt})
    end = {
        "run": run,
        **outcome,
        "statuses": dict(totals.statuses),
        **totals.content(),
        "tree": {"size": tree.size, "root": tree.root.hex()},
    }
    yield kept("end", end)


def _circumstances(summary: dict[str, Any]) -> dict[str, Any]:
    """Return with what was scanned; no paths, which are nobody's business."""
    content = {key: summary[key] for key in _SUMMARY_KEYS}
    content["catalog"] = {key: value for key, value in summary["catalog"].items() if key != "path"}
    content["registry_sha256"] = None if summary["registry"] is None else summary["registry"]["sha256"]
    lists = summary.get("lists") or {}
    content["lists"] = {
        name: each and {key: value for key, value in each.items() if key != "path"} for name, each in lists.items()
    }
    return {**content, "calibration": calibration_of(summary["options"]["effort"])}
