"""Clean copies of what describes a folder: metadata of an AudioFolder, state of a saved dataset, fields of a Shar."""

import csv
import io
import json
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from earmark.corpus.fate import Fate, Fates, FatesOfOthers, written
from earmark.corpus.folder_format import names_in, saved_files
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.lines import json_object, read_lines, read_rows
from earmark.corpus.list_copy import copy_lines
from earmark.corpus.location import join
from earmark.corpus.manifest import CsvColumns
from earmark.corpus.options import CorpusOptions
from earmark.corpus.remote import open_location
from earmark.corpus.shard_copy import copy_tar, dropped_samples
from earmark.errors import CorpusError

__all__ = ["copy_metadata", "copy_saved", "copy_shar"]

_COLUMN = "file_name"
_SHARD = re.compile(r"(?P<field>.+)\.(?P<number>\d+)\.(?P<form>tar(\.gz)?|jsonl(\.gz)?)")


def copy_metadata(location: str, out: Path, fates: Fates, renamed: dict[str, str]) -> None:
    """Copy an AudioFolder's metadata without the rows of files that go.

    Parameters
    ----------
    location
        Path of metadata.csv, metadata.jsonl or metadata.parquet.
    out
        Where the copy goes.
    fates
        Decide.
    renamed
        Item ids of redacted files, with their new paths.
    """
    try:
        with written(out) as target:
            if location.endswith(".parquet"):
                _copy_parquet(location, target, fates, renamed)
            elif location.endswith(".csv"):
                _copy_csv(location, target, fates, renamed)
            else:
                for line in read_lines(location):
                    row = json_object(line)
                    name = _new_name(row.get(_COLUMN), fates, renamed)
                    if name is not None:
                        same = name == row.get(_COLUMN)
                        text = json.dumps(row | {_COLUMN: name}, ensure_ascii=False).encode() + b"\n"
                        target.write(line.data if same else text)
    except CorpusError as error:
        fates.damaged(posixpath.basename(location), str(error))


def _copy_csv(location: str, target: BinaryIO, fates: Fates, renamed: dict[str, str]) -> None:
    columns: CsvColumns | None = None
    for line in read_rows(location):
        if columns is None:
            columns = CsvColumns(line, CorpusOptions(path_column=_COLUMN))
            target.write(line.data)
            continue
        row = columns.row(line)
        name = _new_name(row.get(_COLUMN), fates, renamed)
        if name is not None and name == row.get(_COLUMN):
            target.write(line.data)
        elif name is not None:
            text = io.StringIO()
            table = csv.writer(text, delimiter=columns.delimiter, lineterminator="\n")
            table.writerow([(row | {_COLUMN: name}).get(each, "") for each in columns.names])
            target.write(text.getvalue().encode())


def _copy_parquet(location: str, target: BinaryIO, fates: Fates, renamed: dict[str, str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from earmark.corpus.cells import damage_in_words

    with damage_in_words(location), open_location(location) as source:
        table = pq.read_table(source)
        if _COLUMN not in table.column_names:
            raise CorpusError(f"no column {_COLUMN}")
        names = [_new_name(name, fates, renamed) for name in table.column(_COLUMN).to_pylist()]
        at = table.column_names.index(_COLUMN)
        table = table.set_column(at, table.schema.field(at), pa.array(names, table.schema.field(at).type))
        pq.write_table(table.filter(pa.array([name is not None for name in names], pa.bool_())), target)


def _new_name(name: object, fates: Fates, renamed: dict[str, str]) -> str | None:
    """Return the name of a row's file in the copy, None if the row goes."""
    if not isinstance(name, str):
        raise CorpusError(f"{_COLUMN}: expected a path, got {type(name).__name__}")
    item_id = encode_item_id(posixpath.normpath(name))
    if item_id in renamed:
        return renamed[item_id]
    return name if fates.peek(item_id) == "keep" else None


def copy_saved(location: str, out: Path, fates: Fates, options: CorpusOptions) -> None:
    """Copy a saved `datasets` folder without the rows of items to be dropped.

    Parameters
    ----------
    location
        Path or URL of the folder.
    out
        Folder for the copy.
    fates
        Decide.
    options
        How the corpus was read.

    Raises
    ------
    CorpusError
        If its list of files cannot be read.
    """
    from earmark.corpus.table_copy import copy_arrow

    n_rows: dict[str, int] = {}
    for name in saved_files(location):
        folder = posixpath.dirname(name)
        n_copied = copy_arrow(join(location, name), encode_item_id(name), out / name, fates, options.audio_columns)
        n_rows[folder] = n_rows.get(folder, 0) + n_copied
    for folder, count in n_rows.items():
        for name in ("state.json", "dataset_info.json"):
            relative = posixpath.join(folder, name)
            value = _json(join(location, relative))
            if name == "state.json":  # a fingerprint names what `datasets` cached for other rows
                value["_fingerprint"] = f"{value.get('_fingerprint') or ''}-clean-{count}"
            for split in (value.get("splits") or {}).values():
                if isinstance(split, dict) and len(n_rows) == 1:
                    split["num_examples"] = count
            _write_json(out / relative, value)
    if any(n_rows):
        _write_json(out / "dataset_dict.json", _json(join(location, "dataset_dict.json")))


def copy_shar(location: str, out: Path, fates: Fates) -> None:
    """Copy a Shar without the cuts of items to be dropped, in all its fields alike; nothing is redacted in it.

    Parameters
    ----------
    location
        Path or URL of the folder.
    out
        Folder for the copy.
    fates
        Decide.
    """
    shards: dict[str, list[str]] = {}
    for name in names_in(location):
        found = _SHARD.fullmatch(name)
        if found is not None:
            shards.setdefault(found["number"], []).append(name)
    whole = _Whole(fates)
    for names in shards.values():
        tars = [name for name in names if ".tar" in name]
        gone = {key for name in tars for key in dropped_samples(join(location, name), name, whole, _stem)}
        for name in tars:
            copy_tar(join(location, name), encode_item_id(name), out / name, whole, key=_stem, also=gone)
        for name in set(names) - set(tars):
            copy_lines(join(location, name), out / name, fates, lambda row: _cut_id(row) not in gone)  # noqa: B023


class _Whole(FatesOfOthers):
    """Fates of items that go as a whole where others are redacted."""

    def of(self, item_id: str, *, lost: bool = False) -> Fate:
        if self._fates.peek(item_id) == "redact":
            self._fates.damaged(item_id, "is left out as a whole: nothing is redacted in a Shar")
            return self._fates.of(item_id, lost=True)
        return self._fates.of(item_id, lost=lost)

    def peek(self, item_id: str) -> Fate:
        return "keep" if self._fates.peek(item_id) == "keep" else "drop"


def _stem(name: str) -> str:
    """Return the id of the cut that a member of a Shar belongs to: ids may hold dots, and the suffix is the last."""
    return posixpath.splitext(name)[0]


def _cut_id(row: dict[str, Any]) -> str:
    return str(row.get("id", row.get("cut_id")))


def _json(location: str) -> dict[str, Any]:
    try:
        with open_location(location) as file:
            value = json.loads(file.read())
    except (OSError, ValueError) as error:
        raise CorpusError(f"{location}: {getattr(error, 'strerror', None) or error}") from error
    return dict(value)


def _write_json(path: Path, value: Iterable[Any]) -> None:
    with written(path) as file:
        file.write(json.dumps(value, indent=2).encode())
