"""Decoding by libsndfile."""

from fractions import Fraction

import numpy as np
import soundfile

from earmark.audio.byte_source import ByteSource
from earmark.audio.decoder import Block, block_frames
from earmark.errors import AudioError

__all__ = ["SoundfileDecoder"]

# libsndfile's SF_COUNT_MAX: the header leaves the length open.
_UNKNOWN_FRAMES = 2**63 - 1


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is only read onward.

    soundfile seeks to where it already is after every read, and fails there when the header understates the length.
    """

    def seekable(self) -> bool:
        return False


class SoundfileDecoder:
    """A recording being decoded by libsndfile; see `Decoder`.

    Raises
    ------
    AudioError
        If libsndfile cannot open it, in its own words.
    """

    def __init__(self, source: ByteSource) -> None:
        source.seek(0)
        try:
            self._file = _SequentialFile(source)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise AudioError(f"libsndfile: {_words(error)}") from error
        self.codec = f"{self._file.format}/{self._file.subtype}".lower()
        self.sample_rate: int = self._file.samplerate
        self.n_channels: int = self._file.channels
        self.declared_s = self._declared_s()
        self.cut: str | None = None
        self.n_tracks = 1
        self._ended = False

    def read(self) -> Block | None:
        """Return the next block, None at the end."""
        if self._ended:
            return None
        wanted = np.empty((block_frames(self.n_channels), self.n_channels), dtype=np.float32)
        try:
            values = self._file.read(out=wanted)
        except soundfile.SoundFileError as error:
            self._ended = True
            raise AudioError(f"libsndfile: {_words(error)}") from error
        self._ended = len(values) < len(wanted)
        return Block(values=values, sample_rate=self.sample_rate) if len(values) else None

    def seek(self, start_s: Fraction) -> Fraction | None:
        """Go to a frame; libsndfile counts them exactly in all its formats."""
        frame = min(int(start_s * self.sample_rate), self._file.frames)
        try:
            self._file.seek(frame)
        except soundfile.SoundFileError as error:
            raise AudioError(f"libsndfile: {_words(error)}") from error
        self._ended = False
        return Fraction(frame, self.sample_rate)

    def close(self) -> None:
        """Close libsndfile's handle."""
        self._file.close()

    def _declared_s(self) -> float | None:
        if self._file.frames >= _UNKNOWN_FRAMES or self.sample_rate <= 0:
            return None
        return float(self._file.frames / self.sample_rate)


def _words(error: Exception) -> str:
    """Return libsndfile's words without soundfile's prefix, which shows a Python object."""
    return str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".\n")
