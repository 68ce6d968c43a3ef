"""Taking tracks out of a catalog."""

import contextlib
import dataclasses
from collections.abc import Iterable
from pathlib import Path

from earmark.catalog.change import changing
from earmark.catalog.segment import open_track_table
from earmark.catalog.storage import replace_manifest
from earmark.errors import CatalogError

__all__ = ["remove_tracks"]

_IDS_SHOWN = 10


def remove_tracks(path: Path, track_ids: Iterable[str]) -> int:
    """Take tracks out of a catalog: who opens it from now on does not find them. Their room is not freed.

    Parameters
    ----------
    path : Path
        The catalog.
    track_ids : iterable of str

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
    n_removed = len(missing)
    with changing(path) as manifest:
        segments = []
        for entry in manifest.segments:
            with contextlib.closing(open_track_table(path, entry)) as table:
                gone = frozenset(entry.removed)
                found = {track_id: number for track_id, number in table.numbers(missing) if number not in gone}
            removed = tuple(sorted({*entry.removed, *found.values()}))
            segments.append(dataclasses.replace(entry, removed=removed))
            missing = {track_id: None for track_id in missing if track_id not in found}
        if missing:
            shown = ", ".join(repr(track_id) for track_id in list(missing)[:_IDS_SHOWN])
            more = f" and {len(missing) - _IDS_SHOWN} more" if len(missing) > _IDS_SHOWN else ""
            raise CatalogError(f"{path}: not in the catalog: {shown}{more}; nothing was removed")
        if n_removed:
            replace_manifest(path, dataclasses.replace(manifest, segments=tuple(segments)))
    return n_removed
