"""DDEX ERN messages, versions 4.3 and 3.8.2: what they say, what they never say, and messages that mean harm."""

import sqlite3
import tracemalloc
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from earmark.rights import Recording, Use, decide, holders_of, read_registry
from earmark.rights.importing import ImportOptions, import_files
from earmark.rights.use_types import UseMeaning

from .ern_messages import STREAMS, USE_TYPES, V382, controllers, message, recording, release, terms


@pytest.fixture
def take(tmp_path):
    """Import a message; return the registry, the refusals and the notices."""

    def _take(text, use_types=USE_TYPES):
        path = tmp_path / "message.xml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        refused = []
        options = ImportOptions(use_types=use_types)
        report = import_files(tmp_path / "r", [path], options, on_refusal=lambda each: refused.append(str(each)))
        return read_registry(tmp_path / "r"), refused, report.notices

    return _take


def test_a_message_of_version_4_3(take, tmp_path):
    more = controllers(("P1", "100"))
    registry, refused, notices = take(message(recordings=recording(more=more), deals=(STREAMS, terms())))
    assert refused == []
    (entry,) = registry.recordings.recordings(None, "GBAYE6800011")
    assert (entry.title, entry.artists, entry.label) == ("Song & A1", "The Band", "Small Label")
    assert (entry.iswc, entry.upc, entry.p_line) == ("T0345246801", ("0036000291452",), "2026 Small Label")
    assert (entry.duration_s, entry.track_id) == (215.2, None)
    assert holders_of(registry, Recording(isrc="GBAYE6800011")) == (("Small Label", Fraction(1)),)
    (grant,) = registry.grants
    assert grant.grant_id == "PADPIDA2014021501L:MSG-1:R0/2/AiTraining"
    assert (grant.licensee, grant.scope, grant.permission) == ("Acme AI", "ai_training", "allowed")
    assert (grant.upc, grant.isrc, grant.rightsholder) == ("0036000291452", None, None)
    assert (grant.territories, grant.valid_from, grant.valid_to) == (
        {"US", "CA"},
        date(2026, 1, 1),
        date(2026, 12, 31),
    )
    assert grant.contract_ref == "ERN message MSG-1, deal 2, FlatFee"
    assert notices == (
        f"{tmp_path}/message.xml: use types that say nothing of AI and give no grant: ConditionalDownload (1), "
        "OnDemandStream (1)",
    )
    connection = sqlite3.connect(tmp_path / "r")
    assert connection.execute("SELECT format, message_id FROM sources").fetchall() == [("ern", "MSG-1")]
    connection.close()
    use = Use(licensee="Acme AI", scope="ai_training", territory="US", as_of=date(2026, 11, 1))
    assert decide(Recording(isrc="GBAYE6800011"), registry, use).status == "licensed"


def test_a_message_of_version_3_8_2(take):
    registry, refused, notices = take(V382)
    assert refused == []
    (entry,) = registry.recordings.recordings(None, "GBAYE6800011")
    assert (entry.title, entry.artists, entry.label) == ("Song", "The Band, A Guest", "Small Label")
    assert (entry.iswc, entry.upc, entry.duration_s) == ("T0345246801", ("0036000291452",), 215.0)
    assert holders_of(registry, Recording(isrc="GBAYE6800011"), "US") == (("Small Label", Fraction(1)),)
    assert holders_of(registry, Recording(isrc="GBAYE6800011"), "FR") == (("French Label", Fraction(1)),)
    (grant,) = registry.grants
    assert (grant.scope, grant.valid_from) == ("ai_training", date(2026, 1, 1))
    assert "Stream (1)" in notices[0]
    # what the sender grants worldwide is its own part, which in France is nothing
    assert (grant.upc, grant.isrc, grant.rightsholder) == (None, "GBAYE6800011", "Small Label")
    use = Use(licensee="Acme AI", scope="ai_training", as_of=date(2026, 11, 1))
    found = {
        territory: decide(Recording(isrc="GBAYE6800011"), registry, replace(use, territory=territory))
        for territory in ("US", "FR", None)
    }
    assert {territory: each.status for territory, each in found.items()} == {
        "US": "licensed",
        "FR": "unlicensed",
        None: "review",
    }
    assert "cannot be decided without the territory: in AD, grant PADPIDA" in found[None].reason
    assert "; or in FR, no grant to Acme AI covers the recording (ISRC GBAYE6800011, " in found[None].reason


@pytest.mark.parametrize("use", ["ai_training", "ai_generative_training", "data_mining", "ai_inference"])
@pytest.mark.parametrize("use_types", [{}, USE_TYPES, {"OnDemandStream": UseMeaning(scope="ai_training")}])
def test_streams_never_give_rights_to_train(take, use, use_types):
    registry, refused, _ = take(message(), use_types)
    assert refused == []
    assert registry.grants == ()
    found = decide(
        Recording(isrc="GBAYE6800011"),
        registry,
        Use(licensee="Acme AI", scope=use, territory="US", as_of=date(2026, 11, 1)),
    )
    assert found.status == "unlicensed"


def use_type(value, namespace=None):
    space = f' Namespace="{namespace}"' if namespace else ""
    return f'<UseType UserDefinedValue="{value}"{space}>UserDefined</UseType>'


@pytest.mark.parametrize(
    ("deal", "expected"),
    [
        (terms(use_type("Nothing")), []),
        (terms(use_type("AiTraining", "PADPIDA2014021501L")), [{"scope": "ai_generative_training"}]),
        (terms(use_type("NoMining")), [{"scope": "data_mining", "permission": "not_allowed"}]),
        (terms(use_type("Inference")), [{"permission": "constrained", "constraints": "no voices"}]),
        (terms(use_type("AiTraining") + use_type("NoMining")), [{"scope": "ai_training"}, {"scope": "data_mining"}]),
        (
            terms(where="<ExcludedTerritoryCode>FR</ExcludedTerritoryCode>"),
            [{"excluded_territories": frozenset({"FR"})}],
        ),
        (terms(when="<StartDate>2026-01-01</StartDate>"), [{"valid_to": None}]),
        # days that are covered in part do not count for leave
        (
            terms(
                when="<StartDateTime>2026-02-01T12:00:00+01:00</StartDateTime><EndDateTime>2026-03-01T10:00:00</EndDateTime>"
            ),
            [{"valid_from": date(2026, 2, 2), "valid_to": date(2026, 2, 28)}],
        ),
        (
            terms(
                when="<StartDateTime>2026-02-01T00:00:00</StartDateTime><EndDateTime>2026-03-01T23:59:59Z</EndDateTime>"
            ),
            [{"valid_from": date(2026, 2, 1), "valid_to": date(2026, 3, 1)}],
        ),
        # but they do where it is forbidden
        (
            terms(
                use_type("NoMining"),
                when="<StartDateTime>2026-02-01T12:00:00</StartDateTime><EndDateTime>2026-03-01T10:00:00</EndDateTime>",
            ),
            [{"valid_from": date(2026, 2, 1), "valid_to": date(2026, 3, 1)}],
        ),
        (
            terms(more="<NumberOfUsages>3</NumberOfUsages>"),
            [{"permission": "constrained", "constraints": "at most 3 usages"}],
        ),
        (
            terms(
                more="<ExcludedDistributionChannel><PartyName><FullName>Rival</FullName></PartyName>"
                "</ExcludedDistributionChannel>"
            ),
            [{"permission": "constrained", "constraints": "not through Rival"}],
        ),
        (
            terms(
                more="<DistributionChannel><PartyName><FullName>One</FullName></PartyName></DistributionChannel>"
                "<DistributionChannel><PartyName><FullName>Two</FullName></PartyName></DistributionChannel>"
            ),
            [{"licensee": "One"}, {"licensee": "Two"}],
        ),
        (terms(more="<TakeDown>true</TakeDown>"), []),
        (terms(more="<IsPreOrderDeal>true</IsPreOrderDeal>"), []),
    ],
)
def test_terms_of_a_deal(take, deal, expected):
    registry, refused, _ = take(message(deals=(deal,)))
    assert refused == []
    assert len(registry.grants) == len(expected)
    for grant, fields in zip(registry.grants, expected, strict=True):
        assert {name: getattr(grant, name) for name in fields} == fields


def test_a_sender_with_a_part_of_the_rights_gives_no_more_than_that(take):
    split = recording("A1", more=controllers(("P1", "60"), ("P2", "40"))) + recording("A2", "GBAYE6800012")
    registry, refused, _ = take(message(recordings=split, releases=release(resources=("A1", "A2")), deals=(terms(),)))
    assert refused == []
    assert {(grant.isrc, grant.upc, grant.rightsholder) for grant in registry.grants} == {
        ("GBAYE6800011", None, "Small Label"),
        ("GBAYE6800012", None, None),
    }
    use = Use(licensee="Acme AI", scope="ai_training", territory="US", as_of=date(2026, 11, 1))
    assert decide(Recording(isrc="GBAYE6800011"), registry, use).status == "unlicensed"
    assert decide(Recording(isrc="GBAYE6800012"), registry, use).status == "licensed"


def test_a_release_without_upc_is_covered_by_its_recordings(take):
    registry, refused, _ = take(message(releases=release(upc=""), deals=(terms(),)))
    assert refused == []
    assert [(grant.isrc, grant.upc) for grant in registry.grants] == [("GBAYE6800011", None)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (message(recordings=recording(isrc="GB1")), "column isrc: 'GB1' is no ISRC"),
        (message(recordings=recording() + recording()), "column ResourceReference: reference 'A1' comes twice"),
        (message(releases=release(upc="12")), "column upc: '12' is no UPC or EAN"),
        (message(deals=(terms(where="<TerritoryCode>2136</TerritoryCode>"),)), "column territories: '2136' is no ISO"),
        (message(deals=(terms(where=""),)), "column territories: the cell is empty"),
        (message(deals=(terms(when="<StartDate>2026</StartDate>"),)), "column valid_from: '2026' is no date"),
        (
            message(deals=(terms(),), refs=("R7",)),
            "column DealReleaseReference: there is no release 'R7' in the message",
        ),
        (
            message(releases=release(upc="", resources=("A9",)), deals=(terms(),)),
            "release R0 has neither an ICPN nor a sound recording",
        ),
        (
            message(recordings=recording(more=controllers(("P1", "70"), ("P2", "70")))),
            "the shares of GBAYE6800011 add up to 140.00%",
        ),
    ],
)
def test_an_element_that_is_wrong_is_refused_with_its_line(take, text, words):
    _, refused, _ = take(text)
    assert any(words in each for each in refused), refused
    assert all("message.xml, line 2" in each for each in refused)


BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + ']><NewReleaseMessage xmlns="http://ddex.net/xml/ern/43"><MessageHeader><MessageId>&j;</MessageId></MessageHeader>'
    "</NewReleaseMessage>"
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BILLION_LAUGHS, "holds a document type declaration"),
        (
            '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><ern:NewReleaseMessage xmlns:ern="http://ddex.net/xml/ern/43"/>',
            "holds a document type declaration",
        ),
        (message().replace("Song &amp;", "Song &nbsp;"), "is no well-formed XML: line 2: Entity 'nbsp' not defined"),
        (message()[:-50], "is no well-formed XML"),
        (
            message().replace("</SoundRecording>", "", 1),
            "is no well-formed XML: line 2: Opening and ending tag mismatch",
        ),
        (message().encode().replace(b"The Band", b"The B\xe9nd"), "is no well-formed XML"),
        (
            message(root="CatalogListMessage"),
            "the root is CatalogListMessage of namespace http://ddex.net/xml/ern/43",
        ),
        (message().replace("MessageHeader>", "Header>"), "Header comes before any MessageHeader; expected that first"),
        (
            message().replace("2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"),
            "line 2: MessageCreatedDateTime is '0001-01-01T00:00:00+14:00'; expected a date and time",
        ),
        (
            message().replace("2026-01-01T00:00:00Z", "yesterday"),
            "line 2: MessageCreatedDateTime is 'yesterday'; expected a date and time",
        ),
        (
            message(version="411"),
            "of namespace http://ddex.net/xml/ern/411; expected a NewReleaseMessage or "
            "PurgeReleaseMessage of DDEX ERN 4.3 or 3.8.2",
        ),
        ("<html><body/></html>", "the root is html of namespace none"),
    ],
)
def test_a_message_that_cannot_be_used(take, text, words):
    tracemalloc.start()
    try:
        registry, refused, _ = take(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (complaint,) = refused
    assert words in complaint
    assert "message.xml" in complaint
    assert (registry.grants, registry.recordings) == ((), None)
    assert peak < 20e6


def test_other_encodings_are_read(take):
    text = message(deals=(terms(),)).replace("UTF-8", "UTF-16").replace("The Band", "Die Größe")
    registry, refused, _ = take(text.encode("utf-16"))
    assert refused == []
    assert registry.recordings.recordings(None, "GBAYE6800011")[0].artists == "Die Größe"


def test_a_message_that_breaks_off_changes_nothing(take, tmp_path):
    take(message(deals=(terms(),)))
    before = (tmp_path / "r").read_bytes()
    _, refused, _ = take(message(recordings=recording("A1", "GBAYE6800012"))[:-30])
    assert len(refused) == 1
    assert (tmp_path / "r").read_bytes() == before


def test_a_long_message_is_read_in_little_memory(take, tmp_path):
    n_recordings = 3000
    refs = [(f"A{n}", f"GBAYE{n:07d}") for n in range(n_recordings)]
    padding = "<Comment>" + "x" * 2000 + "</Comment>"
    text = message(
        recordings="".join(recording(ref, isrc, more=padding) for ref, isrc in refs),
        releases="".join(release(f"R{n}", "", (f"A{n}",)) for n in range(n_recordings)),
        deals=(terms(),),
        refs=[f"R{n}" for n in range(n_recordings)],
    )
    (tmp_path / "message.xml").write_text(text)
    tracemalloc.start()
    try:
        report = import_files(tmp_path / "r", [tmp_path / "message.xml"], ImportOptions(use_types=USE_TYPES))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.added == {"recordings": n_recordings, "grants": n_recordings}
    assert len(text) > 7e6
    assert peak < 4e6  # libxml2's own memory is measured in benchmarks/rights.py, on a message of 1 GB
