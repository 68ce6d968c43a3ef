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
from earmark.catalog.report import BuildReport, NothingIndexedError, Progress
from earmark.catalog.salvaging import Salvage, count_sound_tracks, salvage_catalog
from earmark.catalog.track import Track
from earmark.catalog.track_list import ListedTrack, list_tracks
from earmark.catalog.vectors import Layout

__all__ = [
    "BuildReport",
    "Catalog",
    "CatalogCheck",
    "CatalogInfo",
    "Compaction",
    "Correction",
    "Layout",
    "ListedTrack",
    "Merger",
    "NothingIndexedError",
    "Progress",
    "Salvage",
    "SegmentInfo",
    "Track",
    "add_tracks",
    "build_catalog",
    "catalog_info",
    "check_catalog",
    "compact_catalog",
    "count_sound_tracks",
    "list_tracks",
    "merge_catalogs",
    "open_catalog",
    "remove_tracks",
    "salvage_catalog",
    "update_tracks",
]
