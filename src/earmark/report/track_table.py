"""The track table of a catalog as a file."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from earmark.catalog import ListedTrack, Progress, list_tracks
from earmark.report.tables import Column, Table, write_tables

__all__ = ["write_tracks"]

_NAMED = tuple(field.name for field in dataclasses.fields(ListedTrack) if field.name != "extra")


def write_tracks(
    catalog: Path,
    out: Path,
    kind: str,
    label: str | None = None,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> int:
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
    on_progress
        Called after each track.

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
    n_tracks = 0
    for track in list_tracks(catalog, label=label):
        n_tracks += 1
        further |= dict.fromkeys(track.extra)
    names = [name for name in sorted(further) if name not in _NAMED]
    columns = [Column(name=name, kind="number" if name == "duration_s" else "text") for name in (*_NAMED, *names)]
    rows = _Rows(catalog, label, names, lambda n: _tell(on_progress, n, n_tracks))
    write_tables(out, kind, [Table(title="tracks", columns=tuple(columns), rows=rows)])
    return rows.n


def _tell(on_progress: Callable[[Progress], None] | None, n_done: int, n_tracks: int) -> None:
    if on_progress is not None:  # the catalog may have grown between the two looks at it
        on_progress(Progress(n_done=n_done, n_total=max(n_done, n_tracks)))


class _Rows:
    """The rows, read as they are taken, and counted."""

    def __init__(self, catalog: Path, label: str | None, further: list[str], tell: Callable[[int], None]) -> None:
        self._catalog, self._label, self._further, self._tell = catalog, label, further, tell
        self.n = 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for track in list_tracks(self._catalog, label=self._label):
            self.n += 1
            named = (getattr(track, name) for name in _NAMED)
            yield (*named, *(track.extra.get(name) for name in self._further))
            self._tell(self.n)
