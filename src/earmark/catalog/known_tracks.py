"""What a catalog has already: looked up by track id, by fingerprint and by file."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from earmark.catalog.manifest import SegmentEntry
from earmark.catalog.segment import open_track_table
from earmark.catalog.track import Sketch, reference
from earmark.catalog.track_table import TrackTable

__all__ = ["KnownTracks"]


class KnownTracks:
    """The track tables of segments, open; a context manager.

    Parameters
    ----------
    catalog : Path
        The catalog's directory.
    entries : iterable of SegmentEntry

    Raises
    ------
    CatalogDamagedError
        If a table is not as it was written.
    """

    def __init__(self, catalog: Path, entries: Iterable[SegmentEntry]) -> None:
        self._catalog = catalog
        self._stack = contextlib.ExitStack()
        self._tables: list[tuple[SegmentEntry, frozenset[int], TrackTable]] = []
        for entry in entries:
            self.open(entry)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def open(self, entry: SegmentEntry) -> None:
        """Take in one more segment."""
        table = self._stack.enter_context(contextlib.closing(open_track_table(self._catalog, entry)))
        self._tables.append((entry, frozenset(entry.removed), table))

    def sources(self, track_ids: Iterable[str]) -> dict[str, bytes | None]:
        """Return, of the ids that are there and not removed, the digest of the file each was made from."""
        wanted = set(track_ids)
        return {
            track_id: table.row(number).source_sha256
            for _, removed, table in self._tables
            for track_id, number in table.numbers(wanted)
            if number not in removed
        }

    def segment_of(self, content: bytes) -> str | None:
        """Return the name of the segment that holds audio of this fingerprint, removed or not; None if none does."""
        for entry, _, table in self._tables:
            if table.same_content([content]):
                return entry.name
        return None

    def audio_of(self, source_sha256: bytes) -> Sketch | None:
        """Return a `reference` to the audio that was made from a file with this digest, None if there is none."""
        for _, _, table in self._tables:
            for _, number in table.same_source([source_sha256]):
                row = table.row(number)
                return reference(n_samples=row.n_samples, content=row.content)
        return None

    def ids(self, contents: Iterable[bytes]) -> dict[bytes, list[str]]:
        """Return the ids of tracks that are not removed, by their fingerprints."""
        wanted = set(contents)
        found: dict[bytes, list[str]] = {}
        for _, removed, table in self._tables:
            for content, number in table.same_content(wanted):
                if number not in removed:
                    found.setdefault(content, []).append(table.track(number).track_id)
        return found
