"""What a catalog holds, without loading its vectors or bitmaps."""

import collections
import contextlib
import dataclasses
from pathlib import Path

from earmark.audio import SAMPLE_RATE
from earmark.catalog.catalog import check_path
from earmark.catalog.manifest import MANIFEST, Manifest, SegmentEntry
from earmark.catalog.recordings import find_recordings
from earmark.catalog.segment import open_track_table
from earmark.catalog.snapshot import read_snapshot

__all__ = ["CatalogInfo", "SegmentInfo", "catalog_info"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SegmentInfo:
    """A segment.

    Attributes
    ----------
    name : str
    n_tracks, n_removed : int
        Tracks that can be found, and tracks that were removed.
    n_vectors : int
    index : str
        How the vectors are searched.
    n_bytes : int
        On disk.
    """

    name: str
    n_tracks: int
    n_removed: int
    n_vectors: int
    index: str
    n_bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CatalogInfo:
    """A catalog.

    Attributes
    ----------
    path : Path
    format_version : int
    digest : str
        See `Catalog`.
    model_digest : str
    written_by : str
    n_tracks, n_removed : int
        Tracks that can be found, and tracks that were removed.
    n_recordings : int
        Recordings that can be found: tracks of the same audio are one.
    duration_s : float
        Seconds of these recordings.
    n_bytes : int
        On disk, all files that belong to it.
    n_bytes_per_hour : float
        Of audio on disk, removed recordings included; 0 if there is none.
    segments : tuple of SegmentInfo
    labels : tuple of (str or None, int)
        Tracks that can be found, by label, most first.
    """

    path: Path
    format_version: int
    digest: str
    model_digest: str
    written_by: str
    n_tracks: int
    n_removed: int
    n_recordings: int
    duration_s: float
    n_bytes: int
    n_bytes_per_hour: float
    segments: tuple[SegmentInfo, ...]
    labels: tuple[tuple[str | None, int], ...]


def catalog_info(path: Path) -> CatalogInfo:
    """Return what a catalog holds.

    Parameters
    ----------
    path : Path

    Returns
    -------
    CatalogInfo

    Raises
    ------
    CatalogError
        If there is no catalog at `path`.
    CatalogVersionError, CatalogDamagedError
        As for `open_catalog`; only the manifest and the track tables are looked at.
    """
    check_path(path)
    return read_snapshot(path, lambda manifest, digest: _info(path, manifest, digest))


def _info(path: Path, manifest: Manifest, digest: str) -> CatalogInfo:
    labels: collections.Counter[str | None] = collections.Counter()
    heard_samples = all_samples = n_recordings = 0
    for entry in manifest.segments:
        with contextlib.closing(open_track_table(path, entry)) as table:
            spans = table.spans()
            found = find_recordings(entry, table, spans)
            labels.update(label for label, live in zip(table.labels(), found.is_live, strict=True) if live)
        n_recordings += int(found.is_heard.sum())
        heard_samples += int(spans.n_samples[found.is_heard].sum())
        all_samples += int(spans.n_samples[spans.n_patches > 0].sum())
    segments = tuple(_segment(entry) for entry in manifest.segments)
    n_bytes = 2 * (path / MANIFEST).stat().st_size + sum(segment.n_bytes for segment in segments)
    return CatalogInfo(
        path=path,
        format_version=manifest.version,
        digest=digest,
        model_digest=manifest.model_digest,
        written_by=manifest.written_by,
        n_tracks=sum(segment.n_tracks for segment in segments),
        n_removed=sum(segment.n_removed for segment in segments),
        n_recordings=n_recordings,
        duration_s=heard_samples / SAMPLE_RATE,
        n_bytes=n_bytes,
        n_bytes_per_hour=n_bytes / (all_samples / SAMPLE_RATE / 3600) if all_samples else 0.0,
        segments=segments,
        labels=tuple(sorted(labels.items(), key=lambda one: (-one[1], one[0] or ""))),
    )


def _segment(entry: SegmentEntry) -> SegmentInfo:
    lists = f"{entry.n_lists} lists, {entry.n_probes} searched"
    return SegmentInfo(
        name=entry.name,
        n_tracks=entry.n_tracks - len(entry.removed),
        n_removed=len(entry.removed),
        n_vectors=entry.n_vectors,
        index="exact scan" if entry.n_lists == 1 else lists,
        n_bytes=sum(file.n_bytes for file in entry.files.values()),
    )
