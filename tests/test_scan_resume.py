"""Scans that are killed and resumed: the same bytes as if nothing had happened, or a clear word why not."""

import dataclasses
import json
import os
import random
import threading

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.catalog import build_catalog
from earmark.errors import ScanError
from earmark.fingerprint import load_model
from earmark.rights import Use
from earmark.scan import ItemRow, Limits, Stop, scan
from earmark.scan.folder import ScanFolder
from earmark.scan.journal import Header, Mark
from earmark.scan.judging import ItemRecord
from earmark.scan.listening import Problem

from .small_catalog import USE as LICENSE
from .small_catalog import excerpt, registry, rows, small_catalog
from .stopped_scan import (
    ROW_FILES,
    TIMES,
    begin,
    bytes_written,
    check_same,
    copy_of,
    make_corpus,
    plan,
    scan_until_killed,
    scanned_whole,
)
from .test_scan import USE, write_hours_of_silence
from .test_scan_isolation import worker_that_reads
from .test_scan_report import match

HEADER = Header(started="2026-11-01T00:00:00+00:00", plan={"catalog": "abc"})


# The folder alone


def records(n):
    for k in range(n):
        matches = tuple(match(f"{k:03}", group=group, title="x" * k) for group in range(k % 3))
        item = ItemRow(
            item=f"{k:03}",
            sha256=None,
            duration_s=0.1 * k,
            scanned_s=0.0,
            status="error" if k % 4 == 0 else "unmatched",
            matched_s=0.0,
            matches=len(matches),
            error="broken" if k % 4 == 0 else None,
        )
        problem = Problem(kind="truncated", words="broken") if k % 4 == 0 else None
        mark = Mark(size_bytes=k, modified_ns=k, decoded_s=0.1 * k, problem=None if problem is None else problem.kind)
        yield ItemRecord(item=item, matches=matches, decoded_s=0.1 * k, problem=problem), mark


def write_records(out, pairs, chunk_ends, *, finish=True):
    with ScanFolder(out, HEADER) as folder:
        done = list(folder.recorded())
        for n, (record, mark) in enumerate(pairs[len(done) :], len(done)):
            folder.append(record, mark)
            folder.complete_chunk(float(n), at_once=n in chunk_ends)
        if finish:
            folder.finish(9.0, listed=len(pairs), listing_sha256="d")
    return done


@given(st.sets(st.integers(0, 11)), st.data())
@settings(max_examples=60, deadline=None)
def test_a_crash_at_any_byte_loses_and_doubles_nothing(tmp_path_factory, chunk_ends, data):
    """The journal as far as it came, and rows at least as far as it says: whatever a crash can leave."""
    pairs = list(records(12))
    whole, torn = tmp_path_factory.mktemp("whole") / "out", tmp_path_factory.mktemp("torn") / "out"
    write_records(whole, pairs, chunk_ends)
    journal = (whole / "journal.jsonl").read_bytes()
    torn.mkdir()
    cut = data.draw(st.integers(0, len(journal)))
    (torn / "journal.jsonl").write_bytes(journal[:cut])
    lines = [json.loads(line) for line in journal[:cut].split(b"\n")[1:-1]]
    for name in ROW_FILES:
        least = lines[-1][name.replace(".jsonl", "_bytes")] if lines else 0
        end = data.draw(st.integers(least, (whole / name).stat().st_size))
        if journal[:cut].count(b"\n"):
            (torn / name).write_bytes((whole / name).read_bytes()[:end])
    done = write_records(torn, pairs, set())
    assert done == pairs[: sum(len(line["marks"]) for line in lines)]
    for name in ROW_FILES:
        assert (torn / name).read_bytes() == (whole / name).read_bytes()
    with ScanFolder(torn, HEADER) as folder:
        assert list(folder.recorded()) == pairs
        assert folder.finished is not None
        assert folder.finished.listed == 12


@pytest.mark.parametrize("name", ROW_FILES)
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data.replace(b"a", b"b", 1), lambda data: b""])
def test_rows_that_were_changed_are_refused_and_left_alone(tmp_path, name, change):
    write_records(tmp_path / "out", list(records(12)), {3, 7})
    path = tmp_path / "out" / name
    path.write_bytes(change(path.read_bytes()))
    before = {each.name: each.read_bytes() for each in (tmp_path / "out").iterdir()}
    with (
        ScanFolder(tmp_path / "out", HEADER) as folder,
        pytest.raises(ScanError, match=rf"{name}: bytes .* are not those that the scan has written"),
    ):
        list(folder.recorded())
    assert {each.name: each.read_bytes() for each in (tmp_path / "out").iterdir()} == before


def test_a_damaged_journal_is_refused_with_its_line(tmp_path):
    write_records(tmp_path / "out", list(records(12)), {3, 7})
    path = tmp_path / "out" / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], lines[1].replace(b"0.1", b"0.2"), *lines[2:]]))
    with (
        ScanFolder(tmp_path / "out", HEADER) as folder,
        pytest.raises(ScanError, match=r"journal\.jsonl, line 2: damaged"),
    ):
        list(folder.recorded())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"kind": "diary", "version": 1}', "expected 'earmark scan journal', got 'diary'"),
        (b'{"kind": "earmark scan journal", "version": 9}', "its version is 9"),
        (b"[]", "line 1: damaged"),
        (b"\xff", "line 1: damaged"),
    ],
)
def test_what_is_no_journal_is_refused(tmp_path, line, words):
    (tmp_path / "journal.jsonl").write_bytes(line + b"\n")
    with pytest.raises(ScanError, match=words):
        ScanFolder(tmp_path, HEADER)


def test_one_process_at_a_time(tmp_path):
    with ScanFolder(tmp_path / "out", HEADER), pytest.raises(ScanError, match="another process is scanning into"):
        ScanFolder(tmp_path / "out", HEADER)
    ScanFolder(tmp_path / "out", HEADER).close()


# Whole scans


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("resume") / "corpus")


@pytest.fixture(scope="module")
def uninterrupted(corpus, tmp_path_factory):
    return scanned_whole(corpus, tmp_path_factory.mktemp("uninterrupted") / "out")


@pytest.mark.parametrize("n_kills", [8, pytest.param(60, marks=pytest.mark.long)])
def test_killed_at_random_moments_and_resumed(corpus, uninterrupted, tmp_path, n_kills):
    """After some written bytes, in the middle of a line or between two, or some time after the start.

    A run has a quarter of all bytes at most, which is several chunks. What comes to its end is begun anew elsewhere.
    """
    rng = random.Random(n_kills)
    most_bytes, n_killed, n_done = bytes_written(uninterrupted) // 4, 0, []
    outs = [tmp_path / "0"]
    while n_killed < n_kills:
        options = ["--catalog", small_catalog(), "--out", outs[-1], "--resume", "--registry", registry(), *LICENSE]
        arguments = [corpus, *options, "--effort", "fast", "--jobs", rng.choice([1, 2])]
        if scan_until_killed(rng.randrange(most_bytes), *arguments, rng=None if n_killed % 4 else rng):
            outs.append(tmp_path / str(len(outs)))  # the exit code was 4, as two of the files are bad
            continue
        n_killed += 1
        n_done.append(len(rows_of_whole_lines(outs[-1] / "items.jsonl")))
    assert max(n_done) > 4
    scan(plan(corpus, outs[-1], jobs=2))
    for out in outs:
        check_same(out, uninterrupted)


def rows_of_whole_lines(path):
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


@pytest.fixture(scope="module")
def begun_once(tmp_path_factory):
    root = tmp_path_factory.mktemp("begun")
    summary = begin(make_corpus(root / "corpus"), root / "out", n_items=12)
    assert summary.stopped_by == "SIGTERM"
    assert 12 <= summary.items["total"] < 60
    return root


@pytest.fixture
def begun(begun_once, tmp_path):
    return copy_of(begun_once, tmp_path)


def test_stopped_and_resumed_with_another_number_of_workers(begun, uninterrupted):
    root, out = begun
    n_done = len(rows(out / "items.jsonl"))
    before = (out / "items.jsonl").read_bytes()
    seen = []
    summary = scan(plan(root, out, jobs=2), on_item=lambda row, size: seen.append(row.item))
    assert (out / "items.jsonl").read_bytes().startswith(before)  # an audit log of the first run stays true
    assert len(seen) == 60 - n_done
    assert summary.elapsed_s > 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary.pop("corpus") == str(root)
    for name in ROW_FILES:
        assert (out / name).read_bytes() == (uninterrupted / name).read_bytes()
    whole = json.loads((uninterrupted / "summary.json").read_text())
    assert {k: v for k, v in summary.items() if k not in TIMES} == {
        k: v for k, v in whole.items() if k not in {*TIMES, "corpus"}
    }


def test_a_finished_scan_has_nothing_to_resume(corpus, uninterrupted):
    before = {name: (uninterrupted / name).read_bytes() for name in (*ROW_FILES, "journal.jsonl")}
    seen = []
    summary = scan(plan(corpus, uninterrupted), on_item=lambda row, size: seen.append(row))
    assert summary.complete
    assert summary.items["total"] == 60
    assert seen == []
    assert {name: (uninterrupted / name).read_bytes() for name in before} == before


def test_items_that_come_later_in_the_listing_are_scanned(begun):
    root, out = begun
    soundfile.write(root / "zzz.wav", excerpt("chaos"), 16000)
    assert scan(plan(root, out)).items["total"] == 61


def test_files_that_were_copied_are_read_again_and_found_the_same(begun):
    root, out = begun
    for path in root.iterdir():
        os.utime(path, ns=(0, 0))
    assert scan(plan(root, out)).complete


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda root: (root / "002.wav").unlink(), r"'002\.wav' was there, and in its place there is '003\.txt'"),
        (lambda root: (root / "002.ogg").touch(), r"'002\.txt' was there, and in its place there is '002\.ogg'"),
        (lambda root: (root / "003.wav").write_bytes(b"1234"), r"'003\.wav' had [\d,]+ bytes and has 4 bytes"),
        (lambda root: flip_a_byte(root / "003.wav"), r"'003\.wav' had the SHA-256 [0-9a-f]{64} and has [0-9a-f]{64}"),
    ],
)
def test_a_corpus_that_was_changed_is_refused(begun, change, words):
    root, out = begun
    change(root)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ScanError, match=f"was changed since the scan was begun: {words}; scan into a new folder"):
        scan(plan(root, out))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_corpus_that_grew_after_the_end_is_refused(tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    soundfile.write(root / "a.wav", excerpt("chaos"), 16000)
    scan(plan(root, tmp_path / "out"))
    soundfile.write(root / "b.wav", excerpt("chaos"), 16000)
    before = (tmp_path / "out" / "items.jsonl").read_bytes()
    with pytest.raises(ScanError, match="it had 1 entries and has 2, or other ones"):
        scan(plan(root, tmp_path / "out"))
    assert (tmp_path / "out" / "items.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_e_value": 0.01}, "max_e_value was 0.001 and is 0.01"),
        ({"min_seconds": 5.0}, "min_seconds was 0.0 and is 5.0"),
        ({"registry": None}, r"registry was '[0-9a-f]+' and is None"),
        ({"use": dataclasses.replace(USE, territory="DE")}, "territory was 'US' and is 'DE'"),
        ({"use": Use()}, "licensee was 'Acme AI' and is None; use was 'ai_training' and is None"),
        ({"limits": Limits(max_bytes=10)}, r"max_item_bytes was \d+ and is 10"),
    ],
)
def test_another_plan_is_refused(begun, changes, words):
    root, out = begun
    with pytest.raises(ScanError, match=f"holds a scan of another plan: .*{words}"):
        scan(plan(root, out, **changes))


def test_another_catalog_is_refused(begun, tmp_path):
    root, out = begun
    music = small_catalog().parent / "music"
    build_catalog(tmp_path / "other", [music / "chaos.opus"], metadata=None, model=load_model(), jobs=1)
    with pytest.raises(ScanError, match=r"another plan: catalog was .* and is "):
        scan(plan(root, out, catalog=tmp_path / "other"))


def test_limits_on_time_and_memory_may_change(begun):
    root, out = begun
    assert scan(plan(root, out, limits=Limits(timeout_s=99.0, memory_bytes=1 << 30))).complete


def test_resume_needs_a_scan_or_nothing(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "items.jsonl").write_text("{}\n")
    with pytest.raises(ScanError, match=r"old' holds no scan to resume: journal\.jsonl is missing"):
        scan(plan(tmp_path / "corpus", tmp_path / "old"))
    assert scan(plan(tmp_path / "corpus", tmp_path / "new")).complete
    with pytest.raises(ScanError, match=r"is not empty; expected .*; --resume goes on with the scan that it holds"):
        scan(plan(tmp_path / "corpus", tmp_path / "new", resume=False))


def test_sigterm_waits_for_the_items_that_are_being_listened_to(tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    soundfile.write(root / "a.wav", excerpt("chaos"), 16000)
    write_hours_of_silence(root / "b.wav", hours=0.5)
    soundfile.write(root / "c.wav", excerpt("chaos"), 16000)
    stop = Stop()
    asker = threading.Thread(target=lambda: [worker_that_reads(root / "b.wav"), stop.ask("SIGTERM")])
    asker.start()
    summary = scan(plan(root, tmp_path / "out"), stop=stop)
    asker.join()
    assert [row["item"] for row in rows(tmp_path / "out" / "items.jsonl")] == ["a.wav", "b.wav"]
    assert summary.stopped_by == "SIGTERM"
