"""A part of a corpus that one of several scans takes: every N-th entry of the listing, or every N-th archive in it."""

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Self

from earmark.corpus import Container, CorpusOptions, Entry, holds_containers
from earmark.errors import ParameterError

__all__ = ["Layout", "ListingDigest", "Shard", "ShardedListing", "divides_by_file", "parse_shard"]

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


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How the entries of a shard lie in the whole listing, for joining it with the others.

    Attributes
    ----------
    runs
        Of the whole corpus: how many entries come, one after the other, and then how many containers, and so on. Of
        each kind the shards take turns.
    sizes
        How many entries there are in each container of this shard.
    """

    runs: tuple[tuple[int, int], ...]
    sizes: tuple[int, ...]


def divides_by_file(location: str, options: CorpusOptions, shard: Shard) -> bool:
    """Return whether archives and tables go to one shard or another as a whole: if there is one for each at least.

    So none of them is opened by more than one scan. Of fewer, the entries are divided.
    """
    return shard.count > 1 and holds_containers(location, options, shard.count)


class ShardedListing:
    """An iterator over the entries of one part, which takes note of the whole listing.

    Parameters
    ----------
    parts
        Of the corpus, from `list_parts`.
    opened
        Lists a container.
    shard
        The part.
    by_file
        Whether containers are divided as a whole, see `divides_by_file`; those of other shards stay closed.
    """

    def __init__(
        self,
        parts: Iterator[Entry | Container],
        opened: Callable[[Container], Iterator[Entry]],
        shard: Shard,
        *,
        by_file: bool = False,
    ) -> None:
        self._opened, self._shard, self._by_file = opened, shard, by_file
        self._digest = ListingDigest()
        self._runs: list[tuple[int, int]] = []
        self._sizes: list[int] = []
        self._n_files = self._n_single = 0
        self._entries = self._listed(parts)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Entry:
        return next(self._entries)

    def exhaust(self) -> int:
        """Go through what is left, and return how many entries there are in all."""
        for _ in self:
            pass
        return self.listed

    @property
    def listed(self) -> int:
        """How many entries there were so far, those of other parts too; containers divided as a whole count as one."""
        return self._n_files + self._n_single

    @property
    def sha256(self) -> str:
        """Of the ids of all entries so far, see `ListingDigest`."""
        return self._digest.sha256

    @property
    def layout(self) -> Layout:
        """Of the entries so far."""
        return Layout(runs=tuple(self._runs), sizes=tuple(self._sizes))

    def _listed(self, parts: Iterator[Entry | Container]) -> Iterator[Entry]:
        for part in parts:
            if not isinstance(part, Container):
                yield from self._single(part)
            elif self._by_file:
                yield from self._file(part)
            else:
                for entry in self._opened(part):
                    yield from self._single(entry)

    def _single(self, entry: Entry) -> Iterator[Entry]:
        self._digest.add(entry.id)
        position, self._n_single = self._n_single, self._n_single + 1
        n, n_files = self._runs.pop() if self._runs and not self._runs[-1][1] else (0, 0)
        self._runs.append((n + 1, n_files))
        if self._shard.has(position):
            yield entry

    def _file(self, container: Container) -> Iterator[Entry]:
        self._digest.add(container.id)
        position, self._n_files = self._n_files, self._n_files + 1
        n, n_files = self._runs.pop() if self._runs else (0, 0)
        self._runs.append((n, n_files + 1))
        if self._shard.has(position):
            self._sizes.append(0)
            for entry in self._opened(container):
                self._sizes[-1] += 1
                yield entry
