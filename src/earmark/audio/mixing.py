"""From channels to mono, with values that nothing downstream can stumble on."""

import numpy as np
import numpy.typing as npt

__all__ = ["clean", "mix_to_mono"]

# 120 dB over full scale: no recording is louder, and its power still sums in float32 over any window.
_LIMIT = np.float32(1e6)
# When the side signal is 20 dB over the mid signal, the two channels are each other's inverse, and the mid holds
# what is left of that: mostly quantization noise of a lossy codec.
_INVERTED_RATIO = 100.0


def clean(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], int]:
    """Replace NaN and infinite samples by 0 and clip the others to ±1,000,000 (full scale is 1).

    Parameters
    ----------
    values
        Samples [shape=(n_frames, n_channels), dtype=float32].

    Returns
    -------
    tuple of np.ndarray and int
        The samples [same shape], unchanged if there is nothing to mend, and how many were not finite.

    Examples
    --------
    >>> clean(np.array([[0.5], [np.nan], [1e30]], dtype=np.float32))
    (array([[5.e-01],
           [0.e+00],
           [1.e+06]], dtype=float32), 1)
    """
    # NaN makes both extremes NaN, and no comparison with NaN is true.
    if values.size == 0 or (values.max() <= _LIMIT and values.min() >= -_LIMIT):
        return values, 0
    finite = np.isfinite(values)
    mended = np.where(finite, values, np.float32(0))
    return np.clip(mended, -_LIMIT, _LIMIT), int(values.size - np.count_nonzero(finite))


def mix_to_mono(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the mean of the channels, or half their difference if the second of two is the inverse of the first.

    Inverting one channel of a stereo file is inaudible to most and silences its mean. So if the half difference of
    two channels has more than 100 times the energy of their mean, it is taken in its place. That is decided for
    each block by itself; blocks are counted from the start of the recording.

    Parameters
    ----------
    values
        Samples [shape=(n_frames, n_channels >= 1), dtype=float32].

    Returns
    -------
    np.ndarray
        [shape=(n_frames,), dtype=float32], C-contiguous.

    Examples
    --------
    >>> mix_to_mono(np.array([[0.5, 0.25], [0.5, 0.75]], dtype=np.float32))
    array([0.375, 0.625], dtype=float32)
    >>> mix_to_mono(np.array([[0.5, -0.5], [0.25, -0.25]], dtype=np.float32))
    array([0.5 , 0.25], dtype=float32)
    """
    n_channels = values.shape[1]
    mixed = values[:, 0].copy()
    for channel in range(1, n_channels):
        mixed += values[:, channel]
    mixed *= np.float32(1 / n_channels)
    if n_channels != 2:
        return mixed
    side = (values[:, 0] - values[:, 1]) * np.float32(0.5)
    return side if _energy(side) > _INVERTED_RATIO * _energy(mixed) else mixed


def _energy(y: npt.NDArray[np.float32]) -> float:
    # einsum adds in one order on one thread; a BLAS dot product might not.
    return float(np.einsum("i,i->", y, y, dtype=np.float32))
