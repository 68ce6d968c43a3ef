"""One consistent state of a catalog, for readers that meet a writer."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from earmark.catalog.manifest import Manifest, read_manifest
from earmark.errors import CatalogDamagedError

__all__ = ["read_snapshot"]

_Read = TypeVar("_Read")


def read_snapshot(path: Path, read: Callable[[Manifest, str], _Read]) -> _Read:
    """Read from a catalog; if a writer replaces the manifest and takes files away meanwhile, begin again with the new.

    What was opened stays readable when its files are deleted, so this is needed only until all are open.

    Parameters
    ----------
    path : Path
        The catalog.
    read : callable
        Takes the manifest and its digest and returns the result.

    Returns
    -------
    object
        What `read` returned.

    Raises
    ------
    CatalogError, CatalogVersionError, CatalogDamagedError
        As `read_manifest`, or what `read` raises of a manifest that is still the one that counts.
    """
    manifest, digest = read_manifest(path)
    while True:
        try:
            return read(manifest, digest)
        except CatalogDamagedError:
            newer, newer_digest = read_manifest(path)
            if newer_digest == digest:
                raise
            manifest, digest = newer, newer_digest
