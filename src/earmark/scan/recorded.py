"""What the folder of a scan holds, read back chunk by chunk and held against its journal."""

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from earmark.errors import ScanError
from earmark.scan.journal import JOURNAL_FILE, Chunk, Mark, read_chunks
from earmark.scan.judging import ItemRecord
from earmark.scan.listening import Problem
from earmark.scan.rows import ITEMS_FILE, MATCHES_FILE, ItemRow, MatchRow, row_from_json

__all__ = ["RecordedChunk", "read_recorded"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RecordedChunk:
    """A chunk of a scan with its records.

    Attributes
    ----------
    chunk
        Its line of the journal.
    journal_bytes
        Where that line ends.
    records
        Its records in their order, each with what the journal remembers of it.
    """

    chunk: Chunk
    journal_bytes: int
    records: tuple[tuple[ItemRecord, Mark], ...]


def read_recorded(out: Path) -> Iterator[RecordedChunk]:
    """Yield the completed chunks of a scan.

    Parameters
    ----------
    out
        The folder that it wrote, or writes.

    Raises
    ------
    ScanError
        If the files do not hold what the journal says.
    OSError
        If they cannot be read.
    """
    with (out / ITEMS_FILE).open("rb") as items, (out / MATCHES_FILE).open("rb") as matches:
        for journal_bytes, chunk in read_chunks(out / JOURNAL_FILE):
            item_lines = _run(items, chunk.items_bytes, chunk.items_sha256, out / ITEMS_FILE)
            match_lines = _run(matches, chunk.matches_bytes, chunk.matches_sha256, out / MATCHES_FILE)
            records = tuple(_records(item_lines, match_lines, chunk.marks))
            yield RecordedChunk(chunk=chunk, journal_bytes=journal_bytes, records=records)


def _run(file: BinaryIO, end: int, sha256: str, path: Path) -> list[bytes]:
    """Return the lines from where a file stands to a byte, without their ends."""
    start = file.tell()
    data = file.read(max(0, end - start))
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ScanError(
            f"{path}: bytes {start:,} to {end:,} are not those that the scan has written; nothing can be built on "
            f"them, scan again into a new folder"
        )
    return data.split(b"\n")[:-1]


def _records(
    item_lines: list[bytes], match_lines: list[bytes], marks: tuple[Mark, ...]
) -> Iterator[tuple[ItemRecord, Mark]]:
    """Put the rows of a chunk together again."""
    of_item: dict[str, list[MatchRow]] = {}
    for line in match_lines:
        match = row_from_json(MatchRow, line)
        of_item.setdefault(match.item, []).append(match)
    for line, mark in zip(item_lines, marks, strict=True):
        row = row_from_json(ItemRow, line)
        problem = None if mark.problem is None else Problem(kind=mark.problem, words=row.error or "")
        matches = tuple(of_item.pop(row.item, ()))
        yield ItemRecord(item=row, matches=matches, decoded_s=mark.decoded_s, problem=problem), mark
