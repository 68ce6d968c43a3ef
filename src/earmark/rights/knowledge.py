"""Knowledge: what catalog and registry together say of a recording, and where they contradict each other."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Final

from earmark.rights.facts import Recording, known_isrc
from earmark.rights.identifiers import fold_name
from earmark.rights.recording_table import RecordingTable
from earmark.rights.recordings import RecordingEntry
from earmark.rights.registry import Registry

__all__ = ["Case", "cases_of", "entry_of", "holders_of"]

_ALL: Final = Fraction(1)

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
        import, the first account where there are several; the shares add up to 1 (give or take 0.001) or less, where
        the rest is not known. If the registry names none: the catalog's `rightsholder` with the share 1; nothing if
        there is none either.

    Raises
    ------
    RegistryError
        If the registry file is damaged.
    """
    if registry is not None and registry.recordings is not None:
        _, held = registry.recordings.look_up(fold_name(recording.track_id), known_isrc(recording.isrc))
        if held:
            return _whole(held[0])
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
    known, held = table.look_up(fold_name(recording.track_id), isrc)
    if not known and not held:
        return (Case(recording=recording),)
    accounts: list[Holders] = [_whole(holders) for holders in held] or [()]
    isrcs = _distinct([isrc, *[row[0] for row in known]])
    labels = _distinct([recording.label, *[row[2] for row in known]])
    upc = recording.upc
    for row in known:
        if row[1]:
            upc = (*upc, *row[1].split())
    catalog = fold_name(recording.rightsholder)
    if held and catalog is not None and catalog not in {fold_name(name) for name, _ in accounts[0]}:
        accounts.append(())
    return tuple(
        [
            Case(
                recording=Recording(
                    track_id=recording.track_id,
                    isrc=one_isrc,
                    label=label,
                    rightsholder=recording.rightsholder,
                    upc=upc,
                ),
                holders=account,
            )
            for one_isrc, label, account in product(isrcs, labels, accounts)
        ]
    )


def _whole(holders: Holders) -> Holders:
    """Give a single holder whose share is not known all of it."""
    return ((holders[0][0], _ALL),) if len(holders) == 1 and holders[0][1] is None else holders


def _distinct(names: list[str | None]) -> list[str | None]:
    """Return the names that differ when folded, each as first spelled; None if there are none."""
    given = [name for name in names if name]
    if len(given) < 2 or all(name == given[0] for name in given):
        return [given[0] if given and fold_name(given[0]) else None]
    found: dict[str, str | None] = {}
    for name in given:
        folded = fold_name(name)
        if folded is not None:
            found.setdefault(folded, name)
    return list(found.values()) or [None]
