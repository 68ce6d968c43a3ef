"""The manifest: the one file that says what a catalog consists of; whoever replaces it changes the catalog."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from earmark.errors import CatalogDamagedError, CatalogError, CatalogVersionError

__all__ = [
    "BLOCKS",
    "FIRST_LISTS",
    "FORMAT_VERSION",
    "LISTS",
    "MANIFEST",
    "MANIFEST_COPY",
    "SEGMENTS",
    "TABLE",
    "TRACKS",
    "UNFINISHED",
    "VECTORS_V1",
    "WORDS",
    "FileEntry",
    "Manifest",
    "SegmentEntry",
    "read_manifest",
    "render_manifest",
    "tracks_file",
]

FORMAT_VERSION: Final = 2
"""Version 2 has lists that all segments share, in files of their own; segments of version 1 may stand beside."""
MANIFEST: Final = "manifest.json"
SEGMENTS: Final = "segments"
LISTS: Final = "vectors.lists"
TABLE: Final = "vectors.table"
VECTORS_V1: Final = "vectors.faiss"
WORDS: Final = "words.u64"
BLOCKS: Final = "words.crc32"
TRACKS: Final = "tracks.sqlite"
# The same bytes again, so that the loss of one file does not cost the catalog.
MANIFEST_COPY: Final = "manifest.copy.json"
# What a build or add has done so far; see `Unfinished`.
UNFINISHED: Final = "unfinished"

FIRST_LISTS: Final = "fc6c04e09e7eebe09bb8eaf3eef9ce20547db2a7ee61217e011843c2fd07a122"
"""Those of segments whose manifest does not name any: the first catalogs of version 2 did not."""

_KIND: Final = "earmark-catalog"
_SEGMENT_NAME: Final = re.compile(r"[0-9]{4,9}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class FileEntry:
    """Size and SHA-256 of a file."""

    n_bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SegmentEntry:
    """A segment: tracks that were added together.

    Attributes
    ----------
    name : str
        Its directory below `segments`.
    n_tracks : int
        Rows of its track table, removed ones included.
    n_patches : int
        Patches of its tracks, silent ones included; the vectors are numbered by them.
    n_vectors : int
        Patches that are indexed.
    n_words : int
        Words of its peak bitmaps.
    n_lists, n_probes : int
        Inverted lists of the vector index, and how many of them a search looks into; 1 list is an exact scan.
    lists : str or None
        Digest of the lists that its vectors are sorted into; None where there is one, or, in version 1, lists of its
        own.
    files : mapping of str to FileEntry
    removed : tuple of int
        Tombstones: rows of the track table, ascending.
    edition : int
        Which version of the track table counts: it is replaced whole when tracks are corrected or get further ids.
    """

    name: str
    n_tracks: int
    n_patches: int
    n_vectors: int
    n_words: int
    n_lists: int
    n_probes: int
    files: Mapping[str, FileEntry]
    lists: str | None = None
    removed: tuple[int, ...] = ()
    edition: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a catalog consists of.

    Attributes
    ----------
    written_by : str
        Program and version, for people.
    config_digest, model_digest : str
        What its fingerprints were made with.
    segments : tuple of SegmentEntry
        In the order in which tracks are numbered.
    version : int
        Of the format that it was read in; it is always written in the newest.
    """

    written_by: str
    config_digest: str
    model_digest: str
    segments: tuple[SegmentEntry, ...]
    version: int = FORMAT_VERSION


def tracks_file(entry: SegmentEntry) -> str:
    """Return the name of the track table's file that counts; in `entry.files` it goes by `TRACKS` whatever its edition.

    Examples
    --------
    >>> counts = dict(n_tracks=1, n_patches=1, n_vectors=1, n_words=1, n_lists=1, n_probes=1)
    >>> entry = SegmentEntry(name="0001", files={}, **counts)
    >>> tracks_file(entry), tracks_file(dataclasses.replace(entry, edition=3))
    ('tracks.sqlite', 'tracks.3.sqlite')
    """
    return TRACKS if entry.edition == 1 else f"tracks.{entry.edition}.sqlite"


def render_manifest(manifest: Manifest) -> bytes:
    """Return the bytes of `manifest.json`: kind and version first, last the SHA-256 of all that is before it."""
    newest = dataclasses.replace(manifest, version=FORMAT_VERSION)
    document = {"kind": _KIND, "version": FORMAT_VERSION, **dataclasses.asdict(newest)}
    for segment in document["segments"]:
        segment["files"] = dict(sorted(segment["files"].items()))
    return _dump({**document, "sha256": _checksum(document)})


def read_manifest(catalog: Path, name: str = MANIFEST) -> tuple[Manifest, str]:
    """Read a catalog's manifest.

    Parameters
    ----------
    catalog : Path
        The catalog's directory.
    name : str
        The file in it: `MANIFEST`, or another one of that form.

    Returns
    -------
    tuple of Manifest and str
        The manifest and the SHA-256 of its file, which names this state of the catalog.

    Raises
    ------
    CatalogError
        If there is no catalog at `catalog`, or it cannot be read.
    CatalogVersionError
        If it has a format that this version of Earmark does not read.
    CatalogDamagedError
        If the manifest is not as it was written.
    """
    path = catalog / name
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise CatalogError(f"{catalog}: no catalog: there is no {name} in it; {_what_to_do(catalog)}") from None
    except (OSError, ValueError) as error:
        raise CatalogError(f"{path}: cannot be read: {error}") from error
    document = _parse(data, path)
    claimed = document.pop("sha256", None)
    if claimed != _checksum(document) or _dump({**document, "sha256": claimed}) != data:
        raise CatalogDamagedError(f"{path}: damaged: its bytes are not those that were written")
    try:
        manifest = _manifest(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CatalogDamagedError(f"{path}: damaged: {error!r}") from error
    return manifest, hashlib.sha256(data).hexdigest()


def _what_to_do(catalog: Path) -> str:
    if (catalog / UNFINISHED).is_dir():
        return "it is an unfinished build, which the same 'earmark catalog build' goes on with"
    return "expected a directory made by 'earmark catalog build'"


def _parse(data: bytes, path: Path) -> dict[str, Any]:
    """Parse JSON and check kind and version, before anything else."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CatalogDamagedError(f"{path}: damaged: not JSON ({error})") from error
    kind, version = (document.get("kind"), document.get("version")) if isinstance(document, dict) else (None, None)
    if kind != _KIND:
        raise CatalogDamagedError(
            f"{path}: not the manifest of a catalog, or damaged: kind is {kind!r}, expected {_KIND!r}"
        )
    if type(version) is int and version > FORMAT_VERSION:
        raise CatalogVersionError(
            f"{path}: format version {version}; this version of Earmark reads {FORMAT_VERSION} "
            "and older: update Earmark"
        )
    if type(version) is not int or version < 1:
        raise CatalogDamagedError(f"{path}: damaged: format version {version!r}, expected 1 to {FORMAT_VERSION}")
    return dict(document)


def _manifest(document: Mapping[str, Any]) -> Manifest:
    segments = tuple(_segment(one) for one in document["segments"])
    if len({one.name for one in segments}) != len(segments):
        raise ValueError("a segment comes twice")
    return Manifest(
        written_by=str(document["written_by"]),
        config_digest=_matched(_SHA256, document["config_digest"]),
        model_digest=_matched(_SHA256, document["model_digest"]),
        segments=segments,
        version=document["version"],
    )


def _segment(document: Mapping[str, Any]) -> SegmentEntry:
    counts = {name: _count(document[name]) for name in _COUNTS}
    vectors = (VECTORS_V1,) if VECTORS_V1 in document["files"] else (LISTS, TABLE)
    files = {
        name: FileEntry(
            n_bytes=_count(document["files"][name]["n_bytes"]),
            sha256=_matched(_SHA256, document["files"][name]["sha256"]),
        )
        for name in (*vectors, WORDS, BLOCKS, TRACKS)
    }
    removed = tuple(_count(number) for number in document["removed"])
    if not (counts["n_tracks"] and counts["n_vectors"] and 1 <= counts["n_probes"] <= counts["n_lists"]):
        raise ValueError("a segment with nothing in it, or nothing to be looked into")
    if sorted(set(removed)) != list(removed) or (removed and removed[-1] >= counts["n_tracks"]):
        raise ValueError("tombstones out of order or range")
    edition = _count(document.get("edition", 1))
    if not edition:
        raise ValueError("editions count from 1")
    name = _matched(_SEGMENT_NAME, document["name"])
    lists = document.get("lists", FIRST_LISTS if counts["n_lists"] > 1 and LISTS in files else None)
    if lists is not None:
        _matched(_SHA256, lists)
    return SegmentEntry(name=name, files=files, lists=lists, removed=removed, edition=edition, **counts)


_COUNTS: Final = ("n_tracks", "n_patches", "n_vectors", "n_words", "n_lists", "n_probes")


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"expected a number of things, got {value!r}")
    return value


def _matched(pattern: re.Pattern[str], value: str) -> str:
    if pattern.fullmatch(value) is None:
        raise ValueError(f"unexpected {value!r}")
    return value


def _dump(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode() + b"\n"


def _checksum(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(_dump(document)).hexdigest()
