"""Making a catalog out of audio, and adding to it."""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import earmark
from earmark.catalog.catalog import check_model, check_path
from earmark.catalog.hearing import hear_all
from earmark.catalog.manifest import MANIFEST, Manifest, SegmentEntry, read_manifest
from earmark.catalog.metadata import read_metadata
from earmark.catalog.report import BuildReport, NothingIndexedError, Progress
from earmark.catalog.segment import SegmentWriter, open_track_table
from earmark.catalog.sources import Listing, Source, known_tags, list_sources, track_id_of
from earmark.catalog.storage import check_unused, clear_leftovers, discard, replace_manifest, writer_lock
from earmark.catalog.track import Sketch, TrackTags
from earmark.catalog.vectors import Layout
from earmark.errors import CatalogError, ParameterError
from earmark.fingerprint import Model

__all__ = ["add_tracks", "build_catalog"]

_IDS_SHOWN = 3


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

    The same sources give the same bytes, whatever `jobs` is. Nothing is at `path` until all is done; a recording that
    cannot be used is reported, and the rest goes on. Processes are spawned, so a script that calls this needs the
    usual `if __name__ == "__main__":`.

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
    _check_absent(path)
    listing = _list(path, sources, metadata)
    with _writing(path):
        made = not path.exists()
        path.mkdir(exist_ok=True)
        check_unused(path)  # before a lock file is put there
        with writer_lock(path):
            _check_absent(path)
            check_unused(path)
            clear_leftovers(path, None)
            empty = Manifest(
                written_by=f"earmark {earmark.__version__}",
                config_digest=model.config.digest,
                model_digest=model.digest,
                segments=(),
            )
            try:
                return _Job(path, empty, model, layout or Layout()).run(listing, jobs, on_progress)
            except BaseException:
                if not (path / MANIFEST).exists():
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

    Readers that have the catalog open go on seeing it as it was. A track id that is in the catalog already is reported
    as failed.

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
    with _writing(path), writer_lock(path):
        manifest, _ = read_manifest(path)
        clear_leftovers(path, manifest)
        return _Job(path, manifest, model, layout or Layout()).run(listing, jobs, on_progress)


class _Job:
    """One build or add."""

    def __init__(self, path: Path, manifest: Manifest, model: Model, layout: Layout) -> None:
        self._path, self._manifest, self._model, self._layout = path, manifest, model, layout
        self._segments: list[SegmentEntry] = []
        self._failed: list[tuple[str, str]] = []
        self._warnings: list[tuple[str, str]] = []
        self._ids: dict[str, str] = {}  # track id -> where it comes from
        self._by_content: dict[bytes, list[str]] = {}
        self._n_samples = 0

    def run(self, listing: Listing, jobs: int, on_progress: Callable[[Progress], None] | None) -> BuildReport:
        """Hear everything, write what is usable, and make it part of the catalog."""
        self._failed += listing.failed
        self._warnings += listing.warnings
        taken = self._taken(listing.sources)
        with contextlib.ExitStack() as stack:
            writer: SegmentWriter | None = None
            for tags, sketch in self._usable(listing.sources, taken, jobs, on_progress):
                if writer is not None and writer.n_patches + len(sketch.patches) > self._layout.max_patches:
                    self._segments.append(writer.finish())
                    writer = None
                if writer is None:
                    writer = stack.enter_context(
                        SegmentWriter(self._path, self._next_name(), self._model, self._layout)
                    )
                writer.add(tags, sketch)
            if writer is not None:
                self._segments.append(writer.finish())
        report = self._report(listing)
        if not self._segments:
            raise NothingIndexedError(_nothing(report), report)
        segments = (*self._manifest.segments, *self._segments)
        replace_manifest(self._path, dataclasses.replace(self._manifest, segments=segments))
        return report

    def _usable(
        self, sources: Sequence[Source], taken: set[str], jobs: int, on_progress: Callable[[Progress], None] | None
    ) -> Iterator[tuple[TrackTags, Sketch]]:
        """Yield what can be indexed; enter the rest as failed."""
        duration_s = 0.0
        todo = [source for source in sources if not self._is_taken(source, taken)]
        with contextlib.closing(hear_all([source.path for source in todo], self._model, jobs)) as all_heard:
            for n_done, (source, heard) in enumerate(zip(todo, all_heard, strict=True), 1):
                duration_s += heard.duration_s
                if heard.warning is not None and heard.sketch is not None:
                    self._warnings.append((str(source.path), heard.warning))
                if heard.sketch is None:
                    self._failed.append((str(source.path), heard.error or "nothing was heard"))
                else:
                    tags = known_tags(source, heard.tags)
                    self._by_content.setdefault(heard.sketch.content, []).append(tags.track_id)
                    self._n_samples += heard.sketch.n_samples
                    yield tags, heard.sketch
                if on_progress is not None:
                    on_progress(Progress(n_done=n_done, n_total=len(todo), duration_s=duration_s))

    def _is_taken(self, source: Source, taken: set[str]) -> bool:
        """Return whether a source's track id is another's, and enter it as failed if so."""
        track_id = track_id_of(source)
        if track_id in taken:
            error = f"track id {track_id!r} is in the catalog already; remove it first"
        elif track_id in self._ids:
            error = f"track id {track_id!r} is that of {self._ids[track_id]} too; give each its own with --metadata"
        else:
            self._ids[track_id] = str(source.path)
            return False
        self._failed.append((str(source.path), error))
        return True

    def _taken(self, sources: Sequence[Source]) -> set[str]:
        """Return those of the sources' track ids that are in the catalog already."""
        taken: set[str] = set()
        wanted = {track_id_of(source) for source in sources}
        for entry in self._manifest.segments:
            with contextlib.closing(open_track_table(self._path, entry)) as table:
                removed = set(entry.removed)
                taken |= {track_id for track_id, number in table.numbers(wanted).items() if number not in removed}
        return taken

    def _duplicates(self) -> tuple[tuple[str, ...], ...]:
        """Return the groups of track ids with the same audio, of which at least one is new."""
        before: dict[bytes, list[str]] = collections.defaultdict(list)
        for entry in self._manifest.segments:
            with contextlib.closing(open_track_table(self._path, entry)) as table:
                removed = set(entry.removed)
                for content, number in table.same_content(self._by_content):
                    if number not in removed:
                        before[content].append(table.track(number).track_id)
        groups = ((*before[content], *new) for content, new in self._by_content.items())
        return tuple(group for group in groups if len(group) > 1)

    def _next_name(self) -> str:
        names = [entry.name for entry in (*self._manifest.segments, *self._segments)]
        return f"{max(map(int, names), default=0) + 1:04d}"

    def _report(self, listing: Listing) -> BuildReport:
        return BuildReport(
            n_indexed=sum(entry.n_tracks for entry in self._segments),
            duration_s=self._n_samples / self._model.config.sr,
            failed=tuple(self._failed),
            warnings=tuple(self._warnings),
            n_skipped=listing.n_skipped,
            duplicates=self._duplicates(),
            unmatched=listing.unmatched,
        )


def _list(path: Path, sources: Sequence[Path], metadata: Path | None) -> Listing:
    return list_sources(sources, read_metadata(metadata) if metadata is not None else None, path)


def _check_absent(path: Path) -> None:
    if (path / MANIFEST).exists():
        raise CatalogError(f"{path}: is a catalog already; 'earmark catalog add' adds to it")


def _check_jobs(jobs: int) -> None:
    if jobs < 1:
        raise ParameterError(f"jobs must be at least 1, got {jobs}")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CatalogError(f"{path}: cannot be written: {error}") from error


def _nothing(report: BuildReport) -> str:
    if not report.failed:
        return f"nothing to index: no audio among the sources ({report.n_skipped} other files)"
    shown = "; ".join(f"{source}: {error}" for source, error in report.failed[:_IDS_SHOWN])
    more = f"; and {len(report.failed) - _IDS_SHOWN} more" if len(report.failed) > _IDS_SHOWN else ""
    return f"nothing could be indexed: {shown}{more}"
