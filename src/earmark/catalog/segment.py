"""Segments: tracks that were added together, written once and never changed."""

import contextlib
import functools
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.lists import Queries, newest_lists
from earmark.catalog.manifest import (
    BLOCKS,
    LISTS,
    SEGMENTS,
    TABLE,
    TRACKS,
    VECTORS_V1,
    WORDS,
    FileEntry,
    SegmentEntry,
    tracks_file,
)
from earmark.catalog.peak_words import WordsReader, WordsWriter
from earmark.catalog.recordings import find_recordings
from earmark.catalog.storage import describe_file, sync
from earmark.catalog.track import CodedSketch, Sketch, Track, TrackTags
from earmark.catalog.track_table import TrackRow, TrackTable, write_track_table
from earmark.catalog.vector_writer import VectorWriter
from earmark.catalog.vectors import Layout, open_vector_index
from earmark.catalog.vectors_v1 import VectorIndexV1
from earmark.errors import CatalogDamagedError
from earmark.fingerprint import Model

__all__ = ["Segment", "SegmentWriter", "open_track_table"]


class SegmentWriter:
    """Gathers tracks and writes them as a segment; a context manager that leaves nothing unless it is finished.

    Words go to the file as they come; the codes of patches are held in memory.

    Parameters
    ----------
    catalog : Path
        The catalog's directory; the caller holds its lock.
    name : str
        The segment's.
    model : Model
    layout : Layout

    Attributes
    ----------
    n_patches : int
        Patches so far, silent ones included.
    """

    def __init__(self, catalog: Path, name: str, model: Model, layout: Layout) -> None:
        self._name, self._model, self._layout = name, model, layout
        self._target = catalog / SEGMENTS / name
        self._target.parent.mkdir(exist_ok=True)
        self._directory = self._target.with_name(f"{name}.partial")
        self._directory.mkdir()
        self._words = WordsWriter(self._directory)
        self._rows: list[TrackRow] = []
        self._vectors = VectorWriter(self._directory, model)
        self.n_patches = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._words.close()
        shutil.rmtree(self._directory, ignore_errors=True)  # finished, it goes by another name

    def add(self, tags: TrackTags, sketch: Sketch | CodedSketch, source_sha256: bytes | None = None) -> None:
        """Add a track; one whose sketch is a `reference` is a further id of the recording of that content."""
        row = TrackRow(
            tags=tags,
            n_samples=sketch.n_samples,
            content=sketch.content,
            first_word=self._words.n_words,
            n_words=len(sketch.words),
            first_patch=self.n_patches,
            n_patches=sketch.n_patches,
            source_sha256=source_sha256,
        )
        self._words.append(sketch.words)
        self._rows.append(row)
        if isinstance(sketch, CodedSketch):
            self._vectors.append_codes(sketch.codes, sketch.spoken)
        elif sketch.n_patches:
            self._vectors.append(sketch.patches)
        self.n_patches += sketch.n_patches

    def finish(self) -> SegmentEntry:
        """Write the segment to the disk under its name, and return what to enter in the manifest."""
        files = self._words.finish()
        write_track_table(self._directory, self._rows)
        n_vectors, n_lists = self._vectors.finish(self._layout)
        files |= {name: describe_file(self._directory / name) for name in (TRACKS, LISTS, TABLE)}
        for name in files:
            sync(self._directory / name)
        sync(self._directory)
        self._directory.rename(self._target)
        sync(self._target.parent)
        return SegmentEntry(
            name=self._name,
            n_tracks=len(self._rows),
            n_patches=self.n_patches,
            n_vectors=n_vectors,
            n_words=self._words.n_words,
            n_lists=n_lists,
            n_probes=self._layout.n_probes(n_lists),
            lists=newest_lists(self._model) if n_lists > 1 else None,
            files=files,
        )


class Segment:
    """An open segment.

    Parameters
    ----------
    catalog : Path
        The catalog's directory.
    entry : SegmentEntry
    model : Model

    Attributes
    ----------
    is_live, is_heard : np.ndarray [shape=(n_tracks,), dtype=bool]
        See `Recordings`.

    Raises
    ------
    CatalogDamagedError
        If a file is missing or is not as it was written. Words and lists are only measured here, and checked when
        they are first used.
    """

    def __init__(self, catalog: Path, entry: SegmentEntry, model: Model) -> None:
        directory = catalog / SEGMENTS / entry.name
        for name, file in entry.files.items():
            _check_size(directory / _file(name, entry), file)
        for name in entry.files.keys() - {WORDS, BLOCKS, LISTS}:
            _check_digest(directory / _file(name, entry), entry.files[name])
        self._path, self._entry = directory, entry
        self._table = TrackTable(directory, tracks_file(entry))
        self._spans = self._table.spans()
        self._check_spans()
        with _readable(directory):
            sums = (directory / BLOCKS).read_bytes()
            if hashlib.sha256(sums).hexdigest() != entry.files[BLOCKS].sha256:
                raise _not_as_written(directory / BLOCKS)
            self._words = WordsReader(directory, sums)
        own_lists = VECTORS_V1 in entry.files
        opened = VectorIndexV1 if own_lists else functools.partial(open_vector_index, lists=entry.lists)
        with _readable(directory):
            self._vectors = opened(
                directory,
                model,
                n_patches=entry.n_patches,
                n_vectors=entry.n_vectors,
                n_lists=entry.n_lists,
                n_probes=entry.n_probes,
            )
        self._recordings = find_recordings(entry, self._table, self._spans)
        self.is_live, self.is_heard = self._recordings.is_live, self._recordings.is_heard
        self._live_bits = self._bits() if entry.removed else None

    @property
    def name(self) -> str:
        """Of its directory."""
        return self._entry.name

    @property
    def n_tracks(self) -> int:
        """Tracks, removed ones included."""
        return self._entry.n_tracks

    @property
    def n_vectors(self) -> int:
        """Patches that are indexed."""
        return self._entry.n_vectors

    @property
    def n_samples(self) -> NDArray[np.int64]:
        """Samples of each track [shape=(n_tracks,), dtype=int64]."""
        return self._spans.n_samples

    def close(self) -> None:
        """Let go of the track table's file; the maps go with the object."""
        self._table.close()

    def hide(self, rows: NDArray[np.bool_]) -> None:
        """Let no search find these rows [shape=(n_tracks,), dtype=bool], as if they were removed."""
        self._recordings = self._recordings.without(rows)
        self.is_live, self.is_heard = self._recordings.is_live, self._recordings.is_heard
        self._live_bits = None if self.is_live.all() else self._bits()

    def search(self, queries: Queries, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Find the nearest patches of tracks that are not removed.

        Returns
        -------
        tuple of np.ndarray [each shape=(n, min(k, n_vectors))]
            Rows of the track table, of each recording the first that is not removed; patch positions in the track;
            inner products. -1, -1, 0 where there are fewer.
        """
        numbers, products = self._vectors.search(queries, k, self._live_bits)
        rows, positions = self.places(numbers)
        return rows, positions, products

    def places(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the row and the position in the track of each patch; -1, -1 for -1."""
        rows = np.searchsorted(self._spans.first_patch, numbers, side="right") - 1
        positions = np.where(numbers < 0, -1, numbers - self._spans.first_patch[rows])
        return np.where(numbers < 0, -1, self._recordings.face[rows]), positions

    def live_codes(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the codes of all patches, and which of them may be found; see `VectorIndex.codes`."""
        codes, spoken = self._vectors.codes()
        if self._live_bits is not None:
            spoken &= np.unpackbits(self._live_bits, count=len(spoken), bitorder="little").astype(np.bool_)
        return codes, spoken

    def track(self, row: int) -> Track:
        """Return a row of the track table [0 <= row < n_tracks]."""
        return self._table.track(row)

    def content(self, row: int) -> bytes:
        """Return the digest of a track's fingerprint [0 <= row < n_tracks]."""
        return self._table.content(row)

    def same_content(self, content: bytes) -> list[int]:
        """Return the rows of the tracks that are not removed and have this digest."""
        return [row for _, row in self._table.same_content([content]) if self.is_live[row]]

    def words(self, row: int) -> NDArray[np.uint64]:
        """Return a track's peak bitmap, a view of the map."""
        row = int(self._recordings.owner[row])
        start = int(self._spans.first_word[row])
        return self._words.view(start, start + int(self._spans.n_words[row]))

    def rows(self) -> Iterator[TrackRow]:
        """Yield every row of the track table, in order."""
        return self._table.rows()

    def row(self, row: int) -> TrackRow:
        """Return a row of the track table as it was written [0 <= row < n_tracks]."""
        return self._table.row(row)

    def codes(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the codes of all patches; see `VectorIndex.codes`."""
        return self._vectors.codes()

    def patch_span(self, row: int) -> slice:
        """Return which of the segment's patches are a track's."""
        row = int(self._recordings.owner[row])
        start = int(self._spans.first_patch[row])
        return slice(start, start + int(self._spans.n_patches[row]))

    def owner(self, row: int) -> int:
        """Return the row that has the words and patches of a row: itself, or for a further id another."""
        return int(self._recordings.owner[row])

    def _check_spans(self) -> None:
        spans, entry = self._spans, self._entry
        is_further = (spans.n_words == 0) & (spans.n_patches == 0)
        for first, count, total in (
            (spans.first_word, spans.n_words, entry.n_words),
            (spans.first_patch, spans.n_patches, entry.n_patches),
        ):
            ends = np.cumsum(count)
            starts = np.concatenate([[0], ends[:-1]])
            if (
                len(count) != entry.n_tracks
                or ((count <= 0) != is_further).any()
                or (first != starts).any()
                or ends[-1:] != [total]
            ):
                raise CatalogDamagedError(
                    f"{self._path / tracks_file(entry)}: damaged: its tracks do not fit the segment"
                )
        if entry.files[WORDS].n_bytes != 8 * entry.n_words:
            raise CatalogDamagedError(f"{self._path / WORDS}: damaged: expected {entry.n_words} words")

    def _bits(self) -> NDArray[np.uint8]:
        """Return a bit for each patch, least first: whether it may be found."""
        return np.packbits(np.repeat(self.is_heard, self._spans.n_patches), bitorder="little")


def open_track_table(catalog: Path, entry: SegmentEntry) -> TrackTable:
    """Open only the track table of a segment.

    Raises
    ------
    CatalogDamagedError
        If it is not as it was written.
    """
    path = catalog / SEGMENTS / entry.name / tracks_file(entry)
    _check_size(path, entry.files[TRACKS])
    _check_digest(path, entry.files[TRACKS])
    return TrackTable(path.parent, path.name)


def _file(name: str, entry: SegmentEntry) -> str:
    return tracks_file(entry) if name == TRACKS else name


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise CatalogDamagedError(f"{path}: damaged: {getattr(error, 'strerror', None) or error}") from error


def _check_size(path: Path, entry: FileEntry) -> None:
    with _readable(path):
        n_bytes = path.stat().st_size
    if n_bytes != entry.n_bytes:
        raise CatalogDamagedError(
            f"{path}: damaged: {n_bytes} bytes, expected {entry.n_bytes}; build the catalog again or restore it"
        )


def _check_digest(path: Path, entry: FileEntry) -> None:
    with _readable(path):
        sha256 = describe_file(path).sha256
    if sha256 != entry.sha256:
        raise _not_as_written(path)


def _not_as_written(path: Path) -> CatalogDamagedError:
    return CatalogDamagedError(
        f"{path}: damaged: its bytes are not those that were written; build the catalog again or restore it"
    )
