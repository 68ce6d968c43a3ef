"""Making a catalog out of audio, and adding to it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from earmark.catalog.catalog import check_model, check_path
from earmark.catalog.change import changing
from earmark.catalog.indexing import Indexing
from earmark.catalog.manifest import MANIFEST, read_manifest
from earmark.catalog.metadata import read_metadata
from earmark.catalog.new_catalog import check_absent, empty_manifest, new_directory
from earmark.catalog.report import BuildReport, Progress
from earmark.catalog.sources import Listing, list_sources
from earmark.catalog.storage import discard
from earmark.catalog.vectors import Layout
from earmark.errors import ParameterError
from earmark.fingerprint import Model

__all__ = ["add_tracks", "build_catalog"]


def build_catalog(
    path: Path,
    sources: Sequence[Path],
    *,
    metadata: Path | None = None,
    model: Model,
    jobs: int,
    on_progress: Callable[[Progress], None] | None = None,
    layout: Layout | None = None,
) -> BuildReport:
    """Make a catalog out of recordings.

    The same sources give the same bytes, whatever `jobs` is. There is no catalog at `path` until all is done; a
    recording that cannot be used is reported, and the rest goes on. A build that was stopped or killed is gone on with
    when it is repeated: files whose bytes were heard are not heard again, the bytes that come out are those of a build
    that was not stopped, and what is no more among the sources stays in. Recordings of the same audio, which is to say
    of the same fingerprint, are stored once, under all their ids. Processes are spawned, so a script that calls this
    needs the usual `if __name__ == "__main__":`.

    Parameters
    ----------
    path : Path
        The directory to make; it may be there if it is empty.
    sources : sequence of Path
        Audio files, and directories, which are searched for audio.
    metadata : Path or None
        CSV file, see `read_metadata`; its rows fit files by their path relative to itself or to a source. A recording
        with no row there, and all without one, goes by its tags and its path.
    model : Model
    jobs : int
        Processes to decode and fingerprint with, >= 1.
    on_progress : callable or None
        Called in this process after each recording.
    layout : Layout or None
        How vectors are arranged; None for the default.

    Returns
    -------
    BuildReport

    Raises
    ------
    CatalogError
        If there is something at `path`, a source is not there, or the catalog cannot be written.
    NothingIndexedError
        If no recording could be used; nothing is written then.
    CatalogLockedError
        If another process is writing at `path`.
    MetadataError
        If the metadata file has a bad row.
    ParameterError
        If `jobs` is less than 1.
    """
    _check_jobs(jobs)
    check_path(path)
    check_absent(path)  # before a long look at the sources
    listing = _list(path, sources, metadata)
    with new_directory(path) as made:
        is_empty = True
        try:
            with Indexing(path, empty_manifest(model), model, layout or Layout()) as indexing:
                try:
                    return indexing.run(listing, jobs, on_progress)
                finally:
                    is_empty = indexing.is_empty
        except BaseException:
            if is_empty and not (path / MANIFEST).exists():
                discard(path, made=made)
            raise


def add_tracks(
    path: Path,
    sources: Sequence[Path],
    *,
    metadata: Path | None = None,
    model: Model,
    jobs: int,
    on_progress: Callable[[Progress], None] | None = None,
    layout: Layout | None = None,
) -> BuildReport:
    """Add recordings to a catalog, as a new segment.

    Readers that have the catalog open go on seeing it as it was. A track id that is in the catalog already is passed
    over if the file has the same bytes, and otherwise reported as failed. Audio that the catalog has under another id
    takes no more room. An add that was stopped or killed is gone on with by the next one.

    Parameters
    ----------
    path : Path
        The catalog.
    sources, metadata, model, jobs, on_progress, layout
        As for `build_catalog`.

    Returns
    -------
    BuildReport

    Raises
    ------
    CatalogError
        If there is no catalog at `path`, a source is not there, or the catalog cannot be written.
    CatalogVersionError, ModelMismatchError, CatalogDamagedError
        As for `open_catalog`.
    NothingIndexedError
        If no recording could be used; the catalog stays as it was.
    CatalogLockedError
        If another process is changing the catalog.
    MetadataError
        If the metadata file has a bad row.
    ParameterError
        If `jobs` is less than 1.
    """
    _check_jobs(jobs)
    check_path(path)
    check_model(path, read_manifest(path)[0].model_digest, model)
    listing = _list(path, sources, metadata)
    with changing(path) as manifest, Indexing(path, manifest, model, layout or Layout()) as indexing:
        return indexing.run(listing, jobs, on_progress)


def _list(path: Path, sources: Sequence[Path], metadata: Path | None) -> Listing:
    return list_sources(sources, read_metadata(metadata) if metadata is not None else None, path)


def _check_jobs(jobs: int) -> None:
    if jobs < 1:
        raise ParameterError(f"jobs must be at least 1, got {jobs}")
