"""Items that mean the same on every node of a cluster."""

import dataclasses
from pathlib import Path

from earmark.corpus import ArrowCell, HeldBytes, Item, ParquetCell, Source
from earmark.corpus.location import is_url

__all__ = ["everywhere", "on_every_node"]


def on_every_node(item: Item) -> Item:
    """Return an item whose location does not depend on the working directory of a process.

    Examples
    --------
    >>> from earmark.corpus import WholeFile
    >>> item = Item(id="a.wav", source=WholeFile(location="/data/a.wav"), size_bytes=9)
    >>> on_every_node(item) == item
    True
    """
    source = item.source
    if isinstance(source, HeldBytes):
        return item
    here: Source = dataclasses.replace(source, location=everywhere(source.location))
    if isinstance(here, ParquetCell | ArrowCell) and here.fallback is not None:
        here = dataclasses.replace(here, fallback=everywhere(here.fallback))
    return dataclasses.replace(item, source=here)


def everywhere(location: str) -> str:
    """Return a location with an absolute path, or the URL that it is."""
    return location if is_url(location) else str(Path(location).absolute())
