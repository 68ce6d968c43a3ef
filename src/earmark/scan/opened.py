"""The catalog of a scan as its start finds it: one or several shards, all of them opened once and let go."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from earmark.catalog import CatalogState, open_catalog, state_from, state_of
from earmark.corpus.location import is_url
from earmark.errors import CatalogError, ParameterError
from earmark.fingerprint import Model
from earmark.scan.catalog_copy import local_catalog

__all__ = ["OpenedCatalog", "open_shards", "state_of_shards"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class OpenedCatalog:
    """What is known of a catalog.

    Attributes
    ----------
    locations
        Of its shards, as given.
    paths
        Where these are on this machine.
    digests
        `Catalog.digest` of each.
    n_tracks
        Tracks of all that are not removed.
    durations_s
        Seconds of audio in each.
    """

    locations: tuple[str, ...]
    paths: tuple[Path, ...]
    digests: tuple[str, ...]
    n_tracks: int
    durations_s: tuple[float, ...]

    @property
    def duration_s(self) -> float:
        """Seconds of audio in all shards."""
        return sum(self.durations_s)

    @property
    def digest(self) -> str:
        """The name of this state of the catalog: of one shard its own, of several the SHA-256 of all, in order."""
        if len(self.digests) == 1:
            return self.digests[0]
        return hashlib.sha256("".join(f"{digest}\n" for digest in self.digests).encode()).hexdigest()


def open_shards(locations: Sequence[str | Path], model: Model, cache: Path | None) -> OpenedCatalog:
    """Open all shards of a catalog, after copying what is elsewhere, and return what is known of them.

    Parameters
    ----------
    locations
        Path or fsspec URL of each.
    model
        The model that they have to be made with.
    cache
        As for `local_catalog`.

    Raises
    ------
    CatalogError, ScanError
        As of `open_catalog` and `local_catalog`.
    ParameterError
        If there are none, or one comes twice.
    """
    if not locations:
        raise ParameterError("expected a catalog, got none")
    paths: list[Path] = []
    digests: list[str] = []
    durations_s: list[float] = []
    n_tracks = 0
    for location in locations:
        path = local_catalog(location, cache=cache)
        catalog = open_catalog(path, model)
        try:
            if catalog.digest in digests:
                first = locations[digests.index(catalog.digest)]
                raise ParameterError(f"the catalogs {str(first)!r} and {str(location)!r} are the same one")
            paths.append(path)
            digests.append(catalog.digest)
            durations_s.append(catalog.duration_s)
            n_tracks += catalog.n_tracks
        finally:
            catalog.close()
    return OpenedCatalog(
        locations=tuple(str(one) if is_url(str(one)) else str(Path(one)) for one in locations),
        paths=tuple(paths),
        digests=tuple(digests),
        n_tracks=n_tracks,
        durations_s=tuple(durations_s),
    )


def state_of_shards(catalog: OpenedCatalog, model: Model) -> CatalogState:
    """Return the state of a catalog: of several shards, that of a catalog of all their tracks.

    Raises
    ------
    CatalogError
        If a shard is damaged, or two have a track of the same id.
    """
    states = []
    for path in catalog.paths:
        shard = open_catalog(path, model)
        try:
            states.append(state_of(shard))
        finally:
            shard.close()
    if len(states) == 1:
        return states[0]
    try:
        entries = np.concatenate([one.entries for one in states])
        return state_from(entries, model.digest, states[0].columns)
    except CatalogError as error:
        raise CatalogError(
            f"the catalogs {', '.join(map(repr, catalog.locations))} are no shards of one: {error}"
        ) from error
