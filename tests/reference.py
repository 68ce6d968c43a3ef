"""The fingerprint, slow and obvious: one twin per kernel, in float64. Imports nothing of ours.

Every example below was worked out by hand. Where a comment gives the sums, they are what the example claims.
"""

import cmath
import math

import numpy as np


def spectrum_magnitudes(y, *, n_fft, hop_length):
    """Magnitudes of the whole frames in `y`, by the definition of the discrete Fourier transform.

    The window of 4 is 0, 1/2, 1, 1/2, so of constant ones: 0 + 1/2 + 1 + 1/2, |0 - i/2 - 1 + i/2|, 0 - 1/2 + 1 - 1/2.

    >>> spectrum_magnitudes([1, 1, 1, 1, 1], n_fft=4, hop_length=2).round(12).tolist()
    [[2.0, 1.0, 0.0]]
    >>> spectrum_magnitudes([1, 1, 1], n_fft=4, hop_length=2).shape
    (0, 3)
    """
    window = [0.5 - 0.5 * math.cos(2 * math.pi * n / n_fft) for n in range(n_fft)]
    n_bins = n_fft // 2 + 1
    turn = [cmath.exp(-2j * math.pi * m / n_fft) for m in range(n_fft)]
    basis = np.array([[window[n] * turn[n * k % n_fft] for n in range(n_fft)] for k in range(n_bins)])
    starts = range(0, len(y) - n_fft + 1, hop_length)
    frames = np.array([y[start : start + n_fft] for start in starts], np.float64).reshape(-1, n_fft)
    return np.abs(frames @ basis.T)


def filters(*, sr, n_fft, n_bands, fmin, fmax):
    """Weights of each band at each bin, one row per band; a row sums to 1.

    Edges at 1, 2 and 4 Hz over bins at 0, 1, 2, 3, 4 Hz: the triangle is 1 at 2 Hz and 1/2 at 3 Hz.

    >>> filters(sr=8, n_fft=8, n_bands=1, fmin=1, fmax=4).round(4).tolist()
    [[0.0, 0.0, 0.6667, 0.3333, 0.0]]

    No bin lies between 1.1 and 1.9 Hz, whose geometric centre 1.4457 Hz is nearest to 1 Hz.

    >>> filters(sr=8, n_fft=8, n_bands=1, fmin=1.1, fmax=1.9).tolist()
    [[0.0, 1.0, 0.0, 0.0, 0.0]]
    """
    edges = [math.exp(math.log(fmin) + math.log(fmax / fmin) * i / (n_bands + 1)) for i in range(n_bands + 2)]
    bins_hz = [sr * k / n_fft for k in range(n_fft // 2 + 1)]
    rows = []
    for b in range(n_bands):
        row = np.interp(bins_hz, edges[b : b + 3], [0, 1, 0])
        if row.sum() < 1e-3:
            row = np.zeros(len(bins_hz))
            row[min(range(len(bins_hz)), key=lambda k: abs(bins_hz[k] - edges[b + 1]))] = 1
        rows.append(row / row.sum())
    return np.array(rows)


def logs_above_floor(bands, *, level_frames, floor_ratio, floor_absolute):
    """Log of magnitude plus floor; the floor is a share of the mean over the frames nearby, and an absolute part.

    One frame of mean 2 has floor 1; with its neighbour of mean 6, it is half of 4.

    >>> args = {"level_frames": 1, "floor_ratio": 0.5, "floor_absolute": 0.0}
    >>> np.exp(logs_above_floor([[1, 3]], **args)).round(12).tolist()
    [[2.0, 4.0]]
    >>> np.exp(logs_above_floor([[1, 3], [6, 6]], **args)).round(12).tolist()
    [[3.0, 5.0], [8.0, 8.0]]
    >>> np.exp(logs_above_floor([[1, 3], [6, 6]], **args | {"level_frames": 0})).round(12).tolist()
    [[2.0, 4.0], [9.0, 9.0]]
    """
    bands = np.asarray(bands, np.float64)
    logs = np.empty(bands.shape)
    for t in range(len(bands)):
        nearby = bands[max(t - level_frames, 0) : t + level_frames + 1]
        logs[t] = np.log(bands[t] + floor_ratio * nearby.mean() + floor_absolute)
    return logs


def contrast(logs, *, long_context, wide_context):
    """What stands above the mean of two local means, squeezed by tanh.

    Of the two frames below, the 6 has mean 3 with what came before it and mean 2 with its neighbours: 6 - 2.5 = 3.5.

    >>> contrast([[0, 0, 0], [0, 6, 0]], long_context=(1, 0), wide_context=(0, 1)).round(4).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.9982, 0.0]]
    >>> round(math.tanh(3.5), 4)
    0.9982
    """
    logs = np.asarray(logs, np.float64)
    out = np.zeros(logs.shape)
    for t in range(logs.shape[0]):
        for b in range(logs.shape[1]):
            means = [
                logs[max(t - frames, 0) : t + frames + 1, max(b - bands, 0) : b + bands + 1].mean()
                for frames, bands in (long_context, wide_context)
            ]
            out[t, b] = math.tanh(max(logs[t, b] - sum(means) / 2, 0))
    return out


def pair_sums(saliency):
    """Sum of frames 0 and 1, of frames 2 and 3, and so on; a last odd frame is left out.

    >>> pair_sums([[1, 2], [3, 4], [5, 6]]).tolist()
    [[4, 6]]
    """
    saliency = np.asarray(saliency)
    pairs = [saliency[i] + saliency[i + 1] for i in range(0, len(saliency) - 1, 2)]
    return np.array(pairs, saliency.dtype).reshape(-1, saliency.shape[1])


def peak_words(saliency, *, item_peaks, peak_floor):
    """One row per level, one integer per pair of frames; equals are taken from the lowest band up.

    Pair sums are 2, 3, 2, 1, so the best is band 1 (2), the best two bands 1 and 0 (2 + 1), the best four those of at
    least 1.5: bands 0, 1 and 2 (1 + 2 + 4).

    >>> peak_words([[1, 1, 1, 1], [1, 2, 1, 0]], item_peaks=(1, 2, 4), peak_floor=1.5)
    [[2], [3], [7]]
    """
    rows = []
    for level in item_peaks:
        words = []
        for sums in pair_sums(saliency):
            ranked = sorted(range(len(sums)), key=lambda b, sums=sums: (-sums[b], b))
            words.append(sum(1 << b for b in ranked[:level] if sums[b] >= peak_floor))
        rows.append(words)
    return rows


def embeddings(saliency, projection, offset, *, patch_frames, patch_hop_frames, patch_scale, patch_floor):
    """Patches of unit length times `patch_scale`, unrounded.

    Frames (0.3, 0) and (0, 0.4) sum to (0.3, 0.4) of length 0.5, hence (0.6, 0.8); less the offset (0, 0.4), (1, 0).

    >>> args = {"patch_frames": 2, "patch_hop_frames": 2, "patch_scale": 10, "patch_floor": 0.01}
    >>> embeddings([[0.3, 0], [0, 0.4]], [[1, 0], [0, 1]], [0, 0], **args).round(12).tolist()
    [[6.0, 8.0]]
    >>> embeddings([[0.3, 0], [0, 0.4]], [[1, 0], [0, 1]], [0, 0.4], **args).round(12).tolist()
    [[10.0, 0.0]]
    >>> embeddings([[0.3, 0], [0, 0.4], [0, 0.01]], [[1, 0], [0, 1]], [0, 0], **args).shape
    (1, 2)
    >>> embeddings([[0.01, 0], [0, 0.01]], [[1, 0], [0, 1]], [0, 0], **args).tolist()
    [[0.0, 0.0]]
    """
    saliency = np.asarray(saliency, np.float64)
    projection, offset = np.asarray(projection, np.float64), np.asarray(offset, np.float64)
    rows = []
    for start in range(0, len(saliency) - patch_frames + 1, patch_hop_frames):
        patch = saliency[start : start + patch_frames]
        x = pair_sums(patch).ravel() @ projection - offset
        length = math.sqrt(x @ x)
        says_something = patch.mean() >= patch_floor and length > 0
        rows.append(patch_scale * x / length if says_something else np.zeros(len(x)))
    return np.array(rows).reshape(-1, projection.shape[1])
