"""The recordings of catalogs, read out again with all their ids, to be written anew."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.manifest import SegmentEntry
from earmark.catalog.segment import Segment, open_track_table
from earmark.catalog.track import CodedSketch, Sketch, TrackTags, reference
from earmark.errors import CatalogDamagedError
from earmark.fingerprint import Model

__all__ = ["Recording", "Shelf", "TrackName", "recordings", "repeated_contents"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TrackName:
    """A track that is not removed, without its audio.

    Attributes
    ----------
    tags : TrackTags
    source_sha256 : bytes or None
        As in `TrackRow`.
    """

    tags: TrackTags
    source_sha256: bytes | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A recording under all its ids.

    Attributes
    ----------
    names : tuple of TrackName
        At least one.
    sketch : CodedSketch
    """

    names: tuple[TrackName, ...]
    sketch: CodedSketch

    def rows(self) -> Iterator[tuple[TrackTags, Sketch | CodedSketch, bytes | None]]:
        """Yield what a segment is to be given, in this order."""
        first, *further = self.names
        yield first.tags, self.sketch, first.source_sha256
        for name in further:
            again = reference(n_samples=self.sketch.n_samples, content=self.sketch.content)
            yield name.tags, again, name.source_sha256


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """A segment to be read.

    Attributes
    ----------
    catalog : Path
    entry : SegmentEntry
    """

    catalog: Path
    entry: SegmentEntry


def recordings(
    shelves: Sequence[Shelf], model: Model, on_damage: Callable[[tuple[TrackName, ...], str], None] | None = None
) -> Iterator[Recording]:
    """Yield every recording that some track has which is not removed, once, with all its ids.

    One segment is in memory at a time: its track table, and 17 bytes a patch.

    Parameters
    ----------
    shelves : sequence of Shelf
    model : Model
        That they were made with.
    on_damage : callable or None
        Called with the tracks of a recording that is damaged, and how, instead of raising; if another segment has it
        too, it may come later.

    Yields
    ------
    Recording
        In the order of the shelves and of their rows.

    Raises
    ------
    CatalogDamagedError
        If what is read is not as it was written.
    """
    elsewhere = _names_of(shelves, repeated_contents(shelves))
    for shelf in shelves:
        with contextlib.closing(Segment(shelf.catalog, shelf.entry, model)) as segment:
            names: dict[bytes, list[TrackName]] = {}
            owners: dict[bytes, int] = {}
            for number, row in enumerate(segment.rows()):
                if segment.is_live[number]:
                    name = TrackName(tags=row.tags, source_sha256=row.source_sha256)
                    names.setdefault(row.content, []).append(name)
                    owners.setdefault(row.content, segment.owner(number))
            codes, spoken = segment.codes()
            for content, here in names.items():
                everywhere = tuple(elsewhere.get(content, here))
                if not everywhere:
                    continue
                try:
                    sketch = _sketch(segment, owners[content], content, codes, spoken)
                except CatalogDamagedError as error:
                    if on_damage is None:
                        raise
                    on_damage(everywhere, str(error))
                    continue
                yield Recording(names=everywhere, sketch=sketch)
                if content in elsewhere:
                    elsewhere[content] = []


def repeated_contents(shelves: Sequence[Shelf]) -> set[bytes]:
    """Return the fingerprints that several segments have among their tracks that are not removed."""
    digests = []
    for shelf in shelves:
        with contextlib.closing(open_track_table(shelf.catalog, shelf.entry)) as table:
            removed = set(shelf.entry.removed)
            here = {content for number, content in enumerate(table.contents()) if number not in removed}
        digests.append(np.frombuffer(b"".join(here), "V32"))
    everything = np.concatenate([np.empty(0, "V32"), *digests]).view("S32").view(np.uint64).reshape(-1, 4)
    distinct, counts = np.unique(everything, axis=0, return_counts=True)
    return {row.tobytes() for row in distinct[counts > 1]}


def _names_of(shelves: Sequence[Shelf], contents: set[bytes]) -> dict[bytes, list[TrackName]]:
    """Return the tracks of some fingerprints, over all segments."""
    names: dict[bytes, list[TrackName]] = {content: [] for content in contents}
    for shelf in shelves:
        removed = set(shelf.entry.removed)
        with contextlib.closing(open_track_table(shelf.catalog, shelf.entry)) as table:
            for content, number in table.same_content(contents):
                if number not in removed:
                    row = table.row(number)
                    names[content].append(TrackName(tags=row.tags, source_sha256=row.source_sha256))
    return names


def _sketch(
    segment: Segment,
    row: int,
    content: bytes,
    codes: NDArray[np.uint8],
    spoken: NDArray[np.bool_],
) -> CodedSketch:
    span = segment.patch_span(row)
    return CodedSketch(
        n_samples=int(segment.n_samples[row]),
        words=segment.words(row),
        content=content,
        codes=codes[span],
        spoken=spoken[span],
    )
