import dataclasses
import functools
import io
import multiprocessing
import os
import subprocess
import sys
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import earmark.fingerprint.fingerprinter as fingerprinter_module
from earmark.audio import load
from earmark.errors import ParameterError
from earmark.fingerprint import Fingerprint, FingerprintConfig, Fingerprinter, Model, fingerprint, load_model
from earmark.fingerprint.bands import band_magnitudes, filter_bank
from earmark.fingerprint.embedding import embed, n_patches, pair_sums
from earmark.fingerprint.fingerprinter import BLOCK_FRAMES
from earmark.fingerprint.model import dump_model, read_model
from earmark.fingerprint.peaks import peak_words
from earmark.fingerprint.saliency import saliency

from . import reference
from .formats.make_fingerprint_v1 import as_signal

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "formats" / "fingerprint_v1.npz"
CONFIG = FingerprintConfig()
BLOCK = BLOCK_FRAMES * CONFIG.hop_length + CONFIG.n_fft  # samples at which a block is worked off
SMALL = FingerprintConfig(  # every part small, and every number of weight in the result
    sr=100, n_fft=16, hop_length=4, n_bands=5, fmin=8.0, fmax=45.0, level_frames=3, floor_ratio=0.25,
    long_context=(2, 1), wide_context=(1, 2), track_peaks=2, item_peaks=(1, 2, 4), patch_frames=6, patch_hop_frames=2,
    n_dims=3, patch_floor=0.0107,
)  # fmt: skip
MAGNITUDE_RTOL = 1e-6  # of the largest magnitude: an FFT in float32 against the sum in float64 (measured: 1e-7)
SALIENCY_ATOL = 5e-5  # running sums in float32 of logs down to -11.5 (measured: 1.4e-5 in silence)
CODE_ATOL = 0.51  # half a step, and 1 % of one for the float32 sum over 1984 terms
FEW = settings(deadline=None, max_examples=25)


def reference_bands(y, config):
    weights = reference.filters(
        sr=config.sr, n_fft=config.n_fft, n_bands=config.n_bands, fmin=config.fmin, fmax=config.fmax
    )
    return reference.spectrum_magnitudes(y, n_fft=config.n_fft, hop_length=config.hop_length) @ weights.T


def reference_saliency(bands, config):
    names = ("level_frames", "floor_ratio", "floor_absolute")
    logs = reference.logs_above_floor(bands, **{name: getattr(config, name) for name in names})
    return reference.contrast(logs, long_context=config.long_context, wide_context=config.wide_context)


def reference_embeddings(S, projection, offset, config):
    names = ("patch_frames", "patch_hop_frames", "patch_scale", "patch_floor")
    return reference.embeddings(S, projection, offset, **{name: getattr(config, name) for name in names})


def assert_same(first, second):
    assert (first.n_samples, first.n_frames) == (second.n_samples, second.n_frames)
    np.testing.assert_array_equal(first.words, second.words)
    np.testing.assert_array_equal(first.patches, second.patches)


def assert_words_fit(words, S, config, atol):
    """The words are those of saliency map S but for bands that lie within atol of being a peak or none."""
    assert words.shape == (len(config.item_peaks), len(S) // 2)
    bits = (words[..., None] >> np.arange(S.shape[1], dtype=np.uint64)) & np.uint64(1) == 1
    sums = reference.pair_sums(S).astype(np.float64)
    ranked = -np.sort(-sums, axis=1)
    for level, n_peaks in enumerate(config.item_peaks):
        assert bits[level].sum(axis=1).max(initial=0) <= n_peaks
        in_at = np.maximum(ranked[:, n_peaks], config.peak_floor)[:, None] + 2 * atol
        out_at = np.maximum(ranked[:, n_peaks - 1], config.peak_floor)[:, None] - 2 * atol
        assert bits[level][sums > in_at].all()
        assert not bits[level][sums < out_at].any()


def share_of_differing_bits(first, second):
    return np.bitwise_count(first ^ second).sum() / max(np.bitwise_count(first).sum(), 1)


@functools.cache
def all_music():
    y = np.concatenate([load(path) for path in sorted((ROOT / "data" / "music").glob("*.opus"))[:3]])
    y.flags.writeable = False
    return y


def music(n_samples, at=0):
    """Real recordings, one after the other."""
    y = all_music()[at : at + n_samples]
    assert len(y) == n_samples
    return y


@functools.cache
def model():
    """A model with a projection of its own, so that these tests say the same whatever model ships."""
    rng = np.random.default_rng(7)
    n_inputs = CONFIG.patch_frames // 2 * CONFIG.n_bands
    return Model(
        config=CONFIG,
        projection=rng.normal(size=(n_inputs, CONFIG.n_dims)).astype(np.float32),
        offset=rng.normal(size=CONFIG.n_dims).astype(np.float32),
        centroids=rng.normal(size=(32, 16, 4)).astype(np.float32),
        cohort=rng.integers(0, 64, (3, 5)).astype(np.uint64),
    )


def signal_piece(kind, gain, n_samples):
    t = np.arange(n_samples)
    shapes = {
        "silence": lambda: np.zeros(n_samples),
        "dc": lambda: np.ones(n_samples),
        "square": lambda: np.where(t // 9 % 2, 1.0, -1.0),
        "sine": lambda: np.sin(2 * np.pi * 440 / 8000 * t),
        "click": lambda: (t % 400 == 7) * 1.0,
        "noise": lambda: np.random.default_rng(n_samples).uniform(-1, 1, n_samples),
        "music": lambda: music(30_000)[:n_samples],
    }
    return (gain * shapes[kind]()).astype(np.float32)


PIECES = ("silence", "dc", "square", "sine", "click", "noise", "music")
signals = st.lists(
    st.builds(signal_piece, st.sampled_from(PIECES), st.sampled_from((1.0, 0.03)), st.integers(0, 9000)), max_size=3
).map(lambda pieces: np.concatenate([np.empty(0, np.float32), *pieces]))
# Few distinct values, exact in float32 and in sums: ties are common.
tied_maps = st.integers(0, 9).flatmap(
    lambda n: arrays(np.float32, (n, SMALL.n_bands), elements=st.sampled_from((0.0, 0.125, 0.25, 0.5)))
)
small_maps = st.integers(0, 15).flatmap(
    lambda n: arrays(np.float32, (n, SMALL.n_bands), elements=st.floats(0, 1, width=32, allow_subnormal=False))
)


# The kernels, each against its twin. These also run without the compiler, see below.


@FEW
@given(y=arrays(np.float32, st.integers(0, 60), elements=st.floats(-1, 1, width=32)))
def test_kernel_bands_equal_the_reference(y):
    found, wanted = band_magnitudes(y, SMALL), reference_bands(y, SMALL)
    np.testing.assert_allclose(found, wanted.reshape(-1, SMALL.n_bands), rtol=0, atol=MAGNITUDE_RTOL * SMALL.n_fft)


@FEW
@given(bands=small_maps, gain=st.sampled_from((0.0, 1e-5, 1.0, 1000.0)))
def test_kernel_saliency_equals_the_reference(bands, gain):
    bands = (bands * np.float32(gain)).astype(np.float32)
    np.testing.assert_allclose(saliency(bands, SMALL), reference_saliency(bands, SMALL), rtol=0, atol=SALIENCY_ATOL)


@FEW
@given(data=st.data(), bands=small_maps)
def test_kernel_saliency_of_some_rows_equals_those_of_all(data, bands):
    start = data.draw(st.integers(0, len(bands)))
    stop = data.draw(st.integers(start, len(bands)))
    whole = saliency(bands, SMALL)
    np.testing.assert_array_equal(saliency(bands, SMALL, start=start, stop=stop), whole[start:stop])
    context = SMALL.context_frames
    low, high = max(start - context, 0), min(stop + context, len(bands))
    part = saliency(bands[low:high], SMALL, start=start - low, stop=stop - low)
    np.testing.assert_array_equal(part, whole[start:stop])


@FEW
@given(S=tied_maps)
def test_kernel_peaks_equal_the_reference_with_ties(S):
    wanted = reference.peak_words(S, item_peaks=SMALL.item_peaks, peak_floor=SMALL.peak_floor)
    found = peak_words(S, SMALL)
    assert found.dtype == np.uint64
    assert found.tolist() == wanted


@FEW
@given(S=st.one_of(tied_maps, small_maps), seed=st.integers(0, 9), centred=st.booleans())
def test_kernel_embeddings_equal_the_reference(S, seed, centred):
    rng = np.random.default_rng(seed)
    projection = rng.normal(size=(SMALL.patch_frames // 2 * SMALL.n_bands, SMALL.n_dims)).astype(np.float32)
    offset = rng.normal(size=SMALL.n_dims).astype(np.float32) * centred
    found = embed(S, projection, offset, SMALL)
    assert found.dtype == np.int8
    wanted = np.clip(reference_embeddings(S, projection, offset, SMALL), -127, 127)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=CODE_ATOL)


@FEW
@given(S=tied_maps)
def test_kernel_pair_sums_equal_the_reference(S):
    np.testing.assert_array_equal(pair_sums(S), reference.pair_sums(S))


def test_kernel_peaks_reach_band_0_and_band_63():
    S = np.zeros((4, 64), np.float32)
    S[:2, [0, 63]] = 0.5
    S[2:] = 0.5
    words = peak_words(S, CONFIG)
    assert words[:, 0].tolist() == [1 | 1 << 63] * 3
    assert words[:, 1].tolist() == [0b111, 0b111111, 0b111111111111]


def test_kernels_pass_without_the_compiler():
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-k", "test_kernel_", "-p", "no:cacheprovider", __file__]
    run = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "7 passed" in run.stdout


# The filter bank.


@pytest.mark.parametrize("config", [CONFIG, SMALL, dataclasses.replace(CONFIG, fmin=60.0, n_fft=512)])
def test_filters_equal_the_reference(config):
    bank = filter_bank(config)
    dense = np.zeros((config.n_bands, config.n_fft // 2 + 1))
    for b, first in enumerate(bank.first_bin):
        weights = bank.weights[bank.first_weight[b] : bank.first_weight[b + 1]]
        dense[b, first : first + len(weights)] = weights
    wanted = reference.filters(
        sr=config.sr, n_fft=config.n_fft, n_bands=config.n_bands, fmin=config.fmin, fmax=config.fmax
    )
    np.testing.assert_allclose(dense, wanted, rtol=0, atol=1e-6)
    assert bank.first_weight[-1] == len(bank.weights)


def test_bands_equal_scipy_stft_through_mel_like_triangles():
    y = music(16_000)
    stft = scipy.signal.ShortTimeFFT(scipy.signal.windows.hann(1024, sym=False), 256, 8000, scale_to=None)
    first = stft.lower_border_end[1]  # the first that is not padded
    magnitudes = np.abs(stft.stft(y.astype(np.float64), p0=first, p1=stft.upper_border_begin(len(y))[1])).T
    edges_hz = np.geomspace(220, 3800, 66)
    ramps = edges_hz[:, None] - np.fft.rfftfreq(1024, 1 / 8000)  # triangles as librosa.filters.mel builds them
    widths = np.diff(edges_hz)[:, None]
    weights = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    wanted = magnitudes @ (weights / weights.sum(axis=1, keepdims=True)).T
    np.testing.assert_allclose(band_magnitudes(y, CONFIG), wanted, rtol=0, atol=MAGNITUDE_RTOL * magnitudes.max())


# The whole fingerprint.


@pytest.fixture(scope="module")
def long_run():
    """A signal over a block's end, its fingerprint, and every stage of it by the reference."""
    y = music(BLOCK + 30_000)
    bands = reference_bands(y, CONFIG)
    S = reference_saliency(bands, CONFIG)
    return y, fingerprint([y], model()), bands, S


def test_the_whole_equals_the_reference(long_run):
    y, found, bands, S = long_run
    np.testing.assert_allclose(band_magnitudes(y, CONFIG), bands, rtol=0, atol=MAGNITUDE_RTOL * bands.max())
    np.testing.assert_allclose(saliency(band_magnitudes(y, CONFIG), CONFIG), S, rtol=0, atol=SALIENCY_ATOL)
    assert (found.n_samples, found.n_frames) == (len(y), len(S))
    for phase in range(2):
        words = found.words[:, phase, : (len(S) - phase) // 2]
        assert_words_fit(words, S[phase:], CONFIG, SALIENCY_ATOL)
        by_rank = reference.peak_words(S[phase:], item_peaks=CONFIG.item_peaks, peak_floor=CONFIG.peak_floor)
        assert share_of_differing_bits(words, np.array(by_rank, np.uint64)) < 1e-3
    embeddings = reference_embeddings(S, model().projection, model().offset, CONFIG)
    np.testing.assert_allclose(found.patches, np.clip(embeddings, -127, 127), rtol=0, atol=CODE_ATOL)


def test_words_and_patches_are_where_the_docstring_says(long_run):
    _, found, _, _ = long_run
    n = found.n_frames
    assert found.words.dtype == np.uint64
    assert found.words.shape == (3, 2, n // 2)
    assert (n % 2 == 0) == (not found.words[:, 1, -1].any())
    assert found.patches.dtype == np.int8
    assert found.patches.shape == (1 + (n - 62) // 8, 128)
    low, middle, high = found.words
    assert not (low & ~middle).any()
    assert not (middle & ~high).any()


@pytest.mark.parametrize("n_samples", [0, 1, 1023, 1024, 1279, 1280, 16_639, 16_640, 16_641, 18_687, 18_688])
def test_lengths_around_one_frame_and_one_patch(n_samples):
    found = fingerprint([music(20_000)[:n_samples]], model())
    n_frames = 0 if n_samples < 1024 else 1 + (n_samples - 1024) // 256
    assert (found.n_samples, found.n_frames) == (n_samples, n_frames)
    assert found.words.shape == (3, 2, n_frames // 2)
    assert found.patches.shape == (max(0, 1 + (n_frames - 62) // 8), 128)
    assert n_patches(n_frames, CONFIG) == len(found.patches)
    assert (found.patches != 0).any(axis=1).all()


def test_nothing_pushed_gives_an_empty_fingerprint():
    assert_same(fingerprint([], model()), fingerprint([np.empty(0, np.float32)], model()))


@pytest.mark.parametrize("shape", [(3, 2), ()])
def test_samples_of_another_shape_are_refused(shape):
    with pytest.raises(ParameterError, match="one-dimensional float32"):
        Fingerprinter(model()).push(np.zeros(shape, np.float32))
    with pytest.raises(ParameterError, match="one-dimensional float32"):
        band_magnitudes(np.zeros(shape, np.float32), CONFIG)


@pytest.mark.parametrize("dtype", [np.float64, np.int16, ">f4"])
def test_samples_of_another_type_are_refused(dtype):
    with pytest.raises(ParameterError, match=r"float32, got shape \(9,\)"):
        Fingerprinter(model()).push(np.zeros(9, dtype))


@settings(deadline=None, max_examples=25)
@given(y=signals, data=st.data())
def test_any_cut_into_chunks_gives_the_same(y, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(y)), max_size=8)))
    assert_same(fingerprint(np.split(y, cuts), model()), fingerprint([y], model()))


def test_chunks_of_one_sample_give_the_same():
    y = music(17_500)
    assert_same(fingerprint(y.reshape(-1, 1), model()), fingerprint([y], model()))


@pytest.mark.parametrize("n_samples", [BLOCK - 1, BLOCK, BLOCK + 1, BLOCK - 1024, 2 * BLOCK - 1025, 2 * BLOCK - 1023])
def test_chunks_around_a_block_give_the_same(n_samples):
    y = music(n_samples)
    whole = fingerprint([y], model())
    for size in (997, 7919, 65_536):
        assert_same(fingerprint([y[i : i + size] for i in range(0, len(y), size)], model()), whole)


def test_one_sample_at_a_time_over_the_end_of_a_block_gives_the_same():
    y = music(BLOCK + 300)
    chunks = [y[: BLOCK - 300], *y[BLOCK - 300 :].reshape(-1, 1)]
    assert_same(fingerprint(chunks, model()), fingerprint([y], model()))


def test_every_block_sees_all_the_frames_around_it(monkeypatch):
    # A click over faint hiss, and a floor as high as the level: one frame too few under the window shows at once.
    rng = np.random.default_rng(5)
    y = rng.normal(0, 1e-3, 512 * 256).astype(np.float32)
    y[rng.integers(0, len(y), 12)] = 1.0
    config = dataclasses.replace(CONFIG, floor_ratio=1.0, peak_floor=0.02, patch_floor=0.001)
    sharp = dataclasses.replace(model(), config=config)
    S = saliency(band_magnitudes(y, config), config)
    patches = embed(S, sharp.projection, sharp.offset, config).astype(int)
    blocks = []

    def overheard(*args, **kwargs):
        blocks.append(saliency(*args, **kwargs))
        return blocks[-1]

    monkeypatch.setattr(fingerprinter_module, "saliency", overheard)
    for n_frames in (16, 48, 80, 112):
        monkeypatch.setattr(fingerprinter_module, "BLOCK_FRAMES", n_frames)
        blocks.clear()
        found = fingerprint([y], sharp)
        assert len(blocks) > (512 - 77) // n_frames - 1
        np.testing.assert_allclose(np.concatenate(blocks), S, rtol=0, atol=1e-5)
        for phase in range(2):
            assert_words_fit(found.words[:, phase, : (len(S) - phase) // 2], S[phase:], config, 1e-5)
        assert np.abs(found.patches - patches).max() <= 1


def test_a_buffer_may_be_used_again_after_push():
    y, buffer, fingerprinter = music(BLOCK), np.empty(BLOCK // 8, np.float32), Fingerprinter(model())
    for start in range(0, BLOCK, len(buffer)):
        buffer[:] = y[start : start + len(buffer)]
        fingerprinter.push(buffer)
    assert_same(fingerprinter.finish(), fingerprint([y], model()))


@pytest.mark.parametrize("gain", [0.01, 0.3, 2.0, 10.0])
def test_gain_changes_nothing_but_near_ties(gain):
    hiss = np.random.default_rng(3).normal(0, 0.05, 80_000)  # lifts every band above the absolute floor
    y = (music(80_000) + hiss).astype(np.float32)
    plain, scaled = fingerprint([y], model()), fingerprint([(gain * y).astype(np.float32)], model())
    S = saliency(band_magnitudes(y, CONFIG), CONFIG)
    for phase in range(2):
        assert_words_fit(scaled.words[:, phase, : (len(S) - phase) // 2], S[phase:], CONFIG, 1e-3)
    assert share_of_differing_bits(plain.words, scaled.words) < 1e-3
    assert np.abs(plain.patches.astype(int) - scaled.patches).max() <= 1


@settings(deadline=None, max_examples=10)
@given(shift=st.integers(1, 200))
def test_a_shift_by_whole_frames_shifts_the_fingerprint(shift):
    whole, part = fingerprint([music(160_000)], model()), fingerprint([music(160_000)[shift * 256 :]], model())
    edge = CONFIG.context_frames // 2 + 1  # words at the start that lack the frames before them
    for phase in range(2):
        there = (phase + shift) % 2
        words = whole.words[:, there, (phase + shift) // 2 :][..., edge:-1]
        assert share_of_differing_bits(words, part.words[:, phase, edge : edge + words.shape[1]]) < 1e-3
    if shift % CONFIG.patch_hop_frames == 0:
        first = CONFIG.context_frames // CONFIG.patch_hop_frames + 1
        shifted = whole.patches[shift // CONFIG.patch_hop_frames :][first:].astype(int)
        assert np.abs(shifted - part.patches[first : first + len(shifted)]).max() <= 1


@pytest.mark.parametrize(
    "y",
    [
        np.zeros(40_000),
        np.ones(40_000),
        np.full(40_000, -0.3),
        np.full(40_000, 1e-40),
        np.where(np.arange(40_000) % 2, 1.0, -1.0),  # the Nyquist frequency, beyond the highest band
        np.random.default_rng(0).uniform(-1e-39, 1e-39, 40_000),
    ],
    ids=["silence", "dc", "negative-dc", "denormal-dc", "nyquist", "denormal-noise"],
)
def test_what_is_no_sound_leaves_no_mark(y):
    found = fingerprint([y.astype(np.float32)], model())
    assert found.words.shape == (3, 2, 76)
    assert not found.words.any()
    assert found.patches.shape == (12, 128)
    assert not found.patches.any()


@pytest.mark.parametrize("level", [1.0, 1e6], ids=["full-scale", "the-loudest-that-audio-lets-through"])
def test_a_square_wave_keeps_its_harmonics(level):
    y = (level * np.where(np.arange(40_000) // 10 % 2, 1.0, -1.0)).astype(np.float32)  # 400 Hz: 400, 1200, 2000, ...
    found = fingerprint([y], model())
    edges = 220 * (3800 / 220) ** (np.arange(66) / 65)
    at_harmonics = sum(1 << int(np.argmin(np.abs(edges[1:-1] - hz))) for hz in (400, 1200, 2000))
    assert (found.words[2, 0] & np.uint64(at_harmonics) == np.uint64(at_harmonics)).all()
    assert (found.patches != 0).any(axis=1).all()


def test_silence_inside_music_is_unmarked_and_ends_where_music_starts():
    y = np.concatenate([music(40_000), np.zeros(80_000, np.float32), music(40_000)])
    found = fingerprint([y], model())
    marked = found.words[2, 0] != 0
    frames = np.arange(len(marked)) * 2
    silent = (frames * 256 >= 40_000) & ((frames + 1) * 256 + 1024 <= 120_000)
    assert not marked[silent].any()
    assert marked[~silent].mean() > 0.95


def test_nan_in_a_file_is_zero_in_the_fingerprint():
    y = music(40_000).copy()
    prints = []
    for bad in (np.nan, 0.0):
        y[[0, 7000, 7001, 39_999]] = bad
        wav = io.BytesIO()
        soundfile.write(wav, y, 8000, format="WAV", subtype="FLOAT")
        prints.append(fingerprint([load(wav.getvalue())], model()))
    assert_same(*prints)
    assert prints[0].words.any()


# Threads, processes, memory, machines.


def test_threads_at_once_give_what_one_gives():
    starts = range(0, 60_000, 7500)
    alone = [fingerprint([music(60_000, at)], model()) for at in starts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda at: fingerprint([music(60_000, at)], model()), [*starts, *starts]))
    for one, other in zip([*alone, *alone], together, strict=True):
        assert_same(one, other)


def test_a_spawned_process_gives_what_this_one_gives():
    y = music(BLOCK + 5000)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = pool.submit(fingerprint, [y[:9000], y[9000:]], model()).result()
    assert isinstance(there, Fingerprint)
    assert_same(there, fingerprint([y], model()))


def peak_bytes(n_seconds):
    second = music(80_000)
    tracemalloc.start()
    made = fingerprint((second[i % 10 * 8000 :][:8000] for i in range(n_seconds)), model())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert made.n_samples == n_seconds * 8000
    return peak, made.words.nbytes + made.patches.nbytes + made.saliency.nbytes


def test_memory_grows_by_the_fingerprint_alone():
    peak_bytes(1)  # compiles, and fills the caches
    short_peak, short_size = peak_bytes(120)
    long_peak, long_size = peak_bytes(1800)
    # Twice: the pieces, and the whole that they are joined to.
    assert long_peak - short_peak < 2.2 * (long_size - short_size) + 200_000
    assert short_peak < 20_000_000


REMAKE = "changed: if that is meant, run tests/formats/make_fingerprint_v1.py and say so in CHANGELOG.md"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as archive:
        golden = dict(archive)
    assert (str(golden["kind"]), int(golden["version"])) == ("earmark-fingerprint", 1)
    assert str(golden["config_digest"]) == load_model().config.digest, f"the config {REMAKE}"
    return golden


def test_words_equal_those_of_another_machine(golden):
    words = fingerprint([as_signal(golden["samples"])], load_model()).words
    assert words.shape == golden["words"].shape
    assert np.bitwise_count(words ^ golden["words"]).sum() <= 1e-4 * words.size * 64
    assert golden["words"].any(axis=(0, 1)).mean() > 0.9


def test_patches_equal_those_of_another_machine(golden):
    assert str(golden["model_digest"]) == load_model().digest, f"the model {REMAKE}"
    patches = fingerprint([as_signal(golden["samples"])], load_model()).patches
    assert patches.shape == golden["patches"].shape
    assert np.mean(patches != golden["patches"]) <= 1e-4
    assert golden["patches"].any(axis=1).mean() > 0.9


# The config and the model.


def test_the_config_has_the_digest_that_catalogs_were_made_with():
    assert CONFIG.digest == "518a958369452c56a4615ed24dc748457678146d3283d161cc28eb8d2de4fc93"


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(FingerprintConfig)])
def test_every_number_of_the_config_changes_its_digest(name):
    value = getattr(CONFIG, name)
    other = (*value[:-1], value[-1] + 1) if isinstance(value, tuple) else value + type(value)(1)
    assert dataclasses.replace(CONFIG, **{name: other}).digest != CONFIG.digest
    assert dataclasses.replace(CONFIG, **{name: value}).digest == CONFIG.digest


def test_config_times_follow_from_its_numbers():
    assert (CONFIG.frames_per_second, CONFIG.words_per_second, CONFIG.context_frames) == (31.25, 15.625, 77)


def test_a_model_comes_back_from_its_bytes():
    data = dump_model(model())
    assert data == dump_model(model())
    back = read_model(data)
    assert back.digest == model().digest
    for name in ("projection", "offset", "centroids", "cohort"):
        np.testing.assert_array_equal(getattr(back, name), getattr(model(), name))


@pytest.mark.parametrize("name", ["projection", "offset", "centroids", "cohort"])
def test_every_value_of_the_model_changes_its_digest(name):
    array = getattr(model(), name)
    for place in (0, array.size // 2, array.size - 1):
        changed = array.copy()
        changed.flat[place] += 1
        assert dataclasses.replace(model(), **{name: changed}).digest != model().digest
    reshaped = dataclasses.replace(model(), **{name: array.reshape(1, *array.shape)})
    assert reshaped.digest != model().digest
    assert dataclasses.replace(model(), config=dataclasses.replace(CONFIG, sr=8001)).digest != model().digest


def model_archive(**changes):
    buffer = io.BytesIO()
    names = ("projection", "offset", "centroids", "cohort")
    kept = {name: getattr(model(), name) for name in names} | changes
    np.savez(buffer, **{name: array for name, array in kept.items() if array is not None})
    return buffer.getvalue()


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("projection", "offset", "centroids", "cohort")),
        {"projection": np.zeros((1983, 128), np.float32)},
        {"projection": np.zeros((1984, 128), np.float64)},
        {"offset": np.zeros(127, np.float32)},
        {"centroids": np.zeros((32, 16, 3), np.float32)},
        {"centroids": np.zeros(3, np.float32)},
        {"cohort": np.zeros(9, np.uint64)},
        {"cohort": np.zeros((3, 5), np.float64)},
        {"cohort": np.array([None])},
    ],
    ids=lambda changes: "-".join(f"{k}{'' if v is None else (v.dtype, v.shape)}" for k, v in changes.items()),
)
def test_a_model_with_a_wrong_array_is_refused(changes):
    with pytest.raises(ParameterError):
        read_model(model_archive(**changes))


def bytes_of(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"not a model", bytes(1000), bytes_of(lambda file: np.save(file, np.zeros(3)))],
    ids=["empty", "two-bytes", "text", "zeros", "npy"],
)
def test_what_is_no_model_is_refused(data):
    with pytest.raises(ParameterError, match="not a model"):
        read_model(data)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99, 0.9999])
def test_a_truncated_model_is_refused(share):
    data = dump_model(model())
    with pytest.raises(ParameterError, match="not a model"):
        read_model(data[: int(share * len(data))])


def test_a_damaged_model_is_refused_or_the_same():
    data = dump_model(model())
    marks = [i for i in range(len(data)) if data[i : i + 4] in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06")]
    rng = np.random.default_rng(1)
    places = [*(mark + i for mark in marks for i in range(0, 22, 2)), *rng.integers(0, len(data), 30)]
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        try:
            digest = read_model(bytes(damaged)).digest
        except ParameterError:
            continue
        assert digest == model().digest  # a byte that nothing reads


def test_the_shipped_model_fits_the_config():
    shipped = load_model()
    assert shipped is load_model()
    assert shipped.config == CONFIG
    kinds = {"projection": np.float32, "offset": np.float32, "centroids": np.float32, "cohort": np.uint64}
    assert {name: getattr(shipped, name).dtype for name in kinds} == kinds
    assert (shipped.projection.shape, shipped.offset.shape) == ((1984, 128), (128,))
    assert shipped.centroids.shape == (32, 16, 4)
    for array in (shipped.projection, shipped.offset, shipped.centroids):
        assert np.isfinite(array).all()
    assert shipped.projection.any(axis=0).all()
    assert shipped.cohort.ndim == 2
    assert np.bitwise_count(shipped.cohort).max() <= CONFIG.track_peaks


def test_a_finished_fingerprinter_takes_nothing_more():
    fingerprinter = Fingerprinter(load_model())
    fingerprinter.finish()
    with pytest.raises(ParameterError, match="is finished"):
        fingerprinter.push(np.zeros(10, np.float32))
    with pytest.raises(ParameterError, match="is finished"):
        fingerprinter.finish()
