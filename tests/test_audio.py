"""The audio reader on good files: what comes out is the recording, whoever decodes it and however it is delivered."""

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.audio import SAMPLE_RATE, load, stream
from earmark.audio.byte_source import ByteSource
from earmark.audio.mixing import clean, mix_to_mono
from earmark.audio.pyav_decoder import PyavDecoder
from earmark.audio.resampling import Resampler
from earmark.audio.soundfile_decoder import SoundfileDecoder
from earmark.errors import AudioError, ParameterError

from .encoded import KINDS, MUSIC, RATE, encode, encoded_music, music

# Samples at 8 kHz by which an encoder may shift the sound: those that cannot say their delay.
LARGEST_SHIFT = 400
LOSSY = {"aac", "ac3", "avi", "flv", "m4a", "mp2", "mp3", "mp3-bare", "mp4-fragments", "opus", "vorbis", "webm"}
LOSSY |= {"webm-stream", "wma"}


class Dribble(io.RawIOBase):
    """A file object that gives at most `most` bytes a read."""

    def __init__(self, data, most):
        self.file, self.most = io.BytesIO(data), most

    def readable(self):
        return True

    def seekable(self):
        return True

    def read(self, size=-1):
        return self.file.read(self.most if size < 0 else min(size, self.most))

    def seek(self, offset, whence=0):
        return self.file.seek(offset, whence)

    def tell(self):
        return self.file.tell()


class Pipe:
    """A file object that can only be read onward."""

    def __init__(self, data):
        self.file = io.BytesIO(data)

    def read(self, size=-1):
        return self.file.read(size)


def wav(y, rate, subtype="PCM_16", container="WAV"):
    written = io.BytesIO()
    soundfile.write(written, y, rate, format=container, subtype=subtype)
    return written.getvalue()


def expected():
    return soxr.resample(music().mean(axis=1), RATE, SAMPLE_RATE, quality="HQ")


def best_correlation(y, reference):
    n = min(len(y), len(reference)) - 2 * LARGEST_SHIFT
    middle = reference[LARGEST_SHIFT : LARGEST_SHIFT + n].astype(np.float64)
    y = y[: n + 2 * LARGEST_SHIFT].astype(np.float64)
    sums = np.concatenate([[0], np.cumsum(y**2)])
    values = scipy.signal.correlate(y, middle, "valid") / np.sqrt((sums[n:] - sums[:-n]) * np.sum(middle**2))
    return values.max(), int(np.argmax(values)) - LARGEST_SHIFT


@pytest.mark.parametrize("kind", KINDS)
def test_every_codec_gives_the_recording(kind):
    with stream(encoded_music(kind), name=kind) as recording:
        chunks = list(recording)
    y = np.concatenate(chunks)
    assert all(chunk.dtype == np.float32 and chunk.ndim == 1 and chunk.flags.c_contiguous for chunk in chunks)
    assert abs(len(y) - 8 * SAMPLE_RATE) < LARGEST_SHIFT
    assert recording.decoded_s == pytest.approx(len(y) / SAMPLE_RATE, abs=1e-3)
    correlation, shift = best_correlation(y, expected())
    assert correlation > (0.95 if kind in LOSSY else 0.9999)
    assert kind in LOSSY or shift == 0


@pytest.mark.parametrize(
    ("kind", "backend", "codec", "declared_s"),
    [
        ("wav", "soundfile", "wav/pcm_16", 8.0),
        ("vorbis", "soundfile", "ogg/vorbis", 8.0),
        ("mp3", "soundfile", "mp3/mpeg_layer_iii", 8.0),
        ("mp3-bare", "pyav", "mp3/mp3float", None),
        ("flac", "pyav", "flac/flac", 8.0),
        ("flac-stream", "pyav", "flac/flac", None),
        ("opus", "pyav", "ogg/opus", 8.0),
        ("m4a", "pyav", "mov/aac", 8.0),
        ("webm", "pyav", "matroska/opus", 8.0),
        ("webm-stream", "pyav", "matroska/opus", None),
        ("aac", "pyav", "aac/aac", None),
    ],
)
def test_attributes(kind, backend, codec, declared_s):
    with stream(encoded_music(kind), name="a name") as recording:
        for _ in recording:
            pass
    assert (recording.name, recording.backend, recording.codec) == ("a name", backend, codec)
    assert recording.declared_s == (declared_s if declared_s is None else pytest.approx(declared_s, abs=0.02))
    assert (recording.n_channels, recording.n_nonfinite) == (2, 0)
    assert recording.sample_rate == (48000 if "opus" in codec else RATE)


def test_mp3_of_variable_bit_rate_without_a_length_is_read_to_its_end():
    # libsndfile stops it at the length it guesses from the first frames; here these are the loudest.
    y = np.concatenate([music(), music() * 1e-3, music() * 1e-3])
    data = encode(y, "mp3-bare")
    assert len(soundfile.read(io.BytesIO(data))[0]) < 0.9 * len(y)
    assert len(load(data)) == pytest.approx(24 * SAMPLE_RATE, abs=LARGEST_SHIFT)


@pytest.mark.parametrize("kind", ["vorbis", "opus"])
def test_chained_ogg_streams_are_all_read(kind):
    data = encoded_music(kind) + encoded_music(kind)
    with stream(data) as recording:
        n_samples = sum(len(y) for y in recording)
    assert n_samples == pytest.approx(16 * SAMPLE_RATE, abs=LARGEST_SHIFT)
    assert recording.declared_s is None


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "mp3-bare", "vorbis", "opus", "m4a", "aac", "webm"])
@pytest.mark.parametrize("most", [997, 65521])
def test_the_delivery_of_the_bytes_changes_nothing(kind, most):
    data = encoded_music(kind)
    assert np.array_equal(load(Dribble(data, most)), load(data))


@pytest.mark.parametrize("kind", ["wav", "mp3", "opus"])
def test_one_byte_at_a_time(kind):
    data = encode(music()[: RATE // 2], kind)
    assert np.array_equal(load(Dribble(data, 1)), load(data))


@pytest.mark.parametrize("kind", ["wav", "mp3", "vorbis", "m4a"])
def test_path_bytes_file_and_pipe_are_the_same(kind, tmp_path):
    data = encoded_music(kind)
    path = tmp_path / "no-extension"
    path.write_bytes(data)
    y = load(data)
    assert np.array_equal(load(path), y)
    assert np.array_equal(load(str(path)), y)
    assert np.array_equal(load(memoryview(data)), y)
    assert np.array_equal(load(Pipe(data)), y)
    with path.open("rb") as file:
        assert np.array_equal(load(file), y)
        assert not file.closed


def test_a_file_object_is_read_from_where_it_stands():
    data = encoded_music("flac")
    file = io.BytesIO(b"another member of an archive" + data)
    file.seek(28)
    assert np.array_equal(load(file), load(data))


def test_the_name_of_a_source():
    data = encoded_music("wav")
    file = io.BytesIO(data)
    assert stream(file).name == "<file object>"
    file.seek(0)
    file.name = "from here"
    assert stream(file).name == "from here"
    assert stream(data).name == "<bytes>"


def test_another_kind_of_source_is_a_mistake():
    with pytest.raises(ParameterError, match="got int"):
        stream(7)


@pytest.mark.parametrize("path", MUSIC, ids=lambda path: path.stem)
def test_bundled_recordings_end_without_alarm(path):
    with stream(path) as recording:
        n_samples = sum(len(y) for y in recording)
    assert n_samples / SAMPLE_RATE == pytest.approx(recording.declared_s, abs=0.05)


def test_8_khz_mono_passes_untouched():
    y = np.random.default_rng(0).uniform(-1, 1, 1_000_003).astype(np.float32)
    with stream(wav(y, SAMPLE_RATE, "FLOAT")) as recording:
        chunks = list(recording)
    assert [len(chunk) for chunk in chunks] == [192_000] * 5 + [40_003]
    assert np.array_equal(np.concatenate(chunks), y)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
@pytest.mark.parametrize("decoder", [SoundfileDecoder, PyavDecoder])
def test_sample_formats_have_one_full_scale(subtype, decoder):
    y = np.linspace(-0.9, 0.9, 4001)
    data = wav(np.stack([y, -y], 1), 44100, subtype)
    block = decoder(ByteSource(io.BytesIO(data), owned=True)).read()
    assert block.sample_rate == 44100
    assert block.values.dtype == np.float32
    assert np.abs(block.values - np.stack([y, -y], 1)).max() < (
        0.03 if subtype == "ULAW" else 0.01 if subtype == "PCM_U8" else 1e-4
    )


@pytest.mark.parametrize("rate", [4000, 11025, 16000, 22050, 48000, 96000, 192000])
def test_a_tone_keeps_its_pitch_and_level_at_every_rate(rate):
    t = np.arange(2 * rate) / rate
    y = load(wav(0.5 * np.sin(2 * np.pi * 1000 * t), rate))
    assert len(y) == 2 * SAMPLE_RATE
    want = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(len(y)) / SAMPLE_RATE)
    assert np.abs(y - want)[500:-500].max() < 1e-3


def test_eight_channels_are_averaged():
    y = np.linspace(-1, 1, 8)[None, :] * 0.5 + np.linspace(0, 0.25, 8000)[:, None]
    assert np.abs(load(wav(y, SAMPLE_RATE, "FLOAT")) - np.linspace(0, 0.25, 8000)).max() < 1e-6


def test_an_inverted_channel_does_not_silence_the_mix():
    left = music()[:, 0]
    plain, inverted = load(wav(np.stack([left, left], 1), RATE)), load(wav(np.stack([left, -left], 1), RATE))
    assert np.abs(plain).max() > 0.1
    assert np.abs(plain - inverted).max() < 1e-3


def test_an_inverted_channel_survives_mp3():
    left = music()[:, 0]
    y = load(encode(np.stack([left, -left], 1), "mp3"))
    assert best_correlation(y, soxr.resample(left, RATE, SAMPLE_RATE))[0] > 0.98


def test_one_sided_and_wide_stereo_stay_with_the_mean():
    left, right = music().T
    for stereo in (np.stack([left, 0 * left], 1), np.stack([left, -0.7 * left], 1), np.stack([left, right], 1)):
        assert np.abs(mix_to_mono(stereo) - stereo.mean(axis=1)).max() < 1e-6


@given(st.lists(st.sampled_from([0.0, 0.5, -1.0, np.nan, np.inf, -np.inf, 1e30, -1e30]), min_size=0, max_size=12))
def test_clean_leaves_nothing_to_stumble_on(values):
    y = np.array(values, dtype=np.float32).reshape(-1, 1)
    mended, n_nonfinite = clean(y)
    assert n_nonfinite == sum(not np.isfinite(value) for value in values)
    wanted = [0.0 if not np.isfinite(value) else min(max(value, -1e6), 1e6) for value in values]
    assert mended[:, 0].tolist() == wanted


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 30_000), max_size=6), st.sampled_from([4000, 8000, 11025, 44100]))
def test_the_resampler_does_not_see_where_blocks_end(cuts, rate):
    y = np.random.default_rng(1).uniform(-1, 1, 30_000).astype(np.float32)

    def resampled(parts):
        resampler = Resampler()
        return np.concatenate([*(resampler.push(part, rate) for part in parts), resampler.flush()])

    assert np.array_equal(resampled(np.split(y, sorted(cuts))), resampled([y]))


def test_the_resampler_takes_a_change_of_rate_and_refuses_nonsense():
    resampler = Resampler()
    parts = [resampler.push(np.zeros(r, dtype=np.float32), r) for r in (44100, 8000, 22050)]
    assert sum(map(len, [*parts, resampler.flush()])) == 3 * SAMPLE_RATE
    with pytest.raises(AudioError, match="1 Hz is outside"):
        resampler.push(np.zeros(1, dtype=np.float32), 1)


def peak_bytes(path):
    tracemalloc.start()
    with stream(path) as recording:
        for _ in recording:
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("container", ["flac", "wav"])
def test_long_files_need_no_more_memory_than_short_ones(container, tmp_path):
    minute = np.random.default_rng(0).integers(-2, 3, 60 * SAMPLE_RATE).astype(np.int16)
    peaks = {}
    for minutes in (3, 60):
        path = tmp_path / f"{minutes}.{container}"
        soundfile.write(path, np.tile(minute, minutes), SAMPLE_RATE, subtype="PCM_16")
        peaks[minutes] = peak_bytes(path)
    assert peaks[60] < 1.2 * peaks[3] < 12_000_000


def test_closing_early_and_twice_leaves_no_file_open(tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(encoded_music("wav"))
    before = len(list(Path("/dev/fd").iterdir()))
    with stream(path) as recording:
        next(recording)
    recording.close()
    assert len(list(Path("/dev/fd").iterdir())) == before
    assert list(recording) == []
