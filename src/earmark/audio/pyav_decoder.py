"""Decoding by FFmpeg's libraries, through PyAV."""

from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from earmark.audio.byte_source import ByteSource
from earmark.audio.decoder import Block, block_frames
from earmark.audio.ffmpeg_frames import FrameReader, open_container
from earmark.errors import AudioError

__all__ = ["PyavDecoder"]

# Containers whose stream duration is written in the file; FFmpeg guesses the others' from bit rate and size.
_DURATION_WRITTEN = frozenset({"aiff", "ape", "au", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "mpc8", "ogg", "tta", "wv"})
# Containers with one duration for all streams: it is the sound's if there is no other stream.
_DURATION_OF_FILE = frozenset({"matroska,webm"})
# Containers that say of each packet when it is, exactly; others count from bit rates.
_TIMES_EXACT = frozenset({"flac", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "ogg"})
# What a codec takes to forget what it has not heard: 80 ms of Opus, a frame or two of AAC.
_SETTLE_S = 1
_MICROSECONDS = 1_000_000
# By sample format: what is full scale.
_SCALES = {"u1": 1 / 128, "i2": 1 / 32768, "i4": 1 / 2**31, "f4": 1.0, "f8": 1.0}

# Name of the sample format, channels, sample rate in Hz.
_Kind = tuple[str, int, int]


class PyavDecoder:
    """A recording being decoded by FFmpeg on one thread; see `Decoder`. The first audio stream counts.

    Raises
    ------
    AudioError
        If FFmpeg cannot open it, in its own words, or there is no audio stream in it.
    """

    def __init__(self, source: ByteSource) -> None:
        self._container = open_container(source)
        try:
            stream = _first_audio(self._container)
        except AudioError:
            self._container.close()
            raise
        context: AudioCodecContext | None = stream.codec_context
        if context is None:
            self._container.close()
            raise AudioError("FFmpeg: no decoder for the codec of its audio stream")
        self._stream = stream
        self.n_tracks = len(self._container.streams.audio)
        context.thread_type, context.thread_count = "NONE", 1
        self.codec = f"{self._container.format.name.split(',')[0]}/{context.name}"
        self.sample_rate = context.sample_rate or 0
        self.n_channels = context.channels or 0
        self.declared_s = _declared_s(self._container, stream)
        self.cut: str | None = None
        self._reader = FrameReader(self._container, stream)
        self._frames = self._reader.frames()
        self._next: AudioFrame | None = None
        self._parts: list[npt.NDArray[np.generic]] = []
        self._kind: _Kind = ("", 0, 0)
        self._first_pts: int | None = None

    def read(self) -> Block | None:
        """Return the next block, None at the end.

        A block ends early where the stream changes its sample rate, channels or sample format.
        """
        n_gathered = sum(len(part) for part in self._parts)
        while (frame := self._peek()) is not None:
            kind = (frame.format.name, frame.layout.nb_channels, frame.sample_rate)
            if not self._parts:
                self._kind = kind
            if kind != self._kind or n_gathered >= block_frames(kind[1]):
                break
            self._parts.append(_samples(frame))
            n_gathered += frame.samples
            self._next = None
        if not self._parts:
            self._judge_end()
            return None
        gathered = np.concatenate(self._parts)
        limit = block_frames(self._kind[1])
        self._parts = [gathered[limit:]] if len(gathered) > limit else []
        return Block(values=_to_float(gathered[:limit]), sample_rate=self._kind[2])

    def seek(self, start_s: Fraction) -> Fraction | None:
        """Go to a frame by its time stamp, and decode from some seconds before it so that codecs have settled."""
        first = self._first_pts
        if self._container.format.name not in _TIMES_EXACT or first is None or self._stream.time_base is None:
            return None
        base = self._stream.time_base
        target_s = max(Fraction(0), start_s - _SETTLE_S)
        try:
            self._container.seek(first + int(target_s / base), stream=self._stream, backward=True)
        except (av.FFmpegError, ValueError, OSError) as error:
            raise AudioError(f"FFmpeg: cannot go to {float(start_s):.2f} s: {error}") from error
        self._stream.codec_context.flush_buffers()
        self._reader = FrameReader(self._container, self._stream)
        self._frames, self._next, self._parts = self._reader.frames(), None, []
        frame = self._peek()
        if frame is None:
            return start_s
        if frame.pts is None:
            raise AudioError("FFmpeg: a frame without a time stamp")
        return (frame.pts - first) * base

    def close(self) -> None:
        """Free FFmpeg's contexts."""
        self._container.close()

    def _peek(self) -> AudioFrame | None:
        if self._next is None:
            self._next = next(self._frames, None)
            if self._first_pts is None and self._next is not None:
                self._first_pts = self._next.pts
        return self._next

    def _judge_end(self) -> None:
        if self._reader.trouble is not None:
            self.cut = f"FFmpeg: {self._reader.trouble}"
            if not self._reader.n_frames:
                raise AudioError(self.cut)


def _first_audio(container: InputContainer) -> AudioStream:
    if container.streams.audio:
        return container.streams.audio[0]
    others = ", ".join(sorted(stream.type for stream in container.streams)) or "none"
    raise AudioError(f"no audio stream (streams: {others})")


def _declared_s(container: InputContainer, stream: AudioStream) -> float | None:
    name = container.format.name
    if name in _DURATION_WRITTEN and stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if name in _DURATION_OF_FILE and len(container.streams) == 1 and container.duration is not None:
        return container.duration / _MICROSECONDS
    return None


def _samples(frame: AudioFrame) -> npt.NDArray[np.generic]:
    """Return the samples in the stream's own format [shape=(n_frames, n_channels)]."""
    try:
        values = frame.to_ndarray()
    except (ValueError, KeyError) as error:
        raise AudioError(f"FFmpeg: sample format {frame.format.name} is not supported") from error
    return values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels)


def _to_float(values: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):  # doubles beyond float32 become inf, which is dealt with later
        floats = values.astype(np.float32)
    if values.dtype == np.uint8:
        floats -= 128
    scale = _SCALES[values.dtype.str[1:]]
    if scale != 1.0:
        floats *= np.float32(scale)
    return floats
