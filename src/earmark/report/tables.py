"""The rows of a scan as Parquet, beside the JSON lines: the same columns, the same order."""

import dataclasses
import itertools
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.catalog.storage import sync
from earmark.errors import ScanError
from earmark.report.records import read_items, read_matches
from earmark.scan import ITEMS_FILE, MATCHES_FILE, SCHEMA_VERSION, ItemRow, MatchRow

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["write_parquet"]

_BATCH_ROWS = 65_536  # a row group: some 20 MB of matches in memory


def write_parquet(scan: Path) -> tuple[Path, Path]:
    """Write `items.parquet` and `matches.parquet` beside the JSON lines of a scan that is over.

    Each appears whole, in place of the one before. Memory does not grow with the scan.

    Parameters
    ----------
    scan
        The folder that the scan wrote.

    Returns
    -------
    tuple of Path
        The two files.

    Raises
    ------
    ScanError
        If rows cannot be read, or a file cannot be written.
    """
    try:
        return (
            _write(scan / ITEMS_FILE, ItemRow, read_items(scan)),
            _write(scan / MATCHES_FILE, MatchRow, read_matches(scan)),
        )
    except OSError as error:
        raise ScanError(f"{str(scan)!r} cannot be written to: {error.strerror or error}") from error


def _write(lines: Path, kind: type[ItemRow | MatchRow], rows: Iterator[Any]) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    schema, path = _schema(kind), lines.with_suffix(".parquet")
    aside = path.with_name(f".{path.name}.new")
    with aside.open("wb") as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := [dataclasses.asdict(row) for row in itertools.islice(rows, _BATCH_ROWS)]:
            writer.write_table(pa.Table.from_pylist(batch, schema))
    sync(aside)
    aside.replace(path)
    return path


def _schema(kind: type[ItemRow | MatchRow]) -> "pa.Schema":
    import pyarrow as pa

    arrow = {str: pa.string(), float: pa.float64(), int: pa.int64()}
    fields = []
    for name, hint in typing.get_type_hints(kind).items():
        choices = typing.get_args(hint)
        if typing.get_origin(hint) is typing.Literal:
            fields.append(pa.field(name, pa.string(), nullable=False))
        elif choices:  # X | None
            fields.append(pa.field(name, arrow[choices[0]]))
        else:
            fields.append(pa.field(name, arrow[hint], nullable=False))
    return pa.schema(fields, metadata={"earmark_schema_version": str(SCHEMA_VERSION)})
