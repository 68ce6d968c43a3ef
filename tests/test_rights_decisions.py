"""Decision tables: every combination of what a grant, a reservation and a holder can be, against the rules in words."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ParameterError
from earmark.rights import (
    PERMISSIONS,
    Grant,
    Recording,
    Reservation,
    Use,
    decide,
    holders_of,
    make_registry,
    read_registry,
)
from earmark.rights.recordings import Holding, RecordingEntry
from earmark.rights.rewriting import rewritten
from earmark.rights.splitting import Part, put_together
from earmark.rights.storing import SourceFile, Store
from earmark.rights.territories import COUNTRIES
from earmark.rights.weighing import Verdict

from . import rights_reference as reference

RECORDING = Recording(
    track_id="t1",
    isrc="GBAYE6800011",
    label="Foo",
    rightsholder="X",
    upc=("4006381333931", "0036000291452"),
)
DAY = date(2026, 11, 1)
ONE_DAY = timedelta(days=1)
USE = Use(licensee="Acme AI", scope="ai_training", territory="US", as_of=DAY, product="Model 1")
COVERS = [
    {"track_id": "t1"},
    {"isrc": "GBAYE6800011"},
    {"upc": "0036000291452"},
    {"label": "Foo"},
    {"rightsholder": "X"},
]
MISSES = [
    {"track_id": "t2"},
    {"isrc": "GBAYE6800012"},
    {"upc": "9780201379624"},
    {"label": "Bar"},
    {"rightsholder": "Y"},
]


def grant(grant_id="G1", **fields):
    plain = {"licensee": "Acme AI", "scope": "ai_training", "permission": "allowed", "territories": COUNTRIES}
    return Grant(grant_id=grant_id, **(plain | fields))


def reservation(**fields):
    plain = {
        "type": "tdmrep",
        "scopes": ("ai_training",),
        "permission": "not_allowed",
        "url": "https://foo.example/tdm",
    }
    return Reservation(**{"reservation_id": "R1", "territories": COUNTRIES} | plain | fields)


# One grant: each dimension lists what it can be, and whether the grant then applies.

DIMENSIONS = {
    "covers": [(fields, True) for fields in COVERS] + [(MISSES[0], False), (MISSES[2] | COVERS[3], False)],
    "licensee": [({"licensee": "ACME  ai"}, True), ({"licensee": "*"}, True), ({"licensee": "Rival"}, False)],
    "scope": [({}, True), ({"scope": "ai_inference"}, False)],
    "product": [({}, True), ({"product": "model 1"}, True), ({"product": "Model 2"}, False)],
    "territory": [
        ({}, True),
        ({"territories": frozenset({"US", "DE"})}, True),
        ({"territories": frozenset({"DE"})}, False),
        ({"excluded_territories": frozenset({"US"})}, False),
    ],
    "validity": [
        ({}, True),
        ({"valid_from": DAY, "valid_to": DAY}, True),
        ({"valid_from": DAY + ONE_DAY}, False),
        ({"valid_to": DAY - ONE_DAY}, False),
    ],
    "successor": [
        (None, True),
        ({"valid_from": DAY + ONE_DAY}, True),
        ({"valid_to": DAY}, False),
    ],
}
SAYS = {"allowed": "licensed", "not_allowed": "unlicensed", "constrained": "review"}


@pytest.mark.parametrize("permission", SAYS)
def test_one_grant_in_every_combination(permission):
    tried = 0
    for values in product(*DIMENSIONS.values()):
        applies = all(fits for _, fits in values)
        fields = {}
        for change, _ in values[:-1]:
            fields |= change
        grants = [grant(permission=permission, **fields)]
        if values[-1][0] is not None:  # a successor of somebody else's, which allows nothing here
            heir = {"licensee": "Nobody", "label": "None such"} | values[-1][0]
            grants.append(grant("G2", supersedes="G1", **heir))
        found = decide(RECORDING, make_registry(grants), USE, n_runners_up=1)
        assert found.status == (SAYS[permission] if applies else "unlicensed"), fields
        assert found.grant_id == ("G1" if applies else None), fields
        assert found.forbidden == (applies and permission == "not_allowed")
        tried += 1
    assert tried == 7 * 3 * 2 * 3 * 4 * 4 * 3


# What is not given: review, unless it makes no difference.

MISSING = {
    "licensee": ({"licensee": "*"}, {"licensee": "Acme AI"}),
    "scope": (None, {}),
    "product": ({}, {"product": "Model 1"}),
    "territory": ({}, {"territories": frozenset({"US"})}),
    "as_of": ({}, {"valid_to": DAY}),
}


@pytest.mark.parametrize(
    "missing", [names for size in range(6) for names in product(MISSING, repeat=size) if sorted(set(names)) == [*names]]
)
def test_every_combination_of_missing_facts(missing):
    for narrow in product([False, True], repeat=len(MISSING)):
        fields, depends = {}, False
        for name, is_narrow in zip(MISSING, narrow, strict=True):
            wide_fields, narrow_fields = MISSING[name]
            if name == "scope":
                depends |= name in missing
                continue
            fields |= narrow_fields if is_narrow else wide_fields
            depends |= is_narrow and name in missing
        registry = make_registry([grant(label="Foo", **fields)])
        found = decide(RECORDING, registry, replace(USE, **dict.fromkeys(missing)))
        assert found.status == ("review" if depends else "licensed"), (fields, found.reason)
        if depends:
            assert "cannot be decided without" in found.reason


# Reservations and exclusive grants beside a grant that gives leave


@pytest.mark.parametrize("to_anyone", [True, False])
@pytest.mark.parametrize(
    ("changes", "applies"),
    [
        ({}, True),
        ({"permission": "constrained"}, True),
        ({"asserted_at": DAY}, True),
        ({"asserted_at": DAY + ONE_DAY}, False),
        ({"scopes": ("data_mining",)}, False),
        ({"territories": frozenset({"DE"})}, False),
    ],
)
def test_a_reservation_beside_leave(to_anyone, changes, applies):
    for rank, other_rank in product(range(5), repeat=2):
        leave = grant(licensee="*" if to_anyone else "Acme AI", **COVERS[rank])
        registry = make_registry([leave], [reservation(**COVERS[other_rank] | changes)])
        found = decide(RECORDING, registry, USE)
        contradicts = applies and to_anyone and other_rank <= rank
        assert found.status == ("review" if contradicts else "licensed"), (rank, other_rank)
        assert ("reservation R1 (https://foo.example/tdm" in found.reason) == contradicts


def test_a_reservation_is_named_where_nothing_allows_the_use():
    found = decide(RECORDING, make_registry([], [reservation(label="Foo", asserted_at=DAY)]), USE)
    assert (found.status, found.grant_id) == ("unlicensed", None)
    assert found.reason.endswith("; reservation R1 (https://foo.example/tdm, asserted on 2026-11-01) reserves it")


@pytest.mark.parametrize("licensee", ["*", "Acme AI"])
@pytest.mark.parametrize(
    ("changes", "applies"),
    [
        ({}, True),
        ({"permission": "constrained"}, True),
        ({"exclusive": False}, False),
        ({"licensee": "acme AI"}, False),
        ({"product": "Model 2"}, False),
        ({"valid_to": DAY - ONE_DAY}, False),
        ({"territories": frozenset({"DE"})}, False),
        ({"scope": "ai_inference"}, False),
    ],
)
def test_an_exclusive_grant_beside_leave(licensee, changes, applies):
    for rank, other_rank in product(range(5), repeat=2):
        other = {"licensee": "Rival", "exclusive": True} | COVERS[other_rank] | changes
        registry = make_registry([grant(licensee=licensee, **COVERS[rank]), grant("G2", **other)])
        found = decide(RECORDING, registry, USE)
        contradicts = applies and other_rank <= rank
        assert found.status == ("review" if contradicts else "licensed"), (rank, other_rank)
        assert ("somebody else's exclusive grant" in found.reason) == contradicts
        assert "Rival" not in found.reason


# Split rights

STATUSES = ["licensed", "review", "unlicensed", "forbidden"]


def part(holder, share, status):
    verdict = Verdict(
        status="unlicensed" if status == "forbidden" else status,
        grant_id=None,
        reason=f"{holder} says so",
        forbidden=status == "forbidden",
    )
    return Part(holder=holder, share=share, verdict=verdict)


@pytest.mark.parametrize("sufficient", [None, Fraction(1, 2), Fraction(51, 100), Fraction(3, 4), Fraction(1)])
@pytest.mark.parametrize("shares", [(50, 50), (60, 40), (50, 25, 25), (34, 33, 33)])
def test_shares_in_every_combination(shares, sufficient):
    shares = [Fraction(share, 100) for share in shares]
    for statuses in product(STATUSES, repeat=len(shares)):
        parts = [part(str(at), share, status) for at, (share, status) in enumerate(zip(shares, statuses, strict=True))]
        found = put_together(parts, sufficient)
        plain = [(each.share, each.verdict.status, each.verdict.forbidden) for each in parts]
        if sufficient is None:
            expected = next(
                status for status in ("unlicensed", "review", "licensed") if status in {p[1] for p in plain}
            )
        else:
            expected = reference.status_of_parts(plain, sufficient)
        assert found.status == expected, statuses


def test_the_reference_for_shares_on_a_worked_example():
    half = Fraction(1, 2)
    assert reference.status_of_parts([(half, "licensed", False), (half, "unlicensed", False)], half) == "licensed"
    assert reference.status_of_parts([(half, "licensed", False), (half, "unlicensed", True)], half) == "review"
    assert reference.status_of_parts([(half, "licensed", False)], Fraction(3, 4)) == "review"
    assert reference.status_of_parts([(half, "unlicensed", False)], Fraction(3, 4)) == "unlicensed"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from(STATUSES)), min_size=2, max_size=5),
    st.none() | st.integers(1, 20),
    st.data(),
)
def test_less_of_anything_never_gives_more(holders, sufficient, data):
    total = sum(share for share, _ in holders)
    parts = [part(str(at), Fraction(share, total), status) for at, (share, status) in enumerate(holders)]
    needed = None if sufficient is None else Fraction(sufficient, 20)
    at = data.draw(st.integers(0, len(parts) - 1))
    worse = STATUSES[data.draw(st.integers(STATUSES.index(holders[at][1]), 3))]
    changed = [*parts[:at], part(str(at), parts[at].share, worse), *parts[at + 1 :]]
    scale = ["unlicensed", "review", "licensed"]
    before, after = put_together(parts, needed), put_together(changed, needed)
    assert scale.index(after.status) <= scale.index(before.status)


@pytest.fixture
def registry_of(tmp_path):
    """Make a registry file of facts, and open it."""

    def make(*facts):
        path = tmp_path / "rights.registry"
        with rewritten(path, wait_s=0) as connection:
            store = Store(connection)
            store.add_source(SourceFile(name="made.csv", sha256="0" * 64, format="csv"))
            assert [store.put(fact) for fact in facts] == ["added"] * len(facts)
        return read_registry(path)

    return make


JANE = Holding(track_id="T1", rightsholder="Jane", share=Fraction(1, 2))
JOHN = Holding(track_id="t1", rightsholder="John", share=Fraction(1, 2))
CATALOG = Recording(track_id="t1", label="Foo")


@pytest.mark.parametrize(
    ("facts", "sufficient", "status", "reason"),
    [
        ([JANE, JOHN, grant("G1", rightsholder="Jane")], None, "unlicensed", "not every holder allows it: John (50%)"),
        (
            [JANE, JOHN, grant("G1", rightsholder="Jane"), grant("G2", rightsholder="John")],
            None,
            "licensed",
            "every holder allows it: Jane (50%): grant G1 allows ai_training",
        ),
        (
            [JANE, JOHN, grant("G1", rightsholder="Jane"), grant("G2", rightsholder="John", permission="constrained")],
            None,
            "review",
            "not every holder allows it for certain: John (50%): grant G2 allows",
        ),
        ([JANE, JOHN, grant("G1", rightsholder="Jane")], Fraction(1, 2), "licensed", "50% of them must be licensed"),
        (
            [JANE, JOHN, grant("G1", rightsholder="Jane"), grant("G2", rightsholder="John", permission="not_allowed")],
            Fraction(1, 2),
            "review",
            "grant G2 forbids",
        ),
        # a grant for the whole recording needs no holder
        (
            [JANE, JOHN, grant("G1", label="Foo")],
            None,
            "licensed",
            "grant G1 allows ai_training for Model 1 by Acme AI",
        ),
        # a gap
        (
            [JANE, grant("G1", rightsholder="Jane")],
            None,
            "review",
            "holders that nobody names (50%): cannot be decided",
        ),
        ([JANE, grant("G1", label="Foo")], None, "licensed", "grant G1 allows"),
        ([JANE, grant("G2", rightsholder="Ann")], None, "unlicensed", "Jane (50%): no grant to Acme AI covers"),
        # nobody's share is known
        (
            [replace(JANE, share=None), replace(JOHN, share=None), grant("G1", rightsholder="Jane")],
            Fraction(1, 4),
            "review",
            "Jane (share not known): grant G1",
        ),
        ([replace(JANE, share=None), grant("G1", rightsholder="Jane")], None, "licensed", "grant G1 allows"),
    ],
)
def test_holders_of_a_registry_file(registry_of, facts, sufficient, status, reason):
    found = decide(CATALOG, registry_of(*facts), replace(USE, sufficient_share=sufficient))
    assert found.status == status, found.reason
    assert reason in found.reason


def test_who_holds_a_recording(registry_of):
    registry = registry_of(JANE, JOHN)
    assert holders_of(registry, CATALOG) == (("Jane", Fraction(1, 2)), ("John", Fraction(1, 2)))
    other = Recording(track_id="t2", rightsholder=" X  Music ")
    assert holders_of(registry, other) == holders_of(None, other) == (("X Music", Fraction(1)),)
    assert holders_of(registry, Recording(track_id="t2")) == ()


@pytest.mark.parametrize(
    ("entry", "grants", "catalog", "status", "reason"),
    [
        # the registry knows what the catalog does not
        ({"label": "Foo"}, [{"label": "Foo"}], {"track_id": "t1"}, "licensed", "label Foo"),
        ({"label": "Foo"}, [{"label": "Foo"}], {"isrc": "gb-aye-68-00011"}, "licensed", "label Foo"),
        ({}, [{"track_id": "T1"}], {"isrc": "gb-aye-68-00011"}, "licensed", "track id T1"),
        ({"upc": ("0036000291452",)}, [{"upc": "0036000291452"}], {"track_id": "t1"}, "licensed", "UPC 0036000291452"),
        # they contradict each other
        ({"label": "Foo"}, [{"label": "Foo"}], {"track_id": "t1", "label": "Bar"}, "review", "if its ISRC is"),
        ({"label": "Foo"}, [{"label": "foo"}], {"track_id": "t1", "label": "FOO"}, "licensed", "label foo"),
        (
            {"label": "Foo"},
            [{"label": "Foo"}, {"label": "Bar"}],
            {"track_id": "t1", "label": "Bar"},
            "licensed",
            "label Bar",
        ),
        ({}, [{"isrc": "GBAYE6800012"}], {"track_id": "t1", "isrc": "GBAYE6800012"}, "review", "contradict each other"),
    ],
)
def test_catalog_and_registry(registry_of, entry, grants, catalog, status, reason):
    facts = [grant(f"G{at}", **fields) for at, fields in enumerate(grants)]
    registry = registry_of(RecordingEntry(track_id="t1", isrc="GBAYE6800011", **entry), *facts)
    found = decide(Recording(**catalog), registry, USE)
    assert found.status == status, found.reason
    assert reason in found.reason


def test_holders_that_contradict_the_catalog(registry_of):
    registry = registry_of(JANE, JOHN, grant("G1", rightsholder="Ann"))
    found = decide(replace(CATALOG, rightsholder="Ann"), registry, USE)
    assert found.status == "review"
    assert "its rightsholder is Jane and John" in found.reason
    assert "its rightsholder is Ann" in found.reason
    assert decide(replace(CATALOG, rightsholder="jane"), registry, USE).status == "unlicensed"


@pytest.mark.parametrize(("second", "status"), [("jane", "licensed"), ("John", "review")])
def test_holders_by_track_ids_that_the_catalog_does_not_use(registry_of, second, status):
    facts = [RecordingEntry(track_id=track_id, isrc="GBAYE6800011") for track_id in ("a", "b")]
    facts += [Holding(track_id="a", rightsholder="Jane"), Holding(track_id="b", rightsholder=second)]
    registry = registry_of(*facts, grant("G1", rightsholder="Jane"))
    found = decide(Recording(track_id="album/01.flac", isrc="GBAYE6800011"), registry, USE)
    assert found.status == status, found.reason
    assert holders_of(registry, Recording(isrc="GBAYE6800011")) == (("Jane", Fraction(1)),)


@pytest.mark.parametrize(("granted", "status"), [(("a",), "review"), (("a", "b"), "licensed")])
def test_an_isrc_of_several_tracks(registry_of, granted, status):
    facts = [RecordingEntry(track_id=track_id, isrc="GBAYE6800011") for track_id in ("a", "b")]
    registry = registry_of(*facts, *[grant(f"G{each}", track_id=each) for each in granted])
    found = decide(Recording(isrc="GBAYE6800011"), registry, USE)
    assert found.status == status, found.reason
    assert (", if its track id is b," in found.reason.replace("; or if", ", if")) == (status == "review")


def test_who_must_allow_it_depends_on_the_territory(registry_of):
    ours, theirs = frozenset({"US", "CA"}), frozenset({"DE", "FR"})
    registry = registry_of(
        replace(JANE, share=Fraction(1), territories=ours),
        replace(JANE, territories=theirs),
        replace(JOHN, territories=theirs),
        grant("G1", rightsholder="Jane"),
        grant("G2", rightsholder="John", territories=frozenset({"FR"})),
    )
    found = {
        territory: decide(CATALOG, registry, replace(USE, territory=territory))
        for territory in ("US", "CA", "FR", "DE", "JP", None)
    }
    statuses = {territory: each.status for territory, each in found.items()}
    # nobody is named to hold it in Japan
    assert statuses == {"US": "licensed", "CA": "licensed", "FR": "licensed"} | dict.fromkeys(
        ["JP", None], "review"
    ) | {"DE": "unlicensed"}
    assert "every holder allows it: Jane (50%): grant G1" in found["FR"].reason
    assert found[None].reason.startswith("cannot be decided without the territory: in AD, ")
    assert "; or in CA, grant G1 allows" in found[None].reason
    half = replace(USE, territory="DE", sufficient_share=Fraction(1, 2))
    assert decide(CATALOG, registry, half).status == "licensed"
    everywhere = decide(CATALOG, registry_of(grant("G3", label="Foo")), replace(USE, territory=None))
    # a grant that names no holder speaks for all of them, wherever they hold it
    assert (everywhere.status, everywhere.grant_id) == ("licensed", "G3")
    assert everywhere.reason.startswith("whatever the territory: such as in AD, grant G3 allows ")


PLACES = [frozenset({"US"}), frozenset({"DE", "FR"}), frozenset({"US", "DE"}), COUNTRIES]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["Jane", "John", "Ann"]), st.sampled_from([50, 100]), st.sampled_from(PLACES))),
    st.lists(
        st.tuples(st.sampled_from(["Jane", "John"]), st.sampled_from(PERMISSIONS), st.sampled_from(PLACES)), max_size=3
    ),
)
def test_a_missing_territory_is_the_agreement_of_all(tmp_path_factory, held, granted):
    path = tmp_path_factory.mktemp("r") / "rights.registry"
    with rewritten(path, wait_s=0) as connection:
        store = Store(connection)
        store.add_source(SourceFile(name="made.csv", sha256="0" * 64, format="csv"))
        for name, share, places in held:  # what would be more than the whole is refused
            store.put(Holding(track_id="t1", rightsholder=name, share=Fraction(share, 100), territories=places))
        for at, (holder, permission, places) in enumerate(granted):
            store.put(grant(f"G{at}", rightsholder=holder, permission=permission, territories=places))
    registry = read_registry(path)
    statuses = {
        decide(CATALOG, registry, replace(USE, territory=country)).status for country in ("US", "DE", "FR", "JP")
    }
    found = decide(CATALOG, registry, replace(USE, territory=None))
    assert found.status == (statuses.pop() if len(statuses) == 1 else "review"), found.reason


def test_holders_by_an_isrc_beside_a_track_id(registry_of):
    registry = registry_of(replace(JANE, isrc="GBAYE6800011"), replace(JOHN, isrc="GBAYE6800011"))
    assert len(holders_of(registry, Recording(isrc="GBAYE6800011"))) == 2
    assert holders_of(registry, Recording(track_id="t7", isrc="GBAYE6800011"))[0] == ("Jane", Fraction(1, 2))


def test_runners_up_say_why_they_do_not_decide():
    grants = [
        grant("G1", track_id="t1", permission="not_allowed"),
        grant("G2", track_id="t1", contract_ref="C-2"),
        grant("G3", label="Foo"),
        grant("G4", label="Foo", product="Model 2", valid_to=DAY - ONE_DAY),
        grant("G5", label="Foo", licensee="Rival"),
        grant("G6", label="Foo", scope="data_mining"),
    ]
    found = decide(RECORDING, make_registry(grants), USE, n_runners_up=9)
    assert found.runners_up == (
        "grant G2 (contract C-2) allows ai_training for track id t1 but is the less strict of equal rank",
        "grant G3 allows ai_training for label Foo but is less specific",
        "grant G6 allows data_mining for label Foo but covers data_mining only (which does not imply ai_training)",
        "grant G4 allows ai_training for label Foo but is for Model 2 only, not Model 1 and ended on 2026-10-31, before"
        " 2026-11-01",
    )
    assert decide(RECORDING, make_registry(grants), USE, n_runners_up=1).runners_up == found.runners_up[:1]
    assert decide(RECORDING, make_registry(grants), USE).runners_up == ()


def test_the_words_of_a_constraint_are_in_the_reason():
    found = decide(
        RECORDING, make_registry([grant(label="Foo", permission="constrained", constraints="no lyrics")]), USE
    )
    assert found.reason.endswith("under constraints that must be checked: no lyrics")


@pytest.mark.parametrize("share", [Fraction(0), Fraction(3, 2)])
def test_a_share_that_is_none(share):
    with pytest.raises(ParameterError, match="sufficient_share must be above 0 and at most 1"):
        decide(RECORDING, make_registry([]), replace(USE, sufficient_share=share))
