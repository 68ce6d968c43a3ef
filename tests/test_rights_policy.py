import pickle
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ParameterError, RegistryError
from earmark.rights import PERMISSIONS, SCOPES, Grant, Recording, Reservation, Use, decide, make_registry
from earmark.rights.territories import COUNTRIES

from . import rights_reference as reference

RECORDING = Recording(track_id="t1", isrc="GBAYE6800011", label="Foo Records", rightsholder="X Music")
DAY = date(2026, 11, 1)
USE = Use(licensee="Acme AI", scope="ai_training", territory="US", as_of=DAY)
ONE_DAY = timedelta(days=1)
US_CA = frozenset({"US", "CA"})


def grant(grant_id="G1", **fields):
    if not {"track_id", "isrc", "label", "rightsholder"} & set(fields):
        fields["rightsholder"] = "X Music"
    plain = {"licensee": "Acme AI", "scope": "ai_training", "permission": "allowed", "territories": COUNTRIES}
    return Grant(grant_id=grant_id, **(plain | fields))


def verdict(*grants, recording=RECORDING, use=USE, **changes):
    return decide(recording, make_registry(grants), replace(use, **changes))


def test_without_a_registry_every_verdict_is_review():
    found = decide(RECORDING, None, USE)
    assert (found.status, found.grant_id, found.reason) == ("review", None, "no registry given")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "licensed"),
        ({"permission": "not_allowed"}, "unlicensed"),
        ({"permission": "constrained"}, "review"),
        # whom it is to
        ({"licensee": "*"}, "licensed"),
        ({"licensee": "＊"}, "licensed"),
        ({"licensee": "  ACME\u00a0 ai "}, "licensed"),
        ({"licensee": "Acme AI Inc"}, "unlicensed"),
        # what it covers
        ({"track_id": "T1"}, "licensed"),
        ({"track_id": "t2"}, "unlicensed"),
        ({"isrc": "GBAYE6800011"}, "licensed"),
        ({"isrc": "GBAYE6800012"}, "unlicensed"),
        ({"label": "foo  records"}, "licensed"),
        ({"label": "Foo"}, "unlicensed"),
        ({"isrc": "GBAYE6800011", "label": "Foo Records"}, "licensed"),
        ({"isrc": "GBAYE6800011", "label": "Bar Records"}, "unlicensed"),
        ({"rightsholder": "X Music", "label": "Bar Records"}, "unlicensed"),
        # where
        ({"territories": US_CA}, "licensed"),
        ({"territories": frozenset({"DE"})}, "unlicensed"),
        ({"excluded_territories": frozenset({"US"})}, "unlicensed"),
        ({"excluded_territories": frozenset({"DE"})}, "licensed"),
        # when: both days count
        ({"valid_from": DAY}, "licensed"),
        ({"valid_from": DAY + ONE_DAY}, "unlicensed"),
        ({"valid_to": DAY}, "licensed"),
        ({"valid_to": DAY - ONE_DAY}, "unlicensed"),
        ({"valid_from": DAY, "valid_to": DAY}, "licensed"),
    ],
)
def test_one_grant(fields, status):
    found = verdict(grant(**fields))
    assert found.status == status
    decides = status != "unlicensed" or fields.get("permission") == "not_allowed"
    assert found.grant_id == ("G1" if decides else None)


@pytest.mark.parametrize("asked", SCOPES)
@pytest.mark.parametrize("granted", SCOPES)
def test_no_scope_implies_another(granted, asked):
    assert verdict(grant(scope=granted), scope=asked).status == ("licensed" if granted == asked else "unlicensed")


RANKS = [{"track_id": "t1"}, {"isrc": "GBAYE6800011"}, {"label": "Foo Records"}, {"rightsholder": "X Music"}]


@pytest.mark.parametrize("permission", PERMISSIONS)
@pytest.mark.parametrize("other", PERMISSIONS)
@pytest.mark.parametrize("rank", range(4))
@pytest.mark.parametrize("other_rank", range(4))
def test_the_more_specific_decides_then_the_stricter(rank, other_rank, permission, other):
    found = verdict(
        grant("G1", permission=permission, **RANKS[rank]), grant("G2", permission=other, **RANKS[other_rank])
    )
    strict = ["not_allowed", "constrained", "allowed"]
    first = min(
        [(rank, strict.index(permission), "G1"), (other_rank, strict.index(other), "G2")],
    )
    assert found.grant_id == first[2]
    assert found.status == ["unlicensed", "review", "licensed"][first[1]]
    if permission != other:
        loser = "G2" if first[2] == "G1" else "G1"
        rule = "being the stricter of equal rank" if rank == other_rank else "being more specific"
        assert f"; {rule}, it prevails over grant {loser}, which" in found.reason


def test_a_further_column_narrows_a_grant_and_does_not_raise_its_rank():
    narrow = grant("G1", isrc="GBAYE6800011", label="Foo Records")
    assert verdict(narrow, grant("G2", isrc="GBAYE6800011", permission="not_allowed")).grant_id == "G2"


def test_forbidding_everybody_beats_allowing_one_at_equal_rank():
    found = verdict(grant("G1", licensee="*", permission="not_allowed"), grant("G2"))
    assert (found.status, found.grant_id) == ("unlicensed", "G1")


@pytest.mark.parametrize(
    ("heir", "status"),
    [
        ({}, "licensed"),
        ({"valid_from": DAY}, "licensed"),
        ({"valid_from": DAY + ONE_DAY}, "unlicensed"),
        ({"valid_to": DAY - ONE_DAY}, "unlicensed"),
        ({"licensee": "Somebody else"}, "unlicensed after all"),
        ({"territories": frozenset({"DE"})}, "unlicensed after all"),
    ],
)
def test_a_superseded_grant_is_out_of_force_while_its_successor_is_within_its_dates(heir, status):
    found = verdict(grant("G1", permission="not_allowed"), grant("G2", supersedes="G1", **heir))
    assert found.status == status.split()[0]
    assert found.grant_id == {"licensed": "G2", "unlicensed": "G1"}.get(status)


@pytest.mark.parametrize(
    ("permission", "status", "reason"),
    [
        ("not_allowed", "unlicensed", "grant G1 forbids ai_training"),
        ("constrained", "unlicensed", "but was superseded by grant G2, which ended on 2026-10-31"),
        ("allowed", "unlicensed", "but was superseded by grant G2, which ended on 2026-10-31"),
    ],
)
def test_a_refusal_comes_back_when_its_successor_has_ended_and_leave_does_not(permission, status, reason):
    heir = grant("G2", supersedes="G1", valid_from=date(2026, 1, 1), valid_to=DAY - ONE_DAY)
    found = verdict(grant("G1", permission=permission), heir)
    assert found.status == status
    assert reason in found.reason
    before = verdict(grant("G1", permission=permission), heir, as_of=date(2025, 12, 31))
    assert before.grant_id == "G1"


@pytest.mark.parametrize(
    ("withdrawn_on", "status"), [(DAY, "unlicensed"), (DAY + ONE_DAY, "licensed"), (date.min, "unlicensed")]
)
def test_a_grant_that_was_withdrawn(withdrawn_on, status):
    found = verdict(grant(valid_to=DAY + ONE_DAY, withdrawn_on=withdrawn_on))
    assert found.status == status
    assert status == "licensed" or f"grant G1 allows it but was withdrawn on {withdrawn_on}" in found.reason
    # a successor that was taken back before it began has replaced nothing
    heir = grant("G2", supersedes="G1", valid_from=DAY, withdrawn_on=withdrawn_on)
    assert verdict(grant("G1"), heir).grant_id == ("G2" if status == "licensed" else "G1")


def test_supersession_reaches_through_a_grant_that_is_out_of_date():
    chain = [
        grant("G1"),
        grant("G2", supersedes="G1", valid_to=date(2020, 1, 1)),
        grant("G3", supersedes="G2", scope="ai_inference", contract_ref="C-3"),
    ]
    assert verdict(*chain).status == "unlicensed"
    assert "grant G1 allows it but is superseded by grant G3 (contract C-3), in force on 2026-11-01" in (
        verdict(*chain).reason
    )


@pytest.mark.parametrize(
    ("grants", "reason"),
    [
        (
            [grant("G3", contract_ref="C-17")],
            "grant G3 (contract C-17) allows ai_training by Acme AI in US on 2026-11-01 for rightsholder X Music",
        ),
        (
            [grant("G3", permission="constrained", label="Foo Records")],
            "grant G3 allows ai_training by Acme AI in US on 2026-11-01 for label Foo Records under constraints that"
            " must be checked",
        ),
        ([grant("G3", valid_to=date(2026, 5, 31))], "grant G3 allows it but ended on 2026-05-31, before 2026-11-01"),
        ([grant("G3", valid_from=date(2027, 1, 1))], "grant G3 allows it but begins on 2027-01-01, after 2026-11-01"),
        ([grant("G3", territories=frozenset({"DE", "AT"}))], "grant G3 allows it but covers AT, DE only, not US"),
        ([grant("G3", excluded_territories=frozenset({"US"}))], "grant G3 allows it but excludes US"),
        ([grant("G3", scope="data_mining")], "grant G3 covers data_mining only (which does not imply ai_training)"),
        (
            [grant("G3", licensee="Rival Inc")],
            "no grant to Acme AI covers the recording (track id t1, ISRC GBAYE6800011, label Foo Records, rightsholder"
            " X Music)",
        ),
        # the closest is the one with the fewest obstacles, not the first or the most specific
        (
            [
                grant("G1", track_id="t1", scope="data_mining", valid_to=date(2026, 5, 31)),
                grant("G2", territories=frozenset({"DE"}), permission="constrained"),
                grant("G3", permission="not_allowed", valid_to=date(2026, 5, 31)),
            ],
            "grant G2 allows it under constraints but covers DE only, not US",
        ),
        (
            [grant("G3", scope="data_mining", valid_to=date(2026, 5, 31))],
            "grant G3 covers data_mining only (which does not imply ai_training) and ended on 2026-05-31,"
            " before 2026-11-01",
        ),
    ],
)
def test_reasons_with_all_facts(grants, reason):
    assert verdict(*grants).reason == reason


def test_no_reason_names_another_licensee():
    for found in (verdict(grant(licensee="Rival Inc")), verdict(grant(licensee="Rival Inc"), licensee=None)):
        assert "Rival" not in found.reason


@pytest.mark.parametrize(
    ("grants", "missing", "status", "reason"),
    [
        # a date
        ([grant()], {"as_of": None}, "licensed", "for rightsholder X Music, whatever the as-of date"),
        (
            [grant(valid_to=DAY)],
            {"as_of": None},
            "review",
            "cannot be decided without the as-of date: grant G1 may allow it or no grant may apply",
        ),
        (
            [grant("G1", valid_to=DAY), grant("G2", valid_from=DAY + ONE_DAY)],
            {"as_of": None},
            "licensed",
            "grants G1 and G2 between them allow ai_training by Acme AI in US, whatever the as-of date",
        ),
        ([grant("G1", valid_to=DAY), grant("G2", valid_from=DAY + 2 * ONE_DAY)], {"as_of": None}, "review", "cannot"),
        ([grant("G1"), grant("G2", supersedes="G1", valid_from=DAY)], {"as_of": None}, "licensed", "G1 and G2"),
        (
            [grant("G1"), grant("G2", supersedes="G1", scope="data_mining", valid_from=DAY)],
            {"as_of": None},
            "review",
            "cannot be decided without the as-of date",
        ),
        (
            [grant(territories=frozenset({"DE"}), valid_to=DAY)],
            {"as_of": None},
            "unlicensed",
            "grant G1 allows it but covers DE only, not US, whatever the as-of date",
        ),
        ([grant(valid_to=date.max, valid_from=date.min)], {"as_of": None}, "licensed", "whatever the as-of date"),
        ([grant(permission="not_allowed", valid_to=DAY)], {"as_of": None}, "unlicensed", "whatever the as-of date"),
        (
            [grant("G1"), grant("G2", permission="not_allowed", valid_to=DAY)],
            {"as_of": None},
            "review",
            "cannot be decided without the as-of date: grant G2 may forbid it or grant G1 may allow it",
        ),
        # only the successor's successor, of another party, leaves a gap: in 2022
        (
            [
                grant("G0", valid_from=date(2020, 1, 1), valid_to=date(2020, 12, 31)),
                grant("G1"),
                grant(
                    "G2", supersedes="G1", licensee="Rival", valid_from=date(2020, 1, 1), valid_to=date(2020, 12, 31)
                ),
                grant(
                    "G3", supersedes="G2", licensee="Rival", valid_from=date(2022, 1, 1), valid_to=date(2022, 12, 31)
                ),
            ],
            {"as_of": None},
            "review",
            "cannot be decided without the as-of date",
        ),
        # a territory
        ([grant(territories=US_CA)], {"territory": None}, "review", "cannot be decided without the territory"),
        (
            [grant("G1", territories=US_CA), grant("G2", excluded_territories=US_CA)],
            {"territory": None},
            "licensed",
            "grants G1 and G2 between them allow",
        ),
        # a licensee
        ([grant(licensee="*")], {"licensee": None}, "licensed", "whatever the licensee"),
        ([grant()], {"licensee": None}, "review", "cannot be decided without the licensee"),
        ([grant()], {"licensee": "  "}, "review", "cannot be decided without the licensee"),
        # a scope: there are four and no others
        ([grant()], {"scope": None}, "review", "cannot be decided without the use"),
        (
            [grant(f"G{i}", scope=scope) for i, scope in enumerate(SCOPES)],
            {"scope": None},
            "licensed",
            "G0, G1, G2 and",
        ),
        # nothing given, but no grant covers the recording
        (
            [grant(label="Other")],
            {"licensee": None, "scope": None, "territory": None, "as_of": None},
            "unlicensed",
            "no grant covers the recording (track id t1, ISRC GBAYE6800011, label Foo Records, rightsholder X Music),"
            " whatever the licensee, the use, the territory and the as-of date",
        ),
        # forbidden for some values, not allowed for the others
        ([grant(permission="not_allowed", valid_to=DAY), grant("G2", territories=US_CA)], {}, "unlicensed", "G1"),
        # two facts together
        (
            [grant(valid_to=DAY, territories=US_CA)],
            {"as_of": None, "territory": None},
            "review",
            "cannot be decided without the territory and the as-of date",
        ),
        ([grant(valid_to=DAY)], {"as_of": None, "territory": None}, "review", "without the as-of date:"),
    ],
)
def test_missing_facts_of_the_use(grants, missing, status, reason):
    use = replace(USE, as_of=DAY - ONE_DAY) if not missing else USE
    found = verdict(*grants, use=use, **missing)
    assert found.status == status
    assert reason in found.reason


@pytest.mark.parametrize(
    ("grants", "missing", "status", "reason"),
    [
        (
            [grant("G1"), grant("G2", isrc="GBAYE6800011", permission="not_allowed")],
            "isrc",
            "review",
            "recording's ISRC",
        ),
        ([grant("G1"), grant("G2", isrc="GBAYE6800011")], "isrc", "licensed", "grant G1 allows"),
        (
            [grant("G1"), grant("G2", isrc="GBAYE6800011", label="Bar", permission="not_allowed")],
            "isrc",
            "licensed",
            "grant G1 allows",
        ),
        ([grant(label="Foo Records")], "label", "review", "cannot be decided without the recording's label"),
        ([grant(label="Foo Records", licensee="Rival")], "label", "unlicensed", "no grant to Acme AI covers"),
        ([grant()], "rightsholder", "review", "cannot be decided without the recording's rightsholder"),
        ([grant(track_id="t1")], "track_id", "review", "cannot be decided without the recording's track id"),
    ],
)
@pytest.mark.parametrize("blank", [None, " "])
def test_missing_facts_of_the_recording(grants, missing, status, reason, blank):
    found = verdict(*grants, recording=replace(RECORDING, **{missing: blank}))
    assert found.status == status
    assert reason in found.reason


def test_a_malformed_isrc_counts_as_unknown():
    assert verdict(grant(isrc="GBAYE6800011"), recording=replace(RECORDING, isrc="n/a")).status == "review"


def test_an_isrc_is_compared_without_dashes_and_case():
    found = verdict(grant(isrc="GB-AYE-68-00011"), recording=replace(RECORDING, isrc="gb aye 68 00011"))
    assert found.status == "licensed"


def test_a_recording_without_isrc_hears_nothing_of_it_where_no_grant_asks():
    assert "ISRC" not in verdict(grant(), recording=replace(RECORDING, isrc=None)).reason


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"scope": "training"}, "use must be one of ai_training, .* got 'training'"),
        ({"territory": "UK"}, "'UK' is no ISO 3166-1 alpha-2 country code .say GB."),
        ({"as_of": datetime(2026, 11, 1)}, "as_of must be a datetime.date without a time"),
        ({"as_of": "2026-11-01"}, "as_of must be a datetime.date without a time"),
    ],
)
def test_a_bad_use_is_refused(changes, match):
    with pytest.raises(ParameterError, match=match):
        verdict(grant(), **changes)


@pytest.mark.parametrize(
    ("grants", "match"),
    [
        ([grant("G1"), grant("G1")], "'G1' is also the grant_id"),
        ([grant("G1", supersedes="G0")], "'G0' is the grant_id of no row"),
        ([grant("G1", supersedes="G1")], "'G1' is the grant itself"),
        ([grant("G1", supersedes="G2"), grant("G2", supersedes="G1")], "form a cycle: G1 supersedes G2 supersedes G1"),
        ([grant("G1", label=" ")], "G1: the grant covers nothing"),
        ([grant("G1", isrc="GB")], "'GB' is no ISRC"),
    ],
)
def test_a_bad_registry_is_refused(grants, match):
    with pytest.raises(RegistryError, match=match):
        make_registry(grants)


def test_a_registry_travels_between_processes_even_with_a_long_chain_of_successors():
    chain = [grant("G0"), *(grant(f"G{i}", supersedes=f"G{i - 1}") for i in range(1, 3000))]
    registry = make_registry(chain)
    copy = pickle.loads(pickle.dumps(registry))
    assert copy == registry
    assert decide(RECORDING, copy, USE) == decide(RECORDING, registry, USE)
    assert decide(RECORDING, copy, USE).grant_id == "G2999"


# Few distinct values, so that grants meet; the last value of each fact is one that no grant names.
UNIVERSE = {
    "track_id": ["t1", "t9"],
    "isrc": ["GBAYE6800011", "GBAYE6800099"],
    "upc": ["0036000291452", "4006381333931"],
    "label": ["l1", "l9"],
    "rightsholder": ["r1", "r9"],
    "licensee": ["a", "b", "z"],
    "scope": list(SCOPES),
    "territory": ["US", "DE", "FR"],
    "as_of": [date(2026, 1, day) for day in range(1, 7)],
    "product": ["p1", "p9"],
}
DAYS = st.none() | st.sampled_from(UNIVERSE["as_of"][1:-1])
PLACES = st.sampled_from([{"US"}, {"DE"}, {"US", "DE"}, {"Worldwide"}, {"Worldwide"}])


@st.composite
def plain_grants(draw, **fixed):
    """A grant as the reference takes it."""
    covered = draw(st.lists(st.sampled_from(reference.COVERAGE), min_size=1, max_size=2))
    fields = {column: UNIVERSE[column][0] if column in covered else None for column in reference.COVERAGE}
    start, end = draw(DAYS), draw(DAYS)
    if start and end and end < start:
        start, end = end, start
    fields |= {
        "licensee": draw(st.sampled_from(["a", "a", "b", "*"])),
        "scope": draw(st.sampled_from(["ai_training", "ai_training", *SCOPES])),
        "permission": draw(st.sampled_from(PERMISSIONS)),
        "territories": draw(PLACES),
        "excluded_territories": draw(st.sampled_from([set(), set(), {"US"}, {"DE", "US"}])),
        "valid_from": start,
        "valid_to": end,
        "withdrawn_on": draw(st.none() | DAYS),
        "supersedes": None,
        "product": draw(st.sampled_from([None, None, "p1"])),
    }
    fields |= fixed
    may_be = fields["permission"] != "not_allowed" and fields["licensee"] != "*"
    return fields | {"exclusive": may_be and draw(st.integers(0, 3)) == 0}


@st.composite
def plain_reservations(draw):
    """A reservation as the reference takes it."""
    covered = draw(st.lists(st.sampled_from(reference.COVERAGE), min_size=1, max_size=2))
    return {column: UNIVERSE[column][0] if column in covered else None for column in reference.COVERAGE} | {
        "scopes": draw(st.sampled_from([("ai_training",), SCOPES])),
        "asserted_at": draw(DAYS),
        "territories": {"Worldwide"},
    }


@st.composite
def registries(draw):
    """Grants G0, G1, ...: each may supersede one before it."""
    grants = draw(st.lists(plain_grants(), max_size=7))
    for i, fields in enumerate(grants):
        fields["grant_id"] = f"G{i}"
        if i and draw(st.integers(0, 3)) == 0:
            fields["supersedes"] = f"G{draw(st.integers(0, i - 1))}"
    return grants


@st.composite
def cases(draw):
    """All facts of a case, some of them missing."""
    return {
        fact: draw(st.sampled_from([values[0], values[0], *values])) if draw(st.integers(0, 3)) else None
        for fact, values in UNIVERSE.items()
    }


def ours(fields):
    territories = COUNTRIES if fields["territories"] == {"Worldwide"} else frozenset(fields["territories"])
    excluded = frozenset(fields["excluded_territories"])
    return Grant(**fields | {"territories": territories, "excluded_territories": excluded})


def reserved(fields, number):
    return Reservation(
        **fields
        | {
            "reservation_id": f"R{number}",
            "type": "declaration",
            "permission": "not_allowed",
            "text": "no",
            "territories": COUNTRIES,
        }
    )


def decided(grants, case, reservations=()):
    columns = {column: case[column] for column in reference.COVERAGE}
    recording = Recording(**columns | {"upc": (case["upc"],) if case["upc"] else ()})
    use = Use(**{fact: value for fact, value in case.items() if fact not in reference.COVERAGE})
    opted_out = [reserved(fields, number) for number, fields in enumerate(reservations)]
    return decide(recording, make_registry(map(ours, grants), opted_out), use, n_runners_up=9)


def test_the_reference_on_a_worked_example():
    names = ("valid_from", "valid_to", "withdrawn_on", "supersedes", "product", "exclusive")
    base = dict.fromkeys((*reference.COVERAGE, *names)) | {
        "licensee": "a",
        "scope": "ai_training",
        "territories": {"Worldwide"},
        "excluded_territories": {"DE"},
    }
    grants = [
        base | {"grant_id": "G0", "permission": "allowed", "rightsholder": "r1", "valid_to": date(2026, 1, 3)},
        base | {"grant_id": "G1", "permission": "not_allowed", "isrc": "GBAYE6800011"},
    ]
    case = {fact: values[0] for fact, values in UNIVERSE.items()}
    assert reference.status(grants, case, UNIVERSE) == "unlicensed"
    case |= {"isrc": "GBAYE6800099"}
    assert reference.status(grants, case, UNIVERSE) == "licensed"
    assert reference.status(grants, case | {"as_of": date(2026, 1, 4)}, UNIVERSE) == "unlicensed"
    assert reference.status(grants, case | {"as_of": None}, UNIVERSE) == "review"
    assert reference.status(grants, case | {"territory": "DE", "as_of": None}, UNIVERSE) == "unlicensed"


@settings(max_examples=250, deadline=None)
@given(registries(), cases(), st.lists(plain_reservations(), max_size=2))
def test_a_missing_fact_is_the_agreement_of_all_its_values(grants, case, reservations):
    found = decided(grants, case, reservations)
    assert found.status == reference.status(grants, case, UNIVERSE, reservations)
    assert "\n" not in found.reason
    assert found.grant_id is None or f"grant {found.grant_id} " in found.reason
    assert found.grant_id is None or not any(f"grant {found.grant_id} " in words for words in found.runners_up)


SCALE = ["unlicensed", "review", "licensed"]


@settings(max_examples=120, deadline=None)
@given(registries(), cases(), plain_grants(grant_id="new", permission="not_allowed"))
def test_a_further_forbidding_grant_never_makes_a_verdict_more_permissive(grants, case, forbidding):
    before, after = decided(grants, case), decided([*grants, forbidding], case)
    assert SCALE.index(after.status) <= SCALE.index(before.status)


@settings(max_examples=100, deadline=None)
@given(registries(), cases(), st.lists(plain_reservations(), max_size=2), plain_reservations())
def test_a_further_reservation_never_makes_a_verdict_more_permissive(grants, case, reservations, new):
    before, after = decided(grants, case, reservations), decided(grants, case, [*reservations, new])
    assert SCALE.index(after.status) <= SCALE.index(before.status)
    assert (before.status == "unlicensed") == (after.status == "unlicensed")


@settings(max_examples=100, deadline=None)
@given(registries(), cases(), plain_grants(grant_id="new", licensee="somebody else"), st.sampled_from("ab"))
def test_a_grant_to_another_licensee_changes_nothing_unless_it_is_exclusive(grants, case, other, licensee):
    case["licensee"] = licensee
    before, after = decided(grants, case), decided([*grants, other], case)
    if other["exclusive"]:
        assert SCALE.index(after.status) <= SCALE.index(before.status)
        assert after.status in {before.status, "review"}
    else:
        assert before == after


@settings(max_examples=100, deadline=None)
@given(registries(), cases(), st.lists(plain_reservations(), max_size=2), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(grants, case, reservations, random):
    shuffled = random.sample(grants, len(grants))
    assert asdict(decided(grants, case, reservations)) == asdict(decided(shuffled, case, reservations))


def tighter(fields, how):
    """The same grant with less leave in one respect."""
    day = UNIVERSE["as_of"][2]
    if how == "territory":
        return fields | {"excluded_territories": {*fields["excluded_territories"], "US"}}
    if how == "start":
        return fields | {"valid_from": max(fields["valid_from"] or day, day)}
    if how == "end":
        return fields | {"valid_to": min(fields["valid_to"] or day, day)}
    if how == "withdrawal":
        return fields | {"withdrawn_on": min(fields["withdrawn_on"] or day, day)}
    if how == "product":
        return fields | {"product": "p1"}
    return fields | {"permission": {"allowed": "constrained"}.get(fields["permission"], "not_allowed")}


@settings(max_examples=150, deadline=None)
@given(
    registries(),
    cases(),
    st.lists(plain_reservations(), max_size=2),
    st.sampled_from(["territory", "start", "end", "withdrawal", "product", "permission"]),
    st.data(),
)
def test_less_leave_never_makes_a_verdict_more_permissive(grants, case, reservations, how, data):
    linked = {fields["supersedes"] for fields in grants} | {g["grant_id"] for g in grants if g["supersedes"]}
    # What is exclusive keeps others out, and what supersedes takes another's place: less of these can be more.
    alone = [
        at
        for at, fields in enumerate(grants)
        if fields["permission"] != "not_allowed" and not fields["exclusive"] and fields["grant_id"] not in linked
    ]
    if not alone:
        return
    at = data.draw(st.sampled_from(alone))
    changed = [*grants[:at], tighter(grants[at], how), *grants[at + 1 :]]
    before, after = decided(grants, case, reservations), decided(changed, case, reservations)
    assert SCALE.index(after.status) <= SCALE.index(before.status)


@settings(max_examples=100, deadline=None)
@given(registries(), cases(), st.lists(plain_reservations(), max_size=2), st.sampled_from(sorted(UNIVERSE)))
def test_a_fact_that_is_told_settles_a_doubt_or_changes_nothing(grants, case, reservations, fact):
    told = {value: decided(grants, case | {fact: value}, reservations).status for value in UNIVERSE[fact]}
    without = decided(grants, case | {fact: None}, reservations).status
    assert without == "review" or set(told.values()) == {without}
