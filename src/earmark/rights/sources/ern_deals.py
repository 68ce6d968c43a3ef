"""Deals of an ERN message: grants for those use types that the parties have given a meaning."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from earmark.rights.grants import Grant
from earmark.rights.kinds import GRANTS
from earmark.rights.rows import BadCell, parse_cells
from earmark.rights.sources.ern_elements import Element, attribute, text_of, texts_of
from earmark.rights.sources.ern_staging import Party, Release, Staging
from earmark.rights.sources.incoming import Incoming, Notice, Statement
from earmark.rights.use_types import CONSUMPTION, UseMeaning, meaning_of

__all__ = ["Header", "grants_of"]

_LAST_MINUTE: Final = time(23, 59)


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """From whom a message is, and to whom.

    Parameters
    ----------
    message_id : str
        The sender's.
    sender, recipient : Party
        The two.
    created_on : str
        Day on which it was written, `YYYY-MM-DD`: deals take effect then at the earliest.
    """

    message_id: str
    sender: Party
    recipient: Party
    created_on: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Terms:
    """What one deal says, and where."""

    header: Header
    element: Element
    number: str
    line: int
    reference: str


def grants_of(
    element: Element, header: Header, staging: Staging, incoming: Incoming, others: Counter[str]
) -> Iterator[Statement]:
    """Yield the grants of one `ReleaseDeal`.

    Parameters
    ----------
    element : lxml element
        The `ReleaseDeal`.
    header : Header
        Of the message.
    staging : Staging
        The releases and recordings that it refers to.
    incoming : Incoming
        For its mapping of use types.
    others : collections.Counter of str
        Counts the use types without a meaning.

    Yields
    ------
    Statement
        A grant for each AI use type, release (or recording, where a release has no UPC or the sender has part of the
        rights only), validity and distribution channel; mistakes and notices.
    """
    refs = texts_of(element, "DealReleaseReference")
    for number, deal in enumerate(element.iterfind("{*}Deal"), 1):
        for terms_element in deal.iterfind("{*}DealTerms"):
            meanings = _meanings(terms_element, incoming, others)
            if not meanings:
                continue
            terms = _Terms(
                header=header,
                element=terms_element,
                number=str(number),
                line=terms_element.sourceline or 0,
                reference=text_of(deal, "DealReference", "DealTechnicalResourceDetailsReferenceList"),
            )
            if withdrawn := _withdrawn(terms_element):
                yield Notice(words=f"line {terms.line}: a deal with {withdrawn} gives no grant")
                continue
            if not _periods(terms_element, header.created_on):
                yield Notice(words=f"line {terms.line}: a deal that had ended when it was sent gives no grant")
                continue
            for ref in refs:
                yield from _for_release(ref, terms, meanings, staging)


def _meanings(terms: Element, incoming: Incoming, others: Counter[str]) -> list[tuple[str, UseMeaning]]:
    """Return the use types of a deal that mean an AI use, and count the others."""
    found = []
    for use_type in (*terms.iterfind("{*}UseType"), *terms.iterfind("{*}Usage/{*}UseType")):
        value = " ".join((use_type.text or "").split())
        namespace = attribute(use_type, "Namespace")
        name = (attribute(use_type, "UserDefinedValue") or "") if value == "UserDefined" else value
        meaning = None if name in CONSUMPTION else meaning_of(name, namespace, incoming.use_types)
        if meaning is None:
            others[f"user-defined {name}" if value == "UserDefined" else name or "unnamed"] += 1
        else:
            found.append((name, meaning))
    return found


def _withdrawn(terms: Element) -> str | None:
    """Return the name of a flag by which a deal gives nothing."""
    flags = ("TakeDown", "IsPreOrderDeal", "AllDealsCancelled")
    return next((flag for flag in flags if text_of(terms, flag).casefold() in {"true", "1"}), None)


def _for_release(
    ref: str, terms: _Terms, meanings: list[tuple[str, UseMeaning]], staging: Staging
) -> Iterator[Statement]:
    """Yield the grants for one release: by its UPC, or by its recordings."""
    release = staging.release(ref)
    if release is None:
        complaint = f"there is no release {ref!r} in the message"
        yield BadCell(line=terms.line, column="DealReleaseReference", complaint=complaint)
        return
    n_covered = 0
    for suffix, coverage in _coverage(release, terms.header, staging):
        n_covered += 1
        for name, meaning in meanings:
            for cells in _grants(terms, meaning, f"{ref}{suffix}/{terms.number}/{name}"):
                fact, mistakes = parse_cells(cells | coverage, GRANTS, terms.line)
                if isinstance(fact, Grant):
                    staging.add_grant(ref, fact.grant_id)
                    yield fact
                yield from mistakes
    if not n_covered:
        complaint = f"release {ref} has neither an ICPN nor a sound recording that can be named"
        yield BadCell(line=terms.line, column="DealReleaseReference", complaint=complaint)


def _coverage(release: Release, header: Header, staging: Staging) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what a grant covers, with what tells its id from others'."""
    if release.upc and next(staging.resources_of(release.ref, split=True), None) is None:
        yield "", {"upc": release.upc}
        return
    for resource in staging.resources_of(release.ref):
        column = "isrc" if resource.cells["isrc"] else "track_id"
        coverage = {column: resource.cells[column]}
        if resource.split:  # the sender can give no more than it has
            coverage["rightsholder"] = header.sender.name or header.sender.dpid
        if coverage[column]:
            yield f"/{resource.ref}", coverage


def _grants(terms: _Terms, meaning: UseMeaning, place: str) -> Iterator[dict[str, str]]:
    """Yield the cells of the grants that one use type gives: one for each validity and channel."""
    header, element = terms.header, terms.element
    channels = [_channel(each) for each in element.iterfind("{*}DistributionChannel")]
    licensees = channels or [header.recipient.name or header.recipient.dpid]
    permission, constraints = _permission(element, meaning)
    excluded = texts_of(element, "ExcludedTerritoryCode")
    territories = texts_of(element, "TerritoryCode") or (["Worldwide"] if excluded else [])
    models = [
        attribute(each, "UserDefinedValue") or " ".join((each.text or "").split())
        for each in element.iterfind("{*}CommercialModelType")
    ]
    sender = header.sender.dpid or header.sender.name
    reference = [f"ERN message {header.message_id}", f"deal {terms.reference or terms.number}", *models]
    # A refusal is read widely: from its own first day, and on days that it covers in part.
    periods = _periods(element, "" if permission == "not_allowed" else header.created_on)
    for at_period, (start, end) in enumerate(periods, 1):
        for at_channel, licensee in enumerate(licensees, 1):
            parts = [f"{sender}:{header.message_id}:{place}"]
            parts += [f"period{at_period}"] if len(periods) > 1 else []
            parts += [f"channel{at_channel}"] if len(licensees) > 1 else []
            yield {
                "grant_id": "/".join(parts),
                "licensee": licensee,
                "scope": meaning.scope,
                "permission": permission,
                "territories": " ".join(territories),
                "excluded_territories": " ".join(excluded),
                "valid_from": start,
                "valid_to": end,
                "constraints": constraints,
                "contract_ref": ", ".join(reference),
            }


def _channel(element: Element) -> str:
    return text_of(element, "PartyName/FullName", "TradingName", "PartyId/DPID", "PartyId")


def _permission(terms: Element, meaning: UseMeaning) -> tuple[str, str]:
    """Return the permission, and the words of its constraints: terms that no column holds constrain what is allowed."""
    if meaning.permission == "not_allowed":
        return "not_allowed", ""
    words = [meaning.constraints] if meaning.constraints else []
    words += [f"not through {_channel(each)}" for each in terms.iterfind("{*}ExcludedDistributionChannel")]
    words += [f"at most {number} usages" for number in texts_of(terms, "NumberOfUsages")]
    constrained = words or meaning.permission == "constrained"
    return ("constrained" if constrained else "allowed"), "; ".join(words)


def _periods(terms: Element, earliest: str) -> list[tuple[str, str]]:
    """Return the first and last day of each validity: those from `earliest` on, all and wide if that is blank."""
    found = [_period(each, wide=not earliest) for each in terms.iterfind("{*}ValidityPeriod")] or [("", "")]
    kept = []
    for start, end in found:
        if not (_is_day(start) and _is_day(end)):
            kept.append((start, end))  # to be complained of as it is
        elif not end or end >= earliest:
            kept.append((max(start, earliest), end))
    return kept


def _is_day(text: str) -> bool:
    return not text or (len(text) == len("YYYY-MM-DD") and _moment(text) is not None)


def _period(period: Element, *, wide: bool) -> tuple[str, str]:
    """Return the first and last day of a validity. A day that it covers in part counts only if `wide`."""
    start, end = text_of(period, "StartDate"), text_of(period, "EndDate")
    if not start and (moment := _moment(text_of(period, "StartDateTime"))):
        late = moment.time() > time() and not wide
        start = (moment + timedelta(days=late)).date().isoformat()
    if not end and (moment := _moment(text_of(period, "EndDateTime"))):
        early = moment.time() == time() or (moment.time() < _LAST_MINUTE and not wide)
        end = (moment - timedelta(days=early)).date().isoformat()
    return start or text_of(period, "StartDateTime"), end or text_of(period, "EndDateTime")


def _moment(text: str) -> datetime | None:
    """Return a moment in the sender's own time; None if it is not there or malformed, to be complained of as it is."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
