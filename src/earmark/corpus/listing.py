"""Any corpus as a run of entries: what it is is recognised, and its own lister is asked."""

from collections.abc import Iterator

from earmark.corpus.directory import list_directory
from earmark.corpus.entry import Entry
from earmark.corpus.location import local_path
from earmark.corpus.options import CorpusOptions
from earmark.errors import CorpusError

__all__ = ["list_corpus"]


def list_corpus(location: str, options: CorpusOptions | None = None) -> Iterator[Entry]:
    """List a corpus.

    Parameters
    ----------
    location
        A path or URL.
    options
        How to read it; None leaves all to recognition.

    Yields
    ------
    Entry
        In an order that is the same each time, each id once.

    Raises
    ------
    CorpusError
        If there is nothing that can be listed; at the call, before the first entry.
    """
    del options
    path = local_path(location)
    if path is None:
        raise CorpusError(f"{location}: not a path")
    return list_directory(path)
