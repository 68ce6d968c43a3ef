"""The folder of a scan, read back line by line."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from earmark.errors import ScanError
from earmark.scan import (
    ITEMS_FILE,
    MATCHES_FILE,
    SCHEMA_VERSION,
    SUMMARY_FILE,
    ItemRow,
    MatchRow,
    row_from_json,
)

__all__ = ["read_items", "read_matches", "read_summary"]

logger = logging.getLogger(__name__)

_Row = TypeVar("_Row", MatchRow, ItemRow)


def read_summary(scan: Path) -> dict[str, Any]:
    """Return the summary of a scan as it is in `summary.json`.

    Parameters
    ----------
    scan
        The folder that the scan wrote.

    Raises
    ------
    ScanError
        If there is none, it is damaged, or a later version of Earmark wrote it in another form.
    """
    path = scan / SUMMARY_FILE
    try:
        summary: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise ScanError(f"{path}: {error.strerror or error}; expected the folder of a scan") from error
    except ValueError as error:
        raise ScanError(f"{path}: not JSON: {error}") from error
    version = summary.get("schema_version") if isinstance(summary, dict) else None
    if not isinstance(version, int):
        raise ScanError(f"{path}: schema_version is missing; expected the summary of a scan")
    if version > SCHEMA_VERSION:
        raise ScanError(f"{path}: schema_version is {version}, this version of Earmark knows up to {SCHEMA_VERSION}")
    return dict(summary)


def read_items(scan: Path) -> Iterator[ItemRow]:
    """Yield the rows of `items.jsonl`.

    Parameters
    ----------
    scan
        The folder that the scan wrote.

    Raises
    ------
    ScanError
        If it cannot be read, or a line is no such row; the message names file and line.
    """
    return _read_rows(scan / ITEMS_FILE, ItemRow)


def read_matches(scan: Path) -> Iterator[MatchRow]:
    """Yield the rows of `matches.jsonl`.

    Parameters
    ----------
    scan
        The folder that the scan wrote.

    Raises
    ------
    ScanError
        As for `read_items`.
    """
    return _read_rows(scan / MATCHES_FILE, MatchRow)


def _read_rows(path: Path, kind: type[_Row]) -> Iterator[_Row]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    # A scan that was killed outright, or is writing this moment.
                    logger.warning("%s: line %d has no end and is left out", path, number)
                    return
                try:
                    yield row_from_json(kind, line)
                except ScanError as error:
                    raise ScanError(f"{path}, line {number}: {error}") from error
    except OSError as error:
        raise ScanError(f"{path}: {error.strerror or error}") from error
