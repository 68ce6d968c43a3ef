"""What one item may cost: time, memory and bytes, so that a hostile file costs itself and no other."""

import dataclasses
import math

from earmark.errors import ParameterError

__all__ = ["DEFAULT_MAX_BYTES", "DEFAULT_MEMORY_BYTES", "Limits", "allowed_s", "check_limits"]

DEFAULT_MEMORY_BYTES = 2 << 30
"""Of an item. Ten hours of music took 0.27 GB beyond what an idle worker has reserved (effort fast, 2 cores)."""

DEFAULT_MAX_BYTES = 64 << 30
"""Of an item: ten hours of stereo at 192 kHz and 32 bits are 55 GB."""

_SMALLEST_MEMORY_BYTES = 256 << 20  # below, an innocent item's own needs count: compiled kernels alone are 100 MB

# By default an item has two minutes, the time that a slow disk needs to hand its bytes over twice, and half a second
# for each second of audio that has come out of it so far. Measured need at effort fast: 0.001 s a second.
_START_S = 120.0
_SLOW_DISK_BYTES_PER_S = 5e6
_S_PER_AUDIO_S = 0.5
# However much audio keeps coming: a second for every kB, where the thriftiest codecs take a kB for a second of sound.
_LEAST_BYTES_PER_S = 1e3


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one item may cost.

    Attributes
    ----------
    timeout_s
        Seconds [> 0]; None allows time in proportion, see `allowed_s`.
    memory_bytes
        Private memory that a worker may reserve for an item, beyond what it has before the first [>= 256 MiB].
    max_bytes
        Size of an item [>= 1]; larger ones are left out by rule.
    """

    timeout_s: float | None = None
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    max_bytes: int = DEFAULT_MAX_BYTES


def allowed_s(limits: Limits, size_bytes: int | None, decoded_s: float) -> float:
    """Return how many seconds an item may take.

    Parameters
    ----------
    limits
        What was asked for.
    size_bytes
        Of the item; None if nobody knows.
    decoded_s
        Seconds of audio that have been decoded so far.

    Examples
    --------
    >>> allowed_s(Limits(timeout_s=5.0), 10_000_000, 600.0)
    5.0
    >>> allowed_s(Limits(), 10_000_000, 0.0), allowed_s(Limits(), 10_000_000, 600.0)
    (122.0, 422.0)
    >>> allowed_s(Limits(), 5000, 36_000.0)
    125.001
    """
    if limits.timeout_s is not None:
        return limits.timeout_s
    for_audio_s = _S_PER_AUDIO_S * decoded_s
    if size_bytes is None:
        return _START_S + for_audio_s
    for_audio_s = min(for_audio_s, size_bytes / _LEAST_BYTES_PER_S)
    return _START_S + size_bytes / _SLOW_DISK_BYTES_PER_S + for_audio_s


def check_limits(limits: Limits) -> None:
    """Check that limits are in their domain.

    Raises
    ------
    ParameterError
        If one is not.
    """
    if limits.timeout_s is not None and not (limits.timeout_s > 0 and math.isfinite(limits.timeout_s)):
        raise ParameterError(f"timeout_s must be a number of seconds above 0, got {limits.timeout_s}")
    if limits.memory_bytes < _SMALLEST_MEMORY_BYTES:
        raise ParameterError(f"memory_bytes must be at least {_SMALLEST_MEMORY_BYTES:,}, got {limits.memory_bytes:,}")
    if limits.max_bytes < 1:
        raise ParameterError(f"max_bytes must be at least 1, got {limits.max_bytes}")
