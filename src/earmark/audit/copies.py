"""The files of a scan that say again what its lines say, or keep how it went: each is logged as a whole."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from earmark.errors import AuditError
from earmark.scan import ITEMS_FILE, JOURNAL_FILE, MATCHES_FILE

__all__ = ["COPIES", "copies_of", "faults_in_copies", "file_digest"]

COPIES = (
    Path(ITEMS_FILE).with_suffix(".parquet").name,
    JOURNAL_FILE,
    Path(MATCHES_FILE).with_suffix(".parquet").name,
)


def copies_of(scan: Path) -> dict[str, str]:
    """Return the SHA-256 of each of these files that a scan's folder has.

    Raises
    ------
    AuditError
        If one cannot be read.
    """
    return {name: file_digest(scan / name) for name in COPIES if (scan / name).exists()}


def faults_in_copies(scan: Path, logged: Mapping[str, str]) -> tuple[str, ...]:
    """Return in words which of these files are not those that were logged.

    Raises
    ------
    AuditError
        If one cannot be read.
    """
    there = copies_of(scan)
    faults = []
    for name in COPIES:
        if name in there and name not in logged:
            faults.append(f"{name} was added")
        elif name in logged and name not in there:
            faults.append(f"{name} was removed")
        elif there.get(name) != logged.get(name):
            faults.append(f"{name} was changed")
    return tuple(faults)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Raises
    ------
    AuditError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror or error}; expected a file of a scan") from error
