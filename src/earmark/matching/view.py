"""Views: a stretch of an item as words, on the time grid and at the pitch of the track that it may hold."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprint import ORIGINAL, Fingerprint, FingerprintConfig, Rendition, undone_words

__all__ = ["View", "item_frame", "plain_view", "undone_view", "view_word"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """Words of an item with a rendition undone.

    Attributes
    ----------
    rendition : Rendition
        What was undone.
    first_frame : float
        The item's frame that frame 0 of the view shows.
    words : np.ndarray [shape=(n_levels, 2, n_words), dtype=uint64]
        As in a `Fingerprint`.
    """

    rendition: Rendition
    first_frame: float
    words: NDArray[np.uint64]


def plain_view(fingerprint: Fingerprint) -> View:
    """Return all of an item, with nothing undone."""
    return View(rendition=ORIGINAL, first_frame=0.0, words=fingerprint.words)


def undone_view(
    fingerprint: Fingerprint, config: FingerprintConfig, rendition: Rendition, first_frame: float, n_words: int
) -> View:
    """Return a stretch of an item with a rendition undone; see `undone_words`."""
    words = undone_words(fingerprint.saliency, config, rendition, first_frame, n_words)
    return View(rendition=rendition, first_frame=first_frame, words=words)


def item_frame(view: View, word: float, phase: int) -> float:
    """Return the item's frame that a word of a view begins with.

    Examples
    --------
    >>> fast = Rendition(tempo_ratio=2.0)
    >>> item_frame(View(rendition=fast, first_frame=10.0, words=np.zeros((3, 2, 8), np.uint64)), 4, 1)
    14.5
    """
    return view.first_frame + (2 * word + phase) / view.rendition.tempo_ratio


def view_word(view: View, item_word: float) -> int:
    """Return the word of a view that lies where a word of the item does.

    Examples
    --------
    >>> fast = Rendition(tempo_ratio=2.0)
    >>> view_word(View(rendition=fast, first_frame=10.0, words=np.zeros((3, 2, 8), np.uint64)), 7)
    4
    """
    return round((2 * item_word - view.first_frame) * view.rendition.tempo_ratio / 2)
