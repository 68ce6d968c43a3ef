"""Queries of the accuracy grid: excerpts of test tracks, changed as a cell says, kept on disk as 8 kHz samples.

::

    python benchmarks/queries.py --cells clean speed --seconds 5 10 --queries 300

What is kept does not depend on the model or the matcher, so a change of either is measured again in no time. Every
query follows from the seed, the cell's name and the query's number alone: more queries later are a continuation, and
the same number is the same place of the same track in every cell. Excerpts are cut out of the original files at their
own rate, changed there, and read back by Earmark's reader as any item is.
"""

import argparse
import dataclasses
import functools
import json
import time
import zlib
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import soundfile

import cells
import music
import stems
from earmark import audio

__all__ = ["SEED", "Query", "Segment", "folder", "item_of", "kept", "place", "prepare", "write"]

SEED = 5
RECIPE = 1
"""Grows when a cell of the same name no longer gives the same samples."""
HEAD_S = cells.HEAD_S
MARGIN_S = 5.0
MOST_QUERIES, N_PLACES = 4000, 8100
"""The places after the first are for second tracks."""
SLOWEST, FASTEST = 0.6, 1.6


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Seconds of an item that are seconds of a track: what a query truly holds."""

    item_start_s: float
    item_end_s: float
    track_id: str
    track_start_s: float
    tempo: float = 1.0
    pitch: float = 0.0

    def track_time(self, item_s):
        """Return where in the track a second of the item is."""
        return self.track_start_s + (item_s - self.item_start_s) * self.tempo


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One query: its samples at 8 kHz, what it truly holds, and what was drawn for it."""

    number: int
    pcm: np.ndarray
    truth: tuple[Segment, ...]
    change: cells.Change

    def samples(self):
        """Return float32 samples."""
        return self.pcm.astype(np.float32) / 32768


@functools.cache
def _places(n, seed):
    """Choose excerpts: a test track, each about equally often, and a start. The first ones do not depend on `n`."""
    rng = np.random.default_rng(seed)
    tracks = [t for t in music.load_tracks() if music.package(t.id) in music.TEST_PACKAGES and t.duration_s > 60]
    chosen = []
    while len(chosen) < n:
        track = tracks[rng.integers(len(tracks))]
        start_s = float(rng.uniform(MARGIN_S, track.duration_s - 25))
        if np.sqrt(np.mean(track.samples(start_s, 5.0) ** 2)) > 3e-3:  # not a silence
            chosen.append((track.id, start_s))
    return chosen


def place(number, seed=SEED):
    """Return (track id, start in seconds) of the excerpt of a number, the same in every cell."""
    return _places(N_PLACES, seed)[number]


def cut(track_id, start_s, seconds):
    """Cut out of the original file; returns (float32 with a column a channel, sr)."""
    with soundfile.SoundFile(dict(music.music_files())[track_id]) as file:
        file.seek(int(start_s * file.samplerate))
        return file.read(round(seconds * file.samplerate), dtype="float32", always_2d=True), file.samplerate


@functools.cache
def test_speech():
    """Return the half of the dialogue that no model was trained with."""
    speech = music.load_speech()
    return speech[len(speech) // 2 :]


def item_of(number, cell, seconds, seed=SEED):
    """Make one query; returns (bytes of an audio file, truth, change)."""
    rng = np.random.default_rng([seed, zlib.crc32(cell.name.encode()), number])
    change = cells.draw(cell, rng)
    track_id, start_s = place(number, seed)
    if cell.kind == "loop":
        return _loop(track_id, start_s, seconds, rng, cell, change)
    if cell.kind in stems.STEMS:
        track_id, path, start_s = stems.stem_place(cell.kind, seconds, rng)
        y, sr = stems.cut_stem(path, start_s, seconds)
        return cells.item_file(y, sr, cell, rng), (_segment(seconds, track_id, start_s, change),), change
    duration_s = {t.id: t.duration_s for t in music.load_tracks()}[track_id]
    start_s = min(start_s, duration_s - FASTEST * (seconds + HEAD_S) - 0.5)
    y, sr = cut(track_id, start_s - HEAD_S * change.tempo, (seconds + 2 * HEAD_S) * change.tempo)
    truth = (_segment(seconds, track_id, start_s, change),)
    if cell.kind in cells.MIXED:
        other_id, other_start_s = _another(number, seed)
        other, other_sr = cut(other_id, other_start_s - HEAD_S, seconds + 2 * HEAD_S)
        y, sr = cells.mix(y, sr, other, other_sr, change.level)
        truth += (_segment(seconds, other_id, other_start_s, change),)
    if cell.kind not in cells.STEREO:
        y, sr = cells.change_samples(y.mean(axis=1), sr, cell, change, rng, test_speech())
    head = round(HEAD_S * sr)
    return cells.item_file(y[head : head + round(seconds * sr)], sr, cell, rng), truth, change


def _segment(seconds, track_id, start_s, change):
    return Segment(
        item_start_s=0.0,
        item_end_s=seconds,
        track_id=track_id,
        track_start_s=start_s,
        tempo=change.tempo,
        pitch=change.pitch,
    )


def _another(number, seed):
    """Return a place in a track of another package."""
    here = music.package(place(number, seed)[0])
    others = (place(n, seed) for n in range(MOST_QUERIES + number, N_PLACES))
    return next(other for other in others if music.package(other[0]) != here)


def _loop(track_id, start_s, seconds, rng, cell, change):
    """Repeat 2 to 4 s of a track through the whole item."""
    length_s = float(rng.uniform(2.0, 4.0))
    y, sr = cut(track_id, start_s, length_s)
    times = np.arange(0.0, seconds, len(y) / sr)
    truth = tuple(
        Segment(
            item_start_s=float(t),
            item_end_s=min(float(t) + len(y) / sr, seconds),
            track_id=track_id,
            track_start_s=start_s,
        )
        for t in times
    )
    y = np.resize(y.mean(axis=1), round(seconds * sr))
    return cells.item_file(y, sr, cell, rng), truth, change


def folder(cell, seconds, seed=SEED):
    """Return where the queries of a cell and length are kept."""
    return music.cache() / "queries" / f"recipe{RECIPE}-seed{seed}" / f"{cell.name}-{seconds}s"


def prepare(job):
    """Make one query and keep it, unless it is kept already; `job` is (number, cell, seconds, seed)."""
    number, cell, seconds, seed = job
    path = folder(cell, seconds, seed) / f"{number:05d}.npz"
    if path.exists():
        return
    item, truth, change = item_of(number, cell, seconds, seed)
    about = {"truth": [dataclasses.asdict(s) for s in truth], "change": dataclasses.asdict(change)}
    write(path, audio.load(item), about)


def write(path, y, about):
    """Keep float32 samples at 8 kHz as int16, with what is known of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part.npz")
    pcm = np.clip(np.round(y * 32768), -32768, 32767).astype(np.int16)
    np.savez(partial, pcm=pcm, about=np.array(json.dumps(about)))
    partial.replace(path)


def kept(number, cell, seconds, seed=SEED):
    """Return a query that `prepare` made."""
    with np.load(folder(cell, seconds, seed) / f"{number:05d}.npz") as stored:
        about = json.loads(str(stored["about"]))
        pcm = stored["pcm"]
    truth = tuple(Segment(**s) for s in about["truth"])
    return Query(number=number, pcm=pcm, truth=truth, change=cells.Change(**about["change"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", nargs="+", default=cells.CORE, help="names of cells; `core` and `every` are sets")
    parser.add_argument("--seconds", nargs="+", type=int, default=(5, 10))
    parser.add_argument("--queries", type=int, default=300, help="a cell and length")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    music.load_tracks(), music.load_speech()
    with ProcessPoolExecutor(args.jobs) as pool:
        for cell in map(cells.parse, cells.expanded(args.cells)):
            for seconds in args.seconds:
                began = time.perf_counter()
                jobs = [(number, cell, seconds, args.seed) for number in range(args.queries)]
                list(pool.map(prepare, jobs, chunksize=5))
                print(f"{cell.name} {seconds} s: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
