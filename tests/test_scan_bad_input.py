"""One scan over everything that can be wrong with a file, and calls with what can be wrong with catalog and registry.

The rest of the job goes on, and every item's line says what happened.
"""

import json
import multiprocessing
import os
import shutil

import numpy as np
import pytest
import soundfile

from earmark.errors import CatalogDamagedError, CatalogVersionError, RegistryError
from earmark.scan import ScanPlan, scan

from .encoded import KINDS, encoded_music
from .small_catalog import USE, excerpt, items_of, registry, rows, run_earmark, small_catalog

HEARD = {"unmatched", "licensed", "unlicensed", "review"}
AWKWARD_NAMES = {
    "new\nline.wav": b"new\nline.wav",
    "quo\"te's; `x` $y.wav": b"quo\"te's; `x` $y.wav",
    "inv%FFalid.wav": b"inv\xffalid.wav",
    "100%25.wav": b"100%.wav",
    "esc\x1b[31m.wav": b"esc\x1b[31m.wav",
    "ünï→.wav": "ünï→.wav".encode(),
}


def write(path, y, rate=16000, subtype="PCM_16"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, y, rate, format="WAV", subtype=subtype)


def make_bad_corpus(root):
    write(root / "good.wav", excerpt("chaos"))
    (root / "text.mp3").write_text("Hello, this is no music.\n" * 100)
    (root / "empty.wav").touch()
    (root / "empty.mp3").touch()
    (root / "folder.mp3").mkdir()
    write(root / "folder.mp3" / "inside.wav", excerpt("chaos"))
    (root / "dangling.mp3").symlink_to("nowhere.mp3")
    (root / "unreadable.wav").symlink_to("/proc/self/mem")  # opens for everybody, and cannot be read by root either
    write(root / "locked.wav", excerpt("chaos"))
    (root / "locked.wav").chmod(0)
    write(root / "silence.wav", np.zeros(80_000))
    write(root / "dc.wav", np.full(80_000, 0.5))
    y = excerpt("chaos").copy()
    y[30_000:30_100], y[50_000] = np.nan, np.inf
    write(root / "nan.wav", y, subtype="FLOAT")
    write(root / "all-nan.wav", np.full(80_000, np.nan), subtype="FLOAT")
    write(root / "one-sample.wav", np.array([0.5]))
    write(root / "no-sample.wav", np.zeros(0))
    write(root / "eight-channels.wav", np.tile(excerpt("chaos")[:, None], 8))
    write(root / "192-khz.wav", excerpt("chaos", sr=192_000), 192_000)
    write(root / "4-khz.wav", excerpt("chaos", sr=4000), 4000)
    for kind in KINDS:
        data = encoded_music(kind)
        (root / "cut").mkdir(exist_ok=True)
        (root / "cut" / f"{kind}.mp3").write_bytes(data[: int(len(data) * 0.601)])
    whole = (root / "good.wav").read_bytes()
    (root / "cut" / "known.wav").write_bytes(whole[: len(whole) * 3 // 4])
    (root / "cut" / "too-soon.wav").write_bytes(whole[:20_000])
    (root / "names").mkdir()
    for name in AWKWARD_NAMES.values():
        (root / "names" / os.fsdecode(name)).write_bytes(whole)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """The process that scanned, and the folder it wrote."""
    root = tmp_path_factory.mktemp("bad")
    make_bad_corpus(root / "corpus")
    out = root / "out"
    process = run_earmark(
        "scan", root / "corpus", "--catalog", small_catalog(), "--out", out, "--registry", registry(), *USE
    )
    return process, out


@pytest.fixture(scope="module")
def items(scanned):
    return items_of(scanned[1])


def test_the_scan_is_complete_but_for_the_bad_items(scanned, items):
    process, out = scanned
    assert process.returncode == 4, process.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["complete"] is True
    assert summary["items"]["total"] == len(items)
    assert summary["items"]["error"] == sum(row["status"] == "error" for row in items.values())
    assert summary["items_with_problems"] == sum(summary["errors"].values())
    assert summary["errors"]["truncated"] >= len(KINDS) - 2
    assert "Traceback" not in process.stderr


def test_good_items_among_bad_ones_are_found(items):
    for item in ("good.wav", "folder.mp3/inside.wav", "eight-channels.wav", "192-khz.wav"):
        assert (items[item]["status"], items[item]["error"]) == ("unlicensed", None)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("text.mp3", "not audio, or too damaged: starts with b'Hello, this is "),
        ("empty.wav", "empty file"),
        ("empty.mp3", "empty file"),
        ("dangling.mp3", "No such file or directory"),
        ("unreadable.wav", "Invalid argument"),
        ("cut/m4a.mp3", "moov atom not found"),
        ("cut/too-soon.wav", "nothing under 2.08 s can be matched"),
    ],
)
def test_what_cannot_be_heard_is_an_error(items, item, words):
    row = items[item]
    assert words in row["error"]
    assert (row["status"], row["scanned_s"], row["matches"]) == ("error", 0.0, 0)


def test_a_file_without_permission(items):
    row = items["locked.wav"]
    if os.geteuid() == 0:  # root reads everything
        assert row["status"] == "unlicensed"
    else:
        assert (row["status"], row["error"]) == ("error", "Permission denied")


def test_a_directory_in_place_of_a_file(items):
    assert (items["folder.mp3"]["status"], items["folder.mp3"]["error"]) == ("skipped", "is a directory")


@pytest.mark.parametrize("item", ["silence.wav", "dc.wav"])
def test_sound_without_music_is_unmatched(items, item):
    assert (items[item]["status"], items[item]["error"], items[item]["scanned_s"]) == ("unmatched", None, 5.0)


def test_nan_and_infinite_samples_keep_the_verdict(items):
    row = items["nan.wav"]
    assert row["status"] == "unlicensed"
    assert row["error"] == "101 samples are NaN or infinite and were read as silence"
    assert items["all-nan.wav"]["status"] == "unmatched"
    assert items["all-nan.wav"]["error"].startswith("80,000 samples are NaN")


@pytest.mark.parametrize("item", ["one-sample.wav", "no-sample.wav"])
def test_too_short_is_skipped(items, item):
    assert items[item]["status"] == "skipped"
    assert items[item]["error"].endswith("nothing under 2.08 s can be matched")


def test_four_kilohertz_are_heard(items):
    assert items["4-khz.wav"]["status"] in HEARD
    assert items["4-khz.wav"]["scanned_s"] == pytest.approx(8.0, abs=0.01)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"m4a", "m4a-alac"}))
def test_truncated_files_keep_the_verdict_of_what_was_heard(items, kind):
    row = items[f"cut/{kind}.mp3"]
    assert row["status"] in HEARD
    assert row["error"].startswith("stops after ")
    assert 2.0 < row["scanned_s"] < 6.0
    assert row["duration_s"] is None or row["scanned_s"] < row["duration_s"]


def test_a_truncated_file_is_still_found(items):
    row = items["cut/known.wav"]
    assert row["status"] == "unlicensed"
    assert (row["scanned_s"], row["duration_s"]) == (pytest.approx(6.0, abs=0.05), 8.0)


@pytest.mark.parametrize("item", AWKWARD_NAMES)
def test_awkward_names(items, item):
    assert items[f"names/{item}"]["status"] == "unlicensed"


def test_awkward_names_do_not_break_the_table(scanned):
    stdout = scanned[0].stdout
    assert "\x1b" not in stdout
    assert "names/new\\nline.wav" in stdout
    assert "names/esc\\x1b[31m.wav" in stdout
    assert "\nline.wav" not in stdout


def test_every_item_has_just_one_line(scanned):
    ids = [row["item"] for row in rows(scanned[1] / "items.jsonl")]
    assert len(set(ids)) == len(ids)
    assert len(ids) == 25 + len(KINDS) + len(AWKWARD_NAMES) - 5


# Catalog and registry


def scan_once(tmp_path, **changes):
    write(tmp_path / "corpus" / "a.wav", excerpt("chaos"))
    options = {"catalog": small_catalog(), "registry": registry(), "jobs": 1}
    return scan(ScanPlan(corpus=tmp_path / "corpus", out=tmp_path / "out", **(options | changes)))


def test_a_catalog_of_a_newer_version(tmp_path):
    catalog = tmp_path / "catalog"
    shutil.copytree(small_catalog(), catalog)
    manifest = json.loads((catalog / "manifest.json").read_text())
    (catalog / "manifest.json").write_text(json.dumps(manifest | {"version": 999}))
    with pytest.raises(CatalogVersionError, match="999"):
        scan_once(tmp_path, catalog=catalog)
    assert not (tmp_path / "out").exists()


def test_a_damaged_segment(tmp_path):
    catalog = tmp_path / "catalog"
    shutil.copytree(small_catalog(), catalog)
    largest = max((path for path in catalog.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    place = len(data) // 2
    data[place : place + 2000] = bytes(byte ^ 0xFF for byte in data[place : place + 2000])
    largest.write_bytes(data)
    with pytest.raises(CatalogDamagedError, match=largest.name):
        scan_once(tmp_path, catalog=catalog)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("G1,Acme AI,ai_training,allowed,El Senator,Worldwide,2026-02-30,", "line 2, column valid_from"),
        ("G1,Acme AI,karaoke,allowed,El Senator,Worldwide,2026-02-01,", "line 2, column scope"),
        ("G1,Acme AI,ai_training,allowed,El Senator,Utopia,2026-02-01,", "line 2, column territories"),
    ],
)
def test_a_bad_registry_is_named_with_its_line(tmp_path, row, words):
    rights = tmp_path / "rights.csv"
    rights.write_text(f"grant_id,licensee,scope,permission,rightsholder,territories,valid_from,valid_to\n{row}\n")
    with pytest.raises(RegistryError, match=rf"rights\.csv, {words}"):
        scan_once(tmp_path, registry=rights)
    assert not (tmp_path / "out").exists()
