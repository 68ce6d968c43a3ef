"""Corrections: what a catalog says of its tracks, changed without hearing them again."""

import collections
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from earmark.catalog.change import changing
from earmark.catalog.metadata import KNOWN_COLUMNS, Metadata, MetadataRow, read_corrections
from earmark.catalog.report import Progress
from earmark.catalog.storage import replace_manifest
from earmark.catalog.table_edition import read_rows, write_edition
from earmark.catalog.track import TrackTags
from earmark.catalog.track_list import COMPUTED_COLUMNS
from earmark.catalog.track_table import TrackRow

__all__ = ["Correction", "update_tracks"]

# What names a track is not a correction of it.
_KEYS: Final = ("track_id", "path")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """What became of the rows of a metadata file.

    Attributes
    ----------
    n_changed : int
        Tracks of which the catalog now says something else.
    n_same : int
        Tracks of which it said the same already.
    unknown : tuple of str
        Rows that fit no track: file, line, and track id or path.
    """

    n_changed: int
    n_same: int
    unknown: tuple[str, ...]


def update_tracks(
    path: Path,
    metadata: Path,
    *,
    clear_empty: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Correction:
    """Correct what a catalog says of its tracks. Who opens it from now on sees the new; nothing is fingerprinted.

    Parameters
    ----------
    path : Path
        The catalog.
    metadata : Path
        CSV file as for `build_catalog`. Its rows fit tracks by `track_id`; one without fits those with its `path`, as
        the catalog has it. Every other column that it has replaces what the catalog says, further columns included.
    clear_empty : bool
        Whether an empty cell takes away what the catalog says; otherwise it leaves it as it is.
    on_progress : callable or None
        Called after each segment.

    Returns
    -------
    Correction

    Raises
    ------
    CatalogError
        If there is no catalog at `path`, or it cannot be written; it is as it was then.
    CatalogVersionError, CatalogDamagedError
        As for `open_catalog`.
    CatalogLockedError
        If another process is changing the catalog.
    MetadataError
        If the metadata file has a bad row.
    """
    job = _Job(read_corrections(metadata), clear_empty=clear_empty)
    with changing(path) as manifest:
        n_done, n_total, segments = 0, sum(entry.n_tracks for entry in manifest.segments), []
        for entry in manifest.segments:
            removed, before = set(entry.removed), read_rows(path, entry)
            after = [row if number in removed else job.corrected(row) for number, row in enumerate(before)]
            segments.append(entry if after == before else write_edition(path, entry, after))
            n_done += entry.n_tracks
            if on_progress is not None:
                on_progress(Progress(n_done=n_done, n_total=n_total))
        if job.n_changed:
            replace_manifest(path, dataclasses.replace(manifest, segments=tuple(segments)))
    return Correction(n_changed=job.n_changed, n_same=job.n_same, unknown=tuple(job.unknown()))


class _Job:
    """Puts rows to tracks, and counts."""

    def __init__(self, metadata: Metadata, *, clear_empty: bool) -> None:
        self._metadata = metadata
        self._by_id = {row.tags.track_id: row for row in metadata.rows if row.tags.track_id}
        self._by_path = {row.tags.path: row for row in metadata.rows if not row.tags.track_id}
        ours = {*_KEYS, *COMPUTED_COLUMNS}
        self._columns = [name for name in metadata.columns if name and name not in ours] if clear_empty else []
        self._fitted: collections.Counter[int] = collections.Counter()
        self.n_changed = self.n_same = 0

    def corrected(self, row: TrackRow) -> TrackRow:
        """Return a row with what its line of the file says."""
        tags = row.tags
        line = self._by_id.get(tags.track_id) or self._by_id.get(_quoted(tags.track_id)) or self._by_path.get(tags.path)
        if line is None:
            return row
        self._fitted[line.line] += 1
        tags = self._tags(tags, line.tags)
        self.n_changed += tags != row.tags
        self.n_same += tags == row.tags
        return dataclasses.replace(row, tags=tags)

    def unknown(self) -> list[str]:
        """Return the rows that fit no track."""
        return [
            f"{self._metadata.path}:{row.line}: {_name(row)}"
            for row in self._metadata.rows
            if not self._fitted[row.line]
        ]

    def _tags(self, old: TrackTags, new: TrackTags) -> TrackTags:
        named = [name for name in KNOWN_COLUMNS if name not in _KEYS]
        given = {name: _unquoted(value, getattr(old, name)) for name in named if (value := getattr(new, name))}
        further = {
            name: _unquoted(value, old.extra.get(name))
            for name, value in new.extra.items()
            if name not in COMPUTED_COLUMNS
        }
        cleared = {name for name in self._columns if name not in given and name not in further}
        kept: Mapping[str, str] = {name: value for name, value in old.extra.items() if name not in cleared}
        values: dict[str, Any] = {**dict.fromkeys(cleared & set(named)), **given}
        return dataclasses.replace(old, **values, extra={**kept, **further})


def _quoted(text: str | None) -> str:
    """Return what an export to CSV makes of text that a spreadsheet could take for a formula."""
    return f"'{text}"


def _unquoted(value: str, old: str | None) -> str:
    return old if old is not None and value == _quoted(old) else value


def _name(row: MetadataRow) -> str:
    return row.tags.track_id or row.path
