"""What people do to music, as functions of (y, sr, rng): the same for training and for measuring.

Every function takes mono float32 `y` at `sr` Hz and a `numpy.random.Generator`, and returns mono float32 at the same
rate. Levels are signal-to-noise ratios in dB over the whole excerpt.
"""

import io

import av
import numpy as np
import scipy.signal
import soxr

__all__ = [
    "add",
    "babble",
    "band_pass",
    "clip",
    "codec",
    "coloured",
    "encode",
    "equalise",
    "noise",
    "reverb",
    "speed",
    "street",
]

# Container, encoder and its sampling rate for each codec name.
CODECS = {
    "mp3": ("mp3", "libmp3lame", 44100),
    "opus": ("ogg", "libopus", 48000),
    "aac": ("adts", "aac", 44100),
}


def add(y, other, snr_db):
    """Add `other` (looped or cut to length) so that `y` stands `snr_db` above it; scale down if it would clip."""
    other = np.resize(other, len(y)).astype(np.float32)
    gain = np.sqrt(np.mean(y**2) / max(float(np.mean(other**2)), 1e-12)) * 10 ** (-snr_db / 20)
    mixed = y + np.float32(gain) * other
    return (mixed / max(1.0, float(np.abs(mixed).max()))).astype(np.float32)


def coloured(n_samples, rng, exponent, lowest=0.0):
    """Noise whose power falls as 1/f**exponent: 0 white, 1 pink, 2 brown; from `lowest` up, a share of the rate."""
    n = rng.standard_normal(n_samples).astype(np.float32)
    if not exponent:
        return n
    spectrum = np.fft.rfft(n)
    f = np.maximum(np.arange(len(spectrum)), 1.0)
    shape = np.where(f >= lowest * n_samples, f ** (-exponent / 2), 0.0)
    return np.fft.irfft(spectrum * shape, n_samples).astype(np.float32)


def noise(y, rng, snr_db, exponent=0.0, lowest=0.0):
    """Add `coloured` noise."""
    return add(y, coloured(len(y), rng, exponent, lowest), snr_db)


def _level(y):
    """Bring to an RMS of 1."""
    return y / max(float(np.sqrt(np.mean(y**2))), 1e-9)


def street(n_samples, sr, rng):
    """A made-up street: rumble that swells and ebbs, tyres going by, horns, steps and clatter."""
    t = np.arange(n_samples) / sr
    swell = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.05, 0.3) * t)
    total = _level(coloured(n_samples, rng, 2.0, 25 / sr)) * swell
    for _ in range(1 + rng.poisson(n_samples / sr / 2.5)):
        low, high = rng.uniform(100, 400), rng.uniform(900, min(3000, 0.45 * sr))
        tyres = _level(band_pass(coloured(n_samples, rng, 0.0), sr, low, high))
        passing = ((t - rng.uniform(0, t[-1])) / rng.uniform(0.5, 2.0)) ** 2
        total = total + rng.uniform(0.7, 2.0) * tyres * np.exp(-passing)
    for _ in range(rng.poisson(n_samples / sr / 10)):
        total = total + _horn(t, sr, rng)
    for _ in range(rng.poisson(n_samples / sr * 1.5)):  # steps and clatter
        since = t - rng.uniform(0, t[-1])
        decay = np.where(since > 0, np.exp(-np.maximum(since, 0) / rng.uniform(0.005, 0.04)), 0.0)
        total = total + rng.uniform(0.5, 3) * decay * rng.standard_normal(n_samples)
    return total.astype(np.float32)


def _horn(t, sr, rng):
    """A car's horn: two notes a third apart, with six harmonics each."""
    start, length, root = rng.uniform(0, t[-1]), rng.uniform(0.2, 0.9), rng.uniform(320, 480)
    partials = [(k, k * note) for k in range(1, 7) for note in (root, 1.26 * root) if k * note < 0.45 * sr]
    sound = sum(0.8 / k * np.sin(2 * np.pi * f * t) for k, f in partials)
    return np.where((t >= start) & (t < start + length), sound, 0.0)


def babble(n_samples, speech, rng, voices=8):
    """Several stretches of `speech` at once, each at the same level."""
    total = np.zeros(n_samples, np.float32)
    for _ in range(voices):
        start = rng.integers(0, max(len(speech) - n_samples, 1))
        s = np.resize(speech[start : start + n_samples], n_samples)
        total += s / max(float(np.sqrt(np.mean(s**2))), 1e-6)
    return total


def reverb(y, sr, rng, seconds=1.2, wet=0.6):
    """Convolve with a synthetic room: exponentially decaying noise after a direct path."""
    n = int(sr * seconds)
    impulse = rng.standard_normal(n).astype(np.float32) * np.exp(-6.9 * np.arange(n) / n).astype(np.float32)
    impulse *= wet / np.sqrt(np.sum(impulse**2))
    impulse[0] = 1.0
    wet_y = scipy.signal.fftconvolve(y, impulse)[: len(y)].astype(np.float32)
    return wet_y / max(1.0, float(np.abs(wet_y).max()))


def equalise(y, sr, rng, gain_db=12.0):
    """A random smooth equaliser: up to +-`gain_db` at eight octave-spaced points."""
    spectrum = np.fft.rfft(y)
    f = np.fft.rfftfreq(len(y), 1 / sr)
    points = 62.5 * 2.0 ** np.arange(8)
    gains = np.interp(np.log2(np.maximum(f, 20.0)), np.log2(points), rng.uniform(-gain_db, gain_db, 8))
    out = np.fft.irfft(spectrum * 10 ** (gains / 20), len(y)).astype(np.float32)
    return out / max(1.0, float(np.abs(out).max()))


def band_pass(y, sr, low_hz, high_hz):
    """Keep `low_hz` to `high_hz` (4th-order Butterworth); None leaves that side open."""
    if low_hz and high_hz:
        sos = scipy.signal.butter(4, (low_hz, high_hz), "bandpass", fs=sr, output="sos")
    elif high_hz:
        sos = scipy.signal.butter(4, high_hz, "lowpass", fs=sr, output="sos")
    else:
        sos = scipy.signal.butter(4, low_hz, "highpass", fs=sr, output="sos")
    return scipy.signal.sosfilt(sos, y).astype(np.float32)


def clip(y, drive_db):
    """Clip hard where the excerpt lies less than `drive_db` under its peak, as an overdriven input does."""
    ceiling = float(np.abs(y).max()) * 10 ** (-drive_db / 20)
    return np.clip(y, -ceiling, ceiling).astype(np.float32)


def speed(y, factor):
    """Play faster (`factor` > 1): tempo and pitch rise together."""
    return soxr.resample(y, factor, 1.0, "HQ").astype(np.float32)


def encode(y, sr, name, kbit_s):
    """Encode with a real encoder, at the encoder's own sampling rate; returns the bytes of a file."""
    container, encoder, rate = CODECS[name]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        track = out.add_stream(encoder, rate=rate, layout="mono", bit_rate=int(kbit_s * 1000))
        samples = y if sr == rate else soxr.resample(y, sr, rate, "HQ")
        frame = av.AudioFrame.from_ndarray(samples[None, :].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(
            format=track.format, layout="mono", rate=rate, frame_size=track.frame_size or None
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(track.encode(part))
        out.mux(track.encode(None))
    return buffer.getvalue()


def codec(y, sr, name, kbit_s):
    """Encode and decode again, the encoder's delay removed as far as the container says it."""
    with av.open(io.BytesIO(encode(y, sr, name, kbit_s))) as source:
        parts = [frame.to_ndarray() for frame in source.decode(audio=0)]
        decoded_rate = source.streams.audio[0].rate
        is_integer = parts[0].dtype.kind == "i"
    decoded = np.concatenate([p.reshape(p.shape[0], -1).mean(0) for p in parts]).astype(np.float32)
    decoded = decoded / 32768 if is_integer else decoded
    return np.resize(soxr.resample(decoded, decoded_rate, sr, "HQ"), len(y)).astype(np.float32)
