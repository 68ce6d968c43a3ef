"""Any corpus as a run of entries: it is recognised for what it is, and its own lister is asked."""

import re
from collections.abc import Iterator
from pathlib import Path

from braceexpand import braceexpand

from earmark.corpus.audio_kind import has_audio_extension
from earmark.corpus.container import CONTAINER_HEAD_BYTES, CONTAINER_KINDS, container_kind, list_container
from earmark.corpus.cut import CutLister
from earmark.corpus.directory import list_directory
from earmark.corpus.entry import Entry, Item, Unlistable
from earmark.corpus.folder_format import folder_format, list_folder_format
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.lines import read_lines
from earmark.corpus.location import is_http, is_url, local_path
from earmark.corpus.manifest import MANIFEST_KINDS, list_manifest, manifest_kind
from earmark.corpus.options import FORMATS, CorpusOptions
from earmark.corpus.remote import is_remote_folder, open_location
from earmark.corpus.remote_tree import list_remote_tree
from earmark.corpus.source import WholeFile
from earmark.errors import CorpusError, ParameterError

__all__ = ["corpus_format", "expand", "file_format", "list_corpus"]

_BRACES = re.compile(r"\{[^{}]*(\.\.|,)[^{}]*\}")
_MAX_EXPANDED = 1_000_000
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
    if options.format is not None and options.format not in FORMATS:
        raise ParameterError(f"format must be one of {', '.join(FORMATS)}, got {options.format!r}")
    if is_http(location) and not options.allow_http:
        raise CorpusError(f"{location}: web addresses are not opened unless --allow-http is given")
    parts = expand(location)
    lister = CutLister(allow_http=options.allow_http)
    if parts == [location]:
        return _list_one(location, options, lister)
    return _list_many(parts, options, lister)


def expand(location: str) -> list[str]:
    """Return what a pattern with braces stands for, in order; a location without any stands for itself.

    Raises
    ------
    CorpusError
        If the braces are out of balance, or stand for more than a million locations.

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
        is_folder = path.is_dir() if path is not None else is_remote_folder(location)
        if is_folder:
            asked = options.format
            known = asked in ("directory", "audiofolder", "datasets", "shar") or asked in MANIFEST_KINDS
            return asked if asked is not None and known else folder_format(location)
        return file_format(location, options.format)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise CorpusError(f"{location!r}: {words}" if path is not None else words) from error


def file_format(location: str, asked: str | None = None) -> str:
    """Return the format of a file that is no folder: a container, a list, or "audio"."""
    name = location.partition("::")[0]
    if asked is not None and asked != "directory":
        return asked
    if has_audio_extension(name):
        return "audio"
    path = local_path(location)
    if path is not None and not path.is_file():
        if not path.exists():
            path.stat()  # raises what is wrong
        return "audio"  # a FIFO or the like; the directory's lister says so
    with open_location(location) as file:
        kind = container_kind(name, file.read(CONTAINER_HEAD_BYTES))
    if kind is not None:
        return kind
    return (_list_kind(location) if _LIST_NAMES.search(name) else None) or "audio"


def _list_kind(location: str) -> str | None:
    """Return the form of a list, None if it is none."""
    first = next(read_lines(location), None)
    return None if first is None else manifest_kind(first)


def _list_one(location: str, options: CorpusOptions, lister: CutLister) -> Iterator[Entry]:
    """List one location by its format."""
    kind = corpus_format(location, options)
    path = local_path(location)
    if kind == "directory" and path is None:
        return list_remote_tree(location, options)
    if kind in ("directory", "audio"):
        return iter([_remote_item(location)]) if path is None else list_directory(path, options)
    if kind in CONTAINER_KINDS:
        return list_container(kind, location, encode_item_id(_name(location)), options)
    if kind in MANIFEST_KINDS:
        return list_manifest(kind, location, lister, options)
    return list_folder_format(kind, location, lister, options)


def _list_many(parts: list[str], options: CorpusOptions, lister: CutLister) -> Iterator[Entry]:
    for part in parts:
        try:
            yield from _list_one(part, options, lister)
        except CorpusError as error:
            yield Unlistable(id=encode_item_id(_name(part)), error=str(error))


def _remote_item(location: str) -> Item:
    return Item(id=encode_item_id(_name(location)), source=WholeFile(location=location), size_bytes=None)


def _name(location: str) -> str:
    """Return the name of the file that a location means; of a chained URL, that of the innermost file."""
    parts = [part for part in location.split("::") if part.split("://")[-1]]
    last = parts[0] if parts else location
    return last.rstrip("/").rpartition("/")[2] if is_url(last) else Path(last).name
