"""Keys: Ed25519 pairs in PEM files, the private one for its owner's eyes only."""

import hashlib
import logging
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from earmark.errors import AuditError

__all__ = ["fingerprint_of", "make_key", "parse_public_key", "public_pem", "read_private_key", "read_public_key"]

_OTHERS = 0o077  # mode bits of group and others
_MAX_BYTES = 100_000  # a PEM file of a key has some 120

logger = logging.getLogger(__name__)


def make_key(path: Path) -> tuple[Path, str]:
    """Make a key pair: the private key at `path`, mode 0600, the public key beside it with `.pub` added.

    Parameters
    ----------
    path
        A file that is not there yet.

    Returns
    -------
    public : Path
        File of the public key.
    fingerprint : str
        Of it.

    Raises
    ------
    AuditError
        If one of the files exists or cannot be written.
    """
    public = path.with_name(path.name + ".pub")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for file in (path, public):
        if file.exists():
            raise AuditError(f"{file} exists; expected a new file, as a key must not be lost")
    for file, data, mode in ((path, secret, 0o600), (public, public_pem(key.public_key()), 0o644)):
        try:
            number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(number, "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
        except OSError as error:
            raise AuditError(f"{file}: cannot be written: {error.strerror or error}") from error
    return public, fingerprint_of(key.public_key())


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Return the private key of a PEM file; says so if others may read it.

    Raises
    ------
    AuditError
        If it is none, is of another kind, or has a passphrase. The message holds nothing of the file.
    """
    data = _read(path)
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError as error:
        raise AuditError(f"{path}: the key has a passphrase; expected one without") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise AuditError(f"{path}: no private key in PEM form; make one with `earmark keys new`") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise AuditError(f"{path}: a key of another kind; expected Ed25519")
    if path.stat().st_mode & _OTHERS:
        logger.warning("%s: others can read this private key; `chmod 600` it", path)
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Return the public key of a PEM file.

    Raises
    ------
    AuditError
        If it is none.
    """
    try:
        return parse_public_key(_read(path))
    except AuditError as error:
        raise AuditError(f"{path}: {error}") from error


def parse_public_key(pem: bytes) -> Ed25519PublicKey:
    """Return the public key of a PEM text.

    Raises
    ------
    AuditError
        If it is none, or of another kind.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise AuditError("no public key in PEM form") from error
    if not isinstance(key, Ed25519PublicKey):
        raise AuditError("a key of another kind; expected Ed25519")
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Return a public key as PEM text."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint_of(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of a public key's SubjectPublicKeyInfo (DER), in hexadecimal."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror or error}; expected the file of a key") from error
