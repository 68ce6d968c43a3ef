"""The lines of a scan's files as they stand on disk: each item's own, with those of its matches."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from earmark.errors import AuditError, ScanError
from earmark.scan import ITEMS_FILE, MATCHES_FILE, ItemRow, row_from_json

__all__ = ["ItemLines", "listing_line", "raw_lines", "read_item_lines", "sha256_hex"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ItemLines:
    """What a scan wrote about one item.

    Attributes
    ----------
    row
        Its row of `items.jsonl`.
    line
        That line, with its newline.
    matches
        Its lines of `matches.jsonl`, with their newlines.
    """

    row: ItemRow
    line: bytes
    matches: tuple[bytes, ...]


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def listing_line(item: str, sha256: str | None) -> bytes:
    r"""Return an item's line of the listing that `listing_sha256` is the digest of.

    Examples
    --------
    >>> listing_line("a b.wav", "00ff")
    b'["a b.wav", "00ff"]\n'
    """
    return json.dumps([item, sha256], ensure_ascii=True).encode() + b"\n"


def raw_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, each with its newline; the last may lack it.

    Raises
    ------
    AuditError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror or error}; expected a file of a scan") from error


def read_item_lines(scan: Path) -> Iterator[ItemLines]:
    """Yield what a scan wrote about each of its items.

    Parameters
    ----------
    scan
        The folder that it wrote.

    Raises
    ------
    AuditError
        If a file cannot be read, a line is no row, or a match has no item.
    """
    matches = _match_lines(scan / MATCHES_FILE)
    number, match = next(matches, (0, ("", b"")))
    for n_items, line in enumerate(raw_lines(scan / ITEMS_FILE), 1):
        row = _item_row(scan / ITEMS_FILE, n_items, line)
        of_item = []
        while number and match[0] == row.item:
            of_item.append(match[1])
            number, match = next(matches, (0, ("", b"")))
        yield ItemLines(row=row, line=line, matches=tuple(of_item))
    if number:
        raise AuditError(
            f"{scan / MATCHES_FILE}, line {number}: a match of item {match[0]!r}, which has no line in {ITEMS_FILE} "
            "or another place there; expected matches in the order of their items"
        )


def _item_row(path: Path, number: int, line: bytes) -> ItemRow:
    try:
        if not line.endswith(b"\n"):
            raise ScanError("the line has no end")
        return row_from_json(ItemRow, line)
    except ScanError as error:
        raise AuditError(f"{path}, line {number}: {error}") from error


def _match_lines(path: Path) -> Iterator[tuple[int, tuple[str, bytes]]]:
    """Yield number, item and line of each match."""
    for number, line in enumerate(raw_lines(path), 1):
        try:
            item = json.loads(line)["item"]
            if not line.endswith(b"\n"):
                raise ValueError("the line has no end")
        except (ValueError, TypeError, KeyError) as error:
            raise AuditError(f"{path}, line {number}: not a row of matches: {error}") from error
        yield number, (str(item), line)
