"""Files that hold many recordings: known by name or content, and listed by their kind."""

import re
from collections.abc import Callable, Iterator

from earmark.corpus.entry import Container, Entry
from earmark.corpus.options import CorpusOptions
from earmark.corpus.shard import list_tar, list_zip

__all__ = ["CONTAINER_HEAD_BYTES", "CONTAINER_KINDS", "container_kind", "list_container"]

CONTAINER_KINDS = ("arrow", "parquet", "webdataset", "zip")
"""What `container_kind` knows."""

CONTAINER_HEAD_BYTES = 512
"""How many first bytes it looks at."""

_NAMES = (
    (re.compile(r".\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE), "webdataset"),
    (re.compile(r".\.parquet$", re.IGNORECASE), "parquet"),
    (re.compile(r".\.arrow$", re.IGNORECASE), "arrow"),
    (re.compile(r".\.zip$", re.IGNORECASE), "zip"),
)


def container_kind(name: str, head: bytes = b"") -> str | None:
    """Return what kind of container a file is, None if it is none.

    Many kinds of documents are zip files inside, so zip goes by the name alone.

    Examples
    --------
    >>> container_kind("shard-000.tar.gz"), container_kind("x", b"PAR1"), container_kind("tar")
    ('webdataset', 'parquet', None)
    """
    kind = next((kind for pattern, kind in _NAMES if pattern.search(name)), None)
    if kind is None and head[257:262] == b"ustar":
        kind = "webdataset"
    if kind is None and head.startswith((b"PAR1", b"ARROW1")):
        kind = "parquet" if head.startswith(b"PAR1") else "arrow"
    return kind


def list_container(container: Container, options: CorpusOptions) -> Iterator[Entry]:
    """List what is in a container.

    Parameters
    ----------
    container
        Where it is, and of what kind.
    options
        How to read the corpus.

    Yields
    ------
    Entry
        In the order of the file.
    """
    archives: dict[str, Callable[[str, str], Iterator[Entry]]] = {"webdataset": list_tar, "zip": list_zip}
    if container.kind in archives:
        return archives[container.kind](container.location, container.id)
    from earmark.corpus.table import list_arrow, list_parquet  # pyarrow takes 40 MB, and most corpora have no table

    lister = list_parquet if container.kind == "parquet" else list_arrow
    return lister(container.location, container.id, options.audio_columns)
