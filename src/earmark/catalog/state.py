"""States: which tracks a catalog had, in 24 bytes each, to tell later what has changed since."""

import dataclasses
import enum
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.catalog import Catalog
from earmark.catalog.storage import sync
from earmark.catalog.stored import live_rows, tags_digest
from earmark.catalog.track import NAMED_COLUMNS, TrackTags
from earmark.errors import CatalogDamagedError, CatalogError, CatalogVersionError

__all__ = [
    "STATE_FILE",
    "CatalogState",
    "Change",
    "Entries",
    "entries_from",
    "entry_of",
    "read_state",
    "state_from",
    "state_of",
    "write_state",
]

STATE_FILE: Final = "catalog.state"
"""Its name in a folder of other things."""

# Digests cut short: of the track id, so that no two of a billion tracks are taken for one (1 in 10^10); of the
# fingerprint and the tags, so that a change goes unnoticed in 1 of 10^14.
_KEY, _CONTENT, _TAGS = 12, 6, 6
_ENTRY: Final = np.dtype([("key", f"V{_KEY}"), ("content", f"V{_CONTENT}"), ("tags", f"V{_TAGS}")])
_KIND: Final = "earmark catalog state"
_VERSION: Final = 1
_MAX_HEADER: Final = 1 << 20


Entries = NDArray[np.void]
"""Entries of tracks, in any order: key, content and tags of each."""


class Change(enum.IntEnum):
    """What has become of a track since a state."""

    NONE = 0
    CORRECTED = 1
    """It has other tags."""
    ADDED = 2
    """It was not there, or it has another fingerprint."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CatalogState:
    """Which tracks there are, and what they are like.

    Attributes
    ----------
    model_digest : str
        Of the catalog.
    columns : tuple of str
        That count as a track's tags.
    entries : np.ndarray [shape=(n,), fields key, content, tags]
        By key, ascending, each once.
    """

    model_digest: str
    columns: tuple[str, ...]
    entries: Entries

    @property
    def digest(self) -> str:
        """SHA-256 of all of it: the name of the state."""
        about = json.dumps([self.model_digest, sorted(self.columns)]).encode()
        return hashlib.sha256(about + b"\n" + self.entries.tobytes()).hexdigest()

    def changes(self, now: Entries) -> NDArray[np.int8]:
        """Return what has become of each of some tracks since this state.

        Parameters
        ----------
        now : np.ndarray [shape=(n,), fields as in `entries`]
            The tracks.

        Returns
        -------
        np.ndarray [shape=(n,), dtype=int8]
            Values of `Change`.
        """
        changes = np.full(len(now), Change.ADDED, np.int8)
        at = self.find(now)
        known = np.flatnonzero(at >= 0)
        before, after = self.entries[at[known]], now[known]
        same = known[before["content"] == after["content"]]
        changes[same] = Change.CORRECTED
        changes[known[before == after]] = Change.NONE
        return changes

    def find(self, entries: Entries) -> NDArray[np.int64]:
        """Return where the tracks of entries are in this state, by their ids; -1 for those that are not."""
        mine, theirs = _keys(self.entries), _keys(entries)
        if not len(mine):
            return np.full(len(theirs), -1, np.int64)
        at = np.minimum(np.searchsorted(mine, theirs), len(mine) - 1)
        return np.where(mine[at] == theirs, at, -1)


def entry_of(tags: TrackTags, content: bytes, columns: tuple[str, ...]) -> bytes:
    """Return the 24 bytes of a track."""
    key = hashlib.sha256(tags.track_id.encode()).digest()[:_KEY]
    return key + content[:_CONTENT] + tags_digest(tags, columns)[:_TAGS]


def entries_from(data: bytes | bytearray) -> Entries:
    """Return entries that follow one another.

    Raises
    ------
    CatalogError
        If the last is not whole.
    """
    if len(data) % _ENTRY.itemsize:
        raise CatalogError(f"{len(data)} bytes, expected {_ENTRY.itemsize} for each track")
    return np.frombuffer(bytes(data), _ENTRY)


def state_of(catalog: Catalog, columns: tuple[str, ...] = NAMED_COLUMNS) -> CatalogState:
    """Return the state of a catalog.

    Parameters
    ----------
    catalog : Catalog
    columns : tuple of str
        That count as a track's tags.

    Raises
    ------
    CatalogDamagedError
        If what is read is not as it was written.
    """
    data = bytearray()
    for _, tags, _, content in live_rows(catalog):
        data += entry_of(tags, content, columns)
    return state_from(entries_from(data), catalog.model_digest, columns)


def state_from(entries: Entries, model_digest: str, columns: tuple[str, ...]) -> CatalogState:
    """Return the state of the tracks of entries.

    Raises
    ------
    CatalogError
        If a track comes twice.
    """
    keys = _keys(entries)
    order = np.argsort(keys, kind="stable")
    if (keys[order][1:] == keys[order][:-1]).any():
        raise CatalogError("a track id comes twice")
    return CatalogState(model_digest=model_digest, columns=columns, entries=entries[order])


def _keys(entries: Entries) -> NDArray[np.bytes_]:
    """Return the keys in a form that can be sorted."""
    return np.ascontiguousarray(entries["key"]).view(f"S{_KEY}")


def write_state(path: Path, state: CatalogState) -> None:
    """Write a state to a file, in the place of the one before.

    Raises
    ------
    CatalogError
        If it cannot be written.
    """
    header = {
        "kind": _KIND,
        "version": _VERSION,
        "model_digest": state.model_digest,
        "columns": list(state.columns),
        "tracks": len(state.entries),
        "digest": state.digest,
    }
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.write_bytes(json.dumps(header).encode() + b"\n" + state.entries.tobytes())
        sync(aside)
        aside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise CatalogError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_state(path: Path) -> CatalogState:
    """Return the state that `write_state` wrote.

    Raises
    ------
    CatalogError
        If it cannot be read, or is no such file.
    CatalogVersionError
        If a newer version wrote it.
    CatalogDamagedError
        If it is not as it was written.
    """
    try:
        with path.open("rb") as file:
            line, data = file.readline(_MAX_HEADER), file.read()
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror or error}; expected the state of a catalog") from error
    try:
        header: dict[str, Any] = json.loads(line)
        kind, version = header["kind"], header["version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CatalogError(f"{path}: no state of a catalog ({error!r})") from error
    if kind != _KIND:
        raise CatalogError(f"{path}: expected {_KIND!r}, got {kind!r}")
    if type(version) is int and version > _VERSION:
        raise CatalogVersionError(f"{path}: its version is {version}, this version of Earmark knows {_VERSION}")
    try:
        state = state_from(entries_from(data), str(header["model_digest"]), tuple(map(str, header["columns"])))
        if (len(state.entries), state.digest) != (header["tracks"], header["digest"]):
            raise CatalogError("its digest is another")
    except (ValueError, TypeError, KeyError, CatalogError) as error:
        raise CatalogDamagedError(f"{path}: damaged: {error}; make it again") from error
    return state
