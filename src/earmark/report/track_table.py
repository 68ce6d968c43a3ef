"""The track table of a catalog as a file."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earmark.catalog import ListedTrack, list_tracks
from earmark.report.tables import Column, Table, write_tables

__all__ = ["write_tracks"]

_NAMED = tuple(field.name for field in dataclasses.fields(ListedTrack) if field.name != "extra")


def write_tracks(catalog: Path, out: Path, kind: str, label: str | None = None) -> int:
    """Write the tracks of a catalog, a row each, with a column for everything that is known of one of them.

    Parameters
    ----------
    catalog
        The catalog.
    out
        File to write; what is there is replaced.
    kind
        One of `earmark.report.tables.TABLE_FORMATS`.
    label
        Only tracks of this label, see `list_tracks`.

    Returns
    -------
    int
        How many there are.

    Raises
    ------
    CatalogError
        As for `list_tracks`.
    ReportError
        If it cannot be written.
    """
    further: dict[str, None] = {}
    for track in list_tracks(catalog, label=label):
        further |= dict.fromkeys(track.extra)
    names = [name for name in sorted(further) if name not in _NAMED]
    columns = [Column(name=name, kind="number" if name == "duration_s" else "text") for name in (*_NAMED, *names)]
    rows = _Rows(catalog, label, names)
    write_tables(out, kind, [Table(title="tracks", columns=tuple(columns), rows=rows)])
    return rows.n


class _Rows:
    """The rows, read as they are taken, and counted."""

    def __init__(self, catalog: Path, label: str | None, further: list[str]) -> None:
        self._catalog, self._label, self._further = catalog, label, further
        self.n = 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for track in list_tracks(self._catalog, label=self._label):
            self.n += 1
            named = (getattr(track, name) for name in _NAMED)
            yield (*named, *(track.extra.get(name) for name in self._further))
