"""A catalog that comes in several shards: each is searched by itself, with odds against all of them together."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Catalog, Track
from earmark.fingerprint import Fingerprint, FingerprintConfig, Model, semitones_to_bands
from earmark.matching import Match, Matcher
from earmark.matching.coincidence import BESIDE, Cohort, Stretch
from earmark.matching.matcher import SAME_RECORDING
from earmark.matching.odds import LOWEST_LOG10, load_calibration, score_at

__all__ = ["Found", "Laid", "Merger", "Search"]

_RADIUS = 2  # words by which two tracks that lie beside the same seconds may be off: ends are found to the word
_MARGIN = _RADIUS + BESIDE[1]
_LONGEST_WORDS = 312  # 20 s of a match are looked at where two of them compete, as many as the model's cohort has
_PLAIN_TEMPO, _PLAIN_SEMITONES = 0.05, 0.4  # what a search without a sweep finds: DESIGN.md section 2, step 5
_LEAST_S = 3.6e-3  # as in `odds`: a catalog counts for a millionth of an hour at least


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Laid:
    """A stretch of an item, and beside it what the track has that was found there, in words of the item.

    Attributes
    ----------
    first : int
        The item's word that the stretch begins with.
    item : np.ndarray [shape=(n_levels, 2, n_words), dtype=uint64]
        Its peaks, as in a `Fingerprint`.
    track : np.ndarray [shape=(n_words + 2 * _MARGIN,), dtype=uint64]
        The track's, on the time grid and at the pitch of the item; 0 where it has none.
    """

    first: int
    item: NDArray[np.uint64]
    track: NDArray[np.uint64]

    @property
    def stop(self) -> int:
        """The item's word after the last one."""
        return self.first + int(self.item.shape[2])


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Found:
    """A match with a track of one shard.

    Attributes
    ----------
    match
        Its odds are those against all shards.
    track
        What the shard's catalog says.
    laid
        What it takes to hold it against matches with other shards; None if there are none.
    """

    match: Match
    track: Track
    laid: Laid | None = None


class Search:
    """Looks through a catalog: all of it, in one or several shards, or one shard with odds against all of them.

    The expected number of chance matches is in proportion to the seconds of a catalog: a shard is searched with its
    share of those that are accepted, and what it finds is given the odds of a search through all of them.

    Parameters
    ----------
    catalogs
        The shards that are at hand.
    model, effort, max_e_value
        As for `Matcher`; the last goes for all shards together.
    whole_s
        Seconds of audio in all shards together; None if all are at hand.

    Raises
    ------
    ModelMismatchError, ParameterError
        As of `Matcher`.
    """

    def __init__(
        self,
        catalogs: Sequence[Catalog],
        model: Model,
        *,
        effort: str,
        max_e_value: float,
        whole_s: float | None = None,
    ) -> None:
        self._catalogs, self._config = catalogs, model.config
        self._is_part = whole_s is not None
        self._merger: Merger | None = None
        if whole_s is None:
            whole_s = sum(catalog.duration_s for catalog in catalogs)
        if len(catalogs) > 1:
            self._merger = Merger(model, effort=effort, max_e_value=max_e_value, whole_s=whole_s)
        shares = [max(catalog.duration_s, _LEAST_S) / max(whole_s, _LEAST_S) for catalog in catalogs]
        self._log10_rests = [-math.log10(share) for share in shares]
        self._matchers = [
            Matcher(catalog, model, effort=effort, max_e_value=max_e_value * share)
            for catalog, share in zip(catalogs, shares, strict=True)
        ]

    def find(self, fingerprint: Fingerprint) -> tuple[Found, ...]:
        """Return what an item holds, by start, then odds."""
        if self._merger is None and not self._is_part:
            (catalog,), (matcher,) = self._catalogs, self._matchers
            return tuple(Found(match=one, track=catalog.track(one.track)) for one in matcher.match(fingerprint))
        found = [
            [self._found(shard, match, fingerprint) for match in matcher.match(fingerprint)]
            for shard, matcher in enumerate(self._matchers)
        ]
        return tuple(found[0]) if self._merger is None else self._merger.merge(found)

    def _found(self, shard: int, match: Match, fingerprint: Fingerprint) -> Found:
        """Return a match with its odds against all shards, and with what `Merger` needs."""
        catalog, log10_e_value = self._catalogs[shard], match.log10_e_value
        if log10_e_value > LOWEST_LOG10:
            log10_e_value += self._log10_rests[shard]
        return Found(
            match=dataclasses.replace(match, log10_e_value=log10_e_value),
            track=catalog.track(match.track),
            laid=_lay(match, catalog.words(match.track), fingerprint, self._config),
        )


class Merger:
    """Joins what was found in the shards of a catalog to what one catalog of all their tracks would have given.

    Parameters
    ----------
    model, effort, max_e_value
        As for `Matcher`.
    whole_s
        Seconds of audio in all shards together.
    """

    def __init__(self, model: Model, *, effort: str, max_e_value: float, whole_s: float) -> None:
        self._cohort = Cohort(model.cohort)
        plain = load_calibration(model, effort, "plain")
        self._least_score = score_at(math.log10(max_e_value), max(whole_s, _LEAST_S), plain)

    def merge(self, shards: Sequence[Sequence[Found]]) -> tuple[Found, ...]:
        """Return the matches of all shards, by start, then odds.

        Of two that lie beside the same seconds of the item, the better one stays. The other one stays too if it is the
        same recording, which puts both into one group, or if peaks are left for it that the better one does not have.
        What plays beneath a track of another shard is found as far as it shows in the item as it is.

        Parameters
        ----------
        shards
            What each shard has found in one item.
        """
        every = [(number, found) for number, shard in enumerate(shards) for found in shard]
        every.sort(key=lambda one: (one[1].match.log10_e_value, one[0], one[1].match.track))
        kept: list[tuple[int, Found]] = []
        group_of: dict[tuple[int, int], int] = {}  # shard, and group in it -> group in all of them
        fresh = itertools.count()
        for number, new in every:
            near = [other for n, other in kept if n != number and _beside(new, other)]
            twins = [(n, other) for n, other in kept if n != number and _beside(new, other) and _same(new, other)]
            if not twins and any(self._explains(other, new) for other in near):
                continue
            key = number, new.match.group
            if key not in group_of:
                group_of[key] = next(fresh) if not twins else group_of[twins[0][0], twins[0][1].match.group]
            kept.append((number, new))
        return tuple(_in_order(kept, group_of))

    def _explains(self, better: Found, new: Found) -> bool:
        """Return whether nothing is left to see of a match without the peaks that a better one has.

        What its shard found beneath another track, with the peaks of that one taken out, is not to be seen in the item
        as it is: of that nothing can be said here, and it stays.
        """
        assert better.laid is not None
        assert new.laid is not None
        start, stop = _middle(new.laid, better.laid)
        item = new.laid.item[:, :, start - new.laid.first : stop - new.laid.first]
        mine, theirs = (_track_words(each.laid, start - _MARGIN, stop + _MARGIN) for each in (new, better))
        if self._score(item & ~theirs[_MARGIN : len(theirs) - _MARGIN], mine & ~theirs) >= self._least_score:
            return False
        changed = abs(new.match.tempo_ratio - 1) > _PLAIN_TEMPO or abs(new.match.pitch_semitones) > _PLAIN_SEMITONES
        return changed or self._score(item, mine) >= self._least_score

    def _score(self, item: NDArray[np.uint64], track: NDArray[np.uint64]) -> float:
        return float(Stretch(item, self._cohort).compare(track[None, :], [0], radius=_RADIUS)[2][0])


def _lay(match: Match, words: NDArray[np.uint64], fingerprint: Fingerprint, config: FingerprintConfig) -> Laid:
    """Lay a track's words beside the item as the match says."""
    lead_s = (config.n_fft - config.hop_length) / 2 / config.sr  # as in `Matcher`
    item_start, item_end = ((s - lead_s) * config.words_per_second for s in (match.item_start_s, match.item_end_s))
    track_start, track_end = ((s - lead_s) * config.words_per_second for s in (match.track_start_s, match.track_end_s))
    first = max(math.ceil(item_start), 0)
    stop = max(min(math.floor(item_end), fingerprint.words.shape[2]), first)
    at = np.arange(first - _MARGIN, stop + _MARGIN)
    ratio = (track_end - track_start) / max(item_end - item_start, 1.0)
    places = np.rint(track_start + (at - item_start) * ratio).astype(np.int64)
    inside = (places >= 0) & (places < len(words))
    track = np.where(inside, words[np.clip(places, 0, len(words) - 1)], np.uint64(0))
    bands = round(semitones_to_bands(match.pitch_semitones, config))
    track = track << np.uint64(min(bands, 63)) if bands >= 0 else track >> np.uint64(min(-bands, 63))
    return Laid(first=first, item=np.ascontiguousarray(fingerprint.words[:, :, first:stop]), track=track)


def _beside(a: Found, b: Found) -> bool:
    """Return whether two matches share more than half of the shorter one's seconds."""
    a_start, a_end, b_start, b_end = a.match.item_start_s, a.match.item_end_s, b.match.item_start_s, b.match.item_end_s
    shared_s = min(a_end, b_end) - max(a_start, b_start)
    return 2 * shared_s > min(a_end - a_start, b_end - b_start)


def _same(a: Found, b: Found) -> bool:
    """Return whether two tracks hold the same peaks where both were found."""
    assert a.laid is not None
    assert b.laid is not None
    start, stop = _middle(a.laid, b.laid)
    mine = _track_words(a.laid, start, stop)
    theirs = _track_words(b.laid, start - _RADIUS, stop + _RADIUS)
    return max(_likeness(mine, theirs[shift : shift + len(mine)]) for shift in range(2 * _RADIUS + 1)) >= SAME_RECORDING


def _middle(a: Laid, b: Laid) -> tuple[int, int]:
    """Return the middle of what two stretches share, first and last-plus-one word of the item."""
    start, stop = max(a.first, b.first), min(a.stop, b.stop)
    excess = max(stop - start - _LONGEST_WORDS, 0)
    return start + excess // 2, max(start + excess // 2, stop - (excess - excess // 2))


def _track_words(laid: Laid | None, start: int, stop: int) -> NDArray[np.uint64]:
    """Return a laid track's words beside words of the item that its stretch has, a margin included."""
    assert laid is not None
    first = laid.first - _MARGIN
    return laid.track[start - first : stop - first]


def _likeness(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> float:
    """Return the share of the peaks of the sparser stretch that the other has, too."""
    fewer = min(int(np.bitwise_count(a).sum()), int(np.bitwise_count(b).sum()))
    return float(np.bitwise_count(a & b).sum()) / fewer if fewer else 0.0


def _in_order(kept: list[tuple[int, Found]], group_of: dict[tuple[int, int], int]) -> Iterator[Found]:
    """Yield what was kept as one catalog would list it, its groups numbered as they come."""
    kept.sort(key=lambda one: (one[1].match.item_start_s, one[1].match.log10_e_value, one[0], one[1].match.track))
    numbers: dict[int, int] = {}
    for number, found in kept:
        group = numbers.setdefault(group_of[number, found.match.group], len(numbers))
        yield Found(match=dataclasses.replace(found.match, group=group), track=found.track)
