"""A catalog on disk: tracks, their vectors and their peak bitmaps, in segments that never change under one manifest.

Nothing else in Earmark imports faiss or sqlite3.
"""

from earmark.catalog.building import add_tracks, build_catalog
from earmark.catalog.catalog import Catalog, open_catalog
from earmark.catalog.editing import remove_tracks
from earmark.catalog.info import CatalogInfo, SegmentInfo, catalog_info
from earmark.catalog.narrowing import hide_known
from earmark.catalog.report import BuildReport, NothingIndexedError, Progress
from earmark.catalog.revision import Revision
from earmark.catalog.state import (
    STATE_FILE,
    CatalogState,
    Change,
    Entries,
    entries_from,
    entry_of,
    read_state,
    state_from,
    state_of,
    write_state,
)
from earmark.catalog.stored import StoredTrack, TrackReader, live_rows
from earmark.catalog.track import NAMED_COLUMNS, Track, TrackTags
from earmark.catalog.vectors import Layout

__all__ = [
    "NAMED_COLUMNS",
    "STATE_FILE",
    "BuildReport",
    "Catalog",
    "CatalogInfo",
    "CatalogState",
    "Change",
    "Entries",
    "Layout",
    "NothingIndexedError",
    "Progress",
    "Revision",
    "SegmentInfo",
    "StoredTrack",
    "Track",
    "TrackReader",
    "TrackTags",
    "add_tracks",
    "build_catalog",
    "catalog_info",
    "entries_from",
    "entry_of",
    "hide_known",
    "live_rows",
    "open_catalog",
    "read_state",
    "remove_tracks",
    "state_from",
    "state_of",
    "write_state",
]
