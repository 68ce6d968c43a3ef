"""How far it is: every long job on a catalog says so to its end, with a rate and the time left."""

import itertools
import logging
import os
import pty
import re
import subprocess

import numpy as np
import pytest

from earmark.catalog import Progress as CatalogProgress
from earmark.catalog import (
    check_catalog,
    compact_catalog,
    merge_catalogs,
    remove_tracks,
    salvage_catalog,
    update_tracks,
)
from earmark.cli.catalog import progress
from earmark.cli.catalog.progress import catalog_progress
from earmark.exchange import check, pack, unpack
from earmark.matching import find_duplicates
from earmark.report.track_table import write_tracks

from .small_catalog import earmark_command, small_catalog
from .synthetic_catalog import MODEL, sketch, write_catalog


def jobs(root, path):
    """Every long job by its name; each changes what the next finds."""
    new = root / "new.csv"
    new.write_text("track_id,title\nt1,New\n")
    return {
        "check": lambda tell: check_catalog(path, model=MODEL, on_progress=tell),
        "duplicates": lambda tell: list(find_duplicates(path, MODEL, on_progress=tell)),
        "export": lambda tell: write_tracks(path, root / "t.csv", "csv", on_progress=tell),
        "pack": lambda tell: pack(path, root / "p", model=MODEL, on_progress=tell),
        "verify": lambda tell: check(root / "p", on_progress=tell),
        "unpack": lambda tell: unpack(root / "p", root / "unpacked", model=MODEL, on_progress=tell),
        "merge": lambda tell: merge_catalogs(root / "merged", [path], model=MODEL, on_progress=tell),
        "salvage": lambda tell: salvage_catalog(path, root / "saved", model=MODEL, on_progress=tell),
        "update": lambda tell: update_tracks(path, new, on_progress=tell),
        "remove": lambda tell: remove_tracks(path, ["t1"], on_progress=tell),
        "compact": lambda tell: compact_catalog(path, model=MODEL, on_progress=tell),
    }


def test_every_long_job_says_how_far_it_is_to_the_end(tmp_path):
    rng = np.random.default_rng(4)
    tracks = [(f"t{n}", sketch(rng, 4 + n)) for n in range(6)]
    path = write_catalog(tmp_path / "c", [tracks[:3], tracks[3:]])
    for name, job in jobs(tmp_path, path).items():
        told = []
        job(told.append)
        ends = {at.unit: (at.n_done, at.n_total) for at in told}  # the last of each
        assert ends, name
        for unit, (n_done, n_total) in ends.items():
            assert 0 < n_done == n_total, (name, unit)
        assert {"unpack": {"bytes", "tracks"}, "check": {"bytes"}, "verify": {"bytes"}}.get(name, {"tracks"}) == {*ends}
        for one, later in itertools.pairwise(told):
            assert one.unit != later.unit or one.n_done <= later.n_done, name


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ({"n_done": 50, "n_total": 200, "duration_s": 7200.0}, r"25 %, 50 of 200, 2\.0 h, [\d,]+ x realtime"),
        ({"n_done": 50, "n_total": 200}, r"25 %, 50 of 200, [\d,]+ a second"),
        ({"n_done": 50_000_000, "n_total": 200_000_000, "unit": "bytes"}, r"25 %, 50 of 200 MB, [\d,]+ MB/s"),
    ],
)
def test_without_a_terminal_it_is_logged(caplog, monkeypatch, at, words):
    monkeypatch.setattr(progress, "_TELL_S", 0.0)
    with caplog.at_level(logging.INFO), catalog_progress("doing", wanted=True) as tell:
        tell(CatalogProgress(**at))
    (message,) = caplog.messages
    assert re.fullmatch(rf"doing: {words}, about \d+ s left", message)


def test_on_a_terminal_there_is_a_bar():
    command = earmark_command("catalog", "check", small_catalog())
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env=os.environ | {"TERM": "xterm"}
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        assert process.stdout.read().endswith(b"MB read\n")
    assert process.returncode == 0
    assert b"checking" in shown
    assert b"%" in shown
