"""The track table of a segment: who is who, and where their words and patches lie."""

import contextlib
import dataclasses
import json
import sqlite3
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from earmark.audio import SAMPLE_RATE
from earmark.catalog.manifest import TRACKS
from earmark.catalog.track import NAMED_COLUMNS, Track, TrackTags
from earmark.errors import CatalogDamagedError

__all__ = ["Spans", "TrackRow", "TrackTable", "write_track_table"]

_SCHEMA: Final = """
CREATE TABLE tracks (
    number INTEGER PRIMARY KEY,
    track_id TEXT NOT NULL,
    n_samples INTEGER NOT NULL,
    path TEXT, isrc TEXT, title TEXT, artist TEXT, label TEXT, rightsholder TEXT,
    extra TEXT,
    content BLOB NOT NULL,
    first_word INTEGER NOT NULL, n_words INTEGER NOT NULL,
    first_patch INTEGER NOT NULL, n_patches INTEGER NOT NULL,
    source_sha256 BLOB
);
CREATE INDEX tracks_by_id ON tracks (track_id);
CREATE INDEX tracks_by_content ON tracks (content);
CREATE INDEX tracks_by_source ON tracks (source_sha256);
"""
_INSERT: Final = "INSERT INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PUBLIC: Final = f"track_id, n_samples, {', '.join(NAMED_COLUMNS)}"
_ALL: Final = f"{_PUBLIC}, extra, content, first_word, n_words, first_patch, n_patches"
# SQLite takes at least 999 parameters in a statement.
_BATCH: Final = 900


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TrackRow:
    """A track as it is written.

    Attributes
    ----------
    tags : TrackTags
    n_samples : int
    content : bytes
        See `Sketch`.
    first_word, n_words, first_patch, n_patches : int
        Where its words and patches lie in the segment. A further id of a recording has none of its own: those of the
        row with the same `content` are its.
    source_sha256 : bytes or None
        SHA-256 of the file that it was made from, if known.
    """

    tags: TrackTags
    n_samples: int
    content: bytes
    first_word: int
    n_words: int
    first_patch: int
    n_patches: int
    source_sha256: bytes | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Spans:
    """The numeric columns, in the order of the rows [each shape=(n_tracks,), dtype=int64]."""

    n_samples: NDArray[np.int64]
    first_word: NDArray[np.int64]
    n_words: NDArray[np.int64]
    first_patch: NDArray[np.int64]
    n_patches: NDArray[np.int64]


def write_track_table(directory: Path, rows: Iterable[TrackRow], name: str = TRACKS) -> None:
    """Write the track table of a segment; the same rows give the same bytes.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    try:
        with contextlib.closing(sqlite3.connect(directory / name, isolation_level=None)) as connection:
            # Nobody sees the file before it is whole, so a journal would protect nothing.
            connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA + "BEGIN;")
            connection.executemany(_INSERT, (_values(number, row) for number, row in enumerate(rows)))
            connection.execute("COMMIT")
    except sqlite3.OperationalError as error:  # the disk is full, or fails
        raise OSError(f"{directory / name}: {error}") from error


class TrackTable:
    """The track table of a segment, read only.

    Parameters
    ----------
    directory : Path
        The segment's; the file is known to be good.
    name : str
        The file in it.

    Attributes
    ----------
    path : Path
        Of the file.
    """

    def __init__(self, directory: Path, name: str = TRACKS) -> None:
        self.path = directory / name
        with self._errors():
            self._connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
        weakref.finalize(self, self._connection.close)  # Python 3.13 warns of connections left to the collector
        # The first catalogs of version 1 did not know of what files their tracks were made.
        columns = {name for _, name, *_ in self._query("PRAGMA table_info(tracks)")}
        self._knows_source = "source_sha256" in columns
        self._all = f"SELECT {_ALL}, {'source_sha256' if self._knows_source else 'NULL'} FROM tracks"  # noqa: S608

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        self._connection.close()

    def spans(self) -> Spans:
        """Return where the words and patches of every track lie."""
        columns = [field.name for field in dataclasses.fields(Spans)]
        rows = self._query(f"SELECT {', '.join(columns)} FROM tracks ORDER BY number")  # noqa: S608 - constants
        try:
            table = np.array(rows, np.int64).reshape(-1, len(columns))
        except (TypeError, ValueError, OverflowError) as error:
            raise CatalogDamagedError(f"{self.path}: damaged: {error}") from error
        return Spans(**dict(zip(columns, np.ascontiguousarray(table.T), strict=True)))

    def track(self, number: int) -> Track:
        """Return the row of a track [0 <= number < n_tracks]."""
        found = self._query(f"SELECT {_PUBLIC} FROM tracks WHERE number = ?", [number])  # noqa: S608 - constants
        if not found:
            raise CatalogDamagedError(f"{self.path}: damaged: no track {number}")
        return _track(found[0])

    def rows(self) -> Iterator[TrackRow]:
        """Yield every row, in order."""
        with self._errors():
            for values in self._connection.execute(f"{self._all} ORDER BY number"):
                yield _row(values)

    def row(self, number: int) -> TrackRow:
        """Return all of a row [0 <= number < n_tracks]."""
        found = self._query(f"{self._all} WHERE number = ?", [number])
        if not found:
            raise CatalogDamagedError(f"{self.path}: damaged: no track {number}")
        return _row(found[0])

    def numbers(self, track_ids: Iterable[str]) -> list[tuple[str, int]]:
        """Return id and number of each row that has one of the ids; several rows may, all but one of them removed."""
        text = (one for one in track_ids if one.isascii() or one.encode(errors="ignore").decode() == one)
        return list(self._look_up("track_id", "number", text))  # no lone surrogates: such ids are in no table

    def same_content(self, contents: Iterable[bytes]) -> list[tuple[bytes, int]]:
        """Return the digest and number of each track whose fingerprint has one of these digests."""
        return list(self._look_up("content", "number", contents))

    def same_source(self, digests: Iterable[bytes]) -> list[tuple[bytes, int]]:
        """Return the digest and number of each track that was made from a file with one of these digests."""
        return list(self._look_up("source_sha256", "number", digests)) if self._knows_source else []

    def owners(self) -> list[tuple[int, int]]:
        """Return for each row without words and patches of its own the number of the row whose they are."""
        return self._query(
            "SELECT further.number, min(own.number) FROM tracks further JOIN tracks own "
            "ON further.content = own.content AND own.n_patches > 0 "
            "WHERE further.n_patches = 0 GROUP BY further.number"
        )

    def contents(self) -> list[bytes]:
        """Return the digest of the fingerprint of every track."""
        return [content for (content,) in self._query("SELECT content FROM tracks ORDER BY number")]

    def track_ids(self) -> list[str]:
        """Return the id of every track."""
        return [track_id for (track_id,) in self._query("SELECT track_id FROM tracks ORDER BY number")]

    def n_stored_twice(self) -> int:
        """Return how many rows have words and patches of their own though another row has the same ones."""
        counts = self._query("SELECT count(*) - count(DISTINCT content) FROM tracks WHERE n_patches > 0")
        return int(counts[0][0])

    def is_sound(self) -> bool:
        """Return whether SQLite finds the file consistent in itself; reads all of it."""
        return self._query("PRAGMA integrity_check") == [("ok",)]

    def content(self, number: int) -> bytes:
        """Return the digest of a track's fingerprint."""
        found = self._query("SELECT content FROM tracks WHERE number = ?", [number])
        if not found:
            raise CatalogDamagedError(f"{self.path}: damaged: no track {number}")
        return bytes(found[0][0])

    def labels(self) -> list[str | None]:
        """Return the label of every track."""
        return [label for (label,) in self._query("SELECT label FROM tracks ORDER BY number")]

    def _look_up(self, key: str, value: str, wanted: Iterable[str | bytes]) -> Iterator[tuple[Any, Any]]:
        ordered = sorted(set(wanted))
        for start in range(0, len(ordered), _BATCH):
            batch = ordered[start : start + _BATCH]
            marks = ", ".join("?" * len(batch))
            query = f"SELECT {key}, {value} FROM tracks WHERE {key} IN ({marks}) ORDER BY number"  # noqa: S608
            yield from self._query(query, batch)

    def _query(self, query: str, parameters: Iterable[Any] = ()) -> list[Any]:
        with self._errors():
            return self._connection.execute(query, list(parameters)).fetchall()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise CatalogDamagedError(f"{self.path}: damaged: {error}") from error


def _values(number: int, row: TrackRow) -> tuple[Any, ...]:
    tags = row.tags
    extra = json.dumps(dict(tags.extra), sort_keys=True) if tags.extra else None
    named = (getattr(tags, name) for name in NAMED_COLUMNS)
    placed = (row.first_word, row.n_words, row.first_patch, row.n_patches)
    return (number, tags.track_id, row.n_samples, *named, extra, row.content, *placed, row.source_sha256)


def _track(values: tuple[Any, ...]) -> Track:
    track_id, n_samples, *named = values
    return Track(track_id=track_id, duration_s=n_samples / SAMPLE_RATE, **dict(zip(NAMED_COLUMNS, named, strict=True)))


def _row(values: tuple[Any, ...]) -> TrackRow:
    n_named = len(NAMED_COLUMNS)
    (track_id, n_samples), named = values[:2], values[2 : 2 + n_named]
    extra, content, *placed, source = values[2 + n_named :]
    tags = TrackTags(
        track_id=track_id,
        **dict(zip(NAMED_COLUMNS, named, strict=True)),
        extra=json.loads(extra) if extra else {},
    )
    first_word, n_words, first_patch, n_patches = placed
    return TrackRow(
        tags=tags,
        n_samples=n_samples,
        content=content,
        first_word=first_word,
        n_words=n_words,
        first_patch=first_patch,
        n_patches=n_patches,
        source_sha256=source,
    )
