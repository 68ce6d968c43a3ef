"""Verification: the peaks of an item and of a track coincide, but do they more than by chance.

Two answers are joined. The first compares the coincidences with those of the same item stretch with a fixed cohort of
unrelated music: it knows what is special in the item (a drone, a beat). The second takes each band's variance from the
autocovariances of both sides (Bartlett 1935): it knows what the pair has in common, and trusts the bands that carry
information. A chance match that fools both is much rarer than one that fools either, hence their geometric mean.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from earmark.errors import ParameterError

__all__ = ["Alignments", "Cohort", "Stretch"]

RADIUS = 6
"""Words that an alignment may lie off its candidate's offset: a vote is good to a patch hop (4 words) and jitter."""

GATE_Z = 4.0
"""Alignments that the cohort test leaves below this are not looked at again; claims are made from about 10 on."""

CLOSER_LOOKS = 16
"""So many candidates, the best of the cohort test, are looked at again."""

MAX_LAG = 24
"""Words (1.5 s) over which autocovariances are summed."""

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
        self._by_phase: dict[int, tuple[NDArray[np.uint64], NDArray[np.float64]]] = {}

    def compare(self, references: NDArray[np.uint64], radius: int = RADIUS) -> Alignments:
        """Score the stretch against track stretches, each at its best place.

        Parameters
        ----------
        references : np.ndarray [shape=(n, n_words + 2 * radius), dtype=uint64]
            Track words, `radius` more at either side; 0 where the track has none.
        radius : int

        Returns
        -------
        phases : np.ndarray [shape=(n,), dtype=int64]
        shifts : np.ndarray [shape=(n,), dtype=int64]
            In `-radius` to `radius`: the item's word `i` lies on reference word `i + radius + shift`.
        scores : np.ndarray [shape=(n,), dtype=float32]
            0 for those that did not get a closer look.
        """
        n = len(references)
        phases, shifts, z = np.zeros(n, np.int64), np.zeros(n, np.int64), np.empty(n, np.float32)
        _best_alignments(self.words, self._counts, references, self._mean, self._deviation, phases, shifts, z)
        scores = np.zeros(n, np.float32)
        for i in np.argsort(-z, kind="stable")[:CLOSER_LOOKS]:
            if z[i] >= GATE_Z:
                bits, autocovariances = self._bands(int(phases[i]))
                track = references[i, shifts[i] : shifts[i] + self.n_words]
                by_band = _band_z(bits, autocovariances, self._counts[phases[i]], track)
                scores[i] = np.sqrt(z[i] * max(by_band, 0.0))
        return phases, shifts - radius, scores

    def _bands(self, phase: int) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
        """Return the bands' bits over time at each level, and the autocovariances of their sums over the levels."""
        if phase not in self._by_phase:
            words = np.ascontiguousarray(self.words[:, phase])
            bits = np.zeros((len(words), 64, -(-self.n_words // 64)), np.uint64)
            for level in range(len(words)):
                _transpose(words[level], bits[level])
            autocovariances = np.empty((64, MAX_LAG + 1))
            _autocovariances(words, autocovariances)
            self._by_phase[phase] = (bits, autocovariances)
        return self._by_phase[phase]


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
def _band_z(item_bits, autocovariances, item_counts, track_words):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return z of the coincidences, bands weighted by what they tell: expected signal over variance."""
    n_levels, n_bands, n_chunks = item_bits.shape
    n = track_words.shape[0]
    track_bits = np.zeros((n_bands, n_chunks), np.uint64)
    _transpose(track_words, track_bits)
    total = variance = 0.0
    for b in range(n_bands):
        n_item, n_track, found = np.float64(item_counts[b]), 0.0, 0.0
        for c in range(n_chunks):
            n_track += np.float64(_popcount(track_bits[b, c]))
            for level in range(n_levels):
                found += np.float64(_popcount(item_bits[level, b, c] & track_bits[b, c]))
        if n_track == 0.0 or n_item == 0.0:
            continue
        expected = n_item * n_track / n
        v = max(_variance(autocovariances[b], track_bits[b], n_track, n), 0.5 * expected, 0.25)
        weight = n_track * (1.0 - n_item / (n_levels * n)) / v
        total += weight * (found - expected)
        variance += weight * weight * v
    return total / np.sqrt(variance) if variance > 0.0 else 0.0
