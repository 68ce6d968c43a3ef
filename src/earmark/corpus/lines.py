"""Text files read line by line, compressed or not: each line with its number, however long or odd."""

import json
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from earmark.corpus.remote import open_location
from earmark.corpus.shard import unpacked
from earmark.errors import CorpusError

__all__ = ["MAX_LINE_BYTES", "Line", "json_object", "open_text", "read_lines", "read_rows"]

MAX_LINE_BYTES = 16 << 20
"""The longest line that is read: cuts with all their alignments take some kB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line.

    Attributes
    ----------
    number
        Counted from 1.
    data
        Its bytes, as they are, with the end of the line.
    """

    number: int
    data: bytes

    def text(self) -> str:
        """Return it as text, without blanks and the end of the line; tabs stay, which can be empty cells.

        Raises
        ------
        CorpusError
            If it is no UTF-8.
        """
        try:
            return self.data.decode("utf-8-sig" if self.number == 1 else "utf-8").strip(" \r\n")
        except UnicodeDecodeError as error:
            raise CorpusError(f"not UTF-8: {error.reason} at byte {error.start}") from error


def open_text(location: str) -> BinaryIO:
    """Open a file that may be compressed, for reading onward."""
    file = open_location(location)
    try:
        return unpacked(file) or file
    except BaseException:
        file.close()
        raise


def read_lines(location: str) -> Iterator[Line]:
    """Yield the lines of a file that are not blank.

    Raises
    ------
    CorpusError
        If it cannot be read on, or a line is longer than `MAX_LINE_BYTES`.
    """
    number = 0
    try:
        with open_text(location) as file:
            while data := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(data) > MAX_LINE_BYTES:
                    raise CorpusError(f"line {number} is longer than {MAX_LINE_BYTES:,} bytes")
                if data.strip():
                    yield Line(number=number, data=data)
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise CorpusError(f"cannot be read on after line {number}: {words}") from error


def read_rows(location: str) -> Iterator[Line]:
    """Yield the rows of a CSV file, each by the number of its first line: in quotes, a row goes over several lines.

    Raises
    ------
    CorpusError
        As `read_lines`.
    """
    begun: Line | None = None
    for line in read_lines(location):
        row = line if begun is None else Line(number=begun.number, data=begun.data + line.data)
        begun = row if row.data.count(b'"') % 2 and len(row.data) <= MAX_LINE_BYTES else None
        if begun is None:
            yield row
    if begun is not None:
        yield begun


def json_object(line: Line) -> dict[str, Any]:
    """Return the JSON object of a line.

    Raises
    ------
    CorpusError
        If it is none.
    """
    text = line.text()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise CorpusError(f"expected a JSON object, got {type(value).__name__}")
    return cast(dict[str, Any], value)
