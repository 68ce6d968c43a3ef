"""A catalog, open for reading."""

import bisect
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.audio import SAMPLE_RATE
from earmark.catalog.gathered import Gathered, worth_gathering
from earmark.catalog.lists import Queries
from earmark.catalog.manifest import Manifest
from earmark.catalog.segment import Segment
from earmark.catalog.snapshot import read_snapshot
from earmark.catalog.track import Track
from earmark.errors import CatalogError, ModelMismatchError, ParameterError
from earmark.fingerprint import Model

__all__ = ["Catalog", "check_model", "check_path", "open_catalog"]


class Catalog:
    """A snapshot of a catalog, as it was when it was opened; made by `open_catalog`.

    Tracks are numbered over all segments, removed ones included; these never come out of a search. A recording that is
    in the catalog under several ids comes out under the first, and `same_audio` gives the others. The files are
    mapped into memory, so processes that open the same catalog share one copy. Not to be sent to other processes:
    each opens its own.

    Attributes
    ----------
    path : Path
    digest : str
        SHA-256 of its manifest: the name of this state of the catalog.
    model_digest : str
        The model that its fingerprints were made with.
    n_tracks : int
        Tracks that are not removed.
    n_numbers : int
        Tracks, removed ones included: track numbers are below this.
    duration_s : float
        Seconds of audio that a search looks through; a recording under several ids counts once.
    """

    def __init__(self, path: Path, model: Model, manifest: Manifest, digest: str) -> None:
        check_model(path, manifest.model_digest, model)
        self.path, self.model_digest, self.digest = path, manifest.model_digest, digest
        self._model = model
        self._segments: list[Segment] = []
        self._first_number: list[int] = []
        self.n_numbers, self.n_tracks, n_samples = 0, 0, 0
        for entry in manifest.segments:
            segment = Segment(path, entry, model)
            self._segments.append(segment)
            self._first_number.append(self.n_numbers)
            self.n_numbers += segment.n_tracks
            self.n_tracks += int(segment.is_live.sum())
            n_samples += int(segment.n_samples[segment.is_heard].sum())
        self.duration_s = n_samples / SAMPLE_RATE
        self._gathered: Gathered | None = None
        self._together = frozenset(worth_gathering(self._segments))

    def search(
        self, patches: NDArray[np.int8], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """Find the catalog's patches that are most like an item's.

        Parameters
        ----------
        patches : np.ndarray [shape=(n, n_dims), dtype=int8]
            As in `Fingerprint.patches`. For one that is all zeros nothing is found.
        k : int
            How many to find for each, >= 1.

        Returns
        -------
        tracks : np.ndarray [shape=(n, k), dtype=int32]
            Track numbers, best first.
        positions : np.ndarray [shape=(n, k), dtype=int32]
            Patches within the track: number `p` covers frames from `p * track_patch_stride * patch_hop_frames` on.
        products : np.ndarray [shape=(n, k), dtype=float32]
            Inner products with the quantized patches, in units of cosine. Of equals the lower track and position
            comes first, but which of the equals are among the `k` is left to FAISS.

        Where fewer are found, the rest is -1, -1 and 0.

        Raises
        ------
        ParameterError
            If `patches` or `k` is not as above.
        CatalogDamagedError
            If what is read is not as it was written.
        """
        if patches.ndim != 2 or patches.shape[1] != self._model.config.n_dims or patches.dtype != np.int8:
            raise ParameterError(
                f"patches must be int8 of shape (n, {self._model.config.n_dims}), got {patches.dtype} {patches.shape}"
            )
        if k < 1:
            raise ParameterError(f"k must be at least 1, got {k}")
        tracks = np.full((len(patches), k), -1, np.int32)
        positions = np.full((len(patches), k), -1, np.int32)
        products = np.zeros((len(patches), k), np.float32)
        spoken = np.flatnonzero(patches.any(axis=1))
        if len(spoken) and self.n_tracks:
            queries = patches[spoken].astype(np.float32) / np.float32(self._model.config.patch_scale)
            found = self._search_segments(Queries(queries, self._model), k)
            n_found = found[0].shape[1]
            tracks[spoken, :n_found], positions[spoken, :n_found], products[spoken, :n_found] = found
        return tracks, positions, products

    def track(self, number: int) -> Track:
        """Return what is known of a track.

        Parameters
        ----------
        number : int
            0 <= number < n_numbers.

        Raises
        ------
        ParameterError
            If there is no such number.
        """
        segment, row = self._place(number)
        return segment.track(row)

    def words(self, number: int) -> NDArray[np.uint64]:
        """Return a track's peak bitmap (phase 0, at the level of `track_peaks`), a read-only view of a memory map.

        Parameters
        ----------
        number : int
            0 <= number < n_numbers.

        Returns
        -------
        np.ndarray [shape=(n_words,), dtype=uint64]

        Raises
        ------
        ParameterError
            If there is no such number.
        CatalogDamagedError
            If the words are not as they were written; found when they are first read.
        """
        segment, row = self._place(number)
        return segment.words(row)

    def same_audio(self, number: int) -> list[int]:
        """Return the other tracks, of those not removed, with the very same fingerprint.

        Parameters
        ----------
        number : int
            0 <= number < n_numbers.

        Returns
        -------
        list of int
            Ascending.

        Raises
        ------
        ParameterError
            If there is no such number.
        """
        segment, row = self._place(number)
        content = segment.content(row)
        return [
            first + twin
            for first, other in zip(self._first_number, self._segments, strict=True)
            for twin in other.same_content(content)
            if first + twin != number
        ]

    def segments(self) -> Iterator[tuple[int, Segment]]:
        """Yield the segments, each with the number of its first track."""
        yield from zip(self._first_number, self._segments, strict=True)

    def close(self) -> None:
        """Let go of the files. May be called twice."""
        for segment in self._segments:
            segment.close()

    def _place(self, number: int) -> tuple[Segment, int]:
        if not 0 <= number < self.n_numbers:
            raise ParameterError(f"track numbers are 0 to {self.n_numbers - 1}, got {number}")
        at = bisect.bisect_right(self._first_number, number) - 1
        return self._segments[at], int(number) - self._first_number[at]

    def _search_segments(
        self, queries: Queries, k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Return the best `k` of all segments, or as many as there are."""
        parts = []
        for i, (first, segment) in enumerate(zip(self._first_number, self._segments, strict=True)):
            if i not in self._together and segment.is_heard.any():
                rows, positions, products = segment.search(queries, k)
                parts.append((np.where(rows < 0, -1, rows + first), positions, products))
        if self._together:
            if self._gathered is None:
                chosen = [(self._first_number[i], self._segments[i]) for i in sorted(self._together)]
                self._gathered = Gathered(chosen, self._model)
            parts.append(self._gathered.search(queries, k))
        tracks, positions, products = (np.concatenate(some, axis=1) for some in zip(*parts, strict=True))
        missing = tracks < 0
        order = np.lexsort((positions, tracks, -products, missing), axis=1)[:, :k]
        return tuple(np.take_along_axis(some, order, axis=1) for some in (tracks, positions, products))  # type: ignore[return-value]


def open_catalog(path: Path, model: Model) -> Catalog:
    """Open a catalog for reading.

    Sizes of all files, and digests of the track tables, are checked now; peak bitmaps and vectors, which are most of a
    catalog, block by block and list by list when they are first read.

    Parameters
    ----------
    path : Path
        A directory made by `build_catalog`.
    model : Model
        The model that items are fingerprinted with.

    Returns
    -------
    Catalog

    Raises
    ------
    CatalogError
        If there is no catalog at `path`.
    CatalogVersionError
        If it was written by a newer version.
    ModelMismatchError
        If it was made with another model.
    CatalogDamagedError
        If it is not as it was written.
    """
    check_path(path)
    return read_snapshot(path, lambda manifest, digest: Catalog(path, model, manifest, digest))


def check_model(path: Path, model_digest: str, model: Model) -> None:
    """Raise ModelMismatchError unless a catalog was made with this model."""
    if model_digest != model.digest:
        raise ModelMismatchError(
            f"{path}: made with model {model_digest}, but this is model {model.digest}: build the catalog again from "
            "the audio, or use the version of Earmark that made it"
        )


def check_path(path: Path) -> None:
    """Raise CatalogError if FAISS and SQLite could not open files at a path: they take text, not any bytes."""
    try:
        str(path).encode()
        usable = "\0" not in str(path)
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise CatalogError(f"{str(path)!r}: a catalog's path must be valid UTF-8 text")
