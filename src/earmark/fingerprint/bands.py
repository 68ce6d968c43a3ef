"""Log-frequency bands: short-time spectra to 64 triangular bands, equally spaced in pitch."""

import dataclasses
import functools

import librosa
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from earmark.errors import ParameterError
from earmark.fingerprint.config import FingerprintConfig
from earmark.fingerprint.kernel import kernel

__all__ = ["FilterBank", "band_magnitudes", "filter_bank"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class FilterBank:
    """Triangular filters as runs of neighbouring STFT bins.

    Attributes
    ----------
    first_bin : np.ndarray [shape=(n_bands,), dtype=int32]
        The bin that a band starts at.
    first_weight : np.ndarray [shape=(n_bands + 1,), dtype=int32]
        Where a band's weights start in `weights`; the last entry is their number.
    weights : np.ndarray [dtype=float32]
        The weights of all bands, one band after the other; a band's weights sum to 1.
    window : np.ndarray [shape=(n_fft,), dtype=float32]
        Periodic Hann window.
    """

    first_bin: NDArray[np.int32]
    first_weight: NDArray[np.int32]
    weights: NDArray[np.float32]
    window: NDArray[np.float32]


@functools.lru_cache(maxsize=4)
def filter_bank(config: FingerprintConfig) -> FilterBank:
    """Make the filters of a config.

    Band `b` rises from edge `b` to edge `b + 1` and falls to edge `b + 2`; the `n_bands + 2` edges divide
    `fmin` to `fmax` into equal musical intervals. A band narrower than a bin takes the bin nearest to its centre.

    Parameters
    ----------
    config : FingerprintConfig

    Returns
    -------
    FilterBank
    """
    steps = np.arange(config.n_bands + 2) / (config.n_bands + 1)
    edges = config.fmin * (config.fmax / config.fmin) ** steps
    bins_hz = librosa.fft_frequencies(sr=config.sr, n_fft=config.n_fft)
    first_bin, first_weight, weights = [], [0], []
    for low, centre, high in zip(edges, edges[1:], edges[2:], strict=False):
        w = np.minimum((bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)).clip(min=0.0)
        if w.sum() < 1e-3:
            w[np.argmin(np.abs(bins_hz - centre))] = 1.0
        support = np.flatnonzero(w)
        first_bin.append(support[0])
        weights.append(w[support[0] : support[-1] + 1] / w.sum())
        first_weight.append(first_weight[-1] + len(weights[-1]))
    return FilterBank(
        first_bin=np.array(first_bin, dtype=np.int32),
        first_weight=np.array(first_weight, dtype=np.int32),
        weights=np.concatenate(weights).astype(np.float32),
        window=librosa.filters.get_window("hann", config.n_fft, fftbins=True).astype(np.float32),
    )


def band_magnitudes(y: NDArray[np.float32], config: FingerprintConfig) -> NDArray[np.float32]:
    """Weighted mean magnitude of the short-time spectrum in each band.

    Parameters
    ----------
    y : np.ndarray [shape=(n_samples,), dtype=float32]
        Mono signal at `config.sr`; finite.
    config : FingerprintConfig

    Returns
    -------
    np.ndarray [shape=(n_frames, n_bands), dtype=float32]
        `n_frames = 1 + (n_samples - n_fft) // hop_length`, or 0 if there is not one whole frame. Frame `i` covers
        samples `i * hop_length` to `i * hop_length + n_fft`; nothing is padded.

    Raises
    ------
    ParameterError
        If `y` is not one-dimensional float32.

    Examples
    --------
    >>> band_magnitudes(np.zeros(1279, np.float32), FingerprintConfig()).shape
    (1, 64)
    """
    if y.ndim != 1 or y.dtype != np.float32:
        raise ParameterError(f"y must be one-dimensional float32, got shape {y.shape} of {y.dtype}")
    bank = filter_bank(config)
    n_frames = max(1 + (len(y) - config.n_fft) // config.hop_length, 0) if len(y) >= config.n_fft else 0
    bands = np.empty((n_frames, config.n_bands), np.float32)
    if n_frames:
        frames = np.lib.stride_tricks.sliding_window_view(y, config.n_fft)[:: config.hop_length]
        spectra = np.asarray(scipy.fft.rfft(frames * bank.window, axis=1, workers=1), dtype=np.complex64)
        _sum_bands(spectra, bank.first_bin, bank.first_weight, bank.weights, bands)
    return bands


@kernel
def _sum_bands(spectra, first_bin, first_weight, weights, bands):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    n_frames, n_bins = spectra.shape
    magnitudes = np.empty(n_bins, np.float32)
    for t in range(n_frames):
        for k in range(n_bins):
            x = spectra[t, k]
            magnitudes[k] = np.sqrt(x.real * x.real + x.imag * x.imag)
        for b in range(bands.shape[1]):
            start, shift = first_weight[b], first_bin[b] - first_weight[b]
            total = np.float32(0.0)
            for j in range(start, first_weight[b + 1]):
                total += weights[j] * magnitudes[j + shift]
            bands[t, b] = total
