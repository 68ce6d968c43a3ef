"""The scan of single values, for datasets that others hold: each is listened to in isolation, and judged."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from earmark.errors import CorpusError
from earmark.fingerprint import load_model
from earmark.matching import DEFAULT_EFFORT, DEFAULT_MAX_E_VALUE
from earmark.rights import Recording, Use, decide, read_registry
from earmark.scan.catalog_copy import local_catalog
from earmark.scan.isolated import IsolatedListener
from earmark.scan.judging import ItemRecord, Judge
from earmark.scan.limits import Limits
from earmark.scan.listening import Hearing, Problem
from earmark.scan.opened import open_shards
from earmark.scan.plan import ScanPlan, check_plan
from earmark.scan.ray_item import everywhere, on_every_node
from earmark.scan.sample import sample_item
from earmark.scan.worker import WorkerSetup

__all__ = ["SampleScanner", "ScannerOptions"]


class ScannerOptions(TypedDict, total=False):
    """Options of a `SampleScanner`, beside the catalog."""

    registry: str | Path | None
    use: Use | None
    effort: str
    max_e_value: float
    min_seconds: float
    limits: Limits | None
    catalog_cache: Path | None


class SampleScanner:
    """Scans values of an audio column, one after the other, in a worker process that is started when it is needed.

    It can be pickled and sent to other processes and machines: each opens the same state of the catalog and the same
    registry, or says that it cannot. What is pickled depends on nothing else, so that its hash can name a result.

    Parameters
    ----------
    catalog
        Path or fsspec URL of a catalog; of several that are shards of one, all of them.
    registry
        File of the license registry; None if there is none, and then every match is up for review.
    use
        The use that a license must cover.
    effort, max_e_value, min_seconds, limits, catalog_cache
        As in `ScanPlan`.

    Raises
    ------
    CatalogError, RegistryError, ParameterError, ScanError
        If catalog, registry or options cannot be used.
    """

    def __init__(
        self,
        catalog: str | Path | Sequence[str | Path],
        *,
        registry: str | Path | None = None,
        use: Use | None = None,
        effort: str = DEFAULT_EFFORT,
        max_e_value: float = DEFAULT_MAX_E_VALUE,
        min_seconds: float = 0.0,
        limits: Limits | None = None,
        catalog_cache: Path | None = None,
    ) -> None:
        shards = (catalog,) if isinstance(catalog, str | Path) else tuple(catalog)
        self._use, self._limits, self._cache = use or Use(), limits or Limits(), catalog_cache
        self._effort, self._max_e_value, self._min_seconds = effort, max_e_value, min_seconds
        check_plan(
            ScanPlan(
                corpus="",
                out=Path(),
                catalog=shards,
                use=self._use,
                limits=self._limits,
                effort=effort,
                max_e_value=max_e_value,
                min_seconds=min_seconds,
            )
        )
        opened = open_shards(shards, load_model(), catalog_cache)
        self._locations = tuple(everywhere(location) for location in opened.locations)
        self._digests = opened.digests
        self._registry: tuple[str, bytes] | None = None
        if registry is not None:
            decide(Recording(), read_registry(Path(registry)), self._use)  # what it raises, it raises here
            self._registry = Path(registry).name, Path(registry).read_bytes()
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        running = ("_listener", "_judge", "_process")
        return {name: value for name, value in vars(self).items() if name not in running}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    def scan_item(self, value: object, *, item_id: str | None = None, sr: int | None = None) -> ItemRecord:
        """Return the rows of one value; what is wrong with it is in the row of the item.

        Parameters
        ----------
        value, item_id, sr
            As for `sample_item`.

        Raises
        ------
        EarmarkError
            If no worker can start or go on, whatever the items.
        """
        listener, judge = self._running()
        try:
            item = sample_item(value, item_id=item_id, sr=sr)
        except CorpusError as error:
            problem = Problem(kind="not readable", words=str(error))
            return judge.judge(item_id or "", Hearing(outcome="error", problem=problem))
        return judge.judge(item.id, listener.listen(on_every_node(item)))

    def close(self) -> None:
        """End the worker, if one is running. May be called twice."""
        if self._listener is not None and self._process == os.getpid():
            self._listener.close()
        self._forget()

    def _forget(self) -> None:
        self._listener: IsolatedListener | None = None
        self._judge: Judge | None = None
        self._process = 0

    def _running(self) -> tuple[IsolatedListener, Judge]:
        """Return listener and judge of this process; what a fork has left of its parent's is not used."""
        if self._listener is None or self._judge is None or self._process != os.getpid():
            self._process = os.getpid()
            self._judge = self._make_judge()
            self._listener = IsolatedListener(self._worker_setup(), self._limits)
        return self._listener, self._judge

    def _worker_setup(self) -> WorkerSetup:
        wanted = zip(self._locations, self._digests, strict=True)
        paths = tuple(local_catalog(location, cache=self._cache, digest=digest) for location, digest in wanted)
        return WorkerSetup(
            catalogs=paths,
            digests=self._digests,
            effort=self._effort,
            max_e_value=self._max_e_value,
            min_seconds=self._min_seconds,
            memory_bytes=self._limits.memory_bytes,
            max_bytes=self._limits.max_bytes,
        )

    def _make_judge(self) -> Judge:
        if self._registry is None:
            return Judge(None, self._use)
        name, data = self._registry
        with tempfile.TemporaryDirectory(prefix="earmark-registry-") as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            return Judge(read_registry(path), self._use)
