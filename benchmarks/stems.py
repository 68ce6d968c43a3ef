"""Stems: the guitar or all the rest of a song, against a catalog that holds the mix of both.

Debian's `fretsonfire-songs-muldjord` ships four songs as two files each, `song.ogg` without the lead guitar and
`guitar.ogg`. The catalog of these cells is that of all development tracks with the four mixes in place of the four
backings.
"""

import csv
import functools
import shutil

import numpy as np
import soundfile

import folds
import music
from earmark.catalog import add_tracks, remove_tracks
from earmark.fingerprint import load_model

__all__ = ["STEMS", "cut_stem", "stem_catalog", "stem_place"]

STEMS = {"stem_guitar": "guitar.ogg", "stem_backing": "song.ogg"}
SUFFIX = "/song.ogg"


@functools.cache
def _songs():
    """Return {id of the backing: its file} of the songs that have a guitar beside them."""
    return {i: path for i, path in music.music_files() if i.endswith(SUFFIX) and path.with_name("guitar.ogg").exists()}


def _mix_id(track_id):
    return track_id.removesuffix(SUFFIX) + "/mix"


def _read(path, start_s=0.0, seconds=None):
    with soundfile.SoundFile(path) as file:
        file.seek(round(start_s * file.samplerate))
        n = -1 if seconds is None else round(seconds * file.samplerate)
        return file.read(n, dtype="float32", always_2d=True), file.samplerate


def stem_catalog():
    """Return the path of the catalog with the mixes, made once for a model."""
    path = folds.catalogs() / "stems"
    if not path.exists():
        partial = path.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folds.full_catalog(), partial)
        remove_tracks(partial, list(_songs()))
        files = [_write_mix(track_id, source) for track_id, source in _songs().items()]
        table = folds.scratch() / "stems.csv"
        with table.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([("path", "track_id"), *files])
        add_tracks(partial, [file for file, _ in files], metadata=table, model=load_model(), jobs=1)
        partial.rename(path)
    return path


def _write_mix(track_id, source):
    """Write backing and guitar together; returns (file, track id)."""
    (song, sr), (guitar, _) = _read(source), _read(source.with_name("guitar.ogg"))
    n = max(len(song), len(guitar))
    mixed = sum(np.pad(y, ((0, n - len(y)), (0, 0))) for y in (song, guitar))
    target = folds.scratch() / "mixes" / (_mix_id(track_id).replace("/", "__") + ".flac")
    target.parent.mkdir(exist_ok=True)
    soundfile.write(target, mixed / max(1.0, float(np.abs(mixed).max())), sr)
    return target, _mix_id(track_id)


def stem_place(kind, seconds, rng):
    """Choose a place where the stem is heard; returns (id of the mix, file of the stem, start in seconds)."""
    songs = sorted(_songs().items())
    while True:
        track_id, song = songs[rng.integers(len(songs))]
        path = song.with_name(STEMS[kind])
        start_s = float(rng.uniform(2, soundfile.info(path).duration - seconds - 2))
        y, sr = _read(path, start_s, seconds)
        # A guitar has rests: every second of the excerpt must be heard.
        heard = np.sqrt(np.mean(y[: int(seconds) * sr].reshape(int(seconds), -1) ** 2, axis=1))
        if heard.min() > 3e-3:
            return _mix_id(track_id), path, start_s


def cut_stem(path, start_s, seconds):
    """Return (float32 with a column a channel, sr) of a stem."""
    return _read(path, start_s, seconds)
