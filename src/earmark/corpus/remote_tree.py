"""A folder elsewhere as a corpus: every file below it, in the order of the ids, as a local directory is listed."""

from collections.abc import Iterator

from earmark.corpus.audio_kind import has_audio_extension
from earmark.corpus.container import container_kind, list_container
from earmark.corpus.entry import Entry, Item, Skipped, Unlistable
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.location import join
from earmark.corpus.options import CorpusOptions
from earmark.corpus.remote import list_folder
from earmark.corpus.source import WholeFile
from earmark.errors import CorpusError

__all__ = ["list_remote_tree"]

# Folders that hold themselves, as a web server may make up for ever.
_MAX_DEPTH = 200


def list_remote_tree(location: str, options: CorpusOptions | None) -> Iterator[Entry]:
    """List a folder elsewhere and all below it; what is in tar shards and tables is listed too.

    Files go by their names alone: to look into each would cost a request.

    Parameters
    ----------
    location
        URL of a folder.
    options
        How to read what is in them; None leaves them closed, as files that are no audio.

    Yields
    ------
    Entry
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
    return _walk(names, options)


def _walk(names: list[tuple[str, str, int | None]], options: CorpusOptions | None) -> Iterator[Entry]:
    levels = [iter(names)]
    while levels:
        found = next(levels[-1], None)
        if found is None:
            levels.pop()
            continue
        item_id, location, size_bytes = found
        if item_id.rpartition("/")[2] in (".", ".."):  # a key of a bucket can have any name
            yield Unlistable(id=item_id, error="a name that leads out of its folder")
        elif size_bytes is not None:
            yield from _look_at(item_id, location, size_bytes, options)
        elif len(levels) > _MAX_DEPTH:
            yield Unlistable(id=item_id, error=f"lies more than {_MAX_DEPTH} folders deep")
        else:
            try:
                levels.append(iter(_names(location, f"{item_id}/")))
            except (OSError, CorpusError) as error:
                yield Unlistable(id=item_id, error=getattr(error, "strerror", None) or str(error))


def _names(location: str, prefix: str) -> list[tuple[str, str, int | None]]:
    """Return id, location and size of what is in a folder, so that the ids below it come out sorted."""
    found = [(prefix + encode_item_id(name), join(location, name), size) for name, size in list_folder(location)]
    return sorted(found, key=lambda one: f"{one[0]}/" if one[2] is None else one[0])


def _look_at(item_id: str, location: str, size_bytes: int, options: CorpusOptions | None) -> Iterator[Entry]:
    kind = container_kind(location.partition("::")[0])
    if has_audio_extension(location.partition("::")[0]):
        yield Item(id=item_id, source=WholeFile(location=location), size_bytes=size_bytes)
    elif kind is not None and options is not None:
        yield from list_container(kind, location, item_id, options)
    else:
        yield Skipped(id=item_id, reason="no audio by name; files elsewhere are not looked into")
