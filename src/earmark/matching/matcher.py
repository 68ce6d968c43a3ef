"""From a fingerprint to matches."""

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Catalog
from earmark.errors import ModelMismatchError, ParameterError
from earmark.fingerprint import Fingerprint, Model, Rendition
from earmark.matching.coincidence import BESIDE, Cohort, Stretch
from earmark.matching.effort import DEFAULT_EFFORT, effort_named, for_catalog
from earmark.matching.extent import find_extent
from earmark.matching.finding import Finding, FoundSoFar, common, shift_at, words_beside
from earmark.matching.fitting import track_stretch
from earmark.matching.match import Match
from earmark.matching.odds import Calibration, load_calibration, log10_e_value, score_at
from earmark.matching.residue import residue
from earmark.matching.search import WINDOW_WORDS, Alignment, find_alignments
from earmark.matching.sweep import Sweep, is_short, refine
from earmark.matching.view import item_frame, undone_view, view_word

__all__ = ["DEFAULT_MAX_E_VALUE", "Matcher"]

DEFAULT_MAX_E_VALUE = 1e-3
"""Fewer than one false match in 1,000 hours of audio."""

SAME_RECORDING = 0.5
"""Share of peaks that two tracks have in common where they are the same recording, whatever the encoding."""

MIN_WORDS = 16
"""Matches shorter than 1 s say nothing about their ends and are not reported."""

GROWTH_FRAMES = 640
"""20 s: a swept alignment's view reaches so far to either side at first, and then four times as far, and so on."""

LEAST_GAP_FRAMES = 94
"""3 s: shorter gaps beside what was found are not swept."""

MEASURED_WORDS = 4 * WINDOW_WORDS
"""Tempo and pitch are measured on the middle 20 s of a match at most."""

MEASURE_STEPS = ((0.2, 0.01), (0.1, 0.004), (0.05, 0.002))
"""Semitones and share of tempo by which the rendition of a match is moved to measure it."""

MEASURE_GAIN = 0.5
"""How many square roots of itself the excess of coincidences must grow by for a move: noise moves nothing."""


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
        self,
        catalog: Catalog,
        model: Model,
        *,
        effort: str = DEFAULT_EFFORT,
        max_e_value: float = DEFAULT_MAX_E_VALUE,
    ) -> None:
        if not max_e_value > 0:
            raise ParameterError(f"max_e_value must be above 0, got {max_e_value}")
        if catalog.model_digest != model.digest:
            raise ModelMismatchError(
                f"{catalog.path}: made with model {catalog.model_digest}, not {model.digest}: build it again"
            )
        self._catalog, self._model, self._config = catalog, model, model.config
        self._cohort, self._effort = Cohort(model.cohort), for_catalog(effort_named(effort), catalog.duration_s)
        self._plain, self._residue = (load_calibration(model, effort, look) for look in ("plain", "residue"))
        self._log10_limit = float(np.log10(max_e_value))
        self._sweep: Sweep | None = None
        if self._effort.sweep is not None:
            self._sweep = Sweep(catalog, model, self._cohort, self._effort.sweep)
            self._swept, self._swept_short = (load_calibration(model, effort, look) for look in ("sweep", "short"))

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
        found = FoundSoFar()
        plain = find_alignments(fingerprint, self._catalog, self._config, self._cohort, self._effort)
        self._settle(plain, self._plain, found, fingerprint)
        if self._sweep is not None:
            for calibration, swept in self._swept_alignments(self._sweep, found, fingerprint):
                self._settle(swept, calibration, found, fingerprint)
        self._look_beneath(found, fingerprint)
        matches = self._reported(list(found), fingerprint)
        matches.sort(key=lambda m: (m.item_start_s, m.log10_e_value, m.track))
        groups = {group: i for i, group in enumerate(dict.fromkeys(m.group for m in matches))}
        return [dataclasses.replace(m, group=groups[m.group]) for m in matches]

    def _swept_alignments(
        self, sweep: Sweep, found: FoundSoFar, fingerprint: Fingerprint
    ) -> list[tuple[Calibration, list[Alignment]]]:
        """Sweep what is not explained yet; returns what long and short stretches held, each with its calibration."""
        n_words = -(-fingerprint.n_frames // 2)
        short: list[Alignment] = []
        long: list[Alignment] = []
        for start, stop in found.gaps(n_words):
            whole = stop - start == n_words
            if whole or 2 * (stop - start) >= LEAST_GAP_FRAMES:
                frames = 2 * start, min(2 * stop, fingerprint.n_frames)
                (short if is_short(*frames) else long).extend(sweep.find(fingerprint, *frames))
        return [(self._swept, long), (self._swept_short, short)]

    def _look_beneath(self, found: FoundSoFar, fingerprint: Fingerprint) -> None:
        """Look for what plays together with the best of what was found, and then once more beneath all of it.

        What was found beneath something better is looked at again, for where it begins and ends.
        """
        taken, n_before = _uppermost(found), 0
        while taken and found.n_added > n_before:
            n_before = found.n_added
            rest = residue(fingerprint, self._model, self._catalog, taken)
            known = {one.seed.track for one in taken}
            known.update(*(self._catalog.same_audio(track) for track in known))
            beneath = find_alignments(rest, self._catalog, self._config, self._cohort, self._effort, without=known)
            self._settle(beneath, self._residue, found, rest)
            if len(taken) == len(list(found)):
                return
            taken = list(found)

    def _settle(
        self, alignments: list[Alignment], calibration: Calibration, found: FoundSoFar, fingerprint: Fingerprint
    ) -> None:
        """Add to what was found what is good enough and new."""
        least_score = score_at(self._log10_limit, self._catalog.duration_s, calibration)
        seeds = sorted((a for a in alignments if a.score >= least_score), key=lambda a: -a.score)
        for seed in seeds:
            self._judge(seed, calibration, found, fingerprint)

    def _judge(self, seed: Alignment, calibration: Calibration, found: FoundSoFar, fingerprint: Fingerprint) -> None:
        """Extend a seed and add it to what was found, unless better matches cover or explain it."""
        start, stop = _item_words(seed, seed.start, seed.stop)
        near = found.within(start, stop)
        if any(f.seed.track == seed.track and f.start <= start and stop <= f.stop for f in near):
            return
        new = self._extended(seed, calibration, fingerprint, group=found.n_added)
        length = new.stop - new.start
        near = found.within(new.start, new.stop)
        same_track = [f for f in near if f.seed.track == seed.track]
        if length < MIN_WORDS or 2 * sum(common(f, new) for f in same_track) > length:
            return
        # A short repeat may have scored best; the longer stretch that holds it is where the music really is.
        replaced = [f for f in same_track if 2 * common(f, new) > f.stop - f.start]
        for other in near:
            shorter = min(length, other.stop - other.start)
            if other.seed.track == seed.track or 2 * common(other, new) <= shorter:
                continue
            if self._same_recording(new, other):
                new = dataclasses.replace(new, group=other.group)
            elif self._explained(new, other, calibration):
                return
        found.take_out(replaced)
        best = min([new, *replaced], key=lambda f: f.log10_e_value)
        found.add(dataclasses.replace(new, log10_e_value=best.log10_e_value))

    def _extended(self, seed: Alignment, calibration: Calibration, fingerprint: Fingerprint, group: int) -> Finding:
        """Return a seed with its extent, in a view that is wide enough for it."""
        words = self._catalog.words(seed.track)
        level = self._config.item_peaks.index(self._config.track_peaks)
        reach = GROWTH_FRAMES
        wide = self._widened(seed, reach, fingerprint)
        while True:
            item = wide.view.words[level, wide.phase]
            extent = find_extent(item, words, wide.start, wide.stop, wide.shift)
            more_before = item_frame(wide.view, 0, 0) > 0
            more_after = item_frame(wide.view, len(item), 0) < fingerprint.n_frames
            cut_off = (extent.start == 0 and more_before) or (extent.stop == len(item) and more_after)
            if wide is seed or not cut_off:
                break
            reach *= 4
            wide = self._widened(seed, reach, fingerprint)
        start, stop = _item_words(wide, extent.start, extent.stop)
        odds = log10_e_value(seed.score, self._catalog.duration_s, calibration)
        return Finding(seed=wide, extent=extent, start=start, stop=stop, log10_e_value=odds, group=group)

    def _widened(self, seed: Alignment, reach_frames: int, fingerprint: Fingerprint) -> Alignment:
        """Return a seed in a view that reaches further; as it is, if its view has all of the item."""
        view, rendition = seed.view, seed.view.rendition
        if view.words is fingerprint.words:
            return seed
        first, last = item_frame(view, seed.start, 0), item_frame(view, seed.stop, 0)
        before = math.ceil(min(reach_frames, max(first, 0.0)) * rendition.tempo_ratio / 2)
        after = math.ceil(min(reach_frames, max(fingerprint.n_frames - last, 0.0)) * rendition.tempo_ratio / 2)
        n_words = seed.stop - seed.start
        wide = undone_view(
            fingerprint, self._config, rendition, first - 2 * before / rendition.tempo_ratio, before + n_words + after
        )
        shift = seed.shift + seed.start - before
        return dataclasses.replace(seed, view=wide, start=before, stop=before + n_words, shift=shift)

    def _same_recording(self, new: Finding, other: Finding) -> bool:
        """Return whether the two tracks hold the same peaks in the middle of where both were found."""
        start = view_word(new.seed.view, max(new.start, other.start))
        both = view_word(new.seed.view, min(new.stop, other.stop)) - start
        length = min(both, MEASURED_WORDS)
        start += (both - length) // 2
        at = start + shift_at(new, start + length / 2)
        mine, theirs = self._catalog.words(new.seed.track), self._words_beside(new.seed, start, length, other)
        likeness = max(_likeness(theirs, track_stretch(mine, at + s, length)) for s in (-1, 0, 1))
        return likeness >= SAME_RECORDING

    def _explained(self, new: Finding, other: Finding, calibration: Calibration) -> bool:
        """Return whether nothing is left to see of a seed without the peaks that the other track has."""
        seed, margin = new.seed, BESIDE[1]
        start, length = seed.start - margin, seed.stop - seed.start + 2 * margin
        theirs = self._words_beside(seed, start, length, other)
        mine = track_stretch(self._catalog.words(seed.track), start + seed.shift, length)
        words = seed.view.words[:, :, seed.start : seed.stop]
        rest = Stretch(words & ~theirs[margin : length - margin], self._cohort)
        _, _, scores = rest.compare((mine & ~theirs)[None, :], [seed.track], radius=0)
        return bool(scores[0] < score_at(self._log10_limit, self._catalog.duration_s, calibration))

    def _words_beside(self, seed: Alignment, start: int, length: int, other: Finding) -> NDArray[np.uint64]:
        """Return another finding's track words as they would lie in a stretch of a seed's view."""
        middle = view_word(other.seed.view, item_frame(seed.view, start + length / 2, seed.phase) / 2)
        there = dataclasses.replace(other.seed, shift=shift_at(other, middle))
        words = self._catalog.words(other.seed.track)
        return words_beside(seed.view, seed.phase, start, length, there, words, self._config)

    def _reported(self, found: list[Finding], fingerprint: Fingerprint) -> list[Match]:
        """Return what was found, each under all the ids that its track has in the catalog."""
        matches = []
        known = {(one.seed.track, one.group) for one in found}
        for one in found:
            match = self._match(one, fingerprint)
            matches.append(match)
            for twin in self._catalog.same_audio(one.seed.track):
                if (twin, one.group) not in known:
                    known.add((twin, one.group))
                    matches.append(dataclasses.replace(match, track=twin))
        return matches

    def _match(self, one: Finding, fingerprint: Fingerprint) -> Match:
        extent, view, config = one.extent, one.seed.view, self._config
        duration_s = fingerprint.n_samples / config.sr
        track_s = self._catalog.track(one.seed.track).duration_s
        rendition = self._measured(one, fingerprint)
        # A word covers a pair of overlapping frames; it speaks for the hop-long stretches around its centre.
        lead_s, hop_s = (config.n_fft - config.hop_length) / 2 / config.sr, config.hop_length / config.sr
        start_s = item_frame(view, extent.start, one.seed.phase) * hop_s + lead_s
        stop_s = item_frame(view, extent.stop, one.seed.phase) * hop_s + lead_s
        track_start_s = (extent.start + extent.start_shift) / config.words_per_second + lead_s
        track_stop_s = (extent.stop + extent.stop_shift) / config.words_per_second + lead_s
        if start_s <= lead_s + 2 * hop_s:
            start_s, track_start_s = 0.0, track_start_s - start_s * rendition.tempo_ratio
        if stop_s + 4 * lead_s >= duration_s:
            stop_s, track_stop_s = duration_s, track_stop_s + (duration_s - stop_s) * rendition.tempo_ratio
        return Match(
            item_start_s=start_s,
            item_end_s=stop_s,
            track=one.seed.track,
            track_start_s=min(max(track_start_s, 0.0), track_s),
            track_end_s=min(max(track_stop_s, 0.0), track_s),
            tempo_ratio=rendition.tempo_ratio,
            pitch_semitones=rendition.pitch_semitones,
            score=float(extent.found),
            expected_score=extent.expected,
            log10_e_value=one.log10_e_value,
            group=one.group,
        )

    def _measured(self, one: Finding, fingerprint: Fingerprint) -> Rendition:
        """Return how the item plays the track: from the drift over the match, then refined on its middle."""
        extent, seed = one.extent, one.seed
        n_words, drift = extent.stop - extent.start, extent.stop_shift - extent.start_shift
        rendition = seed.view.rendition
        if abs(drift) > 1:
            rendition = dataclasses.replace(rendition, tempo_ratio=rendition.tempo_ratio * (1 + drift / n_words))
        length = min(n_words, MEASURED_WORDS)
        start = extent.start + (n_words - length) // 2
        middle = dataclasses.replace(
            seed, start=start, stop=start + length, shift=round((extent.start_shift + extent.stop_shift) / 2)
        )
        words = self._catalog.words(seed.track)
        refined = refine(
            fingerprint, self._model, words, middle, rendition, steps=MEASURE_STEPS, least_gain=MEASURE_GAIN
        )
        return refined.view.rendition


def _uppermost(found: FoundSoFar) -> list[Finding]:
    """Return the findings that no better one of another recording covers by half."""
    return [
        one
        for one in found
        if not any(
            other.group != one.group
            and other.log10_e_value < one.log10_e_value
            and 2 * common(other, one) > one.stop - one.start
            for other in found.within(one.start, one.stop)
        )
    ]


def _item_words(seed: Alignment, start: int, stop: int) -> tuple[int, int]:
    """Return words of a seed's view in words of the item."""
    first = item_frame(seed.view, start, seed.phase) / 2
    last = item_frame(seed.view, stop, seed.phase) / 2
    return max(math.floor(first), 0), math.floor(last)


def _likeness(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> float:
    """Return the share of the peaks of the sparser stretch that the other has, too."""
    fewer = min(int(np.bitwise_count(a).sum()), int(np.bitwise_count(b).sum()))
    return float(np.bitwise_count(a & b).sum()) / fewer if fewer else 0.0
