"""A catalog narrowed to what it has gained: all else is there, and not found."""

import numpy as np

from earmark.catalog.catalog import Catalog
from earmark.catalog.state import CatalogState, Change, entries_from, entry_of
from earmark.catalog.stored import live_rows

__all__ = ["hide_known"]


def hide_known(catalog: Catalog, state: CatalogState) -> int:
    """Hide from searches the tracks that a catalog had in an earlier state, with the fingerprints that they have now.

    `duration_s` stays that of the whole catalog, and so do odds; `n_tracks` counts those that can still be found.

    Parameters
    ----------
    catalog : Catalog
        It is changed, in memory only.
    state : CatalogState

    Returns
    -------
    int
        How many tracks can still be found.

    Raises
    ------
    CatalogDamagedError
        If what is read is not as it was written.
    """
    numbers, data = [], bytearray()
    for number, tags, _, content in live_rows(catalog):
        numbers.append(number)
        data += entry_of(tags, content, ())
    is_known = np.zeros(catalog.n_numbers, np.bool_)
    is_known[numbers] = state.changes(entries_from(data)) != Change.ADDED
    for first, segment in catalog.segments():
        segment.hide(is_known[first : first + segment.n_tracks])
    catalog.n_tracks = len(numbers) - int(is_known.sum())
    return catalog.n_tracks
