"""A crew of worker processes, each with one item at a time, so that a dead worker costs just that item."""

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from multiprocessing import connection as mp_connection
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from earmark.corpus import Item
from earmark.errors import ScanError
from earmark.scan.listening import Hearing, Problem
from earmark.scan.worker import Failure, Ready, WorkerSetup, work

__all__ = ["Crew"]

logger = logging.getLogger(__name__)

# A worker that dies before it is ready has no item to blame. So many in a row, and the machine is at fault.
_MAX_FAILED_STARTS = 3
_CLOSE_S = 5.0  # a killed process is gone in milliseconds, unless it waits for a disk
# Every library that starts threads of its own reads one of these as it is loaded.
_ONE_THREAD = ("MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class _Worker:
    """One process and the line to it."""

    def __init__(self, setup: WorkerSetup) -> None:
        context = get_context("spawn")
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, setup), name="earmark-scan")
        self.item: Item | None = None
        self.ready = False
        with _one_thread_each(), _signals_held_back():
            self.process.start()
        theirs.close()

    def end(self) -> None:
        self.connection.close()
        self.process.kill()


class Crew:
    """Worker processes that listen to items; a context manager that leaves none of them behind.

    Parameters
    ----------
    setup
        What the workers need.
    catalog_digest
        Of the catalog that all of them must have opened.
    """

    def __init__(self, setup: WorkerSetup, catalog_digest: str) -> None:
        self._setup, self._catalog_digest = setup, catalog_digest
        self._workers: list[_Worker] = []
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

    def grow_to(self, n_workers: int) -> None:
        """Start workers until there are `n_workers`."""
        while len(self._workers) < n_workers:
            self._workers.append(_Worker(self._setup))

    def hand(self, item: Item) -> bool:
        """Give an item to a worker that has none; return whether there was one."""
        for worker in self._workers:
            if worker.ready and worker.item is None:
                with contextlib.suppress(ConnectionError):  # it died idle; `collect` will meet its end
                    worker.connection.send(item)
                    worker.item = item
                    return True
        return False

    def collect(self, timeout_s: float) -> list[tuple[Item, Hearing]]:
        """Wait until workers have something to say, and return what was heard; what killed a worker is an error.

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
            if isinstance(message, Failure):
                raise message.error
            if isinstance(message, Ready):
                self._welcome(worker, message)
            elif worker.item is not None:
                heard.append((worker.item, message))
                worker.item = None
        return heard

    def close(self) -> None:
        """End all workers, whatever they are doing. May be called twice."""
        for worker in self._workers:
            worker.end()
        for worker in self._workers:
            worker.process.join(_CLOSE_S)
        self._workers = []

    def _welcome(self, worker: _Worker, message: Ready) -> None:
        if message.catalog_digest != self._catalog_digest:
            raise ScanError(
                f"{self._setup.catalog}: the catalog was changed during the scan (it was {self._catalog_digest}, "
                f"now it is {message.catalog_digest}); scan again with a copy, or change the catalog afterwards"
            )
        worker.ready, self._failed_starts = True, 0

    def _bury(self, worker: _Worker) -> list[tuple[Item, Hearing]]:
        """Take a dead worker off the crew; return its item, if it had one, with what happened."""
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join(_CLOSE_S)
        cause = _cause_of_death(worker.process.exitcode)
        if worker.item is not None:
            logger.warning("item %r: the worker process %s", worker.item.id, cause)
            problem = Problem(kind="worker died", words=f"the worker process {cause}")
            return [(worker.item, Hearing(outcome="error", problem=problem))]
        if not worker.ready:
            self._failed_starts += 1
        if self._failed_starts >= _MAX_FAILED_STARTS:
            raise ScanError(f"worker processes do not start: {self._failed_starts} in a row, and the last one {cause}")
        return []


def _cause_of_death(exitcode: int | None) -> str:
    if exitcode is None:
        return "does not answer any more"
    if exitcode >= 0:
        return f"ended with exit code {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    hint = " (the system does that when memory runs out)" if name == "SIGKILL" else ""
    return f"was ended by {name}{hint}"


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes started here use one thread: there is one for every processor already."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Start processes that Ctrl-C and SIGTERM to the whole group do not reach: the parent decides what becomes of them.

    A blocked signal stays blocked over exec, from the new process's first instruction on.
    """
    # The tracker's start unblocks these signals, so it must come before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
