"""What to index: files and directories as a list of recordings, each with what is known of it."""

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from earmark.audio.tags import Tags
from earmark.catalog.metadata import Metadata, MetadataRow, parse_isrc
from earmark.catalog.track import TrackTags
from earmark.corpus import Entry, Item, Unlistable, WholeFile, decode_item_id, list_directory
from earmark.errors import CatalogError, CorpusError, ParameterError

__all__ = ["Listing", "Source", "known_tags", "list_sources", "track_id_of"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A recording to index.

    Attributes
    ----------
    path : Path
        Where it is.
    id : str
        Relative to the source it was found in; see `encode_item_id`.
    row : MetadataRow or None
        What the metadata file says of it.
    """

    path: Path
    id: str
    row: MetadataRow | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What was found.

    Attributes
    ----------
    sources : tuple of Source
        In the order given, and of their ids within a directory.
    failed : tuple of (str, str)
        What could not be looked at, and why.
    n_skipped : int
        Files that are no audio, or were listed already.
    warnings : tuple of (str, str)
        Rows of the metadata file that fit several files.
    unmatched : tuple of str
        Rows that fit none: line and path.
    """

    sources: tuple[Source, ...]
    failed: tuple[tuple[str, str], ...]
    n_skipped: int
    warnings: tuple[tuple[str, str], ...]
    unmatched: tuple[str, ...]


def list_sources(paths: Sequence[Path], metadata: Metadata | None, catalog: Path) -> Listing:
    """List files and directories, recursively, and find each one's row in the metadata.

    Parameters
    ----------
    paths : sequence of Path
        Files and directories; what is named twice counts once.
    metadata : Metadata or None
    catalog : Path
        The catalog itself, which is passed over.

    Returns
    -------
    Listing

    Raises
    ------
    CatalogError
        If one of the paths is not there, or there is none.
    """
    if not paths:
        raise CatalogError("no sources: name at least one audio file or directory")
    found: dict[str, Source] = {}
    failed, n_skipped = [], 0
    inside = _place(catalog) + os.sep
    for root in paths:
        try:
            entries = list_directory(root)
        except CorpusError as error:
            raise CatalogError(f"source {error}") from error
        for entry in entries:
            if isinstance(entry, Unlistable):
                failed.append((_shown(root, entry.id), entry.error))
            elif (path := _path_of(entry)) is not None and not (place := _place(path)).startswith(inside):
                n_skipped += place in found
                found.setdefault(place, Source(path=path, id=entry.id))
            else:
                n_skipped += 1
    warnings, unmatched = _attach(found, metadata, paths) if metadata else ([], [])
    return Listing(
        sources=tuple(found.values()),
        failed=tuple(failed),
        n_skipped=n_skipped,
        warnings=tuple(warnings),
        unmatched=tuple(unmatched),
    )


def _path_of(entry: Entry) -> Path | None:
    """Return where an item is, None if the entry is none."""
    if isinstance(entry, Item) and isinstance(entry.source, WholeFile):
        return Path(entry.source.location)
    return None


def track_id_of(source: Source) -> str:
    """Return the id that a recording gets: its row's, or else its own."""
    return source.row.tags.track_id if source.row is not None and source.row.tags.track_id else source.id


def known_tags(source: Source, found: Tags) -> TrackTags:
    """Return what is known of a recording: what its row says, or if it has none what its own tags say."""
    if source.row is not None:
        return dataclasses.replace(source.row.tags, track_id=track_id_of(source))
    return TrackTags(
        track_id=source.id,
        path=source.id,
        isrc=parse_isrc(found.isrc) if found.isrc else None,
        title=found.title,
        artist=found.artist,
        label=found.label,
    )


def _attach(
    found: dict[str, Source], metadata: Metadata, roots: Iterable[Path]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Put each row to its file; return warnings, and the rows that have none."""
    warnings, unmatched = [], []
    bases = [metadata.path.parent, *roots]
    for row in metadata.rows:
        fits = [place for place in _candidates(row, bases) if place in found]
        if not fits:
            unmatched.append(f"{metadata.path}:{row.line}: {row.path}")
            continue
        source = found[fits[0]]
        if source.row is not None:
            where = f"{metadata.path}:{row.line}"
            warnings.append((where, f"names the same file as line {source.row.line}, which is taken: {source.path}"))
            continue
        if len(fits) > 1:
            where = f"{metadata.path}:{row.line}"
            warnings.append((where, f"{row.path!r} fits {len(fits)} files; {source.path} is taken"))
        found[fits[0]] = dataclasses.replace(source, row=row)
    return warnings, unmatched


def _candidates(row: MetadataRow, bases: list[Path]) -> list[str]:
    """Return the files that a row may mean, best first: its path as it stands, then read as an item id."""
    spellings = [row.path]
    with contextlib.suppress(ParameterError):  # a % that is just a %
        spellings.append(decode_item_id(row.path))
    return list(dict.fromkeys(_place(base / spelling) for spelling in spellings for base in bases))


def _place(path: Path) -> str:
    """Return a file's absolute path by one name, however its directories were reached; links to files stay apart."""
    try:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - takes "..", and leaves a link to a file alone
        return str(absolute.parent.resolve() / absolute.name)
    except (OSError, ValueError):  # a NUL, a loop of links: it is found nowhere else either
        return str(path)


def _shown(root: Path, item_id: str) -> str:
    return str(root) if item_id == "." or root.is_file() else f"{root}/{item_id}"
