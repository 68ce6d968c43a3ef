"""A part of a corpus that one of several scans takes: every N-th entry of the listing."""

import dataclasses
import hashlib
import re
from collections.abc import Iterator
from typing import Self

from earmark.corpus import Entry
from earmark.errors import ParameterError

__all__ = ["ListingDigest", "Shard", "ShardedListing", "parse_shard"]

_FORM = re.compile(r"([0-9]{1,9})/([0-9]{1,9})", re.ASCII)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """The I-th of N parts; `Shard()` is all of it.

    Attributes
    ----------
    index
        I, from 1.
    count
        N [>= index].
    """

    index: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def has(self, position: int) -> bool:
        """Return whether the entry at a position of the listing, from 0, belongs to this part.

        Examples
        --------
        >>> [position for position in range(7) if Shard(index=2, count=3).has(position)]
        [1, 4]
        """
        return position % self.count == self.index - 1


def parse_shard(text: str) -> Shard:
    """Return the shard that is written as I/N.

    Raises
    ------
    ParameterError
        If it is written in another way, or I is not one of 1 to N.

    Examples
    --------
    >>> parse_shard("2/16")
    Shard(index=2, count=16)
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ParameterError(f"shard must be I/N with I from 1 to N, such as 2/16, got {text!r}")
    return Shard(index=int(found[1]), count=int(found[2]))


class ListingDigest:
    """The digest of a listing: of the ids of its entries, in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, entry_id: str) -> None:
        """Take in the next entry."""
        name = entry_id.encode()  # ids are valid Unicode
        self._hash.update(len(name).to_bytes(8, "little") + name)

    @property
    def sha256(self) -> str:
        """Of the entries so far."""
        return self._hash.hexdigest()


class ShardedListing:
    """An iterator over the entries of one part, which takes note of the whole listing.

    Parameters
    ----------
    entries
        All of the corpus.
    shard
        The part.

    Attributes
    ----------
    listed
        How many entries there were so far, those of other parts too.
    """

    def __init__(self, entries: Iterator[Entry], shard: Shard) -> None:
        self._entries, self._shard = entries, shard
        self._digest = ListingDigest()
        self.listed = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Entry:
        while True:
            entry = next(self._entries)
            self._digest.add(entry.id)
            position, self.listed = self.listed, self.listed + 1
            if self._shard.has(position):
                return entry

    def exhaust(self) -> int:
        """Go through what is left, and return how many entries there are in all."""
        for _ in self:
            pass
        return self.listed

    @property
    def sha256(self) -> str:
        """Of the ids of all entries so far, see `ListingDigest`."""
        return self._digest.sha256
