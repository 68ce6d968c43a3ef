"""DDEX ERN messages, versions 4.3 and 3.8.2: recordings, holders and grants of a NewReleaseMessage, and what ends them.

A deal gives a grant only for use types that the caller's mapping gives a meaning; what is said of streams and downloads
never does. "New deal terms received in an update NewReleaseMessage completely replace all existing deals for the
Release, effective on the MessageCreatedDate" (ERN, common rules for life cycle changes); a PurgeReleaseMessage ends
them.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from earmark.errors import ParameterError, RegistryError
from earmark.rights.identifiers import fold_name, parse_upc
from earmark.rights.kinds import HOLDINGS, RECORDINGS
from earmark.rights.rows import BadCell, parse_cells
from earmark.rights.sources.ern_deals import Header, grants_of
from earmark.rights.sources.ern_elements import Element, attribute, elements_of, local_name, text_of, texts_of
from earmark.rights.sources.ern_staging import Party, Release, Resource, Staging
from earmark.rights.sources.incoming import Incoming, MessageId, Notice, ReleaseNews, Statement
from earmark.rights.territories import WORLDWIDE_WORD

__all__ = ["read_ern"]

_NOBODY: Final = Party(name="", dpid="")
_NO_SIGN: Final = re.compile(r"[\s-]+")

# ISO 8601, as DDEX writes it: PT3M35S, PT1H2M3.5S.
_DURATION: Final = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")


def read_ern(incoming: Incoming) -> Iterator[Statement]:
    """Yield what an ERN message says.

    Parameters
    ----------
    incoming : Incoming
        A NewReleaseMessage, of any size, for it is read as a stream; or a PurgeReleaseMessage.

    Yields
    ------
    Statement
        The message's id; which releases it speaks of; recordings, by ISRC or else by proprietary id; holdings; grants
        for AI uses; mistakes with the line of the element; notices of deals that say nothing of AI.

    Raises
    ------
    RegistryError
        As of `elements_of`; or if it does not say when it was written.
    """
    with contextlib.closing(Staging()) as staging:
        header = Header(message_id="", sender=_NOBODY, recipient=_NOBODY, created_on="")
        others: Counter[str] = Counter()
        at_deals = False
        for name, element in elements_of(incoming):
            if name == "MessageHeader":
                message, header = _read_header(element, incoming)
                yield message
            elif not header.created_on:
                raise RegistryError(f"{incoming.path}: {name} comes before any MessageHeader; expected that first")
            elif name == "PurgedRelease":
                yield from _purged(element)
            elif name == "Party":
                staging.add_party(text_of(element, "PartyReference"), _party_of(element))
            elif name == "SoundRecording":
                yield from _read_recording(element, header, staging)
            elif name in {"Release", "TrackRelease"}:
                _read_release(element, staging)
            elif name == "ReleaseDeal":
                if not at_deals:  # the lists come in this order, so all releases are known
                    yield from _recordings(staging)
                    at_deals = True
                yield from grants_of(element, header, staging, incoming, others)
        if not at_deals:
            yield from _recordings(staging)
        yield from (ReleaseNews(keys=keys, grant_ids=grant_ids) for keys, grant_ids in staging.news())
        if others:
            named = ", ".join(f"{use} ({times:,})" for use, times in sorted(others.items()))
            yield Notice(words=f"use types that say nothing of AI and give no grant: {named}")


def _read_header(element: Element, incoming: Incoming) -> tuple[MessageId, Header]:
    """Return which message it is, and between whom."""
    written = text_of(element, "MessageCreatedDateTime")
    try:
        moment = datetime.fromisoformat(written)
        created = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RegistryError(
            f"{incoming.path}, line {element.sourceline}: MessageCreatedDateTime is {written!r}; expected a date and "
            "time, by which it is known which of two messages on one release holds"
        ) from error
    day = min(moment.date(), created.date())
    sender, recipient = (
        next((_party_of(each) for each in element.iterfind(f"{{*}}{role}")), _NOBODY)
        for role in ("MessageSender", "MessageRecipient")
    )
    text = text_of(element, "MessageId")
    message = MessageId(text=text, sender=sender.dpid or fold_name(sender.name) or "", created=created, day=day)
    return message, Header(message_id=text, sender=sender, recipient=recipient, created_on=day.isoformat())


def _purged(element: Element) -> Iterator[Statement]:
    keys = tuple(_release_keys(element))
    if keys:
        yield ReleaseNews(keys=keys)
    else:
        complaint = "names no release; expected an ICPN, GRid or another identifier"
        yield BadCell(line=element.sourceline or 0, column="PurgedRelease", complaint=complaint)


def _release_keys(element: Element) -> Iterator[str]:
    """Yield the identifiers of a release, each with its kind, in a form in which those of two messages are compared."""
    for each in element.iterfind("{*}ReleaseId/*"):
        text = "".join(_NO_SIGN.sub("", part) for part in each.itertext()).casefold()
        if local_name(each) == "ICPN":
            with contextlib.suppress(ParameterError):
                text = parse_upc(text)
        if text:
            yield f"{local_name(each)} {attribute(each, 'Namespace') or ''} {text}"


def _party_of(element: Element) -> Party:
    return Party(
        name=text_of(element, "PartyName/FullName", "PartyName/FullNameIndexed"),
        dpid=text_of(element, "PartyId/DPID", "PartyId"),
    )


def _read_recording(element: Element, header: Header, staging: Staging) -> Iterator[Statement]:
    """Keep a sound recording until its releases are known; yield its holders at once."""
    isrc = text_of(element, "SoundRecordingEdition/ResourceId/ISRC", "ResourceId/ISRC", "SoundRecordingId/ISRC")
    own_id = text_of(
        element, "SoundRecordingEdition/ResourceId/ProprietaryId", "ResourceId/ProprietaryId",
        "SoundRecordingId/ProprietaryId",
    )  # fmt: skip
    line = element.sourceline or 0
    cells = {
        "track_id": "" if isrc else own_id,
        "isrc": isrc,
        "iswc": text_of(element, "WorkId/ISWC", "IndirectSoundRecordingId/ISWC"),
        "title": text_of(element, "DisplayTitleText", "DisplayTitle/TitleText", "ReferenceTitle/TitleText"),
        "artists": text_of(element, "DisplayArtistName", "SoundRecordingDetailsByTerritory/DisplayArtistName")
        or ", ".join(texts_of(element, "SoundRecordingDetailsByTerritory/DisplayArtist/PartyName/FullName")),
        "p_line": text_of(
            element, "SoundRecordingEdition/PLine/PLineText", "PLine/PLineText",
            "SoundRecordingDetailsByTerritory/PLine/PLineText",
        ),
        "duration_s": _seconds(text_of(element, "Duration")),
    }  # fmt: skip
    holders = [*_controllers(element, staging)]
    shares = [held["share"] for party, held in holders if _is_same(party, header.sender)]
    split = bool(shares) and (len(holders) > 1 or shares[0] not in {"", "100", "100.0", "100.00"})
    ref = text_of(element, "ResourceReference")
    if not staging.add_resource(Resource(ref=ref, line=line, cells=cells, split=split)):
        complaint = f"reference {ref!r} comes twice; expected each resource once"
        yield BadCell(line=line, column="ResourceReference", complaint=complaint)
    for party, held in holders:
        holding = {name: cells[name] for name in ("track_id", "isrc")}
        holding |= {"rightsholder": party.name or party.dpid, "dpid": party.dpid} | held
        fact, mistakes = parse_cells(holding, HOLDINGS, line)
        yield from mistakes if fact is None else (fact,)


def _controllers(element: Element, staging: Staging) -> Iterator[tuple[Party, dict[str, str]]]:
    """Yield who controls the rights in a recording, with the cells that say how much and where."""
    for each in element.iterfind("{*}ResourceRightsController"):
        party = staging.party(text_of(each, "RightsControllerPartyReference"))
        where = attribute(each, "ApplicableTerritoryCode") or " ".join(
            texts_of(each, "DelegatedUsageRights/TerritoryOfRightsDelegation")
        )
        if party is not None:
            yield party, {"share": text_of(each, "RightSharePercentage"), "territories": where}
    by_place = [each for each in element.iterfind("{*}SoundRecordingDetailsByTerritory") if _names_controllers(each)]
    named = {code for details in by_place for code in texts_of(details, "TerritoryCode") if not _is_everywhere(code)}
    for details in by_place:
        codes = texts_of(details, "TerritoryCode")
        # What is said of the whole world is said of the rest of it where single territories have details of their own.
        but = named if all(map(_is_everywhere, codes)) else set()
        places = {
            "territories": " ".join(codes),
            "excluded_territories": " ".join(sorted(but.union(texts_of(details, "ExcludedTerritoryCode")))),
        }
        for each in details.iterfind("{*}RightsController"):
            yield _party_of(each), {"share": text_of(each, "RightSharePercentage")} | places


def _names_controllers(details: Element) -> bool:
    return details.find("{*}RightsController") is not None


def _is_same(party: Party, other: Party) -> bool:
    """Say whether two are one: by their DPIDs where both have one, else by name."""
    if party.dpid and other.dpid:
        return party.dpid == other.dpid
    return bool(party.name) and fold_name(party.name) == fold_name(other.name)


def _is_everywhere(territory: str) -> bool:
    return territory.casefold() == WORLDWIDE_WORD.casefold()


def _read_release(element: Element, staging: Staging) -> None:
    label = staging.party(text_of(element, "ReleaseLabelReference"))
    release = Release(
        ref=text_of(element, "ReleaseReference"),
        upc=text_of(element, "ReleaseId/ICPN"),
        grid=text_of(element, "ReleaseId/GRid"),
        label=label.name if label is not None else text_of(element, "ReleaseDetailsByTerritory/LabelName", "LabelName"),
    )
    resources = [" ".join((each.text or "").split()) for each in element.iter("{*}ReleaseResourceReference")]
    staging.add_release(release, resources, _release_keys(element))


def _recordings(staging: Staging) -> Iterator[Statement]:
    """Yield the recordings, now that it is known which releases hold them."""
    for resource, releases in staging.resources():
        labels = sorted({release.label for release in releases if release.label})
        grids = sorted({release.grid for release in releases if release.grid and staging.is_single(release.ref)})
        upcs = sorted({release.upc for release in releases if release.upc})
        cells = {
            **resource.cells,
            "upc": " ".join(upc.replace(" ", "") for upc in upcs),
            "grid": grids[0] if len(grids) == 1 else "",
            "label": labels[0] if len(labels) == 1 else "",
        }
        if len(labels) > 1:
            yield Notice(words=f"resource {resource.ref}: several labels ({', '.join(labels)}), left out")
        fact, mistakes = parse_cells(cells, RECORDINGS, resource.line)
        yield from mistakes if fact is None else (fact,)


def _seconds(duration: str) -> str:
    """Return a duration in seconds, as text; what is no duration stays as it is, to be complained of."""
    found = _DURATION.fullmatch(duration)
    if found is None or not any(found.groups()):
        return duration
    hours, minutes, seconds = (Decimal(part or 0) for part in found.groups())
    total = hours * 3600 + minutes * 60 + seconds
    return f"{total:f}" if total else ""
