"""Columns of a registry file: which cell of a row says what."""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from earmark.errors import RegistryError
from earmark.rights.grants import COVERAGE_COLUMNS
from earmark.rights.table import Row

__all__ = ["KNOWN_COLUMNS", "Columns", "match_columns"]

_REQUIRED: Final = ("grant_id", "licensee", "scope", "permission", "territories")
_OPTIONAL: Final = ("excluded_territories", "valid_from", "valid_to", "contract_ref", "supersedes")

KNOWN_COLUMNS: Final = frozenset((*_REQUIRED, *COVERAGE_COLUMNS, *_OPTIONAL))

# Names that people give to columns which narrow a grant, and that are not like ours to the letter. To pass over such a
# column would make a grant wider than its contract.
_SYNONYMS: Final = {
    "begin": "valid_from",
    "begins": "valid_from",
    "countries": "territories",
    "country": "territories",
    "end": "valid_to",
    "end_date": "valid_to",
    "ends": "valid_to",
    "exclusions": "excluded_territories",
    "expires": "valid_to",
    "expiry": "valid_to",
    "expiry_date": "valid_to",
    "from": "valid_from",
    "replaces": "supersedes",
    "start": "valid_from",
    "start_date": "valid_from",
    "starts": "valid_from",
    "to": "valid_to",
    "until": "valid_to",
    "valid_through": "valid_to",
    "valid_until": "valid_to",
}

# difflib's ratio from which a name is taken for a slip of ours: 'valid from' to 'valid_from' .90, 'territory' to
# 'territories' .80; 'label_id' to 'label' .77 and 'track_title' to 'track_id' .74 are other columns.
_SLIP_RATIO: Final = 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Where the known columns are.

    Parameters
    ----------
    names : tuple of str
        The header's names in order, trimmed, in small letters.
    positions : dict of str to int
        Position of each known column that is there.
    ignored : tuple of str
        The header's other names, in order.
    """

    names: tuple[str, ...]
    positions: dict[str, int]
    ignored: tuple[str, ...]


def match_columns(header: Row, source: str) -> Columns:
    """Find the known columns in a header.

    Parameters
    ----------
    header : Row
        The header's cells; case and spaces around a name make no difference.
    source : str
        The file's name, for errors.

    Returns
    -------
    Columns
        The columns.

    Raises
    ------
    RegistryError
        If a required column is missing or a known one comes twice, or if an unknown one is so like a missing one that
        passing over it might change a verdict.
    """
    names = tuple(" ".join(cell.split()).casefold() for cell in header.cells)
    where = f"{source}, line {header.line}"
    twice = [name for name, times in Counter(names).items() if times > 1 and name in KNOWN_COLUMNS]
    if twice:
        raise RegistryError(f"{where}: column {twice[0]} comes twice")
    ignored = tuple(name or f"column {at}" for at, name in enumerate(names, 1) if name not in KNOWN_COLUMNS)
    absent = sorted(KNOWN_COLUMNS.difference(names))
    for name in ignored:
        meant = _meant_by(name, absent)
        if meant is not None:
            raise RegistryError(f"{where}: unknown column {name!r}; is it {meant}? Name it so, or drop it")
    missing = [name for name in _REQUIRED if name in absent]
    if missing:
        raise RegistryError(f"{where}: missing {_plural(missing)} {', '.join(missing)}; found {', '.join(names)}")
    if not set(COVERAGE_COLUMNS).intersection(names):
        raise RegistryError(f"{where}: nothing says what a grant covers; expected one of {', '.join(COVERAGE_COLUMNS)}")
    positions = {name: at for at, name in enumerate(names) if name in KNOWN_COLUMNS}
    return Columns(names=names, positions=positions, ignored=ignored)


def _meant_by(name: str, absent: Sequence[str]) -> str | None:
    """Return the absent column for which an unknown name probably stands."""
    synonym = _SYNONYMS.get(name.replace(" ", "_"))
    if synonym in absent:
        return synonym
    close = difflib.get_close_matches(name, [each for each in absent if each != "contract_ref"], 1, _SLIP_RATIO)
    return close[0] if close else None


def _plural(names: Sequence[str]) -> str:
    """Return `column` or `columns`."""
    return "columns" if len(names) > 1 else "column"
