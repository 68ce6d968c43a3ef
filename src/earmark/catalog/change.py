"""A change of a catalog, from the lock to the last leftover."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from earmark.catalog.catalog import check_path
from earmark.catalog.manifest import Manifest, read_manifest
from earmark.catalog.storage import clear_leftovers, writer_lock
from earmark.errors import CatalogError

__all__ = ["changing"]


@contextlib.contextmanager
def changing(path: Path) -> Iterator[Manifest]:
    """Hold the right to change a catalog; what does not belong to it is deleted before and after, however that ends.

    Parameters
    ----------
    path : Path
        The catalog.

    Yields
    ------
    Manifest
        What it is now.

    Raises
    ------
    CatalogError
        If there is no catalog at `path`, or it cannot be written.
    CatalogVersionError, CatalogDamagedError
        As for `read_manifest`.
    CatalogLockedError
        If another process is changing it.
    """
    check_path(path)
    read_manifest(path)  # so that no lock file is put where there is no catalog
    try:
        with writer_lock(path):
            manifest, _ = read_manifest(path)
            clear_leftovers(path, manifest)
            try:
                yield manifest
            finally:
                clear_leftovers(path, read_manifest(path)[0])
    except OSError as error:
        raise CatalogError(f"{path}: cannot be written: {error}") from error
