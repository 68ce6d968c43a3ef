"""A recording as a stream of mono chunks at 8 kHz, whatever it was."""

import os
from collections.abc import Generator, Iterator
from fractions import Fraction
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

from earmark.audio.byte_source import ByteSource, open_source, shown
from earmark.audio.decoder import Block, Decoder
from earmark.audio.mixing import clean, mix_to_mono
from earmark.audio.pyav_decoder import PyavDecoder
from earmark.audio.resampling import SAMPLE_RATE, Resampler, check_rate
from earmark.audio.soundfile_decoder import SoundfileDecoder
from earmark.audio.stretch import Stretch
from earmark.audio.structure import Structure
from earmark.audio.survey import survey
from earmark.errors import AudioError, TruncatedAudioError, UnreadableAudioError

__all__ = ["AudioStream", "load", "stream"]

# 24 s: large enough for what follows to work in bulk, 768 kB.
_CHUNK_SAMPLES = 24 * SAMPLE_RATE
_BACKENDS: dict[str, type[SoundfileDecoder] | type[PyavDecoder]] = {"soundfile": SoundfileDecoder, "pyav": PyavDecoder}
# A frame or two of a lossy codec may get lost at either end, and durations are rounded. Less than this many seconds
# missing is no news; a decoder's trouble with the very last packet is, from the second figure on.
_MISSING_S = 0.5
# Nearer than this, decoding from the start takes no longer than finding the place, and is the same in all formats.
_SEEK_FROM_S = 5
_MISSING_WITH_TROUBLE_S = 0.02


class AudioStream:
    """An open recording: a context manager, and an iterator of mono chunks at 8 kHz; made by `stream`.

    Each chunk is a C-contiguous float32 array of 24 s, the last one shorter; full scale is 1. Samples that are not
    finite become 0, and all are held to ±1,000,000. If the recording stops before its declared end, the chunks
    before are good and TruncatedAudioError comes in place of StopIteration.

    Attributes
    ----------
    name
        What it is called in messages.
    backend
        The decoder: "soundfile" or "pyav".
    codec
        Container and codec in the decoder's words, such as "wav/pcm_16" or "ogg/opus".
    sample_rate
        The recording's own, in Hz.
    n_channels
        The recording's own.
    n_tracks
        Recordings side by side in the file, as in a film with several languages; the first is the one that is read.
    declared_s
        Seconds that the file declares, None if it does not; of a stretch, the seconds that were asked for.
    decoded_s
        Seconds decoded so far.
    n_nonfinite
        NaN and infinite samples replaced so far.
    """

    def __init__(self, source: ByteSource, name: str, stretch: Stretch) -> None:
        self.name = name
        self._stretch, self._complete = stretch, False
        self.decoded_s, self._decoded = 0.0, Fraction(0)
        self.n_nonfinite = 0
        self._source = source
        self._structure = _survey(source, name)
        self.backend, self._decoder, self._first = self._open()
        self.codec, self.n_tracks = self._decoder.codec, self._decoder.n_tracks
        self.sample_rate = self._first.sample_rate if self._first else self._decoder.sample_rate
        self.n_channels = self._first.values.shape[1] if self._first else self._decoder.n_channels
        self.declared_s = _declared_s(self._structure, self._decoder)
        if stretch.duration_s is not None:
            self.declared_s = float(stretch.duration_s)
        elif self.declared_s is not None:
            self.declared_s = max(0.0, self.declared_s - float(stretch.start_s))
        self._chunks = self._resample()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> npt.NDArray[np.float32]:
        return next(self._chunks)

    def close(self) -> None:
        """Let go of the decoder, and of the file if it was given by its path. May be called twice."""
        self._chunks.close()
        self._decoder.close()
        self._source.close()

    def _open(self) -> tuple[str, Decoder, Block | None]:
        """Return the first decoder that gets as far as the first block, and that block."""
        errors: list[AudioError] = []
        for backend in self._structure.backends:
            try:
                return backend, *self._start(backend)
            except AudioError as error:
                errors.append(error)
        words = "; ".join(dict.fromkeys(str(error) for error in errors))
        self._source.seek(0)
        head = self._source.read(16)
        raise UnreadableAudioError(
            f"{shown(self.name)}: not audio, or too damaged: starts with {head!r} ({words})"
        ) from errors[0]

    def _start(self, backend: str) -> tuple[Decoder, Block | None]:
        try:
            decoder = _BACKENDS[backend](self._source)
        except AudioError:
            self._source.raise_failure()
            raise
        try:
            first = self._read(decoder)
            if first is not None:
                check_rate(first.sample_rate)
        except BaseException:
            decoder.close()
            raise
        return decoder, first

    def _read(self, decoder: Decoder) -> Block | None:
        try:
            return decoder.read()
        finally:
            # A decoder takes a failed read for the end of the file, or for damage: the true cause goes first.
            self._source.raise_failure()

    def _mono_blocks(self) -> Iterator[tuple[npt.NDArray[np.float32], int]]:
        """Yield mono samples and their sample rate."""
        for block in self.blocks():
            values, n_nonfinite = clean(block.values)
            self.n_nonfinite += n_nonfinite
            self._decoded += Fraction(len(values), block.sample_rate)
            self.decoded_s = float(self._decoded)
            yield mix_to_mono(values), block.sample_rate

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of the stretch as they are decoded: in place of the chunks, not beside them."""
        at_s, end_s = self._go_to_start(), self._stretch.end_s
        block, self._first = self._first or self._read(self._decoder), None
        while block is not None:
            part = self._stretch.part_of(block, at_s)
            if len(part.values):
                yield part
            at_s += Fraction(len(block.values), block.sample_rate)
            if end_s is not None and at_s >= end_s:
                self._complete = True
                return
            block = self._read(self._decoder)

    def _go_to_start(self) -> Fraction:
        """Go near the start of the stretch; return where the next block begins."""
        if self._stretch.start_s < _SEEK_FROM_S:
            return Fraction(0)
        try:
            at_s = self._decoder.seek(self._stretch.start_s)
            self._source.raise_failure()
        except AudioError:  # then from the start, decoding all that comes before
            self._decoder.close()
            self._decoder, self._first = self._start(self.backend)
            return Fraction(0)
        if at_s is None:
            return Fraction(0)
        self._first = None
        return at_s

    def _resample(self) -> Generator[npt.NDArray[np.float32]]:
        """Yield whole chunks, then the rest, then raise if there should have been more."""
        resampler, gathered, stop = Resampler(), _Gatherer(), None
        try:
            for y, sample_rate in self._mono_blocks():
                yield from gathered.push(resampler.push(y, sample_rate))
        except AudioError as error:
            stop = error
        yield from gathered.push(resampler.flush())
        yield from gathered.rest()
        why = str(stop) if stop else self._why_short()
        if why:
            at = f"{self.decoded_s:.2f} s" + (f" of {self.declared_s:.2f} s" if self.declared_s is not None else "")
            raise TruncatedAudioError(f"{shown(self.name)}: stops after {at}: {why}") from stop

    def _why_short(self) -> str | None:
        """Return in words why the end of the file must be missing, None if nothing says so."""
        if self._complete:
            return None
        if self._structure.cut:
            return self._structure.cut
        missing_s = None if self.declared_s is None else self.declared_s - self.decoded_s
        trouble = None if self._structure.tail_judged else self._decoder.cut
        if trouble and (missing_s is None or missing_s > _MISSING_WITH_TROUBLE_S):
            return trouble
        if missing_s is not None and missing_s > _MISSING_S:
            return f"{missing_s:.2f} s could not be decoded"
        return None


class _Gatherer:
    """Cuts a run of samples into whole chunks."""

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.float32]] = []
        self._n_samples = 0

    def push(self, y: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32]]:
        """Take samples; yield the chunks that are now whole."""
        self._parts.append(y)
        self._n_samples += len(y)
        if self._n_samples < _CHUNK_SAMPLES:
            return
        joined = np.concatenate(self._parts)
        whole = len(joined) - len(joined) % _CHUNK_SAMPLES
        # Kept as a copy, so that a small rest does not hold the whole in memory.
        self._parts, self._n_samples = [joined[whole:].copy()], len(joined) - whole
        for start in range(0, whole, _CHUNK_SAMPLES):
            yield joined[start : start + _CHUNK_SAMPLES]

    def rest(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield what is left, if anything is."""
        if self._n_samples:
            yield np.concatenate(self._parts)


def stream(
    source: str | os.PathLike[str] | bytes | BinaryIO,
    *,
    name: str | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> AudioStream:
    """Open a recording of any format that libsndfile or FFmpeg reads, or a stretch of it.

    Parameters
    ----------
    source
        A path, the bytes of a whole file, or a binary file object, which is read from where it stands and left
        open. One that cannot seek is copied to a temporary file first.
    name
        What to call it in messages; None takes the path or the object's own name.
    start_s
        Where the stretch starts [>= 0]; in formats with exact times what comes before is not decoded.
    duration_s
        How long it is [> 0]; None is to the end. One that goes beyond the end of the recording ends in
        TruncatedAudioError.

    Returns
    -------
    AudioStream
        To be used as a context manager, and iterated over.

    Raises
    ------
    UnreadableAudioError
        If nothing can be decoded.
    ParameterError
        If `source` is of another type, or the stretch is out of range.

    Examples
    --------
    >>> import io, soundfile
    >>> wav = io.BytesIO()
    >>> soundfile.write(wav, np.full((44100, 2), 0.25), 44100, format="WAV")
    >>> with stream(wav.getvalue()) as recording:
    ...     n_samples = sum(len(y) for y in recording)
    >>> n_samples, recording.codec, recording.decoded_s
    (8000, 'wav/pcm_16', 1.0)
    """
    stretch = Stretch.of(start_s, duration_s)
    opened, name = open_source(source, name)
    try:
        return AudioStream(opened, name, stretch)
    except BaseException:
        opened.close()
        raise


def load(source: str | os.PathLike[str] | bytes | BinaryIO, *, name: str | None = None) -> npt.NDArray[np.float32]:
    """Return a whole recording as one array of mono samples at 8 kHz.

    Parameters
    ----------
    source
        As for `stream`.
    name
        As for `stream`.

    Returns
    -------
    np.ndarray
        [shape=(n_samples >= 0,), dtype=float32].

    Raises
    ------
    UnreadableAudioError
        If nothing can be decoded.
    TruncatedAudioError
        If the recording stops before its declared end; take `stream` to get what comes before.
    ParameterError
        If `source` is of another type.
    """
    with stream(source, name=name) as recording:
        chunks = list(recording)
    return np.concatenate(chunks) if chunks else np.zeros(0, dtype=np.float32)


def _survey(source: ByteSource, name: str) -> Structure:
    structure = survey(source)
    try:
        source.raise_failure()
    except AudioError as error:
        raise UnreadableAudioError(f"{shown(name)}: {error}") from error
    return structure


def _declared_s(structure: Structure, decoder: Decoder) -> float | None:
    if structure.declared_s is not None:
        return structure.declared_s
    if not structure.length_known or decoder.declared_s is None:
        return None
    return decoder.declared_s / structure.present_share if structure.present_share > 0 else None
