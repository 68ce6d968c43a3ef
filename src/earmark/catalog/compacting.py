"""Writing segments anew: without what was removed, the small ones joined, and audio that several hold stored once."""

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

from earmark.catalog.catalog import check_model
from earmark.catalog.change import changing
from earmark.catalog.harvest import Shelf, recordings, repeated_contents
from earmark.catalog.lists import newest_lists
from earmark.catalog.manifest import LISTS, Manifest, SegmentEntry
from earmark.catalog.report import Progress
from earmark.catalog.segment import open_track_table
from earmark.catalog.segment_series import SegmentSeries
from earmark.catalog.storage import free_name, replace_manifest
from earmark.catalog.vectors import Layout
from earmark.fingerprint import Model

__all__ = ["Compaction", "compact_catalog"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Compaction:
    """What a compaction did.

    Attributes
    ----------
    n_segments_before, n_segments_after : int
    n_rewritten : int
        Segments that were written anew; the others are as they were.
    n_bytes_before, n_bytes_after : int
        Of all segments.
    """

    n_segments_before: int
    n_segments_after: int
    n_rewritten: int
    n_bytes_before: int
    n_bytes_after: int


def compact_catalog(
    path: Path,
    *,
    model: Model,
    everything: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    layout: Layout | None = None,
) -> Compaction:
    """Free the room of removed tracks and join small segments, without audio.

    Segments from which tracks were removed, those that share audio with others, those whose vectors are in lists that
    were trained again since, and those that are less than half full if there are several, are written anew; then the
    manifest is replaced, then the old ones are deleted. Until then the disk holds both. Readers that have the old ones
    open go on with them.

    Parameters
    ----------
    path : Path
        The catalog.
    model : Model
        That it was made with.
    everything : bool
        Whether all segments are written anew.
    on_progress : callable or None
        Called after each recording that is written anew.
    layout : Layout or None
        How vectors are arranged; None for the default.

    Returns
    -------
    Compaction

    Raises
    ------
    CatalogError
        If there is no catalog at `path`, or it cannot be written; it is as it was then.
    CatalogVersionError, ModelMismatchError, CatalogDamagedError
        As for `open_catalog`.
    CatalogLockedError
        If another process is changing the catalog.
    """
    layout = layout or Layout()
    with changing(path) as manifest:
        check_model(path, manifest.model_digest, model)
        after, chosen = manifest, _chosen(path, manifest, model, layout, everything=everything)
        if chosen:
            new = _rewritten(path, manifest, chosen, model, layout, on_progress)
            names = {entry.name for entry in chosen}
            kept = tuple(entry for entry in manifest.segments if entry.name not in names)
            after = dataclasses.replace(manifest, segments=(*kept, *new))
            replace_manifest(path, after)
    return Compaction(
        n_segments_before=len(manifest.segments),
        n_segments_after=len(after.segments),
        n_rewritten=len(chosen),
        n_bytes_before=_n_bytes(manifest),
        n_bytes_after=_n_bytes(after),
    )


def _chosen(path: Path, manifest: Manifest, model: Model, layout: Layout, *, everything: bool) -> list[SegmentEntry]:
    """Return the segments that are worth writing anew."""
    if everything:
        return list(manifest.segments)
    repeated = repeated_contents([Shelf(catalog=path, entry=entry) for entry in manifest.segments])
    chosen = [
        entry
        for entry in manifest.segments
        if entry.removed or _is_in_old_lists(entry, model) or _has(path, entry, repeated)
    ]
    small = [entry for entry in manifest.segments if 2 * entry.n_patches < layout.max_patches and entry not in chosen]
    joined = small if len(small) + len(chosen) > 1 else []
    return [entry for entry in manifest.segments if entry in chosen or entry in joined]


def _is_in_old_lists(entry: SegmentEntry, model: Model) -> bool:
    return LISTS in entry.files and entry.n_lists > 1 and entry.lists != newest_lists(model)


def _has(path: Path, entry: SegmentEntry, contents: set[bytes]) -> bool:
    """Return whether a segment has some of these fingerprints, or one of its own twice."""
    with contextlib.closing(open_track_table(path, entry)) as table:
        return bool(table.same_content(contents)) or table.n_stored_twice() > 0


def _rewritten(
    path: Path,
    manifest: Manifest,
    chosen: list[SegmentEntry],
    model: Model,
    layout: Layout,
    on_progress: Callable[[Progress], None] | None,
) -> tuple[SegmentEntry, ...]:
    n_total = sum(entry.n_tracks - len(entry.removed) for entry in chosen)
    n_done, n_samples = 0, 0
    with SegmentSeries(path, free_name(path, manifest), model, layout) as series:
        for recording in recordings([Shelf(catalog=path, entry=entry) for entry in chosen], model):
            for row in recording.rows():
                series.add(*row)
            n_done += len(recording.names)
            n_samples += recording.sketch.n_samples
            if on_progress is not None:
                on_progress(Progress(n_done=n_done, n_total=n_total, duration_s=n_samples / model.config.sr))
        return series.finish()


def _n_bytes(manifest: Manifest) -> int:
    return sum(file.n_bytes for entry in manifest.segments for file in entry.files.values())
