"""Whether the bands of an item and of a track coincide more than two recordings that have nothing in common would."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from earmark.matching.bitmaps import band_autocovariances, cross_covariances, judge_bands, transpose

__all__ = ["BandTest", "ItemBands", "weighted_z"]

MAX_LAG = 60
"""Words (3.8 s) over which autocovariances are summed."""

CROSS_LAGS = 40
"""Words (2.6 s) over which cross-covariances of bands are summed: notes of a chord begin together, a rising sound
reaches one band after the other, and a beat comes again."""

NEIGHBOURHOOD_BANDS = 4.0
"""Standard deviation of the bell curve over which neighbouring bands vouch for one another: a quarter octave."""

_APART = np.subtract.outer(np.arange(64), np.arange(64))
_BELL = np.exp(-0.5 * (_APART / NEIGHBOURHOOD_BANDS) ** 2) * (_APART != 0)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BandTest:
    """An alignment, band by band.

    Attributes
    ----------
    excess : np.ndarray [shape=(64,), dtype=float64]
        Coincidences less those that chance makes expected.
    signal : np.ndarray [shape=(64,), dtype=float64]
        What the excess would be in a clean match.
    variance : np.ndarray [shape=(64,), dtype=float64]
        The excess's variance by chance (Bartlett 1935), 0 where there is nothing to compare.
    z : float
        The excess, weighted by signal over variance, in standard deviations, as if bands were independent.
    """

    excess: NDArray[np.float64]
    signal: NDArray[np.float64]
    variance: NDArray[np.float64]
    z: float


class ItemBands:
    """A stretch of an item, one frame phase of it, made ready for tests of its bands.

    Parameters
    ----------
    words : np.ndarray [shape=(n_levels, n_words), dtype=uint64]
    counts : np.ndarray [shape=(64,), dtype=float32]
        How often each band is set, over all levels.
    """

    def __init__(self, words: NDArray[np.uint64], counts: NDArray[np.float32]) -> None:
        self._counts = counts
        self._bits = np.zeros((len(words), 64, -(-words.shape[1] // 64)), np.uint64)
        for level in range(len(words)):
            transpose(words[level], self._bits[level])
        self._autocovariances = np.empty((64, MAX_LAG + 1))
        band_autocovariances(words, self._autocovariances)
        self._cross: NDArray[np.float64] | None = None

    def test(self, track: NDArray[np.uint64]) -> BandTest:
        """Test a track stretch, [shape=(n_words,), dtype=uint64], band by band."""
        excess, signal, variance = np.zeros(64), np.zeros(64), np.zeros(64)
        z = judge_bands(self._bits, self._autocovariances, self._counts, track, excess, signal, variance)
        return BandTest(excess=excess, signal=signal, variance=variance, z=z)

    def covariance(self, track: NDArray[np.uint64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the covariance of the bands' chance coincidences with a track stretch, [shape=(64, 64)].

        Its diagonal is `variance`; the rest comes from the cross-covariances of the bands on either side.
        """
        if self._cross is None:
            self._cross = np.empty((CROSS_LAGS, 64, 64))
            cross_covariances(self._bits, len(track), self._cross)
        track_bits = np.zeros((1, 64, self._bits.shape[2]), np.uint64)
        transpose(track, track_bits[0])
        products = np.empty((CROSS_LAGS, 64, 64))
        cross_covariances(track_bits, len(track), products)
        products *= self._cross
        out: NDArray[np.float64] = products[0] / len(track)
        for lag in range(1, CROSS_LAGS):
            out += (products[lag] + products[lag].T) / len(track)
        np.fill_diagonal(out, variance)
        return out


def weighted_z(test: BandTest, covariance: NDArray[np.float64]) -> float:
    """Return how many standard deviations the coincidences lie above chance, the bands weighted.

    A band's weight is signal over variance, times how well its neighbours agree, so that where noise or speech has
    taken some bands, the others speak; the variance knows how bands go together.

    Parameters
    ----------
    test : BandTest
    covariance : np.ndarray [shape=(64, 64), dtype=float64]
        From `ItemBands.covariance`.
    """
    weights = np.divide(test.signal, test.variance, out=np.zeros(64), where=test.variance > 0) * _agreement(test)
    # Sums in numpy's own order, not a BLAS's. Estimated cross-covariances may cancel more than there is: the variance
    # is never taken to be below a quarter of independent bands'.
    least = 0.25 * (weights**2 * covariance.diagonal()).sum()
    variance = max((weights[:, None] * covariance * weights).sum(), least)
    return float((weights * test.excess).sum() / variance**0.5) if variance > 0 else 0.0


def _agreement(test: BandTest) -> NDArray[np.float64]:
    """Return how much of the signal is there in each band's neighbours, itself left out: 0.03 to 0.63."""
    share: NDArray[np.float64] = (_BELL * test.excess).sum(axis=1) / ((_BELL * test.signal).sum(axis=1) + 0.02)
    return np.clip(share, 0.0, 0.6) + 0.03
