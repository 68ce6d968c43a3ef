"""A catalog out of what is sound in a damaged one."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from earmark.catalog.catalog import check_model, check_path
from earmark.catalog.checking import trusted_manifest
from earmark.catalog.harvest import Recording, Shelf, TrackName, recordings
from earmark.catalog.manifest import SEGMENTS, WORDS, Manifest, SegmentEntry
from earmark.catalog.new_catalog import new_catalog
from earmark.catalog.report import Progress
from earmark.catalog.segment import Segment
from earmark.catalog.storage import segment_files
from earmark.catalog.table_edition import read_rows
from earmark.catalog.vectors import Layout
from earmark.errors import CatalogDamagedError, CatalogError
from earmark.fingerprint import Model

__all__ = ["Salvage", "count_sound_tracks", "salvage_catalog"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Salvage:
    """What could be saved of a damaged catalog.

    Attributes
    ----------
    n_tracks : int
        Saved.
    lost : tuple of (str, str)
        Each track that could not be saved, and why; a segment whose track table is damaged counts as one, as nobody
        knows what was in it.
    """

    n_tracks: int
    lost: tuple[tuple[str, str], ...]


def salvage_catalog(
    path: Path,
    out: Path,
    *,
    model: Model,
    on_progress: Callable[[Progress], None] | None = None,
    layout: Layout | None = None,
) -> Salvage:
    """Make a catalog of the tracks of another whose every byte is as it was written; the other stays as it is.

    Parameters
    ----------
    path : Path
        The damaged catalog.
    out : Path
        The directory to make; it may be there if it is empty.
    model : Model
        That it was made with.
    on_progress : callable or None
        Called after each recording.
    layout : Layout or None
        How vectors are arranged; None for the default.

    Returns
    -------
    Salvage

    Raises
    ------
    CatalogError
        If there is no catalog at `path`, something at `out`, or nothing can be saved; there is nothing new then.
    CatalogDamagedError
        If the manifest and its copy are damaged.
    CatalogVersionError, ModelMismatchError
        As for `open_catalog`.
    """
    check_path(path)
    manifest, _ = trusted_manifest(path)
    check_model(path, manifest.model_digest, model)
    n_total = sum(entry.n_tracks - len(entry.removed) for entry in manifest.segments)
    lost: list[tuple[str, str]] = []
    n_tracks, n_samples = 0, 0
    with new_catalog(out, model, layout or Layout()) as series:
        for recording in _sound(path, manifest, model, lost):
            for row in recording.rows():
                series.add(*row)
            n_tracks += len(recording.names)
            n_samples += recording.sketch.n_samples
            if on_progress is not None:
                on_progress(Progress(n_done=n_tracks, n_total=n_total, duration_s=n_samples / model.config.sr))
        if not n_tracks:
            raise CatalogError(f"{path}: nothing in it can be saved: {lost[0][1] if lost else 'it has no track'}")
    return Salvage(n_tracks=n_tracks, lost=tuple(lost))


def count_sound_tracks(path: Path, *, model: Model) -> int:
    """Return how many tracks `salvage_catalog` would save.

    Raises
    ------
    CatalogError
        As for `salvage_catalog`.
    """
    check_path(path)
    manifest, _ = trusted_manifest(path)
    check_model(path, manifest.model_digest, model)
    return sum(len(recording.names) for recording in _sound(path, manifest, model, []))


def _sound(path: Path, manifest: Manifest, model: Model, lost: list[tuple[str, str]]) -> Iterator[Recording]:
    """Yield the recordings that are sound, and enter the tracks of the others as lost."""
    damaged: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="earmark-salvage-")))

        def enter(names: tuple[TrackName, ...], error: str) -> None:
            words = error.replace(str(place), str(path))
            damaged.update((name.tags.track_id, words) for name in names)

        shelves = []
        for entry in manifest.segments:
            shelf = Shelf(catalog=_mended(path, entry, place), entry=entry)
            try:
                with contextlib.closing(Segment(shelf.catalog, entry, model)) as segment:
                    segment.codes()  # every list is looked at
                shelves.append(shelf)
            except CatalogDamagedError as error:
                words = str(error).replace(str(place), str(path))
                lost += [(track_id, words) for track_id in _ids(path, entry)]
        for recording in recordings(shelves, model, enter):
            for name in recording.names:
                damaged.pop(name.tags.track_id, None)  # another segment had it too
            yield recording
    lost += sorted(damaged.items())


def _mended(path: Path, entry: SegmentEntry, place: Path) -> Path:
    """Return a place where a segment is as in the catalog, but a file of words that was cut off has its length again.

    Its blocks tell which words are missing.
    """
    source = path / SEGMENTS / entry.name
    words, n_bytes = source / WORDS, entry.files[WORDS].n_bytes
    if not words.is_file() or words.stat().st_size == n_bytes:
        return path
    target = place / SEGMENTS / entry.name
    target.mkdir(parents=True)
    for name in segment_files(entry):
        if name != WORDS and (source / name).exists():
            (target / name).symlink_to((source / name).resolve())
    with words.open("rb") as old, (target / WORDS).open("wb") as new:
        remaining = n_bytes
        while remaining and (part := old.read(min(remaining, 1 << 20))):
            remaining -= new.write(part)
        new.truncate(n_bytes)
    return place


def _ids(path: Path, entry: SegmentEntry) -> list[str]:
    """Return the ids of a segment's tracks that are not removed; if they cannot be read, a name for all of them."""
    removed = set(entry.removed)
    try:
        rows = read_rows(path, entry)
    except CatalogDamagedError:
        return [f"all {entry.n_tracks - len(removed)} tracks of segment {entry.name}"]
    return [row.tags.track_id for number, row in enumerate(rows) if number not in removed]
