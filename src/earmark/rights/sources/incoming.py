"""What a source is given, and what it gives: facts, mistakes, notices and what a message is, as they are read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO

from earmark.rights.kinds import Fact
from earmark.rights.rows import BadCell
from earmark.rights.use_types import UseMeaning

__all__ = ["Incoming", "MessageId", "Notice", "Reader", "ReleaseNews", "Statement"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """A file to read facts from.

    Parameters
    ----------
    path : pathlib.Path
        Where it is.
    file : binary file
        Its bytes, at their beginning.
    sha256 : str
        Of its bytes, in hexadecimal.
    repertoire : mapping of str to str
        By coverage column: what the file is about, where it does not say so itself.
    asserted_at : datetime.date or None
        Since when its reservations are known, where it does not say so itself.
    use_types : mapping of str to UseMeaning
        What user-defined AI use types mean.
    """

    path: Path
    file: BinaryIO
    sha256: str
    repertoire: Mapping[str, str] = field(default_factory=dict)
    asserted_at: date | None = None
    use_types: Mapping[str, UseMeaning] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something that was read and is no fact.

    Parameters
    ----------
    words : str
        What, and what became of it.
    """

    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageId:
    """Which message a file is, and when it was written: of two on one release the later one holds.

    Parameters
    ----------
    text : str
        The id that the sender gave it, as written.
    sender : str
        Who sent it: the DPID, or else the name, folded for comparison.
    created : datetime.datetime
        When it was written, in UTC.
    day : datetime.date
        The day of that: in the sender's time or in UTC, whichever is earlier.
    """

    text: str
    sender: str
    created: datetime
    day: date


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseNews:
    """That a message says all there is to say of a release: what its sender said of it before has ended.

    Parameters
    ----------
    keys : tuple of str
        The release's identifiers, in a form in which they are compared.
    grant_ids : tuple of str
        The grants on it that the message gives.
    """

    keys: tuple[str, ...]
    grant_ids: tuple[str, ...] = ()


Statement = Fact | BadCell | Notice | MessageId | ReleaseNews

Reader = Callable[[Incoming], Iterator[Statement]]
"""Yields what is in a file as it is read; raises RegistryError where the file as a whole cannot be used."""
