"""Storing facts in a registry file, one by one: new, known already, or in contradiction to what is there."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from earmark.rights.cells import format_cell, format_share, parse_share
from earmark.rights.grants import Grant
from earmark.rights.identifiers import fold_name
from earmark.rights.kinds import KINDS, Fact, Kind, kind_of
from earmark.rights.recordings import SHARE_TOLERANCE, Holding, RecordingEntry
from earmark.rights.reservations import Reservation
from earmark.rights.rows import BadCell
from earmark.rights.schema import KEYS

__all__ = ["SourceFile", "Store"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """Where facts come from.

    Parameters
    ----------
    name : str
        The file's name, without its folder.
    sha256 : str
        Of its bytes, in hexadecimal.
    format : str
        Such as `csv`.
    message_id : str or None
        The sender's id of a message.
    """

    name: str
    sha256: str
    format: str
    message_id: str | None = None


class Store:
    """Puts facts into the tables of an open registry file.

    Parameters
    ----------
    connection : sqlite3.Connection
        From `rewritten`.
    replace : bool
        Whether a recording or a holding that is there already is replaced by what comes; grants and reservations never
        are.
    """

    def __init__(self, connection: sqlite3.Connection, *, replace: bool = False) -> None:
        self._connection, self._replace = connection, replace
        self._source_id = self._n_stored = 0
        self._insert = {kind.name: _insert_statement(kind) for kind in KINDS.values()}

    def add_source(self, source: SourceFile) -> None:
        """Record where the facts that follow come from."""
        self._source_id = int(
            self._connection.execute(
                "INSERT INTO sources (name, sha256, format, message_id, imported_at) VALUES (?, ?, ?, ?, ?)",
                (
                    source.name,
                    source.sha256,
                    source.format,
                    source.message_id,
                    datetime.now(UTC).isoformat(timespec="seconds"),
                ),
            ).lastrowid
            or 0
        )
        self._n_stored = 0

    def name_message(self, message_id: str) -> None:
        """Record the message id of the present source, once it is read."""
        self._connection.execute("UPDATE sources SET message_id = ? WHERE source_id = ?", (message_id, self._source_id))

    def drop_source_without_facts(self) -> None:
        """Forget the present source if nothing new came from it."""
        if not self._n_stored:
            self._connection.execute("DELETE FROM sources WHERE source_id = ?", (self._source_id,))

    def put(self, fact: Fact) -> Literal["added", "known", "replaced"] | BadCell:
        """Store a fact.

        Parameters
        ----------
        fact : Grant, RecordingEntry, Holding or Reservation
            What to store.

        Returns
        -------
        str or BadCell
            `added`, `known` (the same is there), `replaced`, or why it is refused.
        """
        kind = kind_of(fact)
        if isinstance(fact, Holding) and (complaint := self._too_much(fact)):
            return BadCell(line=fact.line, column="share", complaint=complaint)
        cells = [format_cell(getattr(fact, column)) or None for column in kind.parsers]
        row = (*cells, *_keys(fact), self._source_id, fact.line)
        if self._connection.execute(self._insert[kind.name], row).rowcount:
            self._n_stored += 1
            return "added"
        rowid, there, name = self._find(kind, fact)
        if there == cells:
            return "known"
        if self._replace and isinstance(fact, RecordingEntry | Holding):
            columns = ", ".join(f"{column} = ?" for column in (*kind.parsers, *KEYS[kind.name], "source_id", "line"))
            self._connection.execute(f"UPDATE {kind.name} SET {columns} WHERE rowid = ?", (*row, rowid))  # noqa: S608
            self._n_stored += 1
            return "replaced"
        return _conflict(kind, fact, cells, there, name)

    def _too_much(self, holding: Holding) -> str | None:
        """Say that a holding would make the shares of its recording more than the whole."""
        if holding.share is None:
            return None
        key, holder = fold_name(holding.track_id), fold_name(holding.rightsholder)
        where = "track_key = ?" if key is not None else "track_key IS NULL AND isrc = ?"
        query = f"SELECT share FROM holdings WHERE {where} AND holder_key <> ? AND share IS NOT NULL"  # noqa: S608
        others = [parse_share(share) for (share,) in self._connection.execute(query, (key or holding.isrc, holder))]
        total = sum(others, holding.share)
        if total <= 1 + SHARE_TOLERANCE:
            return None
        return (
            f"with {format_share(holding.share)} for {holding.rightsholder} the shares of "
            f"{holding.track_id or holding.isrc} add up to {float(total):.2%}; expected 100% or less"
        )

    def _find(self, kind: Kind, fact: Fact) -> tuple[int, list[str | None], str]:
        """Return the row that a fact collides with: its id, its cells, and the name of the file it is from."""
        where, values = _identity(fact)
        query = (
            f"SELECT {kind.name}.rowid, sources.name, {', '.join(kind.parsers)} FROM {kind.name} "  # noqa: S608
            f"JOIN sources USING (source_id) WHERE {where}"
        )
        rowid, name, *cells = self._connection.execute(query, values).fetchone()
        return rowid, cells, name


def _insert_statement(kind: Kind) -> str:
    columns = (*kind.parsers, *KEYS[kind.name], "source_id", "line")
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {kind.name} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608


def _keys(fact: Fact) -> tuple[str | None, ...]:
    """Return what goes in the columns of `KEYS`."""
    if isinstance(fact, RecordingEntry):
        return (fold_name(fact.track_id),)
    if isinstance(fact, Holding):
        return fold_name(fact.track_id), fold_name(fact.rightsholder)
    return ()


def _identity(fact: Fact) -> tuple[str, tuple[Any, ...]]:
    """Return the condition that finds the fact of the same identity."""
    if isinstance(fact, Grant):
        return "grant_id = ?", (fact.grant_id,)
    if isinstance(fact, Reservation):
        return "reservation_id = ?", (fact.reservation_id,)
    key = fold_name(fact.track_id)
    where, values = ("track_key = ?", (key,)) if key is not None else ("track_key IS NULL AND isrc = ?", (fact.isrc,))
    if isinstance(fact, Holding):
        return f"{where} AND holder_key = ?", (*values, fold_name(fact.rightsholder))
    return where, values


def _conflict(kind: Kind, fact: Fact, cells: list[str | None], there: list[str | None], name: str) -> BadCell:
    """Say which cells contradict what is there."""
    column, new, old = next(
        (column, new, old) for column, new, old in zip(kind.parsers, cells, there, strict=True) if new != old
    )
    if isinstance(fact, Grant):
        what, advice = f"grant {fact.grant_id}", "give the new one an id of its own, and let it supersede the old one"
    elif isinstance(fact, Reservation):
        what, advice = f"reservation {fact.reservation_id}", "give the new one an id of its own"
    else:
        what, advice = f"the {kind.one} of {fact.track_id or fact.isrc}", "--replace takes the new one"
    return BadCell(
        line=fact.line,
        column=column,
        complaint=f"{what} is in the registry already (from {name}) with {old or 'nothing'!r}, "
        f"got {new or 'nothing'!r}; {advice}",
    )
