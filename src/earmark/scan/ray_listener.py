"""The actor of a Ray cluster: a listener with a worker process of its own, and the catalog of its node."""

import dataclasses
import importlib.metadata
import pickle
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from earmark import __version__
from earmark.corpus import Item
from earmark.errors import ScanError
from earmark.fingerprint import load_model
from earmark.scan.catalog_copy import local_catalog
from earmark.scan.isolated import IsolatedListener
from earmark.scan.limits import Limits
from earmark.scan.listening import Hearing
from earmark.scan.summary import LIBRARIES
from earmark.scan.worker import WorkerSetup

__all__ = ["NodeSetup", "RayListener", "node_setups", "signature"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class NodeSetup:
    """What a listener on another machine needs to know.

    Attributes
    ----------
    worker
        As for a worker here; its `catalogs` are paths on this machine.
    locations
        Paths or URLs of the catalogs, that mean the same on every machine.
    cache
        As for `local_catalog`.
    limits
        What one item may cost.
    """

    worker: WorkerSetup
    locations: tuple[str, ...]
    cache: Path | None
    limits: Limits


def node_setups(
    worker: WorkerSetup, locations: Sequence[str], *, whole_s: float, cache: Path | None, limits: Limits
) -> list[NodeSetup]:
    """Return what the listeners of each shard of a catalog need; of a catalog in one piece, of all of it.

    Parameters
    ----------
    worker
        As for a worker that has all shards.
    locations
        Of the shards, the same on every machine.
    whole_s
        Seconds of audio in all shards together.
    cache, limits
        As in `NodeSetup`.
    """
    if len(locations) == 1:
        return [NodeSetup(worker=worker, locations=tuple(locations), cache=cache, limits=limits)]
    return [
        NodeSetup(
            worker=dataclasses.replace(worker, digests=(digest,), whole_s=whole_s),
            locations=(location,),
            cache=cache,
            limits=limits,
        )
        for location, digest in zip(locations, worker.digests, strict=True)
    ]


def signature() -> dict[str, str]:
    """Return what has to be the same on every machine, and the versions of libraries that results can depend on."""
    return {
        "Earmark": __version__,
        "model": load_model().digest,
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
    }


class RayListener:
    """Listens to items on the machine that Ray has put it on."""

    def __init__(self) -> None:
        self._listener: IsolatedListener | None = None

    def signature(self) -> tuple[str, dict[str, str]]:
        """Return the name of this machine and its `signature`."""
        return socket.gethostname(), signature()

    def start(self, setup: bytes) -> None:
        """Fetch the catalog, if this machine has none yet, and start the worker.

        Parameters
        ----------
        setup
            A pickled `NodeSetup`; unpickled only when it is known that both sides have the same version.

        Raises
        ------
        EarmarkError
            If the catalog is not to be had here, or the worker does not start.
        """
        node: NodeSetup = pickle.loads(setup)  # noqa: S301 - from the process that has started this one
        wanted = zip(node.locations, node.worker.digests, strict=True)
        paths = tuple(local_catalog(location, cache=node.cache, digest=digest) for location, digest in wanted)
        for path in paths:
            if not path.exists():
                raise ScanError(
                    f"{path}: no such folder on the node {socket.gethostname()}; put the catalog where every node "
                    f"sees it under this path, or give its URL (s3://..., file://...), and each node copies it"
                )
        self._listener = IsolatedListener(dataclasses.replace(node.worker, catalogs=paths), node.limits)
        self._listener.start()

    def listen(self, item: Item) -> Hearing:
        """Return what an item holds; see `IsolatedListener`."""
        if self._listener is None:
            raise ScanError("a listener has to be started first")
        return self._listener.listen(item)
