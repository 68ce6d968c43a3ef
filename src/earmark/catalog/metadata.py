"""The metadata file of a catalog: a CSV table that says which file is which track."""

import csv
import dataclasses
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from earmark.catalog.track import TrackTags
from earmark.corpus import encode_item_id
from earmark.errors import MetadataError

__all__ = ["KNOWN_COLUMNS", "Metadata", "MetadataRow", "parse_isrc", "read_corrections", "read_metadata"]

KNOWN_COLUMNS: Final = ("path", "track_id", "isrc", "title", "artist", "label", "rightsholder")
_DELIMITERS: Final = ",;\t"
# ISO 3901:2019: prefix code (two letters, three letters or digits), year of reference, designation code.
_ISRC: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
_ISRC_NOISE: Final = re.compile(r"[\s\-\u2010-\u2015\u2212]+")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class MetadataRow:
    """A row of the table.

    Attributes
    ----------
    line : int
        Line of the file where it begins, from 1.
    path : str
        As written.
    tags : TrackTags
        `track_id` is empty if the row gives none.
    """

    line: int
    path: str
    tags: TrackTags


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Metadata:
    """A metadata file.

    Attributes
    ----------
    path : Path
    columns : tuple of str
        Of the header line, in small letters.
    rows : tuple of MetadataRow
        In the order of the file.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[MetadataRow, ...]


def read_metadata(path: Path) -> Metadata:
    """Read a metadata file.

    UTF-8 CSV with a header line; the delimiter is the comma, semicolon or tab that shows the most of the known columns.
    Known are `path`, which must be there, `track_id, isrc, title, artist, label, rightsholder`, in any order and
    case; others are kept with the track. Empty cells count as absent.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Metadata

    Raises
    ------
    MetadataError
        If the file cannot be read or is no such table, or a row has no path, too many cells or a malformed ISRC, or a
        path or track id comes twice. The message names file and line.
    """
    return _read(path, keys=("path",))


def read_corrections(path: Path) -> Metadata:
    """Read a metadata file whose rows are named by `track_id`, or where it is empty by `path`; one column is enough.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Metadata

    Raises
    ------
    MetadataError
        As for `read_metadata`; a row needs a track id or a path.
    """
    return _read(path, keys=("track_id", "path"))


def _read(path: Path, keys: tuple[str, ...]) -> Metadata:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        raise MetadataError(f"{path}:{line}: byte 0x{byte:02x} is not UTF-8; save the file as CSV in UTF-8") from error
    except (OSError, ValueError) as error:
        raise MetadataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if "\0" in text:
        raise MetadataError(f"{path}:{text.count(chr(10), 0, text.index(chr(0))) + 1}: a NUL; expected CSV in UTF-8")
    shown = [len(set(KNOWN_COLUMNS) & set(_header(text, delimiter))) for delimiter in _DELIMITERS]
    delimiter = _DELIMITERS[shown.index(max(shown))]
    header = _header(text, delimiter)
    _check_header(header, path, keys)
    rows = tuple(
        _row(cells, line, header, path, keys) for line, cells in _records(text, delimiter, path, skip_header=True)
    )
    unnamed = [row for row in rows if keys == ("path",) or not row.tags.track_id]
    _check_unique([(row.line, row.path) for row in unnamed], "path", path)
    _check_unique([(row.line, row.tags.track_id) for row in rows if row.tags.track_id], "track_id", path)
    return Metadata(path=path, columns=tuple(header), rows=rows)


def parse_isrc(text: str) -> str | None:
    """Return an ISRC as twelve capitals and digits, without hyphens; None if it has another form.

    Examples
    --------
    >>> parse_isrc("gb-aye-68-00011"), parse_isrc("68-00011")
    ('GBAYE6800011', None)
    """
    code = _ISRC_NOISE.sub("", text).upper().removeprefix("ISRC")
    return code if _ISRC.fullmatch(code) else None


def _records(text: str, delimiter: str, path: Path, *, skip_header: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of each row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line, header_seen = 1, not skip_header
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if header_seen:
                    yield line, [cell.strip() for cell in cells]
                header_seen = True
            line = reader.line_num + 1
    except csv.Error as error:
        raise MetadataError(f"{path}:{line}: malformed quotes in the row that begins here ({error})") from error


def _header(text: str, delimiter: str) -> list[str]:
    """Return the column names that a delimiter shows; none if the header cannot be read with it."""
    try:
        found = next(_records(text, delimiter, Path(), skip_header=False), None)
    except MetadataError:
        return []
    return [] if found is None else [name.casefold() for name in found[1]]


def _check_header(header: list[str], path: Path, keys: tuple[str, ...]) -> None:
    if not set(keys) & set(header):
        raise MetadataError(
            f"{path}:1: no column {' or '.join(map(repr, keys))}; expected a header line with some of "
            f"{', '.join(KNOWN_COLUMNS)}, found {', '.join(map(repr, header)) or 'nothing'}"
        )
    named = [name for name in header if name]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice:
        raise MetadataError(f"{path}:1: column {twice!r} comes twice")


def _row(cells: list[str], line: int, header: list[str], path: Path, keys: tuple[str, ...]) -> MetadataRow:
    if any(cells[len(header) :]):
        raise MetadataError(f"{path}:{line}: {len(cells)} cells, but {len(header)} columns in the header")
    values: Mapping[str, str] = {name: cell for name, cell in zip(header, cells, strict=False) if name and cell}
    if not set(keys) & set(values):
        raise MetadataError(f"{path}:{line}: no {' or '.join(keys)}")
    isrc = parse_isrc(values["isrc"]) if "isrc" in values else None
    if "isrc" in values and isrc is None:
        raise MetadataError(
            f"{path}:{line}: {values['isrc']!r} is no ISRC; expected CC-XXX-YY-NNNNN, such as GB-AYE-68-00011"
        )
    tags = TrackTags(
        track_id=values.get("track_id", ""),
        path=encode_item_id(values["path"]) if "path" in values else None,
        isrc=isrc,
        title=values.get("title"),
        artist=values.get("artist"),
        label=values.get("label"),
        rightsholder=values.get("rightsholder"),
        extra={name: value for name, value in values.items() if name not in KNOWN_COLUMNS},
    )
    return MetadataRow(line=line, path=values.get("path", ""), tags=tags)


def _check_unique(values: list[tuple[int, str]], column: str, path: Path) -> None:
    first: dict[str, int] = {}
    for line, value in values:
        earlier = first.setdefault(value, line)
        if earlier != line:
            raise MetadataError(f"{path}:{line}: {column} {value!r} comes twice; it is in line {earlier} already")
