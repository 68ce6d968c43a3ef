"""Time stamps of RFC 3161 on attestations: attached and checked, never fetched."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509

from earmark.errors import AuditError, TamperedError

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

__all__ = ["TIMESTAMP_FILE", "check_timestamp", "read_authorities"]

TIMESTAMP_FILE = "attestation.tsr"


def check_timestamp(response: bytes, data: bytes, authorities: list[x509.Certificate] | None = None) -> datetime:
    """Return when a time-stamping authority saw some data.

    Parameters
    ----------
    response
        Its answer, DER, to a request over the SHA-256, SHA-384 or SHA-512 of the data, with its certificate.
    data
        What was stamped.
    authorities
        Root certificates to trust; None if the signature is not to be checked, only what was stamped.

    Raises
    ------
    TamperedError
        If it is no time stamp of the data, or not of one of these authorities.
    AuditError
        If the library for it is not installed.
    """
    client = _client()
    try:
        stamp: TimeStampResponse = client.decode_timestamp_response(response)
        moment: datetime = stamp.tst_info.gen_time
        imprint = stamp.tst_info.message_imprint
        algorithm = imprint.hash_algorithm
        stamped = bytes(imprint.message)
    except ValueError as error:
        raise TamperedError(f"no answer of a time-stamping authority: {error}") from error
    if stamped != _digest(algorithm.dotted_string, data):
        raise TamperedError("the time stamp is of something else; expected one of attestation.json")
    if authorities:
        try:
            client.VerifierBuilder(roots=authorities).build().verify_message(stamp, data)
        except (client.VerificationError, ValueError) as error:
            raise TamperedError(f"the time stamp is not signed by the authority given: {error}") from error
    return moment


def read_authorities(path: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file.

    Raises
    ------
    AuditError
        If there is none.
    """
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror or error}; expected certificates in PEM form") from error
    except ValueError as error:
        raise AuditError(f"{path}: no certificates in PEM form: {error}") from error


def _digest(algorithm: str, data: bytes) -> bytes:
    names = {
        "2.16.840.1.101.3.4.2.1": "sha256",
        "2.16.840.1.101.3.4.2.2": "sha384",
        "2.16.840.1.101.3.4.2.3": "sha512",
    }
    if algorithm not in names:
        raise TamperedError(f"the time stamp is over hash {algorithm}; expected SHA-256, SHA-384 or SHA-512")
    return hashlib.new(names[algorithm], data).digest()


def _client() -> Any:  # noqa: ANN401 - the module
    try:
        import rfc3161_client
    except ImportError as error:
        raise AuditError("time stamps need a library: pip install 'earmark[timestamps]'") from error
    return rfc3161_client
