"""Sound out: reading at full bandwidth, mixing, and encoding with real encoders, for demonstrations and tests."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from earmark.errors import ParameterError

__all__ = ["encode", "mix", "read_full_band", "resample", "wav_bytes"]

# Suffix -> container, encoder and its sampling rates, of which the nearest that is no lower is taken.
_ENCODERS = {
    ".mp3": ("mp3", "libmp3lame", (16000, 22050, 24000, 32000, 44100, 48000)),
    ".opus": ("ogg", "libopus", (48000,)),
}
# LAME's quality 7 takes half the time of its default.
_ENCODER_OPTIONS = {"libmp3lame": {"compression_level": "7"}}
_LOSSLESS = {".flac": "FLAC", ".wav": "WAV"}


def read_full_band(path: Path) -> tuple[npt.NDArray[np.float32], int]:
    """Return a whole recording as mono, at its own sampling rate.

    Parameters
    ----------
    path
        A file that libsndfile reads.

    Returns
    -------
    y : np.ndarray [shape=(n_samples,), dtype=float32]
    sr : int
        In Hz.
    """
    y, sr = soundfile.read(path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(y.mean(axis=1)), int(sr)


def resample(y: npt.NDArray[np.float32], sr: int, to_sr: int) -> npt.NDArray[np.float32]:
    """Return a recording at another sampling rate.

    Parameters
    ----------
    y
        Mono samples [shape=(n_samples,), dtype=float32].
    sr, to_sr
        In Hz [> 0].
    """
    resampled: npt.NDArray[np.float32] = soxr.resample(y, sr, to_sr)
    return resampled


def mix(y: npt.NDArray[np.float32], other: npt.NDArray[np.float32], level_db: float) -> npt.NDArray[np.float32]:
    """Lay one sound over another, and scale the sum down if it would clip.

    Parameters
    ----------
    y
        Mono samples [shape=(n_samples,), dtype=float32].
    other
        What is laid over it, repeated or cut to its length; of the same sampling rate.
    level_db
        How far the mean power of `y` stands above that of `other`.

    Examples
    --------
    >>> y, other = np.float32([0.4, -0.4]), np.float32([0.1])
    >>> mix(y, other, 6.0206)
    array([ 0.6, -0.2], dtype=float32)
    """
    other = np.resize(other, len(y))
    power, other_power = (float(np.mean(np.square(x, dtype=np.float64))) for x in (y, other))
    gain = np.sqrt(power / max(other_power, 1e-12)) * 10 ** (-level_db / 20)
    mixed = y + np.float32(gain) * other
    return np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), dtype=np.float32)


def encode(y: npt.NDArray[np.float32], sr: int, path: Path, *, bit_rate: int | None = None) -> None:
    """Write a recording; the same samples give the same bytes.

    Parameters
    ----------
    y
        Mono samples in ±1 [shape=(n_samples,), dtype=float32].
    sr
        In Hz [> 0].
    path
        The file; its suffix decides: .mp3, .opus, .flac or .wav (16 bits).
    bit_rate
        In bit/s, for mp3 and Opus; None leaves it to the encoder.

    Raises
    ------
    ParameterError
        If the suffix is another.
    """
    if path.suffix in _LOSSLESS:
        soundfile.write(path, y, sr, format=_LOSSLESS[path.suffix], subtype="PCM_16")
        return
    if path.suffix not in _ENCODERS:
        raise ParameterError(f"suffix must be one of {', '.join([*_ENCODERS, *_LOSSLESS])}, got {path.suffix!r}")
    container, codec, rates = _ENCODERS[path.suffix]
    rate = next((each for each in rates if each >= sr), rates[-1])
    # Without "bitexact" an Ogg stream gets a random serial number.
    with av.open(str(path), "w", format=container, options={"fflags": "+bitexact"}) as out:
        track = out.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(track, av.AudioStream)
        if bit_rate is not None:
            track.bit_rate = bit_rate
        track.options = dict(_ENCODER_OPTIONS.get(codec, {}))
        samples = np.ascontiguousarray(resample(y, sr, rate) if rate != sr else y)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        frame_size = track.codec_context.frame_size or None
        cutter = av.AudioResampler(format=track.format, layout="mono", rate=rate, frame_size=frame_size)
        for part in [*cutter.resample(frame), *cutter.resample(None)]:
            out.mux(track.encode(part))
        out.mux(track.encode(None))


def wav_bytes(y: npt.NDArray[np.float32], sr: int) -> bytes:
    """Return samples as a WAV file that loses nothing of them.

    Parameters
    ----------
    y
        Samples [shape=(n_samples,) or (n_samples, n_channels), dtype=float32].
    sr
        In Hz [> 0].
    """
    file = io.BytesIO()
    soundfile.write(file, y, sr, format="WAV", subtype="FLOAT")
    return file.getvalue()
