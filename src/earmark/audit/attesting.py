"""Signing a scan: attestation, time stamp, and the redacted folder for the other party."""

import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from earmark.audit.attestation import (
    ATTESTATION_FILE,
    Attestation,
    attestation_faults,
    parse_attestation,
    read_attestation,
    sign,
)
from earmark.audit.checking import LogCheck
from earmark.audit.keys import read_private_key
from earmark.audit.merkle import leaf_hash
from earmark.audit.record import LOG_FILE, REDACTED_LOG_FILE, hidden_line
from earmark.audit.scan_lines import raw_lines, read_item_lines
from earmark.audit.soundness import sound_log
from earmark.audit.timestamps import TIMESTAMP_FILE, check_timestamp
from earmark.audit.writing import write_whole
from earmark.errors import AuditError, TamperedError
from earmark.scan import ITEMS_FILE, MATCHES_FILE

__all__ = ["Redaction", "attach_timestamp", "attest", "write_redacted"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Redaction:
    """What a redacted folder shows.

    Attributes
    ----------
    n_shown, n_hidden
        Items whose records are shown, and lines of the log of which only the hash is.
    """

    n_shown: int
    n_hidden: int


def attest(scan: Path, key: Path) -> Attestation:
    """Sign the log of a scan, and write `attestation.json` beside it.

    An earlier attestation of the scan, before it was resumed, is kept as `attestation-SIZE.json` with its time stamp.

    Parameters
    ----------
    scan
        The folder.
    key
        File of the private key.

    Raises
    ------
    TamperedError
        If the folder is not as it was logged, or does not keep what was signed before.
    AuditError
        If key or folder cannot be used.
    """
    private = read_private_key(key)
    check = sound_log(scan)
    data = sign(scan, check, private)
    path = scan / ATTESTATION_FILE
    if path.exists():
        earlier = read_attestation(path)
        if earlier.data == data:
            return earlier
        _set_aside(scan, earlier, check)
    write_whole(path, [data])
    return parse_attestation(data)


def _set_aside(scan: Path, earlier: Attestation, check: LogCheck) -> None:
    faults = attestation_faults(earlier, check, may_go_on=True)
    if faults:
        raise TamperedError(f"{scan}: the log does not keep what was signed before: {faults[0]}")
    names = (f"{earlier.size}{f'-{n}' if n > 1 else ''}" for n in itertools.count(1))
    name = next(name for name in names if not _aside(scan / ATTESTATION_FILE, name).exists())
    for path in (scan / TIMESTAMP_FILE, scan / ATTESTATION_FILE):
        if path.exists():
            path.replace(_aside(path, name))


def _aside(path: Path, name: str) -> Path:
    return path.with_stem(f"{path.stem}-{name}")


def attach_timestamp(scan: Path, response: Path) -> None:
    """Put the answer of a time-stamping authority beside the attestation that it stamps.

    Raises
    ------
    TamperedError
        If it stamps something else.
    AuditError
        If there is no attestation, or a file cannot be read or written.
    """
    attestation = read_attestation(scan / ATTESTATION_FILE)
    try:
        data = response.read_bytes()
    except OSError as error:
        raise AuditError(f"{response}: {error.strerror or error}; expected a time stamp") from error
    try:
        check_timestamp(data, attestation.data)
    except TamperedError as error:
        raise TamperedError(f"{response}: {error}") from error
    write_whole(scan / TIMESTAMP_FILE, [data])


def write_redacted(scan: Path, out: Path) -> Redaction:
    """Write what the other party may see: matched items, their proof, and hashes of all else.

    The folder holds the log with everything hidden but the records of matched items and of circumstances, the lines
    of matched items, and the attestation with its time stamp, which fits the redacted log as it fits the whole one.

    Parameters
    ----------
    scan
        A folder with an attestation.
    out
        A new or an empty folder.

    Raises
    ------
    TamperedError
        If the folder is not as it was signed.
    AuditError
        If there is no attestation, or `out` cannot be used.
    """
    check = sound_log(scan)
    attestation = read_attestation(scan / ATTESTATION_FILE)
    faults = attestation_faults(attestation, check)
    if faults:
        raise TamperedError(f"{scan}: {faults[0]}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise AuditError(f"--redacted {str(out)!r} is not empty; expected a new or an empty folder")
        write_whole(out / MATCHES_FILE, raw_lines(scan / MATCHES_FILE))
        write_whole(out / ITEMS_FILE, (lines.line for lines in read_item_lines(scan) if lines.matches))
        redaction = _redact(scan / LOG_FILE, out / REDACTED_LOG_FILE)
        for name in (ATTESTATION_FILE, TIMESTAMP_FILE):
            if (scan / name).exists():
                write_whole(out / name, [(scan / name).read_bytes()])
    except OSError as error:
        raise AuditError(f"{out}: cannot be written: {error.strerror or error}") from error
    return redaction


def _redact(log: Path, out: Path) -> Redaction:
    counts = {"shown": 0, "hidden": 0}

    def lines() -> Iterator[bytes]:
        for line in raw_lines(log):
            record = json.loads(line)
            shown = record["kind"] in ("begin", "end") or bool(record.get("match_lines"))
            counts["shown"] += record["kind"] == "item" and shown
            counts["hidden"] += not shown
            yield line if shown else hidden_line(leaf_hash(line[:-1])) + b"\n"

    write_whole(out, lines())
    return Redaction(n_shown=counts["shown"], n_hidden=counts["hidden"])
