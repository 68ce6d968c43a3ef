"""A catalog on disk: tracks, their vectors and their peak bitmaps, in segments that never change under one manifest.

Nothing else in Earmark imports faiss or sqlite3.
"""

from earmark.catalog.building import add_tracks, build_catalog
from earmark.catalog.catalog import Catalog, open_catalog
from earmark.catalog.checking import CatalogCheck, check_catalog
from earmark.catalog.compacting import Compaction, compact_catalog
from earmark.catalog.correcting import Correction, update_tracks
from earmark.catalog.editing import remove_tracks
from earmark.catalog.info import CatalogInfo, SegmentInfo, catalog_info
from earmark.catalog.merging import Merger, merge_catalogs
from earmark.catalog.narrowing import hide_known
from earmark.catalog.report import BuildReport, NothingIndexedError, Progress
from earmark.catalog.revision import Revision
from earmark.catalog.salvaging import Salvage, count_sound_tracks, salvage_catalog
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
from earmark.catalog.track import NAMED_COLUMNS, CodedSketch, Track, TrackTags
from earmark.catalog.track_list import ListedTrack, list_tracks
from earmark.catalog.vectors import Layout

__all__ = [
    "NAMED_COLUMNS",
    "STATE_FILE",
    "BuildReport",
    "Catalog",
    "CatalogCheck",
    "CatalogInfo",
    "CatalogState",
    "Change",
    "CodedSketch",
    "Compaction",
    "Correction",
    "Entries",
    "Layout",
    "ListedTrack",
    "Merger",
    "NothingIndexedError",
    "Progress",
    "Revision",
    "Salvage",
    "SegmentInfo",
    "StoredTrack",
    "Track",
    "TrackReader",
    "TrackTags",
    "add_tracks",
    "build_catalog",
    "catalog_info",
    "check_catalog",
    "compact_catalog",
    "count_sound_tracks",
    "entries_from",
    "entry_of",
    "hide_known",
    "list_tracks",
    "live_rows",
    "merge_catalogs",
    "open_catalog",
    "read_state",
    "remove_tracks",
    "salvage_catalog",
    "state_from",
    "state_of",
    "update_tracks",
    "write_state",
]
