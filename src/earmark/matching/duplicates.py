"""Likely duplicates in a catalog: recordings that are there twice, encoded in two ways.

A recording is looked for in the catalog that it is in: patches at a few places of it name candidates, and all of its
peaks decide. Nothing is looked for that was sped up, transposed or cut: these are other recordings. So are a remaster,
and a version with something quieter over it, but they have mostly the same peaks, and are found: pairs are only named
here, and nothing is merged.
"""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Catalog, Progress, live_rows, open_catalog
from earmark.fingerprint import Model
from earmark.fingerprint.embedding import project
from earmark.matching.coincidence import BESIDE, Cohort, Stretch
from earmark.matching.effort import DEFAULT_EFFORT
from earmark.matching.fitting import track_stretch
from earmark.matching.odds import load_calibration, log10_e_value
from earmark.matching.search import WINDOW_WORDS

__all__ = ["LikelyDuplicate", "find_duplicates"]

PLACES, HITS = 16, 12
"""Places of a recording that are looked for, spread over all of it, and how many answers a probe gets."""

STEP_WORDS = 4
"""From one probe of a place to the next, a quarter second: so patches of items are taken, too."""

LEAST_SHARE = 1 / 6
"""Share of the places that must name a candidate at one offset, to half a second."""

SAME = 0.5
"""Share of the sparser side's peaks that both have, in a stretch of 5 s, where they are the same recording; as the
matcher takes it. Unrelated music shares a tenth to a fifth. Other encodings of the twelve bundled recordings share .92
and more (mp3 at 64 kbit/s), and .54 and more where the frames of one begin in the middle of those of the other (Opus at
24 kbit/s); a remaster, by a soft clipper, .79 and more."""

COVERED = 0.9
"""Share of the peaks of both that must lie in such stretches."""

MAX_LOG10_E = -6.0
"""The coincidences of the best stretch must be this unlikely: an hour of chance in a million."""

LEAST_WORDS = 32
"""2 s; what is shorter says too little."""

RADIUS_WORDS = 12
"""So far from a candidate's offset, .8 s, the two are laid beside each other."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LikelyDuplicate:
    """Two recordings of a catalog that are likely the same.

    Attributes
    ----------
    track_id, other_id : str
        In the order of the catalog; of a recording under several ids the first.
    offset_s : float
        How much later the same moment is in the other.
    covered : float
        Share of the peaks of each that lie where both are the same; the less of the two.
    likeness : float
        Share of peaks that both have there.
    log10_e_value : float
        Of the best 5 s, as for a match at plain speed.
    """

    track_id: str
    other_id: str
    offset_s: float
    covered: float
    likeness: float
    log10_e_value: float


def find_duplicates(
    path: Path,
    model: Model,
    *,
    segments: Collection[str] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Iterator[LikelyDuplicate]:
    """Find recordings that a catalog has twice, as a FLAC and an mp3 file of it would give.

    Ids of the very same fingerprint are one recording, and not named here. Of more than a dozen encodings of one
    recording some pairs may be left out.

    Parameters
    ----------
    path : Path
        The catalog; it may be changed meanwhile, what is seen is what it was.
    model : Model
        That it was made with.
    segments : collection of str or None
        Names of the segments whose tracks are compared with the whole catalog; None for all.
    on_progress : callable or None
        Called after each track.

    Yields
    ------
    LikelyDuplicate
        Each pair once.

    Raises
    ------
    CatalogError, CatalogVersionError, ModelMismatchError, CatalogDamagedError
        As for `open_catalog`.
    """
    with contextlib.closing(open_catalog(path, model)) as catalog:
        yield from _found(catalog, model, segments, on_progress)


def _found(
    catalog: Catalog,
    model: Model,
    segments: Collection[str] | None,
    on_progress: Callable[[Progress], None] | None,
) -> Iterator[LikelyDuplicate]:
    cohort, done = Cohort(model.cohort), set[tuple[int, int]]()
    chosen = _recordings(catalog, segments)
    seconds = 0.0
    for n_done, (number, n_samples) in enumerate(chosen, 1):
        for other, offset in _candidates(catalog, model, number):
            pair = min(number, other), max(number, other)
            if pair in done:
                continue
            done.add(pair)
            found = _compared(catalog, model, cohort, pair, offset if number == pair[0] else -offset)
            if found is not None:
                yield found
        seconds += n_samples / model.config.sr
        if on_progress is not None:
            on_progress(Progress(n_done=n_done, n_total=len(chosen), duration_s=seconds))


def _recordings(catalog: Catalog, segments: Collection[str] | None) -> list[tuple[int, int]]:
    """Return number and samples of the first track of each recording in some segments."""
    wanted = np.ones(catalog.n_numbers, np.bool_)
    for first, segment in catalog.segments():
        wanted[first : first + segment.n_tracks] = segments is None or segment.name in segments
    seen: set[bytes] = set()
    chosen = []
    for number, _, n_samples, content in live_rows(catalog):
        if wanted[number] and content not in seen:
            seen.add(content)
            chosen.append((number, n_samples))
    return chosen


def _candidates(catalog: Catalog, model: Model, number: int) -> list[tuple[int, int]]:
    """Return the tracks that a recording's probes name, and how many words later each has what it has."""
    places, probes = _probes(catalog.words(number), model)
    if not len(places):
        return []
    hop = model.config.track_patch_stride * model.config.patch_hop_frames // 2
    tracks, positions, _ = catalog.search(probes, HITS)
    offsets = (positions.astype(np.int64) * hop - places[:, None]) // STEP_WORDS
    named: dict[tuple[int, int], set[int]] = collections.defaultdict(set)
    for place, some, there in zip((places // hop).tolist(), tracks.tolist(), offsets.tolist(), strict=True):
        for track, offset in zip(some, there, strict=True):
            if track not in (-1, number):
                for near in (-1, 0, 1):
                    named[track, offset + near].add(place)
    n_places = len(set((places // hop).tolist()))
    best: dict[int, tuple[int, int]] = {}
    for (track, offset), who in named.items():
        if len(who) >= LEAST_SHARE * n_places:
            best[track] = max(best.get(track, (0, 0)), (len(who), offset * STEP_WORDS))
    return [(track, offset) for track, (_, offset) in best.items()]


def _probes(words: NDArray[np.uint64], model: Model) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Return patches made of a recording's peaks, and the words that they begin with.

    Patches of a catalog are a second apart, and one that begins half a second later is quite another. Made of peaks in
    place of a saliency map they are nearly as like those of the same moment (products of .55, and .60 with those that
    the catalog has), and can begin anywhere.
    """
    config = model.config
    n_words, n_steps = config.patch_frames // 2, config.track_patch_stride
    last = len(words) - n_words
    if last < 0:
        return np.empty(0, np.int64), np.empty((0, config.n_dims), np.int8)
    starts = np.unique(np.linspace(0, max(last - (n_steps - 1) * STEP_WORDS, 0), PLACES).astype(np.int64))
    places, probes = [], []
    for start in starts.tolist():
        here = words[start : start + n_words + (n_steps - 1) * STEP_WORDS]
        peaks = ((here[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).astype(np.float32)
        made = project(peaks, model.projection, model.offset, config, hop_frames=2 * STEP_WORDS)
        places.append(start + STEP_WORDS * np.arange(len(made)))
        probes.append(made)
    return np.concatenate(places), np.concatenate(probes)


def _compared(
    catalog: Catalog, model: Model, cohort: Cohort, pair: tuple[int, int], offset_words: int
) -> LikelyDuplicate | None:
    """Return what two tracks have in common, if it is nearly all of both."""
    mine, theirs = catalog.words(pair[0]), catalog.words(pair[1])
    shorter, longer = sorted((len(mine), len(theirs)))
    if shorter < max(LEAST_WORDS, COVERED * COVERED * longer):
        return None
    shift = _best_shift(mine, theirs, offset_words)
    same, likeness = _same_blocks(mine, theirs, shift)
    here = np.repeat(same, WINDOW_WORDS)[: len(mine)]
    there = track_stretch(here.astype(np.uint64), -shift, len(theirs)).astype(np.bool_)
    covered = min(_share(mine, here), _share(theirs, there))
    if covered < COVERED or pair[1] in catalog.same_audio(pair[0]):
        return None
    score = max(_score(mine, theirs, at * WINDOW_WORDS, shift, cohort) for at in _spread(np.flatnonzero(same)))
    calibration = load_calibration(model, DEFAULT_EFFORT, "plain")
    odds = log10_e_value(score, catalog.duration_s, calibration)
    if odds > MAX_LOG10_E:
        return None
    return LikelyDuplicate(
        track_id=catalog.track(pair[0]).track_id,
        other_id=catalog.track(pair[1]).track_id,
        offset_s=shift / model.config.words_per_second,
        covered=covered,
        likeness=float(np.median(likeness[same])),
        log10_e_value=odds,
    )


def _best_shift(mine: NDArray[np.uint64], theirs: NDArray[np.uint64], about: int) -> int:
    """Return how many words later the other has the most of the same peaks."""
    shifts = range(about - RADIUS_WORDS, about + RADIUS_WORDS + 1)
    return max(shifts, key=lambda shift: int(np.bitwise_count(mine & track_stretch(theirs, shift, len(mine))).sum()))


def _same_blocks(
    mine: NDArray[np.uint64], theirs: NDArray[np.uint64], shift: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which stretches of 5 s are the same in both, and the share of peaks that both have in each."""
    starts = np.arange(0, len(mine), WINDOW_WORDS)
    likeness = np.zeros(len(starts))
    n_mine = np.add.reduceat(np.bitwise_count(mine), starts, dtype=np.int64)
    for near in (-1, 0, 1):  # frames of the two need not begin at the same moment
        beside = track_stretch(theirs, shift + near, len(mine))
        n_theirs = np.add.reduceat(np.bitwise_count(beside), starts, dtype=np.int64)
        n_both = np.add.reduceat(np.bitwise_count(mine & beside), starts, dtype=np.int64)
        likeness = np.maximum(likeness, n_both / np.maximum(np.minimum(n_mine, n_theirs), 1))
    return likeness >= SAME, likeness


def _share(words: NDArray[np.uint64], chosen: NDArray[np.bool_]) -> float:
    """Return the share of peaks that lie in some of the words."""
    counts = np.bitwise_count(words)
    return float(counts[chosen].sum(dtype=np.int64)) / max(int(counts.sum(dtype=np.int64)), 1)


def _spread(blocks: NDArray[np.int64], n: int = 5) -> list[int]:
    chosen = np.linspace(0, len(blocks) - 1, min(n, len(blocks))).astype(np.int64)
    return [int(block) for block in np.unique(blocks[chosen])]


def _score(mine: NDArray[np.uint64], theirs: NDArray[np.uint64], start: int, shift: int, cohort: Cohort) -> float:
    """Return how well a stretch of one fits the other; a catalog has one phase and one level of peaks."""
    words = mine[start : start + WINDOW_WORDS]
    if len(words) < LEAST_WORDS:
        return 0.0
    margin = 1 + BESIDE[1]
    reference = track_stretch(theirs, start + shift - margin, len(words) + 2 * margin)
    stretch = Stretch(np.broadcast_to(words, (1, 2, len(words))), cohort)
    return float(stretch.compare(reference[None], [0], radius=1)[2][0])
