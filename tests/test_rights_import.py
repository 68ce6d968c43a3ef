"""Imports into a registry file: tables of every form, what is refused, and that nothing is lost."""

import contextlib
import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import tracemalloc
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import (
    ParameterError,
    RegistryDamagedError,
    RegistryError,
    RegistryLockedError,
    RegistryVersionError,
)
from earmark.rights import PERMISSIONS, SCOPES, Grant, Recording, Reservation, Use, decide, holders_of, read_registry
from earmark.rights.cells import PARSERS, format_cell
from earmark.rights.exporting import export_registry, write_template
from earmark.rights.importing import ImportOptions, import_files
from earmark.rights.kinds import KINDS, kind_of
from earmark.rights.recordings import Holding, RecordingEntry
from earmark.rights.reservations import RESERVATION_TYPES
from earmark.rights.rewriting import rewritten
from earmark.rights.schema import MIGRATIONS, check_version, migrate
from earmark.rights.storing import SourceFile, Store
from earmark.rights.tables import TABLE_FORMATS
from earmark.rights.territories import COUNTRIES
from earmark.rights.use_types import read_use_types

GRANTS = "grant_id,licensee,scope,permission,label,territories,valid_from,valid_to,supersedes\n"
GOOD = "G1,Acme AI,ai_training,allowed,Foo,Worldwide,2026-01-01,2026-12-31,\n"


@pytest.fixture
def write(tmp_path):
    def _write(name, data):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return _write


@pytest.fixture
def registry(tmp_path):
    return tmp_path / "my.registry"


def take(registry, *files, **options):
    """Import; return the report and the refusals as text."""
    refused = []
    report = import_files(registry, files, ImportOptions(**options), on_refusal=lambda each: refused.append(str(each)))
    assert (report.n_refused == 0) == (refused == [])
    return report, refused


def all_facts(registry):
    """Every fact of a registry file, as an export gives it."""
    path = registry.with_name("all.jsonl")
    path.unlink(missing_ok=True)
    export_registry(registry, path, "jsonl")
    provenance = ("source", "source_sha256", "message_id")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in provenance} for row in rows]


# Round trips

NAMES = st.text(alphabet="aZé ß,;\t|\"'\n=-+@", min_size=1, max_size=12).map(lambda text: f"{text.lstrip()}n")
MAYBE = st.none() | NAMES
DAYS = st.none() | st.dates()
ISRCS = st.integers(0, 99).map(lambda n: f"GBAYE68000{n:02d}")
UPCS = st.sampled_from(["0036000291452", "4006381333931", "9780201379624"])
PLACES = st.just(COUNTRIES) | st.frozensets(st.sampled_from(["US", "DE", "FR"]), min_size=1)


@st.composite
def coverages(draw):
    fields = {
        "track_id": draw(MAYBE),
        "isrc": draw(st.none() | ISRCS),
        "upc": draw(st.none() | UPCS),
        "label": draw(MAYBE),
        "rightsholder": draw(NAMES),
    }
    return {column: value for column, value in fields.items() if draw(st.booleans()) or column == "rightsholder"}


@st.composite
def grants(draw):
    start, end = draw(DAYS), draw(DAYS)
    permission = draw(st.sampled_from(PERMISSIONS))
    return Grant(
        grant_id=draw(NAMES),
        licensee=draw(NAMES),
        scope=draw(st.sampled_from(SCOPES)),
        permission=permission,
        product=draw(MAYBE),
        exclusive=permission != "not_allowed" and draw(st.booleans()),
        territories=draw(PLACES),
        excluded_territories=draw(st.sampled_from([frozenset(), frozenset({"GB"})])),
        valid_from=min(start, end) if start and end else start,
        valid_to=max(start, end) if start and end else end,
        constraints=draw(MAYBE) if permission == "constrained" else None,
        contract_ref=draw(MAYBE),
        contract_sha256=draw(st.none() | st.just("ab" * 32)),
        **draw(coverages()),
    )


RECORDINGS = st.builds(
    RecordingEntry,
    track_id=NAMES,
    isrc=st.none() | ISRCS,
    iswc=st.none() | st.just("T0345246801"),
    grid=st.none() | st.just("A12425GABC1234002M"),
    upc=st.frozensets(UPCS).map(lambda upcs: tuple(sorted(upcs))),
    title=MAYBE,
    artists=MAYBE,
    label=MAYBE,
    p_line=MAYBE,
    duration_s=st.none() | st.floats(0.1, 1e5),
)
HOLDINGS = st.builds(
    Holding,
    track_id=NAMES,
    rightsholder=NAMES,
    share=st.none() | st.fractions(Fraction(1, 100), Fraction(1, 40), max_denominator=1000),
    dpid=st.none() | st.just("PADPIDA2014021501L"),
)
RESERVATIONS = coverages().flatmap(
    lambda covered: st.builds(
        Reservation,
        reservation_id=NAMES,
        type=st.sampled_from(RESERVATION_TYPES),
        scopes=st.sampled_from([SCOPES, SCOPES[1:3], SCOPES[:1]]),
        permission=st.sampled_from(["not_allowed", "constrained"]),
        territories=PLACES,
        url=st.just("https://foo.example/tdm"),
        text=MAYBE,
        asserted_at=DAYS,
        **{column: st.just(value) for column, value in covered.items()},
    )
)


def one_line(fact):
    """The fact with every text on one line, as cells are read."""
    columns = kind_of(fact).columns
    texts = {name: value for name in columns if isinstance(value := getattr(fact, name), str)}
    return replace(fact, **{name: " ".join(value.split()) for name, value in texts.items()})


@settings(max_examples=40, deadline=None)
@given(
    st.lists(grants() | RECORDINGS | HOLDINGS | RESERVATIONS, min_size=1, max_size=8), st.sampled_from(TABLE_FORMATS)
)
def test_an_export_gives_back_what_was_imported(tmp_path_factory, facts, form):
    folder = tmp_path_factory.mktemp("trip")
    with rewritten(folder / "one", wait_s=0) as connection:
        store = Store(connection)
        store.add_source(SourceFile(name="made", sha256="0" * 64, format="csv", message_id="M1"))
        kept = [fact for fact in map(one_line, facts) if store.put(fact) == "added"]
    out = folder / "out"
    written = export_registry(folder / "one", out, form)
    report, refused = take(folder / "two", *written)
    assert refused == []
    assert sum(report.added.values()) == len(kept)
    assert all_facts(folder / "two") == all_facts(folder / "one")
    again = read_registry(folder / "two")
    assert again.grants == tuple(fact for fact in kept if isinstance(fact, Grant))
    assert again.reservations == tuple(fact for fact in kept if isinstance(fact, Reservation))
    for fact in kept:
        if isinstance(fact, RecordingEntry):
            assert fact in again.recordings.recordings(fact.track_id, None)
        if isinstance(fact, Holding):
            assert (fact.rightsholder, fact.share) in {
                (holding.rightsholder, holding.share) for holding in again.recordings.holdings(fact.track_id, None)
            }


@pytest.mark.parametrize("form", TABLE_FORMATS)
def test_a_template_has_every_column_and_can_be_imported(tmp_path, registry, form):
    files = write_template(tmp_path / ("template" + ("" if form == "csv" else f".{form}")), form)
    report, refused = take(registry, *files)
    assert refused == []
    assert report.added == {"recordings": 1, "holdings": 2, "grants": 1, "reservations": 1}
    if form == "csv":
        headers = {path.stem: path.read_text().splitlines()[0].split(",") for path in files}
    elif form == "xlsx":
        book = openpyxl.load_workbook(files[0])
        headers = {sheet.title: [cell.value for cell in sheet[1]] for sheet in book}
    else:
        return
    assert {name: set(header) for name, header in headers.items()} == {
        name: set(kind.parsers) for name, kind in KINDS.items()
    }


def test_every_fact_keeps_its_source(registry, write):
    path = write("grants.csv", GRANTS + GOOD)
    take(registry, path)
    with contextlib.closing(sqlite3.connect(registry)) as connection:
        (row,) = connection.execute(
            "SELECT name, sha256, format, message_id, line FROM grants JOIN sources USING (source_id)"
        )
    digest = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    assert row == ("grants.csv", digest, "csv", None, 2)


def test_spreadsheet_cells_of_every_type(tmp_path, registry):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Grants"
    sheet.append(["grant_id", "licensee", "scope", "permission", "track_id", "exclusive", "territories", "valid_from"])
    sheet.append([7, "Acme AI", "ai_training", "allowed", 12.0, True, "US", date(2026, 1, 2)])
    holdings = book.create_sheet("holdings")
    holdings.append([None])
    holdings.append(["track_id", "rightsholder", "share", None, "notes"])
    holdings.append([12, "Jane", 0.125, None, "text"])
    holdings["C3"].number_format = "0.00%"
    holdings.append([12, "John", 50])
    book.create_sheet("Diary").append(["anything"])
    book.save(tmp_path / "rights.xlsx")
    report, refused = take(registry, tmp_path / "rights.xlsx")
    assert refused == []
    (grant,) = read_registry(registry).grants
    assert (grant.grant_id, grant.track_id, grant.exclusive, grant.valid_from) == ("7", "12", True, date(2026, 1, 2))
    assert holders_of(read_registry(registry), Recording(track_id="12")) == (
        ("Jane", Fraction(1, 8)),
        ("John", Fraction(1, 2)),
    )
    assert any("sheet 'Diary' is left out" in notice for notice in report.notices)


# Bad rows


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("track_id,isrc\nt1,GB-1\n", "line 2, column isrc: 'GB-1' is no ISRC"),
        (
            "track_id,iswc\nt1,T-034.524.680-2\n",
            "column iswc: 'T-034.524.680-2' is no ISWC: its check digit should be 1",
        ),
        ("track_id,iswc\nt1,034\n", "column iswc: '034' is no ISWC; expected T-NNN"),
        ("track_id,grid\nt1,A12425GABC1234002N\n", "column grid: 'A12425GABC1234002N' is no GRid (the check digit"),
        ("track_id,upc\nt1,036000291453\n", "column upc: '036000291453' is no UPC or EAN (the check digit is wrong)"),
        ("track_id,upc\nt1,12\n", "is no UPC or EAN (wrong length or characters)"),
        ("track_id,duration_s\nt1,3:35\n", "column duration_s: '3:35' is no length; expected seconds above 0"),
        ("track_id,duration_s\nt1,inf\n", "column duration_s: 'inf' is no length"),
        ("track_id,title\n,Song\n", "line 2: the row names no recording; fill at least one of track_id, isrc"),
        ("track_id,rightsholder,share\nt1,Jane,0\n", "column share: '0' is no share; expected more than 0"),
        ("track_id,rightsholder,share\nt1,Jane,1/0\n", "column share: '1/0' is no share"),
        ("track_id,rightsholder,share\nt1,Jane,1e9\n", "column share: '1e9' is no share"),
        ("track_id,rightsholder,share\nt1,Jane,half\n", "column share: 'half' is no share; expected percent"),
        ("track_id,rightsholder,share\nt1,,50\n", "column rightsholder: the cell is empty"),
        ("track_id,rightsholder,share,dpid\nt1,Jane,50,P\n", "column dpid: 'P' is no DPID; expected PADPIDA"),
        (
            "reservation_id,type,scopes,permission,url,label,territories\nR1,tdmrep,ai_training,allowed,x,Foo,US\n",
            "column permission: 'allowed' reserves nothing",
        ),
        (
            "reservation_id,type,scopes,permission,url,label,territories\nR1,tdmrep,ai_training,not_allowed,,Foo,US\n",
            "column url: neither url nor text is filled",
        ),
        (
            "reservation_id,type,scopes,permission,url,label,territories\nR1,tdm,,not_allowed,x,,US\n",
            "column type: 'tdm' is unknown; expected one of tdmrep",
        ),
        (
            GRANTS.replace("label", "label,exclusive") + "G1,*,ai_training,allowed,Foo,yes,US,,,\n",
            "column exclusive: a grant to anyone cannot be exclusive",
        ),
        (
            GRANTS.replace("label", "label,exclusive") + "G1,A,ai_training,not_allowed,Foo,x,US,,,\n",
            "column exclusive: a grant that forbids cannot be exclusive",
        ),
        (
            GRANTS.replace("label", "label,exclusive") + "G1,A,ai_training,allowed,Foo,perhaps,US,,,\n",
            "column exclusive: 'perhaps' is neither yes nor no",
        ),
        (
            GRANTS.replace("label", "label,constraints") + "G1,A,ai_training,allowed,Foo,no vocals,US,,,\n",
            "column constraints: the grant says allowed, which has none",
        ),
        (
            GRANTS.replace("label", "label,contract_sha256") + "G1,A,ai_training,allowed,Foo,12,US,,,\n",
            "column contract_sha256: '12' is no SHA-256",
        ),
    ],
)
def test_a_bad_row_is_refused_and_the_rest_goes_in(registry, write, text, words):
    path = write("table.csv", text)
    report, refused = take(registry, path, write("good.csv", GRANTS.replace("G1", "G2") + GOOD.replace("G1", "G0")))
    assert any(words in each for each in refused), refused
    assert all(each.startswith(f"{path}, line 2") for each in refused)
    assert report.added == {"grants": 1}
    assert report.n_files_refused == 0
    with pytest.raises(RegistryError, match="nothing was imported: 1 refused"):
        take(registry.with_name("strict"), path, strict=True)
    assert not registry.with_name("strict").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 1: no JSON"),
        (
            '{"kind": "songs"}',
            "line 1, column kind: 'songs' is no kind of facts; expected an object whose kind is one of",
        ),
        ("[1]", "'list' is no kind of facts"),
        ('{"kind": "recordings", "track_id": {}}', None),
        ('{"kind": "recordings", "isrc": 5}', "column isrc: '5' is no ISRC"),
        (
            '{"kind": "grants", "grant_id": "G", "licensee": "A", "scope": "ai_training", "permission": "allowed", '
            '"label": "Foo", "territories": ["US"], "valid_until": "2026-01-01"}',
            "column valid_until: unknown; is it valid_to?",
        ),
    ],
)
def test_bad_json_lines(registry, write, line, words):
    good = '{"kind": "recordings", "track_id": "t0"}\n'
    report, refused = take(registry, write("facts.jsonl", good + f"{line}\n{good}"))
    if words is not None:
        assert len(refused) == 1
        assert words.replace("line 1", "line 2") in refused[0]
    assert report.added["recordings"] >= 1


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"", "is empty; expected a table"),
        ("a.csv", b"SQLite format 3\0", "is a registry file itself, or another SQLite file"),
        ("a.csv", f"{GRANTS}{GOOD}G2,Caf".encode() + b"\xe9", "line 3: byte 0xe9 is not UTF-8"),
        ("a.csv", (GRANTS + GOOD).encode("utf-16"), "is UTF-16 text; save it as CSV in UTF-8"),
        ("a.csv", (GRANTS + GOOD + 'G2,"Acme\n').encode(), "line 3: malformed quotes"),
        ("a.csv", b"title,artist\nSong,Band\n", "nothing says which recordings the recordings are about"),
        ("a.csv", b"x" * (3 << 20), "line 1: longer than 2,097,152 bytes"),
        ("a.xlsx", b"PK\x03\x04" + b"\0" * 100, "is no spreadsheet that can be read"),
        ("a.json", b'{"a": 1}', "is JSON of another kind"),
        ("a.json", b"[" * 100_000, "is JSON of another kind"),
        ("a.txt", b"grant_id,licensee\nG1,Acme\n", "missing columns scope, permission, territories"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_as_a_whole(registry, write, name, data, words):
    report, refused = take(registry, write(name, data), write("good.csv", GRANTS + GOOD.replace("G1", "G7")))
    assert len(refused) == 1
    assert words in refused[0]
    assert str(registry.with_name(name)) in refused[0]
    assert report.n_files_refused == 1
    assert [grant.grant_id for grant in read_registry(registry).grants] == ["G7"]


def test_a_missing_file_is_refused(registry, tmp_path, write):
    report, refused = take(registry, tmp_path / "none.csv", write("good.csv", GRANTS + GOOD))
    assert refused == [f"{tmp_path}/none.csv cannot be read: No such file or directory"]
    assert report.added == {"grants": 1}


# Facts that meet others


def test_the_same_again_changes_not_a_byte(registry, write):
    path = write("grants.csv", GRANTS + GOOD)
    take(registry, path)
    before = registry.read_bytes()
    report, refused = take(registry, path)
    assert (report.added, report.known, refused) == ({}, {"grants": 1}, [])
    assert registry.read_bytes() == before


def test_a_grant_id_with_other_contents_is_refused(registry, write):
    take(registry, write("one.csv", GRANTS + GOOD))
    _, refused = take(registry, write("two.csv", GRANTS + GOOD.replace("2026-12-31", "2027-12-31")), replace=True)
    (words,) = refused
    assert "two.csv, line 2, column valid_to: grant G1 is in the registry already (from one.csv)" in words
    assert "with '2026-12-31', got '2027-12-31'; give the new one an id of its own" in words


def test_a_recording_with_other_contents_needs_replace(registry, write):
    take(registry, write("one.csv", "track_id,title\nt1,Song\n"))
    later = write("two.csv", "track_id,title\nT1,Other\n")
    _, refused = take(registry, later)
    assert "the recording of T1 is in the registry already (from one.csv)" in refused[0]
    report, refused = take(registry, later, replace=True)
    assert (report.replaced, refused) == ({"recordings": 1}, [])
    assert [row["title"] for row in all_facts(registry)] == ["Other"]


def test_shares_beyond_the_whole_are_refused(registry, write):
    rows = "track_id,rightsholder,share\nt1,Jane,60\nT1,John,50\nt1,Ann,40\nt2,A,1/3\nt2,B,33.33%\nt2,C,33.34\n"
    report, refused = take(registry, write("holdings.csv", rows))
    assert len(refused) == 1
    assert "line 3, column share: with 50% for John the shares of T1 add up to 110.00%" in refused[0]
    assert report.added == {"holdings": 5}


def test_shares_by_territory(registry, write):
    head = "track_id,rightsholder,share,territories,excluded_territories\n"
    rows = (
        "t1,Jane,100,Worldwide,DE AT\nt1,John,60,DE AT,\nt1,Ann,40,DE,\nt1,Bob,50,AT DE,\nt1,Jane,1,FR,\nt1,X,1,FR,\n"
    )
    report, refused = take(registry, write("holdings.csv", head + rows))
    assert report.added == {"holdings": 3}
    assert [words.split(", ", 1)[1] for words in refused] == [
        "line 5, column share: with 50% for Bob the shares of t1 in AT add up to 110.00%; expected 100% or less",
        "line 6, column share: the holding of t1 is in the registry already (from holdings.csv) with '100%', got '1%'; "
        "--replace takes the new one",
        "line 7, column share: with 1% for X the shares of t1 in FR add up to 101.00%; expected 100% or less",
    ]
    found = {
        territory: holders_of(read_registry(registry), Recording(track_id="T1"), territory)
        for territory in ("FR", "AT", "DE", None)
    }
    assert found["FR"] == (("Jane", Fraction(1)),)
    assert found["AT"] == (("John", Fraction(3, 5)),)
    assert found["DE"] == (("John", Fraction(3, 5)), ("Ann", Fraction(2, 5)))
    assert found[None] == ()  # nobody has a part of it everywhere
    new = write("new.csv", head + "t1,Jane,100,Worldwide,DE AT FR\nt1,Ann,40,DE AT,\nt1,Jane,90,DE,\n")
    report, refused = take(registry, new, replace=True)
    assert report.replaced == {"holdings": 2}
    assert "with 90% for Jane the shares of t1 in DE add up to 190.00%" in refused[0]
    report, _ = take(registry, write("again.csv", head + "t1,Jane,100,Worldwide,AT DE FR\n"))
    assert report.known == {"holdings": 1}


def test_a_grant_is_withdrawn_by_its_row_with_the_day(registry, write):
    head = "grant_id,licensee,scope,permission,label,territories,withdrawn_on\n"
    row = "G1,Acme AI,ai_training,allowed,Foo,US,"
    take(registry, write("one.csv", f"{head}{row}\n"))
    report, refused = take(registry, write("two.csv", f"{head}{row}2026-06-01\n"))
    assert (report.replaced, refused) == ({"grants": 1}, [])
    # the row without the day does not undo it, and another day is a contradiction
    report, refused = take(registry, write("three.csv", f"{head}{row}\n"))
    assert (report.known, refused) == ({"grants": 1}, [])
    _, refused = take(registry, write("four.csv", f"{head}{row}2026-07-01\n"))
    assert "column withdrawn_on: grant G1 is in the registry already (from one.csv) with '2026-06-01'" in refused[0]
    use = Use(licensee="Acme AI", scope="ai_training", territory="US", as_of=date(2026, 5, 31))
    recording, opened = Recording(label="Foo"), read_registry(registry)
    assert decide(recording, opened, use).status == "licensed"
    found = decide(recording, opened, replace(use, as_of=date(2026, 6, 1)))
    assert (found.status, found.reason) == ("unlicensed", "grant G1 allows it but was withdrawn on 2026-06-01")


@pytest.mark.parametrize(
    ("rows", "words", "left"),
    [
        (
            "G1,A,ai_training,allowed,Foo,US,,,G9\n",
            ["line 2, column supersedes: grant G1: 'G9' is the grant_id of no row"],
            0,
        ),
        ("G1,A,ai_training,allowed,Foo,US,,,G1\n", ["'G1' is the grant itself"], 0),
        (
            "G1,A,ai_training,allowed,Foo,US,,,G9\nG2,A,ai_training,allowed,Foo,US,,,G1\nG3,A,ai_training,allowed,Foo,US,,,\n",
            ["G1: 'G9'", "line 3, column supersedes: grant G2: 'G1' is the grant_id of no row"],
            1,
        ),
        (
            "G1,A,ai_training,allowed,Foo,US,,,G2\nG2,A,ai_training,allowed,Foo,US,,,G1\n",
            ["form a cycle: G1 supersedes G2 supersedes G1", "'G1' is the grant_id of no row"],
            0,
        ),
    ],
)
def test_links_that_lead_nowhere(registry, write, rows, words, left):
    report, refused = take(registry, write("grants.csv", GRANTS + rows))
    assert len(refused) == len(words)
    assert all(word in each for word, each in zip(words, refused, strict=True))
    assert report.added.get("grants", 0) == len(read_registry(registry).grants) == left


def test_links_across_files_and_imports(registry, write):
    take(registry, write("one.csv", GRANTS + GOOD))
    later = GRANTS + "G3,A,ai_training,allowed,Foo,US,,,G2\n"
    _, refused = take(
        registry, write("3.csv", later), write("2.csv", GRANTS + "G2,A,ai_training,allowed,Foo,US,,,G1\n")
    )
    assert refused == []
    assert [grant.supersedes for grant in read_registry(registry).grants] == [None, "G2", "G1"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            "G2,acme ai,ai_training,not_allowed,foo,US,2026-06-01,,\n",
            "hold at once from 2026-06-01 to 2026-12-31 and say",
        ),
        ("G2,Acme AI,ai_training,allowed,Foo,US,2026-06-01,,\n", "and say the same: the one of the lesser id is named"),
        ("G2,Acme AI,ai_training,not_allowed,Foo,US,2027-01-01,,\n", None),
        ("G2,Acme AI,ai_training,not_allowed,Foo,US,,,G1\n", None),
        ("G2,Acme AI,data_mining,not_allowed,Foo,US,,,\n", None),
        ("G2,Acme AI,ai_training,not_allowed,Bar,US,,,\n", None),
        ("G2,Other,ai_training,not_allowed,Foo,US,,,\n", None),
    ],
)
def test_overlapping_validity_is_told(registry, write, row, words):
    take(registry, write("one.csv", GRANTS + GOOD))
    report, refused = take(registry, write("two.csv", GRANTS + row))
    assert refused == []
    told = [notice for notice in report.notices if "hold at once" in notice]
    assert len(told) == (words is not None)
    assert words is None or words in told[0]
    if words is not None:
        other = registry.with_name("other")
        with pytest.raises(RegistryError, match="nothing was imported: 1 overlapping: grants G1 and G3"):
            take(other, write("one.csv", GRANTS + GOOD + row.replace("G2", "G3")), strict=True)


@pytest.mark.parametrize(
    ("row", "differs"),
    [
        ("G2,acme ai,ai_training,not_allowed,foo,Worldwide,,,G1\n", None),
        ("G2,*,ai_training,not_allowed,foo,Worldwide,,,G1\n", None),
        ("G2,Other,ai_inference,allowed,Foo,CA,,,G1\n", "licensee, scope, territories"),
        ("G2,Acme AI,ai_training,allowed,Bar,Worldwide,,,G1\n", "label"),
    ],
)
def test_a_successor_that_leaves_something_out_is_told(registry, write, row, differs):
    take(registry, write("one.csv", GRANTS + GOOD))
    report, refused = take(registry, write("two.csv", GRANTS + row))
    assert refused == []
    told = [notice for notice in report.notices if "supersedes" in notice]
    assert len(told) == (differs is not None)
    assert differs is None or f"G2 supersedes G1 as a whole but differs from it in {differs}: what only G1" in told[0]


def test_two_exclusive_grants_are_told(registry, write):
    header = GRANTS.replace("label", "exclusive,label")
    rows = "G1,Acme,ai_training,allowed,yes,Foo,US,,,\nG2,Rival,ai_training,allowed,,Foo,US,,,\n"
    report, _ = take(registry, write("grants.csv", header + rows))
    assert "for different licensees, and one is exclusive" in report.notices[0]


# The file: versions, writers, crashes


def test_a_registry_of_a_newer_version_is_left_alone(registry, write):
    take(registry, write("grants.csv", GRANTS + GOOD))
    with contextlib.closing(sqlite3.connect(registry)) as connection:
        connection.execute("PRAGMA user_version = 7")
    before = registry.read_bytes()
    words = f"schema version 7, written by a newer version of Earmark; this one knows up to {len(MIGRATIONS)}"
    with pytest.raises(RegistryVersionError, match=words):
        read_registry(registry)
    with pytest.raises(RegistryVersionError, match=words):
        take(registry, write("more.csv", GRANTS + GOOD.replace("G1", "G2")))
    with pytest.raises(RegistryVersionError, match=words):
        export_registry(registry, registry.with_name("out"), "csv")
    assert registry.read_bytes() == before
    assert {path.name for path in registry.parent.iterdir()} == {"grants.csv", "more.csv", "my.registry"}


def test_an_older_registry_is_brought_up_to_date(registry, write):
    take(registry, write("grants.csv", GRANTS + GOOD))
    later = (*MIGRATIONS, "ALTER TABLE grants ADD COLUMN notes TEXT;")
    old = r"schema version 2, expected 3; .earmark license import"
    with contextlib.closing(sqlite3.connect(registry)) as connection, pytest.raises(RegistryVersionError, match=old):
        check_version(connection, registry, later)
    with rewritten(registry, wait_s=0, migrations=later):
        pass
    with contextlib.closing(sqlite3.connect(registry)) as connection:
        check_version(connection, registry, later)
        assert connection.execute("SELECT grant_id, notes FROM grants").fetchall() == [("G1", None)]
        assert migrate(connection, registry, later) == 3


def test_a_registry_of_version_1_keeps_its_facts(registry, write):
    with rewritten(registry, wait_s=0, migrations=MIGRATIONS[:1]) as connection:
        connection.execute("INSERT INTO sources VALUES (1, 'old.csv', 'ab', 'csv', NULL, '2026-01-01')")
        columns = "track_id, rightsholder, share, track_key, holder_key, source_id, line"
        connection.execute(f"INSERT INTO holdings ({columns}) VALUES ('T1', 'Jane', '60%', 't1', 'jane', 1, 2)")
        columns = "grant_id, licensee, scope, permission, label, territories, source_id, line"
        values = "('G1', 'A', 'ai_training', 'allowed', 'Foo', 'US', 1, 2)"
        connection.execute(f"INSERT INTO grants ({columns}) VALUES {values}")
    with pytest.raises(RegistryVersionError, match=r"schema version 1, expected 2; .earmark license import"):
        read_registry(registry)
    holding = write("holdings.csv", "track_id,rightsholder,share\nT1,Jane,60\nT1,John,40\n")
    report, refused = take(registry, holding, write("grants.csv", GRANTS + "G1,A,ai_training,allowed,Foo,US,,,\n"))
    assert (refused, report.known, report.added) == ([], {"holdings": 1, "grants": 1}, {"holdings": 1})
    found = holders_of(read_registry(registry), Recording(track_id="T1"), "US")
    assert found == (("Jane", Fraction(3, 5)), ("John", Fraction(2, 5)))


def test_a_migration_that_fails_leaves_the_old_file(registry, write):
    take(registry, write("grants.csv", GRANTS + GOOD))
    before = registry.read_bytes()
    with (
        pytest.raises(RegistryDamagedError, match="cannot be written"),
        rewritten(registry, wait_s=0, migrations=(*MIGRATIONS, "ALTER TABLE nothing ADD COLUMN notes TEXT;")),
    ):
        pass
    assert registry.read_bytes() == before


@pytest.mark.parametrize("size", [0.3, 0.7])
def test_a_truncated_registry_raises_our_error(registry, write, size):
    rows = "".join(f"G{n},Acme AI,ai_training,allowed,Label {n},Worldwide,,,\n" for n in range(2000))
    take(registry, write("grants.csv", GRANTS + rows))
    registry.write_bytes(registry.read_bytes()[: int(registry.stat().st_size * size)])
    with pytest.raises(RegistryDamagedError, match="damaged"):
        read_registry(registry)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_registry_raises_our_error_or_is_read(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damage")
    (folder / "grants.csv").write_text(GRANTS + GOOD)
    take(folder / "r", *write_template(folder / "t", "csv"), folder / "grants.csv")
    changed = bytearray((folder / "r").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(16, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    (folder / "r").write_bytes(changed)
    with contextlib.suppress(RegistryError):
        found = read_registry(folder / "r")
        decide(Recording(track_id="SL-0001", isrc="GBAYE6800011"), found, Use())


WRITER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from earmark.rights.rewriting import rewritten
    from earmark.rights.storing import SourceFile, Store
    from earmark.rights.recordings import RecordingEntry
    name, count, pause = sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    with rewritten(Path(sys.argv[1]), wait_s=60) as connection:
        store = Store(connection)
        store.add_source(SourceFile(name=name, sha256="0" * 64, format="csv"))
        for number in range(count):
            store.put(RecordingEntry(track_id=f"{name}-{number}"))
        print("writing", flush=True)
        time.sleep(pause)
""")


def start_writer(registry, name, count, pause):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, registry, name, str(count), str(pause)], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_writing_at_once_both_get_in(registry):
    writers = [start_writer(registry, name, 2000, 0.5) for name in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    for writer in writers:
        writer.stdout.close()
    table = read_registry(registry).recordings
    assert all(table.recordings(f"{name}-{number}", None) for name in "ab" for number in (0, 1999))


def test_a_writer_that_cannot_wait_is_told(registry, write):
    writer = start_writer(registry, "a", 1, 60)
    try:
        assert writer.stdout.readline() == "writing\n"
        with pytest.raises(RegistryLockedError, match=r"another process is writing to this registry, for 0\.2 s now"):
            take(registry, write("grants.csv", GRANTS + GOOD), wait_s=0.2)
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    report, _ = take(registry, write("grants.csv", GRANTS + GOOD), wait_s=0)
    assert report.added == {"grants": 1}


def test_a_writer_that_is_killed_leaves_the_old_registry(registry, write):
    take(registry, write("grants.csv", GRANTS + GOOD))
    before = registry.read_bytes()
    writer = start_writer(registry, "a", 50_000, 60)
    assert writer.stdout.readline() == "writing\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert registry.read_bytes() == before
    take(registry, write("more.csv", GRANTS + GOOD.replace("G1", "G2")), wait_s=0)
    assert len(read_registry(registry).grants) == 2
    assert read_registry(registry).recordings is None
    assert {path.name for path in registry.parent.iterdir()} == {"grants.csv", "more.csv", "my.registry"}


def test_a_registry_that_is_open_stays_as_it_was(registry, write):
    take(registry, write("one.csv", "track_id,label\nt1,Foo\n"))
    opened = read_registry(registry)
    take(registry, write("two.csv", "track_id,label\nt1,Bar\n"), replace=True)
    assert opened.recordings.recordings("t1", None)[0].label == "Foo"
    assert read_registry(registry).recordings.recordings("t1", None)[0].label == "Bar"
    assert read_registry(registry).digest != opened.digest


def test_what_is_no_registry_is_not_written_over(tmp_path, write):
    path = write("rights.csv", GRANTS + GOOD)
    with pytest.raises(RegistryError, match="is no registry file; expected a new name"):
        take(path, write("more.csv", GRANTS + GOOD))
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(RegistryError, match="is a SQLite file of something else"):
        take(tmp_path / "other.db", path)
    with pytest.raises(RegistryError, match="cannot be written: No such file or directory"):
        take(tmp_path / "none" / "r", path)


def test_a_long_table_is_read_in_little_memory(tmp_path, registry):
    path = tmp_path / "recordings.csv"
    n_rows = 40_000
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["track_id", "isrc", "title", "label", "notes"])
        for number in range(n_rows):
            table.writerow([f"t{number}", f"GBAYE{number:07d}", f"Song {number}", "Foo", "x" * 200])
    seen = []
    tracemalloc.start()
    try:
        report = import_files(registry, [path], on_progress=seen.append)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.added == {"recordings": n_rows}
    assert path.stat().st_size > 9e6
    assert peak < 8e6  # of one block of the file and one row; the file itself does not fit
    assert len(seen) > 20
    assert [at.n_bytes for at in seen] == sorted(at.n_bytes for at in seen)
    assert seen[-1].n_bytes == seen[-1].n_bytes_total == path.stat().st_size


# Use types


def test_use_types(write):
    path = write(
        "u.json",
        '{"AiTraining": "ai_training",'
        ' "X:Mine": {"scope": "data_mining", "permission": "constrained", "constraints": "c"}}',
    )
    found = read_use_types(path)
    assert (found["AiTraining"].scope, found["AiTraining"].permission) == ("ai_training", "allowed")
    assert (found["X:Mine"].permission, found["X:Mine"].constraints) == ("constrained", "c")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "expected an object such as"),
        ("{", "is no JSON"),
        ('{"A": "training"}', "'A': 'training' is unknown; expected one of ai_training"),
        ('{"A": {"scope": "ai_training", "permision": "allowed"}}', "'A': expected a scope, or an object of"),
        ('{"A": {"scope": "ai_training", "constraints": "c"}}', "constraints go with permission constrained"),
        ('{"Stream": "ai_training"}', "'Stream' is DDEX's use type of listening, sale or copying; no AI use follows"),
        ('{"dpid:OnDemandStream": "ai_training"}', "no AI use follows from it"),
    ],
)
def test_use_types_that_are_wrong(write, text, words):
    with pytest.raises(RegistryError, match=r"u\.json") as caught:
        read_use_types(write("u.json", text))
    assert words in str(caught.value)


def test_every_column_has_a_parser_that_reads_what_is_written():
    for kind in KINDS.values():
        assert set(kind.columns) == set(kind.parsers)
        assert {*kind.required, *kind.optional, *kind.coverage} == set(kind.columns)
    assert PARSERS["exclusive"](format_cell(True)) is True
    assert PARSERS["exclusive"](format_cell(False)) is False


def test_an_unknown_form(tmp_path):
    with pytest.raises(ParameterError, match="form must be one of csv, xlsx, jsonl, got 'pdf'"):
        write_template(tmp_path / "x", "pdf")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(RegistryError, match="is not empty; expected a new or an empty folder"):
        write_template(tmp_path / "full", "csv")
    with pytest.raises(RegistryError, match="is there already"):
        write_template(Path(tmp_path / "full"), "jsonl")
