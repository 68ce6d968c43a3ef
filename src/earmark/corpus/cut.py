"""Cuts: stretches of recordings that a list names, and the ids and entries that come of them."""

import os
import posixpath
import stat
from dataclasses import dataclass
from pathlib import Path

from earmark.corpus.entry import Entry, Item, Skipped, Unlistable
from earmark.corpus.id_set import IdSet
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.location import is_http, is_url, join, local_path, parent
from earmark.corpus.source import WholeFile

__all__ = ["Cut", "CutLister", "NoCut", "cut_id"]

# Protocols that a list may send us to; its own is added. A list from the web shall not make us call on any server.
_PROTOCOLS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "file", "local"})
_HTTP = frozenset({"http", "https"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """A stretch of a recording.

    Attributes
    ----------
    path
        Of the recording, as written.
    start_s
        Where it starts; None if nothing is said, and then the whole recording counts.
    duration_s
        How long it is; None is up to the end.
    """

    path: str
    start_s: float | None = None
    duration_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NoCut:
    """Something in a list that names no stretch of a file.

    Attributes
    ----------
    words
        Why not.
    by_rule
        Whether there is nothing to be had in it, so that nothing is missed.
    """

    words: str
    by_rule: bool = False


def cut_id(path: str, cut: Cut) -> str:
    """Return the id of a cut of the recording at `path`.

    Examples
    --------
    >>> cut_id("a/b.wav", Cut(path="a/b.wav", start_s=1.5, duration_s=2.25)), cut_id("c.wav", Cut(path="c.wav"))
    ('a/b.wav#1.5-3.75', 'c.wav')
    >>> cut_id("c.wav", Cut(path="c.wav", start_s=3))
    'c.wav#3-'
    """
    if cut.start_s is None:
        return encode_item_id(path)
    end = "" if cut.duration_s is None else _number(cut.start_s + cut.duration_s)
    return f"{encode_item_id(path)}#{_number(cut.start_s)}-{end}"


def _number(seconds: float) -> str:
    """Return seconds to the microsecond, without zeros behind."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


class CutLister:
    """Makes the entries of the cuts of one or more lists, each id once.

    Parameters
    ----------
    allow_http
        Whether http and https URLs may be named.
    """

    def __init__(self, *, allow_http: bool) -> None:
        self._allow_http = allow_http
        self._seen = IdSet()
        self._looked_at: tuple[str, Entry | int] | None = None

    def entry(self, cut: Cut, location: str, where: str) -> Entry:
        """Return the entry of a cut.

        Parameters
        ----------
        cut
            As the list names it.
        location
            Path or URL of the list, beside which relative paths begin.
        where
            Id for what has no id of its own: the list's name and the line.
        """
        try:
            cut.path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            return Unlistable(id=where, error=f"a path that is no text: {error.reason}")
        path, place = _resolved(cut.path, location)
        item_id = cut_id(path, cut)
        if not self._seen.add(item_id):
            return Skipped(id=f"{where}: {item_id}", reason="the same stretch was listed already")
        scheme = place.split("://")[0] if is_url(place) else ""
        allowed = _PROTOCOLS | {location.split("://", maxsplit=1)[0]}
        if is_http(place) and not self._allow_http:
            return Unlistable(id=item_id, error="web addresses are not opened unless --allow-http is given")
        if (scheme and "::" in place) or (scheme and scheme not in allowed | (_HTTP if self._allow_http else set())):
            return Unlistable(id=item_id, error=f"{scheme}:// is not followed out of a list")
        about = self._look_at(item_id, place)
        if not isinstance(about, int | None):
            return about
        return Item(
            id=item_id,
            source=WholeFile(location=place),
            size_bytes=about,
            start_s=cut.start_s or 0.0,
            duration_s=None if cut.start_s is None else cut.duration_s,
        )

    def _look_at(self, item_id: str, place: str) -> Entry | int | None:
        """Return the size of a file, or why it is no item; None if it is elsewhere and only reading tells."""
        path = local_path(place)
        if path is None:
            return None
        try:
            about = path.stat()
        except (OSError, ValueError) as error:
            return Unlistable(id=item_id, error=getattr(error, "strerror", None) or str(error))
        if stat.S_ISREG(about.st_mode):
            return about.st_size
        return Unlistable(id=item_id, error="is a directory" if stat.S_ISDIR(about.st_mode) else "is no regular file")


def _resolved(path: str, location: str) -> tuple[str, str]:
    """Return the path to show, relative to the list's folder if it lies there, and the place to open."""
    if is_url(path):
        return path, path
    folder = parent(location)
    if path.startswith("/") and is_url(location):
        return path, f"file://{path}" if local_path(location) else path
    plain = posixpath.normpath(path)
    if not is_url(location) and os.path.isabs(plain):  # noqa: PTH117
        base = str(Path(folder or ".").absolute())
        shown = plain.removeprefix(f"{base}/") if plain.startswith(f"{base}/") else plain
        return shown, plain
    return plain, join(folder, plain)
