"""What is in the parts of a pack: rows of tracks as Parquet tables, each of a few megabytes."""

import dataclasses
import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from earmark.catalog import NAMED_COLUMNS, CodedSketch, StoredTrack, TrackTags
from earmark.errors import PackError, PackTamperedError
from earmark.fingerprint import Model

__all__ = ["ADDED", "CORRECTED", "DEFAULT_COLUMNS", "PackedTrack", "check_columns", "read_tracks", "write_tracks"]

DEFAULT_COLUMNS: Final = ("isrc", "title", "artist", "label", "rightsholder")
"""Of the track table, unless others are chosen: those that a scan reports. Paths are nobody's business."""

ADDED, CORRECTED = "added", "corrected"
"""What a row is: a track that comes, or new tags of one that is there."""

_PART_BYTES: Final = 8 << 20  # of fingerprints before compression: an hour and a half a megabyte
_PART_ROWS: Final = 10_000
_MOST_BYTES: Final = 4 << 30  # that a part may have once it is decompressed
# Names with an underscore are ours, all others those of the metadata file.
_OURS: Final = (
    pa.field("_change", pa.dictionary(pa.int8(), pa.string())),
    pa.field("_n_samples", pa.int64()),
    pa.field("_content", pa.binary(32)),
    pa.field("_words", pa.large_binary()),
    pa.field("_codes", pa.large_binary()),
    pa.field("_spoken", pa.large_binary()),
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PackedTrack:
    """A row of a pack.

    Attributes
    ----------
    change
        `ADDED`, or `CORRECTED`, which has no fingerprint.
    track
        The track, with those of its tags that the pack has.
    """

    change: str
    track: StoredTrack


def check_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """Return columns of a track table in the order of a pack, each once.

    Raises
    ------
    PackError
        If one has a name that a pack uses for something else.
    """
    chosen = set(columns) - {"track_id"}
    for name in chosen:
        if not name or name.startswith("_"):
            raise PackError(f"column {name!r} cannot be packed; expected a name without an underscore at its start")
    return (*(name for name in NAMED_COLUMNS if name in chosen), *sorted(chosen - set(NAMED_COLUMNS)))


def write_tracks(rows: Iterable[PackedTrack], columns: tuple[str, ...]) -> Iterator[bytes]:
    """Yield tracks as tables, some in each.

    Parameters
    ----------
    rows
        The tracks.
    columns
        Tags to write, besides the track id.
    """
    schema = pa.schema([pa.field("track_id", pa.string()), *(pa.field(c, pa.string()) for c in columns), *_OURS])
    waiting: list[dict[str, Any]] = []
    n_bytes = 0
    for row in rows:
        track, sketch = row.track, row.track.sketch
        whole = row.change == ADDED
        values = {
            "track_id": track.tags.track_id,
            **{name: track.tags.value(name) for name in columns},
            "_change": row.change,
            "_n_samples": sketch.n_samples,
            "_content": sketch.content,
            "_words": sketch.words.astype("<u8").tobytes() if whole else b"",
            "_codes": sketch.codes.tobytes() if whole else b"",
            "_spoken": np.packbits(sketch.spoken, bitorder="little").tobytes() if whole else b"",
        }
        waiting.append(values)
        n_bytes += sketch.words.nbytes + sketch.codes.nbytes if whole else 0
        if n_bytes >= _PART_BYTES or len(waiting) >= _PART_ROWS:
            yield _table(waiting, schema)
            waiting, n_bytes = [], 0
    if waiting:
        yield _table(waiting, schema)


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    sink = io.BytesIO()
    # Fingerprints are of few values, and no two alike: a dictionary of them would only cost.
    names = [name for name in schema.names if not name.startswith("_")]
    pq.write_table(
        pa.Table.from_pylist(rows, schema), sink, compression="zstd", use_dictionary=names, write_statistics=False
    )
    return sink.getvalue()


def read_tracks(data: bytes, columns: tuple[str, ...], model: Model) -> Iterator[PackedTrack]:
    """Yield the tracks of a table.

    Parameters
    ----------
    data
        From `write_tracks`; known to be as its sender wrote it.
    columns
        That it has.
    model
        That the fingerprints are of.

    Raises
    ------
    PackTamperedError
        If it is no such table: its sender wrote something else.
    """
    code_bytes = model.centroids.shape[0] // 2
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        groups = [file.metadata.row_group(n).total_byte_size for n in range(file.metadata.num_row_groups)]
        if sum(groups) > _MOST_BYTES:
            raise ValueError(f"{sum(groups):,} bytes once it is decompressed")
        for row in file.read().to_pylist():
            yield _row(row, columns, code_bytes)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise PackTamperedError(f"the pack has a table of tracks of another form: {error}") from error


def _row(values: dict[str, Any], columns: tuple[str, ...], code_bytes: int) -> PackedTrack:
    tags = {name: None if values[name] is None else str(values[name]) for name in columns}
    words = np.frombuffer(values["_words"], "<u8").astype(np.uint64)
    codes = np.frombuffer(values["_codes"], np.uint8).reshape(-1, code_bytes)
    spoken = np.unpackbits(np.frombuffer(values["_spoken"], np.uint8), count=len(codes), bitorder="little")
    change, track_id, n_samples = values["_change"], values["track_id"], values["_n_samples"]
    if change not in (ADDED, CORRECTED) or not isinstance(track_id, str) or not track_id or n_samples < 0:
        raise ValueError(f"a row that is no track: {track_id!r}, {change!r}")
    if change == ADDED and not (len(words) and len(codes) and spoken.any()):
        raise ValueError(f"track {track_id!r} has no fingerprint")
    return PackedTrack(
        change=change,
        track=StoredTrack(
            tags=TrackTags(
                track_id=track_id,
                **{name: tags[name] for name in NAMED_COLUMNS if name in tags},
                extra={name: value for name, value in tags.items() if name not in NAMED_COLUMNS and value is not None},
            ),
            sketch=CodedSketch(
                n_samples=n_samples,
                words=words,
                content=bytes(values["_content"]),
                codes=codes,
                spoken=spoken.astype(np.bool_),
            ),
        ),
    )
