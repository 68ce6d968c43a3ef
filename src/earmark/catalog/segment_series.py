"""A series of segments, each closed when it is full and the next one begun."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Self

from earmark.catalog.manifest import SegmentEntry
from earmark.catalog.segment import SegmentWriter
from earmark.catalog.track import CodedSketch, Sketch, TrackTags
from earmark.catalog.vectors import Layout
from earmark.fingerprint import Model

__all__ = ["SegmentSeries"]


class SegmentSeries:
    """Writes tracks to segments; a context manager that leaves no segment which is not whole.

    Parameters
    ----------
    catalog : Path
        The catalog's directory; the caller holds its lock.
    first : str
        Name of the first segment; those after it count up.
    model : Model
    layout : Layout
    on_closed : callable or None
        Called with each segment that is on the disk.
    """

    def __init__(
        self,
        catalog: Path,
        first: str,
        model: Model,
        layout: Layout,
        on_closed: Callable[[SegmentEntry], None] | None = None,
    ) -> None:
        self._catalog, self._model, self._layout = catalog, model, layout
        self._next, self._on_closed = int(first), on_closed
        self._writer: SegmentWriter | None = None
        self._stack = contextlib.ExitStack()
        self._entries: list[SegmentEntry] = []
        self._contents: set[bytes] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def holds(self, content: bytes) -> bool:
        """Return whether the segment that is open has a recording of this content, so that `add` takes further ids."""
        return content in self._contents

    def add(self, tags: TrackTags, sketch: Sketch | CodedSketch, source_sha256: bytes | None) -> None:
        """Add a track; one whose sketch is a `reference` only if the open segment `holds` its content."""
        if self._writer is not None and self._writer.n_patches + sketch.n_patches > self._layout.max_patches:
            self._close()
        if self._writer is None:
            writer = SegmentWriter(self._catalog, f"{self._next:04d}", self._model, self._layout)
            self._writer = self._stack.enter_context(writer)
            self._next += 1
        self._writer.add(tags, sketch, source_sha256)
        self._contents.add(sketch.content)

    def finish(self) -> tuple[SegmentEntry, ...]:
        """Close the last segment and return all."""
        if self._writer is not None:
            self._close()
        return tuple(self._entries)

    def _close(self) -> None:
        assert self._writer is not None
        entry = self._writer.finish()
        self._writer = None
        self._stack.close()
        self._contents.clear()
        self._entries.append(entry)
        if self._on_closed is not None:
            self._on_closed(entry)
