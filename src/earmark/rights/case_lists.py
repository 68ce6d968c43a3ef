"""Allow and ignore lists: cases that a person has decided, each with a reason, an author and a last day.

An entry names a file by its content (SHA-256), a recording by its track id, ISRC or artist, or both: it applies to
matches that agree with every cell that it fills. What it does is for the scan to say.
"""

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from earmark.errors import ParameterError, RegistryError
from earmark.rights.identifiers import fold_name, parse_isrc
from earmark.rights.table import Row, open_table

__all__ = ["CASE_COLUMNS", "CaseEntry", "CaseList", "find_entry", "read_case_list"]

_NAMES: Final = ("sha256", "track_id", "isrc", "artist")
CASE_COLUMNS: Final = (*_NAMES, "reason", "author", "expires")
"""Columns of a list; of the first four, one at least must be there, and filled in each row."""

NEVER: Final = "never"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MAX_NAMED: Final = 20  # mistakes that a message names one by one


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseEntry:
    """A row of a list.

    Parameters
    ----------
    line : int
        Of the file.
    names : mapping of str to str
        The filled ones of `sha256, track_id, isrc, artist`, folded for comparison.
    reason, author : str
        Why, and who says so.
    expires : datetime.date or None
        The last day on which it applies; None if it never ends.
    """

    line: int
    names: Mapping[str, str]
    reason: str
    author: str
    expires: date | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseList:
    """A list, as it applies on a day.

    Parameters
    ----------
    source : str
        The file.
    digest : str
        SHA-256 of it.
    entries, expired : tuple of CaseEntry
        Those that apply, and those whose last day is over.
    index : mapping of (str, str) to tuple of CaseEntry
        The entries that apply, by their first name and its column.
    """

    source: str
    digest: str
    entries: tuple[CaseEntry, ...]
    expired: tuple[CaseEntry, ...]
    index: Mapping[tuple[str, str], tuple[CaseEntry, ...]]


def find_entry(
    cases: CaseList,
    *,
    sha256: str | None,
    track_id: str | None = None,
    isrc: str | None = None,
    artist: str | None = None,
) -> CaseEntry | None:
    """Return the first entry of a list that applies to a match; without names of a recording, to a whole file.

    Parameters
    ----------
    cases : CaseList
        The list.
    sha256 : str or None
        Of the file.
    track_id, isrc, artist : str or None
        What the catalog says of the recording. A malformed ISRC agrees with none.

    Returns
    -------
    CaseEntry or None
        The one that stands first in the file.
    """
    names = {
        "sha256": None if sha256 is None else sha256.lower(),
        "track_id": fold_name(track_id),
        "isrc": _isrc_or_none(isrc),
        "artist": fold_name(artist),
    }
    found = [
        entry
        for column, value in names.items()
        if value is not None
        for entry in cases.index.get((column, value), ())
        if all(names[other] == wanted for other, wanted in entry.names.items())
    ]
    return min(found, key=lambda entry: entry.line, default=None)


def _isrc_or_none(text: str | None) -> str | None:
    try:
        return None if text is None else parse_isrc(text)
    except ParameterError:
        return None


def read_case_list(path: Path, today: date) -> CaseList:
    """Read an allow or ignore list: CSV in UTF-8 with the columns of `CASE_COLUMNS`.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    today : datetime.date
        The day on which it is to apply.

    Returns
    -------
    CaseList
        Its entries.

    Raises
    ------
    RegistryError
        If the file cannot be read or any row is wrong; the message names file, line and what was expected for each of
        the first 20 mistakes.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror or error}") from error
    if not data.strip():
        raise RegistryError(f"{path} is empty; expected a header line such as {','.join(CASE_COLUMNS)}")
    table = open_table(io.BytesIO(data), str(path), frozenset(CASE_COLUMNS))
    header = _header(table.header, path)
    entries, mistakes = [], []
    for row in table.rows:
        try:
            entries.append(_entry(row, header))
        except ParameterError as error:
            mistakes.append(f"{path}, line {row.line}: {error}")
    if mistakes:
        more = f"\n... and {len(mistakes) - _MAX_NAMED} more" if len(mistakes) > _MAX_NAMED else ""
        raise RegistryError("\n".join(mistakes[:_MAX_NAMED]) + more)
    applying = tuple(entry for entry in entries if entry.expires is None or entry.expires >= today)
    index: dict[tuple[str, str], tuple[CaseEntry, ...]] = {}
    for entry in applying:
        first = next(iter(entry.names.items()))
        index[first] = (*index.get(first, ()), entry)
    return CaseList(
        source=str(path),
        digest=hashlib.sha256(data).hexdigest(),
        entries=applying,
        expired=tuple(entry for entry in entries if entry not in applying),
        index=index,
    )


def _header(row: Row, path: Path) -> list[str]:
    """Return the names of the columns. Others are refused: to pass over one could make an entry wider than is meant."""
    names = [" ".join(cell.split()).casefold() for cell in row.cells]
    unknown = [name for name in names if name not in CASE_COLUMNS]
    missing = [name for name in CASE_COLUMNS[len(_NAMES) :] if name not in names]
    if unknown or missing or len(set(names)) < len(names) or not set(names) & set(_NAMES):
        wrong = f"unknown: {', '.join(map(repr, unknown))}; " if unknown else ""
        wrong += f"missing: {', '.join(missing)}; " if missing else ""
        raise RegistryError(
            f"{path}, line {row.line}: {wrong}expected the columns reason, author, expires and one or more of "
            f"{', '.join(_NAMES)}, each once; got {', '.join(names)}"
        )
    return names


def _entry(row: Row, header: list[str]) -> CaseEntry:
    if len(row.cells) > len(header):
        raise ParameterError(f"{len(row.cells)} cells; expected {len(header)}, as in the header")
    cells = {name: " ".join(cell.split()) for name, cell in zip(header, row.cells, strict=False)}
    names = {name: _name(name, cells[name]) for name in _NAMES if cells.get(name)}
    if not names:
        raise ParameterError(f"names nothing; expected one of {', '.join(_NAMES)} to be filled")
    for column in ("reason", "author"):
        if not cells.get(column):
            raise ParameterError(f"column {column} is empty; expected who decides the case, and why")
    return CaseEntry(
        line=row.line,
        names=names,
        reason=cells["reason"],
        author=cells["author"],
        expires=_day(cells.get("expires", "")),
    )


def _name(column: str, cell: str) -> str:
    if column == "isrc":
        return parse_isrc(cell)
    if column == "sha256":
        if not _SHA256.fullmatch(cell.lower()):
            raise ParameterError(f"column sha256: {cell!r} is no SHA-256; expected 64 hexadecimal digits")
        return cell.lower()
    return fold_name(cell) or cell


def _day(cell: str) -> date | None:
    if cell.casefold() == NEVER:
        return None
    try:
        if not _DAY.fullmatch(cell):
            raise ValueError("of another form")
        return date.fromisoformat(cell)
    except ValueError as error:
        raise ParameterError(
            f"column expires: {cell!r} is no day; expected YYYY-MM-DD, or {NEVER} ({error})"
        ) from error
