"""Facts: what is known of a recording and of its intended use, in the form in which grants are compared with it."""

from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Final

from earmark.errors import ParameterError
from earmark.rights.grants import COVERAGE_COLUMNS, SCOPES
from earmark.rights.identifiers import fold_name, parse_isrc, parse_upc
from earmark.rights.territories import parse_territory

__all__ = ["UPC", "Facts", "FoldedUse", "Recording", "Use", "facts_of", "fold_use", "known_isrc", "with_holder"]

UPC: Final = COVERAGE_COLUMNS.index("upc")
"""The one coverage column of which a recording can have several values: it may be on many releases."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """What the catalog says of a recording; None or blank is unknown.

    Parameters
    ----------
    track_id, isrc, label, rightsholder : str or None
        As in the catalog's metadata. A malformed ISRC counts as unknown.
    upc : tuple of str
        The releases that it is on; none is unknown. A malformed one counts as absent.
    """

    track_id: str | None = None
    isrc: str | None = None
    label: str | None = None
    rightsholder: str | None = None
    upc: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """What somebody wants to do; None is not given.

    Parameters
    ----------
    licensee : str or None
        Who; compared without regard to case and white space.
    scope : str or None
        What for: one of `SCOPES`.
    territory : str or None
        Where: an ISO 3166-1 alpha-2 code, any case.
    as_of : datetime.date or None
        On which day.
    product : str or None
        For which model or product; compared as the licensee is.
    sufficient_share : fractions.Fraction or None
        Which share of the rights suffices where several hold them [0 < share <= 1]; None: all holders must agree.
    """

    licensee: str | None = None
    scope: str | None = None
    territory: str | None = None
    as_of: date | None = None
    product: str | None = None
    sufficient_share: Fraction | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FoldedUse:
    """A use, checked and folded for comparison.

    Parameters
    ----------
    given : Use
        As given.
    licensee, scope, territory, product : str or None
        None is unknown.
    as_of : datetime.date or None
        As given.
    """

    given: Use
    licensee: str | None
    scope: str | None
    territory: str | None
    as_of: date | None
    product: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """A recording and a use, folded for comparison; None is unknown.

    Parameters
    ----------
    recording : Recording
        As given.
    use : FoldedUse
        What is intended.
    coverages : tuple of tuple of str or None
        The recording's `COVERAGE_COLUMNS`, in their order: one tuple for each release that it is known to be on, which
        differ in `UPC` alone; one if none is known.
    """

    recording: Recording
    use: FoldedUse
    coverages: tuple[tuple[str | None, ...], ...]


def facts_of(recording: Recording, use: FoldedUse) -> Facts:
    """Fold a recording for comparison. Its fields come from strangers' metadata, and what is malformed is unknown."""
    track_id, isrc = fold_name(recording.track_id), known_isrc(recording.isrc)
    label, rightsholder = _fold_known(recording.label), _fold_known(recording.rightsholder)
    releases = _known_upcs(recording.upc) if recording.upc else ()
    coverages: tuple[tuple[str | None, ...], ...]
    if releases:
        coverages = tuple([(track_id, isrc, upc, label, rightsholder) for upc in releases])
    else:
        coverages = ((track_id, isrc, None, label, rightsholder),)
    return Facts(recording=recording, use=use, coverages=coverages)


def with_holder(facts: Facts, holder: str | None) -> Facts:
    """Return the facts of a recording if all of it is one holder's."""
    of, folded = facts.recording, _fold_known(holder)
    recording = Recording(track_id=of.track_id, isrc=of.isrc, label=of.label, rightsholder=holder, upc=of.upc)
    coverages = tuple([(*coverage[:-1], folded) for coverage in facts.coverages])
    return Facts(recording=recording, use=facts.use, coverages=coverages)


# Labels and holders are few, and come again and again.
_fold_known = lru_cache(maxsize=1 << 16)(fold_name)


@lru_cache(maxsize=1024)  # one for each country, and some more
def fold_use(use: Use) -> FoldedUse:
    """Check a use and fold it for comparison: one serves many recordings.

    Raises
    ------
    ParameterError
        If its scope or territory is unknown, its date no plain date, or its share out of range.
    """
    if use.scope is not None and use.scope not in SCOPES:
        raise ParameterError(f"use must be one of {', '.join(SCOPES)}, got {use.scope!r}")
    if use.as_of is not None and (not isinstance(use.as_of, date) or isinstance(use.as_of, datetime)):
        raise ParameterError(f"as_of must be a datetime.date without a time, got {use.as_of!r}")
    if use.sufficient_share is not None and not 0 < use.sufficient_share <= 1:
        raise ParameterError(f"sufficient_share must be above 0 and at most 1, got {use.sufficient_share}")
    return FoldedUse(
        given=use,
        licensee=fold_name(use.licensee),
        scope=use.scope,
        territory=None if use.territory is None else parse_territory(use.territory),
        as_of=use.as_of,
        product=fold_name(use.product),
    )


def known_isrc(text: str | None) -> str | None:
    """Return the ISRC; None if it is missing or malformed, for then the true one may be any."""
    if text is None:
        return None
    try:
        return parse_isrc(text)
    except ParameterError:
        return None


def _known_upcs(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the well-formed ones among bar code numbers, each once and in order."""
    found = set()
    for text in texts:
        try:
            found.add(parse_upc(text))
        except ParameterError:
            continue
    return tuple(sorted(found))
