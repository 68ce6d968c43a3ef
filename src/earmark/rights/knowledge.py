"""Knowledge: what catalog and registry together say of a recording, and where they contradict each other."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

from earmark.rights.facts import Recording, known_isrc
from earmark.rights.identifiers import fold_name
from earmark.rights.recording_table import RecordingTable
from earmark.rights.recordings import Holding, RecordingEntry
from earmark.rights.registry import Registry

__all__ = ["Case", "cases_of", "entry_of", "holders_of"]

Holders = tuple[tuple[str, Fraction | None], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One account of a recording: where two sources disagree, there is one for each.

    Parameters
    ----------
    recording : Recording
        What it is.
    holders : tuple of (str, Fraction or None)
        Who holds which share of it; None is a share that is not known. Empty: the recording's `rightsholder` holds it,
        if there is one.
    """

    recording: Recording
    holders: Holders = ()


def holders_of(registry: Registry | None, recording: Recording) -> Holders:
    """Tell who holds the rights in a recording.

    Parameters
    ----------
    registry : Registry or None
        What is known besides the catalog.
    recording : Recording
        What the catalog says.

    Returns
    -------
    tuple of (str, Fraction or None)
        Name and share [0 < share <= 1; None is not known] of each holder that the registry names, in the order of its
        import; the shares add up to 1 (give or take 0.001) or less, where the rest is not known. If the registry names
        none: the catalog's `rightsholder` with the share 1; nothing if there is none either.

    Raises
    ------
    RegistryError
        If the registry file is damaged.
    """
    if registry is not None and registry.recordings is not None:
        holders = _holders(registry.recordings.holdings(recording.track_id, known_isrc(recording.isrc)))
        if holders:
            return holders
    name = " ".join((recording.rightsholder or "").split())
    return ((name, Fraction(1)),) if name else ()


def entry_of(registry: Registry | None, recording: Recording) -> RecordingEntry | None:
    """Return what the registry says of a recording: of several of one ISRC the first; None if it says nothing.

    Raises
    ------
    RegistryError
        If the registry file is damaged.
    """
    if registry is None or registry.recordings is None:
        return None
    return next(iter(registry.recordings.recordings(recording.track_id, known_isrc(recording.isrc))), None)


def cases_of(recording: Recording, table: RecordingTable) -> tuple[Case, ...]:
    """Put together what the catalog and the registry say.

    Parameters
    ----------
    recording : Recording
        What the catalog says.
    table : RecordingTable
        What the registry says.

    Returns
    -------
    tuple of Case
        One, unless they contradict each other in the ISRC, the label or the rights holder: then one for each
        combination. Releases are put together.

    Raises
    ------
    RegistryError
        If the registry file is damaged.
    """
    isrc = known_isrc(recording.isrc)
    entries = table.recordings(recording.track_id, isrc)
    holders = _holders(table.holdings(recording.track_id, isrc or next((each.isrc for each in entries), None)))
    if not entries and not holders:
        return (Case(recording=recording),)
    isrcs = _distinct((isrc, *(entry.isrc for entry in entries)))
    labels = _distinct((recording.label, *(entry.label for entry in entries)))
    upc = tuple(dict.fromkeys((*recording.upc, *(each for entry in entries for each in entry.upc))))
    accounts: list[Holders] = [holders]
    known = fold_name(recording.rightsholder)
    if holders and known is not None and known not in {fold_name(name) for name, _ in holders}:
        accounts.append(())
    return tuple(
        Case(recording=replace(recording, isrc=one_isrc, label=label, upc=upc), holders=account)
        for one_isrc, label, account in product(isrcs, labels, accounts)
    )


def _holders(holdings: Iterable[Holding]) -> Holders:
    """Return names and shares; a single holder whose share is not known holds all."""
    found = tuple((holding.rightsholder, holding.share) for holding in holdings)
    return ((found[0][0], Fraction(1)),) if len(found) == 1 and found[0][1] is None else found


def _distinct(names: Iterable[str | None]) -> list[str | None]:
    """Return the names that differ when folded, each as first spelled; None if there are none."""
    found: dict[str, str] = {}
    for name in names:
        folded = fold_name(name)
        if folded is not None and name is not None:
            found.setdefault(folded, name)
    return list(found.values()) or [None]
