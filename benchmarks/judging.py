"""Hold what the matcher found in a query against what the query truly holds."""

import dataclasses

import numpy as np

__all__ = ["NEAR_S", "Judge", "Judgement", "seconds_of"]

NEAR_S = 0.25
ALIKE = 0.4
"""Share of peaks that two places have in common where they sound the same (loops, repeats, one master twice)."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What became of one query.

    Attributes
    ----------
    log10_e : dict
        For every track that the query holds, the best log10 of the odds among its matches; None if it was not found.
    near : dict
        For every track found, whether the start of its best match is right to 0.25 s, or sounds the same.
    edges : list of tuple
        For every stretch found: by how many seconds of the item its matches begin and end after they should. Within
        the faint part of a cross-fade, any edge is right.
    tempo_error, pitch_error : float or None
        Of the best match of the first track: relative, and semitones.
    others : list of tuple
        Claims of music that is not there: (track id, item start, item end, log10 of the odds).
    """

    log10_e: dict
    near: dict
    edges: list
    tempo_error: float | None
    pitch_error: float | None
    others: list


class Judge:
    """Judges matches against a catalog, whose peak words tell which places of its tracks sound the same."""

    def __init__(self, catalog, words_per_second):
        self._catalog, self._rate = catalog, words_per_second
        self._numbers = {t.track_id: k for k, t in enumerate(map(catalog.track, range(catalog.n_numbers)))}

    def number(self, track_id):
        """Return the number of a track in the catalog."""
        return self._numbers[track_id]

    def track_id(self, match):
        """Return the id of a match's track."""
        return self._catalog.track(match.track).track_id

    def judge(self, matches, truth, faint=()):
        """Return the `Judgement` of the matches of one query; `truth` and `faint` are sequences of `Segment`."""
        log10_e, near, best_of = {}, {}, {}
        for track_id in dict.fromkeys(s.track_id for s in truth):
            right = [(m, s) for m in matches for s in (*truth, *faint) if s.track_id == track_id and self._claims(m, s)]
            best = min(right, key=lambda pair: pair[0].log10_e_value, default=None)
            log10_e[track_id] = best[0].log10_e_value if best else None
            if best:
                near[track_id] = any(self.is_there(best[0], s) for m, s in right if m is best[0])
                best_of[track_id] = best
        found = best_of.get(truth[0].track_id)
        return Judgement(
            log10_e=log10_e,
            near=near,
            edges=self._edges(matches, truth, faint),
            tempo_error=found[0].tempo_ratio / found[1].tempo - 1 if found else None,
            pitch_error=found[0].pitch_semitones - found[1].pitch if found else None,
            others=[
                (self.track_id(m), m.item_start_s, m.item_end_s, m.log10_e_value)
                for m in matches
                if not any(self._claims(m, s) or self.sounds_like(m, s) for s in (*truth, *faint))
            ],
        )

    def _edges(self, matches, truth, faint):
        edges = []
        for segment in _joined(truth):
            mine = [m for m in matches if self._claims(m, segment)]
            beside = [s for s in faint if s.track_id == segment.track_id]
            earliest = min((s.item_start_s for s in beside if s.item_end_s == segment.item_start_s), default=None)
            latest = max((s.item_end_s for s in beside if s.item_start_s == segment.item_end_s), default=None)
            if mine:
                start_s, end_s = min(m.item_start_s for m in mine), max(m.item_end_s for m in mine)
                edges.append(
                    (
                        start_s - min(max(start_s, earliest or segment.item_start_s), segment.item_start_s),
                        end_s - max(min(end_s, latest or segment.item_end_s), segment.item_end_s),
                    )
                )
        return edges

    def _claims(self, match, segment):
        return self.track_id(match) == segment.track_id and _overlap_s(match, segment) > 0

    def is_there(self, match, segment):
        """Return whether a match of the segment's own track begins at the right place, or at one that equals it."""
        true_s = segment.track_time(match.item_start_s)
        if abs(match.track_start_s - true_s) <= NEAR_S:
            return True
        words = self._catalog.words(match.track)
        # Three words are 0.19 s: the claimed place may lie that far off the repeat.
        return self._alike(words, true_s, words, match.track_start_s, match.track_end_s - match.track_start_s, 3)

    def sounds_like(self, match, segment):
        """Return whether a match of another track claims what sounds the same as the truth."""
        if _overlap_s(match, segment) <= 0 or segment.track_id not in self._numbers:
            return False
        item_s = max(match.item_start_s, segment.item_start_s)
        theirs_s = match.track_start_s + (item_s - match.item_start_s) * match.tempo_ratio
        true = self._catalog.words(self._numbers[segment.track_id])
        claimed = self._catalog.words(match.track)
        length_s = _overlap_s(match, segment) * segment.tempo
        return self._alike(true, segment.track_time(item_s), claimed, theirs_s, length_s, 6)

    def explains(self, match, segment):
        """Return whether a match claims, at its right place, what a segment holds, under its own or another id."""
        if self._claims(match, segment):
            return self.is_there(match, segment)
        return self.sounds_like(match, segment)

    def _alike(self, a, a_start_s, b, b_start_s, seconds, reach):
        n = int(seconds * self._rate)
        i, j = max(round(a_start_s * self._rate), 0), round(b_start_s * self._rate)
        shares = [0.0]
        for k in range(max(j - reach, 0), max(j + reach, 0) + 1):
            x, z = a[i : i + n], b[k : k + n]
            m = min(len(x), len(z))
            fewer = min(np.bitwise_count(x[:m]).sum(), np.bitwise_count(z[:m]).sum())
            shares.append(float(np.bitwise_count(x[:m] & z[:m]).sum() / max(fewer, 1)))
        return max(shares) >= ALIKE


def _overlap_s(match, segment):
    return min(match.item_end_s, segment.item_end_s) - max(match.item_start_s, segment.item_start_s)


def seconds_of(judge, matches, truth, faint, duration_s, step_s=0.05):
    """Return (right, wrong, missed) seconds of the claims in a composed item.

    A second of a track counts once however often it is claimed. `faint` are segments that need not be found and may be:
    what lies more than 6 dB under another track of a cross-fade.
    """
    times = np.arange(0.0, duration_s, step_s) + step_s / 2
    claimed = {}
    wrong = np.zeros(len(times))
    for match in matches:
        span = (times >= match.item_start_s) & (times < match.item_end_s)
        explained = np.zeros(len(times), bool)
        for k, segment in enumerate((*truth, *faint)):
            if judge.explains(match, segment):
                explained |= _span(segment, times)
                claimed[k] = claimed.get(k, np.zeros(len(times), bool)) | (span & _span(segment, times))
        wrong = np.maximum(wrong, span & ~explained)
    right = sum(claimed[k].sum() for k in range(len(truth)) if k in claimed)
    total = sum(_span(s, times).sum() for s in truth)
    return float(right * step_s), float(wrong.sum() * step_s), float((total - right) * step_s)


def _joined(truth):
    """Return the segments, those of a track that follow one another without a gap (loops) as one."""
    joined = []
    for segment in truth:
        last = joined[-1] if joined else None
        if last and last.track_id == segment.track_id and abs(last.item_end_s - segment.item_start_s) < 1e-6:
            joined[-1] = dataclasses.replace(last, item_end_s=segment.item_end_s)
        else:
            joined.append(segment)
    return joined


def _span(segment, times):
    return (times >= segment.item_start_s) & (times < segment.item_end_s)
