"""Builds and adds that are stopped and gone on with, and audio that comes under several ids."""

import os
import shutil
import struct

import numpy as np
import pytest
import soundfile

from earmark.audio import stream
from earmark.catalog import Layout, add_tracks, build_catalog, catalog_info, open_catalog, remove_tracks
from earmark.errors import CatalogError
from earmark.fingerprint import fingerprint

from .encoded import MUSIC
from .synthetic_catalog import MODEL

# Segments of two to three of the tracks below, so that a stop may come before, at and after their ends.
SMALL = Layout(max_patches=80)


class StopError(Exception):
    pass


def stop_after(n):
    def stop(progress):
        if progress.n_done == n:
            raise StopError

    return stop


def bytes_of(path):
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Six files, of which the third and the last are the first again."""
    root = tmp_path_factory.mktemp("sources")
    for number, name in enumerate(
        ("dst-azum", "paniq-contemplation", "dst-azum", "gachopin-lovin", "michel-ave-maria")
    ):
        shutil.copy(MUSIC[0].parent / f"{name}.opus", root / f"{number}.opus")
    os.link(root / "0.opus", root / "5.opus")
    return root


@pytest.fixture(scope="module")
def whole(sources, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "c"
    report = build_catalog(path, [sources], model=MODEL, jobs=1, layout=SMALL)
    assert report.n_indexed == 6
    assert report.duplicates == (("0.opus", "2.opus", "5.opus"),)
    assert len(catalog_info(path).segments) == 2
    return path


@pytest.mark.parametrize("n", [1, 3, pytest.param(4, marks=pytest.mark.long), 5])
def test_a_build_that_is_gone_on_with_gives_the_bytes_of_one_that_was_not_stopped(sources, whole, tmp_path, n):
    path = tmp_path / "c"
    with pytest.raises(StopError):
        build_catalog(path, [sources], model=MODEL, jobs=1, layout=SMALL, on_progress=stop_after(n))
    told = []
    report = build_catalog(path, [sources], model=MODEL, jobs=1, layout=SMALL, on_progress=told.append)
    assert (report.n_indexed, report.n_resumed, report.failed) == (6, n, ())
    assert report.duplicates == (("0.opus", "2.opus", "5.opus"),)
    heard_s = open_catalog(whole, MODEL).duration_s
    assert told[-1].duration_s < heard_s  # what was done is not heard again
    assert bytes_of(path) == bytes_of(whole)


def test_other_sources_are_an_add_of_what_is_missing(sources, tmp_path):
    path = tmp_path / "c"
    with pytest.raises(StopError):
        build_catalog(path, [sources], model=MODEL, jobs=1, layout=SMALL, on_progress=stop_after(4))
    report = build_catalog(path, [sources / "4.opus", sources / "0.opus"], model=MODEL, jobs=1, layout=SMALL)
    assert (report.n_indexed, report.n_resumed, report.n_known) == (5, 4, 0)
    catalog = open_catalog(path, MODEL)
    assert {catalog.track(i).track_id for i in range(5)} == {f"{i}.opus" for i in range(5)}


def test_a_file_that_was_changed_since_is_reported(sources, tmp_path):
    music = shutil.copytree(sources, tmp_path / "music")
    path = tmp_path / "c"
    with pytest.raises(StopError):
        build_catalog(path, [music], model=MODEL, jobs=1, on_progress=stop_after(2))
    shutil.copy(MUSIC[0].parent / "paniq-die-gewalt.opus", music / "1.opus")
    report = build_catalog(path, [music], model=MODEL, jobs=1)
    assert report.n_indexed == 6
    assert report.failed == ((str(music / "1.opus"), "track id '1.opus' is in the catalog already; remove it first"),)


def test_a_torn_or_damaged_spool_costs_what_it_held(sources, whole, tmp_path):
    path = tmp_path / "c"
    with pytest.raises(StopError):
        build_catalog(path, [sources], model=MODEL, jobs=1, layout=SMALL, on_progress=stop_after(2))
    spool = path / "unfinished/0000.spool"
    good = spool.read_bytes()
    for bad in (good[:-1], good[:-5000] + b"\1\1" + good[-4998:], good + b"\7\0\0\0torn", good[:7], b""):
        spool.write_bytes(bad)
        again = shutil.copytree(path, tmp_path / "again")
        report = build_catalog(again, [sources], model=MODEL, jobs=1, layout=SMALL)
        assert report.n_resumed == (2 if bad.startswith(good) else 1 if len(bad) > 5000 else 0)
        assert bytes_of(again) == bytes_of(whole)
        shutil.rmtree(again)


def test_what_was_done_with_another_model_is_dropped(sources, tmp_path, caplog):
    path = tmp_path / "c"
    with pytest.raises(StopError):
        build_catalog(path, [sources], model=MODEL, jobs=1, on_progress=stop_after(2))
    state = path / "unfinished/manifest.json"
    state.write_bytes(state.read_bytes()[:-9])
    report = build_catalog(path, [sources], model=MODEL, jobs=1)
    assert (report.n_indexed, report.n_resumed) == (6, 0)
    assert "unfinished" in caplog.text


def test_an_add_is_gone_on_with_and_other_writers_leave_it_be(sources, tmp_path):
    path = tmp_path / "c"
    build_catalog(path, [sources / "0.opus", sources / "1.opus"], model=MODEL, jobs=1, layout=SMALL)
    before = catalog_info(path)
    with pytest.raises(StopError):
        add_tracks(path, [sources], model=MODEL, jobs=1, layout=SMALL, on_progress=stop_after(5))
    assert catalog_info(path) == before
    assert remove_tracks(path, ["1.opus"]) == 1
    report = add_tracks(path, [sources], model=MODEL, jobs=1, layout=SMALL)
    assert (report.n_indexed, report.n_resumed, report.n_known, report.failed) == (5, 3, 1, ())
    assert not (path / "unfinished").exists()
    catalog = open_catalog(path, MODEL)
    assert (catalog.n_tracks, catalog_info(path).n_recordings) == (6, 4)
    live = {catalog.track(i).track_id for i in range(catalog.n_numbers)}
    assert live == {f"{i}.opus" for i in range(6)}


def test_an_add_of_known_files_changes_nothing(sources, whole, tmp_path):
    path = shutil.copytree(whole, tmp_path / "c")
    report = add_tracks(path, [sources], model=MODEL, jobs=1)
    assert (report.n_indexed, report.n_known, report.failed) == (0, 6, ())
    assert bytes_of(path) == bytes_of(whole)


def test_audio_of_an_older_segment_under_a_new_id_takes_no_room(sources, whole, tmp_path):
    path = shutil.copytree(whole, tmp_path / "c")
    shutil.copy(sources / "1.opus", tmp_path / "other.opus")
    before = catalog_info(path)
    report = add_tracks(path, [tmp_path / "other.opus"], model=MODEL, jobs=1)
    assert (report.n_indexed, report.duplicates) == (1, (("1.opus", "other.opus"),))
    after = catalog_info(path)
    assert (after.n_tracks, after.n_recordings, after.duration_s) == (7, 4, before.duration_s)
    assert [one.n_vectors for one in after.segments] == [one.n_vectors for one in before.segments]
    catalog = open_catalog(path, MODEL)
    named = {catalog.track(i).track_id: i for i in range(catalog.n_numbers)}
    old, new = named["1.opus"], named["other.opus"]
    assert (catalog.same_audio(old), catalog.same_audio(new)) == ([new], [old])
    assert (catalog.words(old) == catalog.words(new)).all()
    with stream(tmp_path / "other.opus") as recording:
        patches = fingerprint(recording, MODEL).patches[::4]
    assert (catalog.search(patches, 1)[0] == old).mean() > 0.9
    # Without the first id, the audio is found under the other, and without both not at all.
    remove_tracks(path, ["1.opus"])
    catalog = open_catalog(path, MODEL)
    assert (catalog.search(patches, 1)[0] == new).mean() > 0.9
    assert catalog.same_audio(new) == []
    assert catalog_info(path).n_recordings == 4
    remove_tracks(path, ["other.opus"])
    catalog = open_catalog(path, MODEL)
    assert not np.isin(catalog.search(patches, 20)[0], [old, new]).any()
    assert catalog_info(path).n_recordings == 3


def test_the_same_audio_in_another_file_is_the_same_recording(tmp_path):
    """A WAV file and its copy with a chunk more: other bytes, the same fingerprint."""
    y, sr = soundfile.read(MUSIC[0], frames=48000 * 6, dtype="int16")
    soundfile.write(tmp_path / "a.wav", y, sr)
    data = (tmp_path / "a.wav").read_bytes()
    more = data[:4] + struct.pack("<I", len(data)) + data[8:] + b"junk\0\0\0\0"
    (tmp_path / "b.wav").write_bytes(more)
    report = build_catalog(tmp_path / "c", [tmp_path / "a.wav", tmp_path / "b.wav"], model=MODEL, jobs=1)
    assert (report.n_indexed, report.failed, report.duplicates) == (2, (), (("a.wav", "b.wav"),))
    assert catalog_info(tmp_path / "c").n_recordings == 1


def test_an_unfinished_build_cannot_be_added_to(sources, tmp_path):
    with pytest.raises(StopError):
        build_catalog(tmp_path / "c", [sources], model=MODEL, jobs=1, on_progress=stop_after(1))
    with pytest.raises(CatalogError, match="unfinished build"):
        add_tracks(tmp_path / "c", [sources], model=MODEL, jobs=1)
