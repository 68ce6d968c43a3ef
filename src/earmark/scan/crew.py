"""A crew of worker processes, each with one item at a time, so that a dead worker costs just that item."""

import contextlib
import logging
from multiprocessing import connection as mp_connection
from types import TracebackType
from typing import Self

from earmark.corpus import Item
from earmark.errors import ScanError
from earmark.scan.limits import Limits
from earmark.scan.listening import OUT_OF_MEMORY, Hearing, Problem
from earmark.scan.plan import available_processors
from earmark.scan.worker import Failure, Progress, Ready, WorkerSetup
from earmark.scan.worker_process import WorkerProcess

__all__ = ["Crew"]

logger = logging.getLogger(__name__)

# A worker that dies before it is ready has no item to blame. So many in a row, and the machine is at fault.
_MAX_FAILED_STARTS = 3


class Crew:
    """Worker processes that listen to items; a context manager that leaves none of them behind.

    Parameters
    ----------
    setup
        What the workers need.
    limits
        What one item may cost.
    """

    def __init__(self, setup: WorkerSetup, limits: Limits) -> None:
        self._setup, self._limits = setup, limits
        self._workers: list[WorkerProcess] = []
        self._failed_starts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def n_busy(self) -> int:
        """How many workers have an item."""
        return sum(worker.item is not None for worker in self._workers)

    @property
    def n_ready(self) -> int:
        """How many workers have started."""
        return sum(worker.ready for worker in self._workers)

    @property
    def n_processors(self) -> int:
        """How many workers can run at once."""
        return available_processors()

    def grow_to(self, n_workers: int) -> None:
        """Start workers until there are `n_workers`."""
        while len(self._workers) < n_workers:
            self._workers.append(WorkerProcess(self._setup, self._limits))

    def hand(self, item: Item) -> bool:
        """Give an item to a worker that has none; return whether there was one."""
        for worker in self._workers:
            if worker.ready and worker.item is None:
                with contextlib.suppress(ConnectionError):  # it died idle; `collect` will meet its end
                    worker.give(item)
                    return True
        return False

    def collect(self, timeout_s: float) -> list[tuple[Item, Hearing]]:
        """Wait until workers have something to say, and return what was heard.

        What killed a worker, or held it up for too long, is an error of its item.

        Raises
        ------
        EarmarkError
            If workers cannot start or go on, whatever the items.
        """
        if not self._workers:
            return []
        lines = {worker.connection: worker for worker in self._workers}
        heard = []
        for line in mp_connection.wait(list(lines), timeout_s):
            worker = lines[line]  # type: ignore[index]
            try:
                message = worker.connection.recv()
            except (EOFError, ConnectionError):
                heard += self._bury(worker)
                continue
            heard += self._hear(worker, message)
        for worker in list(self._workers):
            words = worker.overdue()
            if words is not None and not worker.connection.poll():
                heard += self._give_up(worker, words)
        return heard

    def close(self) -> None:
        """End all workers, whatever they are doing. May be called twice."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.join()
        self._workers = []

    def _hear(self, worker: WorkerProcess, message: object) -> list[tuple[Item, Hearing]]:
        """Take a worker's word."""
        if isinstance(message, Failure):
            raise message.error
        if isinstance(message, Ready):
            worker.ready, self._failed_starts = True, 0
        elif isinstance(message, Progress):
            worker.decoded_s = message.decoded_s
        elif isinstance(message, Hearing) and worker.item is not None:
            item, worker.item = worker.item, None
            if message.problem is not None and message.problem.kind == OUT_OF_MEMORY:
                self._retire(worker)
            return [(item, message)]
        return []

    def _retire(self, worker: WorkerProcess) -> None:
        """End a worker that memory has run out on: the next item gets one whose memory is in no pieces."""
        worker.kill()
        worker.join()
        self._workers.remove(worker)

    def _bury(self, worker: WorkerProcess) -> list[tuple[Item, Hearing]]:
        """Take a dead worker off the crew; return its item, if it had one, with what happened."""
        cause = worker.cause_of_death()
        return self._dismiss(worker, "worker died", f"the worker process {cause}")

    def _give_up(self, worker: WorkerProcess, words: str) -> list[tuple[Item, Hearing]]:
        """End a worker that takes too long; return its item, if it had one, with what happened."""
        worker.kill()
        worker.join()
        return self._dismiss(worker, "took too long", words)

    def _dismiss(self, worker: WorkerProcess, kind: str, words: str) -> list[tuple[Item, Hearing]]:
        self._workers.remove(worker)
        if worker.item is not None:
            logger.warning("item %r: %s", worker.item.id, words)
            return [(worker.item, Hearing(outcome="error", problem=Problem(kind=kind, words=words)))]
        if not worker.ready:
            self._failed_starts += 1
        if self._failed_starts >= _MAX_FAILED_STARTS:
            raise ScanError(f"worker processes do not start: {self._failed_starts} in a row, and the last one: {words}")
        return []
