"""Cells: the text of one field, read and written. The same text serves CSV, spreadsheets, JSON lines and SQLite."""

import difflib
import math
import re
import reprlib
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, TypeVar

from earmark.errors import ParameterError
from earmark.rights.grants import PERMISSIONS, SCOPES, Scope
from earmark.rights.identifiers import parse_dpid, parse_grid, parse_isrc, parse_iswc, parse_sha256, parse_upc
from earmark.rights.reservations import RESERVATION_TYPES
from earmark.rights.territories import COUNTRIES, WORLDWIDE_WORD, parse_territories

__all__ = ["PARSERS", "choose", "format_cell", "format_share", "parse_share"]

# date.fromisoformat also reads 20261101 and 2026-W45-7, which people do not write on purpose.
_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FRACTION: Final = re.compile(r"([0-9]{1,9})\s*/\s*([0-9]{1,9})")
_WORDS_OF: Final = {True: frozenset({"yes", "true", "1", "x"}), False: frozenset({"", "no", "false", "0"})}

T = TypeVar("T")


def format_cell(value: object) -> str:
    """Write a field.

    Parameters
    ----------
    value : object
        A field of a grant, a reservation, a recording or a holding.

    Returns
    -------
    str
        What the column's parser reads as the same value; empty for None, False and nothing.
    """
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, frozenset):
        return WORLDWIDE_WORD if value == COUNTRIES else " ".join(sorted(value))
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, Fraction):
        return format_share(value)
    return str(value)


def format_share(share: Fraction) -> str:
    """Write a share: in percent where that is exact, else as a fraction.

    Examples
    --------
    >>> format_share(Fraction(1, 8)), format_share(Fraction(1, 3))
    ('12.5%', '1/3')
    """
    percent = share * 100
    denominator = percent.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    if denominator != 1:
        return f"{share.numerator}/{share.denominator}"
    return f"{Decimal(percent.numerator) / Decimal(percent.denominator):f}%"


def parse_share(text: str) -> Fraction:
    """Read a share.

    Parameters
    ----------
    text : str
        A percentage, with or without the sign (`12.5`), or a fraction (`1/3`).

    Returns
    -------
    fractions.Fraction
        The share [0 < share <= 1].

    Raises
    ------
    ParameterError
        If `text` has another form or is out of that range.

    Examples
    --------
    >>> parse_share("12.5 %"), parse_share("1/3")
    (Fraction(1, 8), Fraction(1, 3))
    """
    found = _FRACTION.fullmatch(text)
    try:
        share = Fraction(int(found[1]), int(found[2])) if found else Fraction(_percent(text)) / 100
    except (InvalidOperation, ZeroDivisionError, ValueError, OverflowError) as error:
        raise ParameterError(
            f"{reprlib.repr(text)} is no share; expected percent, as 12.5, or a fraction, as 1/3"
        ) from error
    if not 0 < share <= 1:
        raise ParameterError(f"{reprlib.repr(text)} is no share; expected more than 0 and at most 100 percent")
    return share


def _percent(text: str) -> Decimal:
    """Read a number of percent. At most 30 characters: the exponent of a longer one could fill the memory."""
    number = text.removesuffix("%").rstrip()
    if len(number) > 30 or "e" in number.casefold():
        raise InvalidOperation
    return Decimal(number)


def _required(text: str) -> str:
    """Read a cell that must not be blank."""
    if not text:
        raise ParameterError("the cell is empty; expected a value")
    return text


def _licensee(text: str) -> str:
    """Read a licensee."""
    if not text:
        raise ParameterError("the cell is empty; expected a name, or * for anyone")
    return text


def _optional(text: str) -> str | None:
    """Read a cell that may be blank."""
    return text or None


def _or_none(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """Make a parser that reads a blank cell as None."""
    return lambda text: parse(text) if text else None


def _covered(text: str) -> str | None:
    """Read what a grant covers. There are no wildcards: a `*` that was taken for a name would cover nothing."""
    if "*" in text and not text.strip("* "):
        raise ParameterError(f"{text!r} is no name; leave the cell empty where the column does not matter")
    return text or None


@lru_cache(maxsize=1024)
def _territories(text: str) -> frozenset[str]:
    """Read the territories. Blank might mean everywhere or not yet known, so it must be said."""
    territories = parse_territories(text)
    if not territories:
        raise ParameterError("the cell is empty; say Worldwide if the grant holds everywhere")
    return territories


@lru_cache(maxsize=1024)
def _held_territories(text: str) -> frozenset[str]:
    """Read where a share is held: everywhere if blank, as most are."""
    return parse_territories(text) or COUNTRIES


@lru_cache(maxsize=1024)
def _excluded(text: str) -> frozenset[str]:
    """Read the excluded territories: none if blank."""
    return parse_territories(text)


def _date(text: str) -> date:
    """Read a date."""
    try:
        if _ISO_DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(f"{text!r} is no day of the calendar ({error})") from error
    raise ParameterError(f"{reprlib.repr(text)} is no date; expected YYYY-MM-DD")


def _yes(text: str) -> bool:
    """Read yes or no; blank is no."""
    for value, words in _WORDS_OF.items():
        if text.casefold() in words:
            return value
    raise ParameterError(f"{reprlib.repr(text)} is neither yes nor no; expected one of these, or an empty cell for no")


def _seconds(text: str) -> float:
    """Read a length in seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ParameterError(f"{reprlib.repr(text)} is no length; expected seconds above 0, as 215.2")
    return seconds


def _upcs(text: str) -> tuple[str, ...]:
    """Read bar code numbers, set apart by spaces or semicolons, in order and each once."""
    return tuple(sorted({parse_upc(word) for word in text.replace(";", " ").split()}))


def _scopes(text: str) -> tuple[Scope, ...]:
    """Read one scope or more, set apart by spaces, semicolons or commas."""
    words = re.split(r"[\s;,]+", text) if text else []
    chosen = {choose(word, SCOPES) for word in words if word}
    if not chosen:
        raise ParameterError(f"the cell is empty; expected some of {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in chosen)


def choose(text: str, words: tuple[T, ...]) -> T:
    """Read one word of a list, in any case.

    Raises
    ------
    ParameterError
        If it is none of them; the message guesses which was meant.
    """
    for word in words:
        if text.casefold() == word:
            return word
    close = difflib.get_close_matches(text.casefold()[:40], [str(word) for word in words], 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise ParameterError(f"{reprlib.repr(text)} is unknown; expected one of {', '.join(map(str, words))}{hint}")


PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "grant_id": _required,
    "reservation_id": _required,
    "licensee": _licensee,
    "scope": lambda text: choose(text, SCOPES),
    "scopes": _scopes,
    "permission": lambda text: choose(text, PERMISSIONS),
    "type": lambda text: choose(text, RESERVATION_TYPES),
    "product": _optional,
    "exclusive": _yes,
    "track_id": _covered,
    "isrc": _or_none(parse_isrc),
    "iswc": _or_none(parse_iswc),
    "grid": _or_none(parse_grid),
    "upc": _or_none(parse_upc),
    "upcs": _upcs,
    "label": _covered,
    "rightsholder": _covered,
    "holder": _required,
    "dpid": _or_none(parse_dpid),
    "share": _or_none(parse_share),
    "territories": _territories,
    "held_territories": _held_territories,
    "excluded_territories": _excluded,
    "valid_from": _or_none(_date),
    "valid_to": _or_none(_date),
    "withdrawn_on": _or_none(_date),
    "asserted_at": _or_none(_date),
    "constraints": _optional,
    "contract_ref": _optional,
    "contract_sha256": _or_none(parse_sha256),
    "supersedes": _optional,
    "url": _optional,
    "text": _optional,
    "title": _optional,
    "artists": _optional,
    "p_line": _optional,
    "duration_s": _or_none(_seconds),
}
"""How each kind of cell is read from its text, white space trimmed; each raises ParameterError."""
