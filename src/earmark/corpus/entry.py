"""What a corpus is found to hold."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Entry", "Item", "Skipped", "Unlistable"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A file to scan.

    Attributes
    ----------
    id
        See `encode_item_id`.
    path
        Where it is.
    size_bytes
        Its size when it was listed.
    """

    id: str
    path: Path
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """Something that is left out by rule.

    Attributes
    ----------
    id
        See `encode_item_id`.
    reason
        The rule, in words.
    """

    id: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Unlistable:
    """Something that could not be looked at, so that nobody knows what was missed.

    Attributes
    ----------
    id
        See `encode_item_id`; "." is the corpus itself.
    error
        The operating system's words.
    """

    id: str
    error: str


Entry = Item | Skipped | Unlistable
