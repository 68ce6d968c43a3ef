"""From a fingerprint to scored alignments with tracks, the item taken as it is: search, votes, verification."""

import bisect
import dataclasses
import functools
from collections.abc import Callable, Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Catalog
from earmark.fingerprint import Fingerprint, FingerprintConfig
from earmark.matching.coincidence import BESIDE, DECIDED, RADIUS, Cohort, Stretch
from earmark.matching.effort import Effort
from earmark.matching.fitting import LEAST_OVERLAP, best_in_track, track_stretch
from earmark.matching.view import View, plain_view
from earmark.matching.voting import vote

__all__ = ["WINDOW_WORDS", "Alignment", "WordsOf", "align", "find_alignments"]

WINDOW_WORDS = 78
"""5 s. A window begins every half window."""

LONGER = (2, 4)
"""Stretches of so many windows are judged, too: evidence too thin for a claim adds up over 10 and 20 s."""

PROMISING = 3.75
"""Score from which on an alignment is tried on longer stretches, unless one of its track is decided there."""

PATCHES_PER_SEARCH = 4096

WordsOf = Callable[[int], NDArray[np.uint64]]
"""The words of a track, by its number."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Alignment:
    """A stretch of an item laid beside a track, and how well the two coincide.

    Attributes
    ----------
    view : View
        The item's words that the rest is about.
    start, stop : int
        Words of the view.
    phase : int
        Their frame phase.
    track : int
        Number of the track in the catalog.
    shift : int
        Track word less word of the view.
    score : float
        See `earmark.matching.coincidence`.
    """

    view: View
    start: int
    stop: int
    phase: int
    track: int
    shift: int
    score: float


def find_alignments(
    fingerprint: Fingerprint,
    catalog: Catalog,
    config: FingerprintConfig,
    cohort: Cohort,
    effort: Effort,
    *,
    without: Collection[int] = (),
) -> list[Alignment]:
    """Return every alignment of the item, as it is, with a track that got a closer look.

    Parameters
    ----------
    fingerprint : Fingerprint
        Of the item.
    catalog : Catalog
    config : FingerprintConfig
    cohort : Cohort
    effort : Effort
    without : collection of int
        Tracks that are not looked for.

    Returns
    -------
    list of Alignment
        Of one window's length or several; ordered by start, shorter before longer.
    """
    view = plain_view(fingerprint)
    n_words = view.words.shape[2]
    words_of = functools.cache(catalog.words)
    hits = _Hits(fingerprint.patches, catalog, config, effort, without)
    alignments: list[Alignment] = []
    for start in _window_starts(n_words, WINDOW_WORDS):
        stop = min(start + WINDOW_WORDS, n_words)
        here = align(view, (start, stop), list(hits.candidates(start, stop)), words_of, cohort)
        alignments += here + _elsewhere(here, words_of, cohort)
    found, length = alignments.copy(), WINDOW_WORDS
    for factor in LONGER:
        if n_words <= length:
            break
        length = factor * WINDOW_WORDS
        decided = {(a.track, a.start) for a in alignments if a.score >= DECIDED}
        open_ones = [a for a in alignments if a.score >= PROMISING and (a.track, a.start) not in decided]
        alignments = _align_longer(view, length, open_ones, words_of, cohort)
        found += alignments
    return sorted(found, key=lambda a: (a.start, a.stop, a.track, a.shift, a.phase))


def align(
    view: View,
    span: tuple[int, int],
    places: list[tuple[int, int]],
    words_of: WordsOf,
    cohort: Cohort,
    radius: int = RADIUS,
) -> list[Alignment]:
    """Lay a stretch of a view beside tracks, and score it where it fits best.

    Places where much of the stretch would lie before the track begins or after it ends are left out: the tests of
    chance take peaks to be spread over all of it.

    Parameters
    ----------
    view : View
    span : tuple of int
        First and last-plus-one word of the stretch.
    places : list of (int, int)
        Track number and shift of each candidate.
    words_of : callable
        From a track's number to its words.
    cohort : Cohort
    radius : int
        Words that an alignment may lie off its candidate's shift.

    Returns
    -------
    list of Alignment
        Of those that pass the gates of `Stretch.compare`.
    """
    start, stop = span
    places = [(t, s) for t, s in places if _overlap(start + s, stop + s, len(words_of(t))) >= LEAST_OVERLAP]
    if not places:
        return []
    stretch = Stretch(view.words[:, :, start:stop], cohort)
    margin = radius + BESIDE[1]
    length = stretch.n_words + 2 * margin
    references = np.stack([track_stretch(words_of(t), start + s - margin, length) for t, s in places])
    phases, offs, scores = stretch.compare(references, [t for t, _ in places], radius)
    return [
        Alignment(
            view=view,
            start=start,
            stop=start + stretch.n_words,
            phase=int(phases[i]),
            track=places[i][0],
            shift=places[i][1] + int(offs[i]),
            score=float(scores[i]),
        )
        for i in np.flatnonzero(scores > 0)
    ]


def _overlap(start: int, stop: int, n_words: int) -> float:
    """Return what share of words `start` to `stop` a track of `n_words` has."""
    return (min(stop, n_words) - max(start, 0)) / (stop - start)


def _elsewhere(here: list[Alignment], words_of: WordsOf, cohort: Cohort) -> list[Alignment]:
    """Lay a window beside all of the track that fits it best: of what repeats, the search may have missed the place."""
    best = max(here, key=lambda a: a.score, default=None)
    if best is None or best.score >= DECIDED:
        return []
    words = best.view.words[:, :, best.start : best.stop]
    _, _, place = best_in_track(words, words_of(best.track))
    shift = place - best.start
    if abs(shift - best.shift) <= RADIUS:
        return []
    return align(best.view, (best.start, best.stop), [(best.track, shift)], words_of, cohort, radius=2)


def _window_starts(n_words: int, window: int) -> list[int]:
    """Return where windows begin: every half window, and one that ends with the item."""
    if n_words == 0:
        return []
    if n_words <= window:
        return [0]
    hop = WINDOW_WORDS // 2
    starts = list(range(0, n_words - window + 1, hop))
    return starts if starts[-1] == n_words - window else [*starts, n_words - window]


def _align_longer(
    view: View, length: int, shorter: list[Alignment], words_of: WordsOf, cohort: Cohort
) -> list[Alignment]:
    """Try shorter alignments on the stretches of `length` words that hold them."""
    found = []
    shorter = sorted(shorter, key=lambda a: a.start)
    begins = [a.start for a in shorter]
    for start in _window_starts(view.words.shape[2], length):
        stop = start + length
        inside = shorter[bisect.bisect_left(begins, start) : bisect.bisect_left(begins, stop)]
        candidates = sorted({(a.track, a.shift) for a in inside if a.stop <= stop})
        found += align(view, (start, stop), candidates, words_of, cohort, radius=2)
    return found


class _Hits:
    """The catalog patches nearest to an item's patches, searched for many windows at once."""

    def __init__(
        self,
        patches: NDArray[np.int8],
        catalog: Catalog,
        config: FingerprintConfig,
        effort: Effort,
        without: Collection[int],
    ) -> None:
        self._patches, self._catalog, self._config, self._effort = patches, catalog, config, effort
        self._without = np.fromiter(without, np.int32, len(without))
        self._first = self._stop = 0

    def candidates(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield (track, shift in words) for the patches that lie within item words `start` to `stop`."""
        hop = self._config.patch_hop_frames
        first = -(-2 * start // hop)
        last = min((2 * stop - self._config.patch_frames) // hop + 1, len(self._patches))
        if last <= first:
            return
        if last > self._stop:
            self._search(first, max(last, min(first + PATCHES_PER_SEARCH, len(self._patches))))
        rows = slice(first - self._first, last - self._first)
        tracks, offsets, _ = vote(
            self._tracks[rows], self._offsets[rows], self._similarities[rows], self._effort.candidates_per_window
        )
        yield from zip(tracks.tolist(), (offsets * (hop // 2)).tolist(), strict=True)

    def _search(self, first: int, stop: int) -> None:
        patches = self._patches[first:stop]
        shape = (len(patches), self._effort.hits_per_patch)
        self._tracks = np.full(shape, -1, np.int32)
        self._offsets = np.zeros(shape, np.int64)
        self._similarities = np.zeros(shape, np.float32)
        speaking = np.flatnonzero(patches.any(axis=1))
        if len(speaking):
            tracks, positions, similarities = self._catalog.search(patches[speaking], self._effort.hits_per_patch)
            self._tracks[speaking] = np.where(np.isin(tracks, self._without), -1, tracks)
            self._similarities[speaking] = similarities
            stride = self._config.track_patch_stride
            self._offsets[speaking] = positions.astype(np.int64) * stride - (first + speaking)[:, None]
        self._first, self._stop = first, stop
