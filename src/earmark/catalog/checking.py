"""Whether a catalog is as it was written: every digest, every block, every reference from one file to another."""

import collections
import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from earmark.catalog.catalog import check_model, check_path
from earmark.catalog.manifest import (
    MANIFEST,
    MANIFEST_COPY,
    SEGMENTS,
    UNFINISHED,
    FileEntry,
    Manifest,
    SegmentEntry,
    read_manifest,
    tracks_file,
)
from earmark.catalog.report import Progress
from earmark.catalog.segment import Segment, open_track_table
from earmark.catalog.storage import segment_files
from earmark.errors import CatalogDamagedError, CatalogError, ParameterError
from earmark.fingerprint import Model

__all__ = ["CatalogCheck", "check_catalog", "trusted_manifest"]

_READ_BYTES: Final = 1 << 20


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CatalogCheck:
    """What a check found.

    Attributes
    ----------
    n_tracks, n_segments, n_bytes : int
        Looked at; tracks that are not removed.
    damage : tuple of (str, str)
        File, relative to the catalog, and what is wrong with it.
    notes : tuple of str
        What is not damage but worth knowing: leftovers, an unfinished build.
    """

    n_tracks: int
    n_segments: int
    n_bytes: int
    damage: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def check_catalog(
    path: Path, *, model: Model, jobs: int = 1, on_progress: Callable[[Progress], None] | None = None
) -> CatalogCheck:
    """Read all of a catalog and hold it against its manifest and its parts against each other.

    Parameters
    ----------
    path : Path
        The catalog. It may be in use, but should not be changed meanwhile.
    model : Model
        That it was made with.
    jobs : int
        Files that are read at a time, >= 1.
    on_progress : callable or None
        Called now and then; counts bytes.

    Returns
    -------
    CatalogCheck

    Raises
    ------
    CatalogError
        If there is no catalog at `path`.
    CatalogVersionError, ModelMismatchError
        As for `open_catalog`.
    ParameterError
        If `jobs` is less than 1.
    """
    if jobs < 1:
        raise ParameterError(f"jobs must be at least 1, got {jobs}")
    check_path(path)
    damage: list[tuple[str, str]] = []
    manifest, notes = trusted_manifest(path)
    if notes:
        damage.append((MANIFEST, notes[0]))
    check_model(path, manifest.model_digest, model)
    bad = dict(_damaged_files(path, manifest, jobs, on_progress))
    damage += bad.items()
    ids: list[bytes] = []
    for entry in manifest.segments:
        if not any(name.startswith(f"{SEGMENTS}/{entry.name}/") for name in bad):
            damage += _inconsistencies(path, entry, model)
        if f"{SEGMENTS}/{entry.name}/{tracks_file(entry)}" not in bad:
            ids += _live_ids(path, entry)
    twice = [digest for digest, n in collections.Counter(ids).items() if n > 1]
    if twice:
        damage.append((MANIFEST, f"{len(twice)} track ids are in it twice"))
    return CatalogCheck(
        n_tracks=sum(entry.n_tracks - len(entry.removed) for entry in manifest.segments),
        n_segments=len(manifest.segments),
        n_bytes=_n_bytes(manifest),
        damage=tuple(damage),
        notes=tuple(_leftovers(path, manifest)),
    )


def trusted_manifest(path: Path) -> tuple[Manifest, tuple[str, ...]]:
    """Return the manifest of a catalog, or if it is damaged its copy, and what is wrong in that case.

    Raises
    ------
    CatalogError
        If there is no catalog at `path`.
    CatalogDamagedError
        If manifest and copy are damaged, or the manifest is and there is no copy.
    CatalogVersionError
        If it was written by a newer version.
    """
    if not (path / MANIFEST).exists() and not (path / SEGMENTS).is_dir():
        read_manifest(path)
    try:
        return read_manifest(path)[0], ()
    except (CatalogDamagedError, CatalogError) as error:
        if not isinstance(error, CatalogDamagedError) and (
            (path / MANIFEST).exists() or not (path / MANIFEST_COPY).exists()
        ):
            raise
        try:
            manifest, _ = read_manifest(path, MANIFEST_COPY)
        except CatalogError:
            raise error from None
        is_there = (path / MANIFEST).exists()
        words = str(error).removeprefix(f"{path / MANIFEST}: ") if is_there else "it is missing"
        return manifest, (f"{words}; its copy, {MANIFEST_COPY}, is as it was written: put that in its place",)


def _n_bytes(manifest: Manifest) -> int:
    return sum(file.n_bytes for entry in manifest.segments for file in entry.files.values())


def _damaged_files(
    path: Path, manifest: Manifest, jobs: int, on_progress: Callable[[Progress], None] | None
) -> Iterator[tuple[str, str]]:
    """Yield the files whose bytes are not those that were written, and what is wrong."""
    n_done, n_total = 0, _n_bytes(manifest)
    running: collections.deque[tuple[str, FileEntry, Future[str | None]]] = collections.deque()
    with ThreadPoolExecutor(jobs) as pool:
        for entry in manifest.segments:
            for name, file in segment_files(entry).items():
                relative = f"{SEGMENTS}/{entry.name}/{name}"
                running.append((relative, file, pool.submit(_what_is_wrong, path / relative, file)))
        while running:
            relative, file, found = running.popleft()
            wrong = found.result()
            n_done += file.n_bytes
            if on_progress is not None:
                on_progress(Progress(n_done=n_done, n_total=n_total, unit="bytes"))
            if wrong is not None:
                yield relative, wrong


def _what_is_wrong(path: Path, file: FileEntry) -> str | None:
    sha256, n_bytes = hashlib.sha256(), 0
    try:
        with path.open("rb") as opened:
            while part := opened.read(_READ_BYTES):
                sha256.update(part)
                n_bytes += len(part)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if n_bytes != file.n_bytes:
        return f"{n_bytes:,} bytes, expected {file.n_bytes:,}"
    return None if sha256.hexdigest() == file.sha256 else "its bytes are not those that were written"


def _inconsistencies(path: Path, entry: SegmentEntry, model: Model) -> Iterator[tuple[str, str]]:
    """Yield what does not fit in a segment whose files are as they were written."""
    name = f"{SEGMENTS}/{entry.name}"
    try:
        with contextlib.closing(open_track_table(path, entry)) as table:
            if not table.is_sound():
                yield f"{name}/{tracks_file(entry)}", "SQLite finds its parts inconsistent"
        with contextlib.closing(Segment(path, entry, model)) as segment:
            for row in np.flatnonzero(segment.is_heard):
                segment.words(int(row))
            _, spoken = segment.codes()
            if int(spoken.sum()) != entry.n_vectors:
                yield name, f"{int(spoken.sum())} patches have vectors, expected {entry.n_vectors}"
    except CatalogDamagedError as error:
        yield name, str(error).removeprefix(f"{path / name}/")


def _live_ids(path: Path, entry: SegmentEntry) -> list[bytes]:
    """Return digests of the ids of a segment's tracks, short ones: they are only to be told apart."""
    removed = set(entry.removed)
    try:
        with contextlib.closing(open_track_table(path, entry)) as table:
            ids = [row for number, row in enumerate(table.track_ids()) if number not in removed]
    except CatalogDamagedError:  # named as such already
        return []
    return [hashlib.blake2b(one.encode(), digest_size=16).digest() for one in ids]


def _leftovers(path: Path, manifest: Manifest) -> Iterator[str]:
    """Yield what lies about in the catalog's directory."""
    try:
        is_same = (path / MANIFEST).read_bytes() == (path / MANIFEST_COPY).read_bytes()
    except OSError:
        is_same = False
    if not is_same:
        yield f"{MANIFEST_COPY} is not a copy of {MANIFEST}; the next change makes it one"
    if (path / UNFINISHED).is_dir():
        yield "an unfinished add is waiting for the next 'earmark catalog add'"
        return  # its segments are not to be told from leftovers here
    named = {entry.name: segment_files(entry) for entry in manifest.segments}
    segments = path / SEGMENTS
    for directory in sorted(segments.iterdir() if segments.is_dir() else ()):
        files = named.get(directory.name)
        strange = [each.name for each in directory.iterdir() if each.name not in files] if files else [""]
        for name in sorted(strange):
            shown = f"{SEGMENTS}/{directory.name}/{name}".rstrip("/")
            yield f"{shown} belongs to nothing; the next change removes it"
