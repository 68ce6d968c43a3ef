"""Real music made into far more tracks than there is of it: fingerprints of the development tracks turned backwards,
transposed and blended, kept on disk in blocks.

::

    python benchmarks/enlarging.py --tracks 20000 --out FOLDER       goes on where it stopped

Track 0 to 300 are the development tracks as they are; after them, round after round, each track once more: first every
mixture of backwards or not with a whole number of semitones (by resampling, so tempo goes with pitch), then blends of
two tracks, each with semitones of its own. Blends stay within the packages that the model was trained with, or within
those that it was not. Nothing is nearer than half a semitone to an unchanged track, where a patch no longer takes
one for the other. The fingerprints are true ones, of samples that a decoder could have given.
"""

import argparse
import dataclasses
import functools
import time
from pathlib import Path

import numpy as np
import soxr

import music
from earmark.catalog.hearing import sketch
from earmark.fingerprint import TrackFingerprinter, load_model

__all__ = ["BLOCK", "Block", "block_path", "is_test", "read_block", "recipe"]

BLOCK = 100
SEMITONES = tuple(range(-7, 8))
WHOLE = [(backwards, s) for s in SEMITONES for backwards in (True, False) if backwards or s]
"""How whole tracks are changed."""
SEED = 11


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Fingerprints of consecutive tracks, end to end.

    `patches` [shape=(n_patches, n_dims), dtype=int8], `words` [shape=(n_words,), dtype=uint64], and for each track
    `n_patches`, `n_words`, `n_samples` and `seconds`, the CPU time that its fingerprint took without any decoding.
    """

    patches: np.ndarray
    words: np.ndarray
    n_patches: np.ndarray
    n_words: np.ndarray
    n_samples: np.ndarray
    seconds: np.ndarray


def is_test(track_id):
    """Return whether the model never saw a track's package."""
    return music.package(track_id) in music.TEST_PACKAGES | music.BUNDLED_PACKAGES


@functools.cache
def _sides():
    sides = [[t for t in music.load_tracks() if is_test(t.id) == side] for side in (False, True)]
    return {t.id: [other for other in sides[is_test(t.id)] if other is not t] for t in music.load_tracks()}


def recipe(number):
    """Return [(development track, backwards, semitones)] of a track: one part, or two that are blended."""
    tracks = music.load_tracks()
    round_, which = divmod(number, len(tracks))
    if round_ == 0:
        return [(tracks[which], False, 0.0)]
    if round_ <= len(WHOLE):
        backwards, semitones = WHOLE[(round_ - 1 + which) % len(WHOLE)]
        return [(tracks[which], backwards, float(semitones))]
    rng = np.random.default_rng([SEED, number])
    others = _sides()[tracks[which].id]
    parts = [tracks[which], others[rng.integers(len(others))]]
    return [(track, bool(rng.integers(2)), float(rng.choice([-1, 1]) * rng.uniform(0.6, 7.0))) for track in parts]


def samples(number):
    """Return the samples of a track at 8 kHz, float32."""
    changed = []
    for track, backwards, semitones in recipe(number):
        y = track.samples()
        y = y[::-1] if backwards else y
        ratio = 2.0 ** (semitones / 12)
        changed.append(soxr.resample(y, music.SR * ratio, music.SR, "MQ") if semitones else np.ascontiguousarray(y))
    if len(changed) == 1:
        return changed[0]
    first, second = changed
    second = np.resize(second, len(first))
    loudness = np.sqrt([np.mean(first**2) + 1e-12, np.mean(second**2) + 1e-12])
    return 0.5 * first + (0.5 * loudness[0] / loudness[1]) * second


def block_path(folder, number):
    """Return where block `number` is kept: tracks `BLOCK * number` on."""
    return folder / f"block-{number:05d}.npz"


def read_block(path):
    """Return a block that was kept."""
    with np.load(path) as kept:
        return Block(**{field.name: kept[field.name] for field in dataclasses.fields(Block)})


def make_block(number, path):
    """Make a block and keep it."""
    model, made, seconds = load_model(), [], []
    for track in range(BLOCK * number, BLOCK * (number + 1)):
        y = samples(track).astype(np.float32)
        began = time.process_time()
        fingerprinter = TrackFingerprinter(model)
        fingerprinter.push(y)
        made.append(sketch(fingerprinter.finish()))
        seconds.append(time.process_time() - began)
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        patches=np.concatenate([one.patches for one in made]),
        words=np.concatenate([one.words for one in made]),
        n_patches=[len(one.patches) for one in made],
        n_words=[len(one.words) for one in made],
        n_samples=[one.n_samples for one in made],
        seconds=seconds,
    )
    partial.rename(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracks", type=int, default=20_000)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for number in range(-(-args.tracks // BLOCK)):
        path = block_path(args.out, number)
        if not path.exists():
            began = time.perf_counter()
            make_block(number, path)
            print(f"block {number}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
