"""Locations: paths and fsspec URLs, opened for reading, with their failures in words."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from earmark.errors import CorpusError

__all__ = ["failures_in_words", "filesystem_of", "is_http", "is_url", "join", "local_path", "open_local", "parent"]

_BUFFER_BYTES = 1 << 16
_INSTALL = {
    "s3fs": "pip install 'earmark[s3]'",
    "gcsfs": "pip install 'earmark[gcs]'",
    "aiohttp": "pip install 'earmark[http]'",
}
_NO_CREDENTIALS = (
    "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or for a public bucket "
    "FSSPEC_S3_ANON=true"
)
# Classes of libraries that may not be installed, by name: what they mean, and what to do.
_FAILURES = {
    "NoCredentialsError": _NO_CREDENTIALS,
    "PartialCredentialsError": "credentials are incomplete; set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "ProfileNotFound": "the profile that AWS_PROFILE names is not in the AWS configuration",
    "TokenRetrievalError": "the login has expired; sign in again (aws sso login)",
    "EndpointConnectionError": "the server cannot be reached; check the network and AWS_ENDPOINT_URL",
    "DefaultCredentialsError": "no Google credentials were found; set GOOGLE_APPLICATION_CREDENTIALS, or for a public "
    "bucket FSSPEC_GS_TOKEN=anon",
}


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
    >>> join("s3://bucket/a", "b.wav"), join("", "b.wav")
    ('s3://bucket/a/b.wav', 'b.wav')
    """
    head, separator, rest = folder.partition("::")
    if not is_url(folder):
        return os.path.join(folder, relative)  # noqa: PTH118 - also joins an absolute path
    return head + ("" if head.endswith("/") else "/") + relative + separator + rest


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


def filesystem_of(location: str) -> tuple[Any, str]:
    """Return the fsspec filesystem of a URL, and the path in it.

    Raises
    ------
    CorpusError
        If nobody knows such a URL, or the library for it is not installed.
    OSError
        If the place cannot be reached; see `failures_in_words`.
    """
    try:
        with failures_in_words(location):
            filesystem, path = fsspec.core.url_to_fs(location)
    except ImportError as error:
        library = next((name for name in _INSTALL if name in str(error)), None)
        how = _INSTALL[library] if library else str(error)
        raise CorpusError(f"{location}: a library is missing for such URLs: {how}") from error
    except ValueError as error:
        raise CorpusError(f"{location}: {error}") from error
    return filesystem, path


@contextlib.contextmanager
def failures_in_words(location: str) -> Iterator[None]:
    """Turn what the libraries behind fsspec raise into OSError, with what happened and what to do about it.

    Raises
    ------
    OSError
        PermissionError and FileNotFoundError stay what they are. No other class says that a retry is in vain.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, f"{location}: there is no such file, folder or bucket") from error
    except PermissionError as error:
        said = error.strerror or str(error)
        raise PermissionError(errno.EACCES, f"{location}: access is denied ({said}); check the credentials") from error
    except OSError as error:
        raise OSError(error.errno or errno.EIO, f"{location}: {error.strerror or error}") from error
    except (ImportError, ValueError, CorpusError):
        raise
    except Exception as error:
        name = type(error).__name__
        words = _FAILURES.get(name, f"{name}: {error}")
        kind = PermissionError if "Credentials" in name or name == "ProfileNotFound" else OSError
        raise kind(errno.EIO, f"{location}: {words}") from error


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
