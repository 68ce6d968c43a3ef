"""A directory as a corpus: every file below it, in the order of the ids, each with what is to become of it."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from earmark.corpus.audio_kind import has_audio_extension, starts_like_audio
from earmark.corpus.container import CONTAINER_HEAD_BYTES, container_kind
from earmark.corpus.entry import Container, Entry, Item, Skipped, Unlistable
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.location import open_local
from earmark.corpus.source import WholeFile
from earmark.errors import CorpusError

__all__ = ["list_directory", "walk_directory"]

_NO_AUDIO = "no audio by name or content"
_KINDS = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a FIFO"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A name in a directory; `descend` is for the contents of a directory, which come after its own name."""

    path: Path
    id: str
    descend: bool


def list_directory(root: Path) -> Iterator[Entry]:
    """List a directory and all below it, or a single file; archives and tables stay closed, as files that are no audio.

    Parameters
    ----------
    root
        As for `walk_directory`.

    Yields
    ------
    Entry
        As from `walk_directory`.

    Raises
    ------
    CorpusError
        As from `walk_directory`.
    """
    found = walk_directory(root)
    return (Skipped(id=one.id, reason=_NO_AUDIO) if isinstance(one, Container) else one for one in found)


def walk_directory(root: Path) -> Iterator[Entry | Container]:
    """List a directory and all below it, or a single file.

    Nothing is left out silently: what is no audio by name or content is Skipped, what cannot be looked at is
    Unlistable. Files with a known extension are items whatever they hold; of other files the first bytes decide.
    Symbolic links are followed; a directory that was listed before, under whatever name, is not listed again, so
    loops end. Hidden files count like others; FIFOs, sockets and devices are not opened.

    Parameters
    ----------
    root
        A directory, or one file, whose id is then its name.

    Yields
    ------
    Entry or Container
        In ascending order of the ids by code points; a directory that is not listed comes where its contents
        would have. The names of one directory for each level of depth are held in memory.

    Raises
    ------
    CorpusError
        If there is no directory or file at `root`, or it cannot be read; at the call, before the first entry.
    """
    try:
        mode = root.stat().st_mode
        if stat.S_ISREG(mode):
            return iter([_look_at_file(root, encode_item_id(root.name))])
        if stat.S_ISDIR(mode):
            return _walk(root, _names(root, ""))
    except (OSError, ValueError) as error:
        raise CorpusError(f"{str(root)!r}: {_words(error)}") from error
    raise CorpusError(f"{str(root)!r}: neither a directory nor a file")


def _walk(root: Path, names: list[_Found]) -> Iterator[Entry | Container]:
    about = root.stat()
    listed = {(about.st_dev, about.st_ino): "."}
    # A stack in place of recursion: directories can be nested deeper than Python calls.
    levels = [iter(names)]
    while levels:
        found = next(levels[-1], None)
        if found is None:
            levels.pop()
        elif not found.descend:
            yield _look_at(found)
        else:
            entry = _already_listed(found, listed)
            if entry is None:
                try:
                    levels.append(iter(_names(found.path, f"{found.id}/")))
                except OSError as error:
                    entry = Unlistable(id=found.id, error=_words(error))
            if entry is not None and not has_audio_extension(found.path.name):  # else its own name has told it
                yield entry


def _names(directory: Path, prefix: str) -> list[_Found]:
    """Return what is in a directory, so that the ids below it come out sorted: "a.b" goes between "a" and "a/c"."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            path, item_id = directory / entry.name, prefix + encode_item_id(entry.name)
            is_directory = _is_directory(entry)
            if is_directory:
                found.append(_Found(path=path, id=item_id, descend=True))
            # Who looks for a file of that name shall find out that it is a directory.
            if not is_directory or has_audio_extension(entry.name):
                found.append(_Found(path=path, id=item_id, descend=False))
    return sorted(found, key=lambda one: f"{one.id}/" if one.descend else one.id)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # _look_at meets the same error and tells it


def _already_listed(found: _Found, listed: dict[tuple[int, int], str]) -> Entry | None:
    """Return why a directory is not listed, None if it is to be."""
    try:
        about = found.path.stat()
    except OSError as error:
        return Unlistable(id=found.id, error=_words(error))
    first = listed.setdefault((about.st_dev, about.st_ino), found.id)
    return None if first == found.id else Skipped(id=found.id, reason=f"is the directory {first!r}, listed already")


def _look_at(found: _Found) -> Entry | Container:
    try:
        mode = found.path.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(found.path).close()
    except OSError as error:
        return Unlistable(id=found.id, error=_words(error))
    if stat.S_ISREG(mode):
        return _look_at_file(found.path, found.id)
    kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "is no file")
    return Skipped(id=found.id, reason=kind)


def _look_at_file(path: Path, item_id: str) -> Entry | Container:
    try:
        with open_local(path) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            named = has_audio_extension(path.name)
            head = b"" if named else file.read(CONTAINER_HEAD_BYTES)
    except OSError as error:
        return Unlistable(id=item_id, error=_words(error))
    if named or starts_like_audio(head):
        return Item(id=item_id, source=WholeFile(location=str(path)), size_bytes=size_bytes)
    kind = container_kind(path.name, head)
    if kind is None:
        return Skipped(id=item_id, reason=_NO_AUDIO)
    return Container(id=item_id, kind=kind, location=str(path))


def _words(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
