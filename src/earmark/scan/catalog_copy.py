"""A catalog from elsewhere, copied to this machine once, checked by its digests, and mapped from there by all."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from earmark.catalog.manifest import MANIFEST, SEGMENTS, FileEntry, read_manifest
from earmark.catalog.storage import sync
from earmark.corpus.location import is_url, join
from earmark.corpus.remote import open_location
from earmark.errors import CatalogDamagedError, CatalogError, CorpusError, EarmarkError, ScanError

__all__ = ["default_cache", "local_catalog"]

_CHUNK_BYTES = 8 << 20


def default_cache() -> Path:
    """Return the folder below the system's temporary one that copies of catalogs go to."""
    return Path(tempfile.gettempdir()) / f"earmark-catalogs-{os.getuid()}"


def local_catalog(location: str | Path, *, cache: Path | None = None, digest: str | None = None) -> Path:
    """Return the folder on this machine that holds a catalog.

    A path is that folder itself. What a URL names is copied first, unless that was done before: one process of a
    machine copies, the others wait for it. The copy is complete and as it was written, or it is not there.

    Parameters
    ----------
    location
        Path or fsspec URL of the catalog.
    cache
        Folder for copies, each below the digest of its catalog; None for `default_cache`. It should be a disk of this
        machine.
    digest
        `Catalog.digest` of the state that is wanted; None takes the one that there is.

    Raises
    ------
    CatalogError
        If it is no catalog, or cannot be had.
    CatalogDamagedError
        If what arrived is not what its manifest says.
    ScanError
        If it is in another state than the one that is wanted, or the cache cannot be used.
    """
    if not is_url(str(location)):
        return Path(location)
    folder = cache or default_cache()
    try:
        _prepare(folder)
        if digest is not None and (folder / digest / MANIFEST).is_file():
            return folder / digest
        data = _read(join(str(location), MANIFEST))
        now = hashlib.sha256(data).hexdigest()
        if digest not in (None, now):
            raise ScanError(f"{location}: the catalog was changed during the scan (it was {digest}, now it is {now})")
        with _locked(folder / f"{now}.lock"):
            if not (folder / now / MANIFEST).is_file():
                _copy(str(location), folder, now, data)
        return folder / now
    except OSError as error:
        raise ScanError(f"{str(folder)!r} cannot hold a copy of the catalog {location}: {error}") from error


def _prepare(folder: Path) -> None:
    """Make the cache, and make sure that nobody else can write to it: what is mapped from there decides verdicts."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = folder.stat()
    if about.st_uid != os.getuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ScanError(f"{str(folder)!r}: copies of catalogs need a folder that nobody but this user can write to")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _copy(location: str, folder: Path, digest: str, manifest: bytes) -> None:
    """Copy a catalog aside, check it, and put it in place."""
    aside = folder / f".{digest}.partial"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        (aside / MANIFEST).write_bytes(manifest)
        try:
            segments = read_manifest(aside)[0].segments
        except CatalogError as error:
            raise type(error)(str(error).replace(str(aside), location)) from error
        for segment in segments:
            (aside / SEGMENTS / segment.name).mkdir(parents=True)
            for name, entry in segment.files.items():
                relative = f"{SEGMENTS}/{segment.name}/{name}"
                _copy_file(join(location, relative), aside / relative, entry)
        for path in [*aside.rglob("*"), aside]:
            sync(path)
        aside.rename(folder / digest)
        sync(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _copy_file(location: str, path: Path, entry: FileEntry) -> None:
    digest, n_bytes = hashlib.sha256(), 0
    with _words_of(location), open_location(location) as source, path.open("wb") as target:
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
            n_bytes += len(chunk)
            target.write(chunk)
    if (n_bytes, digest.hexdigest()) != (entry.n_bytes, entry.sha256):
        raise CatalogDamagedError(
            f"{location}: damaged: {n_bytes:,} bytes of SHA-256 {digest.hexdigest()} arrived, the manifest says "
            f"{entry.n_bytes:,} of {entry.sha256}"
        )


def _read(location: str) -> bytes:
    with _words_of(location), open_location(location) as file:
        return file.read()


@contextlib.contextmanager
def _words_of(location: str) -> Iterator[None]:
    """Turn failures to reach a file into one that names it."""
    try:
        yield
    except EarmarkError as error:
        if isinstance(error, CorpusError):
            raise CatalogError(str(error)) from error
        raise
    except OSError as error:
        raise CatalogError(f"{location}: {error.strerror or error}") from error
