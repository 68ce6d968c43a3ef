"""Tracks as a catalog keeps them: read out again without audio, to go into another catalog."""

import bisect
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Self

from earmark.catalog.catalog import Catalog
from earmark.catalog.track import CodedSketch, TrackTags

__all__ = ["StoredTrack", "TrackReader", "live_rows", "tags_digest"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StoredTrack:
    """A track of a catalog with all that the catalog has of it.

    Attributes
    ----------
    tags : TrackTags
    sketch : CodedSketch
    """

    tags: TrackTags
    sketch: CodedSketch

    def named(self, tags: TrackTags) -> Self:
        """Return the same recording under other tags."""
        return dataclasses.replace(self, tags=tags)


def live_rows(catalog: Catalog) -> Iterator[tuple[int, TrackTags, int, bytes]]:
    """Yield number, tags, samples and content of each track that is not removed, in the order of the numbers."""
    for first, segment in catalog.segments():
        for number, row in enumerate(segment.rows()):
            if segment.is_live[number]:
                yield first + number, row.tags, row.n_samples, row.content


class TrackReader:
    """Reads tracks of a catalog, best in the order of their numbers: the codes of one segment are in memory at a time.

    Parameters
    ----------
    catalog : Catalog
    """

    def __init__(self, catalog: Catalog) -> None:
        self._segments = list(catalog.segments())
        self._at = -1

    def read(self, number: int) -> StoredTrack:
        """Return a track by its number in the catalog.

        Raises
        ------
        CatalogDamagedError
            If what is read is not as it was written.
        """
        at = bisect.bisect_right(self._segments, number, key=lambda one: one[0]) - 1
        first, segment = self._segments[at]
        if at != self._at:
            (self._codes, self._spoken), self._at = segment.codes(), at
        row, here = segment.row(number - first), segment.patch_span(number - first)
        return StoredTrack(
            tags=row.tags,
            sketch=CodedSketch(
                n_samples=row.n_samples,
                words=segment.words(number - first),
                content=row.content,
                codes=self._codes[here],
                spoken=self._spoken[here],
            ),
        )


def tags_digest(tags: TrackTags, columns: tuple[str, ...]) -> bytes:
    """Return the SHA-256 of some of a track's columns, those of the metadata file by their own names.

    Examples
    --------
    >>> one = TrackTags(track_id="a", title="A", extra={"upc": "1"})
    >>> two = TrackTags(track_id="a", title="A", extra={"upc": "2"})
    >>> [tags_digest(one, c) == tags_digest(two, c) for c in [("title",), ("title", "upc")]]
    [True, False]
    """
    values = [[name, value] for name in sorted(columns) if (value := tags.value(name)) is not None]
    return hashlib.sha256(json.dumps(values, ensure_ascii=True).encode()).digest()
