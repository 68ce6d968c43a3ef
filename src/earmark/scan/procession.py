"""Entries of a corpus in their order, listened to by many at once: what is known of one waits for those before it."""

import time
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from earmark.corpus import Entry, Item, ParquetCell
from earmark.scan.change import modified_ns, version
from earmark.scan.limits import Limits
from earmark.scan.listening import NOT_REACHED, Hearing, too_large
from earmark.scan.stopping import Stop

__all__ = ["Engine", "Procession", "Settled"]

# Entries that are read ahead, per worker, so that one long item does not keep the others waiting: with items of 4
# minutes over a minute of work. What was heard in them is some kB each.
_WINDOW = 512
# Bytes of kept fingerprints that wait for those before them, per worker: 15 hours of audio.
_WAITING_BYTES = 64 << 20
# Items in a row, per worker, that could not be reached; each was tried for a minute.
_MAX_AWAY = 3
_POLL_S = 0.2  # how long a request to stop, or an item that takes too long, may go unnoticed
# After SIGTERM, for the items that are being listened to. Kubernetes and Slurm kill 30 s after it.
_GRACE_S = 10.0


class Engine(Protocol):
    """Who listens: `Crew`, or `RayCrew` on other machines."""

    @property
    def n_busy(self) -> int:
        """How many items are being listened to."""

    @property
    def n_processors(self) -> int:
        """How many workers can run at once."""

    def grow_to(self, n_workers: int) -> None:
        """Have so many workers."""

    def hand(self, item: Item) -> bool:
        """Give an item to a worker that has none; return whether there was one."""

    def collect(self, timeout_s: float) -> list[tuple[Item, Hearing]]:
        """Wait until something was heard, and return it, with the very items that were handed over."""


class Settled:
    """What is known of an entry of the listing, without the bytes that it may carry.

    Attributes
    ----------
    id
        Of the entry.
    size_bytes
        Of an item; None if it is none, or nobody knows.
    modified_ns
        When its file was changed last, before anyone listened to it; None if nobody knows.
    version
        Of a file elsewhere, such as an ETag; None if nobody knows.
    left_out
        The entry itself, if it is none to listen to.
    hearing
        What was heard; None if it is not known yet, or there is none to come.
    """

    __slots__ = ("hearing", "id", "left_out", "modified_ns", "size_bytes", "version")

    def __init__(self, entry: Entry) -> None:
        self.id = entry.id
        self.size_bytes = entry.size_bytes if isinstance(entry, Item) else None
        self.modified_ns = modified_ns(entry)
        self.version = version(entry)
        self.left_out = None if isinstance(entry, Item) else entry
        self.hearing: Hearing | None = None

    @property
    def known(self) -> bool:
        """Whether it may be written down, when those before it are."""
        return self.hearing is not None or self.left_out is not None


class Procession:
    """An iterable of entries in their order, as they become known: some at a time, and an empty list where none is.

    After a stop no further item is begun. Those that are being listened to are given 10 s to end, or no time if it
    was Ctrl-C that asked; what follows the first unfinished one is dropped, and left to a scan that resumes.

    Items elsewhere that cannot be reached are listened to once more when others can be. If several in a row cannot, the
    server is away: then the procession asks for the stop itself, so that a scan that resumes finds them all to do.

    Parameters
    ----------
    entries
        The listing.
    engine
        Who listens.
    jobs
        How many workers there are to be.
    limits
        What one item may cost; larger items are left out.
    stop
        Looked at a few times a second.
    """

    def __init__(self, entries: Iterator[Entry], engine: Engine, jobs: int, limits: Limits, stop: Stop) -> None:
        self._entries, self._engine, self._jobs = entries, engine, jobs
        self._limits, self._stop = limits, stop
        self._queue: deque[Settled] = deque()  # all entries that were read and not yet yielded
        self._places: dict[int, Settled] = {}  # those of them that are not known yet, by the identity of the item
        self._waiting: deque[Item] = deque()  # items that no worker has yet
        self._waiting_bytes = 0  # of fingerprints that are known and not yet yielded
        self._away: list[Item] = []  # items that could not be reached; `_tried_again` are those that were once
        self._tried_again: set[int] = set()
        self._at_end = False
        self._deadline: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether all entries were yielded."""
        return self._at_end and not self._queue

    def __iter__(self) -> Iterator[list[Settled]]:
        while not self.is_over:
            if self._stop.reason is None:
                self._read()
                self._hand_out()
            elif self._nothing_to_wait_for():
                break
            for item, hearing in self._engine.collect(_POLL_S if self._places else 0.0):
                self._settle(item, hearing)
            if self._at_end and len(self._away) == len(self._places):
                self._try_again()
            yield self._known()
        yield self._known()

    def _read(self) -> None:
        """Read the listing as far as there is use for it."""
        while not self._at_end and self._has_room():
            entry = next(self._entries, None)
            if entry is None:
                self._at_end = True
                return
            settled = Settled(entry)
            self._queue.append(settled)
            settled.hearing = _too_large(entry, self._limits)
            if isinstance(entry, Item) and not settled.known:
                self._places[id(entry)] = settled
                self._waiting.append(entry)

    def _has_room(self) -> bool:
        jobs = self._jobs
        full = len(self._queue) >= _WINDOW * jobs or self._waiting_bytes >= _WAITING_BYTES * jobs
        return not full and len(self._waiting) < jobs

    def _settle(self, item: Item, hearing: Hearing) -> None:
        """Take what was heard in an item; where nobody could reach it, see first whether others can be reached."""
        away = hearing.problem is not None and hearing.problem.kind == NOT_REACHED
        if away and id(item) not in self._tried_again:
            self._away.append(item)
            if len(self._away) >= _MAX_AWAY * self._jobs:
                self._stop.ask("a server that cannot be reached")
            return
        self._tried_again.discard(id(item))
        self._places.pop(id(item)).hearing = hearing
        self._waiting_bytes += len(hearing.kept or b"")
        if not away:
            self._try_again()

    def _try_again(self) -> None:
        """Have the items listened to once more that could not be reached."""
        self._tried_again.update(map(id, self._away))
        self._waiting.extendleft(reversed(self._away))
        self._away = []

    def _hand_out(self) -> None:
        self._engine.grow_to(min(self._jobs, self._engine.n_busy + len(self._waiting)))
        while self._waiting and self._engine.hand(self._waiting[0]):
            self._waiting.popleft()

    def _nothing_to_wait_for(self) -> bool:
        """Return whether, after a stop, no item may still come to its end."""
        if self._deadline is None:
            self._deadline = time.monotonic() + _GRACE_S
        return self._stop.at_once or not self._engine.n_busy or time.monotonic() >= self._deadline

    def _known(self) -> list[Settled]:
        known = []
        while self._queue and self._queue[0].known:
            known.append(self._queue.popleft())
            if (hearing := known[-1].hearing) is not None:
                self._waiting_bytes -= len(hearing.kept or b"")
        return known


def _too_large(entry: Entry, limits: Limits) -> Hearing | None:
    """Return that an item is left out for its size, None if it is not, or only a `Listener` can tell."""
    if not isinstance(entry, Item) or isinstance(entry.source, ParquetCell):  # of whose size only the mean is listed
        return None
    if entry.size_bytes is None or entry.size_bytes <= limits.max_bytes:
        return None
    return too_large(entry.size_bytes, limits.max_bytes)
