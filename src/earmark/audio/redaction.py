"""A recording without some of its seconds: silenced or cut out at full quality, into FLAC or WAV."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile

from earmark.audio.audio_stream import stream
from earmark.audio.decoder import Block
from earmark.errors import AudioError, ParameterError

__all__ = ["REDACTED_SUFFIXES", "RedactedAudio", "redact_audio"]

REDACTED_SUFFIXES = {"flac": ".flac", "wav": ".wav"}
"""Forms that redacted recordings can have, and the suffixes of their files."""

_MAX_WAV_BYTES = 4_000_000_000  # beyond, sizes need the 64 bits of RF64
_MAX_FLAC_CHANNELS, _MAX_FLAC_HZ = 8, 655_350
# Codecs with more than 16 bits in them; all others are kept in 16.
_DEEP = ("24", "32", "float", "double", "s32", "f32", "f64", "alac", "flac")


@dataclass(frozen=True, kw_only=True, slots=True)
class RedactedAudio:
    """What is left of a recording.

    Attributes
    ----------
    file
        The sound file, at its start; to be closed by the caller.
    duration_s
        Its length in seconds.
    removed_s
        Seconds that were silenced or cut out.
    """

    file: BinaryIO
    duration_s: float
    removed_s: float


def redact_audio(
    source: BinaryIO,
    spans: Sequence[tuple[float, float]],
    *,
    form: str = "flac",
    cut: bool = False,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> RedactedAudio:
    """Silence or cut out some seconds of a recording; all others stay as they are decoded, at their own rate.

    Parameters
    ----------
    source
        A recording of any format; seekable.
    spans
        Start and end of what goes, in seconds of the stretch; in any order, and they may overlap.
    form
        One of `REDACTED_SUFFIXES`.
    cut
        Whether the seconds are cut out; else they are silenced, and all times stay what they were.
    start_s, duration_s
        The stretch of the recording to write.

    Raises
    ------
    AudioError
        If it cannot be decoded, changes its sample rate or channels, or FLAC cannot hold it. Of a recording that
        breaks off, what there is of it is written.
    ParameterError
        If `form` is another.
    """
    if form not in REDACTED_SUFFIXES:
        raise ParameterError(f"form must be one of {', '.join(REDACTED_SUFFIXES)}, got {form!r}")
    target = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        with stream(source, name="item", start_s=start_s, duration_s=duration_s) as recording:
            if form == "flac" and (recording.n_channels > _MAX_FLAC_CHANNELS or recording.sample_rate > _MAX_FLAC_HZ):
                form_of = f"{recording.n_channels} channels at {recording.sample_rate} Hz"
                raise AudioError(f"FLAC does not hold {form_of}; take wav")
            bytes_per_s = recording.n_channels * recording.sample_rate * 3
            long = recording.declared_s is None or recording.declared_s * bytes_per_s > _MAX_WAV_BYTES
            container = "FLAC" if form == "flac" else "RF64" if long else "WAV"
            subtype = "PCM_24" if any(mark in recording.codec for mark in _DEEP) else "PCM_16"
            with soundfile.SoundFile(
                target, "w", recording.sample_rate, recording.n_channels, subtype, format=container
            ) as out:
                written, removed = _write(recording.blocks(), _union(spans), out, cut=cut)
        target.seek(0)
    except BaseException:
        target.close()
        raise
    rate = out.samplerate
    return RedactedAudio(file=target, duration_s=written / rate, removed_s=removed / rate)


def _write(
    blocks: Iterator[Block], spans: list[tuple[Fraction, Fraction]], out: soundfile.SoundFile, *, cut: bool
) -> tuple[int, int]:
    """Write the blocks; return how many frames were written, and how many were taken away."""
    position = n_written = n_removed = 0
    for block in blocks:
        if block.sample_rate != out.samplerate or block.values.shape[1] != out.channels:
            raise AudioError("it changes its sample rate or channels on the way")
        values = np.nan_to_num(block.values, nan=0.0, posinf=0.0, neginf=0.0)
        gone = _within(spans, position, len(values), out.samplerate)
        position += len(values)
        n_removed += int(gone.sum())
        if cut:
            values = values[~gone]
        else:
            values[gone] = 0.0
        out.write(np.clip(values, -1.0, 1.0))
        n_written += len(values)
    return n_written, n_removed


def _union(spans: Sequence[tuple[float, float]]) -> list[tuple[Fraction, Fraction]]:
    return sorted((Fraction(start), Fraction(end)) for start, end in spans if end > start)


def _within(
    spans: list[tuple[Fraction, Fraction]], first: int, n_frames: int, sample_rate: int
) -> npt.NDArray[np.bool_]:
    """Return which of the frames from `first` on lie in a span: frame i is at i / sample_rate."""
    gone = np.zeros(n_frames, dtype=np.bool_)
    for start, end in spans:
        low = max(0, -(-start * sample_rate // 1) - first)
        high = max(0, -(-end * sample_rate // 1) - first)
        gone[int(low) : int(high)] = True
    return gone
