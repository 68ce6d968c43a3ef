"""Encryption to recipients, in the format of age (age-encryption.org/v1) by its library: X25519, ChaCha20-Poly1305.

Whoever has the key of any one recipient can open it, with Earmark or with age itself. Every 64 KiB are authenticated,
and so is their end: what was changed, cut or joined is not decrypted.
"""

import contextlib
import logging
import os
import queue
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import pyrage
from pyrage.x25519 import Identity, Recipient

from earmark.errors import PackError, PackTamperedError

__all__ = ["encrypted", "make_identity", "opened", "read_identities", "read_recipients"]

_MAGIC: Final = b"age-encryption.org/"
_PIECE: Final = 1 << 20
_AHEAD: Final = 4  # pieces decrypted before anyone asks
_OTHERS: Final = 0o077  # mode bits of group and others
_MAX_KEY_BYTES: Final = 100_000
_RECIPIENT: Final = re.compile(r"age1[0-9a-z]+", re.ASCII)

logger = logging.getLogger(__name__)


class _Sink(Protocol):
    def write(self, data: bytes, /) -> int: ...


def make_identity(path: Path) -> tuple[Path, str]:
    """Make a pair of keys for encryption: the private one at `path`, mode 0600, the public one in `path` with `.pub`.

    Both are files of age, one key a line.

    Parameters
    ----------
    path
        A file that is not there yet.

    Returns
    -------
    public : Path
        File of the public key.
    recipient : str
        The public key itself, age1...

    Raises
    ------
    PackError
        If one of the files exists or cannot be written.
    """
    identity = Identity.generate()
    recipient, public = str(identity.to_public()), path.with_name(path.name + ".pub")
    for file in (path, public):
        if file.exists():
            raise PackError(f"{file} exists; expected a new file, as a key must not be lost")
    secret = f"# public key: {recipient}\n{identity}\n"
    for file, text, mode in ((path, secret, 0o600), (public, f"{recipient}\n", 0o644)):
        try:
            number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(number, "w", encoding="ascii") as opened_file:
                opened_file.write(text)
                opened_file.flush()
                os.fsync(opened_file.fileno())
        except OSError as error:
            raise PackError(f"{file}: cannot be written: {error.strerror or error}") from error
    return public, recipient


def read_identities(path: Path) -> list[Identity]:
    """Return the private keys in a file; says so if others may read it.

    Raises
    ------
    PackError
        If there is none, or a line is none. The message holds nothing of the file.
    """
    found = []
    for number, line in _lines(path):
        try:
            found.append(Identity.from_str(line))
        except pyrage.IdentityError as error:
            raise PackError(
                f"{path}, line {number}: no private key for encryption (AGE-SECRET-KEY-1...); make one with "
                f"`earmark keys new --kind encryption`"
            ) from error
    if not found:
        raise PackError(f"{path}: no private key in it")
    if path.stat().st_mode & _OTHERS:
        logger.warning("%s: others can read this private key; `chmod 600` it", path)
    return found


def read_recipients(text: str) -> list[Recipient]:
    """Return the recipients that are meant: by a public key itself, age1..., or by a file of them, one a line.

    Raises
    ------
    PackError
        If it is neither.
    """
    if _RECIPIENT.fullmatch(text):
        return [_recipient(text, text)]
    found = [_recipient(line, f"{text}, line {number}") for number, line in _lines(Path(text))]
    if not found:
        raise PackError(f"{text}: no public key in it")
    return found


def encrypted(plain: Iterator[bytes], recipients: Sequence[Recipient], sink: _Sink) -> None:
    """Write what comes to a file, for recipients each of whom can open it alone; as it is if there are none.

    Raises
    ------
    PackError
        If it cannot be encrypted.
    OSError
        If it cannot be written.
    """
    if not recipients:
        for piece in plain:
            sink.write(piece)
        return
    source, target = _Source(plain), _Target(sink)
    try:
        pyrage.encrypt_io(source, target, list(recipients))
    except (pyrage.EncryptError, OSError) as error:
        if (cause := source.error or target.error) is not None:
            raise cause from None  # that it passed through age says nothing
        raise PackError(f"cannot be encrypted: {error}") from error


@contextlib.contextmanager
def opened(path: Path, identities: Sequence[Identity]) -> Iterator[Iterator[bytes]]:
    """Give the contents of a file that `encrypted` wrote, piece by piece.

    Parameters
    ----------
    path
        Of the file.
    identities
        Private keys to try, if it is encrypted.

    Raises
    ------
    PackTamperedError
        If what is encrypted is not as it was.
    PackError
        If it cannot be read, or is for others.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except (OSError, ValueError) as error:
        raise PackError(f"{path}: {getattr(error, 'strerror', None) or error}; expected a pack") from error
    if start != _MAGIC:
        with path.open("rb") as file:
            yield iter(lambda: file.read(_PIECE), b"")
        return
    if not identities:
        raise PackError(f"{path}: is encrypted; give the private key of a recipient with --identity")
    decryption = _Decryption(path, identities)
    try:
        yield decryption.pieces()
    finally:
        decryption.stop()


class _Source:
    """What age reads from: an iterator of bytes as a file, which remembers what went wrong with it."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, memoryview(b"")
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Return up to so many bytes; none at the end."""
        try:
            while not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    return b""
                self._rest = memoryview(piece)
        except BaseException as error:
            self.error = error
            raise
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)


class _Target:
    """What age writes to, which remembers what went wrong with it."""

    def __init__(self, sink: _Sink) -> None:
        self._sink = sink
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        """Write all of it."""
        try:
            self._sink.write(data)
        except BaseException as error:
            self.error = error
            raise
        return len(data)

    def flush(self) -> None:
        """Do nothing: whoever made the file flushes it."""


class _StoppedError(Exception):
    """Nobody wants more of it."""


class _Decryption:
    """A thread that decrypts, as age hands its output over instead of letting it be fetched."""

    def __init__(self, path: Path, identities: Sequence[Identity]) -> None:
        self._path, self._identities = path, list(identities)
        self._pieces: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
        self._buffer = bytearray()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="earmark-decrypt", daemon=True)
        self._thread.start()

    def pieces(self) -> Iterator[bytes]:
        """Yield what comes out, and raise what went wrong."""
        while True:
            piece = self._pieces.get()
            if piece is None:
                return
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def stop(self) -> None:
        """End the thread, wherever it is."""
        self._stopped.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._pieces.get(timeout=0.05)
        self._thread.join()

    def write(self, data: bytes) -> int:
        """Take what age has decrypted."""
        if self._stopped.is_set():
            raise _StoppedError
        self._buffer += data
        if len(self._buffer) >= _PIECE:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Hand over what was taken."""
        if self._buffer:
            self._pieces.put(bytes(self._buffer))
            self._buffer.clear()

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            with self._path.open("rb") as file:
                pyrage.decrypt_io(file, self, self._identities)
            self.flush()
        except _StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised again where it can be answered
            end = self._error(error)
        self._pieces.put(end)

    def _error(self, error: BaseException) -> BaseException:
        """Return in our words what age says went wrong."""
        if isinstance(error, pyrage.DecryptError) and "No matching keys" in str(error):
            return PackError(
                f"{self._path}: is encrypted for others: none of the given keys opens it (or its first lines were "
                f"changed); ask for a pack for your public key"
            )
        if isinstance(error, OSError) and error.errno is not None:
            return PackError(f"{self._path}: cannot be read: {error.strerror or error}")
        if isinstance(error, pyrage.DecryptError | OSError):
            return PackTamperedError(f"{self._path}: not as it was encrypted (changed, cut short or joined): {error}")
        return error


def _recipient(text: str, where: str) -> Recipient:
    try:
        return Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise PackError(f"{where}: no public key for encryption; expected age1..., {error}") from error


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a file of keys that are no comments, with their numbers."""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_KEY_BYTES).decode("ascii", "replace")
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        raise PackError(f"{path}: {words}; expected a file of keys for encryption") from error
    lines = enumerate(text.splitlines(), 1)
    return [(number, line.strip()) for number, line in lines if line.strip() and not line.startswith("#")]
