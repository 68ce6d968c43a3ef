"""What was found in an item so far: where, and what one finding explains of another."""

import collections
import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprint import FingerprintConfig, semitones_to_bands
from earmark.matching.extent import Extent
from earmark.matching.fitting import track_stretch
from earmark.matching.search import WINDOW_WORDS, Alignment
from earmark.matching.view import View, item_frame

__all__ = ["Finding", "FoundSoFar", "common", "shift_at", "words_beside"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A track that was found in an item.

    Attributes
    ----------
    seed : Alignment
        The best alignment, in a view that is wide enough for the extent.
    extent : Extent
        In words of the seed's view.
    start, stop : int
        The same in item words.
    log10_e_value : float
        The best odds that were seen for the track there.
    group : int
        The same for all ids of one recording.
    """

    seed: Alignment
    extent: Extent
    start: int
    stop: int
    log10_e_value: float
    group: int


class FoundSoFar:
    """Findings by where they are in the item."""

    BLOCK = 4 * WINDOW_WORDS

    def __init__(self) -> None:
        self._blocks: collections.defaultdict[int, dict[int, Finding]] = collections.defaultdict(dict)
        self._all: dict[int, Finding] = {}
        self._n_added = 0

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._all.values())

    @property
    def n_added(self) -> int:
        """How many findings were ever added."""
        return self._n_added

    def add(self, found: Finding) -> None:
        """Add a finding."""
        self._n_added += 1
        self._all[self._n_added] = found
        for block in self._blocks_of(found.start, found.stop):
            self._blocks[block][self._n_added] = found

    def take_out(self, gone: list[Finding]) -> None:
        """Forget findings."""
        keys = [k for k, found in self._all.items() if any(found is g for g in gone)] if gone else []
        for key in keys:
            found = self._all.pop(key)
            for block in self._blocks_of(found.start, found.stop):
                del self._blocks[block][key]

    def within(self, start: int, stop: int) -> list[Finding]:
        """Return what lies at least partly between two item words, in the order it was found."""
        near: dict[int, Finding] = {}
        for block in self._blocks_of(start, stop):
            near |= self._blocks[block]
        return [near[k] for k in sorted(near) if near[k].start < stop and near[k].stop > start]

    def gaps(self, n_words: int) -> list[tuple[int, int]]:
        """Return the stretches of an item of `n_words` in which nothing was found, in item words."""
        gaps, end = [], 0
        for start, stop in sorted((found.start, found.stop) for found in self):
            if start > end:
                gaps.append((end, start))
            end = max(end, stop)
        return [*gaps, (end, n_words)] if n_words > end else gaps

    def _blocks_of(self, start: int, stop: int) -> range:
        return range(start // self.BLOCK, -(-stop // self.BLOCK))


def common(a: Finding, b: Finding) -> int:
    """Return how many item words two findings share."""
    return max(min(a.stop, b.stop) - max(a.start, b.start), 0)


def shift_at(found: Finding, word: float) -> int:
    """Return the track word less the word of the view, at a word of the view that a finding's seed is in.

    A tempo that is a little off makes a long match drift; between its ends the shift is taken to change evenly.
    """
    extent = found.extent
    share = min(max((word - extent.start) / max(extent.stop - extent.start, 1), 0.0), 1.0)
    return round(extent.start_shift + share * (extent.stop_shift - extent.start_shift))


def words_beside(
    view: View,
    phase: int,
    start: int,
    length: int,
    other: Alignment,
    words: NDArray[np.uint64],
    config: FingerprintConfig,
) -> NDArray[np.uint64]:
    """Return another finding's track words as they would lie in a view.

    Parameters
    ----------
    view : View
    phase : int
        Of the view's words.
    start, length : int
        Words of the view.
    other : Alignment
        The other finding's.
    words : np.ndarray [shape=(n_words,), dtype=uint64]
        Its track's.
    config : FingerprintConfig

    Returns
    -------
    np.ndarray [shape=(length,), dtype=uint64]
    """
    mine, theirs = view.rendition, other.view.rendition
    if mine == theirs and view.first_frame == other.view.first_frame:
        return track_stretch(words, start + other.shift, length)
    frames = item_frame(view, 0, phase) + 2 * np.arange(start, start + length) / mine.tempo_ratio
    at = (frames - other.view.first_frame) * theirs.tempo_ratio / 2 - other.phase / 2 + other.shift
    places = np.rint(at).astype(np.int64)
    inside = (places >= 0) & (places < len(words))
    out = np.where(inside, words[np.clip(places, 0, len(words) - 1)], np.uint64(0))
    bands = round(semitones_to_bands(theirs.pitch_semitones - mine.pitch_semitones, config))
    return out << np.uint64(min(bands, 63)) if bands >= 0 else out >> np.uint64(min(-bands, 63))
