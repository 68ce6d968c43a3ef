"""From samples to a fingerprint, in a stream of bounded memory."""

import abc
import dataclasses
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from earmark.errors import ParameterError
from earmark.fingerprint.bands import band_magnitudes
from earmark.fingerprint.embedding import embed
from earmark.fingerprint.model import Model
from earmark.fingerprint.peaks import peak_words
from earmark.fingerprint.saliency import saliency

__all__ = ["Fingerprint", "Fingerprinter", "SampleStream", "fingerprint"]

BLOCK_FRAMES = 1024
"""Frames worked on at once: 33 s. Blocks begin at multiples of it, however the samples come, because an FFT of many
frames at once rounds in groups of frames."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fingerprint:
    """A recording as Earmark sees it. A catalog keeps the patches and the words of one level and phase.

    Attributes
    ----------
    n_samples : int
        Samples at 8 kHz.
    n_frames : int
        Whole frames in them.
    words : np.ndarray [shape=(n_levels, 2, n_frames // 2), dtype=uint64]
        Peak bitmaps: at each level of `item_peaks`, by frame phase. Word `i` of phase `p` covers frames `2 * i + p`
        and `2 * i + p + 1`; where the second is missing the word is 0.
    patches : np.ndarray [shape=(n_patches, n_dims), dtype=int8]
        See `embed`.
    saliency : np.ndarray [shape=(n_frames, n_bands), dtype=uint8]
        The map itself, 255 for 1: to look at an item in other ways. A catalog does not keep it.
    """

    n_samples: int
    n_frames: int
    words: NDArray[np.uint64]
    patches: NDArray[np.int8]
    saliency: NDArray[np.uint8]


class SampleStream(abc.ABC):
    """Samples as they come, to saliency; what follows from that is the subclass's.

    Parameters
    ----------
    model : Model
    step_frames : int
        From one patch to the next: saliency is used up by so many frames.
    """

    def __init__(self, model: Model, step_frames: int) -> None:
        config = model.config
        self._model, self._step_frames = model, step_frames
        self._finished = False
        self._n_samples = 0
        self._samples: list[NDArray[np.float32]] = []  # from the first sample of the next block on
        self._waiting = 0  # their number
        self._bands = np.empty((0, config.n_bands), np.float32)  # the last ones, as far as saliency needs them
        self._n_frames = 0  # frames whose bands are known
        self._saliency = np.empty((0, config.n_bands), np.float32)  # of the frames not yet turned into words
        self._n_salient = 0  # frames whose saliency is known

    def push(self, y: NDArray[np.float32]) -> None:
        """Take the next samples, any number of them.

        Parameters
        ----------
        y : np.ndarray [shape=(n_samples,), dtype=float32]
            Mono at 8 kHz, finite.

        Raises
        ------
        ParameterError
            If `y` is not one-dimensional float32, or after `finish`.
        """
        self._check_open()
        if y.ndim != 1 or y.dtype != np.float32:
            raise ParameterError(f"y must be one-dimensional float32, got shape {y.shape} of {y.dtype}")
        config = self._model.config
        self._samples.append(y.copy())  # the caller may use the buffer again
        self._n_samples += len(y)
        self._waiting += len(y)
        block = BLOCK_FRAMES * config.hop_length
        if self._waiting < block + config.n_fft:
            return
        samples = np.concatenate(self._samples)
        while len(samples) >= block + config.n_fft:
            self._add_bands(samples[: block - config.hop_length + config.n_fft])
            samples = samples[block:]
        self._samples, self._waiting = [samples], len(samples)

    def _finish_samples(self) -> None:
        """Work off what is left.

        Raises
        ------
        ParameterError
            When called again.
        """
        self._check_open()
        self._finished = True
        self._add_bands(np.concatenate([np.empty(0, np.float32), *self._samples]))
        self._add_saliency(self._n_frames)
        self._take_saliency(last=True)

    @abc.abstractmethod
    def _take(self, ready: int, here: NDArray[np.float32]) -> None:
        """Take what the first `ready` rows of saliency give; the patches that begin there lie in `here`."""

    def _take_saliency(self, *, last: bool) -> None:
        """Use up saliency to a frame at which words and patches are whole; to the end if it is the last."""
        step, patch_frames, rows = self._step_frames, self._model.config.patch_frames, len(self._saliency)
        # The next step begins where this one ends; its patches reach beyond, and so does a word of phase 1.
        ready = rows if last else (rows - patch_frames) // step * step
        if ready <= 0 and not last:
            return
        self._take(ready, self._saliency if last else self._saliency[: ready + patch_frames - step])
        self._saliency = self._saliency[ready:]

    def _check_open(self) -> None:
        if self._finished:
            raise ParameterError("this fingerprint is finished; make a new Fingerprinter")

    def _add_bands(self, samples: NDArray[np.float32]) -> None:
        config = self._model.config
        bands = band_magnitudes(samples, config)
        self._n_frames += len(bands)
        self._bands = np.concatenate([self._bands, bands])
        self._add_saliency(self._n_frames - config.context_frames)
        self._take_saliency(last=False)

    def _add_saliency(self, stop: int) -> None:
        """Bring saliency up to frame `stop`, and drop the bands that it will not need again."""
        context = self._model.config.context_frames
        first_band = self._n_frames - len(self._bands)
        start = self._n_salient
        if stop > start:
            block = saliency(self._bands, self._model.config, start=start - first_band, stop=stop - first_band)
            self._saliency = np.concatenate([self._saliency, block])
            self._n_salient = stop
            self._bands = self._bands[max(stop - context - first_band, 0) :]


class Fingerprinter(SampleStream):
    """Takes samples as they come.

    Parameters
    ----------
    model : Model

    Examples
    --------
    >>> from earmark.fingerprint import load_model
    >>> fingerprinter = Fingerprinter(load_model())
    >>> fingerprinter.push(np.zeros(8000, np.float32))
    >>> fingerprinter.finish().n_frames
    28
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model, model.config.patch_hop_frames)
        self._words: list[NDArray[np.uint64]] = []
        self._patches: list[NDArray[np.int8]] = []
        self._maps: list[NDArray[np.uint8]] = []

    def finish(self) -> Fingerprint:
        """Return the fingerprint of all that was pushed.

        Raises
        ------
        ParameterError
            When called again.
        """
        self._finish_samples()
        return Fingerprint(
            n_samples=self._n_samples,
            n_frames=self._n_frames,
            words=np.concatenate(self._words, axis=2),
            patches=np.concatenate(self._patches),
            saliency=np.concatenate(self._maps),
        )

    def _take(self, ready: int, here: NDArray[np.float32]) -> None:
        config, model = self._model.config, self._model
        self._patches.append(embed(here, model.projection, model.offset, config))
        words = np.zeros((len(config.item_peaks), 2, ready // 2), np.uint64)
        for phase in range(2):
            marked = peak_words(self._saliency[phase : ready + phase], config)
            words[:, phase, : marked.shape[1]] = marked
        self._words.append(words)
        self._maps.append(np.rint(self._saliency[:ready] * np.float32(255)).astype(np.uint8))


def fingerprint(chunks: Iterable[NDArray[np.float32]], model: Model) -> Fingerprint:
    """Return the fingerprint of a stream of samples.

    Parameters
    ----------
    chunks : iterable of np.ndarray [shape=(n,), dtype=float32]
        Mono at 8 kHz, in any sizes: the result is the same.
    model : Model

    Returns
    -------
    Fingerprint
    """
    fingerprinter = Fingerprinter(model)
    for y in chunks:
        fingerprinter.push(y)
    return fingerprinter.finish()
