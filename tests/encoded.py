"""Real music through real encoders, for the tests of the audio reader; nothing of ours is imported."""

import functools
import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

RATE = 44100
MUSIC = sorted((Path(__file__).parents[1] / "data" / "music").glob("*.opus"))

# Name -> (container, codec, sample rate).
PYAV_KINDS = {
    "aac": ("adts", "aac", 44100),
    "ac3": ("ac3", "ac3", 44100),
    "avi": ("avi", "libmp3lame", 44100),
    "flac-stream": ("flac", "flac", 44100),
    "flv": ("flv", "aac", 44100),
    "m4a": ("ipod", "aac", 44100),
    "m4a-alac": ("ipod", "alac", 44100),
    "mka": ("matroska", "flac", 44100),
    "mp2": ("mp2", "mp2", 44100),
    "mp3": ("mp3", "libmp3lame", 44100),
    "mp3-bare": ("mp3", "libmp3lame", 44100),
    "mp4-fragments": ("mp4", "aac", 44100),
    "opus": ("ogg", "libopus", 48000),
    "webm": ("webm", "libopus", 48000),
    "webm-stream": ("webm", "libopus", 48000),
    "wma": ("asf", "wmav2", 44100),
}
_OPTIONS = {
    "mp3-bare": {"write_xing": "0"},
    "mp4-fragments": {"movflags": "frag_keyframe+empty_moov", "frag_duration": "1000000"},
}
SOUNDFILE_KINDS = {
    "wav": ("WAV", "PCM_16"),
    "wav-float": ("WAV", "FLOAT"),
    "w64": ("W64", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"),
}
KINDS = sorted([*PYAV_KINDS, *SOUNDFILE_KINDS])


@functools.cache
def music(duration_s=8.0):
    """Return the start of a bundled recording as stereo at 44.1 kHz, its two channels unlike each other."""
    y, rate = soundfile.read(MUSIC[0], dtype="float32", always_2d=True)
    other, _ = soundfile.read(MUSIC[1], dtype="float32", always_2d=True)
    n = int(duration_s * rate)
    stereo = np.stack([y[:n, 0] + 0.5 * other[:n, 0], y[:n, 0] - 0.3 * other[:n, 0]], axis=1) * 0.5
    return np.ascontiguousarray(soxr.resample(stereo, rate, RATE))


class _Forward(io.RawIOBase):
    """A place to write to that cannot go back, as a pipe."""

    def __init__(self):
        self.written = io.BytesIO()

    def writable(self):
        return True

    def write(self, data):
        return self.written.write(data)

    def seekable(self):
        return False


def encode(y, kind, rate=RATE):
    """Return the bytes of a file of one of `KINDS` that holds `y` (n_frames, n_channels <= 2)."""
    if kind in SOUNDFILE_KINDS:
        container, codec = SOUNDFILE_KINDS[kind]
        written = io.BytesIO()
        soundfile.write(written, y, rate, format=container, subtype=codec)
        return written.getvalue()
    container, codec, to_rate = PYAV_KINDS[kind]
    y = y if to_rate == rate else soxr.resample(y, rate, to_rate)
    target = _Forward() if kind.endswith("-stream") else io.BytesIO()
    with av.open(target, "w", format=container, container_options=_OPTIONS.get(kind, {})) as out:
        stream = out.add_stream(codec, rate=to_rate)
        stream.layout = "mono" if y.shape[1] == 1 else "stereo"
        if kind == "wma":
            stream.bit_rate = 128_000
        if kind == "mp3-bare":  # variable bit rate
            stream.codec_context.qscale, stream.codec_context.global_quality = True, 5 * 118
        _encode_into(out, stream, y)
    return (target.written if kind.endswith("-stream") else target).getvalue()


def _encode_into(out, stream, y):
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(y.T, dtype=np.float32), "fltp", stream.layout)
    frame.sample_rate, frame.pts, frame.time_base = stream.rate, 0, Fraction(1, stream.rate)
    frame_size = stream.codec_context.frame_size or 1152
    resampler = av.AudioResampler(format=stream.format, layout=stream.layout, rate=stream.rate, frame_size=frame_size)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        out.mux(stream.encode(part))
    out.mux(stream.encode(None))


@functools.cache
def encoded_music(kind):
    """Return `music()` as a file of one of `KINDS`."""
    return encode(music(), kind)
