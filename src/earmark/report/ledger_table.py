"""Ledgers as tables: one line for each key and status, amounts as exact decimals."""

from pathlib import Path

from earmark.report.apportioning import minor_digits
from earmark.report.ledger import Ledger
from earmark.report.tables import Column, Table, write_tables

__all__ = ["ledger_columns", "write_ledger"]

_KEYS = {"recording": "track_id", "grant": "grant_id"}  # the others go by their own name


def ledger_columns(ledger: Ledger) -> tuple[Column, ...]:
    """Return the columns of a ledger's table."""
    about = (Column(name="isrc"), Column(name="title"), Column(name="artist")) if ledger.by == "recording" else ()
    money: tuple[Column, ...] = ()
    if ledger.currency is not None:
        money = (Column(name="amount", kind="decimal", digits=minor_digits(ledger.currency)), Column(name="currency"))
    return (
        Column(name=_KEYS.get(ledger.by, ledger.by)),
        *about,
        Column(name="status"),
        Column(name="matches", kind="integer"),
        Column(name="match_share", kind="decimal", digits=3),
        Column(name="items", kind="integer"),
        Column(name="seconds", kind="decimal", digits=3),
        Column(name="share", kind="decimal", digits=6),
        *money,
    )


def write_ledger(ledger: Ledger, out: Path, kind: str) -> None:
    """Write a ledger as a table.

    Parameters
    ----------
    ledger
        To write.
    out
        File to write; what is there is replaced.
    kind
        One of `earmark.report.tables.TABLE_FORMATS`.

    Raises
    ------
    ParameterError
        If there is no such format.
    ReportError
        If it cannot be written.
    """
    columns = ledger_columns(ledger)
    rows = (
        [
            ledger.currency if column.name == "currency" else getattr(line, column.name if at else "key")
            for at, column in enumerate(columns)
        ]
        for line in ledger.lines
    )
    write_tables(out, kind, [Table(title=f"by {ledger.by}", columns=columns, rows=rows)])
