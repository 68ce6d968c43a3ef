"""Saliency: how far each band stands out of its neighbourhood in time and frequency."""

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprint.config import FingerprintConfig
from earmark.fingerprint.kernel import kernel

__all__ = ["saliency"]


def saliency(
    bands: NDArray[np.float32], config: FingerprintConfig, *, start: int = 0, stop: int | None = None
) -> NDArray[np.float32]:
    """Local contrast of log band magnitudes, a soft map of spectral peaks.

    The log is taken above a floor that follows the level, the mean of two local means (long in time, wide in
    frequency) is subtracted, what lies below is cut and the rest compressed by tanh. Gain cancels, and so does a
    spectrum that is flat over the neighbourhood. Means run over the frames and bands there are.

    Parameters
    ----------
    bands : np.ndarray [shape=(n_frames, n_bands), dtype=float32]
        Band magnitudes.
    config : FingerprintConfig
    start, stop : int
        Rows to return. Row `i` depends on rows `i - config.context_frames` to `i + config.context_frames` alone and
        equals the row that a longer input would give, bit for bit.

    Returns
    -------
    np.ndarray [shape=(stop - start, n_bands), dtype=float32]
        Values in [0, 1].
    """
    stop = len(bands) if stop is None else stop
    reach = config.context_frames - config.level_frames
    low, high = max(start - reach, 0), min(stop + reach, len(bands))
    logs = np.empty((high - low, config.n_bands), np.float32)
    _log_above_floor(bands, low, config.level_frames, config.floor_ratio, config.floor_absolute, logs)
    out = np.empty((stop - start, config.n_bands), np.float32)
    _contrast(logs, start - low, *config.long_context, *config.wide_context, out)
    return out


@kernel
def _log_above_floor(bands, first, level_frames, floor_ratio, floor_absolute, logs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    n_frames, n_bands = bands.shape
    low = max(first - level_frames, 0)
    high = min(first + logs.shape[0] + level_frames, n_frames)
    levels = np.empty(max(high - low, 0), np.float64)
    for t in range(low, high):
        total = 0.0
        for b in range(n_bands):
            total += bands[t, b]
        levels[t - low] = total / n_bands
    for i in range(logs.shape[0]):
        t = first + i
        a, e = max(t - level_frames, 0), min(t + level_frames + 1, n_frames)
        total = 0.0
        for u in range(a, e):  # summed afresh, so that the result does not depend on where the block began
            total += levels[u - low]
        floor = floor_ratio * total / (e - a) + floor_absolute
        for b in range(n_bands):
            logs[i, b] = np.log(bands[t, b] + np.float32(floor))


@kernel
def _contrast(logs, first, long_frames, long_bands, wide_frames, wide_bands, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    n_frames, n_bands = logs.shape
    long_sums = np.empty((n_frames, n_bands), np.float32)
    wide_sums = np.empty((n_frames, n_bands), np.float32)
    cumulative = np.empty(n_bands + 1, np.float32)
    for t in range(n_frames):
        cumulative[0] = 0.0
        for b in range(n_bands):
            cumulative[b + 1] = cumulative[b] + logs[t, b]
        for b in range(n_bands):
            a, e = max(b - long_bands, 0), min(b + long_bands + 1, n_bands)
            long_sums[t, b] = (cumulative[e] - cumulative[a]) / np.float32(e - a)
            a, e = max(b - wide_bands, 0), min(b + wide_bands + 1, n_bands)
            wide_sums[t, b] = (cumulative[e] - cumulative[a]) / np.float32(e - a)
    long_mean = np.empty(n_bands, np.float32)
    wide_mean = np.empty(n_bands, np.float32)
    for i in range(out.shape[0]):
        t = first + i
        _mean_rows(long_sums, max(t - long_frames, 0), min(t + long_frames + 1, n_frames), long_mean)
        _mean_rows(wide_sums, max(t - wide_frames, 0), min(t + wide_frames + 1, n_frames), wide_mean)
        for b in range(n_bands):
            x = logs[t, b] - np.float32(0.5) * (long_mean[b] + wide_mean[b])
            out[i, b] = np.tanh(x) if x > 0 else np.float32(0.0)


@kernel
def _mean_rows(rows, start, stop, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    out[:] = 0.0
    for t in range(start, stop):
        for b in range(out.shape[0]):
            out[b] += rows[t, b]
    for b in range(out.shape[0]):
        out[b] /= np.float32(stop - start)
