"""From a fingerprint to matches."""

import collections
import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Catalog
from earmark.errors import ModelMismatchError, ParameterError
from earmark.fingerprint import Fingerprint, Model
from earmark.matching.coincidence import Cohort, Stretch
from earmark.matching.extent import Extent, find_extent
from earmark.matching.match import Match
from earmark.matching.odds import load_calibration, log10_e_value, score_at
from earmark.matching.search import WINDOW_WORDS, Alignment, find_alignments, track_stretch

__all__ = ["DEFAULT_MAX_E_VALUE", "Matcher"]

DEFAULT_MAX_E_VALUE = 1e-3
"""Fewer than one false match in 1,000 hours of audio."""

SAME_RECORDING = 0.5
"""Share of peaks that two tracks have in common where they are the same recording, whatever the encoding."""

MIN_WORDS = 16
"""Matches shorter than 1 s say nothing about their ends and are not reported."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A seed, its extent, the best score seen for its track there, and its group."""

    seed: Alignment
    extent: Extent
    score: float
    group: int


class _FoundSoFar:
    """What was found, by where it is in the item."""

    BLOCK = 4 * WINDOW_WORDS

    def __init__(self) -> None:
        self._blocks: collections.defaultdict[int, dict[int, _Found]] = collections.defaultdict(dict)
        self._all: dict[int, _Found] = {}
        self._n_added = 0

    def __iter__(self) -> Iterator[_Found]:
        return iter(self._all.values())

    def add(self, found: _Found) -> None:
        self._n_added += 1
        self._all[self._n_added] = found
        for block in self._blocks_of(found.extent.start, found.extent.stop):
            self._blocks[block][self._n_added] = found

    def take_out(self, gone: list[_Found]) -> None:
        keys = [k for k, found in self._all.items() if any(found is g for g in gone)] if gone else []
        for key in keys:
            found = self._all.pop(key)
            for block in self._blocks_of(found.extent.start, found.extent.stop):
                del self._blocks[block][key]

    def within(self, start: int, stop: int) -> list[_Found]:
        """Return what lies at least partly between two item words, in the order it was found."""
        near: dict[int, _Found] = {}
        for block in self._blocks_of(start, stop):
            near |= self._blocks[block]
        return [near[k] for k in sorted(near) if near[k].extent.start < stop and near[k].extent.stop > start]

    def _blocks_of(self, start: int, stop: int) -> range:
        return range(start // self.BLOCK, -(-stop // self.BLOCK))


def _common(a: Extent, b: Extent) -> int:
    return max(min(a.stop, b.stop) - max(a.start, b.start), 0)


class Matcher:
    """Finds the tracks of a catalog in items.

    Parameters
    ----------
    catalog : Catalog
    model : Model
        The model that the catalog was made with.
    effort : str
        One of `EFFORTS`.
    max_e_value : float
        Matches with worse odds are not reported: expected chance matches per hour of item audio.

    Raises
    ------
    ModelMismatchError
        If the catalog was made with another model.
    ParameterError
        If the effort is unknown or `max_e_value` is not above 0.
    """

    def __init__(
        self, catalog: Catalog, model: Model, *, effort: str = "fast", max_e_value: float = DEFAULT_MAX_E_VALUE
    ) -> None:
        if not max_e_value > 0:
            raise ParameterError(f"max_e_value must be above 0, got {max_e_value}")
        if catalog.model_digest != model.digest:
            raise ModelMismatchError(
                f"{catalog.path}: made with model {catalog.model_digest}, not {model.digest}: build it again"
            )
        self._catalog, self._config, self._cohort = catalog, model.config, Cohort(model.cohort)
        self._calibration = load_calibration(model, effort)
        self._least_score = score_at(float(np.log10(max_e_value)), catalog.duration_s, self._calibration)

    def match(self, fingerprint: Fingerprint) -> list[Match]:
        """Find what an item holds.

        Where a track repeats itself, one place of it is reported for the same seconds of the item, the best. A track
        that only shows what another, better match explains already is not reported, unless it is the same recording.

        Parameters
        ----------
        fingerprint : Fingerprint
            Of the item.

        Returns
        -------
        list of Match
            By start, then odds.
        """
        alignments = find_alignments(fingerprint, self._catalog, self._config, self._cohort)
        seeds = sorted((a for a in alignments if a.score >= self._least_score), key=lambda a: -a.score)
        found = _FoundSoFar()
        for group, seed in enumerate(seeds):
            self._judge(seed, group, found, fingerprint)
        matches = [self._report(one, fingerprint) for one in self._with_twins(found)]
        matches.sort(key=lambda m: (m.item_start_s, m.log10_e_value, m.track))
        groups = {group: i for i, group in enumerate(dict.fromkeys(m.group for m in matches))}
        return [dataclasses.replace(m, group=groups[m.group]) for m in matches]

    def _judge(self, seed: Alignment, group: int, found: _FoundSoFar, fingerprint: Fingerprint) -> None:
        """Extend a seed and add it to what was found, unless better matches cover or explain it."""
        near = found.within(seed.start, seed.stop)
        if any(f.seed.track == seed.track and _covers(f.extent, seed) for f in near):
            return
        words = self._catalog.words(seed.track)
        level = self._config.item_peaks.index(self._config.track_peaks)
        extent = find_extent(fingerprint.words[level, seed.phase], words, seed.start, seed.stop, seed.shift)
        length = extent.stop - extent.start
        near = found.within(extent.start, extent.stop)
        same_track = [f for f in near if f.seed.track == seed.track]
        if length < MIN_WORDS or 2 * sum(_common(f.extent, extent) for f in same_track) > length:
            return
        # A short repeat may have scored best; the longer stretch that holds it is where the music really is.
        replaced = [f for f in same_track if 2 * _common(f.extent, extent) > f.extent.stop - f.extent.start]
        for other in near:
            shorter = min(length, other.extent.stop - other.extent.start)
            if other.seed.track == seed.track or 2 * _common(other.extent, extent) <= shorter:
                continue
            if self._same_recording(seed, extent, other):
                group = other.group
            elif self._explained(seed, other, fingerprint):
                return
        found.take_out(replaced)
        score = max([seed.score, *(f.score for f in replaced)])
        found.add(_Found(seed=seed, extent=extent, score=score, group=group))

    def _with_twins(self, found: _FoundSoFar) -> list[_Found]:
        """Return what was found, each under all the ids that its track has in the catalog."""
        out = list(found)
        known = {(f.seed.track, f.group) for f in out}
        for one in list(out):
            for twin in self._catalog.same_audio(one.seed.track):
                if (twin, one.group) not in known:
                    known.add((twin, one.group))
                    out.append(dataclasses.replace(one, seed=dataclasses.replace(one.seed, track=twin)))
        return out

    def _same_recording(self, seed: Alignment, extent: Extent, other: _Found) -> bool:
        start, stop = max(extent.start, other.extent.start), min(extent.stop, other.extent.stop)
        a = track_stretch(self._catalog.words(other.seed.track), start + other.seed.shift, stop - start)
        words = self._catalog.words(seed.track)
        return max(_likeness(a, track_stretch(words, start + seed.shift + s, stop - start)) for s in (-1, 0, 1)) >= (
            SAME_RECORDING
        )

    def _explained(self, seed: Alignment, other: _Found, fingerprint: Fingerprint) -> bool:
        """Return whether nothing is left to see of a seed without the peaks that the other track has."""
        length = seed.stop - seed.start
        theirs = track_stretch(self._catalog.words(other.seed.track), seed.start + other.seed.shift, length)
        mine = track_stretch(self._catalog.words(seed.track), seed.start + seed.shift, length)
        rest = Stretch(fingerprint.words[:, :, seed.start : seed.stop] & ~theirs, self._cohort)
        _, _, scores = rest.compare((mine & ~theirs)[None, :], [seed.track], radius=0)
        return bool(scores[0] < self._least_score)

    def _report(self, one: _Found, fingerprint: Fingerprint) -> Match:
        extent, config = one.extent, self._config
        duration_s = fingerprint.n_samples / config.sr
        track_s = self._catalog.track(one.seed.track).duration_s
        # A word covers a pair of overlapping frames; it speaks for the hop-long stretches around its centre.
        lead_s = (config.n_fft - config.hop_length) / 2 / config.sr
        phase_s = one.seed.phase * config.hop_length / config.sr
        start_s = extent.start / config.words_per_second + phase_s + lead_s
        stop_s = extent.stop / config.words_per_second + phase_s + lead_s
        track_start_s = (extent.start + extent.start_shift) / config.words_per_second + lead_s
        track_stop_s = (extent.stop + extent.stop_shift) / config.words_per_second + lead_s
        if extent.start == 0:
            start_s, track_start_s = 0.0, track_start_s - start_s
        if stop_s + 4 * lead_s >= duration_s:
            stop_s, track_stop_s = duration_s, track_stop_s + duration_s - stop_s
        return Match(
            item_start_s=start_s,
            item_end_s=stop_s,
            track=one.seed.track,
            track_start_s=min(max(track_start_s, 0.0), track_s),
            track_end_s=min(max(track_stop_s, 0.0), track_s),
            tempo_ratio=_tempo_ratio(extent),
            pitch_semitones=0.0,
            score=float(extent.found),
            expected_score=extent.expected,
            log10_e_value=log10_e_value(one.score, self._catalog.duration_s, self._calibration),
            group=one.group,
        )


def _covers(extent: Extent, seed: Alignment) -> bool:
    return extent.start <= seed.start and seed.stop <= extent.stop


def _tempo_ratio(extent: Extent) -> float:
    """Return item tempo over track tempo: how many track words go by in an item word."""
    n = extent.stop - extent.start
    return 1.0 + (extent.stop_shift - extent.start_shift) / n if n else 1.0


def _likeness(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> float:
    """Return the share of the peaks of the sparser stretch that the other has, too."""
    fewer = min(int(np.bitwise_count(a).sum()), int(np.bitwise_count(b).sum()))
    return float(np.bitwise_count(a & b).sum()) / fewer if fewer else 0.0
