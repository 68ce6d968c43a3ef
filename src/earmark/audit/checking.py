"""Whether a log agrees with itself, and files with their log; if not, which line is the first that does not."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from earmark.audit.merkle import HASH_BYTES, Tree, leaf_hash
from earmark.audit.record import FORMAT, LOG_FILE, VERSION, hidden_leaf, outcome_of, parse_record
from earmark.audit.scan_lines import raw_lines
from earmark.audit.totals import Totals
from earmark.errors import AuditError
from earmark.scan import ITEMS_FILE, MATCHES_FILE, SUMMARY_FILE

__all__ = ["LogCheck", "check_log", "faults_in_files", "is_an_end_of"]

# Of an end: what is checked against the lines before it.
_END_KEYS = ("kind", "line", "prev", "run", "statuses", "files", "listing_sha256", "tree")
_WINDOW = 64  # lines after a difference that are looked at to tell what happened
# What may follow what; a hidden line stands for an item or a summary.
_NEXT = {
    "": {"begin"},
    "begin": {"item", "summary", "hidden"},
    "item": {"item", "summary", "hidden"},
    "hidden": {"item", "summary", "hidden", "end"},
    "summary": {"end"},
    "end": {"begin"},
}


@dataclasses.dataclass(kw_only=True, slots=True)
class LogCheck:
    """What a log says, as far as it agrees with itself.

    Attributes
    ----------
    faults
        In words; empty if there are none.
    tree
        Of all lines.
    leaves
        Their hashes, one after the other.
    totals
        Of the items.
    item_digests, match_digests
        SHA-256 of the lines of `items.jsonl` and `matches.jsonl`, one after the other.
    summary_digests
        SHA-256 of the lines of `summary.json`; None if that record is hidden.
    copies
        SHA-256 of further files of the scan, by name; None if that record is hidden.
    begin, end
        The last records of these kinds; None before they come.
    n_runs
        How many runs have come to their end.
    n_hidden
        Lines of which only the hash is there.
    """

    faults: tuple[str, ...] = ()
    tree: Tree = dataclasses.field(default_factory=Tree)
    leaves: bytearray = dataclasses.field(default_factory=bytearray)
    totals: Totals = dataclasses.field(default_factory=Totals)
    item_digests: bytearray = dataclasses.field(default_factory=bytearray)
    match_digests: bytearray = dataclasses.field(default_factory=bytearray)
    summary_digests: bytearray | None = None
    copies: dict[str, str] | None = None
    begin: dict[str, Any] | None = None
    end: dict[str, Any] | None = None
    n_runs: int = 0
    n_hidden: int = 0

    @property
    def last(self) -> bytes | None:
        """Leaf hash of the last line."""
        return bytes(self.leaves[-HASH_BYTES:]) or None

    def leaf_list(self) -> list[bytes]:
        """Return the leaf hashes one by one."""
        return [bytes(self.leaves[at : at + HASH_BYTES]) for at in range(0, len(self.leaves), HASH_BYTES)]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """A line of a log, read."""

    kind: str
    leaf: bytes
    record: dict[str, Any]


def check_log(lines: Iterable[bytes], *, name: str = LOG_FILE, redacted: bool = False) -> LogCheck:
    """Return what a log says, up to the first line that is not as it was written.

    Parameters
    ----------
    lines
        Of the log, with their newlines.
    name
        What to call it.
    redacted
        Whether lines may be hidden, of which only the hash is there.

    Raises
    ------
    AuditError
        If a later version of Earmark wrote it.
    """
    check, before = LogCheck(), ""
    numbered = iter(enumerate(lines, 1))
    upcoming = _read_line(next(numbered, None), redacted=redacted)
    number = 0
    while upcoming is not None:
        number += 1
        line, upcoming = upcoming, None
        if isinstance(line, str):
            return _with_fault(check, f"{name}, line {number} was {'added' if before == 'end' else 'changed'}: {line}")
        upcoming = _read_line(next(numbered, None), redacted=redacted)
        fault = _misplaced(line, number) or _unchained(line, number, upcoming, check)
        if fault is None and line.kind not in _NEXT[before]:
            fault = f"line {number} was added or changed: {line.kind!r} cannot follow {before or 'nothing'!r}"
        if fault is None and line.kind in ("begin", "end"):
            fault = _wrong_frame(line, number, check)
        if fault is not None:
            return _with_fault(check, f"{name}, {fault}")
        _take(check, line)
        before = line.kind
    if before != "end":
        return _with_fault(check, f"{name}, line {number + 1} was removed: the log breaks off")
    return check


def _with_fault(check: LogCheck, fault: str) -> LogCheck:
    check.faults = (*check.faults, fault)
    return check


def _read_line(numbered: tuple[int, bytes] | None, *, redacted: bool) -> _Line | str | None:
    """Return a line, None after the last, or what is wrong with it in words."""
    if numbered is None:
        return None
    raw = numbered[1]
    if not raw.endswith(b"\n"):
        return "it has no end"
    leaf = hidden_leaf(raw[:-1]) if redacted else None
    if leaf is not None:
        return _Line(kind="hidden", leaf=leaf, record={"line": numbered[0]})
    try:
        record = parse_record(raw[:-1])
    except AuditError as error:
        return str(error)
    return _Line(kind=record["kind"], leaf=leaf_hash(raw[:-1]), record=record)


def _misplaced(line: _Line, number: int) -> str | None:
    """Say that a line is not the one of its number."""
    there = line.record["line"]
    if there == number:
        return None
    if there > number:
        return f"line {number} was removed or moved: what was line {there} stands in its place"
    return f"line {number} was added: it is a copy of line {there}, or was moved"


def _unchained(line: _Line, number: int, upcoming: _Line | str | None, check: LogCheck) -> str | None:
    """Say that a line is not bound to the one before."""
    if line.kind == "hidden":
        return None
    expected = None if check.last is None else check.last.hex()
    if line.record.get("prev") == expected:
        return None
    itself = number == 1
    if isinstance(upcoming, _Line) and upcoming.kind != "hidden":
        itself = itself or upcoming.record.get("prev") != line.leaf.hex()
    elif line.kind == "end":
        itself = itself or line.record.get("tree", {}).get("root") == check.tree.root.hex()
    return f"line {number if itself else number - 1} was changed: it is not the line that the next one names"


def _wrong_frame(line: _Line, number: int, check: LogCheck) -> str | None:
    """Say that the first or the last record of a run is not what it must be."""
    record, run = line.record, check.n_runs + 1
    if line.kind == "begin":
        if record.get("format") == FORMAT and isinstance(record.get("version"), int) and record["version"] > VERSION:
            raise AuditError(
                f"{LOG_FILE}, line {number}: the log is of version {record['version']}, this version of Earmark "
                f"knows up to {VERSION}"
            )
        expected = {"format": FORMAT, "version": VERSION, "run": run}
    else:
        expected = {"run": run, "tree": {"size": check.tree.size, "root": check.tree.root.hex()}}
        if not check.n_hidden:
            expected |= {"statuses": dict(check.totals.statuses), **check.totals.content()}
        elif record.get("files") != _files_with_hidden(check, record):
            return f"line {number} or one that is hidden was changed: hidden lines must be of items without a match"
    for key, value in expected.items():
        if record.get(key) != value:
            return f"line {number} was changed: {key} is not what the lines before it give"
    return None


def _files_with_hidden(check: LogCheck, record: dict[str, Any]) -> dict[str, Any]:
    """Return what the end of a redacted log must say of the files, if no item with a match is hidden.

    The digest of all lines of matches is known then; that of the lines of items is not, but their number is: each
    hidden line is one of them, but for the summary of each run.
    """
    files = check.totals.content()["files"]
    given = record.get("files")
    items = given.get(ITEMS_FILE) if isinstance(given, dict) else None
    digest = items.get("lines_sha256") if isinstance(items, dict) else None
    n_items = check.totals.n_items + check.n_hidden - (check.n_runs + 1)
    return {**files, ITEMS_FILE: {"lines": n_items, "lines_sha256": digest}}


def _take(check: LogCheck, line: _Line) -> None:
    check.tree.add(line.leaf)
    check.leaves += line.leaf
    record = line.record
    if line.kind == "item":
        check.totals.add(record)
        check.item_digests += bytes.fromhex(record["item_line"])
        for each in record["match_lines"]:
            check.match_digests += bytes.fromhex(each)
    elif line.kind == "hidden":
        check.n_hidden += 1
        check.summary_digests = check.copies = None
    elif line.kind == "summary":
        check.summary_digests = bytearray(b"".join(map(bytes.fromhex, record["lines"])))
        check.copies = record["copies"]
    elif line.kind == "begin":
        check.begin = record
    else:
        check.end, check.n_runs = record, check.n_runs + 1


def is_an_end_of(record: dict[str, Any], summary: dict[str, Any]) -> bool:
    """Return whether an `end` record, checked against the lines before it, says what a summary says and no more."""
    return record == {key: record.get(key) for key in _END_KEYS} | outcome_of(summary)


def faults_in_files(scan: Path, check: LogCheck, *, only_start: bool = False) -> tuple[str, ...]:
    """Return in words, for each file of a scan, the first line that is not the one that was logged.

    Parameters
    ----------
    scan
        The folder.
    check
        What the log says, without faults.
    only_start
        Whether a file may go on after the lines that were logged; the summary is not looked at then.
    """
    logged = [(ITEMS_FILE, check.item_digests), (MATCHES_FILE, check.match_digests)]
    if check.summary_digests is not None and not only_start:
        logged.append((SUMMARY_FILE, check.summary_digests))
    found = (_fault_in_file(scan / name, digests, only_start=only_start) for name, digests in logged)
    return tuple(fault for fault in found if fault is not None)


def _fault_in_file(path: Path, digests: Sequence[int], *, only_start: bool) -> str | None:
    if not path.exists():
        return f"{path.name} was removed"
    expected = [bytes(digests[at : at + HASH_BYTES]) for at in range(0, len(digests), HASH_BYTES)]
    found = (hashlib.sha256(line).digest() for line in raw_lines(path))
    for number, wanted in enumerate(expected, 1):
        digest = next(found, None)
        if digest is None:
            return f"{path.name}, line {number} was removed"
        if digest != wanted:
            following = [digest, *itertools.islice(found, _WINDOW)]
            return f"{path.name}, line {number} {_difference(following, expected, number)}"
    if not only_start and next(found, None) is not None:
        return f"{path.name}, line {len(expected) + 1} was added"
    return None


def _difference(found: Sequence[bytes], expected: Sequence[bytes], number: int) -> str:
    """Say what became of a line: of all that may have happened to it, what explains the most of the lines after it."""
    wanted = expected[number - 1 :]
    moved = ""
    guesses = [(_agreement(found[1:], wanted), 2, "was added")]
    if found[0] in wanted:
        there = wanted.index(found[0])
        moved = f"moved: what was line {number + there} stands in its place"
        guesses.append((_agreement(found, wanted[there:]), 0, f"was removed or {moved}"))
        if found[1:2] == wanted[:1]:
            guesses.append((2 + _agreement(found[2:], wanted[2:]), 0, f"was {moved}"))
    guesses.append((_agreement(found[1:], wanted[1:]), 1, f"was {moved or 'changed'}"))
    return max(guesses)[2]


def _agreement(found: Sequence[bytes], expected: Sequence[bytes]) -> int:
    """Return how many lines agree from the first on; more than there are, if they all do up to the end of both."""
    pairs = zip(found, expected, strict=False)
    same = next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(found), len(expected)))
    return _WINDOW + 1 if same == len(found) == len(expected) else same
