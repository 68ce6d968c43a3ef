"""Columns of tables that hold audio, down structs and lists: found in a schema, and read row by row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from earmark.errors import CorpusError

__all__ = [
    "ELEMENT",
    "AudioColumn",
    "Sound",
    "audio_columns",
    "parquet_leaves",
    "size_of",
    "sounds_in",
    "value_at",
    "written_path",
]

ELEMENT = "[]"
"""The step of a column's path that goes from a list to its elements."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioColumn:
    """A column that holds audio.

    Attributes
    ----------
    steps
        Its path: names of fields, and `ELEMENT` for the elements of a list.
    data, path
        Paths of the leaf columns with the bytes and with the file's name; None where there is no name.
    """

    steps: tuple[str, ...]
    data: tuple[str, ...]
    path: tuple[str, ...] | None

    @property
    def name(self) -> str:
        """The path as it is written."""
        return written_path(self.steps)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """The audio in one place of a column.

    Attributes
    ----------
    elements
        Which element of each list on the way; fewer than there are lists where one of them is empty or null.
    data
        Array of one value, the bytes; None if it is null, or the batch does not have that leaf.
    path
        The file's name; None as well.
    """

    elements: tuple[int, ...]
    data: pa.Array | None
    path: str | None


def audio_columns(schema: pa.Schema, wanted: Sequence[str]) -> list[AudioColumn]:
    """Return the columns of audio: all structs of bytes and path (there may be none), or the ones that are wanted.

    Parameters
    ----------
    schema
        Of the table.
    wanted
        Paths with dots, "turns[].audio"; the marks of lists may be left out.

    Raises
    ------
    CorpusError
        If a wanted column is not there or cannot hold audio.
    """
    found = {column.name: column for field in schema for column in _columns_in(field.type, (field.name,))}
    if not wanted:
        return [column for column in found.values() if column.path is not None]
    plain = {name.replace(ELEMENT, ""): column for name, column in reversed(found.items())}
    missing = [name for name in wanted if name not in found and name not in plain]
    if missing:
        have = ", ".join(found) or "none"
        raise CorpusError(f"--audio-column {missing[0]}: not a column of bytes; the ones that are: {have}")
    return [found.get(name) or plain[name] for name in wanted]


def written_path(steps: Sequence[str], elements: Sequence[int] = ()) -> str:
    """Return a path as it is written, the elements of lists by their numbers if these are given.

    Examples
    --------
    >>> written_path(("turns", "[]", "audio")), written_path(("turns", "[]", "audio"), (2,))
    ('turns[].audio', 'turns[2].audio')
    """
    left = list(elements)
    parts = [(f"[{left.pop(0)}]" if left else ELEMENT) if step == ELEMENT else f".{step}" for step in steps]
    return "".join(parts).removeprefix(".")


def parquet_leaves(schema: pa.Schema, leaf_names: Sequence[str]) -> dict[tuple[str, ...], str]:
    """Return the Parquet file's own names of its leaf columns by our paths: it names the levels of lists as it likes.

    Parameters
    ----------
    schema
        Of the file, as Arrow sees it.
    leaf_names
        Of all its leaf columns in their order.
    """
    paths = [path for field in schema for path in _leaves_of(field.type, (field.name,))]
    return dict(zip(paths, leaf_names, strict=True))


def sounds_in(batch: pa.RecordBatch, column: AudioColumn, row: int) -> Iterator[Sound]:
    """Yield what a column holds in a row: one place, if no list is on the way; else one for each element, or a stub."""
    for elements, one in _walk(batch.column(column.steps[0]), row, column.steps[1:], ()):
        if one is None:
            yield Sound(elements=elements, data=None, path=None)
            continue
        of_data, of_path = column.data[len(column.steps) :], (column.path or ())[len(column.steps) :]
        path = _field(one, of_path[0]) if of_path else None
        yield Sound(
            elements=elements,
            data=_field(one, of_data[0]) if of_data else one,
            path=None if path is None else path[0].as_py(),
        )


def value_at(batch: pa.RecordBatch, path: Sequence[str], row: int, elements: Sequence[int]) -> bytes | None:
    """Return the bytes in one place of a leaf column, None where it or anything on the way is null.

    Raises
    ------
    CorpusError
        If they are no bytes.
    """
    left, one = list(elements), batch.column(path[0]).slice(row, 1)
    for step in path[1:]:
        if one.null_count:
            return None
        one = one.flatten().slice(left.pop(0), 1) if step == ELEMENT else one.field(step)
    value = one[0].as_py()
    if value is not None and not isinstance(value, bytes):
        raise CorpusError(f"the cell holds {type(value).__name__}, not bytes")
    return value


def size_of(data: pa.Array) -> int:
    """Return the length of the one value of an array."""
    return int(pc.binary_length(data)[0].as_py())


def _columns_in(kind: pa.DataType, steps: tuple[str, ...]) -> Iterator[AudioColumn]:
    if _is_binary(kind):
        yield AudioColumn(steps=steps, data=steps, path=None)
    elif _is_list(kind):
        yield from _columns_in(kind.value_type, (*steps, ELEMENT))
    elif pa.types.is_struct(kind):
        inner = {one.name: one for one in kind}
        if "bytes" in inner and _is_binary(inner["bytes"].type):
            path = (*steps, "path") if "path" in inner else None
            yield AudioColumn(steps=steps, data=(*steps, "bytes"), path=path)
        else:
            for one in inner.values():
                yield from _columns_in(one.type, (*steps, one.name))


def _leaves_of(kind: pa.DataType, steps: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the paths of the leaves of a type, in the order of Parquet's columns."""
    if isinstance(kind, pa.ExtensionType):
        yield from _leaves_of(kind.storage_type, steps)
    elif _is_list(kind):
        yield from _leaves_of(kind.value_type, (*steps, ELEMENT))
    elif pa.types.is_struct(kind):
        for one in kind:
            yield from _leaves_of(one.type, (*steps, one.name))
    elif pa.types.is_map(kind):
        yield from _leaves_of(kind.key_type, (*steps, "key"))
        yield from _leaves_of(kind.item_type, (*steps, "value"))
    else:
        yield steps


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _walk(
    values: pa.Array, at: int, steps: Sequence[str], elements: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield the places below one value, each as an array of one; None where it, a value or list on the way, is null.

    Slices are taken, not scalars: those copy the bytes.
    """
    one = values.slice(at, 1)
    if one.null_count or not steps:
        yield elements, None if one.null_count else one
    elif steps[0] != ELEMENT:
        yield from _walk(one.field(steps[0]), 0, steps[1:], elements)
    else:
        inner = one.flatten()
        if not len(inner):
            yield elements, None
        for number in range(len(inner)):
            yield from _walk(inner, number, steps[1:], (*elements, number))


def _field(one: pa.Array, name: str) -> pa.Array | None:
    """Return a field of the one struct of an array, None if it is null or not there."""
    if one.type.get_field_index(name) < 0:
        return None
    value = one.field(name)
    return None if value.null_count else value
