"""Verification: the peaks of an item and of a track coincide, but do they more than by chance.

Three answers are joined by their weighted geometric mean, for a chance match that fools all of them is much rarer than
one that fools any (measured in `benchmarks/LOG.md`):

- the *cohort* test compares the coincidences with those of the same item stretch with a fixed cohort of unrelated
  music: it knows what is special in the item (a drone, a beat);
- the *weighted* test takes the variance from the autocovariances and cross-covariances of the bands of both sides
  (Bartlett 1935), and weights the bands by what they tell and by how well their neighbours agree: it knows what the two
  have in common, and where noise or speech has taken some bands, the others speak;
- the *sharpness* test compares the coincidences with the best of those up to a second earlier and later in the same
  track: music that only shares a key, a beat or a held chord fits nearly as well beside as it does at its best.

What they say counts for less where the coincidences are not spread over the stretch, and over the bands at all times.
"""

import collections
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from earmark.errors import ParameterError
from earmark.matching.band_tests import BandTest, ItemBands, weighted_z
from earmark.matching.bitmaps import best_alignments, coincide, count_levels, count_rows, evenness, mixing, sharpness

__all__ = ["BESIDE", "DECIDED", "RADIUS", "Alignments", "Cohort", "Stretch"]

RADIUS = 6
"""Words that an alignment may lie off its candidate's offset: a vote is good to a patch hop (4 words) and jitter."""

BESIDE = 3, 16
"""The sharpness test looks at places from so many words to so many words beside an alignment: 0.2 to 1 s."""

WEIGHTS = 1.0, 1.5, 0.25
"""Of the cohort, the weighted and the sharpness test in the geometric mean; these and the next are the best of some
hundreds that were tried on 57 h of chance matches (`benchmarks/LOG.md`)."""

SPREAD_WEIGHTS = 2.0, 0.5
"""By how much evenness and mixing of the coincidences, 1 at best, lower that mean. Over time, chance matches owe more
to a few moments than true ones. Over time and bands together, a filter sweep that meets another one has its
coincidences in one band after the other."""

LEAST_SHARPNESS = 2.0
"""What the sharpness test counts at least: 19 of 20 chance matches are below, and loops of less than a second, which
fit beside as well as here, are to be found all the same."""

CHUNK_WORDS, CHUNK_BANDS = 4, 4
"""A quarter second and a quarter octave: over these, coincidences are summed to see how they are spread."""

GATE_Z = 4.0
"""Alignments that the cohort test leaves below this are not looked at again; claims are made from about 7 on."""

GATE_PRODUCT = 25.0
"""Least product of the cohort test's z and that of independent bands for a third look: it costs most, and what is below
never scored 4.3 when claims began at 6."""

SECOND_LOOKS, THIRD_LOOKS = 16, 3
"""So many candidates, the best so far, are looked at again, and then once more; and so is every one that comes near
the best, as other ids of the same recording do."""

NEAR = 0.25
"""Share of the best product of two z that counts as near it."""

PLACES_PER_TRACK = 2
"""Music that repeats itself fits at many places of its track: so many of them are looked at again."""

DECIDED = 10.0
"""From this score on (odds of about 1e-10 an hour) nothing is gained but more zeros: other places of the track and
longer stretches are not looked at."""

KEPT_LENGTHS = 32
"""Lengths for which the cohort is kept ready, 0.6 MB each on average; refining asks for any from 18 to 315 words."""

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
            if len(self._by_length) >= KEPT_LENGTHS:
                self._by_length.pop(next(iter(self._by_length)))
            part = np.ascontiguousarray(self._words[:, :n_words])
            band_counts = np.zeros((len(part), 64), np.float32)
            count_rows(part, band_counts)
            self._by_length[n_words] = part, band_counts
        part, band_counts = self._by_length[n_words]
        found = np.empty(len(part), np.float32)
        coincide(words, part, found)
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
        count_levels(self.words, self._counts)
        # The phases differ by half a word: what chance gives is the same for both.
        null = cohort.excess(self.words[:, 0], self._counts[0])
        self._mean = float(null.mean(dtype=np.float64))
        # A stretch of hardly any peaks has no spread; one coincidence must then not look like many.
        self._deviation = max(float(null.std(dtype=np.float64)), 1.0)
        self._by_phase: dict[int, ItemBands] = {}

    def compare(self, references: NDArray[np.uint64], tracks: Sequence[int], radius: int = RADIUS) -> Alignments:
        """Score the stretch against track stretches, each at its best place.

        Parameters
        ----------
        references : np.ndarray [shape=(n, n_words + 2 * (radius + BESIDE[1])), dtype=uint64]
            Track words, with a margin at either side; 0 where the track has none.
        tracks : sequence of int
            What track each is of.
        radius : int

        Returns
        -------
        phases : np.ndarray [shape=(n,), dtype=int64]
        shifts : np.ndarray [shape=(n,), dtype=int64]
            In `-radius` to `radius`, from the middle of the reference.
        scores : np.ndarray [shape=(n,), dtype=float32]
            0 for those that did not get a third look.
        """
        n, beside = len(references), BESIDE[1]
        phases, shifts, z = np.zeros(n, np.int64), np.zeros(n, np.int64), np.empty(n, np.float32)
        inner = np.ascontiguousarray(references[:, beside : references.shape[1] - beside])
        best_alignments(self.words, self._counts, inner, self._mean, self._deviation, phases, shifts, z)
        scores = np.zeros(n, np.float32)
        seconds = []
        for i in _best_places(z, tracks)[:SECOND_LOOKS]:
            test = self._bands(int(phases[i])).test(inner[i, shifts[i] : shifts[i] + self.n_words])
            if test.z > 0 and z[i] * test.z >= GATE_PRODUCT:
                seconds.append((-float(z[i]) * test.z, i, test))
        decided: set[int] = set()
        seconds.sort(key=lambda s: s[:2])
        for rank, (negative_product, i, test) in enumerate(seconds):
            if tracks[i] in decided or (rank >= THIRD_LOOKS and negative_product > NEAR * seconds[0][0]):
                continue
            around = references[i, shifts[i] : shifts[i] + self.n_words + 2 * beside]
            scores[i] = self._score(float(z[i]), int(phases[i]), around, test)
            if scores[i] >= DECIDED:
                decided.add(tracks[i])
        return phases, shifts - radius, scores

    def _score(self, z: float, phase: int, around: NDArray[np.uint64], test: BandTest) -> float:
        """Join the three tests, and how the coincidences are spread; 0 if one of the first two is against it."""
        track = around[BESIDE[1] : len(around) - BESIDE[1]]
        weighted = weighted_z(test, self._bands(phase).covariance(track, test.variance))
        if z <= 0.0 or weighted <= 0.0:
            return 0.0
        sharp = float(sharpness(self.words, phase, self._counts[phase], around, BESIDE[0]))
        even = evenness(self.words, phase, track, CHUNK_WORDS)
        mixed = mixing(self.words, phase, track, CHUNK_WORDS, CHUNK_BANDS)
        if even <= 0.0 or mixed <= 0.0:
            return 0.0
        answers = (z, weighted, max(sharp, LEAST_SHARPNESS), even, mixed)
        weights = WEIGHTS + SPREAD_WEIGHTS
        return math.exp(sum(w * math.log(a) for w, a in zip(weights, answers, strict=True)) / sum(WEIGHTS))

    def _bands(self, phase: int) -> ItemBands:
        if phase not in self._by_phase:
            self._by_phase[phase] = ItemBands(np.ascontiguousarray(self.words[:, phase]), self._counts[phase])
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
