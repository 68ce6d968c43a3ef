"""What a row of items says of its coverage: whether the whole item was heard."""

import re

from earmark.scan.exemptions import IGNORE
from earmark.scan.rows import ItemRow

__all__ = ["fully_heard"]

# What an ignore list adds to `error` where it leaves out matches: no trouble, and always behind what is.
_NOTE = re.compile(rf"(?:^|; )\d+ match(?:es)? left out by {IGNORE}, line \d+: .*", re.DOTALL)
_TOO_LARGE = re.compile(r"[\d,]+ bytes; asked for are [\d,]+ or less")


def fully_heard(row: ItemRow) -> bool:
    """Return whether nothing of an item was left unheard that there could be something in.

    What is skipped by rule counts as heard: it is no audio, too short to be found, or was left out by name. Only what
    is too large does not, for that is audio like any other.

    Examples
    --------
    >>> import dataclasses
    >>> row = ItemRow(item="a", sha256="00", duration_s=9.0, scanned_s=9.0, status="unmatched", matched_s=0.0,
    ...               matches=0, error="1 match left out by ignore list, line 2: cleared (by Ann, without an end)")
    >>> fully_heard(row), fully_heard(dataclasses.replace(row, error="has 2 audio tracks, of which ..."))
    (True, False)
    """
    if row.status == "skipped":
        return not _TOO_LARGE.match(row.error or "")
    return row.status != "error" and not _NOTE.sub("", row.error or "")
