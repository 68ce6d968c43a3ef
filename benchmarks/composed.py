"""Long items: excerpts at a random place of music that matches nothing else, and mixes with speech between.

The filler is music of packages that the catalog of these cells leaves out: `filler_catalog()`.
"""

import dataclasses
import json

import numpy as np
import soxr

import cells
import degradations as d
import folds
import music
import queries
from earmark import audio

__all__ = ["COMPOSED", "FILLERS", "LONG_S", "filler_catalog", "fillers", "kept_mix", "prepare_mix", "surrounded"]

FILLERS = ("planetblupi-music-ogg", "colobot-common-sounds")
LONG_S = 300.0
COMPOSED = "composed"
SR = music.SR
RATE = 44100
FADE_S = 0.02


def filler_catalog():
    """Return the path of the catalog of all development tracks but the fillers."""
    return folds.catalog_without(FILLERS, "fillers")


def fillers():
    """Return the tracks that fill up long items."""
    return [t for t in music.load_tracks() if music.package(t.id) in FILLERS and t.duration_s > 40]


def _filler(seconds, rng):
    """Return stretches of 30 s and more of filler music, one after the other, as float32 at 8 kHz."""
    tracks, parts, missing = fillers(), [], seconds
    while missing > 0:
        track = tracks[rng.integers(len(tracks))]
        length_s = min(rng.uniform(30, 120), missing, track.duration_s)
        parts.append(_faded(track.samples(rng.uniform(0, track.duration_s - length_s), length_s)))
        missing -= len(parts[-1]) / SR + 1e-3
    return np.concatenate(parts)


def _faded(y, seconds=FADE_S, sr=SR):
    """Fade in and out."""
    n = min(int(seconds * sr), len(y) // 2)
    ramp = np.linspace(0, 1, n, dtype=np.float32)
    y = y.copy()
    y[:n] *= ramp
    y[len(y) - n :] *= ramp[::-1]
    return y


def surrounded(query, seed=queries.SEED):
    """Return a query of `LONG_S` seconds that holds the given one at a random place, with filler around it."""
    rng = np.random.default_rng([seed, 77, query.number])
    y = query.samples()
    around = _filler(LONG_S - len(y) / SR, rng)
    at = int(rng.integers(len(around)))
    loudness = _rms(y) * 10 ** (rng.uniform(-6, 6) / 20)
    around *= loudness / max(_rms(around), 1e-5)
    item = np.concatenate([_faded(around[:at]), _faded(y), _faded(around[at:])])
    item /= max(1.0, float(np.abs(item).max()))
    shifted = tuple(
        dataclasses.replace(s, item_start_s=s.item_start_s + at / SR, item_end_s=s.item_end_s + at / SR)
        for s in query.truth
    )
    return dataclasses.replace(query, pcm=np.round(item * 32767).astype(np.int16), truth=shifted)


def _rms(y):
    return float(np.sqrt(np.mean(y**2)))


@dataclasses.dataclass(kw_only=True, slots=True)
class _Mix:
    """A mix that grows piece by piece, at `RATE` Hz."""

    y: np.ndarray
    truth: list
    faint: list

    def append(self, piece, fade_s, place):
        """Add a piece that begins while the last one fades out; `place` is (track id, start) of catalog music."""
        n = min(round(fade_s * RATE), len(self.y), len(piece) // 3)
        start_s = (len(self.y) - n) / RATE
        angle = np.linspace(0, np.pi / 2, n, dtype=np.float32)
        third_s = n / RATE / 3
        self.y[len(self.y) - n :] = self.y[len(self.y) - n :] * np.cos(angle) + piece[:n] * np.sin(angle)
        self.y = np.concatenate([self.y, piece[n:]])
        if self.truth and n and self.truth[-1].item_end_s > start_s:
            last = self.truth[-1]
            self.truth[-1] = dataclasses.replace(last, item_end_s=last.item_end_s - third_s)
            self.faint.append(_part(last, last.item_end_s - third_s, last.item_end_s))
        if place:
            whole = queries.Segment(
                item_start_s=start_s, item_end_s=len(self.y) / RATE, track_id=place[0], track_start_s=place[1]
            )
            if n:
                self.faint.append(_part(whole, start_s, start_s + third_s))
            self.truth.append(_part(whole, start_s + third_s * bool(n), whole.item_end_s))


def _part(segment, start_s, end_s):
    return dataclasses.replace(
        segment, item_start_s=start_s, item_end_s=end_s, track_start_s=segment.track_time(start_s)
    )


def _compose(number, seed):
    """Return (samples at `RATE`, truth, faint) of a mix of 2 to 5 minutes."""
    rng = np.random.default_rng([seed, 78, number])
    length = rng.uniform(120, 300) * RATE
    mix = _Mix(y=np.zeros(0, np.float32), truth=[], faint=[])
    before = None
    while len(mix.y) < length:
        kind = str(rng.choice(["music", "speech", "filler"], p=[0.55, 0.2, 0.25])) if before else "music"
        seconds = float(rng.uniform(8, 40))
        place = None
        if kind == "music":
            place = _excerpt_place(rng, seconds)
            y, sr = queries.cut(*place, seconds)
            y = y.mean(axis=1)
        elif kind == "speech":
            speech = queries.test_speech()
            start = int(rng.integers(0, len(speech) - seconds * SR))
            y, sr = speech[start : start + int(seconds * SR)], SR
        else:
            y, sr = _filler(seconds, rng), SR
        y = soxr.resample(y, sr, RATE, "HQ") if sr != RATE else y
        y = y * np.float32(0.1 * 10 ** (rng.uniform(-6, 6) / 20) / max(_rms(y), 1e-4))
        fades = before is not None and "speech" not in (kind, before) and rng.random() < 0.7
        mix.append(y.astype(np.float32), rng.uniform(1, 4) if fades else 0.0, place)
        before = kind
    mix.y /= max(1.0, float(np.abs(mix.y).max()))
    return mix, str(rng.choice(["mp3", "opus", "aac"])), int(rng.choice([64, 96, 128]))


def _excerpt_place(rng, seconds):
    """Choose an excerpt of a test track; silences are as they come."""
    place = queries.place(int(rng.integers(queries.MOST_QUERIES)))
    durations = {t.id: t.duration_s for t in music.load_tracks()}
    return place[0], min(place[1], durations[place[0]] - seconds - 1.0)


def _path(number, seed):
    return queries.folder(cells.Cell(name=COMPOSED, kind=COMPOSED, value=None), 0, seed) / f"{number:05d}.npz"


def prepare_mix(number, seed=queries.SEED):
    """Make one composed item, encode it, read it back and keep it, unless it is kept already."""
    path = _path(number, seed)
    if path.exists():
        return
    mix, name, kbit_s = _compose(number, seed)
    y = audio.load(d.encode(mix.y, RATE, name, kbit_s))
    about = {part: [dataclasses.asdict(s) for s in getattr(mix, part)] for part in ("truth", "faint")}
    queries.write(path, y, about | {"codec": f"{name} {kbit_s}"})


def kept_mix(number, seed=queries.SEED):
    """Return (query, faint segments) of a composed item that `prepare_mix` made."""
    with np.load(_path(number, seed)) as stored:
        about, pcm = json.loads(str(stored["about"])), stored["pcm"]
    truth, faint = (tuple(queries.Segment(**s) for s in about[part]) for part in ("truth", "faint"))
    return queries.Query(number=number, pcm=pcm, truth=truth, change=cells.Change()), faint
