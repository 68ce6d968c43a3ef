"""A worker process: opens the catalog and the model once, then listens to one item after the other."""

import dataclasses
import os
import resource
import threading
import time
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path

from earmark.catalog import Catalog, hide_known, open_catalog, read_state
from earmark.errors import EarmarkError, ScanError
from earmark.fingerprint import Model, load_model
from earmark.scan.listening import Listener

__all__ = ["Failure", "Progress", "Ready", "WorkerSetup", "limit_memory", "work"]

_REPORT_S, _REPORT_AUDIO_S = 1.0, 600.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSetup:
    """What a worker needs to know before the first item.

    Attributes
    ----------
    catalogs
        Folders of the catalog, or of its shards.
    digests
        `Catalog.digest` of each.
    effort, max_e_value, whole_s
        As for `Search`.
    min_seconds
        As for `Listener`.
    memory_bytes, max_bytes
        As in `Limits`.
    keep
        As for `Listener`.
    since
        File of a state: only tracks that the catalog has gained since are looked for. None for all.
    """

    catalogs: tuple[Path, ...]
    digests: tuple[str, ...]
    effort: str
    max_e_value: float
    min_seconds: float
    memory_bytes: int
    max_bytes: int
    whole_s: float | None = None
    keep: bool = False
    since: Path | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """A worker's first message: it has opened the catalogs, and they are the right ones."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A word in the middle of an item: it goes on.

    Attributes
    ----------
    decoded_s
        Seconds of audio decoded so far.
    """

    decoded_s: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A worker's last message: it cannot go on, and another one could not either.

    Attributes
    ----------
    error
        Why.
    """

    error: EarmarkError


def work(connection: Connection, setup: WorkerSetup) -> None:
    """Answer every item that comes over `connection` with a `Hearing`, until it is closed.

    Parameters
    ----------
    connection
        Sends `Ready` first, then a `Hearing` for each item, and `Progress` before it if it takes long; or a
        `Failure`, and ends.
    setup
        What to listen with.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash costs an item, and no disk
    try:
        model = load_model()
        catalogs = [_open_same(*each, model) for each in zip(setup.catalogs, setup.digests, strict=True)]
        if setup.since is not None:
            known = read_state(setup.since)
            for catalog in catalogs:
                hide_known(catalog, known)
        listener = Listener(
            catalogs,
            model,
            effort=setup.effort,
            max_e_value=setup.max_e_value,
            whole_s=setup.whole_s,
            min_seconds=setup.min_seconds,
            max_bytes=setup.max_bytes,
            keep=setup.keep,
            on_progress=_Reporter(connection),
        )
        limit_memory(setup.memory_bytes)
        connection.send(Ready())
        while True:
            connection.send(listener.listen(connection.recv()))
    except EarmarkError as error:
        connection.send(Failure(error=error))
    except (EOFError, ConnectionError):
        return  # the parent has closed its end


def _open_same(path: Path, digest: str, model: Model) -> Catalog:
    """Open a catalog that has to be in a state that was seen before."""
    catalog = open_catalog(path, model)
    if catalog.digest != digest:
        raise ScanError(
            f"{path}: the catalog was changed during the scan (it was {digest}, now it is {catalog.digest}); scan "
            f"again with a copy, or change the catalog afterwards"
        )
    return catalog


class _Reporter:
    """Tells the parent how far an item has come: once a second at most, but for every so many minutes of audio."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told, self._told_s = 0.0, 0.0

    def __call__(self, decoded_s: float) -> None:
        now = time.monotonic()
        if now - self._told >= _REPORT_S or abs(decoded_s - self._told_s) >= _REPORT_AUDIO_S:
            self._connection.send(Progress(decoded_s=decoded_s))
            self._told, self._told_s = now, decoded_s


def limit_memory(memory_bytes: int) -> None:
    """Let this process reserve so much private memory beyond what it has; whoever asks for more is told no.

    The catalog's pages are shared and mapped from its files, so they do not count: of Linux's limits on memory only
    this one (since 4.7: all private writable pages) tells them apart.
    """
    with Path("/proc/self/status").open(encoding="ascii") as status:
        reserved_kb = next(int(line.split()[1]) for line in status if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = reserved_kb * 1024 + memory_bytes
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def _end_with_parent() -> None:
    """End the process when its parent is gone, even in the middle of an item and if the parent was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
