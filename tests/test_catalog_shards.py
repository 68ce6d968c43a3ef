"""A catalog in several shards: the rows are those of one catalog with all of their tracks."""

import dataclasses
import math

import numpy as np
import pytest
import soundfile

from earmark.audio import stream
from earmark.catalog import STATE_FILE, build_catalog, open_catalog, read_state
from earmark.errors import CatalogError, ParameterError
from earmark.fingerprint import fingerprint, load_model
from earmark.matching import Matcher
from earmark.report import read_summary
from earmark.scan import RescanPlan, ScanPlan, rescan, scan
from earmark.scan.catalog_shard import Merger, Search
from earmark.scan.listening import Hearing, Problem
from earmark.scan.shard_hearings import merge_hearings

from .small_catalog import excerpt, items_of, registry, rows, run_earmark, small_catalog
from .test_scan import USE

SHARDS = (("azum-again", "azum", "chaos"), ("die-gewalt",))


def catalog_of(track_ids, path):
    whole = small_catalog().parent
    sources = [whole / "music" / f"{track_id}.opus" for track_id in track_ids]
    build_catalog(path, sources, metadata=whole / "tracks.csv", model=load_model(), jobs=1)
    return path


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    root = tmp_path_factory.mktemp("shards")
    return tuple(catalog_of(track_ids, root / "-".join(track_ids)) for track_ids in SHARDS)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Music of either shard, of both in turn, faster than it was, and none of it."""
    root = tmp_path_factory.mktemp("corpus")
    parts = {
        "chaos": excerpt("chaos"),
        "azum": excerpt("azum"),
        "in-turn": np.concatenate([excerpt(each, 8.0, 12.0) for each in ("azum", "chaos", "die-gewalt")]),
        "silence": np.zeros(5 * 16000, np.float32),
    }
    for name, y in parts.items():
        soundfile.write(root / f"{name}.flac", y, 16000)
    soundfile.write(root / "faster.flac", excerpt("azum", 8.0, 20.0), 17500)
    return root


@pytest.fixture(scope="module")
def mix(tmp_path_factory):
    """Two tracks at once, each of another shard, equally loud."""
    root = tmp_path_factory.mktemp("mix")
    soundfile.write(root / "mix.flac", (excerpt("chaos", 8.0, 20.0) + excerpt("die-gewalt", 8.0, 20.0)) / 2, 16000)
    return root


def plan(corpus, out, **changes):
    return ScanPlan(corpus=corpus, out=out, **({"registry": registry(), "use": USE, "jobs": 1} | changes))


def test_the_rows_are_those_of_one_catalog(corpus, shards, tmp_path):
    one = scan(plan(corpus, tmp_path / "one", catalog=small_catalog()))
    several = scan(plan(corpus, tmp_path / "several", catalog=shards))
    assert one.matches["total"] == 6
    for name in ("matches.jsonl", "items.jsonl"):
        assert (tmp_path / "several" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert several.catalog["path"] == ", ".join(map(str, shards))
    assert (several.catalog["tracks"], several.catalog["hours"]) == (one.catalog["tracks"], one.catalog["hours"])
    in_both = [row for row in rows(tmp_path / "several" / "matches.jsonl") if row["item"] == "azum.flac"]
    assert {row["track_id"] for row in in_both} == {"azum", "azum-again"}
    assert len({row["group_id"] for row in in_both}) == 1


def test_a_shard_alone_is_more_sure_of_what_it_finds(corpus, shards):
    """Odds are against the catalog: half of it gives half as many chance matches."""
    model = load_model()
    catalog = open_catalog(shards[0], model)
    with stream(corpus / "chaos.flac") as recording:
        heard = fingerprint(recording, model)
    (alone,) = Matcher(catalog, model, effort="fast").match(heard)
    whole_s = 4 * catalog.duration_s
    (found,) = Search([catalog], model, effort="fast", max_e_value=1e-3, whole_s=whole_s).find(heard)
    assert found.match.log10_e_value == pytest.approx(alone.log10_e_value + math.log10(4))
    assert dataclasses.replace(found.match, log10_e_value=alone.log10_e_value) == alone


def test_a_match_that_is_good_enough_for_a_shard_alone_only_is_not_reported(corpus, shards):
    model = load_model()
    catalog = open_catalog(shards[0], model)
    with stream(corpus / "chaos.flac") as recording:
        heard = fingerprint(recording, model)
    (alone,) = Matcher(catalog, model, effort="fast").match(heard)
    limit = 10**alone.log10_e_value * 2
    assert len(Matcher(catalog, model, effort="fast", max_e_value=limit).match(heard)) == 1
    for times, n_found in ((1.9, 1), (2.1, 0)):
        search = Search([catalog], model, effort="fast", max_e_value=limit, whole_s=times * catalog.duration_s)
        assert len(search.find(heard)) == n_found


def found_by(corpus, name, path, whole_s):
    """Return what one shard finds in an item."""
    model = load_model()
    with stream(corpus / name) as recording:
        heard = fingerprint(recording, model)
    return Search([open_catalog(path, model)], model, effort="fast", max_e_value=1e-3, whole_s=whole_s).find(heard)


def test_two_tracks_at_once_are_both_kept(mix, shards):
    merger = Merger(load_model(), effort="fast", max_e_value=1e-3, whole_s=140.0)
    found = [found_by(mix, "mix.flac", path, 140.0) for path in shards]
    assert [one.track.track_id for shard in found for one in shard] == ["chaos", "die-gewalt"]
    assert sorted(one.track.track_id for one in merger.merge(found)) == ["chaos", "die-gewalt"]


def test_what_a_better_match_explains_is_dropped_and_the_same_recording_is_kept(corpus, shards):
    """As of a remix that holds the track a third of the time, and of a second issue."""
    merger = Merger(load_model(), effort="fast", max_e_value=1e-3, whole_s=140.0)
    (better,) = found_by(corpus, "chaos.flac", shards[0], 140.0)
    weaker = dataclasses.replace(better.match, log10_e_value=better.match.log10_e_value + 5)
    again = dataclasses.replace(better, match=weaker)
    assert [one.match.group for one in merger.merge([[better], [again]])] == [0, 0]
    rng = np.random.default_rng(5)
    track = better.laid.track
    others = np.bitwise_and.reduce(rng.integers(0, 1 << 64, (3, len(track)), dtype=np.uint64))  # 8 peaks a word
    mixed = np.where(np.arange(len(track)) % 3 == 0, track, others)
    remix = dataclasses.replace(again, laid=dataclasses.replace(better.laid, track=mixed))
    assert len(merger.merge([[], [remix]])) == 1
    assert [one.match.log10_e_value for one in merger.merge([[better], [remix]])] == [better.match.log10_e_value]
    # It was never to be seen in the item as it is: its shard found it beneath another track.
    unseen = dataclasses.replace(again, laid=dataclasses.replace(better.laid, track=others))
    assert len(merger.merge([[better], [unseen]])) == 2


def test_what_one_shard_could_not_do_was_not_done(corpus, shards):
    merger = Merger(load_model(), effort="fast", max_e_value=1e-3, whole_s=140.0)
    found = found_by(corpus, "chaos.flac", shards[0], 140.0)
    heard = Hearing(
        outcome="heard",
        sha256="a",
        duration_s=8.0,
        decoded_s=8.0,
        scanned_s=8.0,
        found=tuple((one.match, one.track) for one in found),
        laid=tuple(one.laid for one in found),
    )
    lost = Hearing(outcome="error", problem=Problem(kind="took too long", words="took longer than 5 s"))
    merged = merge_hearings([heard, lost], merger)
    assert merged.outcome == "heard"
    assert merged.scanned_s == 0.0
    assert [track.track_id for _, track in merged.found] == ["chaos"]
    assert merged.problem == Problem(kind="took too long", words="shard 2 of 2 of the catalog: took longer than 5 s")
    nothing = dataclasses.replace(heard, found=(), laid=())
    assert merge_hearings([nothing, lost], merger).outcome == "error"
    assert merge_hearings([lost, lost], merger) == lost
    other = dataclasses.replace(nothing, sha256="b")
    assert merge_hearings([nothing, other], merger).sha256 is None
    assert merge_hearings([nothing, other], merger).problem.kind == "changed while read"


def test_resuming_needs_the_same_shards(corpus, shards, tmp_path):
    scan(plan(corpus, tmp_path / "out", catalog=shards, effort="fast"))
    again = ["scan", corpus, "--out", tmp_path / "out", "--effort", "fast", "--resume", "--catalog", shards[0]]
    process = run_earmark(*again)
    assert process.returncode == 2
    assert "holds a scan of another plan: catalog was" in " ".join(process.stderr.split())


def test_shards_from_the_command_line(mix, shards, tmp_path):
    catalogs = ["--catalog", shards[0], "--catalog", shards[1]]
    process = run_earmark("scan", mix, *catalogs, "--out", tmp_path / "out", "--effort", "fast", "--jobs", "1")
    assert process.returncode == 0, process.stderr
    assert items_of(tmp_path / "out")["mix.flac"]["matches"] == 2
    assert read_summary(tmp_path / "out")["catalog"]["tracks"] == 4


def test_shards_that_are_none(corpus, shards, tmp_path):
    with pytest.raises(ParameterError, match="expected a catalog, got none"):
        scan(plan(corpus, tmp_path / "out", catalog=()))
    with pytest.raises(ParameterError, match="are the same one"):
        scan(plan(corpus, tmp_path / "out", catalog=(shards[0], shards[0])))


def test_what_was_kept_is_matched_again_with_shards(corpus, shards, tmp_path):
    fast = {"effort": "fast"}
    scan(plan(corpus, tmp_path / "first", catalog=shards[0], keep_fingerprints=True, **fast))
    scan(plan(corpus, tmp_path / "both", catalog=shards, keep_fingerprints=True, **fast))
    again = {"scan": tmp_path / "first", "catalog": shards, "registry": registry(), "use": USE, "jobs": 1}
    rescan(RescanPlan(out=tmp_path / "again", **again))
    for name in ("matches.jsonl", "items.jsonl"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "both" / name).read_bytes()
    since = read_state(tmp_path / "first" / STATE_FILE)
    rescan(RescanPlan(out=tmp_path / "news", added_since=since, **again))
    assert {row["track_id"] for row in rows(tmp_path / "both" / "matches.jsonl")} == {
        "azum",
        "azum-again",
        "chaos",
        "die-gewalt",
    }
    assert {row["track_id"] for row in rows(tmp_path / "news" / "matches.jsonl")} == {"die-gewalt"}
    assert read_state(tmp_path / "again" / STATE_FILE).digest == read_state(tmp_path / "both" / STATE_FILE).digest


def test_shards_that_share_an_id_have_no_state(corpus, shards, tmp_path):
    other = catalog_of(("chaos",), tmp_path / "other")
    with pytest.raises(CatalogError, match="are no shards of one: a track id comes twice"):
        scan(plan(corpus, tmp_path / "out", catalog=(shards[0], other), keep_fingerprints=True))


def test_a_recording_in_two_shards_is_one_match_with_two_ids(corpus, tmp_path):
    """Its hours count in both, which makes odds a little worse; all else is as with one catalog."""
    parts = (("azum-again", "chaos"), ("azum", "die-gewalt"))
    both = tuple(catalog_of(track_ids, tmp_path / "-".join(track_ids)) for track_ids in parts)
    scan(plan(corpus, tmp_path / "one", catalog=small_catalog(), effort="fast"))
    scan(plan(corpus, tmp_path / "both", catalog=both, effort="fast"))
    one, several = (
        [{name: value for name, value in row.items() if "e_value" not in name} for row in rows(path / "matches.jsonl")]
        for path in (tmp_path / "one", tmp_path / "both")
    )
    assert one == several
    assert len({row["group_id"] for row in one}) < len(one)
