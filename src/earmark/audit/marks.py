"""Marks: a few bytes of the hash of each line of a log, or of a group of lines, that are signed with its root.

The root says whether a log is the one that was signed; the marks say where it begins to be another, also where somebody
has made all lines after a change agree with it. There are at most `_MAX_MARKS`: in a longer log each is for an aligned
group of lines, the smallest power of two that will do.
"""

import base64
import binascii
from collections.abc import Sequence
from itertools import count

from earmark.audit.merkle import root_of

__all__ = ["first_difference", "marks_of"]

# A mark of 6 bytes: who wants a changed line to have the mark of the old one must try 2^47 salts, for that line and for
# every one after it; and all that is gained is another line's number in the message.
_MARK_BYTES = 6
_MAX_MARKS = 1 << 17  # 1 MiB of base64


def marks_of(leaves: Sequence[bytes]) -> str:
    """Return the marks of a log in base64.

    Parameters
    ----------
    leaves
        Leaf hashes of its lines.
    """
    return base64.b64encode(b"".join(_marks(leaves, _group_size(len(leaves))))).decode()


def first_difference(marks: str, leaves: Sequence[bytes], size: int) -> tuple[int, int]:
    """Return from where on a log is another than the one that was signed.

    Parameters
    ----------
    marks
        Of the log that was signed.
    leaves
        Leaf hashes of the log that is there.
    size
        Lines that were signed [> 0].

    Returns
    -------
    first, last : int
        Numbers of lines, from 1: the first line that differs is one of these. It may be one that is no more.
    """
    group = _group_size(size)
    try:
        signed = base64.b64decode(marks, validate=True)
    except (binascii.Error, ValueError):
        signed = b""
    there = b"".join(_marks(leaves[:size], group))
    if len(signed) != -(-size // group) * _MARK_BYTES:
        return 1, size  # an attestation without marks
    for at in count():
        place = slice(at * _MARK_BYTES, (at + 1) * _MARK_BYTES)
        if signed[place] != there[place]:
            return at * group + 1, min((at + 1) * group, size)
        if not signed[place]:
            return 1, size
    raise AssertionError  # count() does not end


def _group_size(size: int) -> int:
    """Return how many lines go on one mark."""
    return 1 << max((max(size, 1) - 1).bit_length() - _MAX_MARKS.bit_length() + 1, 0)


def _marks(leaves: Sequence[bytes], group: int) -> list[bytes]:
    return [root_of(leaves[at : at + group])[:_MARK_BYTES] for at in range(0, len(leaves), group)]
