"""The track table of a whole catalog, for people and other programs."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from earmark.audio import SAMPLE_RATE
from earmark.catalog.catalog import check_path
from earmark.catalog.manifest import Manifest, SegmentEntry
from earmark.catalog.segment import open_track_table
from earmark.catalog.snapshot import read_snapshot
from earmark.catalog.track_table import TrackRow, TrackTable

__all__ = ["COMPUTED_COLUMNS", "ListedTrack", "list_tracks"]

COMPUTED_COLUMNS: Final = ("duration_s", "recording", "source_sha256", "segment")
"""Columns of an exported table that the catalog itself makes; a correction passes over them."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ListedTrack:
    """A track that is not removed.

    Attributes
    ----------
    track_id : str
    isrc, title, artist, label, rightsholder, path : str or None
        See `Track`.
    duration_s : float
    recording : str
        Digest of its fingerprint, in hexadecimal: equal for ids of the same audio.
    source_sha256 : str or None
        Of the file that it was made from, in hexadecimal.
    segment : str
    extra : mapping of str to str
        Further columns of the metadata file.
    """

    track_id: str
    isrc: str | None
    title: str | None
    artist: str | None
    label: str | None
    rightsholder: str | None
    path: str | None
    duration_s: float
    recording: str
    source_sha256: str | None
    segment: str
    extra: Mapping[str, str]


def list_tracks(path: Path, *, label: str | None = None) -> Iterator[ListedTrack]:
    """Yield every track that is not removed, in the order of the catalog; all of them of the state it is in now.

    Parameters
    ----------
    path : Path
        The catalog.
    label : str or None
        Only tracks of this label, upper and lower case alike; None for all, "" for those without one.

    Yields
    ------
    ListedTrack

    Raises
    ------
    CatalogError
        If there is no catalog at `path`.
    CatalogVersionError, CatalogDamagedError
        As for `open_catalog`; only the manifest and the track tables are looked at.
    """
    check_path(path)
    tables = read_snapshot(path, lambda manifest, _: _tables(path, manifest))
    wanted = None if label is None else label.casefold()
    with contextlib.ExitStack() as stack:
        for _, table in tables:
            stack.callback(table.close)
        for entry, table in tables:
            removed = frozenset(entry.removed)
            for number, row in enumerate(table.rows()):
                if number not in removed and (wanted is None or (row.tags.label or "").casefold() == wanted):
                    yield _listed(entry, row)


def _tables(path: Path, manifest: Manifest) -> list[tuple[SegmentEntry, TrackTable]]:
    return [(entry, open_track_table(path, entry)) for entry in manifest.segments]


def _listed(entry: SegmentEntry, row: TrackRow) -> ListedTrack:
    tags = row.tags
    return ListedTrack(
        track_id=tags.track_id,
        isrc=tags.isrc,
        title=tags.title,
        artist=tags.artist,
        label=tags.label,
        rightsholder=tags.rightsholder,
        path=tags.path,
        duration_s=row.n_samples / SAMPLE_RATE,
        recording=row.content.hex(),
        source_sha256=row.source_sha256.hex() if row.source_sha256 is not None else None,
        segment=entry.name,
        extra=tags.extra,
    )
