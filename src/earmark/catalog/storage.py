"""Changing a directory so that a crash at any byte leaves the old state or the new one, and one writer at a time."""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from earmark.catalog.manifest import MANIFEST, SEGMENTS, FileEntry, Manifest, render_manifest
from earmark.errors import CatalogError, CatalogLockedError

__all__ = ["check_unused", "clear_leftovers", "describe_file", "discard", "replace_manifest", "sync", "writer_lock"]

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
    strange = sorted({entry.name for entry in directory.iterdir()} - {SEGMENTS, _LOCK, MANIFEST + _PARTIAL})
    if strange:
        raise CatalogError(f"{directory}: holds other things ({strange[0]!r}); a catalog needs a directory of its own")


def clear_leftovers(catalog: Path, manifest: Manifest | None) -> None:
    """Delete what writers that died, or gave up, have left. To be called by the holder of the lock.

    Parameters
    ----------
    catalog : Path
    manifest : Manifest or None
        What belongs to the catalog; None if there is none, and then no segment is left.
    """
    kept = {segment.name for segment in manifest.segments} if manifest else set()
    (catalog / (MANIFEST + _PARTIAL)).unlink(missing_ok=True)
    segments = catalog / SEGMENTS
    if segments.is_dir():
        for entry in segments.iterdir():
            if entry.name not in kept:
                shutil.rmtree(entry)
        if manifest is None:
            segments.rmdir()


def discard(catalog: Path, *, made: bool) -> None:
    """Take back the beginnings of a catalog that came to nothing. To be called by the holder of the lock.

    Parameters
    ----------
    catalog : Path
    made : bool
        Whether the directory itself goes too.
    """
    clear_leftovers(catalog, None)
    (catalog / _LOCK).unlink(missing_ok=True)
    if made:
        with contextlib.suppress(OSError):  # another process may be putting something there
            catalog.rmdir()


def replace_manifest(catalog: Path, manifest: Manifest) -> None:
    """Put a manifest in place of the one there is, if any; everything it names is on disk already."""
    partial = catalog / (MANIFEST + _PARTIAL)
    partial.write_bytes(render_manifest(manifest))
    sync(partial)
    partial.replace(catalog / MANIFEST)
    sync(catalog)


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
