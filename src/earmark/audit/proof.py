"""Proofs about a log for whoever does not have it: that it holds an item's record, and that it kept an earlier log."""

import json
from pathlib import Path
from typing import Any

from earmark.audit.attestation import ATTESTATION_FILE, Attestation, parse_attestation, read_attestation
from earmark.audit.merkle import consistency_path, inclusion_path, is_consistent, is_included, leaf_hash, root_of
from earmark.audit.record import LOG_FILE, canonical_json, parse_record, well_formed
from earmark.audit.scan_lines import raw_lines, read_item_lines, sha256_hex
from earmark.audit.soundness import sound_log
from earmark.errors import AuditError, TamperedError

__all__ = ["check_proof", "prove_consistency", "prove_item"]

_KINDS = ("earmark inclusion proof", "earmark consistency proof")
_VERSION = 1


def prove_item(scan: Path, item: str) -> bytes:
    """Return a proof that a scan wrote these lines about an item; of other items it shows nothing but hashes.

    Parameters
    ----------
    scan
        The folder.
    item
        Id of the item.

    Raises
    ------
    TamperedError
        If the folder is not as it was logged.
    AuditError
        If the scan has no such item, or the attestation does not cover it.
    """
    check, attestation = sound_log(scan), _attestation_of(scan)
    size = check.tree.size if attestation is None else attestation.size
    line = _record_line(scan, item)
    number = parse_record(line)["line"]
    if number > size:
        raise AuditError(f"item {item!r} was scanned after the attestation; attest again")
    leaves = check.leaf_list()[:size]
    lines = next(lines for lines in read_item_lines(scan) if well_formed(lines.row.item) == item)
    return _to_bytes(
        {
            "kind": _KINDS[0],
            "version": _VERSION,
            "tree": _tree(leaves),
            "record": line.decode(),
            "path": [each.hex() for each in inclusion_path(leaves, number - 1)],
            "item_line": lines.line.decode(),
            "match_lines": [each.decode() for each in lines.matches],
            "attestation": None if attestation is None else json.loads(attestation.data),
        }
    )


def prove_consistency(scan: Path, earlier: Attestation) -> bytes:
    """Return a proof that the log of a scan keeps every line that an earlier attestation signed.

    Parameters
    ----------
    scan
        The folder.
    earlier
        The attestation.

    Raises
    ------
    TamperedError
        If it does not, or the folder is not as it was logged.
    """
    check, attestation = sound_log(scan), _attestation_of(scan)
    leaves = check.leaf_list()[: None if attestation is None else attestation.size]
    old = None if earlier.size > len(leaves) else _tree(leaves[: earlier.size])
    if old is None or old["root"] != earlier.root.hex():
        raise TamperedError(f"{scan / LOG_FILE}: it does not keep the {earlier.size} lines of the earlier attestation")
    return _to_bytes(
        {
            "kind": _KINDS[1],
            "version": _VERSION,
            "tree": _tree(leaves),
            "earlier": old,
            "path": [each.hex() for each in consistency_path(leaves, earlier.size)],
            "attestation": None if attestation is None else json.loads(attestation.data),
        }
    )


def check_proof(data: bytes) -> tuple[str, Attestation | None]:
    """Return in words what a proof proves, and the attestation inside it.

    Parameters
    ----------
    data
        Bytes of its file.

    Raises
    ------
    TamperedError
        If it proves nothing.
    """
    try:
        proof = json.loads(data)
        if not isinstance(proof, dict) or proof.get("kind") not in _KINDS or proof.get("version") != _VERSION:
            raise TamperedError(f"no proof of a kind that this version knows; expected one of {', '.join(_KINDS)}")
        attestation = None
        if proof["attestation"] is not None:
            attestation = parse_attestation(canonical_json(proof["attestation"]) + b"\n")
            if (attestation.size, attestation.root.hex()) != (proof["tree"]["size"], proof["tree"]["root"]):
                raise TamperedError("its tree is not the one that was signed")
        return (_check_item if proof["kind"] == _KINDS[0] else _check_consistency)(proof), attestation
    except TamperedError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, AuditError) as error:
        raise TamperedError(f"no proof: {error}") from error


def _check_item(proof: dict[str, Any]) -> str:
    line, path, tree = proof["record"].encode(), [bytes.fromhex(each) for each in proof["path"]], proof["tree"]
    record = parse_record(line)
    if not is_included(leaf_hash(line), record["line"] - 1, tree["size"], path, bytes.fromhex(tree["root"])):
        raise TamperedError("the record is not in the tree")
    if sha256_hex(proof["item_line"].encode()) != record["item_line"]:
        raise TamperedError("the item's line is not the one of the record")
    if [sha256_hex(each.encode()) for each in proof["match_lines"]] != record["match_lines"]:
        raise TamperedError("the lines of matches are not those of the record")
    row = json.loads(proof["item_line"])
    if (
        any(row[key] != record[key] for key in ("sha256", "status", "matches"))
        or well_formed(row["item"]) != record["item"]
    ):
        raise TamperedError("the record does not say what the item's line says")
    return (
        f"item {record['item']!r} (sha256 {record['sha256']}) was scanned as {record['status']} with "
        f"{len(record['match_lines'])} lines of matches: line {record['line']} of {tree['size']} of the log with "
        f"root {tree['root']}"
    )


def _check_consistency(proof: dict[str, Any]) -> str:
    old, tree = proof["earlier"], proof["tree"]
    path = [bytes.fromhex(each) for each in proof["path"]]
    roots = bytes.fromhex(old["root"]), bytes.fromhex(tree["root"])
    if not is_consistent(old["size"], roots[0], tree["size"], roots[1], path):
        raise TamperedError("the log does not keep the earlier one")
    return (
        f"the log of {tree['size']} lines with root {tree['root']} keeps all {old['size']} lines of the one with "
        f"root {old['root']}"
    )


def _attestation_of(scan: Path) -> Attestation | None:
    path = scan / ATTESTATION_FILE
    return read_attestation(path) if path.exists() else None


def _record_line(scan: Path, item: str) -> bytes:
    for line in raw_lines(scan / LOG_FILE):
        record = parse_record(line[:-1])
        if record["kind"] == "item" and record["item"] == item:
            return line[:-1]
    raise AuditError(f"{scan / LOG_FILE}: there is no item {item!r}; expected an id as in items.jsonl")


def _tree(leaves: list[bytes]) -> dict[str, Any]:
    return {"size": len(leaves), "root": root_of(leaves).hex()}


def _to_bytes(proof: dict[str, Any]) -> bytes:
    return canonical_json(proof) + b"\n"
