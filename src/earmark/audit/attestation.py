"""Attestations: an in-toto Statement v1 about a scan's log, in a DSSE envelope with an Ed25519 signature."""

import dataclasses
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error as SecureSystemsError
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]  # the way its documents say

from earmark.audit.checking import LogCheck
from earmark.audit.copies import file_digest
from earmark.audit.keys import fingerprint_of, parse_public_key, public_pem
from earmark.audit.marks import first_difference, marks_of
from earmark.audit.merkle import root_of
from earmark.audit.record import LOG_FILE, canonical_json
from earmark.errors import AuditError, TamperedError
from earmark.scan import ITEMS_FILE, MATCHES_FILE, SUMMARY_FILE

__all__ = [
    "ATTESTATION_FILE",
    "Attestation",
    "attestation_faults",
    "parse_attestation",
    "read_attestation",
    "sign",
]

ATTESTATION_FILE = "attestation.json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "urn:earmark:scan:v1"
_SUBJECTS = (LOG_FILE, ITEMS_FILE, MATCHES_FILE, SUMMARY_FILE)
_MAX_BYTES = 10_000_000

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Attestation:
    """An attestation whose signature fits the key inside it.

    Attributes
    ----------
    data
        Bytes of its file.
    size, root
        Of the log that was signed.
    marks
        Of its lines, by which the first one that is another is found; as of `earmark.audit.marks`.
    begin, end
        The records of its last run.
    digests
        SHA-256 of the scan's files, by their names.
    public_key
        That the signature fits. Anyone can make a key: compare it with one you know.
    """

    data: bytes
    size: int
    root: bytes
    marks: str
    begin: dict[str, Any]
    end: dict[str, Any]
    digests: Mapping[str, str]
    public_key: Ed25519PublicKey


def sign(scan: Path, check: LogCheck, key: Ed25519PrivateKey) -> bytes:
    """Return an attestation of a scan folder as the bytes of its file; the same each time.

    Parameters
    ----------
    scan
        The folder.
    check
        What its log says, without faults.
    key
        To sign with.

    Raises
    ------
    AuditError
        If a file cannot be read.
    """
    public = key.public_key()
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": file_digest(scan / name)}} for name in _SUBJECTS],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "log": {"size": check.tree.size, "root": check.tree.root.hex(), "marks": marks_of(check.leaf_list())},
            "begin": check.begin,
            "end": check.end,
            "publicKey": public_pem(public).decode(),
        },
    }
    envelope = Envelope(canonical_json(statement), PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(key, SSlibKey.from_crypto(public, keyid=fingerprint_of(public))))
    return _to_bytes(envelope)


def read_attestation(path: Path) -> Attestation:
    """Return the attestation of a file; see `parse_attestation`."""
    try:
        with path.open("rb") as file:
            return parse_attestation(file.read(_MAX_BYTES))
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror or error}; expected an attestation") from error
    except TamperedError as error:
        raise TamperedError(f"{path.name} was changed: {error}") from error


def parse_attestation(data: bytes) -> Attestation:
    """Return an attestation, its signature checked with the key inside it.

    Parameters
    ----------
    data
        Bytes of its file.

    Raises
    ------
    TamperedError
        If a byte of it is not as it was signed.
    """
    try:
        envelope = Envelope.from_dict(json.loads(data))
        if _to_bytes(envelope) != data or envelope.payload_type != PAYLOAD_TYPE:
            raise TamperedError("it is not in the form in which it was written")
        statement = json.loads(envelope.payload)
        predicate = statement["predicate"]
        public = parse_public_key(predicate["publicKey"].encode())
        envelope.verify([SSlibKey.from_crypto(public, keyid=fingerprint_of(public))], 1)
        if (statement["_type"], statement["predicateType"]) != (STATEMENT_TYPE, PREDICATE_TYPE):
            raise TamperedError(f"it is a statement of another kind; expected {PREDICATE_TYPE}")
        digests = {str(each["name"]): str(each["digest"]["sha256"]) for each in statement["subject"]}
        if predicate["log"]["size"] < 1 or digests.keys() != set(_SUBJECTS):
            raise TamperedError(f"it does not sign a log with the files {', '.join(_SUBJECTS)}")
        return Attestation(
            data=data,
            size=int(predicate["log"]["size"]),
            root=bytes.fromhex(predicate["log"]["root"]),
            marks=str(predicate["log"].get("marks", "")),
            begin=dict(predicate["begin"]),
            end=dict(predicate["end"]),
            digests=digests,
            public_key=public,
        )
    except SecureSystemsError as error:
        raise TamperedError(f"the signature does not fit what is signed: {error}") from error
    except TamperedError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, AuditError) as error:
        raise TamperedError(f"it is no attestation: {error}") from error


def _to_bytes(envelope: Envelope) -> bytes:
    return canonical_json(envelope.to_dict()) + b"\n"


def attestation_faults(
    attestation: Attestation, check: LogCheck, *, name: str = LOG_FILE, may_go_on: bool = False
) -> tuple[str, ...]:
    """Return in words where a log is not the one that was signed.

    Parameters
    ----------
    attestation
        That signs it.
    check
        What the log says, without faults.
    name
        What to call it.
    may_go_on
        Whether the log may have lines after those that were signed.
    """
    leaves, size = check.leaf_list(), attestation.size
    if len(leaves) >= size and root_of(leaves[:size]) == attestation.root:
        if len(leaves) > size and not may_go_on:
            words = "was added after the signature; attest again if you resumed the scan"
            return (f"{name}, line {size + 1} {words}",)
        return ()
    first, last = first_difference(attestation.marks, leaves, size)
    if first > len(leaves):
        return (f"{name}, line {len(leaves) + 1} was removed: {size} lines were signed",)
    words = "is not" if first == last else f"or one up to line {last} is not"
    after = "" if first == size else ", and all after it were made to fit"
    return (f"{name}, line {first} {words} the one that was signed{after}",)
