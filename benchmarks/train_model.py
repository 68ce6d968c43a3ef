"""Train the model that ships with Earmark, on the development music without the bundled and the test packages.

::

    python benchmarks/train_model.py                 8,000 excerpts, writes src/earmark/fingerprint/model.npz

The projection is found by linear discriminant analysis: directions in which different moments of music differ while the
same moment stays put under what people do to music. See DESIGN.md section 2, step 3.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import scipy.linalg

import degradations as d
import music
from earmark.fingerprint.bands import band_magnitudes
from earmark.fingerprint.config import FingerprintConfig
from earmark.fingerprint.embedding import pair_sums
from earmark.fingerprint.model import Model, dump_model
from earmark.fingerprint.peaks import peak_words
from earmark.fingerprint.saliency import saliency

CONFIG = FingerprintConfig()
EXCERPT_S = 10.0
PATCHES_PER_EXCERPT = 8
JITTER_FRAMES = 4
RIDGE = 0.1  # of the mean eigenvalue of the within-patch scatter
N_COHORT, COHORT_WORDS = 400, 320
MODEL_PATH = Path(__file__).parents[1] / "src" / "earmark" / "fingerprint" / "model.npz"


def training_tracks():
    excluded = music.TEST_PACKAGES | music.BUNDLED_PACKAGES
    return [t for t in music.load_tracks() if music.package(t.id) not in excluded]


def degrade(y, rng, tracks, speech):
    """One to three random changes; returns (y, speed factor)."""
    factor = 1.0
    if rng.random() < 0.4:
        factor = float(rng.uniform(0.97, 1.03))
        y = d.speed(y, factor)
    if rng.random() < 0.35:
        y = d.equalise(y, music.SR, rng)
    if rng.random() < 0.25:
        y = d.reverb(y, music.SR, rng, rng.uniform(0.3, 2.0), rng.uniform(0.3, 1.0))
    kind = rng.choice(["white", "pink", "music", "speech", "babble", "none"], p=[0.25, 0.2, 0.15, 0.15, 0.1, 0.15])
    n = len(y)
    if kind == "white":
        y = d.noise(y, rng, rng.uniform(-5, 12))
    elif kind == "pink":
        y = d.noise(y, rng, rng.uniform(-8, 12), exponent=1.0)
    elif kind == "music":
        other = tracks[rng.integers(len(tracks))]
        start_s = rng.uniform(0, other.duration_s - n / music.SR - 1)
        y = d.add(y, other.samples(start_s, n / music.SR), rng.uniform(-5, 10))
    elif kind == "speech":
        start = rng.integers(0, len(speech) - n)
        y = d.add(y, speech[start : start + n], rng.uniform(-8, 8))
    elif kind == "babble":
        y = d.add(y, d.babble(n, speech, rng), rng.uniform(-5, 10))
    if rng.random() < 0.15:
        y = d.band_pass(y, music.SR, rng.uniform(200, 500), rng.uniform(1500, 3600))
    if rng.random() < 0.2:
        name, rates = [("mp3", (32, 64)), ("opus", (8, 24)), ("aac", (24, 64))][rng.integers(3)]
        y = d.codec(y, music.SR, name, rng.choice(rates))
    return y, factor


def pairs(seed_and_count):
    """Return (clean, degraded) patches of some excerpts, each (n, 1984)."""
    seed, count = seed_and_count
    rng = np.random.default_rng([2026, seed])
    tracks = [t for t in training_tracks() if t.duration_s > 2 * EXCERPT_S]
    share = np.array([t.duration_s for t in tracks])
    speech = music.load_speech()
    speech = speech[: len(speech) // 2]
    clean_rows, degraded_rows = [], []
    while len(clean_rows) < count * PATCHES_PER_EXCERPT:
        track = tracks[rng.choice(len(tracks), p=share / share.sum())]
        y = track.samples(rng.uniform(0, track.duration_s - EXCERPT_S - 1), EXCERPT_S)
        if np.sqrt(np.mean(y**2)) < 1e-3:
            continue
        changed, factor = degrade(y, rng, tracks, speech)
        clean = saliency(band_magnitudes(y, CONFIG), CONFIG)
        other = saliency(band_magnitudes(changed.astype(np.float32), CONFIG), CONFIG)
        width, centre = CONFIG.patch_frames, CONFIG.patch_frames / 2
        for _ in range(PATCHES_PER_EXCERPT):
            a = int(rng.integers(JITTER_FRAMES + 8, len(clean) - width - JITTER_FRAMES - 8))
            b = round((a + centre) / factor - centre) + int(rng.integers(-JITTER_FRAMES, JITTER_FRAMES + 1))
            if 0 <= b <= len(other) - width:
                clean_rows.append(pair_sums(clean[a : a + width]).ravel())
                degraded_rows.append(pair_sums(other[b : b + width]).ravel())
    return np.array(clean_rows, np.float32), np.array(degraded_rows, np.float32)


def train_projection(clean, degraded):
    """Linear discriminant analysis; returns (mean, projection)."""
    mu = ((clean.mean(0) + degraded.mean(0)) / 2).astype(np.float32)
    mean, half = (clean + degraded) / 2 - mu, (clean - degraded) / 2
    between = mean.T @ mean / np.float32(len(mean))
    within = half.T @ half / np.float32(len(mean))
    within += np.eye(len(mu), dtype=np.float32) * (np.trace(within) / len(mu) * RIDGE)
    n = CONFIG.n_dims
    lam, axes = scipy.linalg.eigh(
        between.astype(float), within.astype(float), subset_by_index=[len(mu) - n, len(mu) - 1]
    )
    lam, axes = lam[::-1], axes[:, ::-1]
    # `between` holds half of the within scatter too, so an axis of pure noise has an eigenvalue of 1.
    root = np.sqrt(np.maximum(lam - 1, 1e-3))
    print(f"eigenvalues {lam[0]:.1f} ... {lam[-1]:.2f}")
    return mu, axes * (root / (1 + root))


def train_quantizer(embeddings):
    """Return (rotation, centroids): OPQ with 32 sub-vectors of 16 centroids."""
    n_sub = 32
    opq = faiss.OPQMatrix(CONFIG.n_dims, n_sub)
    pq = faiss.ProductQuantizer(CONFIG.n_dims, n_sub, 4)
    opq.pq = pq
    opq.niter = 30
    opq.train(embeddings)
    rotation = faiss.vector_to_array(opq.A).reshape(CONFIG.n_dims, CONFIG.n_dims)
    pq.train(np.ascontiguousarray(embeddings @ rotation.T))
    return rotation, faiss.vector_to_array(pq.centroids).reshape(n_sub, 16, CONFIG.n_dims // n_sub)


def cohort():
    rng = np.random.default_rng(2027)
    tracks = training_tracks()
    seconds = COHORT_WORDS / CONFIG.words_per_second
    rows = []
    level = CONFIG.item_peaks.index(CONFIG.track_peaks)
    while len(rows) < N_COHORT:
        track = tracks[len(rows) % len(tracks)]  # every track about equally often: variety counts
        y = track.samples(rng.uniform(0, max(track.duration_s - seconds - 6, 0)), seconds + 6)
        words = peak_words(saliency(band_magnitudes(y, CONFIG), CONFIG), CONFIG)[level]
        words = words[40 : 40 + COHORT_WORDS]
        if len(words) == COHORT_WORDS and np.bitwise_count(words).mean() > 2:
            rows.append(words)
    return np.array(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--excerpts", type=int, default=8000)
    parser.add_argument("--out", type=Path, default=MODEL_PATH)
    args = parser.parse_args()
    music.load_tracks(), music.load_speech()  # fill the caches before the processes start
    size = 100
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(pairs, [(i, size) for i in range(args.excerpts // size)]))
    clean, degraded = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    print(f"{len(clean)} pairs of patches")
    mu, projection = train_projection(clean, degraded)
    e = np.concatenate([clean - mu, degraded[: len(clean) // 2] - mu]) @ projection.astype(np.float32)
    e /= np.linalg.norm(e, axis=1, keepdims=True)
    rotation, centroids = train_quantizer(e.astype(np.float32))
    rotated = (projection @ rotation.T).astype(np.float32)
    model = Model(
        config=CONFIG,
        projection=rotated,
        offset=(mu @ rotated).astype(np.float32),
        centroids=centroids.astype(np.float32),
        cohort=cohort(),
    )
    args.out.write_bytes(dump_model(model))
    print(f"model {model.digest}, {args.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
