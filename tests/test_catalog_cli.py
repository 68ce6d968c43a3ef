"""`earmark catalog`: what is printed where, and the exit codes."""

import json
import os
import pty
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from earmark.catalog import open_catalog
from earmark.cli import main
from earmark.cli.catalog import catalog as catalog_group

from .encoded import MUSIC
from .synthetic_catalog import MODEL, sketch, write_catalog


def _run(*arguments):
    return CliRunner().invoke(main, ["catalog", *map(str, arguments)])


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(2)
    return write_catalog(tmp_path / "c", [[("a", sketch(rng, 20)), ("b", sketch(rng, 20))]])


def test_build_with_a_bad_file_prints_what_failed_and_exits_with_4(tmp_path):
    (tmp_path / "music").mkdir()
    shutil.copy(MUSIC[0], tmp_path / "music/one.opus")
    (tmp_path / "music" / os.fsdecode(b"bad\xff\n.mp3")).write_text("no audio")
    (tmp_path / "notes.txt").write_text("skipped")
    (tmp_path / "m.csv").write_text("path,track_id\nmusic/one.opus,the one\nmusic/two.opus,two\n")
    out = _run(
        "build",
        tmp_path / "c",
        tmp_path / "music",
        tmp_path / "notes.txt",
        "--metadata",
        tmp_path / "m.csv",
        "--jobs",
        1,
    )
    assert out.exit_code == 4
    assert out.stdout == f"1 track, 0.01 h, indexed in {tmp_path}/c; 1 failed, 1 other file skipped\n"
    failed, unmatched = out.stderr.splitlines()
    assert failed.startswith(f"earmark: error: not indexed: {tmp_path}/music/bad\\udcff\\n.mp3: not audio")
    assert (
        unmatched
        == f"earmark: warning: 1 metadata row fits no file among the sources: {tmp_path}/m.csv:3: music/two.opus"
    )
    assert open_catalog(tmp_path / "c", MODEL).track(0).track_id == "the one"


def test_nothing_usable_exits_with_3(path, tmp_path):
    (tmp_path / "text.mp3").write_text("no audio")
    for command, catalog in (("build", tmp_path / "new"), ("add", path)):
        out = _run(command, catalog, tmp_path / "text.mp3", "--jobs", 1)
        assert out.exit_code == 3
        assert out.stdout == ""
        assert "earmark: error: not indexed" in out.stderr
        assert "earmark: error: nothing could be indexed" in out.stderr
    assert not (tmp_path / "new").exists()
    assert open_catalog(path, MODEL).n_tracks == 2


def test_remove_and_info(path):
    out = _run("remove", path, "b")
    assert (out.exit_code, out.stdout) == (0, f"1 track removed from {path}\n")
    out = _run("info", path)
    assert out.exit_code == 0
    assert "tracks    1 (1 more removed)\n" in out.stdout
    assert "label     L: 1 track\n" in out.stdout
    assert f"model     {MODEL.digest}\n" in out.stdout
    told = json.loads(_run("info", path, "--json").stdout)
    assert (told["n_tracks"], told["n_removed"], told["format_version"]) == (1, 1, 2)
    assert told["labels"] == [{"label": "L", "n_tracks": 1}]
    assert told["segments"][0]["index"] == "exact scan"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "nowhere"], "earmark: error: nowhere: no catalog"),
        (["remove", "{path}", "a", "nix"], "earmark: error: {path}: not in the catalog: 'nix'; nothing was removed"),
        (["remove", "{path}", "\udcff"], "not in the catalog: '\\udcff'"),
        (["build", "{path}", "."], "earmark: error: {path}: is a catalog already"),
        (["add", "{path}", "nowhere"], "earmark: error: source 'nowhere': No such file"),
        (["add", "{path}", ".", "--metadata", "nowhere.csv"], "earmark: error: nowhere.csv: cannot be read"),
        (["build", "{path}2"], "Missing argument 'SOURCE...'"),
        (["build", "{path}2", ".", "--jobs", "0"], "0 is not in the range x>=1"),
    ],
)
def test_failures_exit_with_2(path, arguments, words):
    out = _run(*(one.format(path=path) for one in arguments))
    assert out.exit_code == 2
    assert out.stdout == ""
    assert words.format(path=path) in out.stderr


def test_a_damaged_catalog_exits_with_2(path):
    table = path / "segments/0001/tracks.sqlite"
    table.write_bytes(table.read_bytes()[:-1])
    out = _run("info", path)
    assert out.exit_code == 2
    assert out.stderr.startswith(f"earmark: error: {table}: damaged: ")


@pytest.mark.parametrize(
    "command", [name for name in catalog_group.list_commands(None) if name not in ("merge", "unpack")]
)
def test_help_has_an_example(command):
    assert f"Example:\n    earmark catalog {command} my.catalog" in _run(command, "--help").stdout


def test_the_life_of_a_catalog(path, tmp_path):
    (tmp_path / "new.csv").write_text("track_id,title,label\na,New,M\nnix,,\n")
    out = _run("update", path, "--metadata", tmp_path / "new.csv")
    assert out.exit_code == 4
    assert out.stdout == f"1 track corrected in {path}; 0 were so already, 1 row without a track\n"
    assert out.stderr == f"earmark: error: no such track: {tmp_path}/new.csv:3: nix\n"
    assert _run("list", path, "--label", "m").stdout == "a\t0:20\t\tNew\tM\n"
    listed = [json.loads(line) for line in _run("list", path, "--json").stdout.splitlines()]
    assert [(one["track_id"], one["label"], one["extra"]) for one in listed] == [
        ("a", "M", {"upc": "1"}),
        ("b", "L", {"upc": "1"}),
    ]
    out = _run("export", path, tmp_path / "t.csv")
    assert (out.exit_code, out.stdout) == (0, f"2 tracks of {path} in {tmp_path}/t.csv\n")
    assert (tmp_path / "t.csv").read_text().startswith("track_id,isrc,title,artist,label,rightsholder,path,duration_s,")
    assert _run("export", path, tmp_path / "t.txt").exit_code == 2
    _run("remove", path, "b")
    out = _run("compact", path)
    assert out.exit_code == 0
    assert out.stdout.startswith(f"{path}: 1 segment, ")
    assert out.stdout.endswith("; 1 written anew\n")
    out = _run("merge", tmp_path / "m", path, path)
    assert (out.exit_code, out.stdout) == (
        0,
        f"1 track, 1 recording, in {tmp_path}/m; 1 came again, 0 left out\n",
    )


def test_check_and_salvage(path, tmp_path):
    out = _run("check", path)
    assert out.exit_code == 0
    assert out.stdout.startswith(f"{path}: sound; 2 tracks in 1 segment, ")
    with (path / "segments/0001/words.u64").open("ab") as file:
        file.write(b"more")
    out = _run("check", path, "--jobs", "2")
    assert out.exit_code == 1
    assert out.stdout.startswith(f"damaged: {path}/segments/0001/words.u64: ")
    assert out.stdout.endswith(f"2 of 2 tracks can be saved: earmark catalog check {path} --salvage OUT\n")
    out = _run("check", path, "--salvage", tmp_path / "saved")
    assert out.exit_code == 1
    assert out.stdout.endswith(f"2 tracks saved to {tmp_path}/saved, 0 lost\n")
    assert _run("check", tmp_path / "saved").exit_code == 0
    (path / "segments/0001/vectors.lists").unlink()
    out = _run("check", path)
    assert "nothing can be saved" in out.stdout


def test_a_bar_on_a_terminal_and_results_on_stdout(tmp_path):
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-c",
        "from earmark.cli import main; main()",
        "catalog",
        "build",
        tmp_path / "c",
        MUSIC[0],
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # how a terminal ends
            pass
        printed = process.stdout.read()
    os.close(ours)
    assert process.returncode == 0
    assert b"indexing" in shown
    assert printed.startswith(b"1 track, 0.01 h, indexed in ")
