"""Write the demo's DDEX ERN 4.3 message: the bundled tracks of the catalog, who holds them, and two deals.

::

    python data/make_rights.py      writes data/rights/release.xml

Everything but artists, titles and rights holders is made up: parties, deals, labels and identifiers. The tracks have no
ISRC, so the message names them by proprietary ids, which are their track ids.
"""

import csv
from pathlib import Path

from lxml import etree

DATA = Path(__file__).parent
NAMESPACE = "http://ddex.net/xml/ern/43"
SENDER = ("PADPIDA2026010101E", "Earmark Demo Distribution")
RECIPIENT = ("PADPIDA2026010102A", "Acme AI")
REVIEWED = "dst-azum"  # the track of the deal for AI training, which sets a condition


def add(parent, name, text=None, **attributes):
    element = etree.SubElement(parent, name, attributes)
    element.text = text
    return element


def add_party(parent, dpid, name, *, in_header=False):
    party_id = add(parent, "PartyId", dpid if in_header else None)
    if not in_header:
        add(party_id, "DPID", dpid)
    add(add(parent, "PartyName"), "FullName", name)


def add_header(message):
    header = add(message, "MessageHeader")
    add(header, "MessageThreadId", "DEMO-2026")
    add(header, "MessageId", "DEMO-2026-0001")
    for role, party in (("MessageSender", SENDER), ("MessageRecipient", RECIPIENT)):
        add_party(add(header, role), *party, in_header=True)
    add(header, "MessageCreatedDateTime", "2026-01-01T00:00:00Z")


def add_parties(message, names):
    parties = add(message, "PartyList")
    for number, name in enumerate(names, 1):
        party = add(parties, "Party")
        add(party, "PartyReference", f"P{number}")
        add(add(party, "PartyName"), "FullName", name)


def add_recording(resources, number, track, party):
    recording = add(resources, "SoundRecording")
    add(recording, "ResourceReference", f"A{number}")
    add(recording, "Type", "MusicalWorkSoundRecording")
    ids = add(add(recording, "SoundRecordingEdition"), "ResourceId")
    add(ids, "ProprietaryId", track["track_id"], Namespace=SENDER[0])
    add(recording, "DisplayTitleText", track["title"])
    add(recording, "DisplayArtistName", track["artist"])
    controller = add(recording, "ResourceRightsController")
    add(controller, "RightsControllerPartyReference", party)
    add(controller, "RightsControlType", "RightsController")
    add(controller, "RightSharePercentage", "100")
    add(recording, "Duration", f"PT{track['duration_s']}S")


def add_release(releases, number, track, label):
    release = add(releases, "Release" if number == 1 else "TrackRelease")
    add(release, "ReleaseReference", f"R{number}")
    add(add(release, "ReleaseId"), "ProprietaryId", f"release-{track['track_id']}", Namespace=SENDER[0])
    add(release, "DisplayTitleText", track["title"])
    add(release, "ReleaseResourceReference", f"A{number}")
    add(release, "ReleaseLabelReference", label)


def add_deal(deals, refs, use_type, **attributes):
    release_deal = add(deals, "ReleaseDeal")
    for ref in refs:
        add(release_deal, "DealReleaseReference", ref)
    terms = add(add(release_deal, "Deal"), "DealTerms")
    add(terms, "TerritoryCode", "Worldwide")
    validity = add(terms, "ValidityPeriod")
    add(validity, "StartDate", "2026-01-01")
    add(validity, "EndDate", "2026-12-31")
    add(terms, "CommercialModelType", "SubscriptionModel")
    add(terms, "UseType", use_type, **attributes)


def main():
    with (DATA / "tracks.csv").open(encoding="utf-8", newline="") as file:
        tracks = [row for row in csv.DictReader(file) if row["role"] == "catalog"]
    names = list(dict.fromkeys(name for track in tracks for name in (track["rightsholder"], track["label"])))
    message = etree.Element(
        f"{{{NAMESPACE}}}NewReleaseMessage",
        {"AvsVersionId": "6", "LanguageAndScriptCode": "en"},
        nsmap={"ern": NAMESPACE},
    )
    message.append(etree.Comment(" Made up for the demo by data/make_rights.py: no such deals exist. "))
    add_header(message)
    add_parties(message, names)
    resources, releases, deals = (add(message, name) for name in ("ResourceList", "ReleaseList", "DealList"))
    for number, track in enumerate(tracks, 1):
        add_recording(resources, number, track, f"P{names.index(track['rightsholder']) + 1}")
        add_release(releases, number, track, f"P{names.index(track['label']) + 1}")
    add_deal(deals, [f"R{number}" for number in range(1, len(tracks) + 1)], "OnDemandStream")
    reviewed = [f"R{number}" for number, track in enumerate(tracks, 1) if track["track_id"] == REVIEWED]
    add_deal(deals, reviewed, "UserDefined", Namespace=SENDER[0], UserDefinedValue="AiTrainingWithCredit")
    etree.ElementTree(message).write(
        DATA / "rights" / "release.xml", encoding="UTF-8", xml_declaration=True, pretty_print=True
    )


if __name__ == "__main__":
    main()
