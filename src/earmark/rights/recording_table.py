"""The recordings of a registry file, looked up one by one: a million of them need not fit in memory."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from earmark.errors import EarmarkError, ParameterError, RegistryDamagedError, RegistryError
from earmark.rights.cells import parse_share
from earmark.rights.identifiers import fold_name
from earmark.rights.kinds import HOLDINGS, RECORDINGS
from earmark.rights.recordings import Holding, RecordingEntry
from earmark.rights.rows import parse_cells
from earmark.rights.schema import DAMAGE
from earmark.rights.territories import COUNTRIES, WORLDWIDE_WORD, parse_territories

__all__ = ["RecordingTable", "open_read_only", "read_terms"]

# What decisions need of one track id, in one question: what it is, then who holds it.
_HELD: Final = "rightsholder, share, territories, excluded_territories"
_BY_TRACK: Final = (
    "SELECT 0, isrc, upc, label, track_id FROM recordings WHERE track_key = ?1 UNION ALL "  # noqa: S608 - our own names
    f"SELECT 1, {_HELD} FROM holdings WHERE track_key = ?1"
)
_BY_ISRC: Final = "SELECT isrc, upc, label, track_id, track_key FROM recordings WHERE isrc = ? ORDER BY rowid"
_HELD_BY_TRACK: Final = f"SELECT {_HELD} FROM holdings WHERE track_key = ? ORDER BY rowid"  # noqa: S608
_HELD_BY_ISRC: Final = f"SELECT track_key, {_HELD} FROM holdings WHERE isrc = ? ORDER BY rowid"  # noqa: S608
# The file is mapped as far as SQLite can (2 GiB less a page of 64 KiB): a look-up at random takes half the time that
# reading pages takes (benchmarks/rights.py).
_MAPPED_BYTES: Final = 0x7FFF0000
_RECORDING: Final = f"SELECT {', '.join(RECORDINGS.parsers)}, line FROM recordings"  # noqa: S608 - our own names
_HOLDING: Final = f"SELECT {', '.join(HOLDINGS.parsers)}, line FROM holdings"  # noqa: S608


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a registry file to read. It is replaced, never changed, so what is open stays as it was opened.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    RegistryError
        If there is none, or it cannot be opened.
    """
    try:
        uri = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro&immutable=1"
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    except DAMAGE as error:
        raise RegistryError(f"{path} cannot be opened: {error}") from error


Known = tuple[str | None, str | None, str | None, str | None]
"""ISRC, UPCs set apart by spaces, label and track id of a recording."""
Held = tuple[tuple[str, Fraction | None, frozenset[str]], ...]
"""Name, share (None is not known) and territories of each holder."""


@lru_cache(maxsize=4096)
def read_terms(share: str | None, territories: str, excluded: str | None) -> tuple[Fraction | None, frozenset[str]]:
    """Read how much a row of holdings is about, and where.

    Raises
    ------
    ParameterError
        If a cell holds what no version writes.
    """
    where = COUNTRIES if territories == WORLDWIDE_WORD else parse_territories(territories)
    return (None if share is None else parse_share(share)), where - parse_territories(excluded or "")


class RecordingTable:
    """Recordings and who holds them, by track id and by ISRC.

    Parameters
    ----------
    path : pathlib.Path
        A registry file.
    stamp : tuple of int
        Device, inode, size and time of change in ns of the file that was checked; another process that opens it by this
        path must find the same.
    """

    def __init__(self, path: Path, stamp: tuple[int, int, int, int]) -> None:
        self._path, self._stamp = path, stamp
        self._connection: sqlite3.Connection | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return RecordingTable, (self._path, self._stamp)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordingTable) and (self._path, self._stamp) == (other._path, other._stamp)

    def __hash__(self) -> int:
        return hash((self._path, self._stamp))

    @staticmethod
    def stamp_of(path: Path) -> tuple[int, int, int, int]:
        """Return what tells a file from the one that replaces it.

        Raises
        ------
        RegistryError
            If there is no such file.
        """
        try:
            found = path.stat()
        except OSError as error:
            raise RegistryError(f"{path} cannot be read: {error.strerror or error}") from error
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def recordings(self, track_id: str | None, isrc: str | None) -> list[RecordingEntry]:
        """Find a recording: the one of this track id, else all that have this ISRC.

        Parameters
        ----------
        track_id : str or None
            In any spelling that folds to the same.
        isrc : str or None
            Without dashes.

        Raises
        ------
        RegistryError
            If the file has been replaced before it was opened here, or is damaged.
        """
        key = fold_name(track_id)
        found = [] if key is None else list(self._entries(" WHERE track_key = ?", key))
        if not found and isrc is not None:
            found = list(self._entries(" WHERE isrc = ?", isrc))
        return found

    def holdings(self, track_id: str | None, isrc: str | None) -> list[Holding]:
        """Find who holds a recording: by its track id, else by its ISRC; as for `recordings`."""
        key = fold_name(track_id)
        found = [] if key is None else list(self._holdings(" WHERE track_key = ?", key))
        if not found and isrc is not None:
            found = list(self._holdings(" WHERE isrc = ?", isrc))
        return found

    def look_up(self, track_id: str | None, isrc: str | None) -> tuple[list[Known], list[Held]]:
        """Find what decisions need, in one question where the track id is known here.

        Parameters
        ----------
        track_id : str or None
            Folded.
        isrc : str or None
            Without dashes.

        Returns
        -------
        known : list of (str or None, str or None, str or None, str or None)
            ISRC, UPCs set apart by spaces, label and track id: of this track id, else of all that have this ISRC.
        held : list of tuple of (str, Fraction or None, frozenset of str)
            Names, shares and where they are held: of this track id, else of the ISRC. Several where track ids of one
            ISRC are held differently; none where nothing is known.

        Raises
        ------
        RegistryError
            As of `recordings`.
        """
        rows = [] if track_id is None else self._rows(_BY_TRACK, track_id)
        known: list[Known] = [row[1:] for row in rows if not row[0]]
        held = [self._held([row[1:] for row in rows if row[0]])]
        others: list[str] = []
        if not known and isrc is not None:
            found = self._rows(_BY_ISRC, isrc)
            known, others = [row[:4] for row in found], [row[4] for row in found if row[4] is not None]
        if not held[0]:
            held = [self._held(self._rows(_HELD_BY_TRACK, key)) for key in others]
            isrc = isrc or next((row[0] for row in known), None)
            held += [] if isrc is None else self._held_by_isrc(isrc, alone=bool(rows))
        if len(held) == 1:
            return known, held if held[0] else []
        return known, list(dict.fromkeys(filter(None, held)))

    def _held_by_isrc(self, isrc: str, *, alone: bool) -> list[Held]:
        """Return who holds an ISRC: by each track id that has it, or by the ISRC alone."""
        groups: dict[str | None, list[Any]] = {}
        for key, *row in self._rows(_HELD_BY_ISRC, isrc):
            groups.setdefault(key, []).append(row)
        return [self._held(rows) for key, rows in groups.items() if key is None or not alone]

    def _held(self, rows: Sequence[Sequence[Any]]) -> Held:
        try:
            return tuple([(name, *read_terms(share, where, excluded)) for name, share, where, excluded in rows])
        except (ParameterError, TypeError, AttributeError) as error:
            raise RegistryDamagedError(f"{self._path}: damaged: table holdings: {error}") from error

    def _entries(self, where: str, value: str) -> Iterator[RecordingEntry]:
        for track_id, isrc, iswc, grid, upc, title, artists, label, p_line, duration_s, line in self._rows(
            _RECORDING + where, value
        ):
            yield RecordingEntry(
                track_id=track_id, isrc=isrc, iswc=iswc, grid=grid, upc=tuple(upc.split()) if upc else (), title=title,
                artists=artists, label=label, p_line=p_line, line=line,
                duration_s=None if duration_s is None else float(duration_s),
            )  # fmt: skip

    def _holdings(self, where: str, value: str) -> Iterator[Holding]:
        for row in self._rows(_HOLDING + where + " ORDER BY rowid", value):
            cells = {name: cell or "" for name, cell in zip(HOLDINGS.parsers, row, strict=False)}
            holding, mistakes = parse_cells(cells, HOLDINGS, row[-1])
            if holding is None:
                raise RegistryDamagedError(f"{self._path}: damaged: holdings: {mistakes[0].complaint}")
            assert isinstance(holding, Holding)
            yield holding

    def _rows(self, query: str, value: str) -> list[Any]:
        self.open()
        assert self._connection is not None
        try:
            return self._connection.execute(query, (value,)).fetchall()
        except DAMAGE as error:
            raise RegistryDamagedError(f"{self._path}: damaged: {error}") from error

    def open(self) -> None:
        """Open the file, if it is not open; otherwise it is opened when it is first needed.

        Raises
        ------
        RegistryError
            If another file has taken its place, or it is damaged.
        """
        if self._connection is None:
            self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = open_read_only(self._path)
        try:
            connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()  # opens the file
            if self.stamp_of(self._path) != self._stamp:
                raise RegistryError(f"{self._path} has been changed since it was first opened; start again")
        except DAMAGE as error:
            connection.close()
            raise RegistryDamagedError(f"{self._path}: damaged: {error}") from error
        except EarmarkError:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close the file; it is opened again when next needed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
