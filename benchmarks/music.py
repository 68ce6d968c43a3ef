"""The development music as arrays: mono 8 kHz, decoded once into a cache beside the music.

Splits are by package, so that no artist stands on both sides.
"""

import functools
import importlib.util
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from earmark import audio

__all__ = [
    "BUNDLED_PACKAGES",
    "SR",
    "TEST_PACKAGES",
    "Track",
    "cache",
    "load_speech",
    "load_tracks",
    "music_files",
    "package",
]

SR = audio.SAMPLE_RATE

# Kept out of training, to measure with.
TEST_PACKAGES = frozenset(
    [
        "ardentryst",
        "asc-music",
        "freedink-data",
        "fretsonfire-songs-muldjord",
        "frozen-bubble-data",
        "hedgewars-data",
        "lordsawar-data",
        "pushover-data",
        "trackballs-data",
        "warzone2100-music",
        "zaz-data",
    ]
)
# The excerpts in data/ come from these, and one of their artists has a track in starfighter-data: kept out, too.
BUNDLED_PACKAGES = frozenset(
    ["fretsonfire-songs-muldjord", "freedink-data", "miceamaze", "starfighter-data", "wordwarvi-sound", "zaz-data"]
)


def _fetch_music():
    path = Path(__file__).parents[1] / "data" / "fetch_music.py"
    spec = importlib.util.spec_from_file_location("fetch_music", path)
    module = sys.modules.setdefault("fetch_music", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


def cache():
    """Return the folder that the music was fetched into."""
    return _fetch_music().default_cache()


def package(track_id):
    """Return the package that a track comes from."""
    return track_id.split("/")[0]


class Track:
    """A track of the development set: its id and its samples as int16, memory-mapped."""

    def __init__(self, track_id, path):
        self.id = track_id
        self.pcm = np.load(path, mmap_mode="r")

    @property
    def duration_s(self):
        return len(self.pcm) / SR

    def samples(self, start_s=0.0, duration_s=None):
        """Return float32 samples of a part, or the whole."""
        a = int(start_s * SR)
        e = len(self.pcm) if duration_s is None else a + int(duration_s * SR)
        return self.pcm[a:e].astype(np.float32) / 32768


@functools.cache
def music_files():
    """Return (id, path of the original file) of every track, sorted by id."""
    fetch = _fetch_music()
    return fetch.tracks(fetch.default_cache())


@functools.cache
def load_tracks():
    """Return every track of the development set, decoding what is not in the cache."""
    fetch = _fetch_music()
    return [Track(track_id, pcm) for track_id, pcm in _cached(fetch, "pcm", fetch.tracks)]


@functools.cache
def load_speech():
    """Return all dialogue of fillets-ng-data-nl, end to end, as float32."""
    fetch = _fetch_music()
    clips = _cached(fetch, "speech", lambda c: [x for x in fetch.speech_clips(c) if x[0].startswith("fillets")])
    return np.concatenate([np.load(path).astype(np.float32) / 32768 for _, path in clips])


def _cached(fetch, kind, listing):
    cache = fetch.default_cache()
    folder = cache / kind
    index = folder / "index.json"
    if not index.exists():
        folder.mkdir(exist_ok=True)
        found = [(i, str(p), str(folder / (i.replace("/", "__") + ".npy"))) for i, p in listing(cache)]
        with ProcessPoolExecutor() as pool:
            list(pool.map(_decode, found, chunksize=4))
        index.write_text(json.dumps([(i, target) for i, _, target in found]))
    return [(i, target) for i, target in json.loads(index.read_text())]


def _decode(found):
    _, source, target = found
    if not Path(target).exists():
        y = audio.load(source)
        np.save(target, np.clip(np.round(y * 32768), -32768, 32767).astype(np.int16))
