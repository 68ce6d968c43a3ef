"""What is left of an item when the peaks of the tracks found in it are taken out: what plays beneath them.

Two tracks at once share the few peaks that a word has room for, and the louder takes most. Once it is known, its peaks
can be struck from the saliency map, and those of the other come up.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Catalog
from earmark.fingerprint import ORIGINAL, Fingerprint, Model, semitones_to_bands, undone_patches, undone_words
from earmark.fingerprint.kernel import kernel
from earmark.matching.finding import Finding, shift_at
from earmark.matching.view import item_frame

__all__ = ["residue"]

PIECE_WORDS = 4096
"""Words that are marked anew at a time: bounds the memory for items of hours."""


def residue(fingerprint: Fingerprint, model: Model, catalog: Catalog, found: Iterable[Finding]) -> Fingerprint:
    """Return the fingerprint that an item would have without the peaks of the tracks found in it.

    Parameters
    ----------
    fingerprint : Fingerprint
        Of the item.
    model : Model
    catalog : Catalog
    found : iterable of Finding

    Returns
    -------
    Fingerprint
        Of the same length. Only where something was found it has patches; elsewhere the words are the item's.
    """
    found = list(found)
    saliency = fingerprint.saliency.copy()
    for one in found:
        words, frames = _as_played(one, catalog.words(one.seed.track))
        bands = round(semitones_to_bands(one.seed.view.rendition.pitch_semitones, model.config))
        _strike(saliency, words, frames, bands)
    words, patches = fingerprint.words.copy(), np.zeros_like(fingerprint.patches)
    hop, half = model.config.patch_hop_frames, (model.config.patch_frames - 1) / 2
    for start, stop in _pieces(found, words.shape[2]):
        words[:, :, start:stop] = undone_words(saliency, model.config, ORIGINAL, 2.0 * start, stop - start)
        centres = half + hop * np.arange(len(patches), dtype=np.float64)
        rows = np.flatnonzero((centres >= 2 * start) & (centres < 2 * stop))
        patches[rows] = undone_patches(saliency, model, ORIGINAL, centres[rows])
    return Fingerprint(
        n_samples=fingerprint.n_samples,
        n_frames=fingerprint.n_frames,
        words=words,
        patches=patches,
        saliency=saliency,
    )


def _as_played(one: Finding, track_words: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the track's words that the item plays, and the item frame at which each begins, and the last ends."""
    extent, view = one.extent, one.seed.view
    at = np.arange(extent.start, extent.stop)
    places = at + np.array([shift_at(one, word) for word in at.tolist()], np.int64)
    inside = (places >= 0) & (places < len(track_words))
    words = np.where(inside, track_words[np.clip(places, 0, len(track_words) - 1)], np.uint64(0))
    first, step = item_frame(view, extent.start, one.seed.phase), 2.0 / view.rendition.tempo_ratio
    return words, np.rint(first + step * np.arange(len(at) + 1)).astype(np.int64)


def _pieces(found: list[Finding], n_words: int) -> list[tuple[int, int]]:
    """Return (start, stop) item words of pieces that cover what was found, each word once."""
    pieces, end = [], 0
    for start, stop in sorted((one.start, min(one.stop + 1, n_words)) for one in found):
        for first in range(max(start, end), stop, PIECE_WORDS):
            pieces.append((first, min(first + PIECE_WORDS, stop)))
        end = max(end, stop)
    return pieces


@kernel
def _strike(saliency, words, frames, bands):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Set saliency to 0 where words are set, `bands` higher; word i lasts from frames[i] to frames[i + 1]."""
    n_frames, n_bands = saliency.shape
    for i in range(words.shape[0]):
        for b in range(64):
            band = b + bands
            if (words[i] >> np.uint64(b)) & np.uint64(1) and 0 <= band < n_bands:
                for frame in range(max(frames[i], 0), min(frames[i + 1], n_frames)):
                    saliency[frame, band] = 0
