"""One recording in several encodings: named by build, add and `catalog duplicates`, and kept apart."""

import json

import numpy as np
import pytest
import soundfile
import soxr
from click.testing import CliRunner

from earmark.catalog import build_catalog, open_catalog, remove_tracks
from earmark.cli import main
from earmark.fingerprint import load_model
from earmark.matching import find_duplicates

from .encoded import MUSIC, RATE, encode
from .synthetic_catalog import sketch, write_catalog

MODEL = load_model()
# Encodings of one recording; some begin later, as lead-ins differ and encoders add a few milliseconds of their own.
SAME = ("a.flac", "b.mp3", "c.m4a", "d.opus", "e.wma", "later.flac", "longer.ogg", "remaster.flac")


def stereo(number):
    y, rate = soundfile.read(MUSIC[number], dtype="float32", always_2d=True)
    return np.repeat(soxr.resample(y, rate, RATE)[:, :1], 2, axis=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("encodings")
    y, other = stereo(0), stereo(1)
    half_a_second, two_seconds = np.zeros((RATE // 2, 2), np.float32), np.zeros((2 * RATE, 2), np.float32)
    for name, kind in (("a.flac", "flac"), ("b.mp3", "mp3"), ("c.m4a", "m4a"), ("d.opus", "opus"), ("e.wma", "wma")):
        (root / name).write_bytes(encode(y, kind))
    (root / "later.flac").write_bytes(encode(np.concatenate([half_a_second, y]), "flac"))
    (root / "longer.ogg").write_bytes(encode(np.concatenate([y, two_seconds]), "vorbis"))
    # By its peaks a remaster cannot be told from them.
    (root / "remaster.flac").write_bytes(encode(0.9 * np.tanh(3 * y / np.abs(y).max()), "flac"))
    # Other recordings: a part, another speed, another piece.
    (root / "part.flac").write_bytes(encode(y[: int(0.8 * len(y))], "flac"))
    (root / "faster.flac").write_bytes(encode(soxr.resample(y, RATE, RATE / 1.02), "flac"))
    (root / "other.flac").write_bytes(encode(other, "flac"))
    return root


@pytest.fixture(scope="module")
def catalog(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("catalog") / "c"
    build_catalog(path, [folder], model=MODEL, jobs=1)
    return path


def test_every_pair_of_encodings_is_found_and_nothing_else(catalog):
    found = {frozenset((pair.track_id, pair.other_id)): pair for pair in find_duplicates(catalog, MODEL)}
    assert found.keys() == {frozenset((one, other)) for one in SAME for other in SAME if one < other}
    for pair in found.values():
        assert pair.covered > 0.9
        assert pair.likeness > 0.6
        assert pair.log10_e_value < -10
        later = [0.5 if one == "later.flac" else 0.0 for one in (pair.other_id, pair.track_id)]
        assert abs(pair.offset_s - (later[0] - later[1])) < 0.15


def test_a_removed_encoding_is_not_named(catalog, folder, tmp_path):
    path = tmp_path / "c"
    build_catalog(path, [folder / "a.flac", folder / "b.mp3", folder / "d.opus"], model=MODEL, jobs=1)
    remove_tracks(path, ["b.mp3"])
    assert [(pair.track_id, pair.other_id) for pair in find_duplicates(path, MODEL)] == [("a.flac", "d.opus")]


def test_add_names_what_the_catalog_has_already_and_keeps_both(folder, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(main, [str(one) for one in arguments])

    path = tmp_path / "c"
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "again.flac").write_bytes((folder / "a.flac").read_bytes())
    (tmp_path / "new" / "b.mp3").write_bytes((folder / "b.mp3").read_bytes())
    built = run("catalog", "build", path, folder / "a.flac", folder / "other.flac", "--jobs", 1)
    assert (built.exit_code, "likely" in built.stderr) == (0, False)
    added = run("catalog", "add", path, tmp_path / "new", "--jobs", 1)
    assert added.exit_code == 0
    lines = [line for line in added.stderr.splitlines() if "likely" in line]
    assert lines == ["earmark: warning: likely the same recording, stored twice: a.flac, b.mp3 (100% the same)"]
    assert "the same audio goes by 2 track ids: a.flac, again.flac" in added.stderr
    opened = open_catalog(path, MODEL)
    assert opened.n_tracks == 4
    opened.close()
    listed = run("catalog", "duplicates", path)
    assert listed.stdout == "a.flac\tb.mp3\t100 %\t+0.00 s\n"
    assert "1 pair in" in listed.stderr
    (row,) = map(json.loads, run("catalog", "duplicates", path, "--json").stdout.splitlines())
    assert (row["track_id"], row["other_id"]) == ("a.flac", "b.mp3")
    third = run("catalog", "add", path, folder / "part.flac", "--jobs", 1)
    assert "likely" not in third.stderr  # pairs among older tracks are not told again


def test_the_bundled_recordings_are_all_different(tmp_path):
    build_catalog(tmp_path / "c", MUSIC, model=MODEL, jobs=1)
    assert list(find_duplicates(tmp_path / "c", MODEL)) == []


@pytest.mark.parametrize("lengths", [[], [2, 2], [2, 3, 40]])
def test_catalogs_of_nothing_or_of_noise_have_none(tmp_path, lengths):
    rng = np.random.default_rng(5)
    tracks = [(f"t{n}", sketch(rng, length, silent=(0,))) for n, length in enumerate(lengths)]
    path = write_catalog(tmp_path / "c", [tracks] if tracks else [])
    assert list(find_duplicates(path, MODEL)) == []
