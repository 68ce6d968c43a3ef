"""Changing a directory so that a crash at any byte leaves the old state or the new one, and one writer at a time."""

import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from earmark.catalog.manifest import (
    MANIFEST,
    MANIFEST_COPY,
    SEGMENTS,
    TRACKS,
    UNFINISHED,
    FileEntry,
    Manifest,
    SegmentEntry,
    read_manifest,
    render_manifest,
    tracks_file,
)
from earmark.errors import CatalogDamagedError, CatalogError, CatalogLockedError

__all__ = [
    "check_unused",
    "clear_leftovers",
    "describe_file",
    "discard",
    "free_name",
    "replace_manifest",
    "segment_files",
    "sync",
    "unfinished_segments",
    "writer_lock",
]

logger = logging.getLogger(__name__)

_LOCK: Final = "lock"
_PARTIAL: Final = ".partial"


@contextlib.contextmanager
def writer_lock(catalog: Path) -> Iterator[None]:
    """Hold the right to change a catalog; it ends with the process, however that ends.

    Parameters
    ----------
    catalog : Path
        The catalog's directory, which exists.

    Raises
    ------
    CatalogLockedError
        If another process holds it, at once.
    """
    path = catalog / _LOCK
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise CatalogLockedError(f"{catalog}: another process is changing this catalog; wait for it") from None
        except BaseException:
            os.close(descriptor)
            raise
        if _is_at(descriptor, path):
            break
        os.close(descriptor)  # a writer that gave up took its lock file away meanwhile
    try:
        yield
    finally:
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def check_unused(directory: Path) -> None:
    """Raise CatalogError if a directory holds things that writers of catalogs do not make."""
    ours = {SEGMENTS, UNFINISHED, _LOCK, *(MANIFEST + _PARTIAL, MANIFEST_COPY, MANIFEST_COPY + _PARTIAL)}
    strange = sorted({entry.name for entry in directory.iterdir()} - ours)
    if strange:
        raise CatalogError(f"{directory}: holds other things ({strange[0]!r}); a catalog needs a directory of its own")


def clear_leftovers(catalog: Path, manifest: Manifest | None) -> None:
    """Delete what writers that died, or gave up, have left, but not what an unfinished build or add can go on with.

    To be called by the holder of the lock.

    Parameters
    ----------
    catalog : Path
    manifest : Manifest or None
        What belongs to the catalog; None if there is none.
    """
    kept = {segment.name: segment for segment in manifest.segments} if manifest else {}
    unfinished = unfinished_segments(catalog)
    if any(entry.name in kept for entry in unfinished):  # it came to its end, all but this
        shutil.rmtree(catalog / UNFINISHED)
        unfinished = ()
    kept |= {entry.name: entry for entry in unfinished}
    for name in (MANIFEST, MANIFEST_COPY):
        (catalog / (name + _PARTIAL)).unlink(missing_ok=True)
    if manifest is not None and (data := (catalog / MANIFEST).read_bytes()) != _read_if_there(catalog / MANIFEST_COPY):
        _write_aside(catalog / MANIFEST_COPY, data).replace(catalog / MANIFEST_COPY)
    segments = catalog / SEGMENTS
    if segments.is_dir():
        for directory in segments.iterdir():
            _clear_segment(directory, kept.get(directory.name))
        if not kept:
            segments.rmdir()


def _clear_segment(directory: Path, entry: SegmentEntry | None) -> None:
    if entry is None:
        shutil.rmtree(directory)
        return
    named = segment_files(entry)
    for path in directory.iterdir():
        if path.name not in named:
            path.unlink()


def segment_files(entry: SegmentEntry) -> dict[str, FileEntry]:
    """Return the files of a segment by their names in its directory."""
    return {tracks_file(entry) if name == TRACKS else name: file for name, file in entry.files.items()}


def unfinished_segments(catalog: Path) -> tuple[SegmentEntry, ...]:
    """Return the segments that an unfinished build or add has closed already."""
    directory = catalog / UNFINISHED
    try:
        return read_manifest(directory)[0].segments if (directory / MANIFEST).exists() else ()
    except CatalogDamagedError as error:
        logger.warning("%s; what the unfinished build or add had done is lost", error)
        return ()


def free_name(catalog: Path, manifest: Manifest) -> str:
    """Return a name for a new segment, above those of all others, unfinished ones included."""
    names = [entry.name for entry in (*manifest.segments, *unfinished_segments(catalog))]
    return f"{max(map(int, names), default=0) + 1:04d}"


def discard(catalog: Path, *, made: bool) -> None:
    """Take back the beginnings of a catalog that came to nothing. To be called by the holder of the lock.

    Parameters
    ----------
    catalog : Path
    made : bool
        Whether the directory itself goes too.
    """
    shutil.rmtree(catalog / UNFINISHED, ignore_errors=True)
    clear_leftovers(catalog, None)
    (catalog / MANIFEST_COPY).unlink(missing_ok=True)
    (catalog / _LOCK).unlink(missing_ok=True)
    if made:
        with contextlib.suppress(OSError):  # another process may be putting something there
            catalog.rmdir()


def replace_manifest(catalog: Path, manifest: Manifest) -> None:
    """Put a manifest in place of the one there is, if any; everything it names is on disk already."""
    data = render_manifest(manifest)
    partial, copy = (_write_aside(catalog / name, data) for name in (MANIFEST, MANIFEST_COPY))
    partial.replace(catalog / MANIFEST)
    copy.replace(catalog / MANIFEST_COPY)
    sync(catalog)


def _write_aside(path: Path, data: bytes) -> Path:
    partial = path.with_name(path.name + _PARTIAL)
    partial.write_bytes(data)
    sync(partial)
    return partial


def _read_if_there(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def sync(path: Path) -> None:
    """Have the system write a file, or a directory's list of names, to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def describe_file(path: Path) -> FileEntry:
    """Return the size and SHA-256 of a file."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(n_bytes=os.fstat(file.fileno()).st_size, sha256=sha256)
