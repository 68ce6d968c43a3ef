"""What a catalog holds, without loading its vectors or bitmaps."""

import collections
import contextlib
import dataclasses
from pathlib import Path

import numpy as np

from earmark.audio import SAMPLE_RATE
from earmark.catalog.catalog import check_path
from earmark.catalog.manifest import MANIFEST, SegmentEntry, read_manifest
from earmark.catalog.segment import open_track_table

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
    duration_s : float
        Seconds of the tracks that can be found.
    n_bytes : int
        On disk, all files.
    n_bytes_per_hour : float
        Of audio on disk, removed tracks included; 0 if there is none.
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
    manifest, digest = read_manifest(path)
    labels: collections.Counter[str | None] = collections.Counter()
    live_samples = all_samples = 0
    for entry in manifest.segments:
        is_live = np.ones(entry.n_tracks, np.bool_)
        is_live[list(entry.removed)] = False
        with contextlib.closing(open_track_table(path, entry)) as table:
            n_samples = table.spans().n_samples
            labels.update(label for label, live in zip(table.labels(), is_live, strict=True) if live)
        live_samples += int(n_samples[is_live].sum())
        all_samples += int(n_samples.sum())
    segments = tuple(_segment(entry) for entry in manifest.segments)
    n_bytes = (path / MANIFEST).stat().st_size + sum(segment.n_bytes for segment in segments)
    return CatalogInfo(
        path=path,
        format_version=manifest.version,
        digest=digest,
        model_digest=manifest.model_digest,
        written_by=manifest.written_by,
        n_tracks=sum(segment.n_tracks for segment in segments),
        n_removed=sum(segment.n_removed for segment in segments),
        duration_s=live_samples / SAMPLE_RATE,
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
