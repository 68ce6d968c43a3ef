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
    for lag in range(-min(n_lags, n) + 1, min(n_lags, n)):
        for a in range(64):
            for b in range(64):
                x, y = (a, b) if lag >= 0 else (b, a)
                k = abs(lag)
                out[a, b] += (q[x, : n - k] @ q[y, k:]) * (r[x, : n - k] @ r[y, k:]) / n
    np.fill_diagonal(out, variance)
    return out


def standardised(weights, excess, cov):
    variance = max(weights @ cov @ weights, 0.25 * sum(w * w * c for w, c in zip(weights, np.diag(cov), strict=True)))
    return weights @ excess / math.sqrt(variance) if variance > 0 else 0.0


def score(z, levels, track_words, max_lag, n_lags):
    """Geometric mean of the three tests."""
    excess, signal, variance = band_tests(levels, track_words, max_lag)
    cov = covariance(levels, track_words, variance, n_lags)
    pair = standardised(np.ones(64), excess, cov)
    weights = np.zeros(64)
    for b in range(64):
        near = [math.exp(-0.5 * ((a - b) / 4) ** 2) if a != b else 0.0 for a in range(64)]
        share = np.dot(near, excess) / (np.dot(near, signal) + 0.02)
        if variance[b] > 0:
            weights[b] = signal[b] / variance[b] * (min(max(share, 0), 0.6) + 0.03)
    weighted = standardised(weights, excess, cov)
    return (z * max(pair, 0) * max(weighted, 0)) ** (1 / 3)
