"""Compaction, corrections, merging, checking and salvage of catalogs, and what readers see meanwhile."""

import csv
import json
import shutil

import numpy as np
import pytest

from earmark.catalog import (
    Layout,
    catalog_info,
    check_catalog,
    compact_catalog,
    list_tracks,
    merge_catalogs,
    open_catalog,
    remove_tracks,
    salvage_catalog,
    update_tracks,
)
from earmark.catalog.manifest import read_manifest
from earmark.catalog.segment import Segment
from earmark.errors import CatalogDamagedError, CatalogError, MetadataError

from .synthetic_catalog import MODEL, sketch, write_catalog

CONTENTS = {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4, "again": 1}


@pytest.fixture(scope="module")
def sketches():
    rng = np.random.default_rng(7)
    return [sketch(rng, n, silent=[3]) for n in (60, 200, 500, 140, 33)]  # c is just under a block of words


@pytest.fixture
def path(tmp_path, sketches):
    """Three segments: a, b | c, d, again (the audio of b) | e."""
    tracks = [(name, sketches[number]) for name, number in CONTENTS.items()]
    by_name = dict(tracks)
    segments = [["a", "b"], ["c", "d", "again"], ["e"]]
    return write_catalog(
        tmp_path / "c", [[(name, by_name[name]) for name in names] for names in segments], Layout(exact_below=100)
    )


def found_in(path, sketches):
    """Return for each fingerprint the ids it is found under, by searching for all its patches and reading its words."""
    catalog = open_catalog(path, MODEL)
    answers = {}
    for number, one in enumerate(sketches):
        spoken = one.patches[one.patches.any(axis=1)]
        tracks, _, _ = catalog.search(spoken, 1)
        best, counts = np.unique(tracks[tracks >= 0], return_counts=True)
        best = [int(track) for track, n in zip(best, counts, strict=True) if n > 0.9 * len(spoken)]
        for track in best:
            assert (catalog.words(track) == one.words).all()
            same = [track, *catalog.same_audio(track)]
            answers[number] = {catalog.track(each).track_id for each in same}
    catalog.close()
    return answers


def live(path):
    return {track.track_id: track for track in list_tracks(path)}


def is_sound(path):
    found = check_catalog(path, model=MODEL)
    return not found.damage and not found.notes


def test_compaction_frees_what_was_removed_and_joins(path, sketches):
    remove_tracks(path, ["a", "b"])
    before, bytes_before = live(path), catalog_info(path).n_bytes
    told = []
    done = compact_catalog(path, model=MODEL, on_progress=told.append)
    assert (done.n_segments_before, done.n_segments_after, done.n_rewritten) == (3, 1, 3)
    info = catalog_info(path)
    assert (info.n_tracks, info.n_removed, info.n_recordings) == (4, 0, 4)
    assert info.n_bytes < bytes_before
    assert [one.name for one in (path / "segments").iterdir()] == ["0004"]
    assert found_in(path, sketches) == {1: {"again"}, 2: {"c"}, 3: {"d"}, 4: {"e"}}
    assert is_sound(path)
    after = live(path)
    assert after.keys() == before.keys()
    for track_id, track in after.items():
        assert track.recording == before[track_id].recording
        assert track.extra == {"upc": "1"}
    assert (told[-1].n_done, told[-1].n_total) == (4, 4)
    assert compact_catalog(path, model=MODEL).n_rewritten == 0
    again = catalog_info(path)
    assert again == info
    assert compact_catalog(path, model=MODEL, everything=True).n_rewritten == 1
    assert found_in(path, sketches) == {1: {"again"}, 2: {"c"}, 3: {"d"}, 4: {"e"}}


def test_audio_that_two_segments_have_is_one_recording_after_compaction(path, sketches):
    assert catalog_info(path).n_recordings == 6
    assert found_in(path, sketches)[1] == {"b", "again"}
    compact_catalog(path, model=MODEL)
    assert catalog_info(path).n_recordings == 5
    assert found_in(path, sketches) == {0: {"a"}, 1: {"b", "again"}, 2: {"c"}, 3: {"d"}, 4: {"e"}}
    remove_tracks(path, ["b"])
    assert found_in(path, sketches)[1] == {"again"}
    compact_catalog(path, model=MODEL)
    assert found_in(path, sketches)[1] == {"again"}
    assert is_sound(path)


def test_a_compacted_catalog_answers_as_before(path, sketches):
    rng = np.random.default_rng(3)
    noise = rng.integers(-20, 21, (200, 128))
    queries = np.clip(sketches[1].patches + noise, -127, 127).astype(np.int8)
    queries[3] = 0

    def answers():
        catalog = open_catalog(path, MODEL)
        tracks, positions, products = catalog.search(queries, 5)
        names = [[catalog.track(number).track_id if number >= 0 else None for number in row] for row in tracks.tolist()]
        return names, positions, products

    compact_catalog(path, model=MODEL, layout=Layout(exact_below=10**6), everything=True)
    names, positions, products = answers()
    compact_catalog(path, model=MODEL, layout=Layout(exact_below=10**6, max_patches=250), everything=True)
    assert len(catalog_info(path).segments) > 1
    names_2, positions_2, products_2 = answers()
    assert (np.abs(products - products_2) < 0.02).all()  # FAISS rounds them
    agree = [one == other for one, other in zip(names, names_2, strict=True)]
    assert np.mean(agree) > 0.9
    assert (positions[:, 0] == positions_2[:, 0]).mean() > 0.97


def test_an_empty_catalog_can_be_compacted(path):
    remove_tracks(path, ["a", "b", "c", "d", "again", "e"])
    done = compact_catalog(path, model=MODEL)
    assert (done.n_segments_after, done.n_bytes_after) == (0, 0)
    assert open_catalog(path, MODEL).search(np.ones((2, 128), np.int8), 3)[0].tolist() == [[-1] * 3] * 2
    assert is_sound(path)
    assert list(list_tracks(path)) == []


def test_readers_keep_their_state_while_it_is_compacted(path, sketches):
    reader = open_catalog(path, MODEL)
    queries = sketches[1].patches[:50]
    before = reader.search(queries, 3)
    remove_tracks(path, ["b"])
    compact_catalog(path, model=MODEL)
    assert not (path / "segments/0001").exists()
    for one, other in zip(before, reader.search(queries, 3), strict=True):
        assert (one == other).all()
    assert reader.track(1).track_id == "b"
    assert (reader.words(1) == sketches[1].words).all()
    assert reader.same_audio(1) == [4]


def test_a_reader_whose_segments_vanish_while_it_opens_begins_again(path, monkeypatch):
    """The manifest is read, then a compaction takes the segments away, then they are opened."""
    from earmark.catalog import snapshot

    calls = []

    def read_then_compact(catalog):
        answer = read_manifest(catalog)
        if not calls:
            calls.append(1)
            compact_catalog(path, model=MODEL)
        return answer

    monkeypatch.setattr(snapshot, "read_manifest", read_then_compact)
    assert open_catalog(path, MODEL).n_tracks == 6
    calls.clear()
    assert {one.track_id for one in list_tracks(path)} == set(CONTENTS)


def write_csv(path, text):
    path.write_text(text)
    return path


def test_corrections_need_no_audio(path, sketches, tmp_path):
    reader = open_catalog(path, MODEL)
    metadata = write_csv(
        tmp_path / "new.csv",
        "track_id,path,isrc,label,title,upc,duration_s\n"
        "a,,GBAYE6800011,New Label,,77,1\n,b.wav,,Other,B,,\nnix,,,L,,,\n,nowhere.wav,,L,,,\ne,,,L,,,\n",
    )
    done = update_tracks(path, metadata)
    assert (done.n_changed, done.n_same) == (2, 1)
    assert done.unknown == (f"{metadata}:4: nix", f"{metadata}:5: nowhere.wav")
    tracks = live(path)
    assert (tracks["a"].isrc, tracks["a"].label, tracks["a"].title) == ("GBAYE6800011", "New Label", None)
    assert tracks["a"].extra == {"upc": "77"}
    assert (tracks["b"].label, tracks["b"].title, tracks["b"].extra) == ("Other", "B", {"upc": "1"})
    assert (tracks["c"].label, tracks["c"].path) == ("L", "c.wav")
    assert dict(catalog_info(path).labels) == {"L": 4, "New Label": 1, "Other": 1}
    assert (path / "segments/0001/tracks.2.sqlite").exists()
    assert not (path / "segments/0001/tracks.sqlite").exists()
    assert (path / "segments/0002/tracks.sqlite").exists()
    assert reader.track(0).label == "L"  # who had it open
    assert open_catalog(path, MODEL).track(0).label == "New Label"
    assert found_in(path, sketches)[0] == {"a"}
    assert is_sound(path)
    digest = catalog_info(path).digest
    assert update_tracks(path, metadata).n_changed == 0
    assert catalog_info(path).digest == digest
    compact_catalog(path, model=MODEL)
    assert live(path)["a"].label == "New Label"


def test_an_empty_cell_clears_only_if_asked(path, tmp_path):
    metadata = write_csv(tmp_path / "new.csv", "track_id,label,upc\na,,\n")
    assert update_tracks(path, metadata).n_changed == 0
    assert update_tracks(path, metadata, clear_empty=True).n_changed == 1
    track = live(path)["a"]
    assert (track.label, track.extra, track.path) == (None, {}, "a.wav")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title\nx\n", "no column 'track_id' or 'path'"),
        ("track_id,title\n,x\n", ":2: no track_id or path"),
        ("track_id,isrc\na,12\n", ":2: '12' is no ISRC"),
        ("track_id\na\na\n", "track_id 'a' comes twice"),
    ],
)
def test_bad_corrections_change_nothing(path, tmp_path, text, words):
    digest = catalog_info(path).digest
    with pytest.raises(MetadataError, match=words):
        update_tracks(path, write_csv(tmp_path / "new.csv", text))
    assert catalog_info(path).digest == digest


def test_a_removed_track_is_not_corrected(path, tmp_path):
    remove_tracks(path, ["a"])
    done = update_tracks(path, write_csv(tmp_path / "new.csv", "track_id,title\na,x\n"))
    assert (done.n_changed, len(done.unknown)) == (0, 1)


def test_merged_catalogs_have_everything_once(path, sketches, tmp_path):
    rng = np.random.default_rng(9)
    more = [*sketches, sketch(rng, 70), sketch(rng, 80)]
    other = write_catalog(
        tmp_path / "o", [[("a", sketches[0]), ("c", more[5])], [("x", sketches[3]), ("y", more[6]), ("gone", more[5])]]
    )
    remove_tracks(other, ["gone"])
    before = [(catalog_info(one), found_in(one, more)) for one in (path, other)]
    done = merge_catalogs(tmp_path / "m", [path, other], model=MODEL, layout=Layout(max_patches=300))
    assert (done.n_tracks, done.n_recordings, done.n_same, done.conflicts) == (8, 6, 1, ("c",))
    info = catalog_info(tmp_path / "m")
    assert (info.n_tracks, info.n_recordings) == (8, 6)
    assert found_in(tmp_path / "m", more) == {
        0: {"a"}, 1: {"b", "again"}, 2: {"c"}, 3: {"d", "x"}, 4: {"e"}, 6: {"y"},
    }  # fmt: skip
    assert is_sound(tmp_path / "m")
    assert [(catalog_info(one), found_in(one, more)) for one in (path, other)] == before
    with pytest.raises(CatalogError, match="is a catalog already"):
        merge_catalogs(tmp_path / "m", [path], model=MODEL)
    with pytest.raises(CatalogError, match="no catalog"):
        merge_catalogs(tmp_path / "n", [path, tmp_path / "nix"], model=MODEL)
    assert not (tmp_path / "n").exists()


def test_a_merge_that_fails_leaves_nothing(path, tmp_path):
    words = path / "segments/0002/words.u64"
    words.write_bytes(b"\0" * words.stat().st_size)
    with pytest.raises(CatalogDamagedError, match=r"words\.u64"):
        merge_catalogs(tmp_path / "m", [path], model=MODEL)
    assert not (tmp_path / "m").exists()


def test_check_names_what_is_damaged(path, tmp_path):
    assert is_sound(path)
    found = check_catalog(path, model=MODEL, jobs=2)
    assert (found.n_tracks, found.n_segments) == (6, 3)
    assert found.n_bytes == sum(segment.n_bytes for segment in catalog_info(path).segments)
    for name in ("vectors.lists", "vectors.table", "words.u64", "words.crc32", "tracks.sqlite"):
        copy = shutil.copytree(path, tmp_path / name)
        file = copy / "segments/0002" / name
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 4
        file.write_bytes(data)
        found = check_catalog(copy, model=MODEL)
        assert found.damage == ((f"segments/0002/{name}", "its bytes are not those that were written"),)
        file.write_bytes(data[:-5])
        [(where, wrong)] = check_catalog(copy, model=MODEL).damage
        assert where == f"segments/0002/{name}"
        assert wrong == f"{len(data) - 5:,} bytes, expected {len(data):,}"
        file.unlink()
        assert check_catalog(copy, model=MODEL).damage == (
            (f"segments/0002/{name}", "cannot be read: No such file or directory"),
        )


def test_check_tells_of_leftovers(path):
    shutil.copytree(path / "segments/0001", path / "segments/0009")
    (path / "segments/0001/tracks.7.sqlite").touch()
    (path / "manifest.copy.json").write_text("old")
    found = check_catalog(path, model=MODEL)
    assert not found.damage
    assert found.notes == (
        "manifest.copy.json is not a copy of manifest.json; the next change makes it one",
        "segments/0001/tracks.7.sqlite belongs to nothing; the next change removes it",
        "segments/0009 belongs to nothing; the next change removes it",
    )
    remove_tracks(path, ["a"])
    assert is_sound(path)


def test_a_segment_whose_parts_do_not_fit_is_found(path):
    """A forged manifest: digests are right, but a track comes twice."""
    from earmark.catalog.storage import replace_manifest

    manifest, _ = read_manifest(path)
    shutil.copytree(path / "segments/0001", path / "segments/0004")
    import dataclasses

    twice = dataclasses.replace(manifest.segments[0], name="0004")
    replace_manifest(path, dataclasses.replace(manifest, segments=(*manifest.segments, twice)))
    assert check_catalog(path, model=MODEL).damage == (("manifest.json", "2 track ids are in it twice"),)


@pytest.mark.parametrize("name", ["vectors.lists", "vectors.table", "words.u64", "words.crc32", "tracks.sqlite"])
@pytest.mark.parametrize("how", ["flip", "cut", "gone"])
def test_what_is_sound_can_be_saved(path, sketches, tmp_path, name, how):
    file = path / "segments/0002" / name
    data = bytearray(file.read_bytes())
    if how == "gone":
        file.unlink()
    elif how == "flip":
        data[-7] ^= 1
        file.write_bytes(data)
    else:
        file.write_bytes(data[:-9])
    expected = {0: {"a"}, 1: {"b"}, 2: {"c"}, 3: {"d"}, 4: {"e"}}
    if name == "words.u64" and how != "gone":
        # What lies in its last block is lost, but some of that audio is in the first segment too.
        expected[1] = {"b", "again"}
        del expected[3]
    else:
        del expected[2], expected[3]
    saved = salvage_catalog(path, tmp_path / "saved", model=MODEL)
    assert found_in(tmp_path / "saved", sketches) == expected
    assert saved.n_tracks == sum(map(len, expected.values()))
    assert is_sound(tmp_path / "saved")
    if name == "tracks.sqlite":
        assert [what for what, _ in saved.lost] == ["all 3 tracks of segment 0002"]
    else:
        assert {what for what, _ in saved.lost} == set(CONTENTS) - set.union(*expected.values())
    assert all("0002" in why and "salvage" not in why for _, why in saved.lost)


def test_a_damaged_manifest_does_not_cost_the_catalog(path, sketches, tmp_path):
    remove_tracks(path, ["a"])
    manifest = path / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-30])
    for damage in (lambda: None, manifest.unlink):
        damage()
        found = check_catalog(path, model=MODEL)
        assert [where for where, _ in found.damage] == ["manifest.json"]
        assert "its copy, manifest.copy.json, is as it was written" in found.damage[0][1]
        salvage_catalog(path, tmp_path / "saved", model=MODEL)
        assert found_in(tmp_path / "saved", sketches)[1] == {"b", "again"}
        assert "a" not in live(tmp_path / "saved")
        shutil.rmtree(tmp_path / "saved")
    (path / "manifest.copy.json").write_text("{}")
    manifest.write_text("{}")
    with pytest.raises(CatalogDamagedError, match=r"manifest\.json"):
        check_catalog(path, model=MODEL)


def test_nothing_to_save_leaves_nothing(path, tmp_path):
    for segment in ("0001", "0002", "0003"):
        (path / "segments" / segment / "vectors.lists").unlink()
    with pytest.raises(CatalogError, match="nothing in it can be saved"):
        salvage_catalog(path, tmp_path / "saved", model=MODEL)
    assert not (tmp_path / "saved").exists()


def test_segments_hold_nothing_twice_for_readers(path):
    """A segment's rows without audio of their own lie between rows that have it, and numbers are still right."""
    compact_catalog(path, model=MODEL)
    manifest, _ = read_manifest(path)
    segment = Segment(path, manifest.segments[0], MODEL)
    rows = list(segment.rows())
    assert [row.n_patches > 0 for row in rows] == [True, True, False, True, True, True]
    assert [segment.owner(number) for number in range(6)] == [0, 1, 1, 3, 4, 5]
    assert segment.patch_span(2) == segment.patch_span(1)


def test_tracks_are_listed_and_exported(path, tmp_path):
    from earmark.report.track_table import write_tracks

    remove_tracks(path, ["c"])
    assert [one.track_id for one in list_tracks(path)] == ["a", "b", "d", "again", "e"]
    assert list(list_tracks(path, label="nix")) == []
    assert len(list(list_tracks(path, label="l"))) == 5
    assert write_tracks(path, tmp_path / "t.csv", "csv") == 5
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["track_id"] for row in rows] == ["a", "b", "d", "again", "e"]
    assert rows[1]["recording"] == rows[3]["recording"]
    assert rows[0]["upc"] == "1"
    assert json.loads(rows[0]["duration_s"]) == 60 * 8192 / 8000
    import pyarrow.parquet

    write_tracks(path, tmp_path / "t.parquet", "parquet")
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert table.column_names == list(rows[0])
    assert table.column("track_id").to_pylist() == ["a", "b", "d", "again", "e"]


def test_an_exported_table_can_be_corrected_and_given_back(path, tmp_path):
    from earmark.report.track_table import write_tracks

    update_tracks(path, write_csv(tmp_path / "odd.csv", "track_id,title,artist\na,=1+1,-\n"))
    write_tracks(path, tmp_path / "t.csv", "csv")
    assert update_tracks(path, tmp_path / "t.csv").n_changed == 0
    (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text().replace(",L,", ",M,"))
    done = update_tracks(path, tmp_path / "t.csv")
    assert (done.n_changed, done.unknown) == (6, ())
    track = live(path)["a"]
    assert (track.title, track.artist, track.label, track.extra) == ("=1+1", "-", "M", {"upc": "1"})
