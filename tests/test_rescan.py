"""Scans that keep fingerprints, and the same corpus matched again without its audio."""

import dataclasses
import json
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from earmark.catalog import (
    TrackReader,
    TrackTags,
    hide_known,
    live_rows,
    open_catalog,
    read_state,
    remove_tracks,
    state_of,
)
from earmark.catalog.lists import decode
from earmark.corpus import CorpusOptions, Item, Skipped
from earmark.errors import ModelMismatchError, ScanError
from earmark.exchange import pack, read_any_state
from earmark.fingerprint import load_model
from earmark.scan import Limits, RescanPlan, Shard, Stop, merge_scans, procession, rescan, scan
from earmark.scan.kept import FINGERPRINTS_FILE, read_kept
from earmark.scan.limits import allowed_s
from earmark.scan.listening import Hearing
from earmark.scan.procession import Procession

from .small_catalog import USE as LICENSE
from .small_catalog import earmark_command, excerpt, items_of, registry, rows, run_earmark, small_catalog
from .stopped_scan import DYING, ROW_FILES, check_same, make_corpus, plan, stop_after
from .synthetic_catalog import sketch
from .test_packs import made_catalog, revise
from .test_scan import USE

MODEL = load_model()


@pytest.fixture(scope="module")
def old_catalog(tmp_path_factory):
    """A catalog of one of the tracks of the small catalog."""
    root = tmp_path_factory.mktemp("old")
    shutil.copytree(small_catalog(), root / "catalog")
    remove_tracks(root / "catalog", ["azum", "azum-again", "die-gewalt"])
    return root / "catalog"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Music as it is, sped up, mixed, cut short; noise; what is no audio and what is broken."""
    root = tmp_path_factory.mktemp("rescan") / "corpus"
    (root / "sub").mkdir(parents=True)
    rng = np.random.default_rng(8)
    noise = 0.05 * rng.standard_normal(12 * 16000).astype(np.float32)
    fast = soxr.resample(excerpt("azum", duration_s=13.0), 1.12, 1.0)
    for name, y in {
        "chaos.wav": excerpt("chaos"),
        "fast.wav": fast,
        "medley.wav": np.concatenate([excerpt("chaos", 20.0, 6.0), excerpt("die-gewalt", 4.0, 7.0), noise[:40_000]]),
        "mix.wav": 0.5 * (excerpt("azum") + excerpt("die-gewalt")),
        "noise.wav": noise,
        "short.wav": excerpt("azum", duration_s=1.0),
        "sub/cut.wav": excerpt("azum", 12.0, 9.0),
    }.items():
        soundfile.write(root / name, y, 16000)
    (root / "sub" / "cut.wav").write_bytes((root / "sub" / "cut.wav").read_bytes()[:-50_000])
    (root / "broken.wav").write_bytes(b"no music")
    (root / "notes.txt").write_text("no music")
    return root


@pytest.fixture(scope="module")
def kept(corpus, old_catalog, tmp_path_factory):
    """A scan against the old catalog that has kept its fingerprints."""
    out = tmp_path_factory.mktemp("kept") / "out"
    scan(plan(corpus, out, catalog=old_catalog, keep_fingerprints=True, jobs=2))
    return out


def replan(kept, out, **changes):
    options = {"catalog": small_catalog(), "registry": registry(), "use": USE, "jobs": 1, "resume": True}
    return RescanPlan(scan=kept, out=out, **(options | changes))


def files_of(out):
    return [(out / name).read_bytes() for name in ROW_FILES]


# The same lines


@pytest.mark.parametrize("effort", ["fast", "standard"])
def test_lines_are_those_of_a_scan_of_the_audio(corpus, kept, tmp_path, effort):
    summaries = [
        scan(plan(corpus, tmp_path / "scan", effort=effort)),
        rescan(replan(kept, tmp_path / "rescan", effort=effort)),
    ]
    assert files_of(tmp_path / "scan") == files_of(tmp_path / "rescan")
    found = {(row["item"], row["track_id"]) for row in rows(tmp_path / "rescan" / "matches.jsonl")}
    assert found >= {
        ("chaos.wav", "chaos"),
        ("medley.wav", "die-gewalt"),
        ("mix.wav", "die-gewalt"),
        ("sub/cut.wav", "azum"),
    }
    assert (("fast.wav", "azum") in found) == (effort == "standard")
    items = items_of(tmp_path / "rescan")
    assert "truncated" in summaries[0].errors or items["sub/cut.wav"]["error"]
    assert (items["broken.wav"]["status"], items["notes.txt"]["status"]) == ("error", "skipped")
    for name in (
        "items",
        "matches",
        "hours",
        "matched_s",
        "errors",
        "skipped",
        "coverage",
        "corpus",
        "catalog",
        "limits",
    ):
        assert getattr(summaries[0], name) == getattr(summaries[1], name), name


@pytest.mark.long
def test_lines_are_those_of_a_thorough_scan_of_the_audio(corpus, kept, tmp_path):
    scan(plan(corpus, tmp_path / "scan", effort="thorough"))
    rescan(replan(kept, tmp_path / "rescan", effort="thorough"))
    assert files_of(tmp_path / "scan") == files_of(tmp_path / "rescan")


def test_it_needs_no_audio_and_takes_lists_and_rights(corpus, kept, tmp_path):
    """Rights are decided anew, whatever they were in the scan."""
    sha256 = items_of(kept)["mix.wav"]["sha256"]
    (tmp_path / "allow.csv").write_text("track_id,reason,author,expires\nchaos,cleared,Ann,never\n")
    (tmp_path / "ignore.csv").write_text(f"sha256,reason,author,expires\n{sha256},our own,Ben,never\n")
    lists = {"allow": tmp_path / "allow.csv", "ignore": tmp_path / "ignore.csv"}
    scan(plan(corpus, tmp_path / "scan", **lists))
    moved = corpus.with_name("away")
    corpus.rename(moved)
    try:
        rescan(replan(kept, tmp_path / "rescan", **lists))
    finally:
        moved.rename(corpus)
    assert files_of(tmp_path / "scan") == files_of(tmp_path / "rescan")
    assert items_of(tmp_path / "rescan")["mix.wav"]["status"] == "skipped"


@pytest.mark.long
def test_what_is_left_out_by_rule_stays_so(corpus, old_catalog, tmp_path):
    rules = {"min_seconds": 9.0, "limits": Limits(max_bytes=300_000)}
    scan(plan(corpus, tmp_path / "kept", catalog=old_catalog, keep_fingerprints=True, **rules))
    scan(plan(corpus, tmp_path / "scan", **rules))
    rescan(replan(tmp_path / "kept", tmp_path / "rescan"))
    assert files_of(tmp_path / "scan") == files_of(tmp_path / "rescan")
    words = {row["error"] for row in rows(tmp_path / "rescan" / "items.jsonl")}
    assert any("asked for are 9 s or more" in (each or "") for each in words)
    assert any("asked for are 300,000 or less" in (each or "") for each in words)


# Only what was added


def test_only_what_was_added_is_looked_for_with_the_odds_of_the_whole(kept, old_catalog, tmp_path):
    rescan(replan(kept, tmp_path / "all"))
    everything = rows(tmp_path / "all" / "matches.jsonl")
    state = read_any_state(kept, MODEL)
    pack(old_catalog, tmp_path / "p", model=MODEL)
    assert np.array_equal(read_any_state(tmp_path / "p", MODEL).find(state.entries), [0])
    assert read_any_state(old_catalog, MODEL).digest == state.digest
    summary = rescan(replan(kept, tmp_path / "new", added_since=state))
    new = rows(tmp_path / "new" / "matches.jsonl")
    assert {row["track_id"] for row in new} == {"azum", "azum-again", "die-gewalt"}
    assert [odds_of(row) for row in new] == [odds_of(row) for row in everything if row["track_id"] != "chaos"]
    assert f"Only 3 tracks that the catalog has gained since its state {state.digest}" in summary.limits
    assert summary.catalog["tracks"] == 4
    nothing = read_any_state(tmp_path / "all", MODEL)
    rescan(replan(kept, tmp_path / "none", added_since=nothing))
    assert rows(tmp_path / "none" / "matches.jsonl") == []
    with pytest.raises(ModelMismatchError, match="the state is of model 0000"):
        rescan(replan(kept, tmp_path / "x", added_since=dataclasses.replace(nothing, model_digest="0" * 64)))


def odds_of(row):
    return {name: value for name, value in row.items() if name != "group_id"}


def test_a_track_that_was_replaced_is_new_and_one_with_other_tags_is_not(tmp_path):
    path = made_catalog(tmp_path / "c", n=8)
    catalog = open_catalog(path, MODEL)
    before, duration_s = state_of(catalog), catalog.duration_s
    (same,) = (TrackReader(catalog).read(n).sketch for n, tags, _, _ in live_rows(catalog) if tags.track_id == "t01")
    catalog.close()
    other = sketch(np.random.default_rng(50), 6)
    revise(
        path,
        remove=["t00", "t01"],
        add=[(TrackTags(track_id="t00", label="L"), other), (TrackTags(track_id="t01", title="New"), same)],
    )
    catalog = open_catalog(path, MODEL)
    whole_s = catalog.duration_s
    assert hide_known(catalog, before) == 1
    again = np.rint(decode(same.codes, MODEL) * MODEL.config.patch_scale).astype(np.int8)
    for queries in (other.patches, again):
        tracks, _, _ = catalog.search(queries, 5)
        assert {catalog.track(int(t)).track_id for t in tracks[tracks >= 0]} == {"t00"}
    assert catalog.duration_s == whole_s != duration_s
    assert hide_known(catalog, state_of_copy(path)) == 0
    assert (catalog.search(other.patches, 5)[0] == -1).all()
    catalog.close()


def state_of_copy(path):
    catalog = open_catalog(path, MODEL)
    state = state_of(catalog)
    catalog.close()
    return state


# Killed, stopped, resumed, divided


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("many") / "corpus")


@pytest.fixture(scope="module")
def uninterrupted(many, tmp_path_factory):
    out = tmp_path_factory.mktemp("uninterrupted") / "out"
    assert scan(plan(many, out, jobs=2, keep_fingerprints=True)).complete
    return out


def test_fingerprints_survive_a_scan_that_is_killed_and_resumed(many, uninterrupted, tmp_path):
    dice, out = random.Random(5), tmp_path / "out"
    options = ["--catalog", small_catalog(), "--out", out, "--resume", "--registry", registry(), *LICENSE]
    options += ["--effort", "fast", "--jobs", "1", "--keep-fingerprints"]
    command = earmark_command("scan", many, *options)
    total = (uninterrupted / FINGERPRINTS_FILE).stat().st_size
    for _ in range(2):
        program = [command[0], "-c", DYING, str(dice.randrange(total // 8, total // 2)), *command[3:]]
        process = subprocess.run(program, check=False, capture_output=True, text=True, timeout=120)
        if process.returncode >= 0:
            break
    assert scan(plan(many, out, keep_fingerprints=True)).complete
    check_same(out, uninterrupted)
    assert (out / FINGERPRINTS_FILE).read_bytes() == (uninterrupted / FINGERPRINTS_FILE).read_bytes()


def test_a_rescan_that_is_stopped_goes_on(uninterrupted, tmp_path):
    rescan(replan(uninterrupted, tmp_path / "whole"))
    out = tmp_path / "out"
    for n in (3, 20):
        assert not rescan(replan(uninterrupted, out), **stop_after(n)).complete
    assert rescan(replan(uninterrupted, out)).complete
    check_same(out, tmp_path / "whole")
    with pytest.raises(ScanError, match="a scan of another plan: effort was 'fast' and is 'standard'"):
        rescan(replan(uninterrupted, out, effort="standard"))


@pytest.mark.long
def test_shards_are_merged_with_their_fingerprints(many, uninterrupted, tmp_path):
    for index in (1, 2):
        shard = Shard(index=index, count=2)
        scan(plan(many, tmp_path / f"{index}", shard=shard, keep_fingerprints=True))
        rescan(replan(tmp_path / f"{index}", tmp_path / f"again{index}"))
    merge_scans(tmp_path / "merged", [tmp_path / "1", tmp_path / "2"])
    kept = [(out / FINGERPRINTS_FILE).read_bytes() for out in (tmp_path / "merged", uninterrupted)]
    assert kept[0] == kept[1]
    rescan(replan(tmp_path / "merged", tmp_path / "again"))
    merge_scans(tmp_path / "again-merged", [tmp_path / "again1", tmp_path / "again2"])
    assert files_of(tmp_path / "again") == files_of(tmp_path / "again-merged") == files_of(uninterrupted)


# Damage


def test_a_damaged_fingerprint_costs_its_item_and_a_damaged_line_is_told(kept, tmp_path):
    whole = (kept / FINGERPRINTS_FILE).read_bytes()
    copy = tmp_path / "copy"
    shutil.copytree(kept, copy)
    place = next(one for one in read_kept(copy, MODEL) if isinstance(one, Item) and one.id == "fast.wav").source
    middle = place.offset + place.size // 2
    (copy / FINGERPRINTS_FILE).write_bytes(whole[:middle] + b"\0\0\0\0" + whole[middle + 4 :])
    summary = rescan(replan(copy, tmp_path / "one"))
    items = items_of(tmp_path / "one")
    assert "the kept fingerprint is damaged" in items["fast.wav"]["error"]
    assert items["chaos.wav"]["status"] == "unlicensed"
    assert "1 kept fingerprint not readable" in summary.coverage
    at = whole.index(b'"item": "fast.wav"')
    (copy / FINGERPRINTS_FILE).write_bytes(whole[:at] + whole[at:].replace(b"fast", b"Fast", 1))
    with pytest.raises(ScanError, match=rf"{FINGERPRINTS_FILE}, byte \d.*: damaged"):
        rescan(replan(copy, tmp_path / "two"))


def first_line(**changes):
    values = {"kind": "earmark fingerprints", "version": 1, "model_digest": "ab"}
    return json.dumps(values | changes).encode() + b"\n"


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (None, ScanError, "no kept fingerprints .* --keep-fingerprints"),
        (b"", ScanError, "damaged, or no kept fingerprints"),
        (first_line(kind="songs"), ScanError, "expected 'earmark fingerprints', got 'songs'"),
        (first_line(version=2), ScanError, "its version is 2"),
        (first_line(), ModelMismatchError, "made with model ab"),
    ],
)
def test_what_is_no_file_of_fingerprints_is_refused(kept, tmp_path, data, error, words):
    copy = tmp_path / "copy"
    shutil.copytree(kept, copy)
    (copy / FINGERPRINTS_FILE).unlink()
    if data is not None:
        (copy / FINGERPRINTS_FILE).write_bytes(data)
    with pytest.raises(error, match=words):
        rescan(replan(copy, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_file_that_lacks_its_end_is_told(kept, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(kept, copy)
    data = (copy / FINGERPRINTS_FILE).read_bytes()
    (copy / FINGERPRINTS_FILE).write_bytes(data[: len(data) // 2])
    with pytest.raises(ScanError, match="ends after"):
        rescan(replan(copy, tmp_path / "out"))
    with pytest.raises(ScanError, match="does not hold the fingerprints of"):
        scan_again(copy)


def scan_again(copy):
    """Resume the scan of a copied folder as it was begun."""
    about = json.loads((copy / "journal.jsonl").read_bytes().split(b"\n")[0])["about"]
    corpus, catalog = about["corpus"], about["catalog"]["path"]
    return scan(plan(corpus, copy, catalog=Path(catalog), keep_fingerprints=True))


def test_a_scan_that_has_not_come_to_its_end_is_refused(many, tmp_path):
    scan(plan(many, tmp_path / "out", keep_fingerprints=True), **stop_after(4))
    with pytest.raises(ScanError, match="has not come to its end; resume it first"):
        rescan(replan(tmp_path / "out", tmp_path / "two"))
    with pytest.raises(ScanError, match="a scan of another plan: keep_fingerprints was True and is None"):
        scan(plan(many, tmp_path / "out"))
    with pytest.raises(ScanError, match="expected the folder of a scan"):
        rescan(replan(tmp_path, tmp_path / "two"))


# Memory


class _Slow:
    """An engine whose first item takes longer than all others."""

    def __init__(self, size):
        self._size, self._items, self.most = size, [], 0
        self.n_busy, self.n_heard = 0, 0

    def grow_to(self, n_workers):
        pass

    def hand(self, item):
        self._items.append(item)
        self.n_busy += 1
        return True

    def collect(self, timeout_s):
        ready = self._items[1:] or self._items
        self._items = [item for item in self._items if item not in ready]
        self.n_busy -= len(ready)
        return [(item, Hearing(outcome="heard", kept=bytes(self._size))) for item in ready]


def test_fingerprints_that_wait_for_those_before_them_are_bounded(monkeypatch):
    monkeypatch.setattr(procession, "_WAITING_BYTES", 10_000)

    def entries():
        for n in range(400):
            yield Item(id=f"{n}", source=None, size_bytes=0) if n % 5 else Skipped(id=f"{n}", reason="r")

    monkeypatch.setattr(procession, "modified_ns", lambda entry: None)
    run = Procession(entries(), _Slow(1000), 2, Limits(), Stop())
    ids, most = [], 0
    for known in run:
        most = max(most, run._waiting_bytes)
        ids += [one.id for one in known]
    assert ids == [f"{n}" for n in range(400)]
    assert 5_000 < most < 25_000
    assert run._waiting_bytes == 0


def test_a_long_item_has_the_time_of_one_so_long():
    assert allowed_s(Limits(), 10**9, 36_000.0) > 10_000  # `Listener` tells how long it is before it matches


# The command


def test_the_command_does_it_from_end_to_end(corpus, old_catalog, tmp_path):
    """Scan, rescan of what was added, log and check."""
    common = ["--registry", registry(), *LICENSE, "--jobs", 1]
    options = ["--catalog", old_catalog, "--out", tmp_path / "s", "--effort", "fast", "--keep-fingerprints"]
    assert run_earmark("scan", corpus, *options, *common).returncode == 4
    news = ["--catalog", small_catalog(), "--out", tmp_path / "n", "--added-since", tmp_path / "s"]
    process = run_earmark("rescan", tmp_path / "s", *news, *common, "--fail-on", "any")
    assert process.returncode == 4, process.stderr
    assert {row["track_id"] for row in rows(tmp_path / "n" / "matches.jsonl")} == {"azum", "azum-again", "die-gewalt"}
    assert (tmp_path / "n" / "matches.parquet").exists()
    options = json.loads((tmp_path / "n" / "summary.json").read_text())["options"]
    assert options["added_since"] == read_state(tmp_path / "n" / "since.state").digest
    assert run_earmark("verify", tmp_path / "n").returncode == 0


@pytest.mark.long
def test_how_a_corpus_was_read_is_remembered(corpus, old_catalog, tmp_path):
    reading = CorpusOptions(format="directory", audio_columns=("audio", "sound"))
    scan(plan(corpus, tmp_path / "s", catalog=old_catalog, keep_fingerprints=True, reading=reading))
    rescan(replan(tmp_path / "s", tmp_path / "r"))
    summaries = [json.loads((tmp_path / name / "summary.json").read_text()) for name in "sr"]
    assert summaries[0]["options"]["reading"] == summaries[1]["options"]["reading"]
