"""Knowledge: what catalog and registry together say of a recording, and where they contradict each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Final

from earmark.rights.facts import Recording, known_isrc
from earmark.rights.identifiers import fold_name
from earmark.rights.recording_table import Held, RecordingTable
from earmark.rights.recordings import RecordingEntry
from earmark.rights.registry import Registry
from earmark.rights.territories import COUNTRIES, parse_territory, split_world

__all__ = ["Case", "cases_of", "entry_of", "held_by", "held_in", "holders_of", "places_of"]

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
        Who holds which share of it, where nobody holds all; None is a share that is not known. Empty: the recording's
        `rightsholder` holds it, if there is one.
    """

    recording: Recording
    holders: Holders = ()


def holders_of(registry: Registry | None, recording: Recording, territory: str | None = None) -> Holders:
    """Tell who holds the rights in a recording.

    Parameters
    ----------
    registry : Registry or None
        What is known besides the catalog.
    recording : Recording
        What the catalog says.
    territory : str or None
        Where: an ISO 3166-1 alpha-2 code; None: everywhere, so that of shares that differ the least counts.

    Returns
    -------
    tuple of (str, Fraction or None)
        Name and share [0 < share <= 1; None is not known] of each holder that the registry names there, in the order
        of import, the first account where there are several; shares add up to 1 (give or take 0.001) or less, where
        the rest is not known. If the registry names none: the catalog's `rightsholder` with the share 1; nothing if
        there is none either.

    Raises
    ------
    RegistryError
        If the registry file is damaged.
    ParameterError
        If the territory is unknown.
    """
    held = _held(registry, recording)
    if territory is not None:
        here = _whole(held_in(held, parse_territory(territory)))
    else:
        classes = split_world(places for _, _, places in held)
        here = _least([_whole(held_in(held, min(countries))) for countries in classes])
    if here or (held and territory is None):
        return here
    name = " ".join((recording.rightsholder or "").split())
    return ((name, _ALL),) if name else ()


def held_by(registry: Registry | None, recording: Recording, territory: str | None = None) -> Held:
    """Tell who holds the rights in a recording, and where.

    Parameters
    ----------
    registry, recording, territory
        As of `holders_of`.

    Returns
    -------
    tuple of (str, Fraction or None, frozenset of str)
        Name, share and territories of each holding that the registry knows, if it is for this territory; otherwise the
        catalog's rights holder, everywhere.

    Raises
    ------
    RegistryError, ParameterError
        As of `holders_of`.
    """
    country = None if territory is None else parse_territory(territory)
    known = tuple([each for each in _held(registry, recording) if country is None or country in each[2]])
    return known or tuple([(name, share, COUNTRIES) for name, share in holders_of(None, recording)])


def places_of(recording: Recording, table: RecordingTable) -> frozenset[frozenset[str]]:
    """Return where the shares in a recording are held, if not all are held everywhere; else an empty set.

    Raises
    ------
    RegistryError
        If the registry file is damaged.
    """
    _, held = table.look_up(fold_name(recording.track_id), known_isrc(recording.isrc))
    found = frozenset(places for account in held for _, _, places in account)
    return found if found - {COUNTRIES} else frozenset()


def held_in(held: Held, territory: str | None) -> Holders:
    """Return who holds which share in a country; None stands for any, where all shares are held everywhere."""
    return tuple([(name, share) for name, share, places in held if territory is None or territory in places])


def _held(registry: Registry | None, recording: Recording) -> Held:
    """Return what the registry says of who holds a recording: the first account."""
    if registry is None or registry.recordings is None:
        return ()
    _, held = registry.recordings.look_up(fold_name(recording.track_id), known_isrc(recording.isrc))
    return held[0] if held else ()


def _least(by_place: Sequence[Holders]) -> Holders:
    """Return what each holder has in every one of some places."""
    return tuple(
        (name, None if None in shares else min(share for share in shares if share is not None))
        for name in dict.fromkeys(name for holders in by_place for name, _ in holders)
        for shares in [[share for holders in by_place for each, share in holders if each == name]]
        if len(shares) == len(by_place)
    )


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


def cases_of(recording: Recording, table: RecordingTable, territory: str | None) -> tuple[Case, ...]:
    """Put together what the catalog and the registry say.

    Parameters
    ----------
    recording : Recording
        What the catalog says.
    table : RecordingTable
        What the registry says.
    territory : str or None
        Where; None only where `places_of` returns nothing.

    Returns
    -------
    tuple of Case
        One, unless they contradict each other in the ISRC, the label or the rights holder, or the registry knows
        several tracks of an ISRC and the catalog does not say which: then one for each combination. Releases are put
        together.

    Raises
    ------
    RegistryError
        If the registry file is damaged.
    """
    isrc = known_isrc(recording.isrc)
    known, held = table.look_up(fold_name(recording.track_id), isrc)
    if not known and not held:
        return (Case(recording=recording),)
    here = [account for each in held if (account := _whole(held_in(each, territory)))]
    accounts = here if len(here) == 1 else list(dict.fromkeys(here)) or [()]
    isrcs = _distinct(isrc, [row[0] for row in known])
    labels = _distinct(recording.label, [row[2] for row in known])
    tracks = [recording.track_id] if recording.track_id else [row[3] for row in known] or [None]
    upc = recording.upc
    for row in known:
        if row[1]:
            upc = (*upc, *row[1].split())
    catalog = fold_name(recording.rightsholder)
    if here and catalog is not None and catalog not in {fold_name(name) for name, _ in here[0]}:
        accounts.append(())
    if len(tracks) == len(isrcs) == len(labels) == len(accounts) == 1:
        return (_case(recording, tracks[0], isrcs[0], labels[0], upc, accounts[0]),)
    return tuple(
        [
            _case(recording, track_id, one_isrc, label, upc, account)
            for track_id, one_isrc, label, account in product(tracks, isrcs, labels, accounts)
        ]
    )


def _case(
    recording: Recording,
    track_id: str | None,
    isrc: str | None,
    label: str | None,
    upc: tuple[str, ...],
    holders: Holders,
) -> Case:
    """Return an account, in which who holds all of the recording is its rights holder."""
    rightsholder = recording.rightsholder
    if len(holders) == 1 and holders[0][1] == 1:
        rightsholder, holders = holders[0][0], ()
    of = Recording(track_id=track_id, isrc=isrc, label=label, rightsholder=rightsholder, upc=upc)
    return Case(recording=of, holders=holders)


def _whole(holders: Holders) -> Holders:
    """Give a single holder whose share is not known all of it."""
    return ((holders[0][0], _ALL),) if len(holders) == 1 and holders[0][1] is None else holders


def _distinct(first: str | None, others: list[str | None]) -> list[str | None]:
    """Return the names that differ when folded, each as first spelled; None if there are none."""
    if others == [first]:
        return others
    given: list[str | None] = [name for name in (first, *others) if name and not name.isspace()]
    if len(given) < 2:
        return given or [None]
    found: dict[str, str | None] = {}
    for name in given:
        folded = fold_name(name)
        if folded is not None:
            found.setdefault(folded, name)
    return list(found.values()) or [None]
