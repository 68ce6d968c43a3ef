"""Records: the lines of an audit log, as canonical JSON (RFC 8785), each bound to the one before."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from importlib import resources
from typing import Any

import rfc8785

from earmark.audit.merkle import leaf_hash
from earmark.errors import AuditError

__all__ = [
    "FORMAT",
    "LOG_FILE",
    "REDACTED_LOG_FILE",
    "VERSION",
    "Chain",
    "calibration_of",
    "canonical_json",
    "hidden_leaf",
    "hidden_line",
    "outcome_of",
    "parse_record",
    "well_formed",
]

LOG_FILE, REDACTED_LOG_FILE = "audit.jsonl", "audit.redacted.jsonl"
FORMAT, VERSION = "earmark audit log", 1
_HIDDEN = re.compile(rb'\{"hidden":"([0-9a-f]{64})"\}')
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
# What every reader counts on; an end is compared as a whole with what is expected of it.
_FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "begin": {"format": str, "version": int, "run": int},
    "item": {"item": str, "sha256": (str, type(None)), "status": str, "item_line": str, "match_lines": list},
    "summary": {"run": int, "lines": list, "copies": dict},
    "end": {"run": int, "coverage": dict, "tree": dict, "finished": (str, type(None))},
}


def canonical_json(value: object) -> bytes:
    r"""Return a value as canonical JSON: one text for one value, without a newline.

    Characters that are no text (lone surrogates) become backslash escapes, as they have no canonical form.

    Raises
    ------
    AuditError
        If the value cannot be JSON.

    Examples
    --------
    >>> canonical_json({"b": 1.0, "a": [None, "\u00e9\udcff"]}).decode()
    '{"a":[null,"é\\\\udcff"],"b":1}'
    """
    try:
        return bytes(rfc8785.dumps(_as_text(value)))
    except rfc8785.CanonicalizationError as error:
        raise AuditError(f"a value has no canonical JSON: {error}") from error


def _as_text(value: Any) -> Any:  # noqa: ANN401 - anything that is JSON
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, Mapping):
        return {well_formed(str(name)): _as_text(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_text(each) for each in value]
    return value


def well_formed(text: str) -> str:
    """Return text with backslash escapes for characters that UTF-8 does not have."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


class Chain:
    """Makes the lines of a log, each with its number and the hash of the line before.

    Parameters
    ----------
    n_lines
        Lines that there are already.
    last
        Leaf hash of the last of them; None if there is none.
    """

    def __init__(self, n_lines: int = 0, last: bytes | None = None) -> None:
        self._n_lines, self._last = n_lines, last

    def line(self, kind: str, content: Mapping[str, object]) -> bytes:
        """Return the next line, without a newline."""
        self._n_lines += 1
        before = None if self._last is None else self._last.hex()
        data = canonical_json({"kind": kind, "line": self._n_lines, "prev": before, **content})
        self._last = leaf_hash(data)
        return data


def parse_record(data: bytes) -> dict[str, Any]:
    """Return the record of a line.

    Parameters
    ----------
    data
        The line without its newline.

    Raises
    ------
    AuditError
        If it is no record, or not in the form in which it was written.
    """
    try:
        record: Any = json.loads(data)
        canonical = rfc8785.dumps(record)
    except (ValueError, RecursionError) as error:
        raise AuditError(f"no record of canonical JSON: {error}") from error
    if canonical != data:
        raise AuditError("JSON that is not canonical (RFC 8785)")
    if not isinstance(record, dict) or record.get("kind") not in tuple(_FIELDS) or type(record.get("line")) is not int:
        raise AuditError(f"no record of a log; expected one of the kinds {', '.join(_FIELDS)}")
    for name, kind in _FIELDS[record["kind"]].items():
        if not isinstance(record.get(name, ...), kind):
            raise AuditError(f"{record['kind']} has no good {name!r}, got {record.get(name)!r}")
    digests = [record.get("item_line", "0" * 64), *record.get("match_lines", ()), *record.get("lines", ())]
    digests += record["copies"].values() if record["kind"] == "summary" else ()
    if not all(isinstance(each, str) and _DIGEST.fullmatch(each) for each in digests):
        raise AuditError("a digest is not 64 hexadecimal digits")
    return record


def hidden_line(leaf: bytes) -> bytes:
    """Return what stands in a redacted log for a line that is not to be seen: its hash."""
    return canonical_json({"hidden": leaf.hex()})


def hidden_leaf(data: bytes) -> bytes | None:
    """Return the hash that stands for a hidden line; None if the line is not hidden.

    Examples
    --------
    >>> hidden_leaf(hidden_line(bytes(32))) == bytes(32), hidden_leaf(b'{"kind":"end"}')
    (True, None)
    """
    found = _HIDDEN.fullmatch(data)
    return None if found is None else bytes.fromhex(found[1].decode())


def outcome_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an `end` record takes from a summary: whether and when the scan came to its end, and its coverage."""
    ended = {key: summary.get(key) for key in ("complete", "stopped_by", "finished")}
    keys = ("items", "items_with_problems", "matches", "hours", "matched_s")
    return {**ended, "coverage": {key: summary.get(key) for key in keys}}


def calibration_of(effort: str) -> dict[str, Any]:
    """Return what the odds of an effort were computed with: digests of the calibration, and its figures."""
    found: dict[str, Any] = {}
    for file in sorted(resources.files("earmark.matching").iterdir(), key=lambda each: each.name):
        if file.name.endswith(".json"):
            data = file.read_bytes()
            fitted = json.loads(data)
            efforts = fitted.get("efforts", {}) if isinstance(fitted, dict) else {}
            found[file.name] = {"sha256": sha256(data).hexdigest(), effort: efforts.get(effort)}
    return found
