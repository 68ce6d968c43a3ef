"""A catalog of three bundled tracks, one of them under two ids, and ways to scan with it."""

import atexit
import csv
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile
import soxr

from earmark.catalog import build_catalog
from earmark.fingerprint import load_model

DATA = Path(__file__).parents[1] / "data"
TRACKS = {
    "chaos": ("music/muldjord-chaos-god.opus", "El Senator"),
    "azum": ("music/dst-azum.opus", "Deceased Superior Technician"),
    "azum-again": ("music/dst-azum.opus", "Compilation House"),
    "die-gewalt": ("music/paniq-die-gewalt.opus", "Leonard Ritter"),
}
REGISTRY = """\
grant_id,licensee,scope,permission,rightsholder,territories,valid_from,valid_to
G1,Acme AI,ai_training,allowed,Leonard Ritter,Worldwide,2026-01-01,2026-12-31
G2,Acme AI,ai_training,allowed,Compilation House,Worldwide,2026-01-01,
G3,*,ai_training,not_allowed,El Senator,Worldwide,,
"""
USE = ["--licensee", "Acme AI", "--use", "ai_training", "--territory", "US", "--as-of", "2026-11-01"]


@functools.cache
def small_catalog():
    """Return the folder of the catalog, with `rights.csv` beside it; made once in a process, and not to be changed."""
    root = Path(tempfile.mkdtemp(prefix="earmark-test-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    (root / "music").mkdir()
    with (root / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "track_id", "title", "artist", "rightsholder"])
        for track_id, (path, rightsholder) in TRACKS.items():
            shutil.copy(DATA / path, root / "music" / f"{track_id}.opus")
            table.writerow([f"music/{track_id}.opus", track_id, track_id.title(), "The Artist", rightsholder])
    report = build_catalog(root / "catalog", [root / "music"], metadata=root / "tracks.csv", model=load_model(), jobs=1)
    assert report.n_indexed == len(TRACKS)
    (root / "rights.csv").write_text(REGISTRY)
    return root / "catalog"


def registry():
    """Return the file of the registry."""
    return small_catalog().parent / "rights.csv"


@functools.cache
def excerpt(track_id, start_s=8.0, duration_s=8.0, sr=16000):
    """Return a stretch of a track as mono at `sr`."""
    y, rate = soundfile.read(DATA / TRACKS[track_id][0], dtype="float32")
    y = y[int(start_s * rate) : int((start_s + duration_s) * rate)]
    return soxr.resample(y, rate, sr)


def earmark_command(*arguments):
    """Return the command line of a real process."""
    return [sys.executable, "-c", "from earmark.cli import main; main()", *map(str, arguments)]


def run_earmark(*arguments):
    """Run a real process to its end."""
    command = earmark_command(*arguments)
    # Without COLUMNS here, a process of pytest's can find one that readline has put behind Python's back.
    environment = os.environ | {"COLUMNS": "200"}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=environment)


def rows(path):
    """Return the rows of a file of JSON lines, each checked to be a whole line."""
    data = path.read_bytes()
    assert data == b"" or data.endswith(b"\n")
    return [json.loads(line) for line in data.decode().split("\n")[:-1]]


def items_of(out):
    """Return the rows of `items.jsonl` by their ids."""
    return {row["item"]: row for row in rows(out / "items.jsonl")}
