"""What a catalog keeps of a recording."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["NAMED_COLUMNS", "CodedSketch", "Sketch", "Track", "TrackTags", "reference"]

NAMED_COLUMNS = ("path", "isrc", "title", "artist", "label", "rightsholder")
"""Columns of a track table besides `track_id` that mean the same in every catalog."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One row of a catalog's track table.

    Attributes
    ----------
    track_id : str
        Unique among the tracks of a catalog that are not removed.
    duration_s : float
        Seconds that were heard; less than the file declares if it is truncated.
    path : str or None
        As the metadata file gives it, or relative to the source it was found in; encoded as an item id.
    isrc : str or None
        Twelve characters, without hyphens.
    title, artist, label, rightsholder : str or None
        As given.
    """

    track_id: str
    duration_s: float
    path: str | None
    isrc: str | None
    title: str | None
    artist: str | None
    label: str | None
    rightsholder: str | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TrackTags:
    """What is known of a track before it is heard.

    Attributes
    ----------
    track_id : str
    path, isrc, title, artist, label, rightsholder : str or None
        See `Track`.
    extra : mapping of str to str
        Further columns of the metadata file.
    """

    track_id: str
    path: str | None = None
    isrc: str | None = None
    title: str | None = None
    artist: str | None = None
    label: str | None = None
    rightsholder: str | None = None
    extra: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def value(self, column: str) -> str | None:
        """Return the value of a column by its name, one of those above or a further one; None if it has none.

        Examples
        --------
        >>> TrackTags(track_id="a", title="A", extra={"upc": "1"}).value("upc")
        '1'
        """
        if column in NAMED_COLUMNS:
            found: str | None = getattr(self, column)
            return found
        return self.extra.get(column)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Sketch:
    """The part of a fingerprint that a catalog keeps.

    Attributes
    ----------
    n_samples : int
        Samples at 8 kHz.
    words : np.ndarray [shape=(n_words,), dtype=uint64]
        Peak bitmap: phase 0 at the level of `track_peaks`.
    patches : np.ndarray [shape=(n_patches, n_dims), dtype=int8]
        Every `track_patch_stride`-th patch; all zeros where it says nothing.
    content : bytes
        SHA-256 of the above: equal for equal audio.
    """

    n_samples: int
    words: NDArray[np.uint64]
    patches: NDArray[np.int8]
    content: bytes

    @property
    def n_patches(self) -> int:
        """Patches, silent ones included."""
        return len(self.patches)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CodedSketch:
    """A sketch as a catalog has it: the codes of its patches, which are the same in every catalog of a model.

    Attributes
    ----------
    n_samples : int
    words : np.ndarray [shape=(n_words,), dtype=uint64]
    content : bytes
        See `Sketch`; it is the digest of the patches before they were coded.
    codes : np.ndarray [shape=(n_patches, n_subvectors // 2), dtype=uint8]
    spoken : np.ndarray [shape=(n_patches,), dtype=bool]
        See `VectorIndex.codes`.
    """

    n_samples: int
    words: NDArray[np.uint64]
    content: bytes
    codes: NDArray[np.uint8]
    spoken: NDArray[np.bool_]

    @property
    def n_patches(self) -> int:
        """Patches, silent ones included."""
        return len(self.spoken)


def reference(*, n_samples: int, content: bytes) -> Sketch:
    """Return a sketch without words and patches, for a further id of the recording that has them.

    Parameters
    ----------
    n_samples : int
    content : bytes
        See `Sketch`.

    Returns
    -------
    Sketch
    """
    return Sketch(n_samples=n_samples, words=np.empty(0, np.uint64), patches=np.empty((0, 0), np.int8), content=content)
