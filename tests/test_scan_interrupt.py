"""Scans that are stopped from outside: whole lines, an honest summary, and nobody left behind."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import soundfile

from .small_catalog import earmark_command, excerpt, items_of, rows, small_catalog
from .test_scan import write_hours_of_silence


@pytest.fixture
def running(tmp_path):
    """A real scan that has written its first line and has hours of silence before it."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    soundfile.write(corpus / "a.wav", excerpt("chaos"), 16000)
    for n in range(4):
        write_hours_of_silence(corpus / f"b{n}.wav", hours=30)
    command = earmark_command(
        "scan", corpus, "--catalog", small_catalog(), "--out", tmp_path / "out", "--jobs", 2, "--effort", "fast"
    )
    process = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    items = tmp_path / "out" / "items.jsonl"
    try:
        wait_until(lambda: process.poll() is not None or (items.exists() and items.stat().st_size))
        assert process.poll() is None, process.communicate()
        yield process, tmp_path / "out"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until(happened, deadline_s=60.0):
    end = time.monotonic() + deadline_s
    while not happened() and time.monotonic() < end:
        time.sleep(0.05)
    assert happened()


def session_of(process):
    """Return the processes of a session that are not zombies."""
    members = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
            if int(session) == process.pid and state != "Z":
                members.append(path.parent.name)
    return members


def test_an_interrupt_leaves_valid_files(running):
    process, out = running
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    check_stopped(out, "SIGINT")
    assert "stopped by SIGINT" in stdout
    wait_until(lambda: not session_of(process), 10.0)


def test_sigterm_leaves_valid_files_and_exits_with_4(running):
    process, out = running
    process.terminate()
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 4
    assert "Traceback" not in stderr
    check_stopped(out, "SIGTERM")
    wait_until(lambda: not session_of(process), 10.0)


def test_workers_do_not_outlive_a_killed_parent(running):
    process, out = running
    assert len(session_of(process)) >= 3
    process.kill()
    process.wait()
    wait_until(lambda: not session_of(process), 10.0)
    assert list(items_of(out)) == ["a.wav"]
    assert json.loads((out / "summary.json").read_text())["complete"] is False


def check_stopped(out, reason):
    assert list(items_of(out)) == ["a.wav"]
    assert {row["item"] for row in rows(out / "matches.jsonl")} == {"a.wav"}
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["complete"], summary["stopped_by"]) == (False, reason)
    assert summary["items"]["total"] == 1
    assert summary["finished"] is not None
    assert f"stopped by {reason} before the end of the corpus" in summary["coverage"]
    assert not list(out.glob(".*"))
