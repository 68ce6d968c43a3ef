"""The audit log of a scan: what was scanned with what, signed, and checked offline."""

from earmark.audit.attestation import ATTESTATION_FILE, read_attestation
from earmark.audit.attesting import Redaction, attach_timestamp, attest, write_redacted
from earmark.audit.keys import fingerprint_of, make_key, read_public_key
from earmark.audit.log import logged, write_log
from earmark.audit.proof import prove_consistency, prove_item
from earmark.audit.record import LOG_FILE, REDACTED_LOG_FILE
from earmark.audit.timestamps import TIMESTAMP_FILE, read_authorities
from earmark.audit.verification import Verification, verify

__all__ = [
    "ATTESTATION_FILE",
    "LOG_FILE",
    "REDACTED_LOG_FILE",
    "TIMESTAMP_FILE",
    "Redaction",
    "Verification",
    "attach_timestamp",
    "attest",
    "fingerprint_of",
    "logged",
    "make_key",
    "prove_consistency",
    "prove_item",
    "read_attestation",
    "read_authorities",
    "read_public_key",
    "verify",
    "write_log",
    "write_redacted",
]
