"""Scan folders read back: whole, cut off, damaged, of another version; and what is shown of them."""

import json

import pytest

from earmark.errors import ScanError
from earmark.report import read_items, read_matches, read_summary, worst_findings
from earmark.scan import ItemRow, MatchRow, row_from_json, row_to_json

ITEM = ItemRow(
    item="a.wav",
    sha256=None,
    duration_s=1.0,
    scanned_s=1.0,
    status="unmatched",
    matched_s=0.0,
    matches=0,
    error=None,
)


def match(item="a.wav", *, group=0, status="unlicensed", track_id="t1", title=None, artist=None, log10_e_value=-9.0):
    return MatchRow(
        item=item,
        item_start_s=1.0,
        item_end_s=9.0,
        track_id=track_id,
        group_id=f"{item}#{group}",
        isrc=None,
        title=title,
        artist=artist,
        label=None,
        rightsholder=None,
        track_start_s=0.0,
        track_end_s=8.0,
        tempo_ratio=1.0,
        pitch_semitones=0.0,
        score=30.0,
        expected_score=3.0,
        log10_e_value=log10_e_value,
        status=status,
        grant_id=None,
        reason=f"because of {track_id}",
    )


@pytest.mark.parametrize("text", ["plain", "new\nline", "\u2028\u2029\x85\x7f", "ünï→🎵", "\udcff", '"\\', ""])
def test_rows_survive_as_one_line_of_utf8(text):
    row = match(item=text, title=text)
    line = row_to_json(row)
    assert len(line.decode().splitlines()) == 1
    assert row_from_json(MatchRow, line) == row


def test_a_column_of_a_later_version_is_left_out():
    line = json.dumps(json.loads(row_to_json(ITEM)) | {"mood": "sad"}).encode()
    assert row_from_json(ItemRow, line) == ITEM


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"[1]", b"null", b'{"item": "a.wav"}', b"\xff", b"{"])
def test_what_is_no_row_is_named_with_file_and_line(tmp_path, line):
    (tmp_path / "items.jsonl").write_bytes(row_to_json(ITEM) + line + b"\n")
    items = read_items(tmp_path)
    assert next(items) == ITEM
    with pytest.raises(ScanError, match=r"items\.jsonl, line 2: "):
        next(items)


def test_a_line_without_an_end_is_left_out(tmp_path, caplog):
    (tmp_path / "items.jsonl").write_bytes(row_to_json(ITEM) + row_to_json(ITEM)[:50])
    assert list(read_items(tmp_path)) == [ITEM]


def test_a_folder_without_a_scan(tmp_path):
    with pytest.raises(ScanError, match=r"summary\.json: No such file.*expected the folder of a scan"):
        read_summary(tmp_path)
    with pytest.raises(ScanError, match=r"matches\.jsonl: No such file"):
        list(read_matches(tmp_path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "schema_version is missing"),
        ('{"schema_version": "1"}', "schema_version is missing"),
        ('{"schema_version": 999}', "schema_version is 999, this version of Earmark knows up to 1"),
    ],
)
def test_a_summary_that_cannot_be_read(tmp_path, text, words):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(ScanError, match=words):
        read_summary(tmp_path)


def test_findings_come_worst_first_and_then_in_the_order_of_the_scan():
    matches = [match("a", status="licensed"), match("b", status="review"), match("c"), match("d", status="review")]
    findings, n_findings = worst_findings([*matches, match("e")], 50)
    assert [finding.item for finding in findings] == ["c", "e", "b", "d", "a"]
    assert n_findings == 5


@pytest.mark.parametrize("limit", [0, 1, 3, 5000])
def test_findings_are_cut_and_counted(limit):
    matches = [match(f"i{n:04}", status="review" if n % 7 else "unlicensed") for n in range(2500)]
    findings, n_findings = worst_findings(iter(matches), limit)
    assert n_findings == 2500
    assert [finding.item for finding in findings] == sorted(
        (m.item for m in matches), key=lambda item: (int(item[1:]) % 7 > 0, item)
    )[:limit]


def test_ids_of_one_recording_are_one_finding_with_the_worst_status_and_the_best_odds():
    matches = [
        match(status="licensed", track_id="t1", title="One", artist="A", log10_e_value=-20.0),
        match(group=1, track_id="u1"),
        match(status="unlicensed", track_id="t2", title="Two", artist="B", log10_e_value=-12.0),
        match(status="licensed", track_id="t3"),
    ]
    (first, second), n_findings = worst_findings(matches, 10)
    assert n_findings == 2
    assert (first.track, first.status, first.log10_e_value) == ("B: Two (+2 ids)", "unlicensed", -20.0)
    assert first.reason == "because of t2"
    assert second.track == "u1"


def test_a_track_without_an_artist():
    ((finding,), _) = worst_findings([match(title="Song")], 10)
    assert finding.track == "Song"
