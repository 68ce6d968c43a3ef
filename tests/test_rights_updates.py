"""Later messages about the same releases: what they end, in whatever order they are imported."""

from datetime import date
from itertools import permutations

import pytest

from earmark.rights import Recording, Use, decide, read_registry
from earmark.rights.exporting import export_registry
from earmark.rights.importing import ImportOptions, import_files
from earmark.rights.use_types import UseMeaning

from .ern_messages import LABEL, STREAMS, USE_TYPES, controllers, header, message, recording, release, terms

ALWAYS = "<StartDate>2026-01-01</StartDate>"
TRAINING = terms(where="<TerritoryCode>Worldwide</TerritoryCode>", when=ALWAYS)
NO_MINING = terms('<UseType UserDefinedValue="NoMining">UserDefined</UseType>', when=ALWAYS)
MINING = terms('<UseType UserDefinedValue="Mining">UserDefined</UseType>', when=ALWAYS)
REPLACES = "of that day replaces it on the same releases"
PURGED = "<PurgedRelease><ReleaseId><ICPN>0 36000 29145 2</ICPN></ReleaseId></PurgedRelease>"


def purge(head):
    return (
        '<?xml version="1.0"?>\n<ern:PurgeReleaseMessage xmlns:ern="http://ddex.net/xml/ern/43">'
        f"{head}{PURGED}</ern:PurgeReleaseMessage>"
    )


GRANTED = message(deals=(STREAMS, TRAINING))
STREAMS_ONLY = message(head=header("MSG-2", "2026-03-10T23:30:00-05:00"), deals=(STREAMS,))
GRANTED_AGAIN = message(head=header("MSG-3", "2026-05-01T12:00:00Z"), deals=(TRAINING,))
PURGE = purge(header("MSG-4", "2026-07-01T00:00:00Z"))


@pytest.fixture
def take(tmp_path):
    """Import messages one after the other; return the registry's path and all notices."""

    def _take(*messages, name="r", use_types=USE_TYPES):
        notices = []
        for number, text in enumerate(messages):
            path = tmp_path / f"{name}-{number}.xml"
            path.write_text(text)
            refused = []
            options = ImportOptions(use_types=use_types)
            report = import_files(tmp_path / name, [path], options, on_refusal=refused.append)
            assert refused == []
            notices += report.notices
        return tmp_path / name, [words for words in notices if "ended on" in words]

    return _take


def status(registry, day, scope="ai_training", isrc="GBAYE6800011"):
    use = Use(licensee="Acme AI", scope=scope, territory="US", as_of=day)
    return decide(Recording(isrc=isrc), read_registry(registry), use).status


DAYS = {
    date(2026, 1, 1): "licensed",
    date(2026, 3, 9): "licensed",
    date(2026, 3, 10): "unlicensed",  # covered in part, which does not count for leave
    date(2026, 4, 30): "unlicensed",
    date(2026, 5, 1): "licensed",
    date(2026, 6, 30): "licensed",
    date(2026, 7, 1): "unlicensed",
}


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_messages_replace_one_another_by_when_they_were_written(take, order):
    messages = [GRANTED, STREAMS_ONLY, GRANTED_AGAIN, PURGE]
    registry, notices = take(*[messages[at] for at in order])
    assert {day: status(registry, day) for day in DAYS} == DAYS
    by_id = {grant.grant_id.split(":")[1]: grant.withdrawn_on for grant in read_registry(registry).grants}
    assert by_id == {"MSG-1": date(2026, 3, 10), "MSG-3": date(2026, 7, 1)}
    assert (
        "a grant of message MSG-1 ended on 2026-03-10: message MSG-2 of that day replaces it on the same releases"
        in (notices)
    )


def test_the_same_messages_again_change_nothing(take):
    registry, _ = take(GRANTED, STREAMS_ONLY)
    before = registry.read_bytes()
    assert take(GRANTED, STREAMS_ONLY) == (registry, [])
    assert registry.read_bytes() == before


def test_an_update_without_the_use_types_can_be_imported_again_with_them(take):
    later = message(head=header("MSG-2", "2026-02-01T00:00:00Z"), deals=(TRAINING,))
    registry, _ = take(GRANTED)
    take(later, use_types={})
    assert status(registry, date(2026, 6, 1)) == "unlicensed"
    take(later)
    assert status(registry, date(2026, 6, 1)) == "licensed"


def test_an_older_message_that_comes_late_takes_no_recording_back(take, tmp_path):
    new, old = (recording(more=controllers(("P1", share))) for share in ("60", "50"))
    later = message(head=header("MSG-2", "2026-02-01T00:00:00Z"), recordings=new.replace("The Band", "A Band"))
    registry, _ = take(later)
    path = tmp_path / "old.xml"
    path.write_text(message(recordings=old))
    refused = []
    import_files(registry, [path], ImportOptions(replace=True), on_refusal=lambda each: refused.append(str(each)))
    for complaint, kind in zip(sorted(refused), ("holding", "recording"), strict=True):
        assert f"a message of 2026-02-01 says something else of the {kind} of GBAYE6800011" in complaint
    (entry,) = read_registry(registry).recordings.recordings(None, "GBAYE6800011")
    assert entry.artists == "A Band"


@pytest.mark.parametrize(
    "later",
    [
        message(head=header("MSG-2", "2026-02-01T00:00:00Z", LABEL.replace("501L", "777L")), deals=(STREAMS,)),
        message(head=header("MSG-2", "2026-01-01T00:00:00Z"), deals=(STREAMS,)),
        message(head=header("MSG-2", "2025-12-31T00:00:00Z"), deals=(STREAMS,)),
        message(
            head=header("MSG-2", "2026-02-01T00:00:00Z"),
            releases=release(upc="4006381333931", resources=("A7",)),
            recordings=recording("A7", "GBAYE6800099"),
            deals=(STREAMS,),
        ),
    ],
    ids=["another sender", "of the same moment", "older", "on another release"],
)
def test_messages_that_replace_nothing(take, later):
    registry, notices = take(GRANTED, later)
    assert notices == []
    assert status(registry, date(2026, 6, 1)) == "licensed"


def test_a_take_down_ends_what_was_granted(take):
    ending = TRAINING.replace("</DealTerms>", "<TakeDown>true</TakeDown></DealTerms>")
    down = message(head=header("MSG-2", "2026-02-01T00:00:00Z"), deals=(ending,))
    registry, notices = take(GRANTED, down)
    assert len(notices) == 1
    assert status(registry, date(2026, 1, 31)) == "licensed"
    assert status(registry, date(2026, 2, 1)) == "unlicensed"


def test_a_deal_takes_effect_when_it_was_sent(take, tmp_path):
    when = "<StartDate>2025-01-01</StartDate><EndDate>2026-12-31</EndDate>"
    refusal = '<UseType UserDefinedValue="NoMining">UserDefined</UseType>'
    registry, _ = take(message(deals=(terms(when=when), terms(refusal, when=when))))
    since = {grant.scope: grant.valid_from for grant in read_registry(registry).grants}
    assert since == {"ai_training": date(2026, 1, 1), "data_mining": date(2025, 1, 1)}
    path = tmp_path / "over.xml"
    path.write_text(message(head=header("MSG-9", "2027-01-01T00:00:00Z"), deals=(terms(when=when),)))
    report = import_files(registry, [path], ImportOptions(use_types=USE_TYPES))
    assert f"{path}: line 2: a deal that had ended when it was sent gives no grant" in report.notices
    assert report.n_refused == 0


def test_a_refusal_is_lifted_by_words_and_not_by_silence(take):
    silent = message(head=header("MSG-2", "2026-02-01T00:00:00Z"), deals=(STREAMS,))
    speaks = message(head=header("MSG-3", "2026-03-01T00:00:00Z"), deals=(MINING,))
    registry, _ = take(message(deals=(NO_MINING,)), silent)
    assert read_registry(registry).grants[0].withdrawn_on is None
    take(speaks, use_types=USE_TYPES | {"Mining": UseMeaning(scope="data_mining")})
    assert status(registry, date(2026, 2, 28), "data_mining") == "unlicensed"
    assert status(registry, date(2026, 3, 2), "data_mining") == "licensed"


def test_what_was_withdrawn_stays_so_through_an_export(take, tmp_path):
    registry, _ = take(GRANTED, STREAMS_ONLY)
    import_files(tmp_path / "again", export_registry(registry, tmp_path / "out", "csv"))
    assert {day: status(tmp_path / "again", day) for day in (date(2026, 3, 9), date(2026, 3, 10))} == {
        date(2026, 3, 9): "licensed",
        date(2026, 3, 10): "unlicensed",
    }


def test_a_purge_that_names_no_release(tmp_path):
    path = tmp_path / "m.xml"
    path.write_text(purge(header()).replace("<ICPN>0 36000 29145 2</ICPN>", ""))
    refused = []
    import_files(tmp_path / "r", [path], on_refusal=lambda each: refused.append(str(each)))
    assert "m.xml, line 2, column PurgedRelease: names no release; expected an ICPN" in refused[0]
