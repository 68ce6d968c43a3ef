"""Who listens to the items of a scan: processes of this machine, or actors of a Ray cluster."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from earmark.fingerprint import Model
from earmark.scan.catalog_shard import Merger
from earmark.scan.crew import Crew
from earmark.scan.opened import OpenedCatalog
from earmark.scan.plan import ScanPlan
from earmark.scan.procession import Engine
from earmark.scan.ray_item import everywhere
from earmark.scan.worker import WorkerSetup

__all__ = ["engine_of"]


@contextlib.contextmanager
def engine_of(plan: ScanPlan, catalog: OpenedCatalog, model: Model, *, since: Path | None = None) -> Iterator[Engine]:
    """Give the engine of a plan as long as the context lasts; nothing of it is left behind.

    Parameters
    ----------
    plan
        What to do.
    catalog
        As the scan has found it.
    model
        The model that it was made with.
    since
        As in `WorkerSetup`; a file of this machine, so it is for the local engine only.

    Raises
    ------
    ScanError
        If a Ray cluster is asked for and cannot be used.
    """
    setup = WorkerSetup(
        catalogs=catalog.paths,
        digests=catalog.digests,
        effort=plan.effort,
        max_e_value=plan.max_e_value,
        min_seconds=plan.min_seconds,
        memory_bytes=plan.limits.memory_bytes,
        max_bytes=plan.limits.max_bytes,
        keep=plan.keep_fingerprints,
        since=since,
    )
    if plan.engine == "local":
        with Crew(setup, plan.limits) as crew:
            yield crew
    else:
        with _on_ray(plan, setup, catalog, model) as engine:
            yield engine


@contextlib.contextmanager
def _on_ray(plan: ScanPlan, setup: WorkerSetup, catalog: OpenedCatalog, model: Model) -> Iterator[Engine]:
    from earmark.scan.ray_cluster import connected
    from earmark.scan.ray_crew import RayCrew
    from earmark.scan.ray_groups import RayGroups
    from earmark.scan.ray_listener import node_setups

    locations = [everywhere(location) for location in catalog.locations]
    setups = node_setups(setup, locations, whole_s=catalog.duration_s, cache=plan.catalog_cache, limits=plan.limits)
    with connected(plan.address) as ray:
        if len(setups) == 1:
            with contextlib.closing(RayCrew(ray, setups[0])) as crew:
                yield crew
        else:
            merger = Merger(model, effort=plan.effort, max_e_value=plan.max_e_value, whole_s=catalog.duration_s)
            with contextlib.closing(RayGroups(ray, setups, merger)) as groups:
                yield groups
