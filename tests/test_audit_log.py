"""The audit log of a real scan: what it says, how it grows, and that every change of a line is named."""

import hashlib
import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.audit import logged, verify, write_log
from earmark.audit.merkle import leaf_hash, root_of
from earmark.audit.record import canonical_json
from earmark.errors import AuditError, ScanError, TamperedError

from .audited_scan import ITEMS, MATCHED, audited_scan, copy_of_scan
from .small_catalog import TRACKS, registry, rows

COPIES = ["items.parquet", "matches.parquet", "journal.jsonl"]
FILES = ["audit.jsonl", "items.jsonl", "matches.jsonl", "summary.json"]


def records(folder):
    return [json.loads(line) for line in (folder / "audit.jsonl").read_bytes().splitlines()]


def of_kind(folder, kind):
    return [record for record in records(folder) if record["kind"] == kind]


# What it says


def test_a_scan_leaves_a_log_that_verifies():
    found = verify(audited_scan())
    assert found.faults == ()
    assert f"7 lines of items and {len(rows(audited_scan() / 'matches.jsonl'))} of matches" in found.notes[0]
    assert "not signed" in found.notes[1]


def test_every_item_has_a_record_of_its_digest_and_outcome():
    items = rows(audited_scan() / "items.jsonl")
    logged_items = of_kind(audited_scan(), "item")
    assert [record["item"] for record in logged_items] == ITEMS == [row["item"] for row in items]
    for row, record in zip(items, logged_items, strict=True):
        for key in ("sha256", "status", "matched_s", "scanned_s", "matches"):
            assert record[key] == row[key]
    assert {record["status"] for record in logged_items} == {"unlicensed", "unmatched", "skipped", "error", "licensed"}


def test_the_circumstances_are_those_of_the_summary():
    summary = json.loads((audited_scan() / "summary.json").read_text())
    (begin,), (end,) = of_kind(audited_scan(), "begin"), of_kind(audited_scan(), "end")
    assert begin["catalog"] == {key: value for key, value in summary["catalog"].items() if key != "path"}
    digest = hashlib.sha256(registry().read_bytes()).hexdigest()
    assert begin["registry_sha256"] == digest == summary["registry"]["sha256"]
    for key in ("model_digest", "config_digest", "options", "versions", "earmark_version", "started"):
        assert begin[key] == summary[key]
    (calibration,) = begin["calibration"].values()
    assert len(calibration["sha256"]) == 64
    assert calibration[summary["options"]["effort"]]
    assert (end["complete"], end["stopped_by"], end["finished"]) == (True, None, summary["finished"])
    for key in ("items", "matches", "hours", "items_with_problems", "matched_s"):
        assert end["coverage"][key] == summary[key]


def test_neither_paths_nor_titles_are_in_the_log():
    text = (audited_scan() / "audit.jsonl").read_text()
    assert "secret-corpus" not in text
    assert str(audited_scan().parent) not in text
    for track_id in TRACKS:
        assert track_id.title() not in text


def test_lines_are_canonical_and_make_the_tree():
    lines = (audited_scan() / "audit.jsonl").read_bytes().splitlines()
    for line in lines:
        assert canonical_json(json.loads(line)) == line
    assert json.loads(lines[-1])["tree"] == {
        "size": len(lines) - 1,
        "root": root_of(map(leaf_hash, lines[:-1])).hex(),
    }


def test_records_of_the_same_outcome_cannot_be_guessed_from_their_hash():
    salts = [record["salt"] for record in records(audited_scan()) if "salt" in record]
    assert len(salts) == len(ITEMS) + 1 == len(set(salts))
    assert all(len(salt) == 32 for salt in salts)


# Every change of a line is named


def line_count(name):
    return len((audited_scan() / name).read_bytes().splitlines())


def changed(folder, name, change):
    path = folder / name
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(change(lines)))
    return verify(folder).faults


PLACES = 10
every_line = pytest.mark.parametrize(("name", "place"), [(name, place) for name in FILES for place in range(PLACES)])


def line_at(name, place):
    """One of ten places from the first line of a file to the last; all lines of the shorter files."""
    return 1 + round(place * (line_count(name) - 1) / (PLACES - 1))


def test_the_places_are_all_lines_of_the_files_of_lines():
    for name in FILES[:-1]:
        assert {line_at(name, place) for place in range(PLACES)} == set(range(1, line_count(name) + 1))


@every_line
def test_a_flipped_byte_is_named(tmp_path, name, place):
    number = line_at(name, place)
    folder = copy_of_scan(tmp_path / "scan")
    lines = (folder / name).read_bytes().splitlines(keepends=True)
    line = lines[number - 1]
    # Every place of a short line, a hundred of a long one: braces, keys, digits, salts, and the newline.
    for at in sorted({*range(0, len(line), max(len(line) // 100, 1)), len(line) - 1}):
        flipped = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        (folder / name).write_bytes(b"".join([*lines[: number - 1], flipped, *lines[number:]]))
        faults = verify(folder).faults
        assert len(faults) == 1, (at, faults)
        assert faults[0].startswith(f"{name}, line {number} was "), (at, line[at : at + 1], faults)


@every_line
def test_a_dropped_line_is_named(tmp_path, name, place):
    number = line_at(name, place)
    faults = changed(copy_of_scan(tmp_path / "scan"), name, lambda lines: [*lines[: number - 1], *lines[number:]])
    assert len(faults) == 1
    assert faults[0].startswith(f"{name}, line {number} was removed")


@every_line
def test_a_line_that_stands_twice_is_named(tmp_path, name, place):
    number = line_at(name, place)
    faults = changed(copy_of_scan(tmp_path / "scan"), name, lambda lines: [*lines[:number], *lines[number - 1 :]])
    assert len(faults) == 1
    assert faults[0].startswith(f"{name}, line {number + 1} was added")


@every_line
def test_lines_in_another_order_are_named(tmp_path, name, place):
    number = line_at(name, place)

    def swap(lines):
        beside = number % len(lines)
        lines[number - 1], lines[beside] = lines[beside], lines[number - 1]
        return lines

    faults = changed(copy_of_scan(tmp_path / "scan"), name, swap)
    assert len(faults) == 1
    assert faults[0].startswith(f"{name}, line {1 if number == line_count(name) else number} was ")
    assert "moved" in faults[0]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("line", [b"{}\n", b"\n", b"no json", b'{"kind":"item","line":1}\n'])
def test_an_appended_line_is_named(tmp_path, name, line):
    faults = changed(copy_of_scan(tmp_path / "scan"), name, lambda lines: [*lines, line])
    assert len(faults) == 1
    assert faults[0].startswith(f"{name}, line {line_count(name) + 1} was added")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path, name):
    folder = copy_of_scan(tmp_path / "scan")
    (folder / name).unlink()
    (fault,) = verify(folder).faults
    assert fault.startswith(f"{name} was removed")


@pytest.mark.parametrize("name", FILES)
def test_an_emptied_file_is_named(tmp_path, name):
    (fault,) = changed(copy_of_scan(tmp_path / "scan"), name, lambda lines: [])
    assert fault.startswith(f"{name}, line 1 was removed")


@pytest.mark.parametrize("name", COPIES)
def test_no_byte_of_a_copy_can_be_changed(tmp_path, name):
    folder = copy_of_scan(tmp_path / "scan")
    path = folder / name
    data = path.read_bytes()
    middle = len(data) // 2
    changes = [data[middle:] + data[:middle], data[:middle] + data[middle + 1 :], data + b"\n", data[:-1], b""]
    changes += [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(0, len(data), len(data) // 40)]
    for changed_data in changes:
        path.write_bytes(changed_data)
        assert verify(folder).faults == (f"{name} was changed",)
    path.unlink()
    assert verify(folder).faults == (f"{name} was removed",)
    path.write_bytes(data)
    assert verify(folder).faults == ()


def test_a_copy_that_was_not_logged_is_named(tmp_path):
    folder = stopped(tmp_path / "scan", 7)
    write_log(folder)
    (folder / "items.parquet").write_bytes((audited_scan() / "items.parquet").read_bytes())
    assert verify(folder).faults == ("items.parquet was added",)


def test_each_file_that_was_changed_is_named(tmp_path):
    folder = copy_of_scan(tmp_path / "scan")
    for name in FILES[1:]:
        with (folder / name).open("ab") as file:
            file.write(b"{}\n")
    assert [fault.partition(",")[0] for fault in verify(folder).faults] == FILES[1:]


def test_several_removed_lines_are_named_by_the_first(tmp_path):
    (fault,) = changed(copy_of_scan(tmp_path / "scan"), "items.jsonl", lambda lines: [lines[0], *lines[4:]])
    assert fault == "items.jsonl, line 2 was removed or moved: what was line 5 stands in its place"


def test_a_record_with_good_hashes_and_bad_contents_is_named(tmp_path):
    def change(lines):
        record = json.loads(lines[1])
        return [lines[0], canonical_json(record | {"match_lines": ["x"]}) + b"\n", *lines[2:]]

    (fault,) = changed(copy_of_scan(tmp_path / "scan"), "audit.jsonl", change)
    assert fault == "audit.jsonl, line 2 was changed: a digest is not 64 hexadecimal digits"


# Values of every kind, small and wrong ones above all.
anything = st.recursive(
    st.sampled_from([None, True, 0, -1, 2**60, 0.5, "", "x", "0" * 64, "\udcff"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "size", "root"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_log_that_says_anything_is_a_fault_and_no_crash(tmp_path_factory, data):
    folder = copy_of_scan(tmp_path_factory.mktemp("any") / "scan")
    lines = (folder / "audit.jsonl").read_bytes().splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    record = json.loads(lines[number])
    key = data.draw(st.sampled_from(sorted(record)))
    value = data.draw(anything.filter(lambda value: value != record[key]))
    lines[number] = json.dumps(record | {key: value}, sort_keys=True, separators=(",", ":")).encode()
    # Made to fit, as by somebody who means it: what every line names is the one before.
    for at in range(number + 1, len(lines)):
        fitting = json.loads(lines[at]) | {"prev": leaf_hash(lines[at - 1]).hex()}
        lines[at] = json.dumps(fitting, sort_keys=True, separators=(",", ":")).encode()
    (folder / "audit.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    (fault,) = verify(folder).faults
    assert fault.startswith("audit.jsonl, line ")
    shutil.rmtree(folder)


def test_a_log_of_a_later_version_is_refused(tmp_path):
    folder = copy_of_scan(tmp_path / "scan")
    lines = (folder / "audit.jsonl").read_bytes().splitlines(keepends=True)
    later = canonical_json(json.loads(lines[0]) | {"version": 2}) + b"\n"
    rest = canonical_json(json.loads(lines[1]) | {"prev": leaf_hash(later[:-1]).hex()}) + b"\n"
    (folder / "audit.jsonl").write_bytes(later + rest + b"".join(lines[2:]))
    with pytest.raises(AuditError, match="version 2, this version of Earmark knows up to 1"):
        verify(folder)


def test_a_folder_that_is_no_scan(tmp_path):
    with pytest.raises(AuditError, match=r"there is no audit\.jsonl; expected the folder of a scan"):
        verify(tmp_path)


# How it grows


def stopped(folder, n_items):
    """Make of a copy of the scan what it was after some items, without a log."""
    folder.mkdir()
    kept = rows(audited_scan() / "items.jsonl")[:n_items]
    lines = (audited_scan() / "items.jsonl").read_bytes().splitlines(keepends=True)[:n_items]
    (folder / "items.jsonl").write_bytes(b"".join(lines))
    matches = (audited_scan() / "matches.jsonl").read_bytes().splitlines(keepends=True)
    ids = {row["item"] for row in kept}
    (folder / "matches.jsonl").write_bytes(b"".join(line for line in matches if json.loads(line)["item"] in ids))
    summary = json.loads((audited_scan() / "summary.json").read_text())
    summary |= {"complete": False, "stopped_by": "SIGTERM", "finished": f"2026-01-0{n_items + 1}T00:00:00.000Z"}
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    return folder


def go_on(folder, n_items):
    """Bring the files of a stopped scan to where they are after more items, as resuming it does."""
    later = stopped(folder.with_name(f"{folder.name}-{n_items}"), n_items)
    for name in FILES[1:]:
        (later / name).replace(folder / name)


@pytest.mark.parametrize("steps", [[0, 7], [1, 4, 7], [3, 3, 7], [7, 7]])
def test_a_resumed_scan_adds_to_the_log(tmp_path, steps):
    folder = stopped(tmp_path / "scan", steps[0])
    write_log(folder)
    for n_items in steps[1:]:
        before = (folder / "audit.jsonl").read_bytes()
        go_on(folder, n_items)
        write_log(folder)
        assert (folder / "audit.jsonl").read_bytes().startswith(before)
        assert verify(folder).faults == ()
    assert [record["run"] for record in of_kind(folder, "end")] == list(range(1, len(steps) + 1))
    assert [record["item"] for record in of_kind(folder, "item")] == ITEMS
    whole = of_kind(audited_scan(), "end")[0]
    assert of_kind(folder, "end")[-1]["files"] == whole["files"]
    assert of_kind(folder, "end")[-1]["listing_sha256"] == whole["listing_sha256"]


@pytest.mark.parametrize("name", FILES)
def test_a_scan_is_not_resumed_from_changed_files(tmp_path, name):
    folder = stopped(tmp_path / "scan", 4)
    write_log(folder)
    if name == "summary.json":  # is replaced by every run, so it is not looked at
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | {"finished": "then"}))
        write_log(folder)
        return
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:60] + bytes([data[60] ^ 1]) + data[61:])
    before = (folder / "audit.jsonl").read_bytes()
    with pytest.raises(TamperedError, match=rf"{name}, line 1 was .*scan again into a new folder"):
        write_log(folder)
    assert (folder / "audit.jsonl").read_bytes() == before
    assert not list(folder.glob(".*"))


def test_a_scan_does_not_begin_to_go_on_from_changed_files(tmp_path):
    folder = stopped(tmp_path / "scan", 4)
    write_log(folder)
    (folder / "items.jsonl").write_bytes((folder / "items.jsonl").read_bytes().replace(b"0.0", b"0.5", 1))
    begun = []
    with pytest.raises(TamperedError, match=r"items\.jsonl, line \d was changed"), logged(folder):
        begun.append(True)
    assert begun == []


def test_lines_that_no_run_logged_are_named(tmp_path):
    folder = stopped(tmp_path / "scan", 2)
    write_log(folder)
    go_on(folder, 7)
    faults = verify(folder).faults
    assert faults[:2] == ("items.jsonl, line 3 was added", "matches.jsonl, line 2 was added")
    assert faults[2].startswith("summary.json, line ")


def test_matches_without_an_item_are_refused(tmp_path):
    folder = copy_of_scan(tmp_path / "scan")
    (folder / "audit.jsonl").unlink()
    lines = (folder / "items.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "items.jsonl").write_bytes(b"".join(lines[1:]))
    with pytest.raises(AuditError, match=r"matches\.jsonl, line 1: a match of item 'a-chaos\.wav', which has no line"):
        write_log(folder)
    assert not (folder / "audit.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("items.jsonl", b"{}\n", r"items\.jsonl, line 1: column 'item' is missing"),
        ("items.jsonl", b"{", r"items\.jsonl, line 1: the line has no end"),
        ("matches.jsonl", b"[]\n", r"matches\.jsonl, line 1: not a row of matches"),
        ("summary.json", b"{}", r"summary\.json: not the summary of a scan"),
        ("summary.json", b'{"schema_version": 1, "catalog": 3}', r"summary\.json: not the summary of a scan"),
        ("summary.json", b"[]", r"summary\.json: not the summary of a scan"),
        ("summary.json", b'{"schema_version": 99}', r"schema_version is 99, this version of Earmark knows up to"),
    ],
)
def test_files_that_are_none_of_a_scan_are_refused(tmp_path, name, data, words):
    folder = copy_of_scan(tmp_path / "scan")
    (folder / "audit.jsonl").unlink()
    (folder / name).write_bytes(data)
    with pytest.raises(AuditError, match=words):
        write_log(folder)


def test_a_scan_that_fails_is_logged_and_its_error_goes_on(tmp_path):
    folder = tmp_path / "scan"

    def scan():
        with logged(folder):
            stopped(folder, 3)
            raise ScanError("the disk is full")

    with pytest.raises(ScanError, match="disk"):
        scan()
    assert [record["item"] for record in of_kind(folder, "item")] == ITEMS[:3]


def test_a_scan_that_does_not_start_leaves_the_log_of_another_alone(tmp_path):
    folder = copy_of_scan(tmp_path / "scan")
    before = (folder / "audit.jsonl").read_bytes()
    with pytest.raises(ScanError, match="not empty"), logged(folder):
        raise ScanError("--out is not empty")
    assert (folder / "audit.jsonl").read_bytes() == before


def test_a_log_that_cannot_be_written_does_not_hide_what_ended_the_scan(tmp_path, caplog):
    folder = tmp_path / "scan"

    def scan():
        with logged(folder):
            stopped(folder, 3)
            (folder / "matches.jsonl").unlink()
            raise ScanError("the disk is full")

    with pytest.raises(ScanError, match="disk"):
        scan()
    assert "the audit log was not written" in caplog.text


def test_matched_items_are_those_with_lines_of_matches():
    assert [record["item"] for record in of_kind(audited_scan(), "item") if record["match_lines"]] == MATCHED
