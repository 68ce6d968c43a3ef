"""The usage ledger: matched seconds and matches by recording, holder, label, grant or territory, and shares of money.

What is licensed, unlicensed and up for review stands on lines of its own, so that none passes for another.

Sums are exact: seconds are counted in fractions of milliseconds, and what a ledger shows is apportioned from those, so
that the parts sum to the whole in every column but `matches` and `items` (one match or item can be several parties').
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from earmark.errors import ParameterError
from earmark.report.apportioning import apportion, minor_digits, parse_pool
from earmark.report.occupancy import matched_ms, occupied_ms
from earmark.report.records import read_matches, read_summary
from earmark.rights import Recording
from earmark.scan import MatchRow

__all__ = ["DIMENSIONS", "HoldersOf", "Ledger", "LedgerLine", "catalog_holders", "make_ledger"]

DIMENSIONS = ("recording", "rightsholder", "label", "grant", "territory")
"""What a ledger may be made by."""

HoldersOf = Callable[[Recording, str | None], Sequence[tuple[str, Fraction | None]]]
"""Who holds which share of a recording in a territory, where that is known; a share that is not known is None. What is
missing to 1 is nobody's known."""

_STATUSES = ("licensed", "review", "unlicensed")

_SHARE_UNITS = 10**6  # shares of the whole are shown with six digits
_MATCH_UNITS = 10**3
# Shares that were rounded one by one may add up to a little more than 1.
_TOLERANCE = Fraction(1, 1000)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LedgerLine:
    """A line of a ledger.

    Attributes
    ----------
    key
        Track id, holder, label, grant id or territory; None if that is not known.
    status
        Of the matches: `licensed`, `review` or `unlicensed`.
    isrc, title, artist
        Of the recording, in a ledger by recording; else None.
    matches, items
        Matches and items in which it has any part.
    match_share
        Its part of the matches, those with several parties divided.
    seconds
        Its part of the matched seconds.
    share
        Of all matched seconds [0 <= share <= 1].
    amount
        Its part of the pool; None if there is no pool, or none for this status.
    """

    key: str | None
    status: str
    isrc: str | None
    title: str | None
    artist: str | None
    matches: int
    items: int
    match_share: Decimal
    seconds: Decimal
    share: Decimal
    amount: Decimal | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """A ledger, its lines in the order of their keys, what is not known last, and of their statuses.

    Attributes
    ----------
    by, overlaps
        As asked for.
    lines
        One for each key and status.
    matches, items
        In all.
    seconds
        In any match.
    paid_seconds
        Those of them that the pool is for.
    pool, currency
        What was shared out; None if nothing was.
    """

    by: str
    overlaps: str
    lines: tuple[LedgerLine, ...]
    matches: int
    items: int
    seconds: Decimal
    paid_seconds: Decimal | None
    pool: Decimal | None
    currency: str | None


@dataclasses.dataclass(kw_only=True, slots=True)
class _Account:
    """What a key has so far."""

    first: MatchRow
    ms: Fraction = Fraction(0)
    match_parts: Fraction = Fraction(0)
    matches: int = 0
    items: int = 0


def catalog_holders(recording: Recording, territory: str | None) -> tuple[tuple[str, Fraction], ...]:
    """Return the rights holder that the catalog names, who then holds all of a recording, everywhere."""
    del territory
    return () if recording.rightsholder is None else ((recording.rightsholder, Fraction(1)),)


def make_ledger(
    scans: Sequence[Path],
    *,
    by: str = "recording",
    overlaps: str = "split",
    statuses: frozenset[str] | None = None,
    pool: Decimal | None = None,
    paid: frozenset[str] = frozenset({"licensed"}),
    currency: str = "EUR",
    holders_of: HoldersOf = catalog_holders,
) -> Ledger:
    """Sum up what scans found.

    Parameters
    ----------
    scans
        Folders of scans.
    by
        One of `DIMENSIONS`.
    overlaps
        One of `earmark.report.occupancy.OVERLAPS`.
    statuses
        Of the matches that count; None for all.
    pool
        Money to share out in proportion to seconds [>= 0]; None for none.
    paid
        Statuses that the money is for. The seconds of others stand on their lines, and get nothing.
    currency
        Of the pool.
    holders_of
        For a ledger by rights holder.

    Raises
    ------
    ParameterError
        If an argument is out of its domain, or there is a pool and nothing that it is for.
    ScanError
        If a scan cannot be read.
    """
    if by not in DIMENSIONS:
        raise ParameterError(f"by must be one of {', '.join(DIMENSIONS)}, got {by!r}")
    units = None if pool is None else parse_pool(pool, currency)
    accounts: _Accounts = {}
    n_matches = n_items = total_ms = 0
    for scan in scans:
        territory = read_summary(scan)["options"].get("territory")
        parties = _parties_by(by, territory, holders_of)
        for matches in _by_item(scan, statuses):
            n_items += 1
            n_matches += len({match.group_id for match in matches})
            total_ms += matched_ms(matches)
            _book(accounts, matches, occupied_ms(matches, overlaps), parties)
    if units and not any(account.ms for (_, status), account in accounts.items() if status in paid):
        raise ParameterError(
            f"no seconds are {' or '.join(sorted(paid))}, so there is nobody to share {pool} {currency} out to; "
            "expected statuses to pay for that were found"
        )
    lines = _lines(accounts, by, (total_ms, n_matches, units), paid, currency)
    return Ledger(
        by=by,
        overlaps=overlaps,
        lines=lines,
        matches=n_matches,
        items=n_items,
        seconds=Decimal(total_ms).scaleb(-3),
        paid_seconds=None if pool is None else sum((line.seconds for line in lines if line.status in paid), Decimal()),
        pool=pool,
        currency=None if pool is None else currency,
    )


def _by_item(scan: Path, statuses: frozenset[str] | None) -> Iterator[list[MatchRow]]:
    wanted = (match for match in read_matches(scan) if statuses is None or match.status in statuses)
    for _, of_item in itertools.groupby(wanted, key=lambda match: match.item):
        yield list(of_item)


_Parties = Callable[[MatchRow], Sequence[tuple[str | None, Fraction]]]


def _parties_by(by: str, territory: str | None, holders_of: HoldersOf) -> _Parties:
    """Return the function from a match to the keys that it counts for, with shares that sum to 1."""
    if by == "rightsholder":
        known = functools.cache(holders_of)  # a registry on disk is asked once for each recording
        return lambda match: _holders(match, territory, known)
    if by == "territory":
        return lambda _: ((territory, Fraction(1)),)
    column = {"recording": "track_id", "label": "label", "grant": "grant_id"}[by]
    return lambda match: ((getattr(match, column), Fraction(1)),)


def _holders(match: MatchRow, territory: str | None, holders_of: HoldersOf) -> list[tuple[str | None, Fraction]]:
    """Return who holds a match's recording; what no known share covers is nobody's known."""
    recording = Recording(track_id=match.track_id, isrc=match.isrc, label=match.label, rightsholder=match.rightsholder)
    shares: dict[str | None, Fraction] = {}
    for holder, share in holders_of(recording, territory):
        shares[holder] = shares.get(holder, Fraction(0)) + (share or 0)
    whole = sum(shares.values(), Fraction(0))
    if whole > 1 + _TOLERANCE or any(share < 0 for share in shares.values()):
        raise ParameterError(f"track {match.track_id!r}: shares must sum to 1 at most, got {float(whole):g}")
    known = {holder: share / max(whole, Fraction(1)) for holder, share in shares.items() if share}
    rest = 1 - sum(known.values(), Fraction(0))
    return [*known.items(), *([(None, rest)] if rest else [])]


_Accounts = dict[tuple[str | None, str], _Account]
"""By key and status."""


def _book(accounts: _Accounts, matches: Sequence[MatchRow], owned: Sequence[Fraction], parties: _Parties) -> None:
    """Enter the matches of one item."""
    n_ids: dict[str, int] = {}
    for match in matches:
        n_ids[match.group_id] = n_ids.get(match.group_id, 0) + 1
    groups: dict[tuple[str | None, str], set[str]] = {}
    for match, ms in zip(matches, owned, strict=True):
        for party, share in parties(match):
            key = (party, match.status)
            account = accounts.setdefault(key, _Account(first=match))
            account.ms += ms * share
            account.match_parts += share / n_ids[match.group_id]
            groups.setdefault(key, set()).add(match.group_id)
    for key, of_key in groups.items():
        accounts[key].matches += len(of_key)
        accounts[key].items += 1


def _lines(
    accounts: _Accounts, by: str, totals: tuple[int, int, int | None], paid: frozenset[str], currency: str
) -> tuple[LedgerLine, ...]:
    keys = sorted(accounts, key=lambda key: (key[0] is None, key[0] or "", _STATUSES.index(key[1])))
    weights = [accounts[key].ms for key in keys]
    total_ms, n_matches, units = totals
    seconds = apportion(total_ms, weights)
    shares = apportion(_SHARE_UNITS if total_ms else 0, weights)
    parts = apportion(n_matches * _MATCH_UNITS, [accounts[key].match_parts for key in keys])
    paid_weights = [ms if status in paid else 0 for ms, (_, status) in zip(weights, keys, strict=True)]
    amounts = None if units is None else apportion(units, paid_weights)
    digits = 0 if units is None else minor_digits(currency)
    return tuple(
        LedgerLine(
            key=key[0],
            status=key[1],
            isrc=accounts[key].first.isrc if by == "recording" else None,
            title=accounts[key].first.title if by == "recording" else None,
            artist=accounts[key].first.artist if by == "recording" else None,
            matches=accounts[key].matches,
            items=accounts[key].items,
            match_share=Decimal(parts[at]).scaleb(-3),
            seconds=Decimal(seconds[at]).scaleb(-3),
            share=Decimal(shares[at]).scaleb(-6),
            amount=None if amounts is None or key[1] not in paid else Decimal(amounts[at]).scaleb(-digits),
        )
        for at, key in enumerate(keys)
    )
