"""Scans that are stopped, killed and resumed, and what their folders must hold in the end."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys

import soundfile

from earmark.scan import ScanPlan, Stop, scan

from .small_catalog import excerpt, registry, small_catalog
from .test_scan import USE
from .test_scan_interrupt import session_of, wait_until

ROW_FILES = ("items.jsonl", "matches.jsonl")
TIMES = ("started", "finished", "elapsed_s", "rates")


def plan(corpus, out, **changes):
    options = {
        "catalog": small_catalog(),
        "registry": registry(),
        "use": USE,
        "jobs": 1,
        "resume": True,
        "effort": "fast",
    }
    return ScanPlan(corpus=corpus, out=out, **(options | changes))


def make_corpus(root):
    root.mkdir()
    for n in range(30):
        track = ("chaos", "azum", "die-gewalt")[n % 3]
        soundfile.write(root / f"{n:03}.wav", excerpt(track, 8.0 + 0.2 * (n % 5), 3.0 + 0.1 * n), 16000)
        (root / f"{n:03}.txt").write_text("no music")
    (root / "013.wav").write_bytes((root / "013.wav").read_bytes()[:-20_000])
    (root / "014.wav").write_bytes(b"no music")
    return root


def scanned_whole(corpus, out):
    """The folder of a scan that nothing happened to."""
    assert scan(plan(corpus, out, jobs=2)).complete
    return out


def begin(corpus, out, *, n_items):
    """Scan, and stop after some items."""
    summary = scan(plan(corpus, out), **stop_after(n_items))
    assert not summary.complete
    return summary


def copy_of(begun_once, folder):
    """A corpus of its own, and a scan of it that was begun."""
    shutil.copytree(begun_once, folder, dirs_exist_ok=True)
    return folder / "corpus", folder / "out"


def check_same(out, uninterrupted):
    for name in ROW_FILES:
        assert (out / name).read_bytes() == (uninterrupted / name).read_bytes()
    one, other = (json.loads((each / "summary.json").read_text()) for each in (out, uninterrupted))
    assert {k: v for k, v in one.items() if k not in TIMES} == {k: v for k, v in other.items() if k not in TIMES}
    assert one["complete"] is True


# Small chunks, and an end in the middle of a write: of as many bytes as the command line says, all files together.
DYING = """
import os, signal, sys
from earmark.cli import main
from earmark.scan import folder
from earmark.scan.line_file import LineFile

folder._CHUNK_ENTRIES = 4
append, left = LineFile.append, int(sys.argv.pop(1))

def append_or_die(self, lines):
    global left
    if len(lines) >= left:
        os.pwrite(self.fileno(), lines[:left], self.good)
        os.kill(os.getpid(), signal.SIGKILL)
    left -= len(lines)
    append(self, lines)

LineFile.append = append_or_die
main()
"""


def scan_until_killed(n_bytes, *arguments, rng=None, env=None):
    """Scan, and die after so many bytes of output; with `rng` perhaps before, at any moment. None of it is left.

    Returns whether it came to its end first, with the exit code 4.
    """
    command = [sys.executable, "-c", DYING, str(n_bytes), "scan", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, start_new_session=True, env=env, **pipes)
    if rng is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.random() * 2.0)
        process.kill()
    _, stderr = process.communicate(timeout=600)
    assert process.returncode in (-signal.SIGKILL, 4), stderr.decode()
    wait_until(lambda: not session_of(process), 10.0)
    return process.returncode == 4


def bytes_written(out):
    return sum((out / name).stat().st_size for name in (*ROW_FILES, "journal.jsonl"))


def stop_after(n_items):
    """Return a request to stop, and the callback that makes it after some items."""
    stop, seen = Stop(), []

    def on_item(row, size):
        seen.append(row.item)
        if len(seen) == n_items:
            stop.ask("SIGTERM")

    return {"stop": stop, "on_item": on_item}
