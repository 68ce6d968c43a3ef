"""DDEX ERN messages: recordings, holders and grants of a NewReleaseMessage, versions 4.3 and 3.8.2.

A deal gives a grant only for use types that the caller's mapping gives a meaning; what is said of streams and downloads
never does.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from earmark.rights.identifiers import fold_name
from earmark.rights.kinds import HOLDINGS, RECORDINGS
from earmark.rights.rows import BadCell, parse_cells
from earmark.rights.sources.ern_deals import Header, grants_of
from earmark.rights.sources.ern_elements import Element, attribute, elements_of, text_of, texts_of
from earmark.rights.sources.ern_staging import Party, Release, Resource, Staging
from earmark.rights.sources.incoming import Incoming, MessageId, Notice, Statement

__all__ = ["read_ern"]

# ISO 8601, as DDEX writes it: PT3M35S, PT1H2M3.5S.
_DURATION: Final = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")


def read_ern(incoming: Incoming) -> Iterator[Statement]:
    """Yield what an ERN message says.

    Parameters
    ----------
    incoming : Incoming
        A NewReleaseMessage; of any size, for it is read as a stream.

    Yields
    ------
    Statement
        The message's id; recordings, by ISRC or else by proprietary id; holdings; grants for AI uses; mistakes with the
        line of the element; notices of deals that say nothing of AI.

    Raises
    ------
    RegistryError
        As of `elements_of`.
    """
    with contextlib.closing(Staging()) as staging:
        header = Header(message_id="", sender=Party(name="", dpid=""), recipient=Party(name="", dpid=""))
        others: Counter[str] = Counter()
        at_deals = False
        for name, element in elements_of(incoming):
            if name == "MessageHeader":
                header = _header_of(element)
                yield MessageId(text=header.message_id)
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
        if others:
            named = ", ".join(f"{use} ({times:,})" for use, times in sorted(others.items()))
            yield Notice(words=f"use types that say nothing of AI and give no grant: {named}")


def _header_of(element: Element) -> Header:
    sender, recipient = (
        next((_party_of(each) for each in element.iterfind(f"{{*}}{role}")), Party(name="", dpid=""))
        for role in ("MessageSender", "MessageRecipient")
    )
    return Header(message_id=text_of(element, "MessageId"), sender=sender, recipient=recipient)


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
    shares = [share for party, share in holders if _is_same(party, header.sender)]
    split = bool(shares) and (len(holders) > 1 or shares[0] not in {"", "100", "100.0", "100.00"})
    ref = text_of(element, "ResourceReference")
    if not staging.add_resource(Resource(ref=ref, line=line, cells=cells, split=split)):
        complaint = f"reference {ref!r} comes twice; expected each resource once"
        yield BadCell(line=line, column="ResourceReference", complaint=complaint)
    for party, share in holders:
        holding = {name: cells[name] for name in ("track_id", "isrc")}
        holding |= {"rightsholder": party.name or party.dpid, "share": share, "dpid": party.dpid}
        fact, mistakes = parse_cells(holding, HOLDINGS, line)
        yield from mistakes if fact is None else (fact,)


def _controllers(element: Element, staging: Staging) -> Iterator[tuple[Party, str]]:
    """Yield who controls the rights in a recording everywhere, with the percentage."""
    for each in element.iterfind("{*}ResourceRightsController"):
        party = staging.party(text_of(each, "RightsControllerPartyReference"))
        if party is not None and _is_everywhere(attribute(each, "ApplicableTerritoryCode")):
            yield party, text_of(each, "RightSharePercentage")
    for details in element.iterfind("{*}SoundRecordingDetailsByTerritory"):
        if all(map(_is_everywhere, texts_of(details, "TerritoryCode"))) and not texts_of(
            details, "ExcludedTerritoryCode"
        ):
            for each in details.iterfind("{*}RightsController"):
                yield _party_of(each), text_of(each, "RightSharePercentage")


def _is_same(party: Party, other: Party) -> bool:
    """Say whether two are one: by their DPIDs where both have one, else by name."""
    if party.dpid and other.dpid:
        return party.dpid == other.dpid
    return bool(party.name) and fold_name(party.name) == fold_name(other.name)


def _is_everywhere(territory: str | None) -> bool:
    return territory is None or territory.casefold() == "worldwide"


def _read_release(element: Element, staging: Staging) -> None:
    label = staging.party(text_of(element, "ReleaseLabelReference"))
    release = Release(
        ref=text_of(element, "ReleaseReference"),
        upc=text_of(element, "ReleaseId/ICPN"),
        grid=text_of(element, "ReleaseId/GRid"),
        label=label.name if label is not None else text_of(element, "ReleaseDetailsByTerritory/LabelName", "LabelName"),
    )
    resources = [" ".join((each.text or "").split()) for each in element.iter("{*}ReleaseResourceReference")]
    staging.add_release(release, resources)


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
