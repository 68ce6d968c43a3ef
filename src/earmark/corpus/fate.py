"""What becomes of an item in a clean copy of a corpus, and where such copies are written."""

import contextlib
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

__all__ = ["Fate", "Fates", "FatesOfOthers", "Redacted", "redacted_name", "written"]

Fate = Literal["keep", "drop", "redact"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Redacted:
    """A recording without the seconds that had to go.

    Attributes
    ----------
    file
        A whole sound file, from its start; to be closed by whoever got it.
    suffix
        Of its form, such as ".flac".
    duration_s
        In seconds.
    """

    file: BinaryIO
    suffix: str
    duration_s: float


class Fates(Protocol):
    """Who decides what becomes of the items."""

    def of(self, item_id: str, *, lost: bool = False) -> Fate:
        """Return the fate of an item; asked once for each, with `lost` of one that goes because another one goes."""

    def peek(self, item_id: str) -> Fate:
        """Return the fate of an item, any number of times."""

    def redact(
        self, item_id: str, file: BinaryIO, start_s: float = 0.0, duration_s: float | None = None
    ) -> Redacted | None:
        """Return an item without the seconds that have to go; None if that cannot be done, and then it is dropped.

        Parameters
        ----------
        item_id
            Of the item.
        file
            Its bytes; seekable.
        start_s, duration_s
            The stretch of the recording that the item is.
        """

    def damaged(self, place: str, words: str) -> None:
        """Take note of a part of the corpus that could not be read, so it is not in the copy."""


class FatesOfOthers:
    """Fates that are decided elsewhere, of items that have other ids there: those with a prefix."""

    def __init__(self, fates: Fates, prefix: str = "") -> None:
        self._fates, self._prefix = fates, prefix

    def of(self, item_id: str, *, lost: bool = False) -> Fate:
        """See `Fates`."""
        return self._fates.of(self._prefix + item_id, lost=lost)

    def peek(self, item_id: str) -> Fate:
        """See `Fates`."""
        return self._fates.peek(self._prefix + item_id)

    def redact(
        self, item_id: str, file: BinaryIO, start_s: float = 0.0, duration_s: float | None = None
    ) -> Redacted | None:
        """See `Fates`."""
        return self._fates.redact(self._prefix + item_id, file, start_s, duration_s)

    def damaged(self, place: str, words: str) -> None:
        """See `Fates`."""
        self._fates.damaged(self._prefix + place, words)


def redacted_name(name: str, suffix: str) -> str:
    """Return the name of a file that was rewritten in another form.

    Examples
    --------
    >>> redacted_name("a/b.left.mp3", ".flac"), redacted_name("a.b/c", ".flac")
    ('a/b.left.flac', 'a.b/c.flac')
    """
    return posixpath.splitext(name)[0] + suffix


@contextlib.contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to, which takes its name once it is whole; nothing is left of it otherwise.

    Parameters
    ----------
    path
        Where it goes; folders on the way are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    try:
        with aside.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
