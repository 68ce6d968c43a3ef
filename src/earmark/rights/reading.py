"""Reading a registry, from a CSV file or a registry file: told apart by their contents."""

import hashlib
import io
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from earmark.errors import RegistryDamagedError, RegistryError
from earmark.rights.columns import Columns, match_columns
from earmark.rights.grants import Grant
from earmark.rights.kinds import GRANTS, RESERVATIONS, Kind
from earmark.rights.recording_table import RecordingTable, open_read_only
from earmark.rights.registry import Registry, bad_links, duplicate_ids, make_registry, report_mistakes
from earmark.rights.rows import BadCell, parse_cells, parse_row
from earmark.rights.schema import DAMAGE, MAGIC, check_version
from earmark.rights.table import Row, open_table

__all__ = ["facts_in", "read_registry"]

_BLOCK: Final = 1 << 20
_REPLACED: Final = 3  # times that a file may be replaced while it is opened before we give up


def read_registry(path: str | Path) -> Registry:
    """Read a registry: a registry file that `license import` made, or a CSV file.

    A CSV file holds grants: UTF-8, with or without a byte order mark; commas, semicolons or tabs; a header with the
    columns `grant_id, licensee, scope, permission, territories`, one or more of `track_id, isrc, upc, label,
    rightsholder`, and, where wanted, `product, exclusive, excluded_territories, valid_from, valid_to, constraints,
    contract_ref, contract_sha256, supersedes`. Both dates are inclusive. `territories` must be filled: `Worldwide`
    where the grant holds everywhere. Other columns are ignored, and listed in the result.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    Registry
        Its grants, reservations and recordings. A registry file stays open to look recordings up in; what it held when
        it was opened stays, also while others write to it.

    Raises
    ------
    RegistryError
        If the file cannot be read, is neither of the two, or any row of a CSV file is wrong. The message names the
        file, and line, column, value and what was expected for each of the first 20 mistakes. Nothing is read in part.
    RegistryVersionError, RegistryDamagedError
        If it is a registry file of another version, or holds what no version writes.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                return _read_file(path)
        data = path.read_bytes()
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror or error}") from error
    return _read_csv(path, data)


def _read_csv(path: Path, data: bytes) -> Registry:
    table = open_table(io.BytesIO(data), str(path), frozenset(GRANTS.columns))
    columns = match_columns(table.header, str(path))
    grants, mistakes = _parse_rows(table.rows, columns)
    if mistakes:
        raise RegistryError(report_mistakes(mistakes, str(path)))
    return make_registry(
        grants, source=path.name, digest=hashlib.sha256(data).hexdigest(), ignored_columns=columns.ignored
    )


def _parse_rows(rows: Iterable[Row], columns: Columns) -> tuple[list[Grant], list[BadCell]]:
    """Read all rows; return the good grants, and all mistakes in the order of the lines."""
    grants: list[Grant] = []
    mistakes: list[BadCell] = []
    ids: list[tuple[str, int]] = []
    at = columns.positions["grant_id"]
    for row in rows:
        grant, wrong = parse_row(row, columns)
        mistakes += wrong
        ids.append((" ".join(row.cells[at].split()) if at < len(row.cells) else "", row.line))
        if isinstance(grant, Grant):
            grants.append(grant)
    mistakes += duplicate_ids(ids)
    mistakes += bad_links(grants, elsewhere=frozenset(grant_id for grant_id, _ in ids))
    return grants, sorted(mistakes, key=lambda mistake: mistake.line)


def _read_file(path: Path) -> Registry:
    """Read a registry file, of which the digest and the contents must be those of one and the same file."""
    for _ in range(_REPLACED):
        stamp = RecordingTable.stamp_of(path)
        digest = _digest_of(path)
        table = RecordingTable(path, stamp)
        if RecordingTable.stamp_of(path) != stamp:
            continue
        connection = open_read_only(path)
        try:
            check_version(connection, path)
            grants, reservations = (
                list(facts_in(connection, GRANTS, path)),
                list(facts_in(connection, RESERVATIONS, path)),
            )
            known = any(_has_rows(connection, name) for name in ("recordings", "holdings"))
            if RecordingTable.stamp_of(path) != stamp:
                continue
            if known:
                table.open()
            return make_registry(
                grants, reservations, recordings=table if known else None, source=path.name, digest=digest
            )
        finally:
            connection.close()
    raise RegistryError(f"{path} is being replaced again and again; try when nobody writes to it")


def facts_in(connection: sqlite3.Connection, kind: Kind, path: Path) -> Iterator[Any]:
    """Yield the facts of one kind in a registry file, in the order in which they were imported.

    Parameters
    ----------
    connection : sqlite3.Connection
        The open file.
    kind : Kind
        Which.
    path : pathlib.Path
        Its name, for errors.

    Raises
    ------
    RegistryDamagedError
        If a row holds what no version writes.
    """
    columns = tuple(kind.parsers)
    query = f"SELECT {', '.join(columns)}, line FROM {kind.name} ORDER BY rowid"  # noqa: S608 - our own names
    try:
        for row in connection.execute(query):
            cells = {column: cell for column, cell in zip(columns, row, strict=False) if isinstance(cell, str)}
            fact, mistakes = parse_cells(cells, kind, row[-1] if isinstance(row[-1], int) else 0)
            if fact is None:
                wrong = mistakes[0]
                raise RegistryDamagedError(
                    f"{path}: damaged: table {kind.name}, column {wrong.column}: {wrong.complaint}"
                )
            yield fact
    except DAMAGE as error:
        raise RegistryDamagedError(f"{path}: damaged: {error}") from error


def _has_rows(connection: sqlite3.Connection, table: str) -> bool:
    try:
        return connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None  # noqa: S608
    except DAMAGE as error:
        raise RegistryDamagedError(f"damaged: {error}") from error


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()
