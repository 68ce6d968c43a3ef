"""Stretches of recordings: the same samples as of the whole, found without decoding what comes before."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from earmark.audio import SAMPLE_RATE, load, stream
from earmark.audio.decoder import Block
from earmark.audio.stretch import Stretch
from earmark.errors import ParameterError, TruncatedAudioError

from .encoded import KINDS, encode, music

LONG_S = 12.0


def stretch_of(data, start_s, duration_s):
    with stream(data, start_s=start_s, duration_s=duration_s) as recording:
        chunks = list(recording)
    return np.concatenate(chunks) if chunks else np.zeros(0, np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stretch_is_that_of_the_whole(kind):
    data = encode(music(LONG_S), kind)
    whole = load(data)
    for start_s, duration_s in ((3.0, 2.5), (8.3, 3.0)):
        y = stretch_of(data, start_s, duration_s)
        assert len(y) == pytest.approx(duration_s * SAMPLE_RATE, abs=2)
        first = round(start_s * SAMPLE_RATE)
        # The filter that resamples starts anew at a cut: its edges apart, the samples are the same. Matroska's clock
        # ticks in milliseconds.
        off_by = 8 if kind in ("mka", "webm", "webm-stream") else 0
        places = [slice(first + 400 + lag, first + len(y) - 400 + lag) for lag in range(-off_by, off_by + 1)]
        error = min(np.abs(y[400:-400] - whole[place]).max() for place in places)
        # Half a sample off makes a difference of its own.
        assert error < (0.2 if off_by else 0.02) * np.abs(y).max(), start_s


def test_what_comes_before_is_not_decoded():
    class Counted(io.BytesIO):
        n_bytes = 0

        def read(self, size=-1):
            data = super().read(size)
            self.n_bytes += len(data)
            return data

    y = np.tile(music(LONG_S), (6, 1))
    for kind in ("wav", "flac", "m4a"):  # of Ogg and Matroska all headers are read, which is not decoding
        file = Counted(encode(y, kind))
        with stream(file, start_s=65.0, duration_s=1.0) as recording:
            assert sum(map(len, recording)) == pytest.approx(SAMPLE_RATE, abs=2)
        assert file.n_bytes < 0.4 * len(file.getvalue()), kind


def test_stretches_that_follow_one_another_make_up_the_whole():
    y = np.arange(-8000, 8000, dtype=np.float32) / 16000
    wav = io.BytesIO()
    soundfile.write(wav, y, SAMPLE_RATE, format="WAV", subtype="FLOAT")
    data = wav.getvalue()
    parts = [stretch_of(data, i * 0.3, 0.3) for i in range(6)] + [stretch_of(data, 1.8, None)]
    assert np.array_equal(np.concatenate(parts), y)


@given(st.integers(0, 50), st.integers(1, 50), st.integers(1, 20), st.sampled_from([7, 8000, 44100]))
def test_blocks_are_cut_alike_however_long_they_are(start, length, block_frames, rate):
    values = np.arange(100, dtype=np.float32)[:, None]
    stretch = Stretch.of(start / rate, length / rate)
    got = []
    for first in range(0, 100, block_frames):
        block = Block(values=values[first : first + block_frames], sample_rate=rate)
        got += stretch.part_of(block, Stretch.of(first / rate, None).start_s).values[:, 0].tolist()
    assert got == list(range(start, min(100, start + length)))


def test_a_stretch_beyond_the_end_is_told():
    data = encode(music(), "flac")
    with stream(data, start_s=6.0, duration_s=5.0) as recording:
        y = []
        with pytest.raises(TruncatedAudioError, match=r"stops after 2\.00 s of 5\.00 s"):
            y.extend(recording)
    assert sum(map(len, y)) == pytest.approx(2 * SAMPLE_RATE, abs=2)
    with (
        stream(data, start_s=600.0, duration_s=5.0) as recording,
        pytest.raises(TruncatedAudioError, match=r"stops after 0\.00 s of 5\.00 s"),
    ):
        list(recording)


def test_damage_behind_a_stretch_is_not_its_own():
    data = encode(music(), "wav")
    broken = data[: len(data) // 2]
    assert len(stretch_of(broken, 1.0, 2.0)) == 2 * SAMPLE_RATE
    with pytest.raises(TruncatedAudioError, match="bytes of samples are missing"):
        stretch_of(broken, 3.0, 2.0)


@pytest.mark.parametrize(
    ("start_s", "duration_s"), [(-1, None), (0, 0), (0, -2), (float("nan"), None), (0, float("inf"))]
)
def test_stretches_that_are_none(start_s, duration_s):
    with pytest.raises(ParameterError, match="start_s"):
        stream(b"x", start_s=start_s, duration_s=duration_s)
