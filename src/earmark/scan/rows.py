"""The rows of a scan's files: one value type for each, whose fields are the columns in their order."""

import dataclasses
import json
import re
from typing import Any, Literal, TypeVar

from earmark.errors import ScanError

__all__ = [
    "ITEMS_FILE",
    "MATCHES_FILE",
    "SCHEMA_VERSION",
    "ItemRow",
    "ItemStatus",
    "MatchRow",
    "row_from_json",
    "row_to_json",
    "worst_status",
]

ITEMS_FILE, MATCHES_FILE = "items.jsonl", "matches.jsonl"
"""Names of the files of rows in the folder of a scan."""

SCHEMA_VERSION = 1
"""Version of the rows and of the summary; it grows when a column changes its meaning or goes."""

ItemStatus = Literal["unmatched", "licensed", "unlicensed", "review", "error", "skipped"]

# Valid in JSON, but some readers end a line at them, terminals obey them, and lone surrogates are no UTF-8.
_TO_ESCAPE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BY_SEVERITY = ("unlicensed", "review", "licensed")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class MatchRow:
    """A line of `matches.jsonl`: one match with one track id.

    Attributes
    ----------
    item
        Id of the item.
    item_start_s, item_end_s
        The seconds of the item.
    track_id
        The catalog's id of the track.
    group_id
        The same for all track ids of one recording found at one place; unique in the scan.
    isrc, title, artist, label, rightsholder
        What the catalog says of the track.
    track_start_s, track_end_s
        The seconds of the track.
    tempo_ratio
        Item tempo over track tempo.
    pitch_semitones
        Item pitch minus track pitch.
    score, expected_score
        Spectral peaks that coincide over these seconds, and how many would by chance.
    log10_e_value
        Log of the number of chance matches at least this good to expect in an hour of audio [>= -300].
    status
        `licensed`, `unlicensed` or `review`.
    grant_id
        The grant that decides.
    reason
        Why, in words.
    """

    item: str
    item_start_s: float
    item_end_s: float
    track_id: str
    group_id: str
    isrc: str | None
    title: str | None
    artist: str | None
    label: str | None
    rightsholder: str | None
    track_start_s: float
    track_end_s: float
    tempo_ratio: float
    pitch_semitones: float
    score: float
    expected_score: float
    log10_e_value: float
    status: str
    grant_id: str | None
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ItemRow:
    """A line of `items.jsonl`: what became of one item.

    Attributes
    ----------
    item
        Its id.
    sha256
        Of the file's bytes; None if they were not read.
    duration_s
        Length that the file has or, where it stops early, declares; None if nobody knows.
    scanned_s
        Seconds that were compared with the catalog.
    status
        The worst match decides; `error` if nothing was heard of it, `skipped` by rule.
    matched_s
        Seconds that lie in any match.
    matches
        Matches, counting several track ids of one recording once.
    error
        What went wrong or was left out, in words.
    """

    item: str
    sha256: str | None
    duration_s: float | None
    scanned_s: float
    status: ItemStatus
    matched_s: float
    matches: int
    error: str | None


Row = TypeVar("Row", MatchRow, ItemRow)


def worst_status(statuses: set[str]) -> str | None:
    """Return the status that decides among those of several matches, None if there are none.

    Examples
    --------
    >>> worst_status({"licensed", "review"})
    'review'
    """
    return next((status for status in _BY_SEVERITY if status in statuses), None)


def row_to_json(row: MatchRow | ItemRow) -> bytes:
    r"""Return a row as one line of UTF-8 JSON, its newline included.

    Examples
    --------
    >>> row_to_json(ItemRow(item="a\nb", sha256=None, duration_s=None, scanned_s=0.0, status="error", matched_s=0.0,
    ...                     matches=0, error="is empty"))[:36]
    b'{"item": "a\\nb", "sha256": null, "du'
    """
    text = json.dumps(dataclasses.asdict(row), ensure_ascii=False, allow_nan=False)
    return _TO_ESCAPE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode() + b"\n"


def row_from_json(kind: type[Row], line: bytes) -> Row:
    """Return the row that `row_to_json` wrote; columns that a later version added are left out.

    Raises
    ------
    ScanError
        If the line is no such row.
    """
    try:
        values: dict[str, Any] = json.loads(line)
        return kind(**{field.name: values[field.name] for field in dataclasses.fields(kind)})
    except (ValueError, TypeError) as error:
        raise ScanError(f"not a row of JSON: {error}") from error
    except KeyError as error:
        raise ScanError(f"column {error} is missing") from error
