"""The journal of a scan: what was asked for, and how far its files are good, chunk by chunk."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earmark.errors import ScanError

__all__ = [
    "JOURNAL_FILE",
    "Chunk",
    "Header",
    "Mark",
    "chunk_line",
    "differences",
    "header_line",
    "read_chunks",
    "read_header",
]

JOURNAL_FILE = "journal.jsonl"
_KIND, _VERSION = "earmark scan journal", 1


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """The first line: what the scan is.

    Attributes
    ----------
    started
        UTC, as in `Summary`.
    plan
        What results depend on, by name: a scan that resumes must agree in all of it.
    about
        What else is to stand in the summary, under the names that it has there.
    n_bytes
        Length of the line, once it is in a file.
    """

    started: str
    plan: dict[str, Any]
    about: dict[str, Any] = dataclasses.field(default_factory=dict)
    n_bytes: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What is remembered of an entry besides its rows.

    Attributes
    ----------
    size_bytes
        Of the item; None if it is none, or nobody knows.
    modified_ns
        When its file was changed last, before it was read; None if nobody knows.
    decoded_s, problem
        As in `ItemRecord`, the problem by its kind.
    version
        Of a file elsewhere, such as an ETag; None if nobody knows.
    """

    size_bytes: int | None
    modified_ns: int | None
    decoded_s: float
    problem: str | None
    version: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A line: some entries whose rows are on the disk.

    Attributes
    ----------
    items_bytes, matches_bytes
        Where the files end with these rows.
    items_sha256, matches_sha256
        Of the rows themselves.
    elapsed_s
        Seconds that the scan has taken so far, all its runs together.
    marks
        One for each entry.
    listed
        Entries of the whole corpus, the parts of other scans too, once the listing has come to its end; else None.
        Containers that are divided as a whole count as one.
    listing_sha256
        Of their ids.
    runs, sizes
        As in `Layout`; None before the end.
    """

    items_bytes: int
    matches_bytes: int
    items_sha256: str
    matches_sha256: str
    elapsed_s: float
    marks: tuple[Mark, ...]
    listed: int | None = None
    listing_sha256: str | None = None
    runs: tuple[tuple[int, int], ...] | None = None
    sizes: tuple[int, ...] | None = None


def header_line(header: Header) -> bytes:
    """Return the first line of a journal."""
    values = {"started": header.started, "plan": header.plan, "about": header.about}
    return _line({"kind": _KIND, "version": _VERSION, **values})


def chunk_line(chunk: Chunk) -> bytes:
    """Return a further line; a digest of it stands at its end, for a disk that loses power writes what it likes."""
    values = dataclasses.asdict(chunk)
    values["marks"] = [list(dataclasses.astuple(mark)) for mark in chunk.marks]
    return _line({**values, "digest": _digest(values)})


def read_header(path: Path) -> Header | None:
    """Return the header of a journal; None if there is none, or the scan died before it was written.

    Raises
    ------
    ScanError
        If it is no journal, of a later version, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            line = file.readline()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ScanError(f"{path}: {error.strerror or error}") from error
    if not line.endswith(b"\n"):
        return None
    try:
        values = json.loads(line)
        if values["kind"] != _KIND:
            raise ScanError(f"{path}: expected {_KIND!r}, got {values['kind']!r}")
        if values["version"] > _VERSION:
            raise ScanError(f"{path}: its version is {values['version']}, this version of Earmark knows {_VERSION}")
        plan, about = dict(values["plan"]), dict(values["about"])
        return Header(started=str(values["started"]), plan=plan, about=about, n_bytes=len(line))
    except (ValueError, TypeError, KeyError) as error:
        raise ScanError(f"{path}, line 1: damaged, or no journal of a scan ({error!r})") from error


def differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return in words how the plan of a header differs from one that was read; nothing if it does not.

    Examples
    --------
    >>> differences({"effort": "fast", "use": None}, {"effort": "thorough", "use": None})
    "effort was 'fast' and is 'thorough'"
    """
    now = json.loads(json.dumps(now))  # as it would be read from a file: without tuples
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return "; ".join(f"{name} was {before.get(name)!r} and is {now.get(name)!r}" for name in names)


def read_chunks(path: Path) -> Iterator[tuple[int, Chunk]]:
    """Yield the chunks of a journal, each with the byte where its line ends; an unfinished last line is left out.

    Raises
    ------
    ScanError
        If a line before the last one is damaged.
    """
    with path.open("rb") as file:
        end, damaged = len(file.readline()), None
        for number, line in enumerate(file, 2):
            if damaged is not None:
                raise ScanError(f"{path}, line {damaged}: damaged; scan again into a new folder")
            end += len(line)
            chunk = _chunk(line)
            if chunk is None:
                damaged = number
            else:
                yield end, chunk


def _chunk(line: bytes) -> Chunk | None:
    if not line.endswith(b"\n"):
        return None
    try:
        values = json.loads(line)
        if values.pop("digest") != _digest(values):
            return None
        marks = tuple(Mark(**dict(zip(Mark.__slots__, mark, strict=False))) for mark in values.pop("marks"))
        for name in ("runs", "sizes"):
            if values.get(name) is not None:
                values[name] = tuple(tuple(one) if isinstance(one, list) else one for one in values[name])
        return Chunk(**values, marks=marks)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(_line(values)).hexdigest()[:16]


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=True, allow_nan=False).encode() + b"\n"
