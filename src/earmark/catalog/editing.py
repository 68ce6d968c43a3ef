"""Taking tracks out of a catalog."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

from earmark.catalog.change import changing
from earmark.catalog.report import Progress
from earmark.catalog.segment import open_track_table
from earmark.catalog.storage import replace_manifest
from earmark.errors import CatalogError

__all__ = ["remove_tracks"]

_IDS_SHOWN = 10


def remove_tracks(
    path: Path, track_ids: Iterable[str], *, on_progress: Callable[[Progress], None] | None = None
) -> int:
    """Take tracks out of a catalog: who opens it from now on does not find them. Their room is not freed.

    Parameters
    ----------
    path : Path
        The catalog.
    track_ids : iterable of str
    on_progress : callable or None
        Called after each segment that was looked through.

    Returns
    -------
    int
        How many were removed; an id that is given twice counts once.

    Raises
    ------
    CatalogError
        If an id is not in the catalog, or it cannot be written; nothing is changed then.
    CatalogVersionError, CatalogDamagedError
        As for `open_catalog`.
    CatalogLockedError
        If another process is changing the catalog.
    """
    missing = dict.fromkeys(track_ids)
    n_removed, n_done = len(missing), 0
    with changing(path) as manifest:
        n_total, segments = sum(entry.n_tracks for entry in manifest.segments), []
        for entry in manifest.segments:
            with contextlib.closing(open_track_table(path, entry)) as table:
                gone = frozenset(entry.removed)
                found = {track_id: number for track_id, number in table.numbers(missing) if number not in gone}
            removed = tuple(sorted({*entry.removed, *found.values()}))
            segments.append(dataclasses.replace(entry, removed=removed))
            missing = {track_id: None for track_id in missing if track_id not in found}
            n_done += entry.n_tracks
            if on_progress is not None:
                on_progress(Progress(n_done=n_done, n_total=n_total))
        if missing:
            shown = ", ".join(repr(track_id) for track_id in list(missing)[:_IDS_SHOWN])
            more = f" and {len(missing) - _IDS_SHOWN} more" if len(missing) > _IDS_SHOWN else ""
            raise CatalogError(f"{path}: not in the catalog: {shown}{more}; nothing was removed")
        if n_removed:
            replace_manifest(path, dataclasses.replace(manifest, segments=tuple(segments)))
    return n_removed
