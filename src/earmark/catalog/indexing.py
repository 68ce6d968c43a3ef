"""The work of a build or add: sources come in, segments and further ids come out, and a stopped run is gone on with."""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from earmark.audio.tags import read_tags
from earmark.catalog.hearing import Heard
from earmark.catalog.intake import Arrival, arrivals
from earmark.catalog.known_tracks import KnownTracks
from earmark.catalog.manifest import Manifest, SegmentEntry
from earmark.catalog.report import BuildReport, NothingIndexedError, Progress
from earmark.catalog.segment_series import SegmentSeries
from earmark.catalog.sources import Listing, Source, known_tags, track_id_of
from earmark.catalog.spool import SpooledTrack
from earmark.catalog.storage import free_name, replace_manifest
from earmark.catalog.table_edition import FurtherId, further_rows, read_rows, write_edition
from earmark.catalog.track import Sketch, reference
from earmark.catalog.unfinished import Unfinished
from earmark.catalog.vectors import Layout
from earmark.fingerprint import Model

__all__ = ["Indexing"]

_IDS_SHOWN = 3


class Indexing:
    """One build or add; a context manager that leaves what it has done for the next, unless it comes to its end.

    Parameters
    ----------
    path : Path
        The catalog's directory; the caller holds its lock and has cleared leftovers.
    manifest : Manifest
        What the catalog is now.
    model : Model
    layout : Layout
    """

    def __init__(self, path: Path, manifest: Manifest, model: Model, layout: Layout) -> None:
        self._path, self._manifest, self._model = path, manifest, model
        self._unfinished = Unfinished(path, manifest, layout)
        self._stack = contextlib.ExitStack()
        self._known = self._stack.enter_context(KnownTracks(path, manifest.segments))
        self._series = self._stack.enter_context(
            SegmentSeries(path, free_name(path, manifest), model, layout, self._closed)
        )
        self._taken: dict[str, bytes | None] = {}  # track id -> digest of its file
        self._done: set[str] = set()  # ids that an earlier run, which was stopped, has done
        self._outcomes: dict[bytes, Heard | SpooledTrack] = {}  # by digest of the file
        self._further: dict[str, list[FurtherId]] = collections.defaultdict(list)  # by segment
        self._shared: set[bytes] = set()  # contents that several ids have
        self._failed: list[tuple[str, str]] = []
        self._warnings: list[tuple[str, str]] = []
        self._n_known = self._n_samples = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        if self._unfinished.is_empty:
            self._unfinished.delete()
        self._unfinished.close()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was done that the next run could use."""
        return self._unfinished.is_empty

    def run(self, listing: Listing, jobs: int, on_progress: Callable[[Progress], None] | None) -> BuildReport:
        """Take everything in, and make it part of the catalog.

        Raises
        ------
        NothingIndexedError
            If no source could be used.
        """
        self._failed += listing.failed
        self._warnings += listing.warnings
        sources = self._distinct(listing.sources)
        self._taken |= self._known.sources(track_id_of(source) for source in sources)
        self._resume()
        duration_s = 0.0
        with contextlib.closing(arrivals(sources, self._model, jobs, self._is_wanted)) as coming:
            for n_done, arrival in enumerate(coming, 1):
                duration_s += arrival.heard.duration_s if arrival.heard is not None else 0.0
                self._take(arrival)
                if on_progress is not None:
                    on_progress(Progress(n_done=n_done, n_total=len(sources), duration_s=duration_s))
        self._series.finish()
        return self._publish(listing)

    def _distinct(self, sources: Iterable[Source]) -> list[Source]:
        """Return the sources whose track ids differ; enter the others as failed."""
        first: dict[str, Source] = {}
        for source in sources:
            track_id = track_id_of(source)
            if first.setdefault(track_id, source) is not source:
                other = first[track_id].path
                error = f"track id {track_id!r} is that of {other} too; give each its own with --metadata"
                self._failed.append((str(source.path), error))
        return list(first.values())

    def _resume(self) -> None:
        """Take over what a run that was stopped has done, but for ids that the catalog has got since."""
        for number, entry in enumerate(self._unfinished.segments):
            rows = read_rows(self._path, entry)
            taken = self._known.sources(row.tags.track_id for row in rows)
            removed = tuple(n for n, row in enumerate(rows) if row.tags.track_id in taken)
            self._unfinished.segments[number] = dataclasses.replace(entry, removed=removed)
            self._shared |= {row.content for row in rows if not row.n_patches}
            for row in rows:
                if row.tags.track_id not in taken:
                    self._note_done(row.tags.track_id, row.source_sha256, row.n_samples)
        for entry in self._unfinished.segments:
            self._known.open(entry)
        for track in self._unfinished.further():
            if not self._known.sources([track.tags.track_id]) and self._place_further(track):
                self._note_done(track.tags.track_id, track.source_sha256, track.sketch.n_samples)
        for track in self._unfinished.tracks():
            self._resume_track(track)

    def _resume_track(self, track: SpooledTrack) -> None:
        content = track.sketch.content
        is_reference = not len(track.sketch.patches)
        goes_here = self._series.holds(content) or not is_reference
        if self._known.sources([track.tags.track_id]):
            return
        if goes_here:
            self._series.add(track.tags, track.sketch, track.source_sha256)
            self._shared |= {content} if is_reference else set()
        elif not self._place_further(track):
            return  # the track whose audio it was has been taken meanwhile; so it is heard again
        self._note_done(track.tags.track_id, track.source_sha256, track.sketch.n_samples)
        self._remember(track)

    def _note_done(self, track_id: str, source_sha256: bytes | None, n_samples: int) -> None:
        self._taken[track_id] = source_sha256
        self._done.add(track_id)
        self._n_samples += n_samples

    def _is_wanted(self, source: Source, sha256: bytes) -> bool:
        if track_id_of(source) in self._taken or sha256 in self._outcomes:
            return False
        return self._known.audio_of(sha256) is None

    def _take(self, arrival: Arrival) -> None:
        """Take in one source: as a track, as a further id, as known, or as failed."""
        source, track_id = arrival.source, track_id_of(arrival.source)
        if track_id in self._taken:
            self._take_known(arrival)
            return
        track = self._track(arrival)
        if isinstance(track, Heard):
            self._failed.append((str(source.path), track.error or "nothing was heard"))
            return
        self._taken[track_id] = arrival.sha256
        self._n_samples += track.sketch.n_samples
        content = track.sketch.content
        if self._series.holds(content):
            track = dataclasses.replace(track, sketch=_reference(track.sketch))
            self._shared.add(content)
            self._series.add(track.tags, track.sketch, track.source_sha256)
            self._unfinished.keep(track)
        elif not self._place_further(track):
            self._series.add(track.tags, track.sketch, track.source_sha256)
            self._unfinished.keep(track)  # after it: to make room, the segment may have been closed
        else:
            self._unfinished.keep_further(dataclasses.replace(track, sketch=_reference(track.sketch)))
        self._remember(track)

    def _take_known(self, arrival: Arrival) -> None:
        """Take in a source whose track id is in the catalog."""
        track_id = track_id_of(arrival.source)
        digest = self._taken[track_id]
        if digest is None or digest != arrival.sha256:
            error = f"track id {track_id!r} is in the catalog already; remove it first"
            self._failed.append((str(arrival.source.path), error))
        elif track_id not in self._done:
            self._n_known += 1

    def _track(self, arrival: Arrival) -> SpooledTrack | Heard:
        """Return a source as a track, or as a failure: what was heard of it, or of another file of the same bytes."""
        heard, sha256 = arrival.heard, arrival.sha256
        if heard is not None:
            if heard.sketch is None:
                if sha256 is not None:
                    self._outcomes[sha256] = heard
                return heard
            if heard.warning is not None:
                self._warnings.append((str(arrival.source.path), heard.warning))
            tags = known_tags(arrival.source, heard.tags)
            return SpooledTrack(tags=tags, sketch=heard.sketch, source_sha256=sha256)
        assert sha256 is not None
        earlier = self._outcomes.get(sha256)
        if isinstance(earlier, Heard):
            return earlier
        tags = known_tags(arrival.source, read_tags(arrival.source.path))
        if earlier is not None:
            return dataclasses.replace(earlier, tags=tags)
        audio = self._known.audio_of(sha256)
        assert audio is not None  # or it had been wanted
        return SpooledTrack(tags=tags, sketch=audio, source_sha256=sha256)

    def _place_further(self, track: SpooledTrack) -> bool:
        """Enter a track whose audio some closed segment has; return False if none has."""
        sketch = track.sketch
        segment = self._known.segment_of(sketch.content)
        if segment is None:
            return False
        self._shared.add(sketch.content)
        one = FurtherId(
            tags=track.tags, n_samples=sketch.n_samples, content=sketch.content, source_sha256=track.source_sha256
        )
        self._further[segment].append(one)
        return True

    def _remember(self, track: SpooledTrack) -> None:
        if track.source_sha256 is not None:
            light = dataclasses.replace(track, sketch=_reference(track.sketch))
            self._outcomes[track.source_sha256] = light

    def _closed(self, entry: SegmentEntry) -> None:
        self._unfinished.close_segment(entry)
        self._known.open(entry)

    def _publish(self, listing: Listing) -> BuildReport:
        """Make what was taken in part of the catalog, and tell of it."""
        added = tuple(self._unfinished.segments)
        segments = [self._with_further(entry) for entry in (*self._manifest.segments, *added)]
        report = self._report(listing, segments)
        if not report.n_indexed:
            self._unfinished.delete()
            if not self._n_known:
                raise NothingIndexedError(_nothing(report), report)
            return report
        manifest = dataclasses.replace(self._manifest, segments=tuple(segments))
        replace_manifest(self._path, manifest)
        self._unfinished.delete()
        return report

    def _with_further(self, entry: SegmentEntry) -> SegmentEntry:
        further = self._further.get(entry.name)
        if not further:
            return entry
        return write_edition(self._path, entry, [*read_rows(self._path, entry), *further_rows(entry, further)])

    def _report(self, listing: Listing, segments: list[SegmentEntry]) -> BuildReport:
        n_before = sum(entry.n_tracks - len(entry.removed) for entry in self._manifest.segments)
        n_after = sum(entry.n_tracks - len(entry.removed) for entry in segments)
        with KnownTracks(self._path, segments) as known:
            shared = known.ids(self._shared)
        return BuildReport(
            n_indexed=n_after - n_before,
            duration_s=self._n_samples / self._model.config.sr,
            failed=tuple(self._failed),
            warnings=tuple(self._warnings),
            n_skipped=listing.n_skipped,
            n_known=self._n_known,
            n_resumed=len(self._done),
            duplicates=tuple(tuple(ids) for ids in shared.values() if len(ids) > 1),
            unmatched=listing.unmatched,
            segments=tuple(entry.name for entry in self._unfinished.segments),
        )


def _nothing(report: BuildReport) -> str:
    if not report.failed:
        return f"nothing to index: no audio among the sources ({report.n_skipped} other files)"
    shown = "; ".join(f"{source}: {error}" for source, error in report.failed[:_IDS_SHOWN])
    more = f"; and {len(report.failed) - _IDS_SHOWN} more" if len(report.failed) > _IDS_SHOWN else ""
    return f"nothing could be indexed: {shown}{more}"


def _reference(sketch: Sketch) -> Sketch:
    return reference(n_samples=sketch.n_samples, content=sketch.content)
