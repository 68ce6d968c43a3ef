"""For users of Hugging Face `datasets`: a scanner to map over a dataset."""

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa

from earmark.errors import ParameterError
from earmark.scan import ItemRow, MatchRow
from earmark.scan.sample_scanner import SampleScanner, ScannerOptions

__all__ = ["Scanner", "row_type"]

_TYPES = {str: pa.string(), float: pa.float64(), int: pa.int64()}


class Scanner:
    """Scans the batches of a dataset: ``dataset.map(Scanner("my.catalog"), batched=True)``.

    It adds columns to each row: `earmark_status`, `earmark_matched_s`, `earmark_scanned_s`, `earmark_duration_s` and
    `earmark_error` as in `items.jsonl`, and `earmark_matches`, a list with the columns of `matches.jsonl`. A row that
    cannot be read has the status "error" and the cause; nothing is raised for it. Items are listened to in a worker
    process, so that none can take the others with it.

    Undecoded audio is best (``dataset.cast_column("audio", datasets.Audio(decode=False))``), as the files are then
    decoded once, and by Earmark. It works with `num_proc`, and a result is found again in the cache of `datasets` as
    long as catalog, registry and options are the same.

    Parameters
    ----------
    catalog
        Path or fsspec URL of a catalog; of several that are shards of one, all of them.
    audio_column
        Column with the audio: bytes, paths, {bytes, path}, {array, sampling_rate} or an AudioDecoder.
    id_column
        Column with the name of each item; None for its path, or else the SHA-256 of its bytes.
    **options
        `registry`, `use`, `effort`, `max_e_value`, `min_seconds`, `limits` and `catalog_cache`, as for a scan.

    Raises
    ------
    CatalogError, RegistryError, ParameterError, ScanError
        If catalog, registry or options cannot be used.
    """

    def __init__(
        self,
        catalog: str | Path | Sequence[str | Path],
        *,
        audio_column: str = "audio",
        id_column: str | None = None,
        **options: Unpack[ScannerOptions],
    ) -> None:
        self._audio_column, self._id_column = audio_column, id_column
        self._scanner = SampleScanner(catalog, **options)

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Return the new columns of a batch.

        Parameters
        ----------
        batch
            Columns of equal length.

        Raises
        ------
        ParameterError
            If a column is missing.
        EarmarkError
            If no worker can start or go on, whatever the rows.
        """
        values = self._column(batch, self._audio_column)
        ids = [None] * len(values) if self._id_column is None else self._column(batch, self._id_column)
        records = [
            self._scanner.scan_item(value, item_id=None if item_id is None else str(item_id))
            for value, item_id in zip(values, ids, strict=True)
        ]
        columns: dict[str, list[Any]] = {}
        for name, kind in _columns().items():
            cells = [getattr(record.item, name.removeprefix("earmark_"), None) for record in records]
            if name == "earmark_matches":
                cells = [[dataclasses.asdict(match) for match in record.matches] for record in records]
            columns[name] = _Typed(cells, kind)
        return columns

    def close(self) -> None:
        """End the worker process, if one is running; it ends with this process anyway. May be called twice."""
        self._scanner.close()

    def _column(self, batch: Mapping[str, Sequence[Any]], name: str) -> Sequence[Any]:
        if name not in batch:
            raise ParameterError(f"expected a column {name!r}, the dataset has {', '.join(batch)}")
        return batch[name]


class _Typed(list[Any]):
    """A list that knows its Arrow type: in a batch without matches nobody could tell what a match looks like."""

    def __init__(self, values: list[Any], kind: pa.DataType) -> None:
        super().__init__(values)
        self._kind = kind

    def __arrow_array__(self, type: pa.DataType | None = None) -> pa.Array:  # noqa: A002 - pyarrow's name
        return pa.array(list(self), type=type or self._kind)


def row_type(kind: type) -> pa.StructType:
    """Return the Arrow type of the rows of a scan, `ItemRow` or `MatchRow`."""
    return pa.struct([(field.name, _TYPES[_python_type(field.type)]) for field in dataclasses.fields(kind)])


def _python_type(annotation: Any) -> type:  # noqa: ANN401 - a type or what describes one
    """Return what a column holds, None and the choice among several texts aside."""
    types = {annotation, *typing.get_args(annotation)}
    return next((kind for kind in (float, int) if kind in types), str)


def _columns() -> dict[str, pa.DataType]:
    item = row_type(ItemRow)
    names = ("status", "matched_s", "scanned_s", "duration_s", "error")
    columns = {f"earmark_{name}": item.field(name).type for name in names}
    return {**columns, "earmark_matches": pa.list_(row_type(MatchRow))}
