"""What is made for tracks alone is what a whole fingerprint has, bit for bit."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.audio import load
from earmark.errors import ParameterError
from earmark.fingerprint import TrackFingerprinter, fingerprint, load_model
from earmark.fingerprint.fingerprinter import BLOCK_FRAMES

MODEL = load_model()
CONFIG = MODEL.config
BLOCK = BLOCK_FRAMES * CONFIG.hop_length
MUSIC = sorted((Path(__file__).parents[1] / "data").rglob("*.opus"))


def assert_same(chunks, model=MODEL):
    config = model.config
    whole = fingerprint(chunks, model)
    fingerprinter = TrackFingerprinter(model)
    for y in chunks:
        fingerprinter.push(y)
    made = fingerprinter.finish()
    words = whole.words[config.item_peaks.index(config.track_peaks), 0]
    assert made.n_samples == whole.n_samples
    np.testing.assert_array_equal(made.words, words, strict=True)
    np.testing.assert_array_equal(made.patches, whole.patches[:: config.track_patch_stride], strict=True)
    return made


@pytest.mark.parametrize("path", MUSIC[:3], ids=lambda path: path.stem)
def test_music(path):
    y = load(path)
    made = assert_same(np.array_split(y, 7))
    assert made.words.any()
    assert made.patches.any()


@settings(deadline=None, max_examples=30)
@given(
    n_samples=st.one_of(
        st.integers(0, 3 * CONFIG.n_fft),
        st.integers(17_000, 40_000),  # the first patches
        st.integers(-2 * CONFIG.n_fft, 2 * CONFIG.n_fft).map(lambda n: BLOCK + n),
        st.integers(-3, 3).map(lambda n: 2 * BLOCK + CONFIG.n_fft + n),
    ),
    cuts=st.lists(st.floats(0, 1), max_size=3),
    quiet=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_any_length_in_any_pieces_with_silence_somewhere(n_samples, cuts, quiet):
    y = np.random.default_rng(n_samples).normal(0, 0.1, n_samples).astype(np.float32)
    y[slice(*sorted(int(n_samples * q) for q in quiet))] = 0
    assert_same(np.split(y, sorted(int(n_samples * cut) for cut in cuts)))


def test_another_number_of_peaks_and_another_stride():
    config = dataclasses.replace(CONFIG, track_peaks=12, track_patch_stride=3)
    y = np.random.default_rng(1).normal(0, 0.1, 2 * BLOCK).astype(np.float32)
    assert_same([y], dataclasses.replace(MODEL, config=config))


def test_it_is_finished_once():
    fingerprinter = TrackFingerprinter(MODEL)
    fingerprinter.finish()
    with pytest.raises(ParameterError, match="finished"):
        fingerprinter.finish()
