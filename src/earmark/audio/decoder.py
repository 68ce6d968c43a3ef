"""What the two decoders have in common."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Block", "Decoder", "block_frames"]

# Samples of all channels in a block: 1.5 s of stereo at 44.1 kHz. Larger ones decode no faster, and what libsndfile
# decoded of a block before an error is lost.
_BLOCK_SAMPLES = 1 << 17


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A run of decoded audio.

    Attributes
    ----------
    values
        Samples, full scale 1 [shape=(n_frames, n_channels), dtype=float32].
    sample_rate
        In Hz.
    """

    values: npt.NDArray[np.float32]
    sample_rate: int


class Decoder(Protocol):
    """A recording being decoded, block by block from its start.

    Attributes
    ----------
    codec
        Container and codec in the library's own words.
    sample_rate
        In Hz, as the header says.
    n_channels
        As the header says.
    declared_s
        Seconds that the header declares; None if it does not or the library only guesses.
    n_tracks
        Recordings side by side in the file, of which the first is decoded.
    cut
        After the last block: in words, what showed that the end is missing; else None.
    """

    codec: str
    sample_rate: int
    n_channels: int
    declared_s: float | None
    n_tracks: int
    cut: str | None

    def read(self) -> Block | None:
        """Return the next block, None at the end.

        Raises
        ------
        AudioError
            If decoding cannot go on; the blocks before are good.
        """

    def seek(self, start_s: Fraction) -> Fraction | None:
        """Go to `start_s` seconds, or somewhat before, where the format has exact times.

        Returns
        -------
        Fraction or None
            Seconds at which the next block begins, to the frame; None if the format has no exact times, and then
            nothing has changed.

        Raises
        ------
        AudioError
            If it went wrong; the decoder is of no more use then.
        """

    def close(self) -> None:
        """Let go of the library's memory; the source stays open."""


def block_frames(n_channels: int) -> int:
    """Return the length of a block in frames.

    Blocks are counted from the start of the recording, so what is decided block by block does not depend on
    how its bytes arrive.

    Examples
    --------
    >>> block_frames(1), block_frames(2), block_frames(1024)
    (131072, 65536, 128)
    """
    return max(1, _BLOCK_SAMPLES // n_channels)
