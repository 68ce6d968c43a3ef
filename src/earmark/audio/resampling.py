"""From the recording's sample rate to 8 kHz."""

import numpy as np
import numpy.typing as npt
import soxr

from earmark.errors import AudioError

__all__ = ["SAMPLE_RATE", "Resampler", "check_rate"]

SAMPLE_RATE = 8000
"""Hz of everything behind this package: the fingerprint looks at 220-3800 Hz."""

# soxr's MQ (16 bits) took 18 ms for 120 s at 44.1 kHz, HQ (20 bits) 20.5 ms: more than a fingerprint can use.
_QUALITY = "MQ"
# Outside these, a rate is a damaged header: 1 Hz would make 8,000 samples out of each.
_LOWEST_HZ, _HIGHEST_HZ = 1000, 1_536_000


class Resampler:
    """Turns blocks of mono audio of any sample rate into 8 kHz.

    The result depends on the samples alone, not on how they are cut into blocks. Where the rate changes, what is
    under way is finished and a new filter starts.
    """

    def __init__(self) -> None:
        self._rate = SAMPLE_RATE
        self._soxr: soxr.ResampleStream | None = None

    def push(self, y: npt.NDArray[np.float32], sample_rate: int) -> npt.NDArray[np.float32]:
        """Take a block and return what is ready.

        Parameters
        ----------
        y
            Mono samples [shape=(n_samples,), dtype=float32].
        sample_rate
            In Hz [1,000 <= sample_rate <= 1,536,000].

        Returns
        -------
        np.ndarray
            [shape=(n_ready >= 0,), dtype=float32] at 8 kHz.

        Raises
        ------
        AudioError
            If the sample rate is out of range.
        """
        if sample_rate == self._rate:
            return self._resampled(y)
        check_rate(sample_rate)
        before = self.flush()
        self._rate = sample_rate
        if sample_rate != SAMPLE_RATE:
            self._soxr = soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32", quality=_QUALITY)
        return np.concatenate([before, self._resampled(y)])

    def flush(self) -> npt.NDArray[np.float32]:
        """Finish, and return what the filter still held."""
        empty = np.zeros(0, dtype=np.float32)
        if self._soxr is None:
            return empty
        rest: npt.NDArray[np.float32] = self._soxr.resample_chunk(empty, last=True)
        self._soxr, self._rate = None, SAMPLE_RATE
        return rest

    def _resampled(self, y: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if self._soxr is None:
            return y
        ready: npt.NDArray[np.float32] = self._soxr.resample_chunk(y)
        return ready


def check_rate(sample_rate: int) -> None:
    """Raise AudioError if a sample rate in Hz can only come from a damaged header."""
    if not _LOWEST_HZ <= sample_rate <= _HIGHEST_HZ:
        raise AudioError(f"sample rate of {sample_rate:,} Hz is outside {_LOWEST_HZ:,}-{_HIGHEST_HZ:,} Hz")
