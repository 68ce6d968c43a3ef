"""Changing a registry file: aside, whole or not at all, by one writer at a time."""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from earmark.errors import RegistryDamagedError, RegistryError, RegistryLockedError
from earmark.rights.schema import DAMAGE, MAGIC, MIGRATIONS, migrate

__all__ = ["rewritten"]

_POLL_S: Final = 0.1


@contextlib.contextmanager
def rewritten(path: Path, *, wait_s: float, migrations: tuple[str, ...] = MIGRATIONS) -> Iterator[sqlite3.Connection]:
    """Open a copy of a registry file to change; at the end of the block it takes the file's place.

    Whoever has the old file open keeps it as it was. If the block raises, the file stays as it was. A file that is not
    there is made; one of an older version is brought up to date.

    Parameters
    ----------
    path : pathlib.Path
        The registry file.
    wait_s : float
        How long to wait for another writer to finish.
    migrations : tuple of str
        What this version of Earmark knows.

    Yields
    ------
    sqlite3.Connection
        In a transaction, which the end of the block commits.

    Raises
    ------
    RegistryLockedError
        If another process writes for longer than `wait_s`.
    RegistryVersionError, RegistryDamagedError
        As of `migrate`.
    RegistryError
        If the file or its folder cannot be written.
    """
    aside = path.with_name(f".{path.name}.partial")
    with _only_writer(path, wait_s):
        connection = None
        try:
            _copy(path, aside)
            connection = sqlite3.connect(aside, isolation_level=None)
            # Nobody else has the copy, and a crash leaves the old file: it need not be on the disk before the end.
            connection.execute("PRAGMA synchronous = OFF")
            migrate(connection, path, migrations)
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
            connection.close()
            _put(aside, path)
        except DAMAGE as error:
            raise RegistryDamagedError(f"{path} cannot be written: {error}") from error
        except OSError as error:
            raise RegistryError(f"{path} cannot be written: {error.strerror or error}") from error
        finally:
            if connection is not None:
                connection.close()
            _discard(aside)


def _discard(aside: Path) -> None:
    aside.unlink(missing_ok=True)
    aside.with_name(aside.name + "-journal").unlink(missing_ok=True)


def _copy(path: Path, aside: Path) -> None:
    """Copy the file, if there is one, over what a writer that died may have left."""
    _discard(aside)
    if not path.exists():
        return
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if start != MAGIC:
        raise RegistryError(f"{path} is no registry file; expected a new name, or a file that `license import` made")
    shutil.copyfile(path, aside)


def _put(aside: Path, path: Path) -> None:
    """Put the copy in the file's place, so that a crash at any moment leaves one or the other."""
    if path.exists():
        shutil.copymode(path, aside)
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _only_writer(path: Path, wait_s: float) -> Iterator[None]:
    """Hold the right to write; it ends with the process, however that ends."""
    lock = path.with_name(f".{path.name}.lock")
    deadline = time.monotonic() + wait_s
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise RegistryError(f"{path} cannot be written: {error.strerror or error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, lock):
                break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise RegistryLockedError(
                    f"{path}: another process is writing to this registry, for {wait_s:g} s now; try when it has ended"
                ) from None
            time.sleep(_POLL_S)
        os.close(descriptor)  # held by another, or taken away meanwhile
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
