"""The form of a pack: a line of JSON that says what it is, parts of bytes, and a last line with digest and signature.

::

    earmark pack 1
    {...}                                  the header
    {"bytes": 240, "part": "state"}        a part, followed by so many bytes
    {"bytes": 8103, "part": "tracks"}
    ...
    {"end": {...}, "envelope": ...}        SHA-256 of all before this line; the signature, or null

Nothing comes after the last line, and every byte before it is in the digest, so that no byte can be changed unnoticed.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from earmark.audit import fingerprint_of
from earmark.audit.envelopes import open_envelope, seal_envelope
from earmark.audit.record import canonical_json
from earmark.errors import AuditError, PackError, PackTamperedError, PackVersionError

__all__ = ["Header", "PackReader", "Verified", "pack_bytes"]

_FIRST_LINE: Final = b"earmark pack 1\n"
_FIRST_WORDS: Final = b"earmark pack "
_PREDICATE: Final = "urn:earmark:pack:v1"
_SUBJECT: Final = "pack"
_MAX_LINE: Final = 1 << 20
_MAX_PART: Final = 1 << 30


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What a pack says of itself.

    Attributes
    ----------
    written_by
        Program and version, for people.
    model_digest, config_digest
        What the fingerprints were made with.
    columns
        Of the track table, besides `track_id`.
    labels
        Whose tracks were chosen; None for all.
    state
        Digest of the state that a catalog has with it, as far as the choice goes.
    base
        Digest of the state that it must have before; None if the pack has all tracks.
    tracks
        Tracks of the state.
    added, corrected, gone
        Tracks that come, that only get other tags, and that go or are replaced.
    duration_s
        Seconds of audio of those that come.
    """

    written_by: str
    model_digest: str
    config_digest: str
    columns: tuple[str, ...]
    labels: tuple[str, ...] | None
    state: str
    base: str | None
    tracks: int
    added: int
    corrected: int
    gone: int
    duration_s: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """A pack that is as it was written.

    Attributes
    ----------
    header
        Its header.
    sha256
        Of all of it but the last line.
    signer
        Fingerprint of the public key that its signature fits; None if it is not signed.
    """

    header: Header
    sha256: str
    signer: str | None


def pack_bytes(header: Header, parts: Iterable[tuple[str, bytes]], key: Ed25519PrivateKey | None) -> Iterator[bytes]:
    """Yield the bytes of a pack.

    Parameters
    ----------
    header
        What it says of itself.
    parts
        Name and bytes of each.
    key
        To sign with; None leaves it unsigned.
    """
    sha256, n_parts = hashlib.sha256(), 0
    about = canonical_json(dataclasses.asdict(header)) + b"\n"
    for piece in (_FIRST_LINE, about):
        sha256.update(piece)
        yield piece
    for name, data in parts:
        n_parts += 1
        for piece in (canonical_json({"bytes": len(data), "part": name}) + b"\n", data):
            sha256.update(piece)
            yield piece
    yield _last_line(sha256.hexdigest(), header, n_parts, key)


def _last_line(sha256: str, header: Header, n_parts: int, key: Ed25519PrivateKey | None) -> bytes:
    envelope = None if key is None else seal_envelope(_SUBJECT, sha256, _PREDICATE, _said(header, n_parts), key)
    return _rendered(sha256, n_parts, envelope)


def _said(header: Header, n_parts: int) -> dict[str, Any]:
    return {"state": header.state, "base": header.base, "parts": n_parts}


def _rendered(sha256: str, n_parts: int, envelope: dict[str, Any] | None) -> bytes:
    return canonical_json({"end": {"parts": n_parts, "sha256": sha256}, "envelope": envelope}) + b"\n"


class PackReader:
    """A pack that is read once, from its beginning.

    Parameters
    ----------
    path
        What to call it in messages.
    pieces
        Its bytes.

    Attributes
    ----------
    header
        What it says of itself.

    Raises
    ------
    PackError
        If it is none.
    PackVersionError
        If a newer version wrote it.
    """

    def __init__(self, path: Path, pieces: Iterator[bytes]) -> None:
        self._path, self._pieces = path, pieces
        self._rest = b""
        self._sha256, self._n_parts = hashlib.sha256(), 0
        self._end: dict[str, Any] | None = None
        self._end_line = b""
        first = self._line()
        if first != _FIRST_LINE:
            if first.startswith(_FIRST_WORDS) and first[len(_FIRST_WORDS) :].strip().isdigit():
                raise PackVersionError(
                    f"{path}: is {first.decode().strip()}; this version of Earmark reads 1: update it"
                )
            raise PackError(f"{path}: no pack; expected a file that `earmark catalog pack` wrote")
        about = self._line()
        self._sha256.update(first + about)
        self.header = self._parsed(about)

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes of each part, of a pack that is known to be good."""
        for name, size in self._heads():
            yield name, b"".join(self._take(size))

    def skim(self) -> None:
        """Go to the end without keeping anything."""
        for _, size in self._heads():
            for _ in self._take(size):
                pass

    def verified(self) -> Verified:
        """Return that it is as it was written, at its end.

        Raises
        ------
        PackTamperedError
            If it is not.
        """
        if self._end is None:
            self.skim()
        sha256, n_parts = self._sha256.hexdigest(), self._n_parts
        end = self._end or {}
        envelope = end.get("envelope")
        if not isinstance(envelope, dict | None) or _rendered(sha256, n_parts, envelope) != self._end_line:
            raise self._tampered("its bytes are not those that were written")
        if self._rest or next(self._pieces, None):
            raise self._tampered("something was added at its end")
        signer = None
        if envelope is not None:
            try:
                said = _said(self.header, n_parts)
                signer = fingerprint_of(open_envelope(envelope, _SUBJECT, sha256, _PREDICATE, said))
            except AuditError as error:
                raise self._tampered(str(error)) from error
        return Verified(header=self.header, sha256=sha256, signer=signer)

    def _heads(self) -> Iterator[tuple[str, int]]:
        while True:
            line = self._line()
            try:
                head = json.loads(line)
                if "end" in head:
                    self._end, self._end_line = head, line
                    return
                name, size = str(head["part"]), head["bytes"]
                if type(size) is not int or not 0 <= size <= _MAX_PART:
                    raise ValueError("no size that a part has")
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise self._tampered(f"part {self._n_parts + 1} has no head ({error!r})") from error
            self._sha256.update(line)
            self._n_parts += 1
            yield name, size

    def _take(self, size: int) -> Iterator[bytes]:
        """Yield the next so many bytes."""
        while size:
            if not self._rest:
                self._rest = self._next()
            taken, self._rest = self._rest[:size], self._rest[size:]
            size -= len(taken)
            self._sha256.update(taken)
            yield taken

    def _line(self) -> bytes:
        while (at := self._rest.find(b"\n")) < 0:
            if len(self._rest) > _MAX_LINE:
                raise self._tampered(f"a line of more than {_MAX_LINE:,} bytes")
            self._rest += self._next()
        line, self._rest = self._rest[: at + 1], self._rest[at + 1 :]
        return line

    def _next(self) -> bytes:
        piece = next(self._pieces, None)
        if not piece:
            raise self._tampered("it ends too early")
        return piece

    def _parsed(self, about: bytes) -> Header:
        try:
            values = json.loads(about)
            labels = values["labels"]
            header = Header(
                **{
                    **values,
                    "columns": tuple(map(str, values["columns"])),
                    "labels": None if labels is None else tuple(map(str, labels)),
                }
            )
            counts = (header.tracks, header.added, header.corrected, header.gone)
            if canonical_json(dataclasses.asdict(header)) + b"\n" != about or not all(type(n) is int for n in counts):
                raise ValueError("of another form")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, AuditError) as error:
            raise self._tampered(f"its header is not as it was written ({error!r})") from error
        return header

    def _tampered(self, how: str) -> PackTamperedError:
        return PackTamperedError(f"{self._path}: changed or damaged: {how}; nothing of it was used")
