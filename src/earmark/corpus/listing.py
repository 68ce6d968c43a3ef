"""Any corpus as a run of entries: it is recognised for what it is, and its own lister is asked."""

import dataclasses
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from braceexpand import braceexpand

from earmark.corpus.audio_kind import has_audio_extension
from earmark.corpus.container import CONTAINER_HEAD_BYTES, CONTAINER_KINDS, container_kind, list_container
from earmark.corpus.cut import CutLister
from earmark.corpus.directory import list_directory, walk_directory
from earmark.corpus.entry import Container, Entry, Item, Unlistable
from earmark.corpus.folder_format import folder_format, list_folder_format
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.lines import read_lines
from earmark.corpus.location import is_http, is_url, local_path, parent
from earmark.corpus.manifest import MANIFEST_KINDS, list_manifest, manifest_kind
from earmark.corpus.options import FORMATS, CorpusOptions
from earmark.corpus.remote import is_remote_folder, look_at_remote, open_location
from earmark.corpus.remote_tree import walk_remote_tree
from earmark.corpus.source import WholeFile
from earmark.errors import CorpusError, ParameterError

__all__ = [
    "WITH_OWN_IDS",
    "common_parts",
    "corpus_format",
    "expand",
    "file_format",
    "holds_containers",
    "is_folder",
    "list_corpus",
    "list_parts",
    "list_recording",
    "location_name",
]

_BRACES = re.compile(r"\{[^{}]*(\.\.|,)[^{}]*\}")
_MAX_EXPANDED = 100_000
_OF_FOLDERS = ("audiofolder", "datasets", "directory", "kaldi", "shar")
WITH_OWN_IDS = ("audiofolder", "datasets", "directory", "shar")
"""Formats of folders whose ids begin in the folder; where it is one of several its name comes first."""

_LIST_NAMES = re.compile(r"\.(jsonl?|ndjson|csv|tsv|scp)(\.gz)?$", re.IGNORECASE)


def list_corpus(location: str, options: CorpusOptions | None = None) -> Iterator[Entry]:
    """List a corpus: a directory, a file that holds or names many recordings, or one recording; here or elsewhere.

    Parameters
    ----------
    location
        A path, a URL that fsspec knows, or a pattern of several with braces, such as "shard-{000..127}.tar".
    options
        How to read it; None leaves all to recognition.

    Yields
    ------
    Entry
        In an order that is the same each time, each id once. An archive, table or list that is damaged costs an
        `Unlistable` with its own id, and the rest goes on.

    Raises
    ------
    CorpusError
        If there is nothing that can be listed; at the call, before the first entry.
    ParameterError
        If `options.format` is none of `FORMATS`.
    """
    options = options or CorpusOptions()
    return _opened(list_parts(location, options), options)


def list_parts(location: str, options: CorpusOptions) -> Iterator[Entry | Container]:
    """List a corpus without opening the archives and tables in it.

    Parameters
    ----------
    location, options
        As for `list_corpus`.

    Yields
    ------
    Entry or Container
        As from `list_corpus`, where a `Container` stands for what `list_container` lists of it.

    Raises
    ------
    CorpusError, ParameterError
        As from `list_corpus`.
    """
    if options.format is not None and options.format not in FORMATS:
        raise ParameterError(f"format must be one of {', '.join(FORMATS)}, got {options.format!r}")
    if is_http(location) and not options.allow_http:
        raise CorpusError(f"{location}: web addresses are not opened unless --allow-http is given")
    parts = expand(location)
    if parts == [location]:
        return _list_one(location, options, CutLister(allow_http=options.allow_http))
    return _list_many(parts, options)


def _opened(parts: Iterator[Entry | Container], options: CorpusOptions) -> Iterator[Entry]:
    for part in parts:
        if isinstance(part, Container):
            yield from list_container(part, options)
        else:
            yield part


def holds_containers(location: str, options: CorpusOptions, n: int) -> bool:
    """Return whether a corpus holds at least so many archives and tables; no more of it is listed than that takes.

    Parameters
    ----------
    location, options
        As for `list_corpus`.
    n
        How many [>= 1].
    """
    found = itertools.chain.from_iterable(_containers_in(part, options) for part in expand(location))
    return sum(1 for _ in itertools.islice(found, n)) == n


def _containers_in(part: str, options: CorpusOptions) -> Iterator[Container]:
    """Yield the containers of one of several locations; lists, which name none, are not read."""
    try:
        kind = corpus_format(part, options)
        if kind in CONTAINER_KINDS or kind in WITH_OWN_IDS:
            yield from (one for one in list_parts(part, options) if isinstance(one, Container))
    except CorpusError:
        return  # `list_corpus` tells it


def expand(location: str) -> list[str]:
    """Return what a pattern with braces stands for, in order; a location without any stands for itself.

    Raises
    ------
    CorpusError
        If the braces are out of balance, or stand for more than 100,000 locations.

    Examples
    --------
    >>> expand("a-{08..10}.tar")
    ['a-08.tar', 'a-09.tar', 'a-10.tar']
    """
    path = local_path(location)
    if not _BRACES.search(location) or (path is not None and path.exists()):
        return [location]
    parts = []
    try:
        for part in braceexpand(location):
            parts.append(part)
            if len(parts) > _MAX_EXPANDED:
                raise CorpusError(f"{location}: stands for more than {_MAX_EXPANDED:,} locations")
    except ValueError as error:
        raise CorpusError(f"{location}: braces are out of balance: {error}") from error
    return parts


def corpus_format(location: str, options: CorpusOptions) -> str:
    """Return which of `FORMATS` a corpus has: the one that is asked for, or the one that it is recognised as.

    Parameters
    ----------
    location
        One location, without braces.
    options
        How to read it.

    Raises
    ------
    CorpusError
        If there is nothing at the location, or it cannot be looked at.
    """
    path = local_path(location)
    try:
        if is_folder(location):
            asked = options.format
            return asked if asked in _OF_FOLDERS else folder_format(location)
        return file_format(location, options)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise CorpusError(f"{location!r}: {words}" if path is not None else words) from error


def is_folder(location: str) -> bool:
    """Return whether a location is a folder.

    Raises
    ------
    OSError
        If it is elsewhere and cannot be looked at.
    """
    path = local_path(location)
    return path.is_dir() if path is not None else is_remote_folder(location)


def file_format(location: str, options: CorpusOptions) -> str:
    """Return the format of a file that is no folder: a container, a list, or "audio".

    Raises
    ------
    CorpusError
        If it is named like a list, and none that is known.
    OSError
        If it cannot be looked at.
    """
    name = location.partition("::")[0]
    if options.format in CONTAINER_KINDS or options.format in MANIFEST_KINDS:
        return options.format
    path = local_path(location)
    if has_audio_extension(name) or (path is not None and path.exists() and not path.is_file()):
        return "audio"  # of a FIFO or the like the directory's lister says what it is
    kind = container_kind(name)
    if kind is not None and path is None:
        return kind  # to look into each of ten thousand shards elsewhere takes long
    with open_location(location) as file:
        kind = kind or container_kind(name, file.read(CONTAINER_HEAD_BYTES))
    if kind is None and _LIST_NAMES.search(name):
        first = next(read_lines(location), None)
        kind = None if first is None else manifest_kind(first, options.path_column)
        if kind is None:
            words = "a list of no format that is known; name the format by --format, and its columns"
            raise CorpusError(f"{location}: {words} by --path-column, --offset-column and --duration-column")
    return kind or "audio"


def _list_one(location: str, options: CorpusOptions, lister: CutLister) -> Iterator[Entry | Container]:
    """List one location by its format."""
    kind = corpus_format(location, options)
    path = local_path(location)
    if kind == "directory" and path is None:
        return walk_remote_tree(location)
    if kind == "directory" and path is not None:
        return walk_directory(path)
    if kind == "audio":
        return list_recording(location)
    if kind in CONTAINER_KINDS:
        return iter([Container(id=encode_item_id(location_name(location)), kind=kind, location=location)])
    if kind in MANIFEST_KINDS and not (kind == "kaldi" and is_folder(location)):
        return list_manifest(kind, location, lister, options)
    return list_folder_format(kind, location, lister, options)


def _list_many(parts: list[str], options: CorpusOptions) -> Iterator[Entry | Container]:
    """List several locations one after the other, with ids relative to the folder that they have in common."""
    listers: dict[str, CutLister] = {}
    for part, folder in common_parts(parts):
        lister = listers.setdefault(folder, CutLister(allow_http=options.allow_http))
        prefix, name = encode_item_id(folder), encode_item_id(location_name(part))
        try:
            inside = f"{prefix}{name}/" if corpus_format(part, options) in WITH_OWN_IDS else prefix
            for entry in _list_one(part, options, lister):
                yield dataclasses.replace(entry, id=inside + entry.id)
        except CorpusError as error:
            yield Unlistable(id=prefix + name, error=str(error))


def common_parts(parts: list[str]) -> list[tuple[str, str]]:
    """Return each location with its folder's path below the folder that all of them have in common.

    Examples
    --------
    >>> common_parts(["s3://b/x/1.tar", "s3://b/y/z/1.tar"])
    [('s3://b/x/1.tar', 'x/'), ('s3://b/y/z/1.tar', 'y/z/')]
    """
    folders = [f"{parent(part)}/".split("/") for part in parts]
    n_common = min((_n_same(folders[0], folder) for folder in folders[1:]), default=len(folders[0]) - 1)
    return [(part, "/".join(folder[n_common:])) for part, folder in zip(parts, folders, strict=True)]


def _n_same(one: list[str], other: list[str]) -> int:
    """Return how many first parts of two paths are the same; the last part of each, an empty one, does not count."""
    pairs = zip(one[:-1], other[:-1], strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def list_recording(location: str) -> Iterator[Entry]:
    """List a corpus that is one recording.

    Raises
    ------
    CorpusError
        If there is no such file.
    """
    path = local_path(location)
    if path is not None:
        return list_directory(path)
    try:
        about = look_at_remote(location)
    except OSError as error:
        raise CorpusError(error.strerror or str(error)) from error
    source = WholeFile(location=location, version=about.version)
    return iter([Item(id=encode_item_id(location_name(location)), source=source, size_bytes=about.size_bytes)])


def location_name(location: str) -> str:
    """Return the name of the file that a location means; of a chained URL, that of the innermost file."""
    parts = [part for part in location.split("::") if part.split("://")[-1]]
    last = parts[0] if parts else location
    return last.rstrip("/").rpartition("/")[2] if is_url(last) else Path(last).name
