"""Files elsewhere, through fsspec: opened, read on where a connection broke off, with their failures in words."""

import contextlib
import errno
import io
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from earmark.corpus.location import local_path, open_local
from earmark.corpus.random_access import RandomAccess
from earmark.errors import CorpusError

__all__ = ["failures_in_words", "filesystem_of", "is_remote_folder", "list_folder", "open_location"]

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 8 << 20
# s3fs makes five tries of its own for some failures; these bridge longer gaps too, as of a server that starts anew.
_TRIES = 6
_FIRST_WAIT_S = 0.25
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


def list_folder(location: str) -> list[tuple[str, int | None]]:
    """Return the names in a folder elsewhere, each with its size in bytes, None for folders.

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
            names.append((name, None if one["type"] == "directory" else int(one.get("size") or 0)))
    return names


def is_remote_folder(location: str) -> bool:
    """Return whether a URL is that of a folder.

    Raises
    ------
    OSError
        If it is neither folder nor file, or cannot be looked at.
    """
    filesystem, path = filesystem_of(location)
    with failures_in_words(location):  # no further tries: whether there is a server at all shall be told soon
        about = filesystem.info(path)
    return bool(about["type"] == "directory")


class _RemoteFile(RandomAccess):
    """A file elsewhere; what fails is tried again, from where it was."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._filesystem, self._path = filesystem_of(location)
        self._file: Any = None
        size = self._retried(lambda file: getattr(file, "size", None))
        if size is None:
            raise OSError(errno.ESPIPE, f"{location}: the server does not say how large it is")
        super().__init__(int(size))

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
    """Do something, and do it again if it fails in a way that may pass."""
    for n_failures in range(1, _TRIES + 1):
        try:
            with failures_in_words(location):
                return action()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            raise
        except OSError as error:
            after_failure()
            if n_failures == _TRIES:
                raise
            logger.info("%s; trying again", error)
            time.sleep(_FIRST_WAIT_S * 2 ** (n_failures - 1))
    raise AssertionError("the last failure is raised")
