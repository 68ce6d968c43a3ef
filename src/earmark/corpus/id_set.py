"""A set of many ids in little memory."""

import numpy as np
import numpy.typing as npt

__all__ = ["IdSet"]


class IdSet:
    """A set of ids in 16 to 32 bytes for each: of every id, 64 bits of its hash in an open table.

    Among a hundred million ids, there are two that share a hash with a chance of one in 4,000.

    Examples
    --------
    >>> ids = IdSet()
    >>> ids.add("a"), ids.add("a"), "a" in ids, "b" in ids
    (True, False, True, False)
    """

    def __init__(self) -> None:
        self._table = np.zeros(1 << 12, dtype=np.uint64)
        self._n_ids = 0

    def __contains__(self, item_id: str) -> bool:
        value = _hash(item_id)
        return int(self._table[_place(self._table, value)]) == value

    def add(self, item_id: str) -> bool:
        """Add an id; return whether it is new."""
        if self._n_ids * 2 >= len(self._table):
            self._grow()
        value = _hash(item_id)
        at = _place(self._table, value)
        if int(self._table[at]) == value:
            return False
        self._table[at] = value
        self._n_ids += 1
        return True

    def _grow(self) -> None:
        old = self._table
        self._table = np.zeros(len(old) * 2, dtype=np.uint64)
        for value in old[old != 0].tolist():
            self._table[_place(self._table, value)] = value


def _hash(item_id: str) -> int:
    return hash(item_id) & 0xFFFFFFFFFFFFFFFF or 1  # 0 is an empty place


def _place(table: npt.NDArray[np.uint64], value: int) -> int:
    """Return where a value is, or where it goes."""
    mask = len(table) - 1
    at = value & mask
    while int(table[at]) not in (0, value):
        at = (at + 1) & mask
    return at
