"""Columns of a registry file: which cell of a row says what."""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from earmark.errors import RegistryError
from earmark.rights.kinds import GRANTS, KINDS, Kind, kind_of_columns
from earmark.rights.table import Row

__all__ = ["KNOWN_COLUMNS", "Columns", "match_columns", "meant_by"]

KNOWN_COLUMNS: Final = frozenset(column for kind in KINDS.values() for column in kind.columns)

# Names that people give to columns which narrow a grant, and that are not like ours to the letter. To pass over such a
# column would make a grant wider than its contract.
_SYNONYMS: Final = {
    "barcode": "upc",
    "begin": "valid_from",
    "begins": "valid_from",
    "countries": "territories",
    "country": "territories",
    "ean": "upc",
    "end": "valid_to",
    "end_date": "valid_to",
    "ends": "valid_to",
    "exclusions": "excluded_territories",
    "expires": "valid_to",
    "expiry": "valid_to",
    "expiry_date": "valid_to",
    "from": "valid_from",
    "icpn": "upc",
    "model": "product",
    "replaces": "supersedes",
    "start": "valid_from",
    "start_date": "valid_from",
    "starts": "valid_from",
    "to": "valid_to",
    "terminated": "withdrawn_on",
    "terminated_on": "withdrawn_on",
    "termination_date": "withdrawn_on",
    "until": "valid_to",
    "valid_through": "valid_to",
    "valid_until": "valid_to",
    "withdrawn": "withdrawn_on",
}

# To pass over a column that was meant for one of these can change a verdict; over one meant for another, it cannot.
_NARROWING: Final = frozenset((*GRANTS.columns, "share", "reservation_id", "scopes", "asserted_at")).difference(
    ("contract_ref", "contract_sha256")
)

# difflib's ratio from which a name is taken for a slip of ours: 'valid from' to 'valid_from' .90, 'territory' to
# 'territories' .80; 'label_id' to 'label' .77 and 'track_title' to 'track_id' .74 are other columns.
_SLIP_RATIO: Final = 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Where the known columns are.

    Parameters
    ----------
    kind : Kind
        What the table is about.
    names : tuple of str
        The header's names in order, trimmed, in small letters.
    positions : dict of str to int
        Position of each known column that is there.
    ignored : tuple of str
        The header's other names, in order.
    """

    kind: Kind
    names: tuple[str, ...]
    positions: dict[str, int]
    ignored: tuple[str, ...]


def match_columns(header: Row, source: str, kind: Kind | None = GRANTS) -> Columns:
    """Find the known columns in a header.

    Parameters
    ----------
    header : Row
        The header's cells; case and spaces around a name make no difference.
    source : str
        The file's name, for errors.
    kind : Kind or None
        What the table is about; None to tell it by the columns.

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
    kind = kind_of_columns(names) if kind is None else kind
    known = frozenset(kind.columns)
    twice = [name for name, times in Counter(names).items() if times > 1 and name in known]
    if twice:
        raise RegistryError(f"{where}: column {twice[0]} comes twice")
    ignored = tuple(name or f"column {at}" for at, name in enumerate(names, 1) if name not in known)
    absent = sorted(known.difference(names))
    for name in ignored:
        meant = meant_by(name, absent)
        if meant is not None:
            raise RegistryError(f"{where}: unknown column {name!r}; is it {meant}? Name it so, or drop it")
    missing = [name for name in kind.required if name in absent]
    if missing:
        raise RegistryError(f"{where}: missing {_plural(missing)} {', '.join(missing)}; found {', '.join(names)}")
    if not set(kind.coverage).intersection(names):
        says = "what a grant covers" if kind is GRANTS else f"which recordings the {kind.name} are about"
        raise RegistryError(f"{where}: nothing says {says}; expected one of {', '.join(kind.coverage)}")
    positions = {name: at for at, name in enumerate(names) if name in known}
    return Columns(kind=kind, names=names, positions=positions, ignored=ignored)


def meant_by(name: str, absent: Sequence[str]) -> str | None:
    """Return the absent column for which an unknown name probably stands."""
    synonym = _SYNONYMS.get(name.replace(" ", "_"))
    if synonym in absent:
        return synonym
    close = difflib.get_close_matches(name, [each for each in absent if each in _NARROWING], 1, _SLIP_RATIO)
    return close[0] if close else None


def _plural(names: Sequence[str]) -> str:
    """Return `column` or `columns`."""
    return "columns" if len(names) > 1 else "column"
