"""What a registry knows of recordings: their identifiers and names, and who holds which share of the rights."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from earmark.rights.territories import COUNTRIES

__all__ = ["SHARE_TOLERANCE", "Holding", "RecordingEntry"]

SHARE_TOLERANCE: Final = Fraction(1, 1000)
"""How far shares may add up to more than 1, or to less and count as all: percentages with two decimals of a dozen
holders, each rounded, are off by at most 0.06 percent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordingEntry:
    """One recording of a registry; None is not known.

    Parameters
    ----------
    track_id : str or None
        The id that catalogs use for it; this or the ISRC is there.
    isrc, iswc, grid : str or None
        Of the recording, of the work that is heard, and of its release, without dashes.
    upc : tuple of str
        Bar code numbers of the releases that hold it, in order.
    title, artists, label : str or None
        For people, and what grants can name.
    p_line : str or None
        The ℗ line.
    duration_s : float or None
        Length in seconds [> 0].
    line : int
        Line of the file that it comes from, from 1; 0 for none. Makes no difference to equality.
    """

    track_id: str | None = None
    isrc: str | None = None
    iswc: str | None = None
    grid: str | None = None
    upc: tuple[str, ...] = ()
    title: str | None = None
    artists: str | None = None
    label: str | None = None
    p_line: str | None = None
    duration_s: float | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """A rights holder's share of a recording.

    Parameters
    ----------
    track_id, isrc : str or None
        The recording: one of these is there. The track id goes first where a recording could have holdings by both.
    rightsholder : str
        Who.
    share : fractions.Fraction or None
        How much of it [0 < share <= 1]; None is not known.
    dpid : str or None
        The holder's DDEX Party Identifier.
    territories, excluded_territories : frozenset of str
        Country codes where the holder has it, and those taken out of them.
    line : int
        Line of the file that it comes from, from 1; 0 for none. Makes no difference to equality.
    """

    track_id: str | None = None
    isrc: str | None = None
    rightsholder: str
    share: Fraction | None = None
    dpid: str | None = None
    territories: frozenset[str] = COUNTRIES
    excluded_territories: frozenset[str] = frozenset()
    line: int = field(default=0, compare=False)
