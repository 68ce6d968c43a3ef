"""Clean copies of folders: a list of the files that stay, or links to them, and copies of what holds several items."""

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from earmark.corpus.container import CONTAINER_HEAD_BYTES, container_kind
from earmark.corpus.entry import Entry, Item, Unlistable
from earmark.corpus.fate import Fates, redacted_name, written
from earmark.corpus.folder_format import METADATA_NAMES
from earmark.corpus.item_id import decode_item_id, encode_item_id
from earmark.corpus.location import join, local_path, open_local
from earmark.corpus.options import CorpusOptions
from earmark.corpus.reader import ItemReader
from earmark.corpus.shard_copy import copy_tar, copy_zip
from earmark.errors import CorpusError

__all__ = ["FILE_LIST", "copy_container", "copy_folder"]

FILE_LIST = "files.txt"
"""Name of the list of files that stay: a path relative to the corpus on each line, as the file system has it."""


def copy_container(kind: str, location: str, file_id: str, out: Path, fates: Fates, options: CorpusOptions) -> None:
    """Copy a file that holds several items, without those that are to be dropped.

    Parameters
    ----------
    kind
        One of `CONTAINER_KINDS`.
    location
        Path or URL.
    file_id
        Its item id.
    out
        Where the copy goes.
    fates
        Decide.
    options
        How the corpus was read.
    """
    if kind == "webdataset":
        copy_tar(location, file_id, out, fates)
    elif kind == "zip":
        copy_zip(location, file_id, out, fates)
    else:
        from earmark.corpus.table_copy import copy_arrow, copy_parquet

        (copy_parquet if kind == "parquet" else copy_arrow)(location, file_id, out, fates, options.audio_columns)


def copy_folder(
    entries: Iterable[Entry], location: str, out: Path, fates: Fates, options: CorpusOptions, *, link: bool
) -> None:
    """Write the list of a folder's files that stay, and copies of the archives and tables in it.

    Files that are no audio stay. The metadata of an AudioFolder lose the rows of what goes.

    Parameters
    ----------
    entries
        What is in the folder, archives and tables closed.
    location
        Path or URL of the folder.
    out
        Folder for all that is written.
    fates
        Decide.
    options
        How the corpus was read.
    link
        Whether to make hard links to the files that stay.

    Raises
    ------
    CorpusError
        If links cannot be made.
    """
    root = local_path(location)
    if link and root is None:
        raise CorpusError(f"{location}: hard links can only be made to local files; leave out --link")
    renamed: dict[str, str] = {}
    metadata = []
    with written(out / FILE_LIST) as list_file:
        for entry in entries:
            relative = decode_item_id(entry.id)
            place = join(location, relative) if root is None else str(root / relative)
            if isinstance(entry, Unlistable):
                fates.damaged(entry.id, entry.error)
            elif isinstance(entry, Item):
                fate = fates.of(entry.id)
                if fate == "redact":
                    _redact(entry, relative, out, fates, renamed)
                elif fate == "keep":
                    _keep(relative, place, out, list_file, fates, link=link)
            elif relative in METADATA_NAMES and root is not None:
                metadata.append(relative)
            elif (kind := _kind_of(place)) is None:
                continue  # a directory, a FIFO
            elif kind:
                copy_container(kind, place, entry.id, out / relative, fates, options)
            else:
                _keep(relative, place, out, list_file, fates, link=link)
    for name in metadata:
        from earmark.corpus.metadata_copy import copy_metadata

        copy_metadata(join(location, name), out / name, fates, renamed)


def _kind_of(place: str) -> str | None:
    """Return what kind of container a file is, "" for none; None if it is no file."""
    path = local_path(place)
    if path is None:
        return container_kind(place) or ""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with open_local(path) as file:
            return container_kind(path.name, file.read(CONTAINER_HEAD_BYTES)) or ""
    except OSError:
        return None


def _redact(item: Item, relative: str, out: Path, fates: Fates, renamed: dict[str, str]) -> None:
    try:
        with ItemReader() as reader, reader.open(item) as file:
            redacted = fates.redact(item.id, file)
    except OSError as error:
        fates.damaged(item.id, error.strerror or str(error))
        return
    if redacted is None:
        return
    name = redacted_name(relative, redacted.suffix)
    if name != relative and (out / name).exists():  # song.mp3 and song.wav both become song.flac
        name = relative + redacted.suffix
    renamed[item.id] = name
    with redacted.file as file, written(out / name) as target:
        _copy(file, target)


def _keep(relative: str, place: str, out: Path, list_file: BinaryIO, fates: Fates, *, link: bool) -> None:
    name = os.fsencode(relative)
    if b"\n" in name:
        fates.damaged(encode_item_id(relative), f"its name holds a line break, so it is not in {FILE_LIST}")
    else:
        list_file.write(name + b"\n")
    if not link:
        return
    target = out / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(Path(place).resolve(), target)
    except OSError as error:
        words = "expected --out on the same file system as the corpus" if error.errno == errno.EXDEV else error.strerror
        raise CorpusError(f"{place}: no hard link can be made of it: {words}") from error


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    while chunk := source.read(1 << 20):
        target.write(chunk)
