"""The sweep: changes of speed, tempo and pitch are undone in an item's saliency map, to see what it may hold then.

A few patches of every block are looked up under each rendition (the probes). What several agree on is laid beside the
track as in `earmark.matching.search`, and what looks promising is refined: pitch and tempo are moved as long as more
peaks coincide.
"""

import collections
import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Catalog
from earmark.errors import ParameterError
from earmark.fingerprint import Fingerprint, Model, Rendition, undone_patches
from earmark.matching.coincidence import DECIDED, RADIUS, Cohort
from earmark.matching.effort import Closeness, SweepPlan
from earmark.matching.fitting import best_fits, best_in_track, track_stretch
from earmark.matching.search import WINDOW_WORDS, Alignment, WordsOf, align
from earmark.matching.view import View, item_frame, undone_view
from earmark.matching.voting import vote

__all__ = ["BLOCK_FRAMES", "Sweep", "is_short", "refine"]

BLOCK_FRAMES = 2 * WINDOW_WORDS
"""5 s of item."""

BLOCKS_PER_SEARCH = 64
"""Bounds the memory of a search: 64 blocks have some 60,000 patches at the most thorough effort, 8 MB."""

MAX_CODES = 1 << 31
"""`vote` counts for numbers below this: a track under a rendition is one of them."""

SHORT_FRAMES = 940
"""30 s: stretches up to this are short ones."""

LEAST_FIT, LEAST_REFINED_FIT = 12.0, 16.0
"""Excess of coincidences over the square root of the words, from which on a candidate is refined, and which it must
have after the first steps to be refined further. 99 of 100 true candidates have more; of blocks that hold nothing, two
in five have one of the first, one in twenty of the second."""

PLACED_PER_BLOCK = 2
"""So many tracks, the best that fit, are searched from end to end for the place where the block fits best."""

REFINED_PER_BLOCK = 2
"""The best that fit: the true track is among them in 99 of 100 blocks in which it is a candidate."""

Steps = tuple[tuple[float, float], ...]
"""Semitones of pitch and share of tempo by which a rendition is moved, one pair after the other."""

STEPS: Steps = ((0.35, 0.02), (0.18, 0.01), (0.09, 0.005))
"""Coarse to fine: the first is half a step of the sweep."""

LONGER = (2, 4)
"""Stretches of so many blocks are judged, too, where one does not decide."""

LONGEST_WORDS = 300
"""A longer stretch is cut to this: the cohort has 320 words, and refining by the finer steps may add 14."""

REFINE_RADIUS = 3
"""Words to either side that an alignment may move when its rendition is moved a little."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Candidate:
    """A track that a block may hold: its number, its word at the block's first frame, and how it is played."""

    rendition: int
    track: int
    shift: int


class Sweep:
    """Finds changed music in items.

    Parameters
    ----------
    catalog : Catalog
    model : Model
    cohort : Cohort
    plan : SweepPlan

    Raises
    ------
    ParameterError
        If the catalog has more tracks than votes can tell apart.
    """

    def __init__(self, catalog: Catalog, model: Model, cohort: Cohort, plan: SweepPlan) -> None:
        if len(plan.renditions) * catalog.n_numbers >= MAX_CODES:
            raise ParameterError(
                f"{catalog.n_numbers} tracks are too many for a sweep of {len(plan.renditions)} renditions: "
                f"{MAX_CODES // len(plan.renditions)} at most; divide the catalog"
            )
        self._catalog, self._model, self._cohort, self._plan = catalog, model, cohort, plan

    def find(self, fingerprint: Fingerprint, start: int, stop: int) -> list[Alignment]:
        """Return the best alignments of the blocks of a stretch, each in a view of its own.

        Parameters
        ----------
        fingerprint : Fingerprint
            Of the item.
        start, stop : int
            The stretch, in item frames.
        """
        blocks = list(_blocks(start, stop, self._model.config.patch_frames))
        closeness = self._plan.short if is_short(start, stop) else self._plan.long
        found = []
        for i in range(0, len(blocks), BLOCKS_PER_SEARCH):
            some = blocks[i : i + BLOCKS_PER_SEARCH]
            for block, candidates in zip(some, self._candidates(fingerprint, some, closeness), strict=True):
                for alignment in self._promising(fingerprint, block, candidates):
                    refined = self._refined(fingerprint, alignment, (start, stop))
                    if refined is not None:
                        found.append(refined)
        return found

    def _candidates(
        self, fingerprint: Fingerprint, blocks: list[tuple[int, int]], closeness: Closeness
    ) -> Iterator[list[_Candidate]]:
        """Yield for each block what its probes agree on."""
        plan, config = self._plan, self._model.config
        renditions = plan.renditions
        centres = [_probe_centres(block, closeness.probes, config.patch_frames) for block in blocks]
        row_of_block = np.cumsum([0, *map(len, centres)])
        at = np.concatenate(centres)
        patches = np.stack([undone_patches(fingerprint.saliency, self._model, r, at) for r in renditions], axis=1)
        flat = patches.reshape(-1, config.n_dims)
        tracks, positions, similarities = self._catalog.search(flat, plan.hits_per_probe)
        shape = (len(at), len(renditions), plan.hits_per_probe)
        tempo = np.array([r.tempo_ratio for r in renditions])
        # Track frames less item frames at the track's tempo; votes are counted in steps of a patch hop.
        hop, half = config.patch_hop_frames, (config.patch_frames - 1) / 2
        places = positions.reshape(shape) * (config.track_patch_stride * hop) + half
        offsets = np.floor((places - (at[:, None] * tempo)[:, :, None]) / hop).astype(np.int64)
        coded = tracks.astype(np.int64).reshape(shape) + np.arange(len(renditions))[:, None] * self._catalog.n_numbers
        coded[tracks.reshape(shape) < 0] = -1
        for block, a, e in zip(blocks, row_of_block, row_of_block[1:], strict=False):
            rows = ((e - a) * len(renditions), plan.hits_per_probe)
            codes, steps, _ = vote(
                coded[a:e].reshape(rows),
                offsets[a:e].reshape(rows),
                similarities.reshape(shape)[a:e].reshape(rows),
                closeness.candidates,
            )
            which, track = np.divmod(codes, self._catalog.n_numbers)
            frames = steps * hop + hop // 2 + block[0] * tempo[which]
            yield [
                _Candidate(rendition=int(r), track=int(t), shift=round(f / 2))
                for r, t, f in zip(which, track, frames, strict=True)
            ]

    def _promising(
        self, fingerprint: Fingerprint, block: tuple[int, int], candidates: list[_Candidate]
    ) -> list[Alignment]:
        """Return the alignments of a block that fit best, at most one for a track; they are not scored yet."""
        by_rendition = collections.defaultdict(list)
        for candidate in candidates:
            by_rendition[candidate.rendition].append((candidate.track, candidate.shift))
        fits: list[tuple[float, Alignment]] = []
        for number, places in by_rendition.items():
            rendition = self._plan.renditions[number]
            n_words = int((block[1] - block[0]) * rendition.tempo_ratio) // 2
            view = undone_view(fingerprint, self._model.config, rendition, block[0], n_words)
            fits += _fits(view, places, self._catalog.words)
        best: dict[int, Alignment] = {}
        for _, alignment in sorted(fits, key=lambda f: (-f[0], f[1].track, f[1].shift)):
            best.setdefault(alignment.track, alignment)
        placed = [_placed(a, self._catalog.words(a.track)) for a in list(best.values())[:PLACED_PER_BLOCK]]
        placed.sort(key=lambda f: -f[0])
        return [alignment for fit, alignment in placed[:REFINED_PER_BLOCK] if fit >= LEAST_FIT]

    def _refined(self, fingerprint: Fingerprint, alignment: Alignment, within: tuple[int, int]) -> Alignment | None:
        """Return an alignment with its rendition refined, on a longer stretch if that says more; None if nothing is."""
        best = self._judged(fingerprint, alignment, STEPS, LEAST_REFINED_FIT)
        if best is None:
            return None
        for factor in LONGER:
            if best.score >= DECIDED:
                break
            longer = [
                better
                for a in _longer(best, factor * BLOCK_FRAMES, within)
                if (better := self._judged(fingerprint, a, STEPS[1:])) is not None and better.score > best.score
            ]
            best = max([best, *longer], key=lambda a: a.score)
        return best

    def _judged(
        self, fingerprint: Fingerprint, alignment: Alignment, steps: Steps, least_fit: float = 0.0
    ) -> Alignment | None:
        """Refine an alignment and score it; None as soon as a refined one does not fit well enough."""
        climb = _Climb(fingerprint, self._model, self._catalog.words(alignment.track), alignment)
        best = climb.at(alignment.view.rendition)
        for semitones, share in steps:
            best = climb.moved(best, semitones, share)
            if best.fit < least_fit:
                return None
        place = [(alignment.track, best.shift)]
        found = align(best.view, (0, best.view.words.shape[2]), place, self._catalog.words, self._cohort, radius=2)
        return found[0] if found else None


def _fits(view: View, places: list[tuple[int, int]], words_of: WordsOf) -> list[tuple[float, Alignment]]:
    """Lay a whole view beside (track, shift) places; return how well each fits, and where it fits best."""
    n_words = view.words.shape[2]
    references = [track_stretch(words_of(t), s - RADIUS, n_words + 2 * RADIUS) for t, s in places]
    return [
        (
            fit,
            Alignment(view=view, start=0, stop=n_words, phase=phase, track=t, shift=s + off - RADIUS, score=0.0),
        )
        for (t, s), (fit, phase, off) in zip(places, best_fits(view.words, np.stack(references)), strict=True)
    ]


def _placed(alignment: Alignment, track_words: NDArray[np.uint64]) -> tuple[float, Alignment]:
    """Return how well a whole view fits where it fits best in all of the track, and the alignment there."""
    fit, phase, place = best_in_track(alignment.view.words, track_words)
    return fit, dataclasses.replace(alignment, phase=phase, shift=place)


def is_short(start: int, stop: int) -> bool:
    """Return whether a stretch of item frames is so short that it is looked at more closely (`SweepPlan`)."""
    return stop - start <= SHORT_FRAMES


def refine(
    fingerprint: Fingerprint,
    model: Model,
    track_words: NDArray[np.uint64],
    alignment: Alignment,
    rendition: Rendition,
    *,
    steps: Steps,
    least_gain: float = 0.0,
) -> Alignment:
    """Move pitch and tempo of an alignment as long as more peaks coincide; the middle of the stretch stays put.

    Parameters
    ----------
    fingerprint : Fingerprint
        Of the item.
    model : Model
    track_words : np.ndarray [shape=(n_words,), dtype=uint64]
    alignment : Alignment
    rendition : Rendition
        Where to begin.
    steps : Steps
    least_gain : float
        How many square roots of itself the excess of coincidences must grow by for a move.

    Returns
    -------
    Alignment
        In a view of the stretch alone; its score is that of the one given.
    """
    climb = _Climb(fingerprint, model, track_words, alignment)
    best = climb.at(rendition)
    for semitones, share in steps:
        best = climb.moved(best, semitones, share, least_gain)
    return best.of(alignment)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Place:
    """A view of a stretch, where it fits its track best, and how well."""

    view: View
    phase: int
    shift: int
    fit: float

    def of(self, alignment: Alignment) -> Alignment:
        """Return an alignment moved here."""
        stop = self.view.words.shape[2]
        return dataclasses.replace(alignment, view=self.view, start=0, stop=stop, phase=self.phase, shift=self.shift)


class _Climb:
    """Tries renditions of one stretch of an item against one place of a track."""

    def __init__(
        self, fingerprint: Fingerprint, model: Model, track_words: NDArray[np.uint64], alignment: Alignment
    ) -> None:
        self._fingerprint, self._config, self._track_words = fingerprint, model.config, track_words
        start = item_frame(alignment.view, alignment.start, alignment.phase)
        stop = item_frame(alignment.view, alignment.stop, alignment.phase)
        self._middle, self._n_frames = (start + stop) / 2, stop - start
        self._track_middle = (alignment.start + alignment.stop) / 2 + alignment.shift
        self._seen: dict[Rendition, _Place] = {}

    def at(self, rendition: Rendition) -> _Place:
        """Return how well the stretch fits with a rendition undone."""
        if rendition not in self._seen:
            self._seen[rendition] = self._try(rendition)
        return self._seen[rendition]

    def moved(self, best: _Place, semitones: float, share: float, least_gain: float = 0.0) -> _Place:
        """Move pitch and tempo by steps of one size as long as that gains; three steps at most."""
        for _ in range(3):
            pitch, tempo = best.view.rendition.pitch_semitones, best.view.rendition.tempo_ratio
            moves = [
                Rendition(pitch_semitones=pitch + p * semitones, tempo_ratio=tempo * (1.0 + share) ** t)
                for p, t in ((1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))
            ]
            better = max((self.at(move) for move in moves), key=lambda place: place.fit)
            root = best.view.words.shape[2] ** 0.5
            if (better.fit - best.fit) * root <= least_gain * max(best.fit * root, 0.0) ** 0.5:
                break
            best = better
        return best

    def _try(self, rendition: Rendition) -> _Place:
        tempo = rendition.tempo_ratio
        n_words = round(self._n_frames * tempo) // 2
        view = undone_view(self._fingerprint, self._config, rendition, self._middle - n_words / tempo, n_words)
        shift = round(self._track_middle - n_words / 2)
        reference = track_stretch(self._track_words, shift - REFINE_RADIUS, n_words + 2 * REFINE_RADIUS)
        fit, phase, off = best_fits(view.words, reference[None])[0]
        return _Place(view=view, phase=phase, shift=shift + off - REFINE_RADIUS, fit=fit)


def _blocks(start: int, stop: int, least_frames: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) frames of blocks that cover a stretch; the last may overlap the one before."""
    if stop - start < BLOCK_FRAMES:
        if stop - start >= least_frames:
            yield start, stop
        return
    for first in range(start, stop - BLOCK_FRAMES + 1, BLOCK_FRAMES):
        yield first, first + BLOCK_FRAMES
    if (stop - start) % BLOCK_FRAMES >= BLOCK_FRAMES // 4:
        yield stop - BLOCK_FRAMES, stop


def _probe_centres(block: tuple[int, int], n_probes: int, patch_frames: int) -> NDArray[np.float64]:
    """Return item frames in the middle of a block's probes: as many as do not overlap by more than two thirds."""
    half = patch_frames / 2
    room = block[1] - block[0] - patch_frames
    n = max(1, min(n_probes, 1 + int(room // (patch_frames / 3))))
    if n == 1:
        return np.array([(block[0] + block[1]) / 2])
    return np.linspace(block[0] + half, block[1] - half, n)


def _longer(alignment: Alignment, n_frames: int, within: tuple[int, int]) -> list[Alignment]:
    """Return an alignment on the stretches of `n_frames` item frames that begin or end with it, as far as they fit."""
    view, tempo = alignment.view, alignment.view.rendition.tempo_ratio
    n_frames = min(n_frames, int(2 * LONGEST_WORDS / tempo))
    start = item_frame(view, alignment.start, alignment.phase)
    stop = item_frame(view, alignment.stop, alignment.phase)
    ends = {
        (start, min(start + n_frames, within[1])),
        (max(stop - n_frames, within[0]), stop),
    }
    out = []
    for a, e in sorted(ends):
        if e - a > (stop - start) * 1.2:
            first_word = round((a - view.first_frame) * tempo / 2)
            last_word = int((e - view.first_frame) * tempo / 2)
            out.append(dataclasses.replace(alignment, start=first_word, stop=last_word))
    return out
