"""From a fingerprint to matches."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Catalog
from earmark.errors import ModelMismatchError, ParameterError
from earmark.fingerprint import Fingerprint, Model
from earmark.matching.coincidence import Cohort, Stretch
from earmark.matching.extent import Extent, find_extent
from earmark.matching.match import Match
from earmark.matching.odds import load_calibration, log10_e_value, score_at
from earmark.matching.search import Alignment, find_alignments, track_stretch

__all__ = ["DEFAULT_MAX_E_VALUE", "Matcher"]

DEFAULT_MAX_E_VALUE = 1e-3
"""Fewer than one false match in 1,000 hours of audio."""

SAME_RECORDING = 0.5
"""Share of peaks that two tracks have in common where they are the same recording, whatever the encoding."""

MIN_WORDS = 16
"""Matches shorter than 1 s say nothing about their ends and are not reported."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    alignment: Alignment
    extent: Extent
    group: int

    def overlap(self, other: Extent) -> float:
        """Return the share of the shorter extent that both cover."""
        common = min(self.extent.stop, other.stop) - max(self.extent.start, other.start)
        return common / max(min(self.extent.stop - self.extent.start, other.stop - other.start), 1)


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
        found: list[_Found] = []
        for seed in seeds:
            one = self._judge(seed, found, fingerprint)
            if one is not None:
                found.append(one)
        matches = [self._report(one, fingerprint) for one in found]
        return sorted(matches, key=lambda m: (m.item_start_s, m.log10_e_value, m.track))

    def _judge(self, seed: Alignment, found: list[_Found], fingerprint: Fingerprint) -> _Found | None:
        """Extend a seed; None if better matches cover or explain it."""
        same_track = [f for f in found if f.alignment.track == seed.track]
        if any(f.extent.start <= seed.start and seed.stop <= f.extent.stop for f in same_track):
            return None
        words = self._catalog.words(seed.track)
        level = self._config.item_peaks.index(self._config.track_peaks)
        extent = find_extent(fingerprint.words[level, seed.phase], words, seed.start, seed.stop, seed.shift)
        if extent.stop - extent.start < MIN_WORDS or any(f.overlap(extent) > 0.5 for f in same_track):
            return None
        group = len({f.group for f in found})
        for other in found:
            if other.alignment.track == seed.track or other.overlap(extent) <= 0.5:
                continue
            if self._same_recording(seed, extent, other):
                group = other.group
            elif self._explained(seed, other, fingerprint):
                return None
        return _Found(alignment=seed, extent=extent, group=group)

    def _same_recording(self, seed: Alignment, extent: Extent, other: _Found) -> bool:
        start, stop = max(extent.start, other.extent.start), min(extent.stop, other.extent.stop)
        a = track_stretch(self._catalog.words(other.alignment.track), start + other.alignment.shift, stop - start)
        words = self._catalog.words(seed.track)
        return max(_likeness(a, track_stretch(words, start + seed.shift + s, stop - start)) for s in (-1, 0, 1)) >= (
            SAME_RECORDING
        )

    def _explained(self, seed: Alignment, other: _Found, fingerprint: Fingerprint) -> bool:
        """Return whether nothing is left to see of a seed without the peaks that the other track has."""
        length = seed.stop - seed.start
        theirs = track_stretch(self._catalog.words(other.alignment.track), seed.start + other.alignment.shift, length)
        mine = track_stretch(self._catalog.words(seed.track), seed.start + seed.shift, length)
        rest = Stretch(fingerprint.words[:, :, seed.start : seed.stop] & ~theirs, self._cohort)
        _, _, scores = rest.compare((mine & ~theirs)[None, :], [seed.track], radius=0)
        return bool(scores[0] < self._least_score)

    def _report(self, one: _Found, fingerprint: Fingerprint) -> Match:
        extent, config = one.extent, self._config
        duration_s = fingerprint.n_samples / config.sr
        track_s = self._catalog.track(one.alignment.track).duration_s
        # A word covers a pair of overlapping frames; it speaks for the hop-long stretches around its centre.
        lead_s = (config.n_fft - config.hop_length) / 2 / config.sr
        phase_s = one.alignment.phase * config.hop_length / config.sr
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
            track=one.alignment.track,
            track_start_s=min(max(track_start_s, 0.0), track_s),
            track_end_s=min(max(track_stop_s, 0.0), track_s),
            tempo_ratio=_tempo_ratio(extent),
            pitch_semitones=0.0,
            score=float(extent.found),
            expected_score=extent.expected,
            log10_e_value=log10_e_value(one.alignment.score, self._catalog.duration_s, self._calibration),
            group=one.group,
        )


def _tempo_ratio(extent: Extent) -> float:
    """Return item tempo over track tempo: how many track words go by in an item word."""
    n = extent.stop - extent.start
    return 1.0 + (extent.stop_shift - extent.start_shift) / n if n else 1.0


def _likeness(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> float:
    """Return the share of the peaks of the sparser stretch that the other has, too."""
    fewer = min(int(np.bitwise_count(a).sum()), int(np.bitwise_count(b).sum()))
    return float(np.bitwise_count(a & b).sum()) / fewer if fewer else 0.0
