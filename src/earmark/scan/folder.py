"""The folder that a scan writes: whole lines only, whatever happens, and a summary that is replaced at once."""

import dataclasses
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from earmark.corpus import local_path
from earmark.errors import ScanError
from earmark.scan.judging import ItemRecord
from earmark.scan.rows import row_to_json
from earmark.scan.summary import Summary

__all__ = ["ITEMS_FILE", "MATCHES_FILE", "SUMMARY_FILE", "ScanFolder", "check_out"]

ITEMS_FILE, MATCHES_FILE, SUMMARY_FILE = "items.jsonl", "matches.jsonl", "summary.json"


class _LineFile:
    """A file that is appended to by whole runs of lines.

    Every run is one write without a buffer, so it is with the operating system when `append` returns; what was
    written of a run that failed is cut off again.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self._good = 0

    def append(self, lines: bytes) -> None:
        while lines:
            lines = lines[self._file.write(lines) :]
        self._good = self._file.tell()

    def close(self) -> None:
        if not self._file.closed:
            self._file.truncate(self._good)
            self._file.close()


class ScanFolder:
    """An open scan folder; a context manager.

    Parameters
    ----------
    out
        A new or an empty folder.

    Raises
    ------
    ScanError
        If it cannot be written to.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._matches = _LineFile(out / MATCHES_FILE)
            self._items = _LineFile(out / ITEMS_FILE)
        except OSError as error:
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, record: ItemRecord) -> None:
        """Write the lines of an item: its matches, and then its own, which says that the matches are all there.

        Raises
        ------
        ScanError
            If they cannot be written, as on a full disk.
        """
        try:
            self._matches.append(b"".join(map(row_to_json, record.matches)))
            self._items.append(row_to_json(record.item))
        except OSError as error:
            raise self._failure(error) from error

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
            with aside.open("wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Close the files of lines. May be called twice."""
        self._matches.close()
        self._items.close()

    def _failure(self, error: OSError) -> ScanError:
        return ScanError(f"{str(self._out)!r} cannot be written to: {error.strerror or error}")


def check_out(out: Path, corpus: str | Path) -> None:
    """Make sure that a scan may write to a folder, without touching it.

    Raises
    ------
    ScanError
        If `out` is no new or empty folder, or lies inside the corpus, where a later scan would find it.
    """
    try:
        if out.exists() and not out.is_dir():
            raise ScanError(f"--out {str(out)!r} is a file; expected a new or an empty folder")
        if out.is_dir() and any(out.iterdir()):
            raise ScanError(f"--out {str(out)!r} is not empty; expected a new or an empty folder")
        inside = local_path(str(corpus))
        real_out, real_corpus = out.resolve(), None if inside is None else inside.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ScanError(f"--out {str(out)!r}: {getattr(error, 'strerror', None) or error}") from error
    if real_corpus is not None and real_out.is_relative_to(real_corpus):
        raise ScanError(f"--out {str(out)!r} lies inside the corpus {str(corpus)!r}; expected a folder elsewhere")
