"""Reservations: what a rights holder has declared to everybody about text and data mining, and when."""

from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from earmark.rights.grants import Grant, Permission, Scope

__all__ = ["RESERVATION_TYPES", "RESERVED_SCOPES", "Reservation", "as_clauses"]

ReservationType = Literal["tdmrep", "odrl", "c2pa", "robots", "terms", "declaration"]

RESERVATION_TYPES: Final[tuple[ReservationType, ...]] = ("tdmrep", "odrl", "c2pa", "robots", "terms", "declaration")

# What a reservation of "text and data mining" covers. Directive (EU) 2019/790, article 2(2), defines that as any
# automated analysis of data to generate information; Regulation (EU) 2024/1689, article 53(1)(c), has providers of AI
# models keep to such reservations in training. A refusal is read widely; use of a finished model is none of it.
RESERVED_SCOPES: Final[tuple[Scope, ...]] = ("ai_training", "ai_generative_training", "data_mining")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """An opt-out.

    Parameters
    ----------
    reservation_id : str
        Unique in its registry.
    type : str
        One of `RESERVATION_TYPES`: how it was declared.
    scopes : tuple of str
        What is reserved: some of `SCOPES`, in their order.
    permission : str
        `not_allowed`, or `constrained` if it names terms on which the use can be had.
    url, text : str or None
        Where it was declared, and in which words; one of them is there.
    asserted_at : datetime.date or None
        First day on which it was seen; None is not known, and counts as ever since.
    track_id, isrc, upc, label, rightsholder : str or None
        The repertoire, as of a grant.
    territories : frozenset of str
        Country codes where it holds.
    line : int
        Line of the file that it comes from, from 1; 0 for none. Makes no difference to equality.
    """

    reservation_id: str
    type: ReservationType
    scopes: tuple[Scope, ...]
    permission: Permission
    territories: frozenset[str]
    url: str | None = None
    text: str | None = None
    asserted_at: date | None = None
    track_id: str | None = None
    isrc: str | None = None
    upc: str | None = None
    label: str | None = None
    rightsholder: str | None = None
    line: int = field(default=0, compare=False)


def as_clauses(reservation: Reservation) -> tuple[Grant, ...]:
    """Write a reservation as grants to anyone, one for each scope, so that both are compared with a case alike.

    Parameters
    ----------
    reservation : Reservation
        The opt-out.

    Returns
    -------
    tuple of Grant
        With ids `reservation_id/scope`, from the day on which it was asserted.
    """
    return tuple(
        Grant(
            grant_id=f"{reservation.reservation_id}/{scope}",
            licensee="*",
            scope=scope,
            permission=reservation.permission,
            territories=reservation.territories,
            track_id=reservation.track_id,
            isrc=reservation.isrc,
            upc=reservation.upc,
            label=reservation.label,
            rightsholder=reservation.rightsholder,
            valid_from=reservation.asserted_at,
            contract_ref=reservation.url or reservation.text,
            line=reservation.line,
        )
        for scope in reservation.scopes
    )
