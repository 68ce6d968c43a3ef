"""The folder that a scan writes: whole lines only, whatever happens, and a summary that is replaced at once."""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from earmark.catalog.storage import sync
from earmark.corpus import local_path
from earmark.errors import ScanError
from earmark.scan.journal import JOURNAL_FILE, Chunk, Header, Mark, chunk_line, differences, header_line, read_header
from earmark.scan.judging import ItemRecord
from earmark.scan.line_file import LineFile
from earmark.scan.recorded import read_recorded
from earmark.scan.rows import ITEMS_FILE, MATCHES_FILE, row_to_json
from earmark.scan.shard import Layout
from earmark.scan.summary import Summary

__all__ = ["SUMMARY_FILE", "ScanFolder", "check_new", "check_out"]

SUMMARY_FILE = "summary.json"

# What a crash can cost: so many seconds of work, or so many entries.
_CHUNK_S, _CHUNK_ENTRIES = 5.0, 1024


class ScanFolder:
    """An open scan folder; a context manager. No other process can open it meanwhile.

    Rows go to the files as they come. Every few seconds a chunk of them is completed: forced to the disk, and then
    entered in the journal. What a scan that died has written after its last complete chunk is cut off by the one that
    resumes.

    Parameters
    ----------
    out
        A new or an empty folder, or that of a scan with the same header, but for the time.
    header
        What this scan is.

    Attributes
    ----------
    header
        The one in the journal: it has the time of the first start.
    elapsed_s
        Seconds that earlier runs have taken.
    finished
        The last chunk of a scan that came to its end; None of another.
    before_chunk
        Called before a chunk is entered in the journal, to force to the disk what belongs to it; None for nothing.

    Raises
    ------
    ScanError
        If it cannot be written to, another process writes to it, or it is the folder of another scan.
    """

    def __init__(self, out: Path, header: Header) -> None:
        self._out = out
        self.before_chunk: Callable[[], None] | None = None
        self.elapsed_s = 0.0
        self.finished: Chunk | None = None
        self._files = contextlib.ExitStack()
        with contextlib.ExitStack() as opening:
            opening.callback(self._files.close)
            try:
                out.mkdir(parents=True, exist_ok=True)
                self._journal = self._open(JOURNAL_FILE)
                self._lock()
                self.header = self._begin(header)
                self._matches, self._items = self._open(MATCHES_FILE), self._open(ITEMS_FILE)
                sync(out)
            except OSError as error:
                raise self._failure(error) from error
            opening.pop_all()
        self._start_chunk()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def recorded(self) -> Iterator[tuple[ItemRecord, Mark]]:
        """Yield what earlier runs have completed, and cut off the rest. To be exhausted before `append` is called.

        Raises
        ------
        ScanError
            If the files do not hold what the journal says.
        """
        journal_bytes = self._begun_bytes
        try:
            for recorded in read_recorded(self._out):
                yield from recorded.records
                chunk, journal_bytes = recorded.chunk, recorded.journal_bytes
                self._items.good, self._matches.good = chunk.items_bytes, chunk.matches_bytes
                self.elapsed_s = chunk.elapsed_s
                self.finished = chunk if chunk.listed is not None else None
            self._journal.cut_at(journal_bytes)
            self._items.cut()
            self._matches.cut()
        except OSError as error:
            raise self._failure(error) from error

    def append(self, record: ItemRecord, mark: Mark) -> None:
        """Write the lines of an item: its matches, and then its own, which says that the matches are all there.

        Raises
        ------
        ScanError
            If they cannot be written, as on a full disk.
        """
        matches, item = b"".join(map(row_to_json, record.matches)), row_to_json(record.item)
        before = self._matches.good
        try:
            self._matches.append(matches)
            self._items.append(item)
        except OSError as error:
            self._matches.good = before
            raise self._failure(error) from error
        self._items_hash.update(item)
        self._matches_hash.update(matches)
        self._marks.append(mark)

    def complete_chunk(self, elapsed_s: float, *, at_once: bool = False) -> None:
        """Complete the chunk, if it is time to, or at once if there is anything in it.

        Parameters
        ----------
        elapsed_s
            Seconds that the scan has taken, all its runs together.
        at_once
            Whether it is time in any case.

        Raises
        ------
        ScanError
            If it cannot be written.
        """
        full = len(self._marks) >= _CHUNK_ENTRIES or time.monotonic() - self._chunk_start >= _CHUNK_S
        if self._marks and (at_once or full):
            self._complete(elapsed_s)

    def finish(self, elapsed_s: float, *, listed: int, listing_sha256: str, layout: Layout | None = None) -> None:
        """Complete the last chunk, and enter that there is no more to come, unless that was entered before.

        Parameters
        ----------
        elapsed_s
            As for `complete_chunk`.
        listed, listing_sha256
            As in `Chunk`.
        layout
            Of a shard.

        Raises
        ------
        ScanError
            If it cannot be written.
        """
        if self.finished is None:
            of_shard = {} if layout is None else {"runs": layout.runs, "sizes": layout.sizes}
            self._complete(elapsed_s, listed=listed, listing_sha256=listing_sha256, **of_shard)

    def write_summary(self, summary: Summary) -> None:
        """Put `summary.json` in the place of the one before, so that a reader sees the one or the other.

        Raises
        ------
        ScanError
            If it cannot be written.
        """
        text = json.dumps(dataclasses.asdict(summary), ensure_ascii=True, allow_nan=False, indent=2) + "\n"
        path, aside = self._out / SUMMARY_FILE, self._out / f".{SUMMARY_FILE}.new"
        try:
            aside.write_text(text, encoding="utf-8")
            sync(aside)
            aside.replace(path)
            sync(self._out)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Close the files of lines. May be called twice."""
        self._files.close()

    def _open(self, name: str) -> LineFile:
        file = LineFile(self._out / name)
        self._files.callback(file.close)
        return file

    def _lock(self) -> None:
        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ScanError(f"{str(self._out)!r}: another process is scanning into this folder") from None

    def _begin(self, header: Header) -> Header:
        """Return the header of the scan that was begun here; begin one if there is none."""
        begun = read_header(self._out / JOURNAL_FILE)
        if begun is None:
            self._journal.cut_at(0)
            self._journal.append(header_line(header))
            self._journal.sync()
            self._begun_bytes = self._journal.good
            return header
        changed = differences(begun.plan, header.plan)
        if changed:
            raise ScanError(
                f"{str(self._out)!r} holds a scan of another plan: {changed}. "
                f"Resume it with what it was begun with, or scan into a new folder"
            )
        self._begun_bytes = begun.n_bytes
        return begun

    def _start_chunk(self) -> None:
        self._marks: list[Mark] = []
        self._items_hash, self._matches_hash = hashlib.sha256(), hashlib.sha256()
        self._chunk_start = time.monotonic()

    def _complete(self, elapsed_s: float, **at_end: Any) -> None:  # noqa: ANN401 - the fields of a Chunk
        chunk = Chunk(
            items_bytes=self._items.good,
            matches_bytes=self._matches.good,
            items_sha256=self._items_hash.hexdigest(),
            matches_sha256=self._matches_hash.hexdigest(),
            elapsed_s=round(elapsed_s, 3),
            marks=tuple(self._marks),
            **at_end,
        )
        try:
            if self.before_chunk is not None:
                self.before_chunk()
            self._matches.sync()
            self._items.sync()
            self._journal.append(chunk_line(chunk))
            self._journal.sync()
        except OSError as error:
            raise self._failure(error) from error
        self._start_chunk()

    def _failure(self, error: OSError) -> ScanError:
        return ScanError(f"{str(self._out)!r} cannot be written to: {error.strerror or error}")


def check_out(out: Path, corpus: str | Path, *, resume: bool) -> None:
    """Make sure that a scan may write to a folder, without touching it.

    Raises
    ------
    ScanError
        If `out` is no new or empty folder (nor, with `resume`, that of a scan), or lies inside the corpus, where a
        later scan would find it.
    """
    if not resume:
        check_new(out)
    elif _names(out) - {JOURNAL_FILE} and read_header(out / JOURNAL_FILE) is None:
        raise ScanError(f"--out {str(out)!r} holds no scan to resume: {JOURNAL_FILE} is missing, or has no first line")
    try:
        inside = local_path(str(corpus))
        real_out, real_corpus = out.resolve(), None if inside is None else inside.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ScanError(f"--out {str(out)!r}: {getattr(error, 'strerror', None) or error}") from error
    if real_corpus is not None and real_out.is_relative_to(real_corpus):
        raise ScanError(f"--out {str(out)!r} lies inside the corpus {str(corpus)!r}; expected a folder elsewhere")


def check_new(out: Path) -> None:
    """Make sure that a folder is new or empty, without touching it.

    Raises
    ------
    ScanError
        If it is not.
    """
    names = _names(out)
    if names:
        hint = "; --resume goes on with the scan that it holds" if JOURNAL_FILE in names else ""
        raise ScanError(f"--out {str(out)!r} is not empty; expected a new or an empty folder{hint}")


def _names(out: Path) -> set[str]:
    try:
        if out.exists() and not out.is_dir():
            raise ScanError(f"--out {str(out)!r} is a file; expected a new or an empty folder")
        return {path.name for path in out.iterdir()} if out.is_dir() else set()
    except (OSError, ValueError) as error:
        raise ScanError(f"--out {str(out)!r}: {getattr(error, 'strerror', None) or error}") from error
