"""A worker process: opens the catalog and the model once, then listens to one item after the other."""

import dataclasses
import os
import threading
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path

from earmark.catalog import open_catalog
from earmark.errors import EarmarkError
from earmark.fingerprint import load_model
from earmark.scan.listening import Listener

__all__ = ["Failure", "Ready", "WorkerSetup", "work"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSetup:
    """What a worker needs to know before the first item.

    Attributes
    ----------
    catalog
        Folder of the catalog.
    effort, max_e_value
        As for `Matcher`.
    """

    catalog: Path
    effort: str
    max_e_value: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """A worker's first message: it has opened this catalog.

    Attributes
    ----------
    catalog_digest
        `Catalog.digest`.
    """

    catalog_digest: str


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
        Sends `Ready` first, then a `Hearing` for each item; or a `Failure`, and ends.
    setup
        What to listen with.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        model = load_model()
        catalog = open_catalog(setup.catalog, model)
        listener = Listener(catalog, model, effort=setup.effort, max_e_value=setup.max_e_value)
        connection.send(Ready(catalog_digest=catalog.digest))
        while True:
            connection.send(listener.listen(connection.recv()))
    except EarmarkError as error:
        connection.send(Failure(error=error))
    except (EOFError, ConnectionError):
        return  # the parent has closed its end


def _end_with_parent() -> None:
    """End the process when its parent is gone, even in the middle of an item and if the parent was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
