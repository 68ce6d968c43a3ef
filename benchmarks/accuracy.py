"""Recall at the default threshold, for excerpts of the test packages against a catalog of all development tracks.

::

    python benchmarks/accuracy.py                      200 excerpts a cell, of 5 and of 10 s
    python benchmarks/accuracy.py --cells clean speed_102 --seconds 3

Excerpts are cut from the original files at their own rate, changed, and go through the reader, the fingerprint and the
matcher as any item would. Noise is added at the rate that the cell names, at 0 dB over the whole band up to half of it:
the lower the rate, the more of the noise lies where music is. `found`: a match with the right track; `right offset`:
the best such match lies within 0.25 s, or at a place of the track that sounds the same (loops). `other`: excerpts in
which another track is claimed, apart from tracks that hold the same sounds there.
"""

import argparse
import io
import os
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import soundfile
import soxr

import degradations as d
import folds
import music
from earmark import audio
from earmark.fingerprint import fingerprint, load_model
from earmark.matching import Matcher

CELLS = ("clean", "mp3_64", "opus_24", "white_44100", "white_16000", "white_8000", "speech_0", "reverb")
MARGIN_S = 5.0
ALIKE = 0.4


def excerpt(path, start_s, seconds):
    """Cut mono float32 out of an audio file; returns (y, sr)."""
    with soundfile.SoundFile(path) as file:
        file.seek(int(start_s * file.samplerate))
        y = file.read(int(seconds * file.samplerate), dtype="float32", always_2d=True)
        return y.mean(axis=1), file.samplerate


def item_bytes(y, sr, cell, rng, speech):
    """Return the bytes of an audio file: the excerpt after what the cell names."""
    kind, _, value = cell.partition("_")
    if kind in ("mp3", "opus"):
        return d.encode(y, sr, kind, int(value))
    if kind == "white":
        y, sr = soxr.resample(y, sr, int(value), "HQ"), int(value)
        y = d.noise(y, rng, 0.0)
    elif kind == "speed":  # in percent of the original's
        y = d.speed(y, int(value) / 100)
    elif kind == "reverb":
        y = d.reverb(y, sr, rng)
    elif kind == "speech":
        start = rng.integers(0, len(speech) - int(len(y) / sr * music.SR) - 1)
        voice = soxr.resample(speech[start : start + int(len(y) / sr * music.SR)], music.SR, sr, "HQ")
        y = d.add(y, voice, float(value))
    buffer = io.BytesIO()
    soundfile.write(buffer, y, sr, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def places(n):
    """Choose excerpts: a test track, each about equally often, and a start; the same for every cell and length."""
    rng = np.random.default_rng(5)
    tracks = [t for t in music.load_tracks() if music.package(t.id) in music.TEST_PACKAGES and t.duration_s > 60]
    chosen = []
    while len(chosen) < n:
        track = tracks[rng.integers(len(tracks))]
        start_s = float(rng.uniform(MARGIN_S, track.duration_s - 25))
        if np.sqrt(np.mean(track.samples(start_s, 5.0) ** 2)) > 3e-3:  # not a silence
            chosen.append((track.id, start_s))
    return chosen


def judge(job):
    """Return (found, right offset, another track claimed, log10 of the best odds) for one excerpt."""
    number, (track_id, start_s), cell, seconds = job
    catalog, model = folds.open_cached(folds.full_catalog()), load_model()
    rng = np.random.default_rng([11, number])
    speech = music.load_speech() if cell.startswith("speech") else None
    y, sr = excerpt(dict(music.music_files())[track_id], start_s, seconds)
    with audio.stream(item_bytes(y, sr, cell, rng, speech)) as stream:
        matches = Matcher(catalog, model).match(fingerprint(stream, model))
    ids = [catalog.track(m.track).track_id for m in matches]
    right = [m for m, i in zip(matches, ids, strict=True) if i == track_id]
    if not right:
        return False, False, bool(matches), 0.0
    best = min(right, key=lambda m: m.log10_e_value)
    speed = int(cell.partition("_")[2]) / 100 if cell.startswith("speed") else 1.0
    true_start_s = start_s + best.item_start_s * speed
    near = abs(best.track_start_s - true_start_s) <= 0.25
    words = catalog.words(best.track)
    if not near:
        near = alike(words, true_start_s, words, best.track_start_s, best.item_end_s - best.item_start_s)
    wrong = False
    for m, i in zip(matches, ids, strict=True):
        seconds = m.item_end_s - m.item_start_s
        if i != track_id and not alike(
            words, start_s + m.item_start_s, catalog.words(m.track), m.track_start_s, seconds
        ):
            wrong = True
    return True, near, wrong, best.log10_e_value


def alike(a, a_start_s, b, b_start_s, seconds):
    """Return whether two places of tracks have many peaks in common."""
    rate = load_model().config.words_per_second
    n = int(seconds * rate)
    i, j = round(a_start_s * rate), round(b_start_s * rate)
    shares = []
    for k in range(max(j - 6, 0), j + 7):
        x, z = a[i : i + n], b[k : k + n]
        m = min(len(x), len(z))
        fewer = min(np.bitwise_count(x[:m]).sum(), np.bitwise_count(z[:m]).sum())
        shares.append(np.bitwise_count(x[:m] & z[:m]).sum() / max(fewer, 1))
    return max(shares) >= ALIKE


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", nargs="+", default=CELLS)
    parser.add_argument("--excerpts", type=int, default=200)
    parser.add_argument("--seconds", nargs="+", type=int, default=(5, 10))
    args = parser.parse_args()
    folds.full_catalog(), music.load_speech()
    chosen = places(args.excerpts)
    catalog_h = folds.open_cached(folds.full_catalog()).duration_s / 3600
    print(f"model {load_model().digest[:16]}, catalog {catalog_h:.1f} h")
    print("| cell | seconds | found | right offset | other | median log10 E |\n|---|---|---|---|---|---|")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for cell in args.cells:
            for seconds in args.seconds:
                jobs = [(n, place, cell, seconds) for n, place in enumerate(chosen)]
                found, near, other, odds = (np.array(x) for x in zip(*pool.map(judge, jobs, chunksize=5), strict=True))
                print(
                    f"| {cell} | {seconds} | {found.mean():.3f} | {near.sum() / max(found.sum(), 1):.3f} "
                    f"| {other.sum()} | {np.median(odds):.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
