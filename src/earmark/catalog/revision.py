"""Revisions: tracks of other catalogs taken in, and tracks taken out, all at once or not at all."""

import contextlib
import dataclasses
from pathlib import Path
from types import TracebackType
from typing import Self

from earmark.catalog.catalog import Catalog, check_model, check_path, open_catalog
from earmark.catalog.change import changing
from earmark.catalog.manifest import MANIFEST, SegmentEntry, read_manifest
from earmark.catalog.new_catalog import beginning
from earmark.catalog.segment_series import SegmentSeries
from earmark.catalog.storage import free_name, replace_manifest
from earmark.catalog.track import CodedSketch, Sketch, TrackTags, reference
from earmark.catalog.vectors import Layout
from earmark.fingerprint import Model

__all__ = ["Revision"]


class Revision:
    """A change of a catalog, or the making of one; a context manager that holds the right to write meanwhile.

    Nobody sees anything of it before `commit`, and without one nothing is left.

    Parameters
    ----------
    path : Path
        The catalog; if there is none, it is made.
    model : Model
    layout : Layout or None
        How vectors are arranged; None for the default.

    Attributes
    ----------
    catalog : Catalog or None
        As it is before; None if there is none.

    Raises
    ------
    CatalogError
        If there is something else at `path`, or it cannot be written.
    CatalogLockedError
        If another process is changing the catalog.
    CatalogVersionError, ModelMismatchError, CatalogDamagedError
        As for `open_catalog`.
    """

    def __init__(self, path: Path, model: Model, layout: Layout | None = None) -> None:
        check_path(path)
        self.catalog: Catalog | None = None
        self._path, self._model, self._layout = path, model, layout or Layout()
        self._removed: list[int] = []

    def __enter__(self) -> Self:
        path, model = self._path, self._model
        with contextlib.ExitStack() as stack:
            if (path / MANIFEST).exists():
                check_model(path, read_manifest(path)[0].model_digest, model)
                self._manifest = stack.enter_context(changing(path))
                self.catalog = stack.enter_context(contextlib.closing(open_catalog(path, model)))
            else:
                self._manifest = stack.enter_context(beginning(path, model))
            first = free_name(path, self._manifest)
            self._series = stack.enter_context(SegmentSeries(path, first, model, self._layout))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def add(self, tags: TrackTags, sketch: Sketch | CodedSketch) -> None:
        """Add a track; that its id is not in the catalog, or goes, is up to the caller."""
        if self._series.holds(sketch.content):  # a further id of a recording takes no room
            sketch = reference(n_samples=sketch.n_samples, content=sketch.content)
        self._series.add(tags, sketch, None)

    def remove(self, number: int) -> None:
        """Take a track out, by its number in `catalog`."""
        self._removed.append(number)

    def commit(self) -> None:
        """Put all of it on the disk, then make it the catalog; without any change nothing happens."""
        added = self._series.finish()
        if added or self._removed:
            segments = (*self._tombstoned(), *added)
            replace_manifest(self._path, dataclasses.replace(self._manifest, segments=segments))

    def _tombstoned(self) -> list[SegmentEntry]:
        entries, first = [], 0
        gone = sorted(set(self._removed))
        for entry in self._manifest.segments:
            here = {number - first for number in gone if first <= number < first + entry.n_tracks}
            entries.append(dataclasses.replace(entry, removed=tuple(sorted({*entry.removed, *here}))))
            first += entry.n_tracks
        return entries
