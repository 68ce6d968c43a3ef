"""What a catalog keeps of a recording, made without the rest of a fingerprint."""

import dataclasses
from typing import Final

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprint.embedding import pair_sums, project
from earmark.fingerprint.fingerprinter import SampleStream
from earmark.fingerprint.model import Model
from earmark.fingerprint.peaks import peak_words

__all__ = ["TrackFingerprint", "TrackFingerprinter"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrackFingerprint:
    """The part of a `Fingerprint` that a catalog keeps, bit for bit.

    Attributes
    ----------
    n_samples : int
        Samples at 8 kHz.
    words : np.ndarray [shape=(n_frames // 2,), dtype=uint64]
        Its words of phase 0 at the level of `track_peaks`.
    patches : np.ndarray [shape=(n_patches, n_dims), dtype=int8]
        Every `track_patch_stride`-th of its patches.
    """

    n_samples: int
    words: NDArray[np.uint64]
    patches: NDArray[np.int8]


class TrackFingerprinter(SampleStream):
    """Takes samples as they come; for tracks, which need one level, one phase and every fourth patch of an item's.

    Parameters
    ----------
    model : Model

    Examples
    --------
    >>> from earmark.fingerprint import load_model
    >>> fingerprinter = TrackFingerprinter(load_model())
    >>> fingerprinter.push(np.zeros(8000, np.float32))
    >>> fingerprinter.finish().words.shape
    (14,)
    """

    def __init__(self, model: Model) -> None:
        config = model.config
        super().__init__(model, config.patch_hop_frames * config.track_patch_stride)
        self._peaks: Final = dataclasses.replace(config, item_peaks=(config.track_peaks,))
        self._words: list[NDArray[np.uint64]] = []
        self._patches: list[NDArray[np.int8]] = []

    def finish(self) -> TrackFingerprint:
        """Return the fingerprint of all that was pushed.

        Raises
        ------
        ParameterError
            When called again.
        """
        self._finish_samples()
        words, patches = np.concatenate(self._words), np.concatenate(self._patches)
        return TrackFingerprint(n_samples=self._n_samples, words=words, patches=patches)

    def _take(self, ready: int, here: NDArray[np.float32]) -> None:
        config, model, hop = self._model.config, self._model, self._step_frames
        self._patches.append(project(pair_sums(here), model.projection, model.offset, config, hop_frames=hop))
        self._words.append(peak_words(self._saliency[:ready], self._peaks)[0])
