"""Clean copies of lists: manifests, Lhotse's and Kaldi's lists stay what they are, less the lines that go."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

from earmark.corpus.cut import Cut, CutLister, NoCut
from earmark.corpus.entry import Item
from earmark.corpus.fate import Fates, Redacted, written
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.lines import Line, json_object, read_lines, read_rows
from earmark.corpus.location import is_url
from earmark.corpus.manifest import CsvColumns, columns_of, cuts_of_line, line_id
from earmark.corpus.options import CorpusOptions
from earmark.corpus.reader import ItemReader
from earmark.errors import CorpusError

__all__ = ["copy_lines", "copy_list"]

Save = Callable[[Redacted], str]
"""Puts a redacted recording in its place, and returns the path to write into the list."""


def copy_list(
    kind: str, location: str, out: Path, fates: Fates, lister: CutLister, options: CorpusOptions, save: Save
) -> None:
    """Copy a list without the lines that name an item to be dropped; the other lines stay as they are, byte by byte.

    Lines that name nothing usable are left out, and told. Where an item is redacted, its line names the new file.

    Parameters
    ----------
    kind
        One of `MANIFEST_KINDS`.
    location
        Path or URL of the list.
    out
        Where the copy goes; compressed if the list is.
    fates
        Decide.
    lister
        Makes the entries, with the ids that they had in the scan.
    options
        How the list was read.
    save
        Puts redacted recordings in their place.
    """
    editor: _Editor | None = None
    with written(out) as raw, _packed(raw, location) as target:
        try:
            for line in read_rows(location) if kind == "csv" else read_lines(location):
                if editor is None:
                    editor = _Editor(kind, location, line, fates, lister, options, save)
                    if kind == "csv":
                        target.write(_ended(line.data))
                        continue
                kept = editor.edited(line)
                if kept is not None:
                    target.write(_ended(kept))
        except CorpusError as error:
            fates.damaged(_name(location), str(error))


def copy_lines(location: str, out: Path, fates: Fates, keeps: Callable[[dict[str, Any]], bool]) -> None:
    """Copy JSON lines, those that a rule keeps.

    Parameters
    ----------
    location
        Path or URL.
    out
        Where the copy goes; compressed if the file is.
    fates
        Are told of damage.
    keeps
        Says of the object of a line whether it stays.
    """
    with written(out) as raw, _packed(raw, location) as target:
        try:
            for line in read_lines(location):
                if keeps(json_object(line)):
                    target.write(_ended(line.data))
        except CorpusError as error:
            fates.damaged(_name(location), str(error))


class _Editor:
    """Says of each line of a list what stays of it."""

    def __init__(
        self,
        kind: str,
        location: str,
        first: Line,
        fates: Fates,
        lister: CutLister,
        options: CorpusOptions,
        save: Save,
    ) -> None:
        self._kind, self._location, self._options = kind, location, options
        self._fates, self._lister, self._save = fates, lister, save
        self._parse = cuts_of_line(kind, first, options)
        self._csv = CsvColumns(first, options) if kind == "csv" else None
        self._reader = ItemReader()

    def edited(self, line: Line) -> bytes | None:
        """Return what stays of a line, None if nothing does."""
        where = line_id(_name(self._location), line)
        try:
            cuts = self._parse(line)
        except CorpusError as error:
            self._fates.damaged(where, str(error))
            return None
        entries = [self._lister.entry(cut, self._location, where) for cut in cuts if isinstance(cut, Cut)]
        items = [entry for entry in entries if isinstance(entry, Item)]
        if not items and any(isinstance(cut, NoCut) and cut.by_rule for cut in cuts):
            return line.data  # padding
        if len(items) < len(cuts):
            self._fates.damaged(where, "is left out: it names nothing that was scanned, or the same as a line before")
            return None
        lost = any(self._fates.peek(item.id) == "drop" for item in items)
        decided = [self._fates.of(item.id, lost=lost) for item in items]
        if "redact" in decided and "drop" not in decided:
            return self._redacted(line, items[0], where)
        return None if "drop" in decided else line.data

    def _redacted(self, line: Line, item: Item, where: str) -> bytes | None:
        if self._kind == "lhotse":
            self._fates.damaged(where, "is left out as a whole: of Lhotse's lists no audio is redacted")
            return None
        try:
            with self._reader.open(item) as file:
                redacted = self._fates.redact(item.id, file, item.start_s, item.duration_s)
        except OSError as error:
            self._fates.damaged(item.id, error.strerror or str(error))
            return None
        if redacted is None:
            return None
        return self._with_new_path(line, self._save(redacted), redacted.duration_s)

    def _with_new_path(self, line: Line, path: str, duration_s: float) -> bytes:
        """Return a line that names another file, from its start to its end."""
        if self._kind == "kaldi":
            return f"{line.text().split(None, 1)[0]} {path}\n".encode()
        row = json_object(line) if self._csv is None else self._csv.row(line)
        path_column, offset_column, duration_column = columns_of(row, self._options)
        row[path_column] = {**row[path_column], "path": path} if isinstance(row[path_column], dict) else path
        if offset_column in row:
            row[offset_column] = 0.0
        if duration_column in row:
            row[duration_column] = round(duration_s, 6)
        if self._csv is None:
            return json.dumps(row, ensure_ascii=False).encode() + b"\n"
        out = io.StringIO()
        table = csv.writer(out, delimiter=self._csv.delimiter, lineterminator="\n")
        table.writerow([row.get(name, "") for name in self._csv.names])
        return out.getvalue().encode()


def _name(location: str) -> str:
    return encode_item_id(location.partition("::")[0].rpartition("/")[2])


def _ended(data: bytes) -> bytes:
    return data if data.endswith(b"\n") else data + b"\n"


class _packed:  # noqa: N801 - used like a function
    """A context that gives a file to write to, which packs as the name of a list says."""

    def __init__(self, raw: BinaryIO, location: str) -> None:
        packs = location.endswith(".gz") and not (is_url(location) and "::" in location)
        self._gzip = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") if packs else None
        self._file = cast(BinaryIO, self._gzip) if self._gzip is not None else raw

    def __enter__(self) -> BinaryIO:
        return self._file

    def __exit__(self, *error: object) -> None:
        if self._gzip is not None:
            self._gzip.close()
