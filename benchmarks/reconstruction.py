"""How much of a recording can be got back from what a pack has of it, by measure.

::

    python benchmarks/reconstruction.py                  table, for the excerpts and the speech in data/
    python benchmarks/reconstruction.py --out sounds     also the sounds, to listen to
    python benchmarks/reconstruction.py --quick          10 s of each, and a linear regression: a minute of CPU

A pack has for each 64 ms which 6 of 64 bands stand out, and for each second an embedding in 16 bytes. Two ways back:

- `sinusoids`: a tone for every peak, at the middle of its band, no louder or softer than the others;
- `regression`: a network learns on other music (never on what is measured) to tell the bands' log magnitudes from the
  peaks of 0.6 s and the embeddings turned back into maps, and Griffin and Lim's algorithm (IEEE ASSP 32(2), 1984, with
  momentum) finds a signal with these magnitudes.

Beside them what they are to be held against: the original without what is above 3.5 kHz (`cut 3.5 kHz`), noise with the
original's mean spectrum (`noise`), and the `regression` of another recording (`chance`). Measures, each 1 or 0 at best:

- `lsd_db`: distance of log spectra in bands, each frame's own level removed, as root mean square [dB];
- `chroma`: correlation of 12 pitch classes over time, frame by frame; `note`: frames whose strongest one is the same;
- `rhythm`: correlation of onset strength over time;
- `sdr_db`: scale-invariant signal-to-distortion ratio of the waveform [dB];
- `stoi`: intelligibility of speech (Taal et al. 2011): listeners understand little below 0.5, most above 0.75.
"""

import argparse
import csv
import warnings
from pathlib import Path

import librosa
import numpy as np
import soundfile
from pystoi import stoi
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor

import music
from earmark.audio import load
from earmark.catalog.lists import decode
from earmark.fingerprint import TrackFingerprinter, load_model
from earmark.fingerprint.bands import band_magnitudes, filter_bank

MODEL = load_model()
CONFIG = MODEL.config
SR = CONFIG.sr
WORD_SAMPLES = 2 * CONFIG.hop_length
CONTEXT_WORDS = 4  # to either side
TRAINING_TRACKS, TRAINING_S = 60, 60
ROUNDS = 15
HIDDEN = 512
GRIFFIN_LIM_ROUNDS = 100
DATA = Path(__file__).parents[1] / "data"


def packed(y):
    """What a pack has of a signal: bits [n_words, 64], and patches as good as their codes [n_patches, n_dims]."""
    fingerprinter = TrackFingerprinter(MODEL)
    fingerprinter.push(y)
    kept = fingerprinter.finish()
    bits = (kept.words[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    return bits.astype(np.float32), coded(kept.patches)


def coded(patches):
    """Patches after they went through the product quantizer."""
    x = patches.astype(np.float32) / CONFIG.patch_scale
    parts = x.reshape(len(x), -1, 1, MODEL.centroids.shape[2])
    nearest = ((parts - MODEL.centroids[None]) ** 2).sum(axis=3).argmin(axis=2)
    codes = (nearest[:, ::2] | nearest[:, 1::2] << 4).astype(np.uint8)
    return decode(codes, MODEL) * patches.any(axis=1, keepdims=True)


BACK = np.linalg.pinv(MODEL.projection.astype(np.float64)).astype(np.float32)


def lifted(patches, n_words):
    """Patches turned back into a map of saliency [n_words, 64], as far as 128 numbers tell one of 1984."""
    total, weight = np.zeros((n_words, 64), np.float32), np.zeros((n_words, 1), np.float32)
    maps = patches @ BACK
    hop = CONFIG.track_patch_stride * CONFIG.patch_hop_frames // 2
    for p, one in enumerate(maps.reshape(len(maps), -1, 64)):
        some = one[: max(0, n_words - p * hop)]
        total[p * hop : p * hop + len(some)] += some
        weight[p * hop : p * hop + len(some)] += 1
    return total / np.maximum(weight, 1)


def features(bits, patches):
    """One row for each word: the peaks around it, and the map that the patches give."""
    padded = np.pad(bits, ((CONTEXT_WORDS, CONTEXT_WORDS), (0, 0)))
    around = np.concatenate([padded[k : k + len(bits)] for k in range(2 * CONTEXT_WORDS + 1)], axis=1)
    return np.concatenate([around, 8 * lifted(patches, len(bits))], axis=1)


def log_bands(y):
    """Log magnitudes of bands, and of each pair of frames [n_words, 128], the level of 10 s around removed."""
    logs = np.log(band_magnitudes(y, CONFIG) + 1e-3)
    level = np.convolve(logs.mean(axis=1), np.ones(313) / 313, mode="same")  # 10 s
    logs = np.clip(logs - level[:, None], -6, 6)
    return logs[: len(logs) // 2 * 2].reshape(-1, 128)


def learned(n_tracks, *, linear):
    """Train a network on development music of other packages than those in data/."""
    tracks = [one for one in music.load_tracks() if music.package(one.id) not in music.BUNDLED_PACKAGES]
    rows, targets = [], []
    for at in np.random.default_rng(1).permutation(len(tracks))[:n_tracks]:
        start_s = max(0.0, (tracks[at].duration_s - TRAINING_S) / 2)
        y = np.ascontiguousarray(tracks[at].samples(start_s, TRAINING_S))
        if len(y) < 5 * SR:
            continue
        target = log_bands(y)
        row = features(*packed(y))
        n = min(len(row), len(target))
        rows.append(row[:n])
        targets.append(target[:n])
    x, t = np.concatenate(rows), np.concatenate(targets)
    if linear:
        network = Ridge(alpha=100.0)
    else:
        network = MLPRegressor(
            hidden_layer_sizes=(HIDDEN,), early_stopping=True, max_iter=ROUNDS, batch_size=512, random_state=1
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that these rounds may not be all
        network.fit(x, t)
    print(
        f"trained on {len(x):,} words of {len(rows)} tracks; explains {network.score(x, t):.2f} of their variance",
        flush=True,
    )
    return network


def by_regression(network, bits, patches):
    """A signal whose bands are as the network says."""
    logs = network.predict(features(bits, patches)).reshape(-1, 64)
    bank = filter_bank(CONFIG)
    centres = np.array(
        [
            np.average(np.arange(a, a + e - s), weights=bank.weights[s:e])
            for a, s, e in zip(bank.first_bin, bank.first_weight, bank.first_weight[1:], strict=False)
        ]
    )
    bins = np.arange(CONFIG.n_fft // 2 + 1)
    magnitudes = np.array([np.interp(bins, centres, row, left=-6, right=-6) for row in logs])
    with np.errstate(all="ignore"):
        return librosa.griffinlim(
            np.exp(magnitudes).T.astype(np.float32),
            n_iter=GRIFFIN_LIM_ROUNDS,
            hop_length=CONFIG.hop_length,
            n_fft=CONFIG.n_fft,
            center=False,
            random_state=1,
        )


def by_sinusoids(bits):
    """A tone for every peak, with its phase going on, faded in and out over a word."""
    steps = np.arange(CONFIG.n_bands) + 1
    hz = CONFIG.fmin * (CONFIG.fmax / CONFIG.fmin) ** (steps / (CONFIG.n_bands + 1))
    envelope = np.repeat(bits, WORD_SAMPLES, axis=0)
    window = np.hanning(WORD_SAMPLES) / np.hanning(WORD_SAMPLES).sum()
    t = np.arange(len(envelope)) / SR
    y = np.zeros(len(envelope))
    for band in range(CONFIG.n_bands):
        faded = np.convolve(envelope[:, band], window, mode="same")
        y += faded * np.sin(2 * np.pi * hz[band] * t + band) / hz[band] ** 0.5
    lead = (CONFIG.n_fft - CONFIG.hop_length) // 2
    return np.concatenate([np.zeros(lead), y]).astype(np.float32)


def noise_like(y, rng):
    """Noise with the mean spectrum of a signal."""
    spectrum = np.abs(librosa.stft(y, n_fft=1024)).mean(axis=1, keepdims=True)
    noise = librosa.stft(rng.standard_normal(len(y)).astype(np.float32), n_fft=1024)
    return librosa.istft(noise * spectrum, length=len(y))


def correlation(a, b):
    """Pearson's, 0 where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def measures(y, made):
    """How near a signal is to the original."""
    n = min(len(y), len(made))
    y, made = y[:n], made[:n]
    bands = [np.log(band_magnitudes(np.ascontiguousarray(s, np.float32), CONFIG) + 1e-3) for s in (y, made)]
    a, b = (s - s.mean(axis=1, keepdims=True) for s in bands)
    loud = bands[0].mean(axis=1) > np.quantile(bands[0].mean(axis=1), 0.1)
    lsd = float(np.sqrt(((a[loud] - b[loud]) ** 2).mean()) * 20 / np.log(10))
    chroma = [librosa.feature.chroma_stft(y=s, sr=SR, n_fft=2048, hop_length=2048, tuning=0.0) for s in (y, made)]
    onsets = [librosa.onset.onset_strength(y=s, sr=SR, n_fft=512, hop_length=128, fmax=4000) for s in (y, made)]
    lags = range(-8, 9)
    rhythm = max(correlation(onsets[0][8:-8], np.roll(onsets[1], lag)[8:-8]) for lag in lags)
    scaled = made * (y @ made) / max(made @ made, 1e-12)
    sdr = 10 * np.log10((scaled @ scaled + 1e-12) / ((y - scaled) @ (y - scaled) + 1e-12))
    return {
        "lsd_db": lsd,
        "chroma": float(np.mean([correlation(p, q) for p, q in zip(chroma[0].T, chroma[1].T, strict=True)])),
        "note": float((chroma[0].argmax(axis=0) == chroma[1].argmax(axis=0)).mean()),
        "rhythm": rhythm,
        "sdr_db": float(sdr),
        "stoi": float(stoi(y, made, SR)),
    }


def signals(kind):
    """Names and signals of the music or the speech in data/."""
    table = DATA / ("tracks.csv" if kind == "music" else "speech.csv")
    with table.open(encoding="utf-8", newline="") as file:
        paths = [DATA / row["path"] for row in csv.DictReader(file)]
    return [(path.stem, load(path)) for path in paths]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for the sounds")
    parser.add_argument("--quick", action="store_true", help="10 s of each, and a linear regression")
    options = parser.parse_args()
    network = learned(20 if options.quick else TRAINING_TRACKS, linear=options.quick)
    rng = np.random.default_rng(2)
    print(f"{'':22}" + "".join(f"{name:>9}" for name in ("lsd_db", "chroma", "note", "rhythm", "sdr_db", "stoi")))
    for kind in ("music", "speech"):
        some = [(name, y[: 10 * SR] if options.quick else y) for name, y in signals(kind)]
        back = [by_regression(network, *packed(y)) for _, y in some]
        found = {"cut 3.5 kHz": [], "regression": [], "sinusoids": [], "chance": [], "noise": []}
        for n, (name, y) in enumerate(some):
            made = {
                "cut 3.5 kHz": librosa.resample(
                    librosa.resample(y, orig_sr=SR, target_sr=7000), orig_sr=7000, target_sr=SR
                ),
                "regression": back[n],
                "sinusoids": by_sinusoids(packed(y)[0]),
                "chance": back[(n + 1) % len(back)],
                "noise": noise_like(y, rng),
            }
            for way, sound in made.items():
                found[way].append(measures(y, sound))
                if options.out is not None:
                    options.out.mkdir(parents=True, exist_ok=True)
                    path = options.out / f"{name}-{way.replace(' ', '')}.wav"
                    soundfile.write(path, 0.5 * sound / max(np.abs(sound).max(), 1e-9), SR)
        for way, rows in found.items():
            means = [np.mean([row[name] for row in rows]) for name in rows[0]]
            print(f"{kind:8}{way:14}" + "".join(f"{mean:9.2f}" for mean in means), flush=True)


if __name__ == "__main__":
    main()
