"""Renditions: how a recording is played when it is not as it was, and the fingerprint with that undone.

Log-frequency bands make a change of pitch a shift of the saliency map, and a change of tempo its stretch. So a changed
item is compared with a catalog by undoing the change in the item's map; nothing is stored twice.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from earmark.errors import ParameterError
from earmark.fingerprint.config import FingerprintConfig
from earmark.fingerprint.embedding import project
from earmark.fingerprint.kernel import kernel
from earmark.fingerprint.model import Model
from earmark.fingerprint.peaks import peak_words

__all__ = ["ORIGINAL", "Rendition", "semitones_to_bands", "undone_patches", "undone_words"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rendition:
    """How an item plays a track.

    Attributes
    ----------
    pitch_semitones : float
        Item pitch minus track pitch.
    tempo_ratio : float
        Item tempo over track tempo [> 0]: 1.25 plays faster.

    Raises
    ------
    ParameterError
        If the tempo ratio is not above 0.
    """

    pitch_semitones: float = 0.0
    tempo_ratio: float = 1.0

    def __post_init__(self) -> None:
        if not self.tempo_ratio > 0:
            raise ParameterError(f"tempo_ratio must be above 0, got {self.tempo_ratio}")


ORIGINAL = Rendition()
"""As it was."""


def semitones_to_bands(semitones: float, config: FingerprintConfig) -> float:
    """Return how many bands apart so many semitones are.

    Examples
    --------
    >>> round(semitones_to_bands(12.0, FingerprintConfig()), 2)
    15.81
    """
    return float(semitones / 12.0 * (config.n_bands + 1) / np.log2(config.fmax / config.fmin))


def undone_words(
    saliency: NDArray[np.uint8], config: FingerprintConfig, rendition: Rendition, first_frame: float, n_words: int
) -> NDArray[np.uint64]:
    """Return the peak bitmaps that a stretch of an item would have had without the change.

    Parameters
    ----------
    saliency : np.ndarray [shape=(n_frames, n_bands), dtype=uint8]
        As in a `Fingerprint`.
    config : FingerprintConfig
    rendition : Rendition
        What to undo.
    first_frame : float
        The item's frame that frame 0 of the result stands for; the next stands `1 / tempo_ratio` frames later.
    n_words : int

    Returns
    -------
    np.ndarray [shape=(n_levels, 2, n_words), dtype=uint64]
        As in a `Fingerprint`; where the item has no frames nothing is set.
    """
    frames = np.empty((2 * n_words + 1, config.n_bands), np.float32)
    shift_bands = semitones_to_bands(rendition.pitch_semitones, config)
    _undo(saliency, first_frame, 1.0 / rendition.tempo_ratio, shift_bands, frames)
    words = np.empty((len(config.item_peaks), 2, n_words), np.uint64)
    for phase in range(2):
        words[:, phase] = peak_words(frames[phase : phase + 2 * n_words], config)
    return words


def undone_patches(
    saliency: NDArray[np.uint8], model: Model, rendition: Rendition, centres: NDArray[np.float64]
) -> NDArray[np.int8]:
    """Return the embeddings of patches of an item, as they would have been without the change.

    Parameters
    ----------
    saliency : np.ndarray [shape=(n_frames, n_bands), dtype=uint8]
        As in a `Fingerprint`.
    model : Model
    rendition : Rendition
        What to undo.
    centres : np.ndarray [shape=(n,), dtype=float64]
        Item frames in the middle of each patch.

    Returns
    -------
    np.ndarray [shape=(n, n_dims), dtype=int8]
        As in a `Fingerprint`.
    """
    config, step = model.config, 1.0 / rendition.tempo_ratio
    shift_bands = semitones_to_bands(rendition.pitch_semitones, config)
    frames = np.empty((len(centres), config.patch_frames, config.n_bands), np.float32)
    for i, centre in enumerate(centres):
        _undo(saliency, centre - (config.patch_frames - 1) / 2 * step, step, shift_bands, frames[i])
    pairs = frames.reshape(-1, 2, config.n_bands).sum(axis=1)
    return project(pairs, model.projection, model.offset, config, hop_frames=config.patch_frames)


@kernel
def _undo(saliency, first_frame, step, shift_bands, frames):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill frames (n, n_bands) with saliency / 255 at `first_frame + j * step`, `shift_bands` higher; bilinear."""
    n_frames, n_bands = saliency.shape
    whole = np.int64(np.floor(shift_bands))
    upper = np.float32((shift_bands - whole) / 255.0)
    lower = np.float32((1.0 - (shift_bands - whole)) / 255.0)
    row = np.empty(n_bands, np.float32)
    for j in range(frames.shape[0]):
        at = first_frame + j * step
        i = np.int64(np.floor(at))
        late = np.float32(at - i)
        for b in range(n_bands):
            before = np.float32(saliency[i, b]) if 0 <= i < n_frames else np.float32(0.0)
            after = np.float32(saliency[i + 1, b]) if -1 <= i < n_frames - 1 else np.float32(0.0)
            row[b] = before + (after - before) * late
        for b in range(n_bands):
            k = b + whole
            x = lower * row[k] if 0 <= k < n_bands else np.float32(0.0)
            if -1 <= k < n_bands - 1:
                x += upper * row[k + 1]
            frames[j, b] = x
