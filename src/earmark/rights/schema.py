"""The registry file: a SQLite database, its tables, and how older ones are brought up to date."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from earmark.errors import RegistryDamagedError, RegistryError, RegistryVersionError
from earmark.rights.kinds import Kind

__all__ = ["DAMAGE", "KEYS", "MAGIC", "MIGRATIONS", "check_version", "columns_of", "migrate", "version_of"]

MAGIC: Final = b"SQLite format 3\x00"
"""The first bytes of every SQLite file."""

# `PRAGMA application_id` of a registry: 'EMRK'.
_APPLICATION_ID: Final = 0x454D524B

DAMAGE: Final = (sqlite3.Error, UnicodeError, OverflowError)
"""What sqlite3 raises for a damaged file: also where it cannot decode a text or its own words about it."""

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "recordings": ("track_key",),
    "holdings": ("track_key", "holder_key"),
    "grants": (),
    "reservations": (),
}
"""Columns that each table has besides those of its kind: names folded for comparison."""


def columns_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of a kind's table that say what the fact is, without its keys and source."""
    return tuple(kind.parsers)


# Columns are spelled out, not taken from `KINDS`: a script that is out in the world never changes.
_VERSION_1: Final = """
CREATE TABLE sources (
    source_id INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, format TEXT NOT NULL, message_id TEXT,
    imported_at TEXT NOT NULL
);
CREATE TABLE recordings (
    rowid INTEGER PRIMARY KEY, track_id TEXT, isrc TEXT, iswc TEXT, grid TEXT, upc TEXT, title TEXT, artists TEXT,
    label TEXT, p_line TEXT, duration_s TEXT, track_key TEXT,
    source_id INTEGER NOT NULL REFERENCES sources, line INTEGER NOT NULL
);
CREATE UNIQUE INDEX recordings_by_track ON recordings (track_key) WHERE track_key IS NOT NULL;
CREATE UNIQUE INDEX recordings_by_isrc_alone ON recordings (isrc) WHERE track_key IS NULL;
CREATE INDEX recordings_by_isrc ON recordings (isrc) WHERE isrc IS NOT NULL;
CREATE TABLE holdings (
    rowid INTEGER PRIMARY KEY, track_id TEXT, isrc TEXT, rightsholder TEXT NOT NULL, share TEXT, dpid TEXT,
    track_key TEXT, holder_key TEXT NOT NULL,
    source_id INTEGER NOT NULL REFERENCES sources, line INTEGER NOT NULL
);
CREATE UNIQUE INDEX holdings_by_track ON holdings (track_key, holder_key) WHERE track_key IS NOT NULL;
CREATE UNIQUE INDEX holdings_by_isrc_alone ON holdings (isrc, holder_key) WHERE track_key IS NULL;
CREATE INDEX holdings_by_isrc ON holdings (isrc) WHERE isrc IS NOT NULL;
CREATE TABLE grants (
    rowid INTEGER PRIMARY KEY, grant_id TEXT NOT NULL UNIQUE, licensee TEXT NOT NULL, scope TEXT NOT NULL,
    permission TEXT NOT NULL, product TEXT, exclusive TEXT, track_id TEXT, isrc TEXT, upc TEXT, label TEXT,
    rightsholder TEXT, territories TEXT NOT NULL, excluded_territories TEXT, valid_from TEXT, valid_to TEXT,
    constraints TEXT, contract_ref TEXT, contract_sha256 TEXT, supersedes TEXT,
    source_id INTEGER NOT NULL REFERENCES sources, line INTEGER NOT NULL
);
CREATE INDEX grants_by_supersedes ON grants (supersedes) WHERE supersedes IS NOT NULL;
CREATE TABLE reservations (
    rowid INTEGER PRIMARY KEY, reservation_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, scopes TEXT NOT NULL,
    permission TEXT NOT NULL, url TEXT, text TEXT, asserted_at TEXT, track_id TEXT, isrc TEXT, upc TEXT, label TEXT,
    rightsholder TEXT, territories TEXT NOT NULL,
    source_id INTEGER NOT NULL REFERENCES sources, line INTEGER NOT NULL
);
"""

# Shares that hold in some territories only; grants that were taken back; which messages spoke of which releases.
_VERSION_2: Final = """
ALTER TABLE holdings ADD COLUMN territories TEXT NOT NULL DEFAULT 'Worldwide';
ALTER TABLE holdings ADD COLUMN excluded_territories TEXT;
DROP INDEX holdings_by_track;
DROP INDEX holdings_by_isrc_alone;
CREATE INDEX holdings_by_track ON holdings (track_key) WHERE track_key IS NOT NULL;
ALTER TABLE grants ADD COLUMN withdrawn_on TEXT;
ALTER TABLE sources ADD COLUMN sender TEXT;
ALTER TABLE sources ADD COLUMN created TEXT;
ALTER TABLE sources ADD COLUMN created_on TEXT;
CREATE TABLE messages_on_releases (
    release_key TEXT NOT NULL, source_id INTEGER NOT NULL REFERENCES sources, PRIMARY KEY (release_key, source_id)
) WITHOUT ROWID;
CREATE TABLE grants_on_releases (
    release_key TEXT NOT NULL, grant_id TEXT NOT NULL REFERENCES grants (grant_id), PRIMARY KEY (release_key, grant_id)
) WITHOUT ROWID;
"""

MIGRATIONS: Final[tuple[str, ...]] = (_VERSION_1, _VERSION_2)
"""The script that leads from each schema version to the next: from nothing to 1 first. Never changed, only added to."""


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema version of a registry file.

    Parameters
    ----------
    connection : sqlite3.Connection
        The open file.
    path : pathlib.Path
        Its name, for errors.

    Returns
    -------
    int
        0 for an empty file.

    Raises
    ------
    RegistryError
        If the file is a SQLite database of something else.
    RegistryDamagedError
        If it cannot be read.
    """
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        empty = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None
    except DAMAGE as error:
        raise RegistryDamagedError(f"{path}: damaged: {error}; expected a registry file") from error
    if empty and application == version == 0:
        return 0
    if application != _APPLICATION_ID or version < 1:
        raise RegistryError(
            f"{path} is a SQLite file of something else; expected a registry that `license import` made"
        )
    return int(version)


def check_version(connection: sqlite3.Connection, path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Check that a registry file can be read as it is.

    Parameters
    ----------
    connection, path
        As of `version_of`.
    migrations : sequence of str
        What this version of Earmark knows.

    Raises
    ------
    RegistryVersionError
        If it was written by a newer version, or by an older one and must be brought up to date first.
    RegistryError, RegistryDamagedError
        As of `version_of`.
    """
    version = version_of(connection, path)
    if version > len(migrations):
        raise RegistryVersionError(
            f"{path}: schema version {version}, written by a newer version of Earmark; this one knows up to "
            f"{len(migrations)}: update Earmark"
        )
    if version < len(migrations):
        raise RegistryVersionError(
            f"{path}: schema version {version}, expected {len(migrations)}; "
            f"`earmark license import {path}` brings it up to date"
        )


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str] = MIGRATIONS) -> int:
    """Bring a registry file up to date; an empty file becomes a registry.

    Parameters
    ----------
    connection, path
        As of `version_of`; the caller has begun no transaction.
    migrations : sequence of str
        The scripts.

    Returns
    -------
    int
        The version that it had.

    Raises
    ------
    RegistryVersionError
        If it was written by a newer version.
    RegistryError, RegistryDamagedError
        As of `version_of`.
    """
    version = version_of(connection, path)
    if version > len(migrations):
        check_version(connection, path, migrations)
    for number, script in enumerate(migrations[version:], version + 1):
        pragmas = f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {number};"
        connection.executescript(f"BEGIN; {script} {pragmas} COMMIT;")
    return version
