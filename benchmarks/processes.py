"""Commands run to their end: the processor time of all their processes, and the memory that each took at most."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Memory", "Usage", "run"]

SAMPLE_S = 0.1
_FIELDS = ("Rss", "Pss", "Private_Clean", "Private_Dirty", "Anonymous")


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """The most memory that one process was seen to have, in bytes: each figure by itself.

    Attributes
    ----------
    private
        Pages that no other process has, those of mapped files included, which the system may drop.
    anonymous
        Pages of no file: what the system cannot drop.
    resident
        All pages, shared ones included.
    """

    private: int
    anonymous: int
    resident: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a command took.

    Attributes
    ----------
    cpu_s
        User and system seconds of all its processes, as far as they were waited for.
    wall_s
        Seconds until its end.
    main
        Memory of the process itself; None unless asked for.
    workers
        Memory of the processes that it started by `multiprocessing`.
    """

    cpu_s: float
    wall_s: float
    main: Memory | None = None
    workers: list[Memory] = field(default_factory=list)


def run(command, *, sign_of_success=None, watch=False):
    """Run a command to its end.

    Parameters
    ----------
    command
        Program and arguments.
    sign_of_success
        Text that a command prints which succeeds in spite of its exit code.
    watch
        Whether to look at the memory of its processes, ten times a second; it costs some processor time of ours, and
        little of theirs.
    """
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT)
        watcher = _Watcher(process.pid) if watch else None
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        main, workers = watcher.end() if watcher else (None, [])
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if process.returncode != 0 and (sign_of_success is None or sign_of_success not in printed):
        sys.exit(f"{command[:6]} ended with exit code {process.returncode}:\n{printed[-2000:]}")
    return Usage(cpu_s=usage.ru_utime + usage.ru_stime, wall_s=wall_s, main=main, workers=workers)


class _Watcher:
    """Looks at a process and its children until it is told to end."""

    def __init__(self, pid):
        self._pid, self._peaks, self._workers = pid, {}, set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self):
        self._over.set()
        self._thread.join()
        empty = Counter()
        main = self._memory(self._peaks.get(self._pid, empty))
        return main, [self._memory(self._peaks[pid]) for pid in sorted(self._workers)]

    def _watch(self):
        while not self._over.wait(SAMPLE_S):
            for pid in [self._pid, *_children(self._pid)]:
                with contextlib.suppress(OSError):  # it has ended
                    self._look_at(pid)

    def _look_at(self, pid):
        if pid != self._pid:
            if b"spawn_main" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                return  # the resource tracker
            self._workers.add(pid)
        peak = self._peaks.setdefault(pid, Counter())
        now = Counter()
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, _, rest = line.partition(":")
            if name in _FIELDS:
                now[name] = 1024 * int(rest.split()[0])
        now["private"] = now["Private_Clean"] + now["Private_Dirty"]
        for name, n_bytes in now.items():
            peak[name] = max(peak[name], n_bytes)

    @staticmethod
    def _memory(peak):
        return Memory(private=peak["private"], anonymous=peak["Anonymous"], resident=peak["Rss"])


def _children(pid):
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
