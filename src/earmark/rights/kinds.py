"""Kinds of facts: what a registry holds, and which columns say it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from earmark.rights.cells import PARSERS
from earmark.rights.grants import Grant
from earmark.rights.recordings import Holding, RecordingEntry
from earmark.rights.reservations import Reservation

__all__ = [
    "GRANTS",
    "HOLDINGS",
    "KINDS",
    "PROVENANCE",
    "RECORDINGS",
    "RESERVATIONS",
    "Fact",
    "Kind",
    "kind_of",
    "kind_of_columns",
]

Fact = Grant | RecordingEntry | Holding | Reservation


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of facts.

    Parameters
    ----------
    name : str
        In the plural: the name of its table, sheet and file.
    one : str
        In the singular.
    type : type
        Of its facts; the columns are its fields.
    required : tuple of str
        Columns that a table must have.
    optional : tuple of str
        Columns that it may have.
    coverage : tuple of str
        Those of them of which a table must have one, and a row must fill one.
    mark : str or None
        The column that tells a table of this kind from others; None for the kind that has none of the marks.
    parsers : dict of str to callable
        What reads each column.
    """

    name: str
    one: str
    type: Callable[..., Any]
    required: tuple[str, ...]
    optional: tuple[str, ...]
    coverage: tuple[str, ...]
    mark: str | None
    parsers: dict[str, Callable[[str], Any]]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order of a template."""
        return (*self.required, *(name for name in self.parsers if name not in self.required))


def _kind(
    name: str,
    fact: type,
    *,
    required: tuple[str, ...],
    columns: str,
    coverage: tuple[str, ...],
    mark: str | None,
    read_as: dict[str, str] | None = None,
) -> Kind:
    names = columns.split()
    parsers = {column: PARSERS[(read_as or {}).get(column, column)] for column in names}
    return Kind(
        name=name,
        one=name.removesuffix("s"),
        type=fact,
        required=required,
        optional=tuple(column for column in names if column not in (*required, *coverage)),
        coverage=coverage,
        mark=mark,
        parsers=parsers,
    )


GRANTS: Final = _kind(
    "grants",
    Grant,
    required=("grant_id", "licensee", "scope", "permission", "territories"),
    columns="grant_id licensee scope permission product exclusive track_id isrc upc label rightsholder territories "
    "excluded_territories valid_from valid_to withdrawn_on constraints contract_ref contract_sha256 supersedes",
    coverage=("track_id", "isrc", "upc", "label", "rightsholder"),
    mark="grant_id",
)
RECORDINGS: Final = _kind(
    "recordings",
    RecordingEntry,
    required=(),
    columns="track_id isrc iswc grid upc title artists label p_line duration_s",
    coverage=("track_id", "isrc"),
    mark=None,
    read_as={"upc": "upcs"},
)
HOLDINGS: Final = _kind(
    "holdings",
    Holding,
    required=("rightsholder", "share"),
    columns="track_id isrc rightsholder share dpid territories excluded_territories",
    coverage=("track_id", "isrc"),
    mark="share",
    read_as={"rightsholder": "holder", "territories": "held_territories"},
)
RESERVATIONS: Final = _kind(
    "reservations",
    Reservation,
    required=("reservation_id", "type", "scopes", "permission", "territories"),
    columns="reservation_id type scopes permission url text asserted_at track_id isrc upc label rightsholder "
    "territories",
    coverage=("track_id", "isrc", "upc", "label", "rightsholder"),
    mark="reservation_id",
)

KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in (RECORDINGS, HOLDINGS, GRANTS, RESERVATIONS)}
"""By name, in the order in which a file with all of them is read."""

PROVENANCE: Final = ("source", "source_sha256", "message_id")
"""Columns of exports that tell where each fact once came from; on import they mean nothing."""

_BY_TYPE: Final = {kind.type: kind for kind in KINDS.values()}


def kind_of(fact: Fact) -> Kind:
    """Return the kind of a fact."""
    return _BY_TYPE[type(fact)]


def kind_of_columns(names: Collection[str]) -> Kind:
    """Return the kind of a table with such columns: by its mark, else recordings.

    Examples
    --------
    >>> kind_of_columns({"isrc", "rightsholder", "share"}).name
    'holdings'
    """
    return next((kind for kind in KINDS.values() if kind.mark is not None and kind.mark in names), RECORDINGS)
