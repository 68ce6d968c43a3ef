"""What a scan is asked to do."""

import dataclasses
import math
import os
from pathlib import Path

from earmark.corpus import CorpusOptions
from earmark.errors import ParameterError
from earmark.matching import DEFAULT_EFFORT, DEFAULT_MAX_E_VALUE, EFFORTS
from earmark.rights import SCOPES, Use
from earmark.scan.limits import Limits, check_limits
from earmark.scan.shard import Shard

__all__ = ["ENGINES", "ScanPlan", "available_processors", "check_plan", "shards_of"]

ENGINES = ("local", "ray")
"""Processes of this machine, or of a Ray cluster."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ScanPlan:
    """What to scan, with what, for which use.

    Attributes
    ----------
    corpus
        Its path or URL.
    reading
        How to read the corpus.
    catalog
        Folder or fsspec URL of the catalog; of several that are shards of one, all of them.
    catalog_cache
        Folder for copies of catalogs behind URLs; None for one below the system's temporary folder.
    engine
        One of `ENGINES`: who listens.
    address
        Of the Ray cluster, as `ray.init` takes it; None leaves it to Ray.
    out
        A folder outside the corpus: new or empty, or with `resume` one that a scan of the same plan has begun.
    registry
        File of the license registry; None if there is none.
    allow, ignore
        Files of the allow list and the ignore list; None if there are none.
    use
        The use that a license must cover.
    effort
        One of `earmark.matching.EFFORTS`.
    max_e_value
        Chance matches to accept in an hour of audio [> 0].
    jobs
        Worker processes [>= 1]; None is one for each processor that this process may use, or of the Ray cluster.
    limits
        What one item may cost.
    min_seconds
        Items with less audio are left out by rule [>= 0].
    shard
        The part of the corpus to scan.
    keep_fingerprints
        Whether to keep the fingerprints of items, to match them again without audio; see `rescan`.
    rescan_of
        SHA-256 of the journal of the scan whose fingerprints are matched; None if audio is heard.
    added_since
        Digest of a state of the catalog: only tracks that it has gained since are looked for. None for all.
    resume
        Whether to go on with what `out` holds; a scan that was not begun yet is begun.
    """

    corpus: str | Path
    catalog: str | Path | tuple[str | Path, ...]
    out: Path
    reading: CorpusOptions = dataclasses.field(default_factory=CorpusOptions)
    registry: Path | None = None
    allow: Path | None = None
    ignore: Path | None = None
    use: Use = dataclasses.field(default_factory=Use)
    effort: str = DEFAULT_EFFORT
    max_e_value: float = DEFAULT_MAX_E_VALUE
    jobs: int | None = None
    engine: str = "local"
    address: str | None = None
    catalog_cache: Path | None = None
    limits: Limits = dataclasses.field(default_factory=Limits)
    min_seconds: float = 0.0
    shard: Shard = dataclasses.field(default_factory=Shard)
    keep_fingerprints: bool = False
    rescan_of: str | None = None
    added_since: str | None = None
    resume: bool = False


def check_plan(plan: ScanPlan) -> None:
    """Check the values of a plan that no one else checks as early.

    Raises
    ------
    ParameterError
        If one is out of its domain.
    """
    if plan.effort not in EFFORTS:
        raise ParameterError(f"effort must be one of {', '.join(EFFORTS)}, got {plan.effort!r}")
    if not (plan.max_e_value > 0 and math.isfinite(plan.max_e_value)):
        raise ParameterError(f"max_e_value must be a number above 0, got {plan.max_e_value}")
    if plan.engine not in ENGINES:
        raise ParameterError(f"engine must be one of {', '.join(ENGINES)}, got {plan.engine!r}")
    if plan.address is not None and plan.engine != "ray":
        raise ParameterError(f"an address is for the engine ray, got {plan.address!r} with the engine {plan.engine!r}")
    if plan.jobs is not None and plan.jobs < 1:
        raise ParameterError(f"jobs must be at least 1, got {plan.jobs}")
    if not (plan.min_seconds >= 0 and math.isfinite(plan.min_seconds)):
        raise ParameterError(f"min_seconds must be a number of at least 0, got {plan.min_seconds}")
    if not 1 <= plan.shard.index <= plan.shard.count:
        raise ParameterError(f"shard must be I/N with I from 1 to N, got {plan.shard}")
    check_limits(plan.limits)
    if plan.use.scope is not None and plan.use.scope not in SCOPES:
        raise ParameterError(f"use must be one of {', '.join(SCOPES)}, got {plan.use.scope!r}")


def shards_of(plan: ScanPlan) -> tuple[str | Path, ...]:
    """Return the shards of a plan's catalog; one catalog is its only shard."""
    return plan.catalog if isinstance(plan.catalog, tuple) else (plan.catalog,)


def available_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
