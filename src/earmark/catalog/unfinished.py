"""What a build or add has done so far, kept on the disk until it is done: whoever repeats it goes on from there.

`unfinished/manifest.json` names the segments that are closed, in the form of a catalog's manifest. `unfinished/N.spool`
has the tracks of the one after them, `further.spool` those whose audio some closed segment or the catalog holds.
"""

import dataclasses
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from earmark.catalog.manifest import MANIFEST, UNFINISHED, Manifest, SegmentEntry, read_manifest
from earmark.catalog.spool import Spool, SpooledTrack
from earmark.catalog.storage import replace_manifest, sync
from earmark.catalog.vectors import Layout
from earmark.errors import CatalogError

__all__ = ["Unfinished"]

_FURTHER: Final = "further.spool"

logger = logging.getLogger(__name__)


class Unfinished:
    """The unfinished work on a catalog; what is there of another model is dropped.

    Parameters
    ----------
    catalog : Path
        The catalog's directory; the caller holds its lock and has cleared leftovers.
    manifest : Manifest
        The catalog's, for the digests of model and config.
    layout : Layout
        The tracks of a segment that was not closed fit one of its size; of another they are dropped.

    Attributes
    ----------
    segments : list of SegmentEntry
        Closed so far.
    """

    def __init__(self, catalog: Path, manifest: Manifest, layout: Layout) -> None:
        self._directory = catalog / UNFINISHED
        self._manifest = dataclasses.replace(manifest, segments=())
        self.segments: list[SegmentEntry] = list(self._read())
        if not (self._directory / MANIFEST).exists():
            self._directory.mkdir(exist_ok=True)
            self._write()
            sync(catalog)
        for path in self._directory.glob("[0-9]*.spool"):
            if path.name != self._spool_name():
                path.unlink()
        self._purpose = str(layout.max_patches)
        self._spool = self._open_spool()
        self._further = Spool(self._directory / _FURTHER, "further")
        self._n_kept = len(self.segments)

    def tracks(self) -> Iterator[SpooledTrack]:
        """Yield the tracks of the segment that was not closed; to be exhausted before `keep`."""
        for track in self._spool.read():
            self._n_kept += 1
            yield track

    def further(self) -> Iterator[SpooledTrack]:
        """Yield the tracks whose audio is in some closed segment; to be exhausted before `keep_further`."""
        for track in self._further.read():
            self._n_kept += 1
            yield track

    def keep(self, track: SpooledTrack) -> None:
        """Keep a track that goes into the segment that is open."""
        self._spool.append(track)
        self._n_kept += 1

    def keep_further(self, track: SpooledTrack) -> None:
        """Keep a track whose audio is in some closed segment."""
        self._further.append(track)
        self._n_kept += 1

    def close_segment(self, entry: SegmentEntry) -> None:
        """Enter a segment that has all tracks kept so far."""
        self._spool.close()
        self.segments.append(entry)
        self._write()
        self._spool.path.unlink()
        self._spool = self._open_spool()
        for _ in self._spool.read():
            raise CatalogError(f"{self._spool.path}: a spool of a segment that was not begun")

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it that is worth keeping."""
        return not self._n_kept

    def close(self) -> None:
        """Close the files and leave them for the next who goes on. May be called twice."""
        self._spool.close()
        self._further.close()

    def delete(self) -> None:
        """Delete all of it: it is in the catalog's manifest now, or not wanted. May be called twice."""
        self.close()
        if self._directory.exists():
            shutil.rmtree(self._directory)

    def _open_spool(self) -> Spool:
        return Spool(self._directory / self._spool_name(), self._purpose)

    def _spool_name(self) -> str:
        return f"{len(self.segments):04d}.spool"

    def _read(self) -> tuple[SegmentEntry, ...]:
        if not (self._directory / MANIFEST).exists():
            shutil.rmtree(self._directory, ignore_errors=True)
            return ()
        try:
            found, _ = read_manifest(self._directory)
        except CatalogError as error:
            logger.warning("%s; begun anew", error)
        else:
            if (found.model_digest, found.config_digest) == (self._manifest.model_digest, self._manifest.config_digest):
                return found.segments
            logger.warning("%s: an unfinished build with another model is dropped", self._directory)
        shutil.rmtree(self._directory)
        return ()

    def _write(self) -> None:
        replace_manifest(self._directory, dataclasses.replace(self._manifest, segments=tuple(self.segments)))
