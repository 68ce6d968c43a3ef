"""A catalog on disk: tracks, their vectors and their peak bitmaps, in segments that never change under one manifest.

Nothing else in Earmark imports faiss or sqlite3.
"""

from earmark.catalog.building import add_tracks, build_catalog
from earmark.catalog.catalog import Catalog, open_catalog
from earmark.catalog.editing import remove_tracks
from earmark.catalog.info import CatalogInfo, SegmentInfo, catalog_info
from earmark.catalog.report import BuildReport, NothingIndexedError, Progress
from earmark.catalog.track import Track
from earmark.catalog.vectors import Layout

__all__ = [
    "BuildReport",
    "Catalog",
    "CatalogInfo",
    "Layout",
    "NothingIndexedError",
    "Progress",
    "SegmentInfo",
    "Track",
    "add_tracks",
    "build_catalog",
    "catalog_info",
    "open_catalog",
    "remove_tracks",
]
