"""Small segments, searched as one: their codes are sorted anew, in memory, when they are first searched.

Each segment that is searched by itself costs a search of its own, however small it is. So a catalog that grows by many
small additions would be searched ever more slowly until it is compacted.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.lists import Queries, load_lists, newest_lists
from earmark.catalog.segment import Segment
from earmark.catalog.vector_writer import write_lists
from earmark.catalog.vectors import Layout, VectorIndex
from earmark.fingerprint import Model

__all__ = ["Gathered", "worth_gathering"]

MOST_VECTORS: Final = 1 << 18
"""73 hours: 6 MB, and at 6 µs a vector less than two seconds, in each process."""


class Gathered:
    """Segments that are searched as one.

    Parameters
    ----------
    segments : sequence of (int, Segment)
        Each with the number of its first track.
    model : Model

    Raises
    ------
    CatalogDamagedError
        If a list of theirs is not as it was written.
    """

    def __init__(self, segments: Sequence[tuple[int, Segment]], model: Model) -> None:
        self._segments = segments
        parts = [segment.live_codes() for _, segment in segments]
        self._starts = np.concatenate([[0], np.cumsum([len(codes) for codes, _ in parts])])
        live = np.concatenate([found for _, found in parts])
        codes, numbers = np.concatenate([codes for codes, _ in parts])[live], np.flatnonzero(live)
        self._index = _index(codes, numbers, model, n_patches=len(live)) if len(codes) else None

    def search(self, queries: Queries, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Find the nearest patches of tracks that are not removed; as `Segment.search`, but with track numbers."""
        if self._index is None:
            nothing = np.full((len(queries.vectors), 1), -1, np.int64)
            return nothing, nothing, np.zeros(nothing.shape, np.float32)
        numbers, products = self._index.search(queries, k, None)
        owners = np.searchsorted(self._starts, numbers, side="right") - 1
        tracks, positions = np.full_like(numbers, -1), np.full_like(numbers, -1)
        for owner, (first, segment) in enumerate(self._segments):
            here = owners == owner  # -1 for what was not found
            rows, positions[here] = segment.places(numbers[here] - self._starts[owner])
            tracks[here] = rows + first
        return tracks, positions, products


def worth_gathering(segments: Sequence[Segment]) -> list[int]:
    """Return which segments to search as one: the smallest, as long as they are not too large together."""
    order = sorted(range(len(segments)), key=lambda i: segments[i].n_vectors)
    ends = np.cumsum([segments[i].n_vectors for i in order])
    chosen = sorted(order[: int((ends <= MOST_VECTORS).sum())])
    return chosen if len(chosen) > 1 else []


def _index(codes: NDArray[np.uint8], numbers: NDArray[np.int64], model: Model, *, n_patches: int) -> VectorIndex:
    """Return an index in memory."""
    layout = Layout()
    n_lists = layout.n_lists(len(codes))
    lists = load_lists(model).assign(codes, n_lists) if n_lists > 1 else np.zeros(len(codes), np.uint16)
    descriptor = os.memfd_create("earmark-gathered")
    with os.fdopen(descriptor, "wb") as file:
        table = write_lists(file, codes, numbers, lists, n_lists)
        file.flush()
        return VectorIndex(
            Path(f"/proc/self/fd/{descriptor}"),
            table,
            model,
            n_patches=n_patches,
            n_vectors=len(codes),
            n_probes=layout.n_probes(n_lists),
            lists=newest_lists(model) if n_lists > 1 else None,
        )
