"""Writers that meet, are killed, or leave things behind."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from earmark.catalog import build_catalog, catalog_info, open_catalog, remove_tracks
from earmark.catalog.manifest import read_manifest
from earmark.catalog.storage import clear_leftovers, writer_lock
from earmark.errors import CatalogError, CatalogLockedError

from .encoded import MUSIC
from .synthetic_catalog import MODEL, sketch, write_catalog

MANIFESTS = ["manifest.copy.json", "manifest.json"]

# Makes or extends a catalog, tells the ids of its workers after the first track, and then waits to be killed.
_WRITER = """
import multiprocessing, sys, time
from pathlib import Path
from earmark.catalog import add_tracks, build_catalog
from earmark.fingerprint import load_model

def tell(progress):
    print(*(process.pid for process in multiprocessing.active_children()), flush=True)
    time.sleep(60)

make = {"build": build_catalog, "add": add_tracks}[sys.argv[1]]
make(Path(sys.argv[2]), [Path(one) for one in sys.argv[3:]], model=load_model(), jobs=1, on_progress=tell)
"""


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(1)
    return write_catalog(tmp_path / "c", [[("a", sketch(rng, 20)), ("b", sketch(rng, 20))]])


def _is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/status")  # a zombie, if nobody waits for orphans here
    return not status.exists() or "State:\tZ" in status.read_text()


def _stop_in_the_middle(how, *arguments):
    """Start a writer, stop it while it writes, and wait until its workers are gone too."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", _WRITER, *map(str, arguments)], **pipes) as writer:
        workers = [int(word) for word in writer.stdout.readline().split()]
        assert workers
        writer.send_signal(how)
        writer.wait()
    deadline = time.monotonic() + 20
    while not all(map(_is_gone, workers)):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.05)


def test_a_killed_build_leaves_no_catalog_and_can_be_repeated(tmp_path):
    path = tmp_path / "c"
    _stop_in_the_middle(signal.SIGKILL, "build", path, *MUSIC[:2])
    assert (path / "segments/0001.partial/words.u64").exists()
    with pytest.raises(CatalogError, match="no catalog"):
        open_catalog(path, MODEL)
    assert build_catalog(path, MUSIC[:1], model=MODEL, jobs=1).n_indexed == 1
    assert open_catalog(path, MODEL).n_tracks == 1
    assert [one.name for one in (path / "segments").iterdir()] == ["0001"]


def test_a_killed_add_leaves_the_old_catalog(path):
    before = catalog_info(path)
    _stop_in_the_middle(signal.SIGKILL, "add", path, *MUSIC[:2])
    assert (path / "segments/0002.partial").exists()
    assert catalog_info(path) == before
    assert open_catalog(path, MODEL).n_tracks == 2
    remove_tracks(path, ["a"])
    assert [one.name for one in (path / "segments").iterdir()] == ["0001"]


def test_an_interrupted_build_leaves_what_it_has_done(tmp_path):
    path = tmp_path / "c"
    _stop_in_the_middle(signal.SIGINT, "build", path, *MUSIC[:3])
    assert not list((path / "segments").iterdir())
    with pytest.raises(
        CatalogError, match=r"no catalog.* unfinished build, which the same 'earmark catalog build' goes"
    ):
        open_catalog(path, MODEL)
    report = build_catalog(path, MUSIC[:3], model=MODEL, jobs=1)
    assert (report.n_indexed, report.n_resumed) == (3, 1)


def test_every_state_that_a_crash_can_leave_is_the_old_catalog(path):
    """Up to the last step, which replaces the manifest, nothing that a writer makes is looked at."""
    before = catalog_info(path)
    shutil.copytree(path / "segments/0001", path / "segments/0002")
    shutil.copytree(path / "segments/0001", path / "segments/0003.partial")
    (path / "segments/0003.partial/tracks.sqlite").write_bytes(b"torn")
    (path / "manifest.json.partial").write_bytes((path / "manifest.json").read_bytes()[:99])
    assert catalog_info(path) == before
    with writer_lock(path):
        clear_leftovers(path, read_manifest(path)[0])
    assert sorted(one.name for one in path.iterdir()) == ["lock", *MANIFESTS, "segments"]
    assert [one.name for one in (path / "segments").iterdir()] == ["0001"]
    assert catalog_info(path) == before
    assert open_catalog(path, MODEL).n_tracks == 2


def test_one_writer_at_a_time_and_readers_do_not_wait(path):
    holder = (
        f"import fcntl, sys; f = open({str(path / 'lock')!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, stdin=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(CatalogLockedError, match="another process is changing this catalog"):
            remove_tracks(path, ["a"])
        assert open_catalog(path, MODEL).n_tracks == catalog_info(path).n_tracks == 2
        other.stdin.close()
        other.wait()
    remove_tracks(path, ["a"])
    assert open_catalog(path, MODEL).n_tracks == 1


def test_a_lock_on_a_file_that_was_taken_away_does_not_count(path):
    with writer_lock(path):
        (path / "lock").unlink()
        with writer_lock(path), (path / "lock").open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_build_that_fails_before_it_has_done_anything_leaves_nothing(tmp_path):
    def fail(progress):
        raise RuntimeError(f"after {progress.n_done}")

    (tmp_path / "text.mp3").write_text("no audio")
    with pytest.raises(RuntimeError, match="after 1"):
        build_catalog(tmp_path / "c", [tmp_path / "text.mp3"], model=MODEL, jobs=1, on_progress=fail)
    assert not (tmp_path / "c").exists()


def test_a_script_without_a_main_guard_is_told_so(tmp_path):
    (tmp_path / "script.py").write_text(
        "import sys\nfrom pathlib import Path\nfrom earmark.catalog import build_catalog\n"
        "from earmark.fingerprint import load_model\n"
        "build_catalog(Path(sys.argv[1]), [Path(sys.argv[2])], model=load_model(), jobs=1)\n"
    )
    command = [sys.executable, tmp_path / "script.py", tmp_path / "c", MUSIC[0]]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert out.returncode == 1
    assert "CatalogError: no worker process can be started; a script that builds a catalog" in out.stderr
    assert not (tmp_path / "c").exists()


def test_a_catalog_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CatalogError, match=r"file: cannot be written"):
        build_catalog(tmp_path / "file", MUSIC[:1], model=MODEL, jobs=1)
