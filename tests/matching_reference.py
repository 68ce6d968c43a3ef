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


def band_z(levels, track_words, max_lag):
    """z of the coincidences, bands weighted by expected signal over variance."""
    item, track = sum(bits(level) for level in levels), bits(track_words)
    n, n_levels = track.shape[1], len(levels)
    total = variance = 0.0
    for q, r in zip(item, track, strict=True):
        if q.sum() == 0 or r.sum() == 0:
            continue
        qc, rc = q - q.mean(), r - r.mean()
        v = 0.0
        for lag in range(-min(max_lag, n - 1), min(max_lag, n - 1) + 1):
            k = abs(lag)
            v += (qc[: n - k] * qc[k:]).sum() * (rc[: n - k] * rc[k:]).sum()
        expected = q.sum() * r.sum() / n
        v = max(v / n, expected / 2, 0.25)
        weight = r.sum() * (1 - q.sum() / (n_levels * n)) / v
        total += weight * ((q * r).sum() - expected)
        variance += weight**2 * v
    return total / math.sqrt(variance) if variance else 0.0
