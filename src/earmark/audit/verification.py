"""Verification: a scan folder, a redacted one or a proof, checked offline against its log and its signature."""

import dataclasses
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from earmark.audit.attestation import (
    ATTESTATION_FILE,
    Attestation,
    attestation_faults,
    read_attestation,
)
from earmark.audit.checking import LogCheck, check_log, faults_in_files
from earmark.audit.copies import file_digest
from earmark.audit.keys import fingerprint_of
from earmark.audit.proof import check_proof
from earmark.audit.record import LOG_FILE, REDACTED_LOG_FILE
from earmark.audit.scan_lines import raw_lines
from earmark.audit.soundness import check_scan
from earmark.audit.timestamps import TIMESTAMP_FILE, check_timestamp
from earmark.errors import AuditError, TamperedError

__all__ = ["Verification", "verify"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What a verification found.

    Attributes
    ----------
    faults
        What is not as it was, the first line of each file; empty if all is well.
    notes
        What was checked, and what could not be.
    """

    faults: tuple[str, ...]
    notes: tuple[str, ...]


def verify(
    path: Path,
    *,
    public_key: Ed25519PublicKey | None = None,
    authorities: list[x509.Certificate] | None = None,
) -> Verification:
    """Check a scan folder, a redacted one, or the file of a proof.

    Parameters
    ----------
    path
        Of it.
    public_key
        That the attestation must be signed with; None to check it with the key inside it.
    authorities
        Root certificates that a time stamp must lead to; None to check only what it stamps.

    Raises
    ------
    AuditError
        If there is nothing to verify, or a later version of Earmark wrote it.
    """
    if path.is_file():
        return _verify_proof(path, public_key)
    if (path / REDACTED_LOG_FILE).exists():
        check = check_log(raw_lines(path / REDACTED_LOG_FILE), name=REDACTED_LOG_FILE, redacted=True)
        faults = check.faults or faults_in_files(path, check)
        name = REDACTED_LOG_FILE
    else:
        check, faults = check_scan(path)
        name = LOG_FILE
    notes = [] if faults else [_log_note(check, name)]
    signed, signed_notes = _verify_signature(path, check, name, public_key, authorities, sound=not faults)
    return Verification(faults=(*faults, *signed), notes=(*notes, *signed_notes))


def _log_note(check: LogCheck, name: str) -> str:
    runs = "one run" if check.n_runs == 1 else f"{check.n_runs} runs"
    hidden = f", {check.n_hidden:,} of them hidden" if check.n_hidden else ""
    totals = check.totals
    return (
        f"{name}: {check.tree.size:,} lines{hidden}, of {runs}, agree with one another and with "
        f"{totals.n_items:,} lines of items and {totals.n_matches:,} of matches; root {check.tree.root.hex()}"
    )


def _verify_signature(
    path: Path,
    check: LogCheck,
    name: str,
    public_key: Ed25519PublicKey | None,
    authorities: list[x509.Certificate] | None,
    *,
    sound: bool,
) -> tuple[list[str], list[str]]:
    """Return faults and notes about attestation and time stamp."""
    if not (path / ATTESTATION_FILE).exists():
        if public_key is not None or authorities or (path / TIMESTAMP_FILE).exists() or name == REDACTED_LOG_FILE:
            return [f"{ATTESTATION_FILE} was removed or never made"], []
        return [], ["not signed: whoever can write to the folder can make it anew; see `earmark attest`"]
    try:
        attestation = read_attestation(path / ATTESTATION_FILE)
    except TamperedError as error:
        return [str(error)], []
    faults: list[str] = []
    notes: list[str] = []
    if sound:
        faults += attestation_faults(attestation, check, name=name)
        if not faults and name == LOG_FILE:
            faults += _subject_faults(path, attestation)
    fault, note = _signature_note(attestation, public_key)
    faults += [f"{ATTESTATION_FILE}: {fault}"] if fault else []
    notes += [f"{ATTESTATION_FILE}: {note}"] if note else []
    fault, note = _timestamp_note(path / TIMESTAMP_FILE, attestation, authorities)
    return [*faults, *filter(None, [fault])], [*notes, *filter(None, [note])]


def _timestamp_note(
    path: Path, attestation: Attestation, authorities: list[x509.Certificate] | None
) -> tuple[str | None, str | None]:
    """Return a fault or a note, in words, about a time stamp; neither if there is none and none is asked for."""
    if not path.exists():
        return (f"{path.name} was removed or never attached" if authorities else None), None
    try:
        moment = check_timestamp(path.read_bytes(), attestation.data, authorities)
    except TamperedError as error:
        return f"{path.name}: {error}", None
    except AuditError as error:  # the library is missing
        if authorities:
            raise
        return None, f"{path.name}: not checked: {error}"
    trust = "by the authority given" if authorities else "its signature not checked: give --tsa-certificate"
    return None, f"{path.name}: stamped {moment.isoformat()}, {trust}"


def _subject_faults(path: Path, attestation: Attestation) -> list[str]:
    changed = [name for name, digest in attestation.digests.items() if file_digest(path / name) != digest]
    return [f"{name} is not the file that was signed" for name in changed]


def _signature_note(attestation: Attestation, public_key: Ed25519PublicKey | None) -> tuple[str | None, str | None]:
    """Return a fault or a note, in words, about whose signature an attestation has."""
    inside = fingerprint_of(attestation.public_key)
    if public_key is None:
        return None, f"signed with key {inside}, which is inside it: compare it, or give --public-key"
    if fingerprint_of(public_key) != inside:
        return f"signed with key {inside}; expected {fingerprint_of(public_key)}", None
    return None, f"signed with the key given, {inside}"


def _verify_proof(path: Path, public_key: Ed25519PublicKey | None) -> Verification:
    try:
        words, attestation = check_proof(path.read_bytes())
    except TamperedError as error:
        return Verification(faults=(f"{path.name}: {error}",), notes=())
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror or error}") from error
    if attestation is None:
        fault = f"{path.name}: has no attestation, so no key can be checked" if public_key is not None else None
        note: str | None = "not signed: compare the root with one that you know"
    else:
        fault, note = _signature_note(attestation, public_key)
    return Verification(faults=(fault,) if fault else (), notes=(words, note) if note else (words,))
