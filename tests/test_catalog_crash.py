"""Writers that are killed at any moment, and disks that are full: the catalog is the old one or the new one."""

import contextlib
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from earmark.catalog import (
    Layout,
    build_catalog,
    catalog_info,
    check_catalog,
    compact_catalog,
    list_tracks,
    open_catalog,
    remove_tracks,
)
from earmark.errors import CatalogError

from .encoded import MUSIC
from .synthetic_catalog import MODEL, sketch, write_catalog

OPERATIONS = ("build", "add", "remove", "update", "compact")
# Of kills: a few in every run of the tests, and two hundred and more in a long one.
FEW = {"build": 2, "add": 2, "remove": 6, "update": 4, "compact": 6}
MANY = {"build": 50, "add": 50, "remove": 50, "update": 50, "compact": 50}
NEW_CSV = "track_id,title\nt0,New\nt3,New\nt4,New\n"


@pytest.fixture(scope="module")
def driver():
    program = Path(__file__).with_name("crash_driver.py")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, program], **pipes) as process:
        assert process.stdout.readline() == "ready\n"

        def drive(operation, path, arguments, **how):
            job = {"operation": operation, "path": str(path), "arguments": [str(one) for one in arguments], **how}
            print(json.dumps(job), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        yield drive
        process.stdin.close()


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A catalog of three segments, with a removed track and one recording under two ids."""
    rng = np.random.default_rng(11)
    sketches = [sketch(rng, n) for n in (50, 120, 30, 70, 40)]
    tracks = [(f"t{i}", one) for i, one in enumerate(sketches)]
    path = tmp_path_factory.mktemp("old") / "c"
    write_catalog(path, [tracks[:2], [*tracks[2:4], ("twin", sketches[2])], tracks[4:]])
    remove_tracks(path, ["t1"])
    return path


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Three short files of two recordings."""
    root = tmp_path_factory.mktemp("music")
    for number in (0, 1):
        shutil.copy(MUSIC[number], root / f"{number}.opus")
    shutil.copy(MUSIC[0], root / "9.opus")
    return root


def prepared(operation, old, music, place):
    """Return a catalog to operate on, which is not there yet for a build, and the arguments."""
    path = place / "c"
    if operation != "build":
        shutil.copytree(old, path)
    (place / "new.csv").write_text(NEW_CSV)
    return path, {"build": [music], "add": [music], "remove": ["t0", "t3"], "update": [place / "new.csv"]}.get(
        operation, []
    )


def state_of(path):
    """Return all that a reader sees of each track: tags, words, and the ids of the same audio; None if no catalog."""
    if not (path / "manifest.json").exists():
        with pytest.raises(CatalogError, match="no catalog"):
            open_catalog(path, MODEL)
        return None
    catalog = open_catalog(path, MODEL)
    live = {one.track_id: one.recording for one in list_tracks(path)}
    seen = {}
    for number in range(catalog.n_numbers):
        track = catalog.track(number)
        if track.track_id in live and track.track_id not in seen:
            same = frozenset(catalog.track(other).track_id for other in catalog.same_audio(number))
            seen[track.track_id] = (track, live[track.track_id], catalog.words(number).tobytes(), same)
    assert seen.keys() == live.keys()
    assert catalog.n_tracks == len(live)
    found = catalog.search(np.full((1, 128), 5, np.int8), 3)[0]
    assert {catalog.track(int(number)).track_id for number in found[0] if number >= 0} <= live.keys()
    catalog.close()
    return seen


def finished(operation, old, music, place, driver):
    """Return the state before and after an operation that nobody disturbs, and how many lines and seconds it takes."""
    path, arguments = prepared(operation, old, music, place)
    before = state_of(path)
    timed = driver(operation, path, arguments)
    assert (timed["code"], timed["error"]) == (0, None)
    after = state_of(path)
    assert after != before or operation == "compact"
    (place / "untraced").mkdir()
    path, arguments = prepared(operation, old, music, place / "untraced")
    return before, after, timed | {"elapsed_s": driver(operation, path, arguments, trace=False)["elapsed_s"]}


def check_after(operation, path, arguments, before, after, driver):
    """Check that a catalog is the old or the new one, sound, and that the operation can be done now."""
    seen = state_of(path)
    assert seen in (before, after)
    if seen is not None:
        assert check_catalog(path, model=MODEL).damage == ()
    if seen == before or operation == "compact":
        again = driver(operation, path, arguments)
        assert (again["code"], again["error"]) == (0, None)
    if operation == "remove" and seen == after:
        with contextlib.suppress(CatalogError):  # not in the catalog; but leftovers go
            remove_tracks(path, ["t0"])
    assert state_of(path) == after
    found = check_catalog(path, model=MODEL)
    assert found.damage == ()
    return seen == after


def kill_many(operation, n, old, music, tmp_path, driver):
    (tmp_path / "whole").mkdir()
    before, after, timed = finished(operation, old, music, tmp_path / "whole", driver)
    dice = random.Random(f"{operation} {n}")
    n_killed, n_new = 0, 0
    for number in itertools.count():
        if n_killed == n:
            break
        assert number < 3 * n + 9, f"only {n_killed} kills came before the end"
        place = tmp_path / str(number)
        place.mkdir()
        path, arguments = prepared(operation, old, music, place)
        if number % 2:
            how = {"line": dice.randint(1, timed["lines"])}
        else:
            how = {"after_s": dice.uniform(0, timed["elapsed_s"])}
        ended = driver(operation, path, arguments, **how)
        assert ended["code"] in (-9, 0), ended
        n_killed += ended["code"] == -9
        n_new += check_after(operation, path, arguments, before, after, driver)
        shutil.rmtree(place)
    return n_new


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_kill_at_any_moment_leaves_the_old_or_the_new(operation, old, music, tmp_path, driver):
    kill_many(operation, FEW[operation], old, music, tmp_path, driver)


@pytest.mark.long
@pytest.mark.parametrize("operation", OPERATIONS)
def test_two_hundred_kills_leave_the_old_or_the_new(operation, old, music, tmp_path, driver):
    n_new = kill_many(operation, MANY[operation], old, music, tmp_path, driver)
    sys.stdout.write(f"{operation}: killed {MANY[operation]} times; the new state {n_new} times\n")


@pytest.mark.parametrize("operation", ["remove", "update", "compact"])
def test_a_kill_at_moments_that_are_spread_evenly(operation, old, music, tmp_path, driver):
    (tmp_path / "whole").mkdir()
    before, after, timed = finished(operation, old, music, tmp_path / "whole", driver)
    outcomes = []
    for number in range(1, timed["lines"], timed["lines"] // 8):
        place = tmp_path / str(number)
        place.mkdir()
        path, arguments = prepared(operation, old, music, place)
        assert driver(operation, path, arguments, line=timed["lines"] - number)["code"] == -9
        outcomes.append(check_after(operation, path, arguments, before, after, driver))
    assert outcomes[0]  # at the end it is the new one
    assert not outcomes[-1] or operation == "compact"  # which changes nothing to be seen


def test_a_file_that_may_not_grow_leaves_the_old(old, music, tmp_path, driver):
    """RLIMIT_FSIZE: every write beyond a size fails, as on a full disk."""
    n_failed = 0
    cases = [("add", 5000), *itertools.product(("remove", "update", "compact"), (0, 900, 30_000))]
    for operation, max_bytes in cases:
        place = tmp_path / f"{operation}-{max_bytes}"
        place.mkdir()
        path, arguments = prepared(operation, old, music, place)
        before = state_of(path)
        ended = driver(operation, path, arguments, max_bytes=max_bytes)
        assert ended["code"] == 0
        if ended["error"] is None:
            continue
        n_failed += 1
        assert str(path) in ended["error"]
        assert state_of(path) == before
        found = check_catalog(path, model=MODEL)
        assert found.damage == ()
        assert found.notes == () or operation == "add"
        again = driver(operation, path, arguments)
        assert (again["code"], again["error"]) == (0, None)
    assert n_failed >= 7


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB, mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    if mount is None or os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a file system here; RLIMIT_FSIZE stands in for it")
    yield place
    subprocess.run(["umount", place], check=True)


def fill(disk, n_free):
    """Leave that many bytes free, in whole pages."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    free = shutil.disk_usage(disk).free
    if free > n_free:
        with filler.open("wb") as file:
            file.write(b"\0" * (free - n_free))
    return filler


def test_a_full_disk_leaves_the_old(old, music, small_disk, driver):
    n_failed = 0
    for operation in ("add", "remove", "update", "compact"):
        for n_pages in (2, 9) if operation == "add" else (0, 1, 3, 12, 30):
            place = small_disk / operation
            place.mkdir()
            path, arguments = prepared(operation, old, music, place)
            before = state_of(path)
            filler = fill(small_disk, 4096 * n_pages)
            ended = driver(operation, path, arguments)
            assert ended["code"] == 0
            assert check_catalog(path, model=MODEL).damage == ()
            filler.unlink(missing_ok=True)
            if ended["error"] is not None:
                n_failed += 1
                assert str(path) in ended["error"]
                assert state_of(path) == before
                again = driver(operation, path, arguments)
                assert (again["code"], again["error"]) == (0, None)
            assert check_catalog(path, model=MODEL).damage == ()
            shutil.rmtree(place)
    assert n_failed >= 7


def test_a_build_on_a_full_disk_goes_on_when_there_is_room(music, small_disk, tmp_path, driver):
    path = small_disk / "c"
    filler = fill(small_disk, 40_000)
    ended = driver("build", path, [music])
    assert ended["code"] == 0
    assert "cannot be written" in ended["error"]
    with pytest.raises(CatalogError, match="no catalog"):
        open_catalog(path, MODEL)
    filler.unlink()
    report = build_catalog(path, [music], model=MODEL, jobs=1, layout=Layout(max_patches=80, exact_below=100))
    assert (report.n_indexed, report.failed) == (3, ())
    assert report.n_resumed > 0
    assert check_catalog(path, model=MODEL).damage == ()
    assert catalog_info(path).n_recordings == 2
    compact_catalog(path, model=MODEL)
