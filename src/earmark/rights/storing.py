"""Storing facts in a registry file, one by one: new, known already, or in contradiction to what is there."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, Literal

from earmark.rights.cells import format_cell, format_share
from earmark.rights.grants import Grant
from earmark.rights.identifiers import fold_name
from earmark.rights.kinds import GRANTS, KINDS, Fact, Kind, kind_of
from earmark.rights.recording_table import read_terms
from earmark.rights.recordings import SHARE_TOLERANCE, Holding, RecordingEntry
from earmark.rights.reservations import Reservation
from earmark.rights.rows import BadCell
from earmark.rights.schema import KEYS
from earmark.rights.sources.incoming import MessageId, ReleaseNews
from earmark.rights.territories import COUNTRIES, describe_territories, split_world

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
        self._source_id = self._n_stored = self.n_heard = 0
        self._is_repeat = False
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

    def name_message(self, message: MessageId) -> None:
        """Record which message the present source is, once that is read."""
        values = (message.text, message.sender, message.created.isoformat(timespec="microseconds"))
        self._is_repeat = (
            self._connection.execute(
                "SELECT 1 FROM sources WHERE message_id = ? AND sender = ? AND created = ?", values
            ).fetchone()
            is not None
        )
        self._connection.execute(
            "UPDATE sources SET message_id = ?, sender = ?, created = ?, created_on = ? WHERE source_id = ?",
            (*values, message.day.isoformat(), self._source_id),
        )

    def hear(self, news: ReleaseNews) -> None:
        """Record that the present message speaks of a release."""
        pairs = [(key, grant_id) for key in news.keys for grant_id in news.grant_ids]
        self._connection.executemany("INSERT OR IGNORE INTO grants_on_releases VALUES (?, ?)", pairs)
        if not self._is_repeat:
            heard = [(key, self._source_id) for key in news.keys]
            self._connection.executemany("INSERT OR IGNORE INTO messages_on_releases VALUES (?, ?)", heard)
            self._n_stored += len(heard)
            self.n_heard += len(heard)

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
        cells = [format_cell(getattr(fact, column)) or None for column in kind.parsers]
        row = (*cells, *_keys(fact), self._source_id, fact.line)
        if isinstance(fact, Holding):
            return self._put_holding(fact, cells, row)
        if self._connection.execute(self._insert[kind.name], row).rowcount:
            self._n_stored += 1
            return "added"
        return self._put_beside(kind, fact, cells, row)

    def _put_beside(
        self, kind: Kind, fact: Fact, cells: list[str | None], row: tuple[Any, ...]
    ) -> Literal["known", "replaced"] | BadCell:
        """Store a fact beside one of the same identity that is there."""
        rowid, there, name = self._find(kind, fact)
        if there == cells:
            return "known"
        if isinstance(fact, Grant) and (outcome := self._withdraw(fact, there, cells)):
            return outcome
        if not (self._replace and isinstance(fact, RecordingEntry)):
            return _conflict(kind, fact, cells, there, name)
        if day := self._said_later("recordings", rowid):
            return _outdated(fact, day)
        columns = ", ".join(f"{column} = ?" for column in (*kind.parsers, *KEYS[kind.name], "source_id", "line"))
        self._connection.execute(f"UPDATE {kind.name} SET {columns} WHERE rowid = ?", (*row, rowid))  # noqa: S608
        self._n_stored += 1
        return "replaced"

    def _withdraw(
        self, grant: Grant, there: list[str | None], cells: list[str | None]
    ) -> Literal["known", "replaced"] | None:
        """Take a grant back, if that is all that a row says anew; one that was taken back stays so."""
        at = list(GRANTS.parsers).index("withdrawn_on")
        if there[:at] + there[at + 1 :] != cells[:at] + cells[at + 1 :] or None not in {there[at], cells[at]}:
            return None
        if cells[at] is None:
            return "known"
        self._connection.execute("UPDATE grants SET withdrawn_on = ? WHERE grant_id = ?", (cells[at], grant.grant_id))
        self._n_stored += 1
        return "replaced"

    def _said_later(self, table: str, rowid: int) -> str | None:
        """Return the day of the message that a row is from, if the present one is an older one of its sender."""
        query = (
            f"SELECT later.created_on FROM {table} JOIN sources AS later USING (source_id) JOIN sources AS new ON "  # noqa: S608
            f"new.source_id = ? AND new.sender = later.sender AND new.created < later.created WHERE {table}.rowid = ?"
        )
        row = self._connection.execute(query, (self._source_id, rowid)).fetchone()
        return None if row is None else str(row[0])

    def _put_holding(
        self, holding: Holding, cells: list[str | None], row: tuple[Any, ...]
    ) -> Literal["added", "known", "replaced"] | BadCell:
        """Store a holding: beside those of others, and of the same holder in other territories."""
        holder, places = fold_name(holding.rightsholder), holding.territories - holding.excluded_territories
        mine, others = [], []
        for rowid, name, key, share, where in self._held(holding):
            if key != holder:
                others.append((share, where))
            elif where & places:
                mine.append((rowid, name))
        there = [self._cells("holdings", rowid) for rowid, _ in mine]
        if there == [cells]:
            return "known"
        if complaint := _too_much(holding, places, others):
            return BadCell(line=holding.line, column="share", complaint=complaint)
        if mine and not self._replace:
            return _conflict(kind_of(holding), holding, cells, there[0], mine[0][1])
        for day in filter(None, [self._said_later("holdings", rowid) for rowid, _ in mine]):
            return _outdated(holding, day)
        self._connection.executemany("DELETE FROM holdings WHERE rowid = ?", [(rowid,) for rowid, _ in mine])
        self._connection.execute(self._insert["holdings"], row)
        self._n_stored += 1
        return "replaced" if mine else "added"

    def _held(self, holding: Holding) -> Iterator[tuple[int, str, str, Fraction | None, frozenset[str]]]:
        """Yield the holdings of the same recording: id, file, holder's key, share, and where."""
        where, values = _recording_of(holding)
        query = (
            "SELECT rowid, (SELECT name FROM sources WHERE sources.source_id = holdings.source_id), holder_key, share, "  # noqa: S608
            f"territories, excluded_territories FROM holdings WHERE {where}"
        )
        for rowid, name, key, share, territories, excluded in self._connection.execute(query, values).fetchall():
            yield rowid, name, key, *read_terms(share, territories, excluded)

    def _cells(self, table: str, rowid: int) -> list[str | None]:
        query = f"SELECT {', '.join(KINDS[table].parsers)} FROM {table} WHERE rowid = ?"  # noqa: S608
        return list(self._connection.execute(query, (rowid,)).fetchone())

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
    return _recording_of(fact)


def _recording_of(fact: RecordingEntry | Holding) -> tuple[str, tuple[str | None]]:
    """Return the condition that finds what is said of the same recording."""
    key = fold_name(fact.track_id)
    return ("track_key = ?", (key,)) if key is not None else ("track_key IS NULL AND isrc = ?", (fact.isrc,))


def _outdated(fact: RecordingEntry | Holding, day: str) -> BadCell:
    """Say that a message comes after a later one that contradicts it."""
    what = f"a message of {day} says something else of the {kind_of(fact).one} of {fact.track_id or fact.isrc}"
    return BadCell(line=fact.line, column=None, complaint=f"{what}; expected a message later than that")


def _too_much(
    holding: Holding, places: frozenset[str], others: Sequence[tuple[Fraction | None, frozenset[str]]]
) -> str | None:
    """Say that a holding would make the shares of its recording more than the whole somewhere."""
    if holding.share is None:
        return None
    shares = [(share, where) for share, where in others if share is not None and where & places]
    for countries in split_world(where for _, where in [*shares, (holding.share, places)]):
        country = min(countries)
        total = sum((share for share, where in shares if country in where), holding.share)
        if country in places and total > 1 + SHARE_TOLERANCE:
            where = "" if countries == COUNTRIES else f" in {describe_territories(countries)}"
            return (
                f"with {format_share(holding.share)} for {holding.rightsholder} the shares of "
                f"{holding.track_id or holding.isrc}{where} add up to {float(total):.2%}; expected 100% or less"
            )
    return None


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
