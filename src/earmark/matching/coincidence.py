"""Verification: the peaks of an item and of a track coincide, but do they more than by chance.

Three answers are joined by their geometric mean, for a chance match that fools all of them is much rarer than one that
fools any (measured in `benchmarks/LOG.md`):

- the *cohort* test compares the coincidences with those of the same item stretch with a fixed cohort of unrelated
  music: it knows what is special in the item (a drone, a beat);
- the *pair* test takes the variance from the autocovariances and cross-covariances of the bands of both sides
  (Bartlett 1935): it knows what the two have in common;
- the *weighted* test is the same with the bands weighted by what they tell, and by how well their neighbours agree:
  where noise or speech has taken some bands, the others speak.
"""

import collections
import dataclasses
from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from earmark.errors import ParameterError

__all__ = ["Alignments", "Cohort", "Stretch"]

RADIUS = 6
"""Words that an alignment may lie off its candidate's offset: a vote is good to a patch hop (4 words) and jitter."""

GATE_Z = 4.0
"""Alignments that the cohort test leaves below this are not looked at again; claims are made from about 8 on."""

SECOND_LOOKS, THIRD_LOOKS = 16, 6
"""So many candidates, the best so far, are looked at again, and then once more."""

PLACES_PER_TRACK = 2
"""Music that repeats itself fits at many places of its track: so many of them are looked at again."""

MAX_LAG = 24
"""Words (1.5 s) over which autocovariances are summed."""

CROSS_LAGS = 4
"""Words over which cross-covariances of bands are summed: notes of a chord begin together."""

NEIGHBOURHOOD_BANDS = 4.0
"""Standard deviation of the bell curve over which neighbouring bands vouch for one another: a quarter octave."""

_APART = np.subtract.outer(np.arange(64), np.arange(64))
_BELL = np.exp(-0.5 * (_APART / NEIGHBOURHOOD_BANDS) ** 2) * (_APART != 0)

Alignments = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Phase, word shift from the candidate's offset, and score of each candidate."""


class Cohort:
    """Unrelated music to learn from what chance gives.

    Parameters
    ----------
    words : np.ndarray [shape=(n_cohort, n_words), dtype=uint64]
        Peak bitmaps, from `Model.cohort`. Stretches of at most `n_words` can be compared with them.
    """

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self._words = words
        self._by_length: dict[int, tuple[NDArray[np.uint64], NDArray[np.float32]]] = {}

    def excess(self, words: NDArray[np.uint64], counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the coincidences of item words with each of the cohort, less those that densities make expected.

        Parameters
        ----------
        words : np.ndarray [shape=(n_levels, n_words), dtype=uint64]
        counts : np.ndarray [shape=(64,), dtype=float32]
            How often each band is set in them, over all levels.

        Returns
        -------
        np.ndarray [shape=(n_cohort,), dtype=float32]

        Raises
        ------
        ParameterError
            If the cohort has fewer words.
        """
        n_words = words.shape[1]
        if n_words > self._words.shape[1]:
            raise ParameterError(f"the cohort has {self._words.shape[1]} words, got a stretch of {n_words}")
        if n_words not in self._by_length:
            part = np.ascontiguousarray(self._words[:, :n_words])
            band_counts = np.zeros((len(part), 64), np.float32)
            _count_rows(part, band_counts)
            self._by_length[n_words] = part, band_counts
        part, band_counts = self._by_length[n_words]
        found = np.empty(len(part), np.float32)
        _coincide(words, part, found)
        expected: NDArray[np.float32] = (band_counts * counts).sum(axis=1) / np.float32(n_words)
        return found - expected


class Stretch:
    """Some words of an item, made ready for comparison.

    Parameters
    ----------
    words : np.ndarray [shape=(n_levels, 2, n_words), dtype=uint64]
        Peak bitmaps of the stretch, as in a `Fingerprint`.
    cohort : Cohort
    """

    def __init__(self, words: NDArray[np.uint64], cohort: Cohort) -> None:
        self.words = np.ascontiguousarray(words)
        self.n_words = words.shape[2]
        self._counts = np.zeros((2, 64), np.float32)
        _count_levels(self.words, self._counts)
        # The phases differ by half a word: what chance gives is the same for both.
        null = cohort.excess(self.words[:, 0], self._counts[0])
        self._mean = float(null.mean(dtype=np.float64))
        # A stretch of hardly any peaks has no spread; one coincidence must then not look like many.
        self._deviation = max(float(null.std(dtype=np.float64)), 1.0)
        self._by_phase: dict[int, _Bands] = {}

    def compare(self, references: NDArray[np.uint64], tracks: Sequence[int], radius: int = RADIUS) -> Alignments:
        """Score the stretch against track stretches, each at its best place.

        Parameters
        ----------
        references : np.ndarray [shape=(n, n_words + 2 * radius), dtype=uint64]
            Track words, `radius` more at either side; 0 where the track has none.
        tracks : sequence of int
            What track each is of.
        radius : int

        Returns
        -------
        phases : np.ndarray [shape=(n,), dtype=int64]
        shifts : np.ndarray [shape=(n,), dtype=int64]
            In `-radius` to `radius`: the item's word `i` lies on reference word `i + radius + shift`.
        scores : np.ndarray [shape=(n,), dtype=float32]
            0 for those that did not get a third look.
        """
        n = len(references)
        phases, shifts, z = np.zeros(n, np.int64), np.zeros(n, np.int64), np.empty(n, np.float32)
        _best_alignments(self.words, self._counts, references, self._mean, self._deviation, phases, shifts, z)
        scores = np.zeros(n, np.float32)
        seconds = []
        for i in _best_places(z, tracks)[:SECOND_LOOKS]:
            track = references[i, shifts[i] : shifts[i] + self.n_words]
            bands = self._bands(int(phases[i]))
            tested = bands.test(track, self._counts[phases[i]])
            if tested.z > 0 and z[i] * tested.z >= GATE_Z**2:
                seconds.append((-float(z[i]) * tested.z, i, tested, bands.covariance, track))
        for _, i, tested, covariance, track in sorted(seconds, key=lambda s: s[:2])[:THIRD_LOOKS]:
            scores[i] = np.cbrt(z[i] * _joint_z(tested, covariance(track, tested.variance)))
        return phases, shifts - radius, scores

    def _bands(self, phase: int) -> "_Bands":
        if phase not in self._by_phase:
            self._by_phase[phase] = _Bands(np.ascontiguousarray(self.words[:, phase]))
        return self._by_phase[phase]


def _best_places(z: NDArray[np.float32], tracks: Sequence[int]) -> list[int]:
    """Return who passes the gate, best first, at most `PLACES_PER_TRACK` of a track."""
    seen: collections.Counter[int] = collections.Counter()
    out = []
    for i in np.argsort(-z, kind="stable").tolist():
        if z[i] < GATE_Z:
            break
        seen[tracks[i]] += 1
        if seen[tracks[i]] <= PLACES_PER_TRACK:
            out.append(i)
    return out


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Tested:
    """The bands of an alignment, each [shape=(64,), dtype=float64], and their z as if they were independent.

    `excess` is coincidences less those that chance makes expected, `signal` what it would be in a clean match,
    `variance` its variance by chance, 0 where there is nothing to compare.
    """

    excess: NDArray[np.float64]
    signal: NDArray[np.float64]
    variance: NDArray[np.float64]
    z: float

    @property
    def weights(self) -> NDArray[np.float64]:
        """Signal over variance: the best weights for independent bands."""
        return np.divide(self.signal, self.variance, out=np.zeros(64), where=self.variance > 0)


def _joint_z(tested: _Tested, covariance: NDArray[np.float64]) -> float:
    """Return the product of the pair test's and the weighted test's z, 0 if either is against a match."""
    pair = _standardised(np.ones(64), tested.excess, covariance)
    weighted = _standardised(tested.weights * _agreement(tested.excess, tested.signal), tested.excess, covariance)
    return max(pair, 0.0) * max(weighted, 0.0)


class _Bands:
    """One phase of a stretch, band by band: bits over time, and how the bands vary and go together."""

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self.bits = np.zeros((len(words), 64, -(-words.shape[1] // 64)), np.uint64)
        for level in range(len(words)):
            _transpose(words[level], self.bits[level])
        self.autocovariances = np.empty((64, MAX_LAG + 1))
        _autocovariances(words, self.autocovariances)
        self._cross: NDArray[np.float32] | None = None
        self._words = words

    def test(self, track: NDArray[np.uint64], item_counts: NDArray[np.float32]) -> _Tested:
        """Test a track stretch band by band."""
        excess, signal, variance = np.zeros(64), np.zeros(64), np.zeros(64)
        z = _test_bands(self.bits, self.autocovariances, item_counts, track, excess, signal, variance)
        return _Tested(excess=excess, signal=signal, variance=variance, z=z)

    def covariance(self, track: NDArray[np.uint64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the covariance of the bands' chance coincidences with a track stretch, [shape=(64, 64)]."""
        if self._cross is None:
            series = _series(self._words[0])
            for level in self._words[1:]:
                series += _series(level)
            self._cross = _cross_covariances(series)
        lags = self._cross * _cross_covariances(_series(track))
        total = lags.sum(axis=0, dtype=np.float64) / len(track)
        out: NDArray[np.float64] = total + total.T - lags[0] / len(track)
        np.fill_diagonal(out, variance)
        return out


def _series(words: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return the bands' bits over time, [shape=(64, n_words)]."""
    return ((words >> np.arange(64, dtype=np.uint64)[:, None]) & np.uint64(1)).astype(np.float32)


def _cross_covariances(series: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sums over time of band times later band, means removed, [shape=(CROSS_LAGS, 64, 64)]."""
    centred = series - series.mean(axis=1, keepdims=True)
    out = np.zeros((CROSS_LAGS, 64, 64), np.float32)
    for lag in range(min(CROSS_LAGS, series.shape[1])):
        out[lag] = centred[:, : series.shape[1] - lag] @ centred[:, lag:].T
    return out


def _agreement(excess: NDArray[np.float64], signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much of the signal a true match would have is there in each band's neighbours, itself left out."""
    share: NDArray[np.float64] = (_BELL @ excess) / (_BELL @ signal + 0.02)
    return np.clip(share, 0.0, 0.6) + 0.03


def _standardised(weights: NDArray[np.float64], excess: NDArray[np.float64], covariance: NDArray[np.float64]) -> float:
    """Return the weighted sum of the bands' excess over its standard deviation."""
    # Estimated cross-covariances may cancel more than there is: never below a quarter of independent bands' variance.
    least = 0.25 * float(weights**2 @ covariance.diagonal())
    variance = max(float(weights @ covariance @ weights), least)
    return float(weights @ excess) / variance**0.5 if variance > 0 else 0.0


@numba.njit(cache=True, nogil=True)
def _popcount(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@numba.njit(cache=True, nogil=True)
def _lowest_bit(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return np.int64(_popcount((x & (~x + np.uint64(1))) - np.uint64(1)))


@numba.njit(cache=True, nogil=True)
def _count_word(word, sign, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while word:
        counts[_lowest_bit(word)] += sign
        word &= word - np.uint64(1)


@numba.njit(cache=True, nogil=True)
def _count_levels(words, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for level in range(words.shape[0]):
        for phase in range(2):
            for word in words[level, phase]:
                _count_word(word, np.float32(1.0), counts[phase])


@numba.njit(cache=True, nogil=True)
def _excess(words, phase, item_counts, reference, start, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Coincidences over those that the bands' densities make expected."""
    n_words = words.shape[2]
    found = np.uint64(0)
    for level in range(words.shape[0]):
        for i in range(n_words):
            found += _popcount(words[level, phase, i] & reference[start + i])
    expected = np.float32(0.0)
    for b in range(64):
        expected += item_counts[b] * counts[b]
    return np.float32(found) - expected / np.float32(n_words)


@numba.njit(cache=True, nogil=True)
def _count_rows(rows, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for k in range(rows.shape[0]):
        for word in rows[k]:
            _count_word(word, np.float32(1.0), counts[k])


@numba.njit(cache=True, nogil=True)
def _coincide(words, rows, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for k in range(rows.shape[0]):
        total = np.uint64(0)
        for level in range(words.shape[0]):
            for i in range(words.shape[1]):
                total += _popcount(words[level, i] & rows[k, i])
        found[k] = np.float32(total)


@numba.njit(cache=True, nogil=True)
def _best_alignments(words, item_counts, references, mean, deviation, phases, shifts, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    n_words = words.shape[2]
    for k in range(references.shape[0]):
        counts = np.zeros(64, np.float32)
        for i in range(n_words):
            _count_word(references[k, i], np.float32(1.0), counts)
        z[k] = -np.inf
        for start in range(references.shape[1] - n_words + 1):
            if start:
                _count_word(references[k, start - 1], np.float32(-1.0), counts)
                _count_word(references[k, start + n_words - 1], np.float32(1.0), counts)
            for phase in range(2):
                x = _excess(words, phase, item_counts[phase], references[k], start, counts)
                x = np.float32((x - mean) / deviation)
                if x > z[k]:
                    phases[k], shifts[k], z[k] = phase, start, x


@numba.njit(cache=True, nogil=True)
def _transpose(words, bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Set bit `i` of band `b` (64 to an element) where bit `b` of word `i` is set."""
    for i in range(words.shape[0]):
        word, mark = words[i], np.uint64(1) << np.uint64(i % 64)
        while word:
            bits[_lowest_bit(word), i // 64] |= mark
            word &= word - np.uint64(1)


@numba.njit(cache=True, nogil=True)
def _autocovariances(words, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Autocovariance, not divided by n, of how many levels each band is set at."""
    n = words.shape[1]
    series = np.zeros((64, n), np.int32)
    for level in range(words.shape[0]):
        for i in range(n):
            word = words[level, i]
            while word:
                series[_lowest_bit(word), i] += 1
                word &= word - np.uint64(1)
    for b in range(64):
        count = np.int64(series[b].sum())
        mean = count / n
        first = last = count  # sums of the first and of the last n - lag places
        for lag in range(out.shape[1]):
            if lag >= n or count == 0:
                out[b, lag] = 0.0
                continue
            if lag:
                first -= series[b, n - lag]
                last -= series[b, lag - 1]
            total = np.int32(0)
            for i in range(n - lag):
                total += series[b, i] * series[b, i + lag]
            out[b, lag] = total - mean * (first + last) + (n - lag) * mean * mean


@numba.njit(cache=True, nogil=True)
def _shifted_overlap(bits, lag):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the places set both in a series of bits and `lag` later; `lag` in 1 to 63."""
    total = np.uint64(0)
    for c in range(bits.shape[0]):
        later = bits[c] >> np.uint64(lag)
        if c + 1 < bits.shape[0]:
            later |= bits[c + 1] << np.uint64(64 - lag)
        total += _popcount(bits[c] & later)
    return np.float64(total)


@numba.njit(cache=True, nogil=True)
def _variance(autocovariances, bits, count, n):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Variance of the coincidences of two series that have nothing to do with each other."""
    mean = count / n
    v = autocovariances[0] * (count - count * mean)
    first = last = count  # set in the first and in the last n - lag places
    for lag in range(1, min(autocovariances.shape[0], n)):
        i, j = n - lag, lag - 1
        first -= np.float64((bits[i // 64] >> np.uint64(i % 64)) & np.uint64(1))
        last -= np.float64((bits[j // 64] >> np.uint64(j % 64)) & np.uint64(1))
        c = _shifted_overlap(bits, lag) - mean * (first + last) + (n - lag) * mean * mean
        v += 2.0 * autocovariances[lag] * c
    return v / n


@numba.njit(cache=True, nogil=True)
def _test_bands(item_bits, autocovariances, item_counts, track_words, excess, signal, variance):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill what `_Tested` holds of each band, and return z, bands weighted by signal over variance."""
    n_levels, n_bands, n_chunks = item_bits.shape
    n = track_words.shape[0]
    total = square = 0.0
    track_bits = np.zeros((n_bands, n_chunks), np.uint64)
    _transpose(track_words, track_bits)
    for b in range(n_bands):
        n_item, n_track, found = np.float64(item_counts[b]), 0.0, 0.0
        for c in range(n_chunks):
            n_track += np.float64(_popcount(track_bits[b, c]))
            for level in range(n_levels):
                found += np.float64(_popcount(item_bits[level, b, c] & track_bits[b, c]))
        if n_track == 0.0 or n_item == 0.0:
            continue
        expected = n_item * n_track / n
        excess[b] = found - expected
        signal[b] = n_track * (1.0 - n_item / (n_levels * n))
        variance[b] = max(_variance(autocovariances[b], track_bits[b], n_track, n), 0.5 * expected, 0.25)
        total += signal[b] / variance[b] * excess[b]
        square += signal[b] / variance[b] * signal[b]
    return total / np.sqrt(square) if square > 0.0 else 0.0
