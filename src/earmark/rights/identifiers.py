"""Identifiers and names, brought to the one form in which they are compared."""

import re
import reprlib
import unicodedata
from typing import Final

from stdnum import ean, grid
from stdnum.exceptions import InvalidChecksum, ValidationError

from earmark.errors import ParameterError

__all__ = ["fold_name", "parse_dpid", "parse_grid", "parse_isrc", "parse_iswc", "parse_sha256", "parse_upc"]

# ISO 3901:2019: prefix code (two letters, three letters or digits), year of reference, designation code.
_ISRC: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")

# ISO 15707: T, nine digits, check digit.
_ISWC: Final = re.compile(r"T[0-9]{10}")

# DDEX Party Identifier: PADPIDA, the year, and six or seven characters more, as in PADPIDA2014021501L.
_DPID: Final = re.compile(r"PADPIDA[A-Z0-9]{10,11}")

_SHA256: Final = re.compile(r"[0-9a-f]{64}")

# Spaces and every dash that spreadsheets put for a hyphen.
_NOISE: Final = re.compile(r"[\s\-\u2010-\u2015\u2212]+")


def fold_name(text: str | None) -> str | None:
    r"""Fold a name to the form in which names are compared.

    Case, compatibility variants (Unicode NFKC), and the amount and kind of white space make no difference.

    Parameters
    ----------
    text : str or None
        A name or an opaque identifier.

    Returns
    -------
    str or None
        The folded name; None if `text` is None or blank.

    Examples
    --------
    >>> fold_name("  ACME\u00a0  Music ")
    'acme music'
    """
    if text is None:
        return None
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(text.casefold().split()) or None


def parse_isrc(text: str) -> str:
    """Read an ISRC.

    Parameters
    ----------
    text : str
        Two letters, three letters or digits, seven digits; any case; dashes, spaces and a leading `ISRC` ignored.

    Returns
    -------
    str
        The twelve characters in capitals, without dashes.

    Raises
    ------
    ParameterError
        If `text` has another form.

    Examples
    --------
    >>> parse_isrc("gb-aye-68-00011")
    'GBAYE6800011'
    """
    code = _NOISE.sub("", text).upper().removeprefix("ISRC")
    if _ISRC.fullmatch(code) is None:
        raise ParameterError(
            f"{reprlib.repr(text.strip())} is no ISRC; expected CC-XXX-YY-NNNNN, such as GB-AYE-68-00011"
        )
    return code


def parse_iswc(text: str) -> str:
    """Read an ISWC.

    Parameters
    ----------
    text : str
        T, nine digits and the check digit of ISO 15707; any case; dots, dashes, spaces and a leading `ISWC` ignored.

    Returns
    -------
    str
        The eleven characters, without dots and dashes.

    Raises
    ------
    ParameterError
        If `text` has another form or the check digit is wrong.

    Examples
    --------
    >>> parse_iswc("T-034.524.680-1")
    'T0345246801'
    """
    code = _NOISE.sub("", text.replace(".", "")).upper().removeprefix("ISWC")
    if _ISWC.fullmatch(code) is None:
        raise ParameterError(f"{reprlib.repr(text.strip())} is no ISWC; expected T-NNN.NNN.NNN-C, as T-034.524.680-1")
    # ISO 15707 annex B: 1 + the sum of each digit times its place, and the check digit, make a multiple of ten.
    check = -(1 + sum(place * int(digit) for place, digit in enumerate(code[1:10], 1))) % 10
    if check != int(code[10]):
        raise ParameterError(f"{text.strip()!r} is no ISWC: its check digit should be {check}; expected it as printed")
    return code


def parse_grid(text: str) -> str:
    """Read a GRid (Global Release Identifier).

    Parameters
    ----------
    text : str
        Eighteen letters and digits with the check character of ISO 7064 Mod 37, 36; any case; dashes, spaces and a
        leading `GRID:` ignored.

    Returns
    -------
    str
        The eighteen characters in capitals.

    Raises
    ------
    ParameterError
        If `text` has another form or the check character is wrong.

    Examples
    --------
    >>> parse_grid("A1-2425G-ABC1234002-M")
    'A12425GABC1234002M'
    """
    code = _NOISE.sub("", text).upper().removeprefix("GRID:")
    try:
        return str(grid.validate(code))
    except ValidationError as error:
        raise ParameterError(_refusal(text, "GRid", "A1-2425G-ABC1234002-M", error)) from error


def parse_upc(text: str) -> str:
    """Read the bar code number of a release: UPC-A or EAN.

    Parameters
    ----------
    text : str
        Eight, twelve, thirteen or fourteen digits, the last one the check digit of GS1; dashes and spaces ignored.

    Returns
    -------
    str
        Thirteen digits, as GS1 writes shorter numbers: with zeros in front. Fourteen stay if they begin otherwise.

    Raises
    ------
    ParameterError
        If `text` has another form or the check digit is wrong.

    Examples
    --------
    >>> parse_upc("0 36000 29145 2")
    '0036000291452'
    """
    code = _NOISE.sub("", text)
    try:
        code = str(ean.validate(code))
    except ValidationError as error:
        raise ParameterError(_refusal(text, "UPC or EAN", "0036000291452", error)) from error
    return code.removeprefix("0") if len(code) == 14 and code.startswith("0") else code.rjust(13, "0")


def parse_dpid(text: str) -> str:
    """Read a DDEX Party Identifier.

    Parameters
    ----------
    text : str
        `PADPIDA` and ten or eleven letters or digits; any case; dashes and spaces ignored.

    Returns
    -------
    str
        The same in capitals.

    Raises
    ------
    ParameterError
        If `text` has another form. There is no check digit.

    Examples
    --------
    >>> parse_dpid("PADPIDA2014021501L")
    'PADPIDA2014021501L'
    """
    code = _NOISE.sub("", text).upper()
    if _DPID.fullmatch(code) is None:
        raise ParameterError(f"{reprlib.repr(text.strip())} is no DPID; expected PADPIDA and 10 or 11 more characters")
    return code


def parse_sha256(text: str) -> str:
    """Read a SHA-256.

    Parameters
    ----------
    text : str
        Sixty-four hexadecimal digits, any case.

    Returns
    -------
    str
        The same in small letters.

    Raises
    ------
    ParameterError
        If `text` has another form.
    """
    code = text.strip().casefold()
    if _SHA256.fullmatch(code) is None:
        raise ParameterError(f"{reprlib.repr(text.strip())} is no SHA-256; expected 64 hexadecimal digits")
    return code


def _refusal(text: str, name: str, example: str, error: ValidationError) -> str:
    """Say why an identifier is refused."""
    why = "the check digit is wrong" if isinstance(error, InvalidChecksum) else "wrong length or characters"
    return f"{reprlib.repr(text.strip())} is no {name} ({why}); expected one such as {example}"
