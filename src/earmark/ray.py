"""For users of Ray Data: a dataset scanned as it streams by."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pyarrow as pa

from earmark.errors import ParameterError, ScanError
from earmark.huggingface import row_type
from earmark.scan import ItemRow, MatchRow
from earmark.scan.sample_scanner import SampleScanner, ScannerOptions

if TYPE_CHECKING:
    from ray.data import Dataset

__all__ = ["match_rows", "scan_dataset"]

_MATCHES = "found"
_BATCH_ROWS = 16


def scan_dataset(
    ds: "Dataset",
    *,
    catalog: str | Path | Sequence[str | Path],
    audio_column: str = "audio",
    rate_column: str | None = None,
    id_column: str | None = None,
    concurrency: int | tuple[int, int] | None = None,
    batch_size: int = _BATCH_ROWS,
    **options: Unpack[ScannerOptions],
) -> "Dataset":
    """Scan a Ray dataset, lazily: a row of the result for each row, in a pool of actors.

    Parameters
    ----------
    ds
        The dataset, such as of `ray.data.read_binary_files(..., include_paths=True)`.
    catalog
        Path or fsspec URL of a catalog, that means the same on every node; of several shards of one, all of them.
        What a URL names is copied to each node on first use, and checked.
    audio_column
        Column with the audio: bytes, paths, {bytes, path}, {array, sampling_rate}; arrays of samples with
        `rate_column`, which names the column with their sampling rates in Hz.
    id_column
        Column with the name of each item; None for its path, or else the SHA-256 of its bytes.
    concurrency
        How many actors, or how few and how many at most [>= 1]; each takes one processor. None leaves it to Ray.
    batch_size
        Rows that an actor takes at a time [>= 1].
    **options
        `registry` (a file on this machine), `use`, `effort`, `max_e_value`, `min_seconds`, `limits` and
        `catalog_cache`, as for a scan.

    Returns
    -------
    ray.data.Dataset
        The columns of `items.jsonl`, and `found`, a list of structs with the columns of `matches.jsonl`; see
        `match_rows`.

    Raises
    ------
    CatalogError, RegistryError, ParameterError, ScanError
        If catalog, registry or options cannot be used, or Ray is not installed.
    """
    try:
        from ray.data import ActorPoolStrategy
    except ImportError as error:
        raise ScanError("Ray Data is not installed: pip install 'earmark[ray]'") from error
    scanner = SampleScanner(catalog, **options)
    pool = ActorPoolStrategy()
    if isinstance(concurrency, int):
        pool = ActorPoolStrategy(size=concurrency)
    elif concurrency is not None:
        pool = ActorPoolStrategy(min_size=concurrency[0], max_size=concurrency[1])
    return ds.map_batches(
        _Actor,
        fn_constructor_args=(scanner, audio_column, rate_column, id_column),
        compute=pool,
        num_cpus=1,
        batch_size=batch_size,
        batch_format="numpy",
    )


def match_rows(scanned: "Dataset") -> "Dataset":
    """Return the matches of a scanned dataset, with the columns of `matches.jsonl`.

    Parameters
    ----------
    scanned
        What `scan_dataset` has given.
    """
    return scanned.map_batches(_flat, batch_format="pyarrow")


class _Actor:
    """What runs in the actors of the pool."""

    def __init__(
        self, scanner: SampleScanner, audio_column: str, rate_column: str | None, id_column: str | None
    ) -> None:
        self._scanner, self._columns = scanner, (audio_column, rate_column, id_column)

    def __call__(self, batch: dict[str, Any]) -> pa.Table:
        records = [
            self._scanner.scan_item(value, item_id=item_id, sr=sr) for value, sr, item_id in self._samples(batch)
        ]
        table = pa.Table.from_pylist(
            [dataclasses.asdict(record.item) for record in records], schema=pa.schema(list(row_type(ItemRow)))
        )
        found = [[dataclasses.asdict(match) for match in record.matches] for record in records]
        return table.append_column(_MATCHES, pa.array(found, type=pa.list_(row_type(MatchRow))))

    def _samples(self, batch: dict[str, Any]) -> Iterator[tuple[object, int | None, str | None]]:
        audio_column, *others = self._columns
        audio = self._column(batch, audio_column)
        rates, ids = (None if name is None else self._column(batch, name) for name in others)
        if ids is None and audio_column != "path":
            ids = batch.get("path")  # as `read_binary_files` has it beside the bytes
        for row, value in enumerate(audio):
            sr, item_id = (None if column is None else column[row] for column in (rates, ids))
            yield value, None if sr is None else int(sr), None if item_id is None else str(item_id)

    def _column(self, batch: dict[str, Any], name: str) -> np.ndarray[Any, Any]:
        if name not in batch:
            raise ParameterError(f"expected a column {name!r}, the dataset has {', '.join(batch)}")
        column: np.ndarray[Any, Any] = batch[name]
        return column


def _flat(batch: pa.Table) -> pa.Table:
    matches = batch.column(_MATCHES).combine_chunks().flatten()
    return pa.Table.from_arrays(matches.flatten(), schema=pa.schema(list(row_type(MatchRow))))
