"""The scan on sound files: rows, verdicts, sums, order, and what a dead worker costs."""

import json
import math
import multiprocessing
import os
import resource
import signal
import threading
import time
from datetime import date
from pathlib import Path

import pytest
import soundfile

from earmark.catalog import Track, open_catalog
from earmark.corpus import Item, WholeFile
from earmark.errors import CatalogError, CorpusError, ParameterError, RegistryError, ScanError
from earmark.fingerprint import load_model
from earmark.matching import Match
from earmark.report import read_items, read_matches, read_summary
from earmark.rights import Use, read_registry
from earmark.scan import ItemRow, ScanPlan, scan
from earmark.scan.folder import ScanFolder
from earmark.scan.journal import Header, Mark
from earmark.scan.judging import Judge
from earmark.scan.listening import Hearing, Listener

from .small_catalog import TRACKS, excerpt, items_of, registry, rows, small_catalog

# As in DESIGN.md.
MATCH_COLUMNS = [
    "item",
    "item_start_s",
    "item_end_s",
    "track_id",
    "group_id",
    "isrc",
    "title",
    "artist",
    "label",
    "rightsholder",
    "track_start_s",
    "track_end_s",
    "tempo_ratio",
    "pitch_semitones",
    "score",
    "expected_score",
    "log10_e_value",
    "status",
    "grant_id",
    "reason",
]
ITEM_COLUMNS = ["item", "sha256", "duration_s", "scanned_s", "status", "matched_s", "matches", "error"]
USE = Use(licensee="Acme AI", scope="ai_training", territory="US", as_of=date(2026, 11, 1))


def plan(corpus, out, **changes):
    options = {"catalog": small_catalog(), "registry": registry(), "use": USE, "jobs": 1, "effort": "fast"}
    return ScanPlan(corpus=corpus, out=out, **(options | changes))


def found(start_s, end_s, track_id="t", *, group=0, rightsholder=None, log10_e_value=-9.0):
    match = Match(
        item_start_s=start_s,
        item_end_s=end_s,
        track=0,
        track_start_s=0.0,
        track_end_s=end_s - start_s,
        tempo_ratio=1.0,
        pitch_semitones=0.0,
        score=20.0,
        expected_score=2.0,
        log10_e_value=log10_e_value,
        group=group,
    )
    track = Track(
        track_id=track_id,
        duration_s=60.0,
        path=None,
        isrc=None,
        title=None,
        artist=None,
        label=None,
        rightsholder=rightsholder,
    )
    return match, track


def judged(*matches, registry=None):
    judge = Judge(registry, USE)
    hearing = Hearing(outcome="heard", duration_s=60.0, decoded_s=60.0, scanned_s=60.0, found=matches)
    return judge.judge("a.wav", hearing)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Five items and a text; both jobs of the next fixture scan it."""
    root = tmp_path_factory.mktemp("corpus")
    (root / "sub").mkdir()
    soundfile.write(root / "b-chaos.wav", excerpt("chaos"), 16000)
    soundfile.write(root / "sub" / "azum.flac", excerpt("azum", 5.0, 10.0), 16000)
    soundfile.write(root / "a-gewalt.ogg", excerpt("die-gewalt"), 16000)
    soundfile.write(root / "short.wav", excerpt("chaos", 3.0, 1.5), 16000)
    soundfile.write(root / "twice.wav", [*excerpt("die-gewalt"), *excerpt("chaos")], 16000)
    (root / "notes.txt").write_text("no music")
    return root


@pytest.fixture(scope="module")
def scans(corpus, tmp_path_factory):
    """The same scan with one worker and with two."""
    outs = []
    for jobs in (1, 2):
        out = tmp_path_factory.mktemp("scans") / "new" / "out"
        seen = []
        summary = scan(plan(corpus, out, jobs=jobs), on_item=lambda row, size, seen=seen: seen.append((row.item, size)))
        outs.append((out, summary, seen))
    return outs


def test_files_do_not_depend_on_the_number_of_workers(scans):
    (one, _, _), (two, _, _) = scans
    for name in ("items.jsonl", "matches.jsonl"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_lines_are_sorted_and_have_the_columns_of_the_design(scans):
    items, matches = rows(scans[0][0] / "items.jsonl"), rows(scans[0][0] / "matches.jsonl")
    assert [row["item"] for row in items] == sorted(row["item"] for row in items)
    assert all(list(row) == ITEM_COLUMNS for row in items)
    assert all(list(row) == MATCH_COLUMNS for row in matches)


def test_the_right_seconds_of_the_right_tracks(scans):
    claims = {(row["item"], row["track_id"]): row for row in rows(scans[0][0] / "matches.jsonl")}
    expected = {
        ("a-gewalt.ogg", "die-gewalt"): (0.0, 8.0, 8.0),
        ("b-chaos.wav", "chaos"): (0.0, 8.0, 8.0),
        ("sub/azum.flac", "azum"): (0.0, 10.0, 5.0),
        ("sub/azum.flac", "azum-again"): (0.0, 10.0, 5.0),
        ("twice.wav", "die-gewalt"): (0.0, 8.0, 8.0),
        ("twice.wav", "chaos"): (8.0, 16.0, 8.0),
    }
    assert claims.keys() == expected.keys()
    for key, (start_s, end_s, track_start_s) in expected.items():
        claim = claims[key]
        assert claim["item_start_s"] == pytest.approx(start_s, abs=1.0)
        assert claim["item_end_s"] == pytest.approx(end_s, abs=1.0)
        offset_s = claim["track_start_s"] - claim["item_start_s"]
        assert offset_s == pytest.approx(track_start_s - start_s, abs=0.1)
        assert claim["rightsholder"] == TRACKS[claim["track_id"]][1]
        assert claim["tempo_ratio"] == 1.0
        assert -300.0 <= claim["log10_e_value"] <= -3.0


def test_statuses_follow_the_registry_and_the_worst_decides(scans):
    items = items_of(scans[0][0])
    assert {item: row["status"] for item, row in items.items()} == {
        "a-gewalt.ogg": "licensed",
        "b-chaos.wav": "unlicensed",
        "notes.txt": "skipped",
        "short.wav": "skipped",
        "sub/azum.flac": "unlicensed",
        "twice.wav": "unlicensed",
    }
    claims = {(row["item"], row["track_id"]): row for row in rows(scans[0][0] / "matches.jsonl")}
    assert claims["sub/azum.flac", "azum-again"]["status"] == "licensed"
    assert claims["sub/azum.flac", "azum-again"]["grant_id"] == "G2"
    assert claims["sub/azum.flac", "azum"]["status"] == "unlicensed"
    assert claims["sub/azum.flac", "azum"]["grant_id"] is None
    assert claims["twice.wav", "die-gewalt"]["status"] == "licensed"


def test_two_ids_of_one_recording_are_one_match(scans):
    groups = {row["group_id"] for row in rows(scans[0][0] / "matches.jsonl") if row["item"] == "sub/azum.flac"}
    assert len(groups) == 1
    assert items_of(scans[0][0])["sub/azum.flac"]["matches"] == 1
    assert items_of(scans[0][0])["twice.wav"]["matches"] == 2


def test_group_ids_are_unique_in_the_scan(scans):
    claims = rows(scans[0][0] / "matches.jsonl")
    items_of_group = {}
    for claim in claims:
        items_of_group.setdefault(claim["group_id"], set()).add(claim["item"])
    assert all(len(items) == 1 for items in items_of_group.values())


def test_seconds_and_digests_of_items(scans, corpus):
    items = items_of(scans[0][0])
    row = items["twice.wav"]
    assert (row["duration_s"], row["scanned_s"], row["error"]) == (16.0, 16.0, None)
    assert 14.0 <= row["matched_s"] <= 16.0
    assert len(row["sha256"]) == 64
    short = items["short.wav"]
    assert (short["duration_s"], short["scanned_s"]) == (1.5, 0.0)
    assert short["error"] == "1.500 s of audio; nothing under 2.08 s can be matched"
    assert items["notes.txt"]["sha256"] is None
    assert items["notes.txt"]["error"] == "no audio by name or content"


def test_each_item_is_told_with_its_size(scans, corpus):
    for _, _, seen in scans:
        assert [item for item, _ in seen] == sorted(item for item, _ in seen)
        assert dict(seen)["b-chaos.wav"] == (corpus / "b-chaos.wav").stat().st_size


def test_the_summary_says_what_was_done_with_what(scans, corpus):
    out, summary, _ = scans[1]
    written = json.loads((out / "summary.json").read_text())
    catalog = open_catalog(small_catalog(), load_model())
    assert written["complete"] is True
    assert written["stopped_by"] is None
    assert written["schema_version"] == 1
    assert written["corpus"] == str(corpus)
    assert written["started"] < written["finished"]
    assert written["finished"].endswith("Z")
    assert written["options"] == {
        "reading": {},
        "effort": "fast",
        "max_e_value": 1e-3,
        "min_seconds": 0.0,
        "max_item_bytes": 64 << 30,
        "licensee": "Acme AI",
        "use": "ai_training",
        "territory": "US",
        "as_of": "2026-11-01",
        "product": None,
        "sufficient_share": None,
        "keep_fingerprints": None,
        "rescan_of": None,
        "added_since": None,
        "shard": None,
    }
    assert written["registry"] == {"path": str(registry()), "sha256": read_registry(registry()).digest}
    assert written["catalog"]["digest"] == catalog.digest
    assert written["catalog"]["tracks"] == 4
    assert written["catalog"]["hours"] == pytest.approx(3 * 35 / 3600, abs=1e-4)  # one of them has two ids
    assert written["model_digest"] == load_model().digest
    assert written["items"] == {
        "unmatched": 0,
        "licensed": 1,
        "unlicensed": 3,
        "review": 0,
        "error": 0,
        "skipped": 2,
        "total": 6,
    }
    assert written["matches"] == {"licensed": 3, "unlicensed": 3, "review": 0, "total": 5}
    assert written["hours"]["scanned"] == pytest.approx(42.0 / 3600, abs=1e-5)
    assert written["hours"]["decoded"] == pytest.approx(43.5 / 3600, abs=1e-5)
    assert written["hours"]["listed"] == written["hours"]["decoded"]
    assert (written["hours"]["failed"], written["hours"]["skipped"]) == (0.0, pytest.approx(1.5 / 3600, abs=1e-6))
    assert 30.0 <= written["matched_s"]["any"] <= 42.0
    assert written["errors"] == {}
    assert written["skipped"] == {"no audio by name or content": 1, "too short": 1}
    assert written["coverage"].startswith("4 of 6 listed files were scanned from start to end. Left out by rule: ")
    assert written["coverage"].endswith("0.012 h were scanned, 0.000 h failed, and 0.000 h were left out by rule.")
    assert all(words in written["limits"] for words in ("2.08 s", "covers, live versions, re-recordings", "tokens"))
    assert set(written["versions"]) == {"av", "faiss-cpu", "numba", "numpy", "soundfile"}
    assert summary.items == written["items"]


def test_report_reads_back_what_was_written(scans):
    out = scans[0][0]
    assert [row.item for row in read_items(out)] == [row["item"] for row in rows(out / "items.jsonl")]
    assert [row.group_id for row in read_matches(out)] == [row["group_id"] for row in rows(out / "matches.jsonl")]
    assert read_summary(out)["complete"] is True


def test_without_a_registry_every_match_is_up_for_review(tmp_path):
    soundfile.write(tmp_path / "one.wav", excerpt("chaos"), 16000)
    summary = scan(plan(tmp_path / "one.wav", tmp_path / "out", registry=None))
    (claim,) = rows(tmp_path / "out" / "matches.jsonl")
    assert (claim["status"], claim["grant_id"], claim["reason"]) == ("review", None, "no registry given")
    assert summary.items["review"] == 1
    assert summary.registry is None


def test_an_empty_corpus(tmp_path):
    (tmp_path / "corpus").mkdir()
    summary = scan(plan(tmp_path / "corpus", tmp_path / "out"))
    assert summary.complete
    assert summary.items["total"] == 0
    assert (tmp_path / "out" / "items.jsonl").read_bytes() == b""


# What is wrong with the call


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"effort": "heroic"}, ParameterError, "effort must be one of fast.*got 'heroic'"),
        ({"max_e_value": 0.0}, ParameterError, "max_e_value must be a number above 0"),
        ({"max_e_value": math.nan}, ParameterError, "max_e_value must be a number above 0"),
        ({"jobs": 0}, ParameterError, "jobs must be at least 1"),
        ({"use": Use(scope="karaoke")}, ParameterError, "use must be one of ai_training.*got 'karaoke'"),
        ({"use": Use(territory="Utopia")}, ParameterError, "Utopia"),
        ({"catalog": Path("no-such-catalog")}, CatalogError, "no-such-catalog"),
        ({"registry": Path("no-such.csv")}, RegistryError, r"no-such\.csv cannot be read"),
        ({"corpus": Path("no-such-corpus")}, CorpusError, "no-such-corpus"),
    ],
)
def test_a_bad_call_is_refused_before_anything_is_written(tmp_path, changes, error, words):
    given = {"corpus": tmp_path, "out": tmp_path.with_name(f"{tmp_path.name}-out")} | changes
    with pytest.raises(error, match=words):
        scan(plan(**given))
    assert not given["out"].exists()


def test_out_must_be_new_or_empty_and_elsewhere(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    for out, words in [
        (tmp_path / "full", "is not empty; expected a new or an empty folder"),
        (tmp_path / "full" / "thesis.tex", "is a file; expected a new or an empty folder"),
        (tmp_path / "corpus" / "scan", "lies inside the corpus"),
        (tmp_path / "corpus", "lies inside the corpus"),
    ]:
        with pytest.raises(ScanError, match=words):
            scan(plan(tmp_path / "corpus", out))
    assert list((tmp_path / "corpus").iterdir()) == []


# Rows from matches


def test_overlapping_matches_count_their_seconds_once():
    record = judged(found(0.0, 10.0), found(5.0, 12.0, "u", group=1), found(20.0, 21.5, "v", group=2))
    assert record.item.matched_s == 13.5
    assert record.item.matches == 3


def test_no_match_is_unmatched():
    assert judged().item.status == "unmatched"


@pytest.mark.parametrize(
    ("holders", "status"),
    [
        (["Leonard Ritter"], "licensed"),
        (["Leonard Ritter", "El Senator"], "unlicensed"),
        (["Leonard Ritter", "Leonard Ritter"], "licensed"),
        # Without a name there may be a grant, or none.
        (["Leonard Ritter", None], "review"),
        (["El Senator", None], "unlicensed"),
    ],
)
def test_the_worst_match_decides(holders, status):
    matches = [found(10.0 * n, 10.0 * n + 5.0, group=n, rightsholder=holder) for n, holder in enumerate(holders)]
    assert judged(*matches, registry=read_registry(registry())).item.status == status


def test_odds_are_rounded_and_held_to_the_floor():
    (match,) = judged(found(0.0, 1.23456, log10_e_value=-4321.123)).matches
    assert (match.log10_e_value, match.item_end_s) == (-300.0, 1.235)


def test_listening_names_an_item_that_has_gone(tmp_path):
    listener = Listener([open_catalog(small_catalog(), load_model())], load_model(), effort="fast", max_e_value=1e-3)
    hearing = listener.listen(Item(id="gone.wav", source=WholeFile(location=str(tmp_path / "gone.wav")), size_bytes=10))
    assert (hearing.outcome, hearing.problem.kind) == ("error", "not readable")
    assert hearing.problem.words == "No such file or directory"


# A dead worker


def write_hours_of_silence(path, hours):
    """Write a WAV file that takes seconds to read and no room on the disk."""
    n_bytes = int(hours * 3600) * 8000 * 2
    header = b"RIFF" + (n_bytes + 36).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += (1).to_bytes(2, "little") * 2 + (8000).to_bytes(4, "little") + (16000).to_bytes(4, "little")
    header += (2).to_bytes(2, "little") + (16).to_bytes(2, "little") + b"data" + n_bytes.to_bytes(4, "little")
    path.write_bytes(header)
    os.truncate(path, len(header) + n_bytes)


def kill_who_reads(path, deadline_s=60.0):
    """Kill the child process that has a file open, with a signal that it cannot catch."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        for child in multiprocessing.active_children():
            try:
                opened = [each.readlink() for each in Path(f"/proc/{child.pid}/fd").iterdir()]
            except OSError:
                continue
            if path in opened:
                os.kill(child.pid, signal.SIGKILL)
                return
        time.sleep(0.01)


def test_a_killed_worker_costs_one_item(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    soundfile.write(corpus / "a.wav", excerpt("chaos"), 16000)
    write_hours_of_silence(corpus / "b-victim.wav", hours=8)
    soundfile.write(corpus / "c.wav", excerpt("die-gewalt"), 16000)
    killer = threading.Thread(target=kill_who_reads, args=(corpus / "b-victim.wav",))
    killer.start()
    summary = scan(plan(corpus, tmp_path / "out"))
    killer.join()
    items = items_of(tmp_path / "out")
    assert {item: row["status"] for item, row in items.items()} == {
        "a.wav": "unlicensed",
        "b-victim.wav": "error",
        "c.wav": "licensed",
    }
    assert items["b-victim.wav"]["error"].startswith("the worker process was ended by SIGKILL")
    assert summary.complete
    assert summary.errors == {"worker died": 1}
    assert multiprocessing.active_children() == []


def test_a_callback_that_fails_ends_the_scan_with_whole_lines(tmp_path):
    soundfile.write(tmp_path / "a.wav", excerpt("chaos"), 16000)

    def fail(row: ItemRow, size: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        scan(plan(tmp_path / "a.wav", tmp_path / "out"), on_item=fail)
    assert len(rows(tmp_path / "out" / "items.jsonl")) == 1
    assert read_summary(tmp_path / "out")["complete"] is False
    assert multiprocessing.active_children() == []


def test_a_full_disk_leaves_whole_lines(tmp_path):
    record = judged(found(0.0, 10.0))
    mark = Mark(size_bytes=1, modified_ns=None, decoded_s=60.0, problem=None)
    with ScanFolder(tmp_path / "out", Header(started="2026-11-01", plan={})) as folder:
        folder.append(record, mark)
        whole = (tmp_path / "out" / "items.jsonl").stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "out" / "matches.jsonl").stat().st_size + 50, hard))
        try:
            with pytest.raises(ScanError, match="out' cannot be written to: File too large"):
                folder.append(record, mark)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "out" / "items.jsonl").stat().st_size == whole
    assert len(rows(tmp_path / "out" / "matches.jsonl")) == 1
