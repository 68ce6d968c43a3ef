"""Files elsewhere, through fsspec: opened, read on where a connection broke off, with their failures in words."""

import contextlib
import errno
import io
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from earmark.corpus.location import local_path, open_local
from earmark.corpus.random_access import RandomAccess
from earmark.errors import CorpusError

__all__ = [
    "NOT_REACHABLE",
    "RemoteName",
    "failures_in_words",
    "filesystem_of",
    "is_remote_folder",
    "list_folder",
    "look_at_remote",
    "open_location",
    "version_of",
]

NOT_REACHABLE = errno.EHOSTUNREACH
"""Number of the OSError of a file elsewhere that cannot be had now, and perhaps can be later."""

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 8 << 20
# s3fs makes five tries of its own for some failures; these bridge longer gaps too, as of a server that starts anew. An
# item has two minutes, so that it is rather told that the server is away than that the item takes too long.
_PATIENCE_S = 60.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 8.0
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


# What filesystems call what changes with the bytes: S3 and web servers, Azure and others, Google.
_VERSIONS = ("ETag", "etag", "md5Hash", "crc32c", "checksum")


def open_location(location: str) -> BinaryIO:
    """Open a path or URL for reading and seeking; what is elsewhere is read ahead in blocks.

    Raises
    ------
    OSError
        If it cannot be opened, in words that say what to do about it.
    CorpusError
        If nobody knows such a URL, or the library for it is not installed.
    """
    path = local_path(location)
    if path is not None:
        return open_local(path)
    return io.BufferedReader(_RemoteFile(location), buffer_size=1 << 16)


def version_of(file: BinaryIO) -> str | None:
    """Return what `open_location` learned of the bytes of a file elsewhere, as in `RemoteName`; None of one here."""
    raw = getattr(file, "raw", None)
    return raw.version if isinstance(raw, _RemoteFile) else None


def filesystem_of(location: str) -> tuple[Any, str]:
    """Return the fsspec filesystem of a URL, and the path in it.

    Raises
    ------
    CorpusError
        If nobody knows such a URL, or the library for it is not installed.
    OSError
        If the place cannot be reached; see `failures_in_words`.
    """
    import fsspec  # 0.2 s, and most corpora are here

    try:
        with failures_in_words(location):
            filesystem, path = fsspec.core.url_to_fs(location, **_options_for(location))
    except ImportError as error:
        library = next((name for name in _INSTALL if name in str(error)), None)
        how = _INSTALL[library] if library else str(error)
        raise CorpusError(f"{location}: a library is missing for such URLs: {how}") from error
    except ValueError as error:
        raise CorpusError(f"{location}: {error}") from error
    return filesystem, path


def _options_for(location: str) -> dict[str, dict[str, Any]]:
    """Return options by protocol: botocore is to fail soon, for s3fs and we try again, and an item has its time."""
    schemes = {part.split("://")[0] for part in location.split("::") if "://" in part}
    config = {"retries": {"max_attempts": 1}, "connect_timeout": 10, "read_timeout": 30}
    return {scheme: {"config_kwargs": dict(config)} for scheme in sorted(schemes & {"s3", "s3a"})}


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


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteName:
    """A name in a folder elsewhere.

    Attributes
    ----------
    name
        Without the folder's.
    size_bytes
        Of a file; None of a folder.
    version
        What the place says of the bytes, such as an ETag: other bytes have another one; None if it says nothing.
    """

    name: str
    size_bytes: int | None
    version: str | None


def list_folder(location: str) -> list[RemoteName]:
    """Return the names in a folder elsewhere.

    Raises
    ------
    OSError
        If it cannot be listed; NotADirectoryError if it is a file.
    """
    filesystem, path = filesystem_of(location)
    found = _again_and_again(location, lambda: filesystem.ls(path, detail=True), lambda: None)
    if len(found) == 1 and found[0]["type"] == "file" and found[0]["name"].strip("/") == path.strip("/"):
        raise NotADirectoryError(errno.ENOTDIR, f"{location}: is a file")
    names = []
    for one in found:
        own = one["name"].strip("/") == path.strip("/")
        name = "" if own else one["name"].rstrip("/").rpartition("/")[2]
        # S3 lists the mark of a folder in it; it also lists what lies behind two slashes, as a folder with no name.
        if not own or one.get("StorageClass") == "DIRECTORY":
            names.append(_remote_name(name, one))
    return names


def look_at_remote(location: str) -> RemoteName:
    """Return what is to be known of a URL; its size is None if it is that of a folder.

    Raises
    ------
    OSError
        If it is neither folder nor file, or cannot be looked at.
    """
    filesystem, path = filesystem_of(location)
    with failures_in_words(location):  # no further tries: whether there is a server at all shall be told soon
        about = filesystem.info(path)
    return _remote_name(location, about)


def is_remote_folder(location: str) -> bool:
    """Return whether a URL is that of a folder.

    Raises
    ------
    OSError
        If it is neither folder nor file, or cannot be looked at.
    """
    return look_at_remote(location).size_bytes is None


def _remote_name(name: str, about: dict[str, Any]) -> RemoteName:
    is_folder = about["type"] == "directory"
    said = next((about[key] for key in _VERSIONS if about.get(key)), None)
    return RemoteName(
        name=name,
        size_bytes=None if is_folder else int(about.get("size") or 0),
        version=None if is_folder or said is None else str(said).strip('"'),
    )


class _RemoteFile(RandomAccess):
    """A file elsewhere; what fails is tried again, from where it was.

    Attributes
    ----------
    version
        As in `RemoteName`.
    """

    def __init__(self, location: str) -> None:
        self._location = location
        self._filesystem, self._path = filesystem_of(location)
        self._file: Any = None
        size, about = self._retried(lambda file: (getattr(file, "size", None), getattr(file, "details", None)))
        if size is None:
            raise OSError(errno.ESPIPE, f"{location}: the server does not say how large it is")
        super().__init__(int(size))
        self.version = _remote_name("", about).version if isinstance(about, dict) and "type" in about else None

    def read_at(self, position: int, n_bytes: int) -> bytes:
        def read(file: Any) -> bytes:  # noqa: ANN401
            file.seek(position)
            return bytes(file.read(n_bytes))

        return self._retried(read) if n_bytes else b""

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()

    def _retried(self, action: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - gives what the action gives
        def attempt() -> Any:  # noqa: ANN401
            if self._file is None:
                self._file = self._filesystem.open(self._path, "rb", block_size=_BLOCK_BYTES, cache_type="readahead")
            return action(self._file)

        return _again_and_again(self._location, attempt, self._forget)

    def _forget(self) -> None:
        self._file = None


def _again_and_again(location: str, action: Callable[[], Any], after_failure: Callable[[], None]) -> Any:  # noqa: ANN401
    """Do something, and for a minute do it again if it fails in a way that may pass."""
    give_up, wait_s = time.monotonic() + _PATIENCE_S, _FIRST_WAIT_S
    while True:
        try:
            with failures_in_words(location):
                return action()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            raise
        except OSError as error:
            after_failure()
            if time.monotonic() + wait_s > give_up:
                raise OSError(NOT_REACHABLE, error.strerror or str(error)) from error
            logger.info("%s; trying again", error)
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
