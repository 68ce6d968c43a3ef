"""Slow, obvious twins of the kernels in `earmark.matching`. Imports nothing of ours."""

import math

import numpy as np


def bits(words):
    """(n,) words to (64, n) of 0 and 1."""
    return np.array([[(int(w) >> b) & 1 for w in words] for b in range(64)], float).reshape(64, len(words))


def vote(tracks, offsets, similarities, n_candidates, floor):
    """All (track, offset) with their votes, then the best, neighbours of the better ones left out."""
    totals = {}
    keys = {
        (int(t), int(o))
        for row_t, row_o, row_s in zip(tracks, offsets, similarities, strict=True)
        for t, o, s in zip(row_t, row_o, row_s, strict=True)
        if t >= 0 and s > floor
    }
    for track, offset in keys:
        total = 0.0
        for row_t, row_o, row_s in zip(tracks, offsets, similarities, strict=True):
            near = [
                s - floor
                for t, o, s in zip(row_t, row_o, row_s, strict=True)
                if t == track and abs(o - offset) <= 1 and s > floor
            ]
            total += max(near, default=0.0)
        totals[track, offset] = total
    out = []
    while totals and len(out) < n_candidates:
        best = min(totals, key=lambda k: (-round(totals[k], 5), k))
        out.append((*best, totals[best]))
        totals = {k: v for k, v in totals.items() if k[0] != best[0] or abs(k[1] - best[1]) > 1}
    return out


def excess(levels, track_words):
    """Coincidences less sum over bands of n_item * n_track / n."""
    item = sum(bits(level) for level in levels)
    track = bits(track_words)
    n = track.shape[1]
    return float((item * track).sum() - (item.sum(1) * track.sum(1)).sum() / n)


def best_alignment(words, reference, radius, cohort):
    """(phase, shift, z) of the best of all places."""
    n = words.shape[2]
    null = [excess(words[:, 0], row[:n]) for row in cohort]
    mean, deviation = np.mean(null), max(np.std(null), 1.0)
    places = [
        ((excess(words[:, phase], reference[start : start + n]) - mean) / deviation, phase, start - radius)
        for start in range(2 * radius + 1)
        for phase in range(2)
    ]
    z, phase, shift = max(places, key=lambda p: p[0])
    return phase, shift, z


def band_tests(levels, track_words, max_lag):
    """Excess, signal and variance by chance of each band; variance 0 where one side has nothing."""
    item, track = sum(bits(level) for level in levels), bits(track_words)
    n, n_levels = track.shape[1], len(levels)
    excess, signal, variance = np.zeros(64), np.zeros(64), np.zeros(64)
    for b, (q, r) in enumerate(zip(item, track, strict=True)):
        if q.sum() == 0 or r.sum() == 0:
            continue
        qc, rc = q - q.mean(), r - r.mean()
        v = 0.0
        for lag in range(-min(max_lag, n - 1), min(max_lag, n - 1) + 1):
            k = abs(lag)
            v += (qc[: n - k] * qc[k:]).sum() * (rc[: n - k] * rc[k:]).sum()
        expected = q.sum() * r.sum() / n
        excess[b] = (q * r).sum() - expected
        signal[b] = r.sum() * (1 - q.sum() / (n_levels * n))
        variance[b] = max(v / n, expected / 2, 0.25)
    return excess, signal, variance


def covariance(levels, track_words, variance, n_lags):
    """Covariance of the bands' coincidences by chance."""
    q, r = sum(bits(level) for level in levels), bits(track_words)
    q, r = q - q.mean(1, keepdims=True), r - r.mean(1, keepdims=True)
    n = q.shape[1]
    out = np.zeros((64, 64))
    for k in range(min(n_lags, n)):
        both = (q[:, : n - k] @ q[:, k:].T) * (r[:, : n - k] @ r[:, k:].T) / n
        out += both if k == 0 else both + both.T
    np.fill_diagonal(out, variance)
    return out


def standardised(weights, excess, cov):
    variance = max(weights @ cov @ weights, 0.25 * sum(w * w * c for w, c in zip(weights, np.diag(cov), strict=True)))
    return weights @ excess / math.sqrt(variance) if variance > 0 else 0.0


def sharpness(levels, around, reach, nearest):
    """Excess in the middle less the best beside it, over the square root of the coincidences."""
    n = len(around) - 2 * reach
    places = [excess(levels, around[start : start + n]) for start in range(2 * reach + 1)]
    beside = max(e for i, e in enumerate(places) if abs(i - reach) >= nearest)
    found = sum((bits(level) * bits(around[reach : reach + n])).sum() for level in levels)
    return (places[reach] - beside) / math.sqrt(found + 1)


def evenness(levels, track_words, chunk):
    """Participation ratio of the coincidences of chunks of words."""
    per_word = sum((bits(level) * bits(track_words)).sum(0) for level in levels)
    n_chunks = max(len(per_word) // chunk, 1)
    sums = [per_word[c * chunk : (c + 1) * chunk].sum() for c in range(n_chunks)]
    square = sum(x * x for x in sums)
    return sum(sums) ** 2 / (n_chunks * square) if square else 0.0


def weighted_z(levels, track_words, max_lag, n_lags):
    """Bands weighted by signal over variance and by their neighbours' agreement."""
    excess, signal, variance = band_tests(levels, track_words, max_lag)
    cov = covariance(levels, track_words, variance, n_lags)
    weights = np.zeros(64)
    for b in range(64):
        near = [math.exp(-0.5 * ((a - b) / 4) ** 2) if a != b else 0.0 for a in range(64)]
        share = np.dot(near, excess) / (np.dot(near, signal) + 0.02)
        if variance[b] > 0:
            weights[b] = signal[b] / variance[b] * (min(max(share, 0), 0.6) + 0.03)
    return standardised(weights, excess, cov)


def mixing(levels, track_words, chunk, n_bands):
    """Participation ratio of cells of words by bands, over the product of those of their sums by time and by band."""
    found = sum(bits(level) * bits(track_words) for level in levels)
    n_chunks = found.shape[1] // chunk
    cells = found[:, : n_chunks * chunk].reshape(64 // n_bands, n_bands, n_chunks, chunk).sum((1, 3))
    if not cells.any():
        return 0.0
    ratio = [c.sum() ** 2 / (c.size * (c**2).sum()) for c in (cells, cells.sum(0), cells.sum(1))]
    return ratio[0] / (ratio[1] * ratio[2])


def score(z, levels, around, lags, beside, least_sharpness):
    """The tests to the powers 1, 1.5 and 0.25, evenness to 2, mixing to 0.5; of all the root of the tests'."""
    nearest, reach = beside
    track_words = around[reach : len(around) - reach]
    weighted = weighted_z(levels, track_words, *lags)
    sharp = max(sharpness(levels, around, reach, nearest), least_sharpness)
    spread = evenness(levels, track_words, 4) ** 2 * math.sqrt(mixing(levels, track_words, 4, 4))
    return (z * weighted**1.5 * sharp**0.25 * spread) ** (1 / 2.75)
