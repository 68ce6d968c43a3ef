"""Territories: the country codes a grant may name, and the cells that name them."""

import re
import reprlib
from collections.abc import Iterable
from typing import Final

from earmark.errors import ParameterError

__all__ = [
    "COUNTRIES",
    "WORLDWIDE_WORD",
    "describe_territories",
    "parse_territories",
    "parse_territory",
    "split_world",
]

WORLDWIDE_WORD: Final = "Worldwide"

# ISO 3166-1 alpha-2 as of ISO/TC 46 N1108 (2023-04-05), 249 codes: `iso3166.tab` of the IANA time zone database (public
# domain), equal to Debian's iso-codes 4.15.0. XK (Kosovo) is user-assigned; the European Commission and CLDR use it.
COUNTRIES: Final[frozenset[str]] = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW
    BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI
    FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN
    IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME
    MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF
    PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE
    YT ZA ZM ZW
    XK
    """.split()  # noqa: SIM905 - 250 quoted literals would hide a missing code
)

# Codes that people write and ISO 3166-1 does not hold.
_INSTEAD: Final = {
    "UK": "say GB",
    "EL": "say GR",
    "EU": "name the member states",
    "WW": "say Worldwide",
    "WORLD": "say Worldwide",
    "ROW": "name the countries, or say Worldwide and exclude some",
    "USA": "say US",
}

_SEPARATORS: Final = re.compile(r"[\s;,|]+")

# A reason names up to this many codes one by one; beyond it, a count reads better.
_MAX_NAMED: Final = 8


def parse_territory(text: str) -> str:
    """Read one country code.

    Parameters
    ----------
    text : str
        An ISO 3166-1 alpha-2 code, any case, spaces around it ignored.

    Returns
    -------
    str
        The code in capitals, a member of `COUNTRIES`.

    Raises
    ------
    ParameterError
        If `text` is no such code.

    Examples
    --------
    >>> parse_territory(" us ")
    'US'
    """
    code = text.strip().upper()
    if code not in COUNTRIES:
        advice = f" ({_INSTEAD[code]})" if code in _INSTEAD else ""
        raise ParameterError(f"{reprlib.repr(text.strip())} is no ISO 3166-1 alpha-2 country code{advice}")
    return code


def parse_territories(text: str) -> frozenset[str]:
    """Read a list of country codes, or the word `Worldwide`.

    Parameters
    ----------
    text : str
        Codes in any case, set apart by spaces, commas, semicolons or bars; or `Worldwide` alone, any case.

    Returns
    -------
    frozenset of str
        The codes; `COUNTRIES` for `Worldwide`; empty if `text` is blank.

    Raises
    ------
    ParameterError
        If a code is unknown, or `Worldwide` stands beside a code.

    Examples
    --------
    >>> sorted(parse_territories("us; CA"))
    ['CA', 'US']
    >>> parse_territories("worldwide") == COUNTRIES
    True
    """
    words = [word for word in _SEPARATORS.split(text) if word]
    if any(word.casefold() == WORLDWIDE_WORD.casefold() for word in words):
        if len(words) > 1:
            raise ParameterError(f"{WORLDWIDE_WORD!r} stands alone; use excluded_territories for exceptions")
        return COUNTRIES
    return frozenset(parse_territory(word) for word in words)


def describe_territories(territories: frozenset[str]) -> str:
    """Name a set of territories in a few words.

    Parameters
    ----------
    territories : frozenset of str
        Members of `COUNTRIES`.

    Returns
    -------
    str
        The codes in order; their number if there are more than eight; `Worldwide` for all.

    Examples
    --------
    >>> describe_territories(frozenset({"US", "CA"}))
    'CA, US'
    """
    if territories == COUNTRIES:
        return WORLDWIDE_WORD
    if len(territories) > _MAX_NAMED:
        return f"{len(territories)} territories"
    return ", ".join(sorted(territories))


def split_world(sets: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """Sort all countries into classes that lie in the same ones of some sets: one country stands for its class.

    Parameters
    ----------
    sets : iterable of frozenset of str
        Members of `COUNTRIES`.

    Returns
    -------
    list of frozenset of str
        Classes that are not empty, and hold all of `COUNTRIES` between them, each country once; in the order of their
        first codes.

    Examples
    --------
    >>> [len(each) for each in split_world([frozenset({"US", "CA"}), frozenset({"US"})])]
    [248, 1, 1]
    """
    classes = [COUNTRIES]
    for territories in set(sets) - {COUNTRIES}:
        parts = [(part & territories, part - territories) for part in classes]
        classes = [half for halves in parts for half in halves if half]
    return sorted(classes, key=min)
