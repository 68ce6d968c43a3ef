"""Locations: paths and fsspec URLs, taken apart and put together; and local files, opened without surprises."""

import errno
import os
import posixpath
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["is_http", "is_url", "join", "local_path", "open_local", "parent"]

_BUFFER_BYTES = 1 << 16


def is_url(location: str) -> bool:
    """Return whether a location is a URL: paths never hold "://", for `Path` leaves one slash of two.

    Examples
    --------
    >>> is_url("s3://bucket/key"), is_url("folder/file.tar")
    (True, False)
    """
    return "://" in location


def is_http(location: str) -> bool:
    """Return whether a URL, or any link of a chained one, goes to a web server.

    Examples
    --------
    >>> is_http("https://host/a.tar"), is_http("zip://a.wav::http://host/a.zip"), is_http("s3://bucket/http")
    (True, True, False)
    """
    return any(part.split("://")[0] in ("http", "https") for part in location.split("::"))


def local_path(location: str) -> Path | None:
    """Return the path that a location means, of a "file://" URL too; None if it is elsewhere.

    Examples
    --------
    >>> local_path("file:///data/a.tar").as_posix(), local_path("s3://bucket/a.tar")
    ('/data/a.tar', None)
    """
    if not is_url(location):
        return Path(location)
    if "::" not in location and location.split("://", maxsplit=1)[0] in ("file", "local"):
        return Path(location.split("://", 1)[1])
    return None


def join(folder: str, relative: str) -> str:
    """Return the location of a relative path below a folder's location.

    Examples
    --------
    >>> join("s3://bucket/a", "../b.wav"), join("", "b.wav")
    ('s3://bucket/b.wav', 'b.wav')
    """
    head, separator, rest = folder.partition("::")
    if not is_url(folder):
        return os.path.join(folder, relative)  # noqa: PTH118 - also joins an absolute path
    scheme, _, path = head.partition("://")
    joined = posixpath.join(path, relative)
    if ".." in relative.split("/"):  # buckets have no folders to go up in
        joined = posixpath.normpath(joined)
    return f"{scheme}://{joined}{separator}{rest}"


def parent(location: str) -> str:
    """Return the location of the folder that a file is in.

    Examples
    --------
    >>> parent("s3://bucket/a/b.jsonl"), parent("a/b.jsonl"), parent("zip://a/b.csv::s3://bucket/c.zip")
    ('s3://bucket/a', 'a', 'zip://a::s3://bucket/c.zip')
    """
    if not is_url(location):
        return os.path.dirname(location)  # noqa: PTH120 - "" stays ""
    head, separator, rest = location.partition("::")
    scheme, _, path = head.partition("://")
    return f"{scheme}://{path.rpartition('/')[0]}{separator}{rest}"


def open_local(path: str | Path) -> BinaryIO:
    """Open a local file for reading, and nothing but a regular file: a FIFO would wait for a writer for ever.

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            words = "is a directory" if stat.S_ISDIR(mode) else "is a FIFO, socket or device, not a file"
            raise OSError(errno.EINVAL, words, str(path))
        return os.fdopen(descriptor, "rb", buffering=_BUFFER_BYTES)
    except BaseException:
        os.close(descriptor)
        raise
