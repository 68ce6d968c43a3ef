"""A new catalog written in one go: all of it is there at the end, or nothing."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import earmark
from earmark.catalog.catalog import check_path
from earmark.catalog.manifest import MANIFEST, UNFINISHED, Manifest, read_manifest
from earmark.catalog.segment_series import SegmentSeries
from earmark.catalog.storage import check_unused, clear_leftovers, discard, replace_manifest, writer_lock
from earmark.catalog.vectors import Layout
from earmark.errors import CatalogError
from earmark.fingerprint import Model

__all__ = ["beginning", "check_absent", "empty_manifest", "new_catalog", "new_directory"]


def empty_manifest(model: Model) -> Manifest:
    """Return the manifest of a catalog of a model without any segment."""
    return Manifest(
        written_by=f"earmark {earmark.__version__}",
        config_digest=model.config.digest,
        model_digest=model.digest,
        segments=(),
    )


@contextlib.contextmanager
def new_directory(path: Path) -> Iterator[bool]:
    """Hold the right to make a catalog, in a directory that is new or has nothing else in it.

    Parameters
    ----------
    path : Path

    Yields
    ------
    bool
        Whether the directory was made.

    Raises
    ------
    CatalogError
        If there is something at `path`, or it cannot be written.
    CatalogLockedError
        If another process is writing there.
    """
    check_path(path)
    check_absent(path)
    try:
        made = not path.exists()
        path.mkdir(exist_ok=True)
        check_unused(path)  # before a lock file is put there
        with writer_lock(path):
            check_absent(path)
            check_unused(path)
            clear_leftovers(path, None)
            yield made
            if (path / MANIFEST).exists():
                clear_leftovers(path, read_manifest(path)[0])
    except OSError as error:
        raise CatalogError(f"{path}: cannot be written: {error}") from error


@contextlib.contextmanager
def beginning(path: Path, model: Model) -> Iterator[Manifest]:
    """Hold the right to make a catalog in one go; if there is none at the end, nothing of it is left.

    Parameters
    ----------
    path : Path
    model : Model

    Yields
    ------
    Manifest
        Of a catalog without any segment.

    Raises
    ------
    CatalogError
        If there is something at `path`, an unfinished build included, or it cannot be written.
    CatalogLockedError
        If another process is writing there.
    """
    _check_not_begun(path)  # before a lock file is put there
    with new_directory(path) as made:
        _check_not_begun(path)
        try:
            yield empty_manifest(model)
        finally:
            if not (path / MANIFEST).exists():
                discard(path, made=made)


def _check_not_begun(path: Path) -> None:
    if (path / UNFINISHED).exists():
        raise CatalogError(
            f"{path}: holds an unfinished build; expected a new directory or a catalog: repeat the build to finish it, "
            "or name another directory"
        )


@contextlib.contextmanager
def new_catalog(path: Path, model: Model, layout: Layout) -> Iterator[SegmentSeries]:
    """Make a catalog of what is added to a series of segments until the block ends; of nothing, if it fails.

    Parameters
    ----------
    path : Path
    model : Model
    layout : Layout

    Yields
    ------
    SegmentSeries
        That takes at least one track.

    Raises
    ------
    CatalogError, CatalogLockedError
        As for `beginning`.
    """
    with beginning(path, model) as manifest:
        with SegmentSeries(path, "1", model, layout) as series:
            yield series
            segments = series.finish()
        replace_manifest(path, dataclasses.replace(manifest, segments=segments))


def check_absent(path: Path) -> None:
    """Raise CatalogError if there is a catalog at a path."""
    if (path / MANIFEST).exists():
        raise CatalogError(f"{path}: is a catalog already; 'earmark catalog add' adds to it")
