"""Identifiers and names, brought to the one form in which they are compared."""

import re
import reprlib
import unicodedata
from typing import Final

from earmark.errors import ParameterError

__all__ = ["fold_name", "parse_isrc"]

# ISO 3901:2019: prefix code (two letters, three letters or digits), year of reference, designation code.
_ISRC: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")

# Spaces and every dash that spreadsheets put for a hyphen.
_ISRC_NOISE: Final = re.compile(r"[\s\-\u2010-\u2015\u2212]+")


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
    code = _ISRC_NOISE.sub("", text).upper().removeprefix("ISRC")
    if _ISRC.fullmatch(code) is None:
        raise ParameterError(
            f"{reprlib.repr(text.strip())} is no ISRC; expected CC-XXX-YY-NNNNN, such as GB-AYE-68-00011"
        )
    return code
