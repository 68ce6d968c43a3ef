"""A worker process seen from its parent: how it starts, what it is doing, what it may cost, what it died of."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path

from earmark.corpus import Item
from earmark.scan.limits import Limits, allowed_s
from earmark.scan.worker import WorkerSetup, work

__all__ = ["WorkerProcess", "waited_s"]

_CLOSE_S = 5.0  # a killed process is gone in milliseconds, unless it waits for a disk
# Opening a catalog and compiling kernels took 7 s on a slow machine; past this, something holds it for good.
_START_S = 600.0
# Every library that starts threads of its own reads one of these as it is loaded.
_ONE_THREAD = ("MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class WorkerProcess:
    """One process and the line to it.

    Parameters
    ----------
    setup
        What it needs to know.
    limits
        What an item may cost.

    Attributes
    ----------
    connection
        The line.
    item
        What it listens to; None if to nothing.
    ready
        Whether it has started.
    decoded_s
        How far it says it has come with the item.
    """

    def __init__(self, setup: WorkerSetup, limits: Limits) -> None:
        context = get_context("spawn")
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        self.item: Item | None = None
        self.ready = False
        self.decoded_s = 0.0
        self._limits = limits
        self._process = context.Process(target=work, args=(theirs, setup), name="earmark-scan")
        with _one_thread_each(), _signals_held_back():
            self._process.start()
        theirs.close()
        self._since, self._waited_s = time.monotonic(), 0.0

    def give(self, item: Item) -> None:
        """Hand an item over.

        Raises
        ------
        ConnectionError
            If it has died.
        """
        self.connection.send(item)
        self.item, self.decoded_s = item, 0.0
        self._since, self._waited_s = time.monotonic(), waited_s(self._process.pid)

    def overdue(self) -> str | None:
        """Return how the worker exceeds its time, in words; None if it does not.

        Time that it had to wait for a processor does not count, so a busy machine is not taken for a hostile item.
        """
        if self.item is None:
            allowed = None if self.ready else _START_S
        else:
            allowed = allowed_s(self._limits, self.item.size_bytes, self.decoded_s)
        if allowed is None or time.monotonic() - self._since <= allowed:
            return None
        in_vain_s = waited_s(self._process.pid) - self._waited_s
        if time.monotonic() - self._since - in_vain_s <= allowed:
            return None
        return f"took longer than {allowed:,.0f} s" if allowed >= 10 else f"took longer than {allowed:g} s"

    def kill(self) -> None:
        """End the process, whatever it is doing, without waiting for its end."""
        self.connection.close()
        self._process.kill()

    def cause_of_death(self) -> str:
        """Wait for the end of a process that has gone, or is about to, and say how it came."""
        self.connection.close()
        self._process.join(_CLOSE_S)
        return _words(self._process.exitcode)

    def join(self) -> None:
        """Wait for the end of a process that was killed."""
        self._process.join(_CLOSE_S)


def waited_s(pid: int | None) -> float:
    """Return how many seconds a process was ready to run, and others ran; 0 if the system does not say."""
    try:
        # Of the main thread, which does the work: ns on a processor, ns waiting for one, turns.
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _words(exitcode: int | None) -> str:
    if exitcode is None:
        return "does not answer any more"
    if exitcode >= 0:
        return f"ended with exit code {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    hints = {
        "SIGKILL": " (the system does that when memory runs out)",
        "SIGABRT": " (libraries do that when a check of theirs fails, or memory runs out)",
    }
    return f"was ended by {name}{hints.get(name, '')}"


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
