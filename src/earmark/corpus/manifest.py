"""Manifests: lists of recordings and stretches of them, as JSON lines (NeMo's and others), CSV, or Kaldi's wav.scp."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from earmark.corpus.audio_kind import has_audio_extension
from earmark.corpus.cut import Cut, CutLister, NoCut
from earmark.corpus.entry import Entry, Skipped, Unlistable
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.lhotse import cuts_of_cut, cuts_of_recording
from earmark.corpus.lines import Line, json_object, read_lines, read_rows
from earmark.corpus.location import is_url
from earmark.corpus.options import CorpusOptions
from earmark.errors import CorpusError

__all__ = [
    "MANIFEST_KINDS",
    "PATH_COLUMNS",
    "CsvColumns",
    "columns_of",
    "cuts_of_line",
    "line_id",
    "list_manifest",
    "manifest_kind",
]

MANIFEST_KINDS = ("csv", "jsonl", "lhotse", "kaldi")
"""The forms that a list can have."""

PATH_COLUMNS = (
    "audio_filepath",
    "audio_path",
    "file_name",
    "path",
    "filepath",
    "wav",
    "audio",
    "file",
    "filename",
    "url",
)
"""Columns that may hold the path of the audio, best first: NeMo's, the Hugging Face Hub's, and other habits."""

_OFFSET_COLUMNS = ("offset", "start", "start_s")
_DURATION_COLUMNS = ("duration", "duration_s")
_CSV_DELIMITERS = ",;\t"

_Parser = Callable[[Line], list[Cut | NoCut]]


def manifest_kind(first: Line, path_column: str | None = None) -> str | None:
    """Return what form a list has by its first line, None if it is none that is known.

    Examples
    --------
    >>> manifest_kind(Line(number=1, data=b'{"audio_filepath": "a.wav", "duration": 3}'))
    'jsonl'
    >>> manifest_kind(Line(number=1, data=b'{"id": "a", "sources": [], "sampling_rate": 16000}'))
    'lhotse'
    >>> manifest_kind(Line(number=1, data=b"utt1 /data/a.wav"))
    'kaldi'
    """
    try:
        text = first.text()
        if text.startswith("{"):
            value = json_object(first)
            lhotse = "sources" in value or value.get("type") in ("MonoCut", "MultiCut", "MixedCut", "PaddingCut", "Cut")
            return "lhotse" if lhotse else "jsonl"
    except CorpusError:
        return None
    names = {name.strip().strip('"') for delimiter in _CSV_DELIMITERS for name in text.split(delimiter)}
    if names & {*PATH_COLUMNS, path_column}:
        return "csv"
    _, _, place = text.partition(" " if " " in text else "\t")
    return "kaldi" if "/" in place or place.endswith("|") or has_audio_extension(place) else None


def list_manifest(kind: str, location: str, lister: CutLister, options: CorpusOptions) -> Iterator[Entry]:
    """List what a manifest names; a bad line is an `Unlistable` that names file and line, and the rest goes on.

    Parameters
    ----------
    kind
        One of `MANIFEST_KINDS`.
    location
        Path or URL.
    lister
        Makes the entries; shared by all manifests of a corpus.
    options
        How to read it.

    Yields
    ------
    Entry
        In the order of the manifest.
    """
    name = encode_item_id(location.partition("::")[0].rpartition("/")[2])
    try:
        parser: _Parser | None = None
        for line in read_rows(location) if kind == "csv" else read_lines(location):
            if parser is None:
                parser = cuts_of_line(kind, line, options)
                if kind == "csv":
                    continue
            yield from _entries(parser, line, location, lister, line_id(name, line))
    except CorpusError as error:
        yield Unlistable(id=name, error=str(error))


def line_id(name: str, line: Line) -> str:
    """Return the id of a line that names nothing usable.

    Examples
    --------
    >>> line_id("list.jsonl", Line(number=7, data=b""))
    'list.jsonl:7'
    """
    return f"{name}:{line.number}"


def _entries(parser: _Parser, line: Line, location: str, lister: CutLister, where: str) -> Iterator[Entry]:
    try:
        found = parser(line)
    except CorpusError as error:
        yield Unlistable(id=where, error=str(error))
        return
    for number, one in enumerate(found, 1):
        place = where if len(found) == 1 else f"{where}.{number}"
        if isinstance(one, NoCut):
            yield Skipped(id=place, reason=one.words) if one.by_rule else Unlistable(id=place, error=one.words)
        else:
            yield lister.entry(one, location, place)


def cuts_of_line(kind: str, first: Line, options: CorpusOptions) -> Callable[[Line], list[Cut | NoCut]]:
    """Return what turns the lines of a manifest into cuts, or into words where one cannot be had.

    Parameters
    ----------
    kind
        One of `MANIFEST_KINDS`.
    first
        The first line, which names the columns of a CSV file.
    options
        How to read it.

    Raises
    ------
    CorpusError
        If a CSV file has no column of paths. What is returned raises it for a line that is wrong as a whole.
    """
    if kind == "csv":
        columns = CsvColumns(first, options)
        return lambda line: [_row_cut(columns.row(line), options)]
    if kind == "kaldi":
        return lambda line: [_kaldi_cut(line)]
    if kind == "lhotse":
        return lambda line: _lhotse_cuts(json_object(line))
    return lambda line: [_row_cut(json_object(line), options)]


class CsvColumns:
    """The columns of a CSV file by its first line."""

    def __init__(self, header: Line, options: CorpusOptions) -> None:
        text = header.text()
        self.delimiter = max(_CSV_DELIMITERS, key=text.count)
        self.names = [name.strip() for name in next(csv.reader([text], delimiter=self.delimiter))]
        wanted = [options.path_column] if options.path_column else PATH_COLUMNS
        if not set(wanted) & set(self.names):
            names = ", ".join(self.names)
            raise CorpusError(f"no column {' or '.join(wanted)} (columns: {names}); name it by --path-column")

    def row(self, line: Line) -> dict[str, Any]:
        """Return a row by its columns' names; empty cells are left out.

        Raises
        ------
        CorpusError
            If it has another number of cells.
        """
        try:
            cells = next(csv.reader([line.text()], delimiter=self.delimiter, strict=True))
        except csv.Error as error:
            raise CorpusError(f"not a row of CSV: {error}") from error
        if len(cells) != len(self.names):
            raise CorpusError(f"expected {len(self.names)} cells, got {len(cells)}")
        return {name: cell.strip() for name, cell in zip(self.names, cells, strict=True) if cell.strip()}


def columns_of(row: Mapping[str, Any], options: CorpusOptions) -> tuple[str, str, str]:
    """Return the columns of path, offset and duration that count for a row; of those it lacks, the usual names.

    Raises
    ------
    CorpusError
        If it has no path.
    """
    wanted = [options.path_column] if options.path_column else PATH_COLUMNS
    column = next((name for name in wanted if row.get(name) not in (None, "")), None)
    if column is None:
        raise CorpusError(f"no value for {' or '.join(wanted)}; name the column of paths by --path-column")
    offsets = [options.offset_column] if options.offset_column else _OFFSET_COLUMNS
    durations = [options.duration_column] if options.duration_column else _DURATION_COLUMNS
    return column, _first_of(row, offsets), _first_of(row, durations)


def _first_of(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((name for name in names if row.get(name) not in (None, "")), names[0])


def _row_cut(row: Mapping[str, Any], options: CorpusOptions) -> Cut:
    column, offset_column, duration_column = columns_of(row, options)
    path = row[column]
    if isinstance(path, Mapping):
        path = path.get("path")
    if not isinstance(path, str) or not path:
        raise CorpusError(f"{column}: expected a path, got {type(path).__name__}")
    start_s, duration_s = _seconds(row, offset_column), _seconds(row, duration_column)
    if start_s is None:
        return Cut(path=path)
    return Cut(path=path, start_s=start_s, duration_s=duration_s)


def _seconds(row: Mapping[str, Any], name: str) -> float | None:
    if row.get(name) in (None, ""):
        return None
    try:
        value = float(row[name])
    except (TypeError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise CorpusError(f"{name}: expected seconds, a number of 0 or more, got {str(row[name])[:40]!r}")
    return value


def _kaldi_cut(line: Line) -> Cut:
    _, *rest = line.text().split(None, 1)
    if not rest:
        raise CorpusError("expected an id and a path")
    path = rest[0].strip()
    if path.endswith("|") or path.startswith("|"):
        raise CorpusError(f"is a command, which is not run: {path[:80]!r}; write its output to files and name those")
    _, colon, offset = path.rpartition(":")
    if colon and offset.isdigit() and not is_url(path):
        raise CorpusError(f"{path!r} is a place in a Kaldi archive, which is not read; copy it to files (wav-copy)")
    return Cut(path=path)


def _lhotse_cuts(value: Mapping[str, Any]) -> list[Cut | NoCut]:
    return cuts_of_recording(value) if "sources" in value else cuts_of_cut(value)
