"""A folder elsewhere as a corpus: every file below it, in the order of the ids, as a local directory is listed."""

from collections.abc import Iterator
from dataclasses import dataclass

from earmark.corpus.audio_kind import has_audio_extension
from earmark.corpus.container import container_kind
from earmark.corpus.entry import Container, Entry, Item, Skipped, Unlistable
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.location import join
from earmark.corpus.remote import RemoteName, list_folder
from earmark.corpus.source import WholeFile
from earmark.errors import CorpusError

__all__ = ["list_remote_tree", "walk_remote_tree"]

_NO_AUDIO = "no audio by name; files elsewhere are not looked into"

# Folders that hold themselves, as a web server may make up for ever.
_MAX_DEPTH = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A name in a folder elsewhere, with its id and its URL."""

    id: str
    location: str
    about: RemoteName


def list_remote_tree(location: str) -> Iterator[Entry]:
    """List a folder elsewhere and all below it; archives and tables stay closed, as files that are no audio.

    Parameters
    ----------
    location
        As for `walk_remote_tree`.

    Yields
    ------
    Entry
        As from `walk_remote_tree`.

    Raises
    ------
    CorpusError
        As from `walk_remote_tree`.
    """
    found = walk_remote_tree(location)
    return (Skipped(id=one.id, reason=_NO_AUDIO) if isinstance(one, Container) else one for one in found)


def walk_remote_tree(location: str) -> Iterator[Entry | Container]:
    """List a folder elsewhere and all below it.

    Files go by their names alone: to look into each would cost a request.

    Parameters
    ----------
    location
        URL of a folder.

    Yields
    ------
    Entry or Container
        The files in ascending order of their ids. The names of one folder for each level of depth are held in memory.

    Raises
    ------
    CorpusError
        If the folder cannot be listed; at the call, before the first entry.
    """
    try:
        names = _names(location, "")
    except OSError as error:
        raise CorpusError(error.strerror or str(error)) from error
    return _walk(names)


def _walk(names: list[_Found]) -> Iterator[Entry | Container]:
    levels = [iter(names)]
    while levels:
        found = next(levels[-1], None)
        if found is None:
            levels.pop()
        elif found.id.rpartition("/")[2] in ("", ".", ".."):  # a key of a bucket can have any name
            yield Unlistable(id=found.id, error="a folder or file called '', '.' or '..', which is not followed")
        elif found.about.size_bytes is not None:
            yield _look_at(found)
        elif len(levels) > _MAX_DEPTH:
            yield Unlistable(id=found.id, error=f"lies more than {_MAX_DEPTH} folders deep")
        else:
            try:
                levels.append(iter(_names(found.location, f"{found.id}/")))
            except (OSError, CorpusError) as error:
                yield Unlistable(id=found.id, error=getattr(error, "strerror", None) or str(error))


def _names(location: str, prefix: str) -> list[_Found]:
    """Return what is in a folder, so that the ids below it come out sorted."""
    found = [
        _Found(id=prefix + encode_item_id(about.name), location=join(location, about.name), about=about)
        for about in list_folder(location)
    ]
    return sorted(found, key=lambda one: f"{one.id}/" if one.about.size_bytes is None else one.id)


def _look_at(found: _Found) -> Entry | Container:
    kind = container_kind(found.location.partition("::")[0])
    if has_audio_extension(found.location.partition("::")[0]):
        source = WholeFile(location=found.location, version=found.about.version)
        return Item(id=found.id, source=source, size_bytes=found.about.size_bytes)
    if kind is not None:
        return Container(id=found.id, kind=kind, location=found.location)
    return Skipped(id=found.id, reason=_NO_AUDIO)
