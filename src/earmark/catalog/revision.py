"""Revisions: tracks of other catalogs taken in, and tracks taken out, all at once or not at all."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from earmark.catalog.catalog import Catalog, check_model, check_path, open_catalog
from earmark.catalog.manifest import MANIFEST, UNFINISHED, Manifest, SegmentEntry, read_manifest
from earmark.catalog.new_catalog import empty_manifest
from earmark.catalog.segment_series import SegmentSeries
from earmark.catalog.storage import check_unused, clear_leftovers, discard, free_name, replace_manifest, writer_lock
from earmark.catalog.track import CodedSketch, Sketch, TrackTags, reference
from earmark.catalog.vectors import Layout
from earmark.errors import CatalogError
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
        self._made = False

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack, _writing(self._path):
            is_new = not (self._path / MANIFEST).exists()
            if is_new:
                self._made = not self._path.exists()
                self._path.mkdir(exist_ok=True)
                self._check_new()  # before a lock file is put there
            else:
                check_model(self._path, read_manifest(self._path)[0].model_digest, self._model)
            stack.enter_context(writer_lock(self._path))
            stack.callback(self._tidy)
            self._manifest = self._begun(is_new=is_new)
            if not is_new:
                self.catalog = open_catalog(self._path, self._model)
            first = free_name(self._path, self._manifest)
            self._series = stack.enter_context(SegmentSeries(self._path, first, self._model, self._layout))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _writing(self._path):
            self._stack.close()

    def add(self, tags: TrackTags, sketch: Sketch | CodedSketch) -> None:
        """Add a track; that its id is not in the catalog, or goes, is up to the caller."""
        with _writing(self._path):
            if self._series.holds(sketch.content):  # a further id of a recording takes no room
                sketch = reference(n_samples=sketch.n_samples, content=sketch.content)
            self._series.add(tags, sketch, None)

    def remove(self, number: int) -> None:
        """Take a track out, by its number in `catalog`."""
        self._removed.append(number)

    def commit(self) -> None:
        """Put all of it on the disk, then make it the catalog; without any change nothing happens."""
        with _writing(self._path):
            added = self._series.finish()
            if not (added or self._removed):
                return
            segments = (*self._tombstoned(), *added)
            replace_manifest(self._path, dataclasses.replace(self._manifest, segments=segments))

    def _begun(self, *, is_new: bool) -> Manifest:
        """Return what there is, under the lock, with nothing that others left lying about."""
        if not is_new:
            manifest, _ = read_manifest(self._path)
            clear_leftovers(self._path, manifest)
            return manifest
        if (self._path / MANIFEST).exists():
            raise CatalogError(f"{self._path}: another process has made a catalog there meanwhile; try again")
        self._check_new()
        clear_leftovers(self._path, None)
        return empty_manifest(self._model)

    def _check_new(self) -> None:
        check_unused(self._path)
        if (self._path / UNFINISHED).exists():
            raise CatalogError(
                f"{self._path}: holds an unfinished build; expected a new directory or a catalog: repeat the build to "
                "finish it, or name another directory"
            )

    def _tombstoned(self) -> list[SegmentEntry]:
        entries, first = [], 0
        gone = sorted(set(self._removed))
        for entry in self._manifest.segments:
            here = {number - first for number in gone if first <= number < first + entry.n_tracks}
            entries.append(dataclasses.replace(entry, removed=tuple(sorted({*entry.removed, *here}))))
            first += entry.n_tracks
        return entries

    def _tidy(self) -> None:
        """Leave nothing that was not committed."""
        if self.catalog is not None:
            self.catalog.close()
        if (self._path / MANIFEST).exists():
            clear_leftovers(self._path, read_manifest(self._path)[0])
        elif not (self._path / UNFINISHED).exists():  # that is another's, who may go on with it
            discard(self._path, made=self._made)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CatalogError(f"{path}: cannot be written: {error.strerror or error}") from error
