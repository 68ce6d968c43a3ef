"""Catalogs of real music: built, added to, taken from, and found in."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from earmark.audio import stream
from earmark.catalog import (
    Layout,
    NothingIndexedError,
    Progress,
    add_tracks,
    build_catalog,
    catalog_info,
    open_catalog,
    remove_tracks,
)
from earmark.catalog.hearing import hear_all
from earmark.errors import CatalogError, MetadataError, ParameterError
from earmark.fingerprint import fingerprint

from .encoded import MUSIC, encode, encoded_music, music
from .synthetic_catalog import MODEL

CSV = """path,track_id,isrc,title,artist,label,rightsholder,upc
dst-azum.opus,azum,GB-AYE-68-00011,Azum,DST,MiceAmaze,DST,0123
sub/cut.opus,,,Cut,,Frets,,
gone.opus,gone,,,,,,
"""


def _fingerprint(path):
    with stream(path) as recording:
        return fingerprint(recording, MODEL)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Return a directory of good, doubtful and bad files."""
    root = tmp_path_factory.mktemp("sources")
    by_name = {path.name: path for path in MUSIC}
    (root / "sub").mkdir()
    for name in ("dst-azum.opus", "paniq-contemplation.opus"):
        shutil.copy(by_name[name], root)
    shutil.copy(root / "dst-azum.opus", root / os.fsdecode(b"same \xff\n.opus"))
    (root / "sub/cut.opus").write_bytes(by_name["michel-ave-maria.opus"].read_bytes()[:150_000])
    (root / "song.mp3").write_bytes(encoded_music("mp3"))
    (root / "text.mp3").write_text("no audio at all")
    (root / "empty.flac").touch()
    (root / "short.wav").write_bytes(encode(music()[:44100], "wav"))
    (root / "silence.flac").write_bytes(encode(np.zeros((44100 * 4, 1), np.float32), "flac"))
    nan = music(4.0).copy()
    nan[1000:1010] = np.nan
    (root / "nan.wav").write_bytes(encode(nan, "wav-float"))
    (root / "dangling.opus").symlink_to("nowhere")
    (root / "notes.txt").write_text("skipped")
    (root / "tracks.csv").write_text(CSV)
    return root


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory):
    """Build one catalog with one process and the same with two; return path, report and what was told on the way."""
    folder, told = tmp_path_factory.mktemp("built"), []
    metadata = sources / "tracks.csv"
    report = build_catalog(folder / "c", [sources], metadata=metadata, model=MODEL, jobs=1, on_progress=told.append)
    again = build_catalog(folder / "again", [sources], metadata=metadata, model=MODEL, jobs=2)
    assert again == report
    return folder, report, told


@pytest.fixture
def copy(built, tmp_path):
    return shutil.copytree(built[0] / "c", tmp_path / "c")


def _bytes(path):
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}


def test_the_number_of_processes_does_not_change_a_byte(built):
    first, second = (_bytes(built[0] / name) for name in ("c", "again"))
    assert first == second
    assert sorted(first) == [
        "lock",
        "manifest.copy.json",
        "manifest.json",
        *(
            f"segments/0001/{name}"
            for name in ("tracks.sqlite", "vectors.lists", "vectors.table", "words.crc32", "words.u64")
        ),
    ]


def test_the_report_tells_everything(built, sources):
    folder, report, told = built
    assert report.n_indexed == 6
    assert report.n_skipped == 2
    failed = {Path(source).name: words for source, words in report.failed}
    assert len(failed) == len(report.failed) == 5
    assert failed["dangling.opus"] == "No such file or directory"
    assert failed["empty.flac"] == "empty file"
    assert failed["text.mp3"].startswith("not audio, or too damaged")
    assert failed["short.wav"] == "too short: 1.00 s, at least 2.08 s are needed"
    assert failed["silence.flac"].startswith("silent")
    warnings = {Path(source).name: words for source, words in report.warnings}
    assert warnings["cut.opus"].startswith("stops after ")
    assert warnings["nan.wav"] == "20 samples that are no finite numbers were taken as 0"
    assert len(warnings) == len(report.warnings) == 2
    assert report.duplicates == (("azum", "same %FF\n.opus"),)
    assert report.unmatched == (f"{sources}/tracks.csv:4: gone.opus",)
    assert [one.n_done for one in told] == list(range(1, 11))
    heard_s = report.duration_s - 35.0 + 5.0  # not the same bytes again, but what cannot be used
    assert told[-1] == Progress(n_done=10, n_total=10, duration_s=pytest.approx(heard_s))
    assert folder.exists()


def test_what_is_known_of_the_tracks(built, sources):
    catalog = open_catalog(built[0] / "c", MODEL)
    tracks = [catalog.track(i) for i in range(catalog.n_numbers)]
    assert [one.track_id for one in tracks] == [
        "azum", "nan.wav", "paniq-contemplation.opus", "same %FF\n.opus", "song.mp3", "sub/cut.opus",
    ]  # fmt: skip
    azum = tracks[0]
    assert (azum.path, azum.isrc, azum.title) == ("dst-azum.opus", "GBAYE6800011", "Azum")
    assert (azum.artist, azum.label, azum.rightsholder) == ("DST", "MiceAmaze", "DST")
    assert azum.duration_s == 35.0
    assert (tracks[5].path, tracks[5].title, tracks[5].isrc) == ("sub/cut.opus", "Cut", None)
    assert catalog.n_tracks == 6
    assert sum(one.duration_s for one in tracks) == pytest.approx(built[1].duration_s)
    assert catalog.duration_s == pytest.approx(built[1].duration_s - 35.0)  # the same audio under two ids counts once


def test_tracks_are_found_in_themselves(built, sources):
    catalog = open_catalog(built[0] / "c", MODEL)
    config = MODEL.config
    for number, name in enumerate(["dst-azum.opus", "nan.wav", "paniq-contemplation.opus"]):
        made = _fingerprint(sources / name)
        assert (catalog.words(number) == made.words[config.item_peaks.index(config.track_peaks), 0]).all()
        queries = made.patches[:: config.track_patch_stride]
        numbers, positions, products = catalog.search(queries, 8)
        spoken = np.flatnonzero(queries.any(axis=1))
        found = [(number, i) in zip(numbers[i].tolist(), positions[i].tolist(), strict=True) for i in spoken]
        assert np.mean(found) > 0.9
        assert (products[spoken, 0] > 0.2).all()


def test_an_add_is_a_new_segment_and_readers_keep_theirs(copy, sources, tmp_path):
    before = open_catalog(copy, MODEL)
    (tmp_path / "more").mkdir()
    for name in ("gachopin-lovin.opus", "michel-ave-maria.opus"):
        shutil.copy(MUSIC[0].parent / name, tmp_path / "more")
    (tmp_path / "more.csv").write_text("path,track_id\nmichel-ave-maria.opus,azum\n")
    more = [tmp_path / "more", sources / "song.mp3"]
    report = add_tracks(copy, more, metadata=tmp_path / "more.csv", model=MODEL, jobs=1)
    assert report.n_indexed == 1
    assert report.n_known == 1  # song.mp3, as it was
    assert dict(report.failed) == {
        str(tmp_path / "more/michel-ave-maria.opus"): "track id 'azum' is in the catalog already; remove it first",
    }
    after = open_catalog(copy, MODEL)
    assert (before.n_tracks, after.n_tracks) == (6, 7)
    assert before.digest != after.digest
    assert after.track(6).track_id == "gachopin-lovin.opus"
    queries = _fingerprint(tmp_path / "more/gachopin-lovin.opus").patches[::4]
    assert (after.search(queries, 1)[0] == 6).mean() > 0.9
    assert not (before.search(queries, 5)[0] == 6).any()
    assert len(after.words(6)) == before.words(0).shape[0]


def test_a_removed_track_can_be_added_again(copy, sources):
    assert remove_tracks(copy, ["azum", "sub/cut.opus", "azum"]) == 2
    catalog = open_catalog(copy, MODEL)
    assert catalog.n_tracks == 4
    assert (catalog.same_audio(0), catalog.same_audio(3)) == ([3], [])
    queries = _fingerprint(sources / "dst-azum.opus").patches[::4]
    numbers, _, _ = catalog.search(queries, 10)
    assert not np.isin(numbers, [0, 5]).any()
    assert (numbers[:, 0] == 3).mean() > 0.9  # the same audio under its other id
    digest = catalog_info(copy).digest
    with pytest.raises(CatalogError, match="not in the catalog: 'azum', 'nix'; nothing was removed"):
        remove_tracks(copy, ["song.mp3", "azum", "nix"])
    assert catalog_info(copy).digest == digest
    report = add_tracks(copy, [sources / "dst-azum.opus"], metadata=sources / "tracks.csv", model=MODEL, jobs=1)
    assert (report.n_indexed, report.failed) == (1, ())
    assert report.duplicates == (("same %FF\n.opus", "azum"),)
    info = catalog_info(copy)
    assert (info.n_tracks, info.n_removed, info.n_recordings, len(info.segments)) == (5, 2, 4, 1)
    catalog = open_catalog(copy, MODEL)
    assert (catalog.search(queries, 2)[0][:, 0] == 3).mean() > 0.9
    assert (catalog.same_audio(3), catalog.track(6).track_id) == ([6], "azum")
    assert remove_tracks(copy, []) == 0
    assert catalog_info(copy).digest == info.digest


def test_info(copy):
    remove_tracks(copy, ["song.mp3"])
    info = catalog_info(copy)
    assert (info.n_tracks, info.n_removed, info.format_version) == (5, 1, 2)
    assert info.model_digest == MODEL.digest
    assert info.digest == open_catalog(copy, MODEL).digest
    assert dict(info.labels) == {"MiceAmaze": 1, "Frets": 1, None: 3}
    assert info.duration_s == pytest.approx(open_catalog(copy, MODEL).duration_s)
    assert info.n_bytes == sum(len(data) for data in _bytes(copy).values())
    all_hours = (info.duration_s + 8.0) / 3600
    assert info.n_bytes_per_hour == pytest.approx(info.n_bytes / all_hours, rel=0.01)
    [segment] = info.segments
    assert (segment.name, segment.n_tracks, segment.n_removed, segment.index) == ("0001", 5, 1, "exact scan")


def test_many_segments_in_one_build(sources, tmp_path):
    names = ["dst-azum.opus", "paniq-contemplation.opus", "sub/cut.opus"]
    layout = Layout(max_patches=60, exact_below=30)
    (tmp_path / "dst-azum.opus").symlink_to(sources / "dst-azum.opus")
    chosen = [*(sources / name for name in names), tmp_path / "dst-azum.opus"]
    report = build_catalog(tmp_path / "c", chosen, model=MODEL, jobs=1, layout=layout)
    assert report.n_indexed == 3
    [(source, words)] = report.failed
    assert source == str(tmp_path / "dst-azum.opus")
    assert (
        words == f"track id 'dst-azum.opus' is that of {sources}/dst-azum.opus too; give each its own with --metadata"
    )
    info = catalog_info(tmp_path / "c")
    assert [(segment.name, segment.n_tracks) for segment in info.segments] == [("0001", 1), ("0002", 2)]
    catalog = open_catalog(tmp_path / "c", MODEL)
    for number, name in enumerate(names[:2]):
        assert catalog.track(number).track_id == name
        queries = _fingerprint(sources / name).patches[::4]
        assert (catalog.search(queries, 1)[0] == number).mean() > 0.9


def test_nothing_usable_leaves_nothing(copy, sources, tmp_path):
    bad = [sources / name for name in ("text.mp3", "silence.flac", "notes.txt")]
    with pytest.raises(NothingIndexedError, match=r"nothing could be indexed: .*text\.mp3: not audio") as caught:
        build_catalog(tmp_path / "new", bad, model=MODEL, jobs=1)
    assert len(caught.value.report.failed) == 2
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingIndexedError, match=r"no audio among the sources \(1 other files\)"):
        build_catalog(tmp_path / "empty", bad[2:], model=MODEL, jobs=1)
    assert not list((tmp_path / "empty").iterdir())
    before = _bytes(copy)
    with pytest.raises(NothingIndexedError):
        add_tracks(copy, bad, model=MODEL, jobs=1)
    assert _bytes(copy) == before
    assert not (copy / "segments/0002").exists()


def test_what_a_build_refuses(copy, sources, tmp_path):
    song = [sources / "song.mp3"]
    with pytest.raises(CatalogError, match="is a catalog already; 'earmark catalog add' adds to it"):
        build_catalog(copy, song, model=MODEL, jobs=1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").touch()
    with pytest.raises(CatalogError, match=r"holds other things \('thesis.tex'\)"):
        build_catalog(tmp_path / "full", song, model=MODEL, jobs=1)
    assert [one.name for one in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    with pytest.raises(CatalogError, match=r"missing/c: cannot be written: .*No such file"):
        build_catalog(tmp_path / "missing/c", song, model=MODEL, jobs=1)
    with pytest.raises(ParameterError, match="jobs must be at least 1, got 0"):
        build_catalog(tmp_path / "c2", song, model=MODEL, jobs=0)
    (tmp_path / "bad.csv").write_text("path,isrc\nsong.mp3,12\n")
    with pytest.raises(MetadataError, match=r"bad\.csv:2"):
        build_catalog(tmp_path / "c2", song, metadata=tmp_path / "bad.csv", model=MODEL, jobs=1)
    with pytest.raises(CatalogError, match="no catalog"):
        add_tracks(tmp_path / "c2", song, model=MODEL, jobs=1)
    assert not (tmp_path / "c2").exists()


class _Deadly:
    """In place of a path: it ends the process that it is sent to, as a decoder that crashes does."""

    def __reduce__(self):
        return eval, ("__import__('os').kill(__import__('os').getpid(), 9)",)


def test_a_file_that_kills_its_process_fails_alone(sources):
    song, cut = sources / "song.mp3", sources / "sub/cut.opus"
    heard = list(hear_all([song, 3, _Deadly(), cut], MODEL, 1))
    assert [one.error is None for one in heard] == [True, False, False, True]
    assert heard[1].error.startswith("unexpected error: ParameterError('source must be a path")
    assert heard[2].error.startswith("the process that read it died")
    assert heard[0].sketch.content != heard[3].sketch.content
