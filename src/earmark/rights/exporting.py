"""Exporting a registry file: what was imported, in the form in which it can be imported again; and empty templates."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import IO

from earmark.errors import RegistryDamagedError, RegistryError
from earmark.rights.cells import format_cell
from earmark.rights.grants import Grant
from earmark.rights.kinds import KINDS, PROVENANCE, Fact, Kind, kind_of
from earmark.rights.recording_table import open_read_only
from earmark.rights.recordings import Holding, RecordingEntry
from earmark.rights.reservations import RESERVED_SCOPES, Reservation
from earmark.rights.schema import DAMAGE, MAGIC, check_version
from earmark.rights.tables import FactTable, write_json_lines, write_tables
from earmark.rights.territories import COUNTRIES

__all__ = ["export_json_lines", "export_registry", "write_template"]


def export_registry(registry: str | Path, out: str | Path, form: str) -> tuple[Path, ...]:
    """Write what a registry file holds to new files.

    Parameters
    ----------
    registry : str or pathlib.Path
        The registry file.
    out, form
        As of `write_tables`.

    Returns
    -------
    tuple of pathlib.Path
        The files. Importing them gives the same facts; their last columns, `source`, `source_sha256` and `message_id`,
        tell where each fact came from.

    Raises
    ------
    RegistryError
        If the registry cannot be read, or `out` is in use.
    ParameterError
        As of `write_tables`.
    """
    connection = _open(Path(registry))
    try:
        return write_tables(_tables(connection, Path(registry)), Path(out), form)
    finally:
        connection.close()


def export_json_lines(registry: str | Path, file: IO[str]) -> None:
    """Write what a registry file holds to an open text file, as JSON lines.

    Parameters
    ----------
    registry : str or pathlib.Path
        The registry file.
    file : text file
        Where to.

    Raises
    ------
    RegistryError
        If the registry cannot be read.
    """
    connection = _open(Path(registry))
    try:
        write_json_lines(_tables(connection, Path(registry)), file)
    finally:
        connection.close()


def write_template(out: str | Path, form: str) -> tuple[Path, ...]:
    """Write tables to fill in: every column of every kind of facts, with a row that shows how it is meant.

    Parameters
    ----------
    out, form
        As of `write_tables`.

    Returns
    -------
    tuple of pathlib.Path
        The files.

    Raises
    ------
    RegistryError, ParameterError
        As of `write_tables`.
    """
    tables = [
        FactTable(
            kind=kind,
            columns=kind.columns,
            rows=iter([_cells(fact, kind) for fact in _examples() if kind_of(fact) is kind]),
        )
        for kind in KINDS.values()
    ]
    return write_tables(tables, Path(out), form)


def _examples() -> tuple[Fact, ...]:
    track, isrc = "SL-0001", "GBAYE6800011"
    return (
        RecordingEntry(
            track_id=track, isrc=isrc, iswc="T0345246801", upc=("0036000291452",), title="Intro", artists="The Band",
            label="Small Label", p_line="2026 Small Label", duration_s=215.2,
        ),
        Holding(track_id=track, isrc=isrc, rightsholder="Jane Doe", share=Fraction(1, 2), dpid="PADPIDA2014021501L"),
        Holding(track_id=track, isrc=isrc, rightsholder="John Roe", share=Fraction(1, 2)),
        Grant(
            grant_id="G-1", licensee="Acme AI", scope="ai_training", permission="constrained", product="Model 1",
            label="Small Label", territories=COUNTRIES, excluded_territories=frozenset({"FR"}),
            valid_from=date(2026, 1, 1), valid_to=date(2026, 12, 31), constraints="no voice clones",
            contract_ref="AC-17",
        ),
        Reservation(
            reservation_id="R-1", type="declaration", scopes=RESERVED_SCOPES, permission="not_allowed",
            url="https://label.example/tdm", asserted_at=date(2024, 6, 1), label="Small Label", territories=COUNTRIES,
        ),
    )  # fmt: skip


def _cells(fact: Fact, kind: Kind) -> list[str]:
    return [format_cell(getattr(fact, column)) for column in kind.columns]


def _open(path: Path) -> sqlite3.Connection:
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror or error}") from error
    if start != MAGIC:
        raise RegistryError(f"{path} is no registry file; expected one that `earmark license import` made")
    connection = open_read_only(path)
    try:
        check_version(connection, path)
    except RegistryError:
        connection.close()
        raise
    return connection


def _tables(connection: sqlite3.Connection, path: Path) -> list[FactTable]:
    """Return a table for each kind of which there is something; of an empty registry, all of them, empty."""
    found: list[FactTable] = []
    for kind in KINDS.values():
        rows = _rows(connection, kind, path)
        first = next(rows, None)
        if first is not None:
            found.append(FactTable(kind=kind, columns=(*kind.columns, *PROVENANCE), rows=_all(first, rows)))
    return found or [FactTable(kind=kind, columns=kind.columns, rows=iter(())) for kind in KINDS.values()]


def _all(first: Sequence[str], others: Iterator[Sequence[str]]) -> Iterator[Sequence[str]]:
    yield first
    yield from others


def _rows(connection: sqlite3.Connection, kind: Kind, path: Path) -> Iterator[Sequence[str]]:
    columns = ", ".join(f"{kind.name}.{column}" for column in kind.columns)
    query = (
        f"SELECT {columns}, sources.name, sources.sha256, sources.message_id FROM {kind.name} "  # noqa: S608 - our names
        f"JOIN sources USING (source_id) ORDER BY {kind.name}.rowid"
    )
    try:
        for row in connection.execute(query):
            yield ["" if cell is None else str(cell) for cell in row]
    except DAMAGE as error:
        raise RegistryDamagedError(f"{path}: damaged: {error}") from error
