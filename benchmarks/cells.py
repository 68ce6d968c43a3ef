"""The cells of the accuracy grid: what is done to an excerpt, by name.

A name is a kind, or a kind and a value: `white_0` is white noise at 0 dB, `white` at a level drawn for every query
from the kind's range. Speed, tempo and pitch are always drawn, evenly over their range (ratios: over its logarithm).
"""

import dataclasses
import io
import math
import shlex

import numpy as np
import soundfile
import soxr

import commands
import degradations as d
import stretching

__all__ = [
    "CORE",
    "EVERY",
    "HEAD_S",
    "MIXED",
    "STEREO",
    "Cell",
    "Change",
    "change_samples",
    "draw",
    "expanded",
    "item_file",
    "mix",
    "parse",
    "varied",
]

HEAD_S = 1.0
"""What is changed begins and ends so much outside the excerpt, so that no tool starts or ends in it."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What was drawn for one query: item over track."""

    tempo: float = 1.0
    pitch: float = 0.0
    level: float = 0.0
    tool: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A kind of `KINDS` and the value that its name carries, or None."""

    name: str
    kind: str
    value: float | None


RATIOS = {  # kind: (lowest and highest tempo, lowest and highest pitch as a ratio; None where both are one)
    "speed": ((0.67, 1.5), None),
    "slow_reverb": ((0.77, 0.83), None),
    "nightcore": ((1.2, 1.35), None),
    "tempo": ((0.6, 1.6), (1.0, 1.0)),
    "pitch": ((1.0, 1.0), (2 ** (-6 / 12), 2 ** (6 / 12))),
    "pitch_tempo": ((0.7, 1.3), (0.7, 1.3)),
}
LEVELS = {  # kind: range of the level, in dB unless said otherwise, where the name has no value
    "white": (-10, 10),
    "white16k": (-10, 10),
    "white44k": (-10, 10),
    "pink": (-10, 10),
    "pink20": (-10, 10),
    "babble": (-10, 10),
    "street": (-10, 10),
    "speech": (-10, 0),
    "second": (-6, 0),
    "eq": (12, 12),
    "clipping": (6, 24),
    "lowpass": (1000, 1000),  # Hz
    "highpass": (1000, 1000),  # Hz
    "mp3": (32, 32),  # kbit/s
    "opus": (12, 12),  # kbit/s
    "aac": (48, 48),  # kbit/s
}
PLAIN = frozenset(
    [
        *("clean", "8khz", "telephone", "gsm", "amr", "reverb", "compression", "channel", "inverted", "antiphase"),
        *("loop", "stem_guitar", "stem_backing"),
    ]
)
KINDS = frozenset(RATIOS) | frozenset(LEVELS) | PLAIN

CORE = (
    *("clean", "mp3_32", "opus_12", "telephone", "lowpass_1000", "reverb", "white_0", "pink_-5", "babble_0"),
    *("speech_-6", "speed", "slow_reverb", "tempo", "pitch", "pitch_tempo", "second_0"),
)
MIXED = frozenset(["second"])
"""Kinds that put a second track into the item."""
STEREO = frozenset(["channel", "antiphase"])
"""Kinds that look at the channels; all others begin with their mean."""
EVERY = (
    *CORE,
    *("mp3_64", "opus_24", "aac_48", "8khz", "gsm", "amr", "highpass_1000", "eq", "compression", "clipping"),
    *("channel", "inverted", "antiphase", "loop", "white16k_0", "white44k_0", "pink20_-5", "street_0"),
    *("speech_0", "speech_-10", "second_-3", "second_-6", "nightcore", "white", "pink", "babble", "street", "speech"),
)


def parse(name):
    """Return the cell of a name; raises ValueError if there is none."""
    kind, _, value = name.rpartition("_")
    if name in KINDS:
        return Cell(name=name, kind=name, value=None)
    try:
        if kind in LEVELS:
            return Cell(name=name, kind=kind, value=float(value))
    except ValueError:
        pass
    raise ValueError(f"there is no cell {name!r}: expected one of {', '.join(sorted(KINDS))}, or KIND_VALUE")


def varied(cell):
    """Return what of `Change` is drawn from a range in a cell: {field: (lowest, highest)}."""
    if cell.kind in RATIOS:
        tempo, pitch = RATIOS[cell.kind]
        pitch = tempo if pitch is None else pitch
        semitones = tuple(12 * math.log2(ratio) for ratio in pitch)
        coupled = RATIOS[cell.kind][1] is None
        fields = {"tempo": tempo} if coupled else {"tempo": tempo, "pitch": semitones}
        return {name: limits for name, limits in fields.items() if limits[0] < limits[1]}
    limits = LEVELS.get(cell.kind, (0, 0))
    return {"level": limits} if cell.value is None and limits[0] < limits[1] else {}


def expanded(names):
    """Return the names of cells, `core` and `every` spelled out."""
    sets = {"core": CORE, "every": EVERY}
    return [name for given in names for name in sets.get(given, (given,))]


def mix(y, sr, other, other_sr, level_db):
    """Play two excerpts at once, the first at `level_db` over the second; returns (samples with one column, sr)."""
    other = soxr.resample(other.mean(axis=1), other_sr, sr, "HQ")
    return d.add(y.mean(axis=1), other[: len(y)], level_db)[:, None], sr


def draw(cell, rng):
    """Return the `Change` of one query."""
    if cell.kind in RATIOS:
        tempo, pitch = RATIOS[cell.kind]
        speed = math.exp(rng.uniform(*np.log(tempo)))
        shift = speed if pitch is None else math.exp(rng.uniform(*np.log(pitch)))
        tool = "soxr" if pitch is None else str(rng.choice(sorted(stretching.TOOLS)))
        return Change(tempo=speed, pitch=12 * math.log2(shift), tool=tool)
    if cell.kind in LEVELS:
        return Change(level=float(rng.uniform(*LEVELS[cell.kind])) if cell.value is None else cell.value)
    return Change()


def change_samples(y, sr, cell, change, rng, speech):
    """Return (y, sr) of mono samples after all that a cell does to them, apart from encoding.

    `y` begins and ends `HEAD_S` seconds of the item outside the excerpt; so does what is returned. `speech` is mono at
    8 kHz, long.
    """
    kind, level = cell.kind, change.level
    if kind in ("speed", "nightcore"):
        return d.speed(y, change.tempo), sr
    if kind == "slow_reverb":
        return d.reverb(d.speed(y, change.tempo), sr, rng), sr
    if kind in RATIOS:
        return stretching.stretch(y, sr, change.tempo, change.pitch, change.tool), sr
    if kind in NOISY:
        return _noisy(y, sr, kind, level, rng, speech)
    if kind in _FILTERS:
        return _FILTERS[kind](y, sr, level, rng)
    return y, sr


NOISY = frozenset(["white", "white16k", "white44k", "pink", "pink20", "babble", "street", "speech"])


def _noisy(y, sr, kind, level, rng, speech):
    """Add noise at 8 kHz, all of it where Earmark listens, unless the kind names another rate."""
    rate = {"white16k": 16000, "white44k": 44100}.get(kind, 8000)
    y = soxr.resample(y, sr, rate, "HQ") if rate != sr else y
    if kind.startswith("white"):
        return d.noise(y, rng, level), rate
    if kind == "pink":
        return d.noise(y, rng, level, 1.0), rate
    if kind == "pink20":
        return d.noise(y, rng, level, 1.0, 20 / rate), rate
    if kind == "street":
        return d.add(y, d.street(len(y), rate, rng), level), rate
    if kind == "babble":
        return d.add(y, d.babble(len(y), speech, rng), level), rate
    start = int(rng.integers(0, len(speech) - len(y)))
    return d.add(y, speech[start : start + len(y)], level), rate


def _telephone(y, sr, _level, _rng):
    return commands.ffmpeg_codec(y, sr, "mulaw", 8000, "highpass=f=300:p=2,lowpass=f=3400:p=2"), 8000


def _gsm(y, sr, _level, _rng):
    return commands.ffmpeg_codec(y, sr, "gsm", 8000), 8000


def _amr(y, sr, _level, rng):
    return commands.sox_amr(y, sr, int(rng.integers(8))), 8000


def _compression(y, sr, _level, rng):
    chains = (
        "acompressor=threshold=0.03:ratio=12:attack=5:release=80:makeup=8,alimiter=limit=0.9",
        "dynaudnorm=f=100:g=5:m=30:s=12",
        "mcompand",
    )
    chain = chains[rng.integers(len(chains))]
    if chain == "mcompand":  # sox's own example of an FM radio
        bands = '"0.005,0.1 -47,-40,-34,-34,-17,-33" 100 "0.003,0.05 -47,-40,-34,-34,-17,-33" 400'
        bands += ' "0.000625,0.0125 -47,-40,-34,-34,-15,-33" 1600 "0.0001,0.025 -47,-40,-34,-34,-31,-31,-0,-30" 6400'
        bands += ' "0,0.025 -38,-31,-28,-28,-0,-25"'
        return commands.sox(y, sr, ["mcompand", *shlex.split(bands), "gain", "15"]), sr
    return commands.ffmpeg(y, sr, chain), sr


_FILTERS = {
    "telephone": _telephone,
    "gsm": _gsm,
    "amr": _amr,
    "8khz": lambda y, sr, _level, _rng: (soxr.resample(y, sr, 8000, "HQ"), 8000),
    "reverb": lambda y, sr, _level, rng: (d.reverb(y, sr, rng), sr),
    "eq": lambda y, sr, level, rng: (d.equalise(y, sr, rng, level), sr),
    "lowpass": lambda y, sr, level, _rng: (d.band_pass(y, sr, None, level), sr),
    "highpass": lambda y, sr, level, _rng: (d.band_pass(y, sr, level, None), sr),
    "compression": _compression,
    "clipping": lambda y, sr, level, _rng: (d.clip(y, level), sr),
    "inverted": lambda y, sr, _level, _rng: (-y, sr),
}


def item_file(y, sr, cell, rng):
    """Return the bytes of the item: encoded as the cell asks, else as WAV. `y` is mono, or has a column a channel."""
    if cell.kind in d.CODECS:
        return d.encode(y, sr, cell.kind, cell.value)
    if cell.kind == "channel":
        y = y[:, rng.integers(y.shape[1])]
        y = np.stack([y, np.zeros_like(y)], axis=1) if rng.integers(2) else y
    elif cell.kind == "antiphase":
        y = np.stack([y[:, 0], -y[:, -1]], axis=1)
    buffer = io.BytesIO()
    soundfile.write(buffer, y, sr, format="WAV", subtype="FLOAT")
    return buffer.getvalue()
