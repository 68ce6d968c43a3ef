"""Envelopes: any statement of in-toto in a DSSE envelope with one Ed25519 signature, the public key inside."""

import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error as SecureSystemsError
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]  # the way its documents say

from earmark.audit.attestation import PAYLOAD_TYPE, STATEMENT_TYPE
from earmark.audit.keys import fingerprint_of, parse_public_key, public_pem
from earmark.audit.record import canonical_json
from earmark.errors import AuditError, TamperedError

__all__ = ["open_envelope", "seal_envelope"]


def seal_envelope(
    name: str, sha256: str, predicate_type: str, predicate: Mapping[str, Any], key: Ed25519PrivateKey
) -> dict[str, Any]:
    """Return a signed statement about one digest; the same each time.

    Parameters
    ----------
    name
        What the digest is of.
    sha256
        The digest, in hexadecimal.
    predicate_type
        URI of what is said of it.
    predicate
        What is said of it.
    key
        To sign with.
    """
    public = key.public_key()
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": sha256}}],
        "predicateType": predicate_type,
        "predicate": {**predicate, "publicKey": public_pem(public).decode()},
    }
    envelope = Envelope(canonical_json(statement), PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(key, SSlibKey.from_crypto(public, keyid=fingerprint_of(public))))
    return dict(envelope.to_dict())


def open_envelope(
    envelope: Mapping[str, Any], name: str, sha256: str, predicate_type: str, predicate: Mapping[str, Any]
) -> Ed25519PublicKey:
    """Return the key that the signature of a statement fits, which says exactly this.

    Anyone can make a key: compare it with one that you know.

    Parameters
    ----------
    envelope
        From `seal_envelope`.
    name, sha256, predicate_type, predicate
        What it has to say.

    Raises
    ------
    TamperedError
        If it says anything else, or its signature does not fit.
    """
    try:
        opened = Envelope.from_dict(dict(envelope))
        statement = json.loads(opened.payload)
        public = parse_public_key(statement["predicate"]["publicKey"].encode())
        opened.verify([SSlibKey.from_crypto(public, keyid=fingerprint_of(public))], 1)
    except SecureSystemsError as error:
        raise TamperedError(f"the signature does not fit what is signed: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, AuditError) as error:
        raise TamperedError(f"it is no signature: {error}") from error
    expected = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": sha256}}],
        "predicateType": predicate_type,
        "predicate": {**predicate, "publicKey": public_pem(public).decode()},
    }
    if canonical_json(expected) != opened.payload or opened.payload_type != PAYLOAD_TYPE:
        raise TamperedError("what is signed is something else")
    return public
