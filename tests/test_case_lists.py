"""Allow and ignore lists: what is refused, what an entry applies to, and what becomes of a real scan."""

import dataclasses
import json
from collections import Counter
from datetime import date

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.audit import verify
from earmark.errors import RegistryError
from earmark.rights.case_lists import find_entry, read_case_list
from earmark.scan import ItemRow
from earmark.scan.exemptions import Lists, exempt, read_lists, used_entries
from earmark.scan.judging import ItemRecord
from earmark.scan.listening import Problem

from .small_catalog import USE, excerpt, items_of, registry, rows, run_earmark, small_catalog
from .test_scan_report import match

TODAY = date(2026, 11, 1)
HEADER = "sha256,track_id,isrc,artist,reason,author,expires"
SHA = "ab" * 32


def write_list(path, *lines, header=HEADER):
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def read(tmp_path, *lines):
    return read_case_list(write_list(tmp_path / "list.csv", *lines), TODAY)


# Reading


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (",,,,why,Ann,never", "names nothing; expected one of sha256, track_id, isrc, artist"),
        ("abc,,,,why,Ann,never", "column sha256: 'abc' is no SHA-256"),
        (",,XX,,why,Ann,never", "'XX' is no ISRC"),
        (",t1,,,,Ann,never", "column reason is empty"),
        (",t1,,,why, ,never", "column author is empty"),
        (",t1,,,why,Ann,", "column expires: '' is no day; expected YYYY-MM-DD, or never"),
        (",t1,,,why,Ann,2026-02-30", "column expires: '2026-02-30' is no day"),
        (",t1,,,why,Ann,20260101", "column expires: '20260101' is no day"),
        (",t1,,,why,Ann", "column expires: '' is no day"),
        (",t1,,,why,Ann,never,more", "8 cells; expected 7"),
    ],
)
def test_a_bad_row_is_named_with_file_and_line(tmp_path, line, words):
    with pytest.raises(RegistryError) as caught:
        read(tmp_path, ",t0,,,why,Ann,never", line)
    assert str(caught.value).startswith(f"{tmp_path / 'list.csv'}, line 3: {words}")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("track_id,reason,author", "missing: expires"),
        ("reason,author,expires", "one or more of sha256, track_id, isrc, artist"),
        ("track_id,title,reason,author,expires", "unknown: 'title'"),
        ("track_id,track_id,reason,author,expires", "each once"),
    ],
)
def test_a_bad_header_is_told(tmp_path, header, words):
    with pytest.raises(RegistryError, match=rf"list\.csv, line 1: .*{words}"):
        read_case_list(write_list(tmp_path / "list.csv", header=header), TODAY)


def test_files_that_are_no_list(tmp_path):
    for data, words in ((b"", "is empty"), (b"\xff\xfea", "UTF-16"), (b"track_id\0", "NUL"), (b"a\xffb", "not UTF-8")):
        (tmp_path / "list.csv").write_bytes(data)
        with pytest.raises(RegistryError, match=words):
            read_case_list(tmp_path / "list.csv", TODAY)
    with pytest.raises(RegistryError, match=r"none\.csv cannot be read: No such file"):
        read_case_list(tmp_path / "none.csv", TODAY)


def test_many_mistakes_are_counted(tmp_path):
    with pytest.raises(RegistryError, match=r"line 21: .*\n\.\.\. and 5 more$"):
        read(tmp_path, *([",,,,why,Ann,never"] * 25))


def test_the_last_day_counts_and_the_next_is_too_late(tmp_path, caplog):
    path = write_list(tmp_path / "list.csv", ",t1,,,why,Ann,2026-11-01", ",t2,,,for a while,Bob,2026-10-31")
    lists = read_lists(path, None, TODAY)
    assert [entry.line for entry in lists.allow.entries] == [2]
    assert [entry.line for entry in lists.allow.expired] == [3]
    assert f"{path}, line 3: expired on 2026-10-31 and is not applied (for a while; by Bob)" in caplog.text
    assert find_entry(lists.allow, sha256=None, track_id="t2") is None


# What an entry applies to

few = st.sampled_from(["", "", "x", "y"])
few_isrc = st.sampled_from(["", "", "GBAYE6800011", "GBAYE6800012"])
few_sha = st.sampled_from(["", "", "aa" * 32, "bb" * 32])
names = st.tuples(few_sha, few, few_isrc, few).filter(any)


@given(st.lists(names, max_size=6), few_sha, few, few_isrc, few)
@settings(deadline=None)
def test_the_first_entry_that_agrees_in_all_it_names_applies(tmp_path_factory, entries, sha256, track_id, isrc, artist):
    folder = tmp_path_factory.mktemp("list")
    cases = read(folder, *(",".join([*entry, "why", "Ann", "never"]) for entry in entries))
    asked = (sha256, track_id, isrc, artist)
    expected = next(
        (
            n
            for n, entry in enumerate(entries, 2)
            if all(wanted in ("", given_name) for wanted, given_name in zip(entry, asked, strict=True))
        ),
        None,
    )
    found = find_entry(
        cases, sha256=sha256 or None, track_id=track_id or None, isrc=isrc or None, artist=artist or None
    )
    assert (None if found is None else found.line) == expected


def test_names_agree_without_regard_to_case_space_and_hyphens(tmp_path):
    cases = read(
        tmp_path, f"{SHA.upper()},,,,why,Ann,never", ",,gb-aye-68-00011,,why,Ann,never", ",,,the  BAND,why,A,never"
    )
    assert find_entry(cases, sha256=SHA).line == 2
    assert find_entry(cases, sha256=None, isrc="GBAYE6800011").line == 3
    assert find_entry(cases, sha256=None, isrc="no isrc") is None
    assert find_entry(cases, sha256=None, artist="The Band ").line == 4


# What it does


def record(*matches, error=None, status="unlicensed"):
    item = ItemRow(
        item="a.wav",
        sha256=SHA,
        duration_s=9.0,
        scanned_s=9.0,
        status=status,
        matched_s=8.0 if matches else 0.0,
        matches=len({each.group_id for each in matches}),
        error=error,
    )
    problem = None if error is None else Problem(kind="truncated", words=error)
    return ItemRecord(item=item, matches=matches, decoded_s=9.0, problem=problem)


def test_without_an_entry_nothing_changes(tmp_path):
    given_record = record(match())
    assert exempt(Lists(), given_record) is given_record
    lists = Lists(allow=read(tmp_path, ",t9,,,why,Ann,never"), ignore=read(tmp_path, ",t8,,,why,Ann,never"))
    assert exempt(lists, given_record) is given_record


def test_allowed_matches_are_licensed_and_say_why(tmp_path):
    allow = read(tmp_path, ",t1,,,our own release,Ann,2027-01-01")
    made = exempt(Lists(allow=allow), record(match(), match(group=1, track_id="t2", status="review")))
    first, second = made.matches
    assert (first.status, first.grant_id) == ("licensed", None)
    assert first.reason == (
        "allow list, line 2: our own release (by Ann, until 2027-01-01); without it unlicensed: because of t1"
    )
    assert second.status == "review"
    assert made.item.status == "review"
    assert used_entries(made.item, made.matches) == Counter({("allow list", 2): 1})


def test_what_a_grant_allows_needs_no_list(tmp_path):
    given_record = record(match(status="licensed"), status="licensed")
    assert exempt(Lists(allow=read(tmp_path, ",t1,,,why,Ann,never")), given_record) is given_record


def test_ignored_matches_are_left_out_and_counted(tmp_path):
    ignore = read(tmp_path, ",,,The Noise,no music,Ann,never", f"{SHA},t2,,,false claim,Bob,2027-01-01")
    noise = [match(group=n, artist="the noise", track_id=f"n{n}") for n in range(2)]
    kept = dataclasses.replace(match(group=3, track_id="t3", status="licensed"), item_start_s=2.0, item_end_s=4.0)
    made = exempt(Lists(ignore=ignore), record(*noise, match(group=2, track_id="t2"), kept, error="breaks off"))
    assert made.matches == (kept,)
    assert (made.item.status, made.item.matched_s, made.item.matches) == ("licensed", 2.0, 1)
    assert made.item.error == (
        "breaks off; 2 matches left out by ignore list, line 2: no music (by Ann, without an end); "
        "1 match left out by ignore list, line 3: false claim (by Bob, until 2027-01-01)"
    )
    assert made.problem.kind == "truncated"
    assert used_entries(made.item, made.matches) == Counter({("ignore list", 2): 1, ("ignore list", 3): 1})
    alone = exempt(Lists(ignore=ignore), record(match(artist="The Noise")))
    assert (alone.item.status, alone.item.matches, alone.matches, alone.problem) == ("unmatched", 0, (), None)


def test_ignoring_comes_before_allowing(tmp_path):
    both = read(tmp_path, ",t1,,,why,Ann,never")
    assert exempt(Lists(allow=both, ignore=both), record(match())).matches == ()


@pytest.mark.parametrize("given_record", [record(match()), record(error="not audio", status="error")])
def test_an_ignored_file_is_skipped(tmp_path, given_record):
    made = exempt(Lists(ignore=read(tmp_path, f"{SHA},,,,known and settled,Ann,never")), given_record)
    assert (made.item.status, made.item.matches, made.item.matched_s, made.matches) == ("skipped", 0, 0.0, ())
    assert made.item.error.endswith("left out by ignore list, line 2: known and settled (by Ann, without an end)")
    assert made.problem.kind == "on the ignore list"
    assert used_entries(made.item, made.matches) == Counter({("ignore list", 2): 1})


# A whole scan


def test_a_scan_with_lists(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name, track_id in (("a.wav", "chaos"), ("b.wav", "azum"), ("c.wav", "die-gewalt")):
        soundfile.write(corpus / name, excerpt(track_id), 16000)
    (corpus / "d.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
    options = ["--catalog", small_catalog(), "--registry", registry(), *USE, "--jobs", 1]
    assert run_earmark("scan", corpus, "--out", tmp_path / "before", *options).returncode == 4
    broken = items_of(tmp_path / "before")["d.wav"]["sha256"]
    allow = write_list(
        tmp_path / "allow.csv",
        "chaos,cleared by mail,Ann,never",
        "azum,trial,Ann,2020-01-01",
        header="track_id,reason,author,expires",
    )
    ignore = write_list(
        tmp_path / "ignore.csv", f"{broken},,,,known to be broken,Bob,never", ",azum,,,a loop,Bob,never"
    )
    process = run_earmark(
        *("scan", corpus, "--out", tmp_path / "scan", *options),
        *("--allow", allow, "--ignore", ignore, "--fail-on", "unlicensed"),
    )
    assert process.returncode == 0, process.stdout
    assert "allow.csv, line 3: expired on 2020-01-01 and is not applied (trial; by Ann)" in process.stderr
    items = items_of(tmp_path / "scan")
    assert {name: row["status"] for name, row in items.items()} == {
        "a.wav": "licensed",
        "b.wav": "licensed",
        "c.wav": "licensed",
        "d.wav": "skipped",
    }
    assert items["b.wav"]["error"] == "1 match left out by ignore list, line 3: a loop (by Bob, without an end)"
    matches = rows(tmp_path / "scan" / "matches.jsonl")
    assert [row["track_id"] for row in matches] == ["chaos", "azum-again", "die-gewalt"]
    assert matches[0]["reason"].startswith("allow list, line 2: cleared by mail (by Ann, without an end); without it ")
    lists = json.loads((tmp_path / "scan" / "summary.json").read_text())["lists"]
    assert (lists["allow list"]["entries"], lists["allow list"]["expired"]) == (1, [3])
    assert {name: each["used"] for name, each in lists.items()} == {
        "allow list": {"2": 1},
        "ignore list": {"2": 1, "3": 1},
    }
    assert verify(tmp_path / "scan").faults == ()
    begin = json.loads((tmp_path / "scan" / "audit.jsonl").read_bytes().splitlines()[0])
    assert begin["lists"] == {
        name: {key: value for key, value in each.items() if key != "path"} for name, each in lists.items()
    }
    (tmp_path / "allow.csv").write_text("track_id\n")
    process = run_earmark("scan", corpus, "--out", tmp_path / "refused", *options, "--allow", allow)
    assert process.returncode == 2
    assert "missing: reason, author, expires" in process.stderr
    assert not (tmp_path / "refused").exists()
