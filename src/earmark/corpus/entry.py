"""What a corpus is found to hold."""

from dataclasses import dataclass

from earmark.corpus.source import Source

__all__ = ["Container", "Entry", "Item", "Skipped", "Unlistable"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A recording to scan, or a stretch of one: a small value, opened by an `ItemReader` wherever it is needed.

    Attributes
    ----------
    id
        See `encode_item_id`.
    source
        Where its bytes are.
    size_bytes
        Of the bytes, as far as the listing knows; None if only reading tells.
    start_s, duration_s
        The stretch of the recording that the item is [>= 0]; a duration of None goes to the end.
    """

    id: str
    source: Source
    size_bytes: int | None
    start_s: float = 0.0
    duration_s: float | None = None


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
        Why, in the words of the operating system or of the format.
    """

    id: str
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """A file that holds many recordings, not opened yet: it stands for the entries that opening it gives.

    Attributes
    ----------
    id
        Its item id, which those of what it holds begin with.
    kind
        One of `earmark.corpus.container.CONTAINER_KINDS`.
    location
        Path or URL.
    """

    id: str
    kind: str
    location: str


Entry = Item | Skipped | Unlistable
