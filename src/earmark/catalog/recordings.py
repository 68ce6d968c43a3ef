"""Recordings of a segment: rows that have words and patches, and the rows that are further ids of them."""

import dataclasses
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.manifest import SegmentEntry
from earmark.catalog.track_table import Spans, TrackTable
from earmark.errors import CatalogDamagedError

__all__ = ["Recordings", "find_recordings"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recordings:
    """What the rows of a segment's track table mean; every array has an element a row.

    Attributes
    ----------
    is_live : np.ndarray [dtype=bool]
        False for removed tracks.
    is_heard : np.ndarray [dtype=bool]
        True where a row has words and patches of its own that a search may find: those of a track that is not removed,
        or of one that is but has left them to a further id.
    owner : np.ndarray [dtype=int64]
        The row whose words and patches are the row's: itself, or for a further id another.
    face : np.ndarray [dtype=int64]
        For a row that is heard the first row that is not removed and has its audio; for others nothing of use.
    """

    is_live: NDArray[np.bool_]
    is_heard: NDArray[np.bool_]
    owner: NDArray[np.int64]
    face: NDArray[np.int64]

    def without(self, rows: NDArray[np.bool_]) -> Self:
        """Return what they mean with these rows removed, too [shape=(n_tracks,), dtype=bool]."""
        return type(self)(**_meaning(self.owner, self.is_live & ~rows))


def find_recordings(entry: SegmentEntry, table: TrackTable, spans: Spans) -> Recordings:
    """Return what the rows of a track table mean.

    Raises
    ------
    CatalogDamagedError
        If a row has no words and patches and no other row has them.
    """
    is_live = np.ones(entry.n_tracks, np.bool_)
    is_live[list(entry.removed)] = False
    owner = np.arange(entry.n_tracks)
    further = np.flatnonzero(spans.n_patches == 0)
    if len(further):
        owner[further] = -1
        for row, own in table.owners():
            owner[row] = own
        if (owner < 0).any():
            raise CatalogDamagedError(f"{table.path}: damaged: row {int(owner.argmin())} is a further id of nothing")
    return Recordings(**_meaning(owner, is_live))


def _meaning(owner: NDArray[np.int64], is_live: NDArray[np.bool_]) -> dict[str, Any]:
    is_heard = np.zeros(len(owner), np.bool_)
    is_heard[owner[is_live]] = True
    face = owner.copy()
    live = np.flatnonzero(is_live)[::-1]
    face[owner[live]] = live  # the first of them comes last, and stays
    return {"is_live": is_live, "is_heard": is_heard, "owner": owner, "face": face}
