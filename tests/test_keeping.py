"""Fingerprints that were kept: bit for bit what they were, or a clear word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ScanError
from earmark.fingerprint import fingerprint, load_model
from earmark.scan import keeping
from earmark.scan.keeping import fingerprint_from_bytes, fingerprint_to_bytes

from .small_catalog import excerpt

MODEL = load_model()
FIELDS = ("words", "patches", "saliency")


def same(one, other):
    assert (one.n_samples, one.n_frames) == (other.n_samples, other.n_frames)
    for name in FIELDS:
        assert getattr(one, name).dtype == getattr(other, name).dtype, name
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.fixture(scope="module")
def heard():
    return fingerprint([excerpt("azum", duration_s=20.0, sr=8000), np.zeros(20_000, np.float32)], MODEL)


def test_nothing_of_real_music_is_lost_and_it_takes_little(heard):
    data = fingerprint_to_bytes(heard, MODEL)
    same(fingerprint_from_bytes(data, MODEL), heard)
    raw = sum(getattr(heard, name).nbytes for name in FIELDS)
    assert len(data) < 0.4 * raw


@given(st.integers(0, 30_000), st.sampled_from(["noise", "clicks", "silence", "loud"]), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_nothing_is_lost_whatever_it_is(n_samples, kind, seed):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n_samples).astype(np.float32)
    y = {"noise": y, "clicks": y * (rng.random(n_samples) < 0.001), "silence": 0 * y, "loud": 1e4 * y}[kind]
    made = fingerprint([y.astype(np.float32)], MODEL)
    same(fingerprint_from_bytes(fingerprint_to_bytes(made, MODEL), MODEL), made)


def test_blocks_make_no_difference(heard, monkeypatch):
    whole = fingerprint_to_bytes(heard, MODEL)
    for frames in (64, 256, 688):
        monkeypatch.setattr(keeping, "_BLOCK_FRAMES", frames)
        assert fingerprint_to_bytes(heard, MODEL) == whole


def test_no_byte_may_change(heard):
    data = fingerprint_to_bytes(heard, MODEL)
    rng = np.random.default_rng(3)
    for at in (*range(0, 72, 5), *rng.integers(0, len(data), 120)):
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(8))
        try:
            found = fingerprint_from_bytes(bytes(changed), MODEL)
        except ScanError:
            continue
        same(found, heard)  # a bit that says nothing, such as the rest of a last byte
    for cut in (0, 10, 71, 72, 500, len(data) - 1):
        with pytest.raises(ScanError, match="damaged"):
            fingerprint_from_bytes(data[:cut], MODEL)
    with pytest.raises(ScanError, match="damaged"):
        fingerprint_from_bytes(data + b"x", MODEL)
