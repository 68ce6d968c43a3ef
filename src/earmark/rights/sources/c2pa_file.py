"""C2PA: assertions on training and data mining that a signed file carries.

After "C2PA Technical Specification 1.4", section 18.21 (`c2pa.training-mining`), and "CAWG Training and Data Mining
Assertion 1.1" (`cawg.training-mining`), which took its place.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from earmark.audio.tags import read_tags
from earmark.errors import ParameterError, RegistryError
from earmark.rights.facts import known_isrc
from earmark.rights.grants import SCOPES, Scope
from earmark.rights.rows import BadCell
from earmark.rights.sources.incoming import Incoming, Notice, Statement
from earmark.rights.sources.repertoire import make_reservation

__all__ = ["read_c2pa"]

_LABELS: Final = ("cawg.training-mining", "c2pa.training-mining")
# Nothing is fetched: neither manifests that are elsewhere nor the state of certificates.
_OFFLINE: Final = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}


def read_c2pa(incoming: Incoming) -> Iterator[Statement]:
    """Yield the reservations that a file's manifest asserts.

    Each entry that is not allowed, or constrained, is reserved; one that is allowed is no grant. A file without a
    repertoire of its own is about the recording of the ISRC in its tags.

    Parameters
    ----------
    incoming : Incoming
        A file with an embedded C2PA manifest: MP3, WAV, FLAC, M4A, pictures and more.

    Yields
    ------
    Statement
        Reservations, and notices of what is left out.

    Raises
    ------
    RegistryError
        If it has no manifest, one that was tampered with, or no such assertion, or nobody says what it is about.
    ParameterError
        If c2pa-python is not installed.
    """
    manifest, state = _manifest_of(incoming.path)
    assertions = [
        each for each in manifest.get("assertions", []) if str(each.get("label", "")).split("__")[0] in _LABELS
    ]
    if not assertions:
        raise RegistryError(f"{incoming.path}: its C2PA manifest asserts nothing on training and data mining")
    signature = manifest.get("signature_info") or {}
    signer = " ".join(str(signature.get("issuer") or "somebody unnamed").split())
    isrc = known_isrc(read_tags(incoming.path).isrc)
    for assertion in assertions:
        entries = (assertion.get("data") or {}).get("entries")
        if not isinstance(entries, dict):
            yield BadCell(line=0, column="entries", complaint=f"assertion {assertion['label']} has no entries")
            continue
        reserved, others = _sort_entries(entries)
        yield from others
        for (permission, words), scopes in reserved.items():
            yield make_reservation(
                incoming,
                "c2pa",
                scopes=scopes,
                permission="constrained" if permission == "constrained" else "not_allowed",
                text=f"{assertion['label']}, signed by {signer} ({state})" + (f": {words}" if words else ""),
                asserted_at=_day(signature.get("time")),
                repertoire={"isrc": isrc} if isrc else None,
            )


def _manifest_of(path: Path) -> tuple[Mapping[str, Any], str]:
    """Return the active manifest of a file, and how its signature stands."""
    try:
        import c2pa
    except ImportError as error:
        raise ParameterError("C2PA manifests need c2pa-python: pip install 'earmark[c2pa]'") from error
    try:
        with c2pa.Context.from_dict(_OFFLINE) as context, c2pa.Reader(str(path), context=context) as reader:
            store = json.loads(reader.json())
    except c2pa.C2paError as error:
        words = " ".join(str(error).split())
        raise RegistryError(
            f"{path} has no C2PA manifest that can be read ({words}); expected a table, a message or a "
            "declaration that `earmark license import --help` lists"
        ) from error
    state = str(store.get("validation_state", "unknown"))
    if state == "Invalid":
        codes = sorted({str(each.get("code")) for each in store.get("validation_status") or []})
        raise RegistryError(
            f"{path}: its C2PA manifest is not valid ({', '.join(codes)}): the file was changed after it"
        )
    return store["manifests"][store["active_manifest"]], f"validation state {state}"


def _sort_entries(
    entries: Mapping[str, Any],
) -> tuple[Mapping[tuple[str, str | None], list[Scope]], list[Statement]]:
    """Gather the scopes that are reserved alike; say what is wrong with the others, or left out."""
    reserved: defaultdict[tuple[str, str | None], list[Scope]] = defaultdict(list)
    others: list[Statement] = []
    for name, entry in entries.items():
        scope = next((scope for scope in SCOPES if name.rsplit(".", 1)[-1] == scope), None)
        use = entry.get("use") if isinstance(entry, dict) else None
        if scope is None:
            others.append(Notice(words=f"entry {name} is no use that is known, left out"))
        elif use == "notAllowed":
            reserved["not_allowed", None].append(scope)
        elif use == "constrained":
            words = entry.get("constraint_info", entry.get("constraints_info"))
            reserved["constrained", " ".join(str(words).split()) if words else None].append(scope)
        elif use == "allowed":
            others.append(Notice(words=f"entry {name} is allowed; a declaration to all is no grant, left out"))
        else:
            complaint = f"{use!r:.40} is unknown; expected allowed, notAllowed or constrained"
            others.append(BadCell(line=0, column=name, complaint=complaint))
    return reserved, others


def _day(text: object) -> date | None:
    """Return the day of a time stamp, in UTC."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).date() if text else None
    except ValueError:
        return None
