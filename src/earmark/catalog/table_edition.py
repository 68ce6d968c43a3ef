"""Replacing the track table of a segment: the one part of it that corrections and further ids change."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from earmark.catalog.manifest import SEGMENTS, TRACKS, SegmentEntry, tracks_file
from earmark.catalog.segment import open_track_table
from earmark.catalog.storage import describe_file, sync
from earmark.catalog.track import TrackTags
from earmark.catalog.track_table import TrackRow, write_track_table

__all__ = ["FurtherId", "further_rows", "read_rows", "write_edition"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class FurtherId:
    """A track whose audio a catalog holds already.

    Attributes
    ----------
    tags : TrackTags
    n_samples : int
    content : bytes
        See `Sketch`.
    source_sha256 : bytes or None
        As in `TrackRow`.
    """

    tags: TrackTags
    n_samples: int
    content: bytes
    source_sha256: bytes | None = None


def read_rows(catalog: Path, entry: SegmentEntry) -> list[TrackRow]:
    """Return every row of a segment's track table, removed ones included.

    Raises
    ------
    CatalogDamagedError
        If it is not as it was written.
    """
    with contextlib.closing(open_track_table(catalog, entry)) as table:
        return list(table.rows())


def further_rows(entry: SegmentEntry, further: Sequence[FurtherId]) -> list[TrackRow]:
    """Return the rows that give recordings of a segment further ids, to be put after those that it has."""
    return [
        TrackRow(
            tags=one.tags,
            n_samples=one.n_samples,
            content=one.content,
            first_word=entry.n_words,
            n_words=0,
            first_patch=entry.n_patches,
            n_patches=0,
            source_sha256=one.source_sha256,
        )
        for one in further
    ]


def write_edition(catalog: Path, entry: SegmentEntry, rows: Sequence[TrackRow]) -> SegmentEntry:
    """Write the next edition of a segment's track table to the disk; it counts when a manifest names it.

    Parameters
    ----------
    catalog : Path
        The catalog's directory; the caller holds its lock and has cleared leftovers.
    entry : SegmentEntry
    rows : sequence of TrackRow
        All of them: those there were, in their order, perhaps with other tags, and new ones after them.

    Returns
    -------
    SegmentEntry
        What to enter in the manifest in place of `entry`.
    """
    directory = catalog / SEGMENTS / entry.name
    new = dataclasses.replace(entry, edition=entry.edition + 1, n_tracks=len(rows))
    path = directory / tracks_file(new)
    path.unlink(missing_ok=True)
    write_track_table(directory, rows, path.name)
    sync(path)
    sync(directory)
    return dataclasses.replace(new, files={**entry.files, TRACKS: describe_file(path)})
