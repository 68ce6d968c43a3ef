"""The parts of a message that others refer to, kept on disk: a message may hold more of them than fit in memory."""

import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Party", "Release", "Resource", "Staging"]

_TABLES: Final = """
CREATE TABLE parties (ref TEXT PRIMARY KEY, name TEXT, dpid TEXT);
CREATE TABLE resources (ref TEXT PRIMARY KEY, line INTEGER, cells TEXT, split INTEGER);
CREATE TABLE releases (ref TEXT PRIMARY KEY, upc TEXT, grid TEXT, label TEXT);
CREATE TABLE members (release TEXT, resource TEXT, PRIMARY KEY (resource, release)) WITHOUT ROWID;
CREATE INDEX members_by_release ON members (release);
CREATE TABLE keys (release TEXT, key TEXT, PRIMARY KEY (release, key)) WITHOUT ROWID;
CREATE TABLE grants (release TEXT, grant_id TEXT, PRIMARY KEY (release, grant_id)) WITHOUT ROWID;
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """Somebody: `name` and `dpid`, as written; blank where not given."""

    name: str
    dpid: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """A sound recording of a message.

    Parameters
    ----------
    ref : str
        The message's name for it.
    line : int
        Where it begins.
    cells : mapping of str to str
        By column of recordings.
    split : bool
        Whether its rights are the sender's in part only.
    """

    ref: str
    line: int
    cells: Mapping[str, str]
    split: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A release of a message: its `ref`, and `upc`, `grid` and `label` as written; blank where not given."""

    ref: str
    upc: str
    grid: str
    label: str


class Staging:
    """Keeps parties, resources and releases by their references, in a private file that goes when it is closed."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(_TABLES)
        self._connection.execute("BEGIN")

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def add_party(self, ref: str, party: Party) -> None:
        """Keep a party."""
        self._connection.execute("INSERT OR REPLACE INTO parties VALUES (?, ?, ?)", (ref, party.name, party.dpid))

    def party(self, ref: str) -> Party | None:
        """Return a party; None if the message has none of this reference."""
        row = self._connection.execute("SELECT name, dpid FROM parties WHERE ref = ?", (ref,)).fetchone()
        return None if row is None else Party(name=row[0], dpid=row[1])

    def add_resource(self, resource: Resource) -> bool:
        """Keep a resource; say whether its reference is new."""
        row = (resource.ref, resource.line, json.dumps(dict(resource.cells)), resource.split)
        return self._connection.execute("INSERT OR IGNORE INTO resources VALUES (?, ?, ?, ?)", row).rowcount == 1

    def add_release(self, release: Release, resources: list[str], keys: Iterable[str]) -> None:
        """Keep a release, what it holds, and the identifiers by which other messages know it."""
        self._connection.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?)", [(release.ref, key) for key in keys])
        row = (release.ref, release.upc, release.grid, release.label)
        self._connection.execute("INSERT OR REPLACE INTO releases VALUES (?, ?, ?, ?)", row)
        members = [(release.ref, resource) for resource in resources]
        self._connection.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", members)

    def release(self, ref: str) -> Release | None:
        """Return a release; None if the message has none of this reference."""
        row = self._connection.execute("SELECT ref, upc, grid, label FROM releases WHERE ref = ?", (ref,)).fetchone()
        return None if row is None else Release(ref=row[0], upc=row[1], grid=row[2], label=row[3])

    def add_grant(self, release_ref: str, grant_id: str) -> None:
        """Keep that a grant is on a release."""
        self._connection.execute("INSERT OR IGNORE INTO grants VALUES (?, ?)", (release_ref, grant_id))

    def news(self) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Yield the identifiers of each release that has any, and the grants on it."""
        keys = self._connection.execute("SELECT release, key FROM keys ORDER BY release")
        for ref, group in itertools.groupby(keys, key=lambda row: str(row[0])):
            grants = self._connection.execute("SELECT grant_id FROM grants WHERE release = ?", (ref,)).fetchall()
            yield tuple(key for _, key in group), tuple(grant_id for (grant_id,) in grants)

    def resources_of(self, release_ref: str, *, split: bool = False) -> Iterator[Resource]:
        """Yield the sound recordings of a release; or of them those whose rights are split."""
        rows = self._connection.execute(
            "SELECT ref, line, cells, split FROM members JOIN resources ON ref = resource "
            "WHERE release = ? AND split >= ? ORDER BY resource",
            (release_ref, split),
        )
        return (_resource(*row) for row in rows)

    def is_single(self, release_ref: str) -> bool:
        """Say whether a release holds one resource."""
        query = "SELECT 1 FROM members WHERE release = ? LIMIT 2"
        return len(self._connection.execute(query, (release_ref,)).fetchall()) == 1

    def resources(self) -> Iterator[tuple[Resource, list[Release]]]:
        """Yield every sound recording, with the releases that hold it."""
        for row in self._connection.execute("SELECT ref, line, cells, split FROM resources ORDER BY rowid"):
            releases = self._connection.execute(
                "SELECT ref, upc, grid, label FROM members JOIN releases ON ref = release WHERE resource = ?", row[:1]
            ).fetchall()
            yield _resource(*row), [Release(ref=r[0], upc=r[1], grid=r[2], label=r[3]) for r in releases]


def _resource(ref: str, line: int, cells: str, split: int) -> Resource:
    return Resource(ref=ref, line=line, cells=json.loads(cells), split=bool(split))
