"""What one item may cost: time, memory, bytes. Whatever it does, the others are scanned and nobody waits for ever."""

import contextlib
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import pytest
import soundfile

from earmark.errors import ParameterError
from earmark.scan import Limits, ScanPlan, scan
from earmark.scan.limits import DEFAULT_MEMORY_BYTES
from earmark.scan.worker_process import waited_s

from .encoded import KINDS, encoded_music
from .small_catalog import excerpt, items_of, rows, small_catalog
from .test_scan import write_hours_of_silence

OUTCOMES = {"unmatched", "review", "error", "skipped"}  # without a registry every match is up for review


def plan(corpus, out, **changes):
    return ScanPlan(corpus=corpus, out=out, **({"catalog": small_catalog(), "jobs": 1, "effort": "fast"} | changes))


def worker_that_reads(path, deadline_s=60.0):
    """Return the process id of the child that has a file open."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        for child in multiprocessing.active_children():
            with contextlib.suppress(OSError):
                if path in [each.readlink() for each in Path(f"/proc/{child.pid}/fd").iterdir()]:
                    return child.pid
        time.sleep(0.01)
    return None


@contextlib.contextmanager
def sent_to_the_reader_of(path, number):
    """Send a signal to the worker that reads a file, while the context lasts."""
    sent = []

    def send():
        sent.append(worker_that_reads(path))
        if sent[0] is not None:
            os.kill(sent[0], number)

    sender = threading.Thread(target=send)
    sender.start()
    yield sent
    sender.join()
    assert sent != [None]


@pytest.fixture
def corpus(tmp_path):
    """A victim between two good items; the victim takes some seconds to read."""
    root = tmp_path / "corpus"
    root.mkdir()
    soundfile.write(root / "a.wav", excerpt("chaos"), 16000)
    write_hours_of_silence(root / "b-victim.wav", hours=8)
    soundfile.write(root / "c.wav", excerpt("die-gewalt"), 16000)
    return root


def check_that_only_the_victim_suffered(out, words):
    items = items_of(out)
    assert {item: row["status"] for item, row in items.items()} == {
        "a.wav": "review",
        "b-victim.wav": "error",
        "c.wav": "review",
    }
    assert items["b-victim.wav"]["error"].startswith(words)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGSEGV, "the worker process was ended by SIGSEGV"),
        (signal.SIGABRT, "the worker process was ended by SIGABRT (libraries do that"),
        (signal.SIGKILL, "the worker process was ended by SIGKILL (the system does that when memory runs out)"),
    ],
)
def test_a_crash_costs_one_item_and_the_worker_is_replaced(corpus, tmp_path, number, words):
    with sent_to_the_reader_of(corpus / "b-victim.wav", number):
        summary = scan(plan(corpus, tmp_path / "out"))
    check_that_only_the_victim_suffered(tmp_path / "out", words)
    assert summary.complete
    assert summary.errors == {"worker died": 1}


def test_a_worker_that_hangs_costs_one_item(corpus, tmp_path):
    with sent_to_the_reader_of(corpus / "b-victim.wav", signal.SIGSTOP) as stopped:
        summary = scan(plan(corpus, tmp_path / "out", limits=Limits(timeout_s=20.0)))
    check_that_only_the_victim_suffered(tmp_path / "out", "took longer than 20 s")
    assert summary.errors == {"took too long": 1}
    assert not Path(f"/proc/{stopped[0]}").exists()


def test_a_pipe_in_place_of_a_listed_file_is_an_error(tmp_path):
    """Between listing and reading a file can become what nobody writes to."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_hours_of_silence(corpus / "a.wav", hours=2)
    soundfile.write(corpus / "b.wav", excerpt("chaos"), 16000)
    soundfile.write(corpus / "c.wav", excerpt("chaos"), 16000)

    def swap():
        worker_that_reads(corpus / "a.wav")
        time.sleep(1.0)  # the listing goes on to b meanwhile
        (corpus / "b.wav").unlink()
        os.mkfifo(corpus / "b.wav")

    swapper = threading.Thread(target=swap)
    swapper.start()
    scan(plan(corpus, tmp_path / "out", jobs=1))
    swapper.join()
    items = items_of(tmp_path / "out")
    assert items["b.wav"]["status"] == "error"
    assert items["b.wav"]["error"] == "is a FIFO, socket or device, not a file"
    assert items["c.wav"]["status"] == "review"


def test_a_file_that_grows_while_it_is_read_ends(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    soundfile.write(corpus / "a.wav", excerpt("chaos"), 16000)
    write_hours_of_silence(corpus / "b-growing.wav", hours=1)
    soundfile.write(corpus / "c.wav", excerpt("chaos"), 16000)
    over = threading.Event()

    def grow():
        with (corpus / "b-growing.wav").open("ab") as file:
            while not over.is_set():
                file.truncate(os.fstat(file.fileno()).st_size + (1 << 20))
                time.sleep(0.005)

    grower = threading.Thread(target=grow)
    grower.start()
    try:
        scan(plan(corpus, tmp_path / "out", limits=Limits(timeout_s=60.0)))
    finally:
        over.set()
        grower.join()
    row = items_of(tmp_path / "out")["b-growing.wav"]
    assert row["error"].startswith("changed while it was read: ")
    assert items_of(tmp_path / "out")["c.wav"]["status"] == "review"


def test_memory_beyond_the_limit_is_refused_and_costs_one_item(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    soundfile.write(corpus / "a.wav", excerpt("chaos"), 16000)
    write_one_packet(corpus / "b-victim.mka", 100)
    soundfile.write(corpus / "c.wav", excerpt("die-gewalt"), 16000)
    summary = scan(plan(corpus, tmp_path / "out", limits=Limits(memory_bytes=256 << 20)))
    row = items_of(tmp_path / "out")["b-victim.mka"]
    assert row["status"] == "error"
    assert row["error"].startswith("needs more memory than a worker may use for an item")
    assert summary.errors == {"too much memory": 1}
    assert [items_of(tmp_path / "out")[item]["status"] for item in ("a.wav", "c.wav")] == ["review", "review"]


def write_one_packet(path, n_mib):
    """Write a file that cannot be decoded but in one piece."""
    n_bytes = n_mib << 20
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        packet = av.Packet(bytes(n_bytes))
        packet.stream, packet.pts, packet.dts = stream, 0, 0
        packet.time_base, packet.duration = Fraction(1, 8000), n_bytes // 2
        out.mux(packet)


def test_the_limit_counts_what_is_reserved_and_not_what_is_mapped(tmp_path):
    code = """
import mmap, sys, numpy as np
from earmark.scan.worker import limit_memory
limit_memory(64 << 20)
with open(sys.argv[1], "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # as a catalog is
print(len(mapped) >> 20, len(np.ones(4 << 20)) >> 20)
try:
    np.ones(16 << 20)
except MemoryError:
    print("refused")
"""
    (tmp_path / "catalog").touch()
    os.truncate(tmp_path / "catalog", 1 << 30)
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "catalog"], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.split() == ["1024", "4", "refused"]


def test_items_that_are_too_large_or_too_short_are_left_out_by_rule(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    soundfile.write(corpus / "long.flac", excerpt("chaos"), 16000)
    soundfile.write(corpus / "large.wav", excerpt("chaos"), 16000, subtype="DOUBLE")
    soundfile.write(corpus / "short.wav", excerpt("chaos", 8.0, 5.0), 16000)
    limits = Limits(max_bytes=500_000)
    summary = scan(plan(corpus, tmp_path / "out", limits=limits, min_seconds=6.0))
    items = items_of(tmp_path / "out")
    size = (corpus / "large.wav").stat().st_size
    assert {item: (row["status"], row["error"]) for item, row in items.items()} == {
        "large.wav": ("skipped", f"{size:,} bytes; asked for are 500,000 or less"),
        "long.flac": ("review", None),
        "short.wav": ("skipped", "5.000 s of audio; asked for are 6 s or more"),
    }
    assert summary.skipped == {"too large": 1, "too short": 1}
    assert summary.items_with_problems == 0


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(timeout_s=0.0), "timeout_s must be a number of seconds above 0"),
        (Limits(timeout_s=float("nan")), "timeout_s must be"),
        (Limits(memory_bytes=1 << 20), "memory_bytes must be at least 268,435,456, got 1,048,576"),
        (Limits(max_bytes=0), "max_bytes must be at least 1"),
    ],
)
def test_limits_out_of_their_domain_are_refused(tmp_path, limits, words):
    with pytest.raises(ParameterError, match=words):
        scan(plan(tmp_path, tmp_path / "out", limits=limits))


# Hundreds of malformed files


def malformed(rng, data):
    """Return a file with something of what goes wrong with files: cut, overwritten, doubled, spliced, out of order."""
    data = bytearray(data)
    size = len(data)
    at = rng.randrange(min(size, 400)) if rng.random() < 0.5 else rng.randrange(size)  # headers break best
    match rng.randrange(8):
        case 0:
            del data[at:]
        case 1:
            del data[at : at + rng.randrange(1, 5000)]
        case 2:
            for _ in range(rng.randrange(1, 50)):
                data[rng.randrange(size)] = rng.randrange(256)
        case 3:
            for _ in range(rng.randrange(1, 8)):
                data[rng.randrange(min(size, 200))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        case 4:
            data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\x80\0\0\0"])
        case 5:
            data[at:at] = data[: rng.randrange(1, size)]
        case 6:
            data[at : at + 2000] = rng.randbytes(2000)
        case 7:
            other = encoded_music(rng.choice(KINDS))
            data[at:] = other[rng.randrange(len(other)) :]
    return bytes(data)


def write_malformed_corpus(root, n_files, seed):
    """Write malformed files of every container in turn, a good one now and then, and what else lies about."""
    rng = random.Random(seed)
    root.mkdir()
    for n in range(n_files):
        kind = KINDS[n % len(KINDS)]
        (root / f"{n:04}-{kind}.mp3").write_bytes(malformed(rng, encoded_music(kind)))
    for n in range(0, n_files, 50):
        soundfile.write(root / f"{n:04}-good.wav", excerpt("chaos"), 16000)
    os.mkfifo(root / "fifo.mp3")
    (root / "loop.mp3").symlink_to("loop.mp3")
    (root / "down").mkdir()
    (root / "down" / "up").symlink_to("..")
    (root / "a.wav").symlink_to("b.wav")
    (root / "b.wav").symlink_to("a.wav")


def check_malformed_scan(root, out, summary):
    items = items_of(out)
    assert summary.complete
    files = {path.name for path in root.iterdir() if path.is_symlink() or not path.is_dir()}
    assert files <= items.keys()
    assert len(rows(out / "items.jsonl")) == len(items) == summary.items["total"]
    assert {row["status"] for row in items.values()} <= OUTCOMES
    assert all(row["error"] for row in items.values() if row["status"] in {"error", "skipped"})
    assert {row["status"] for item, row in items.items() if item.endswith("good.wav")} == {"review"}
    assert items["fifo.mp3"]["error"] == "is a FIFO"
    assert "symbolic links" in items["loop.mp3"]["error"]
    assert items["down/up"]["error"] == "is the directory '.', listed already"
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("n_files", "seed"),
    [(12 * len(KINDS), 5), *(pytest.param(1000, seed, marks=pytest.mark.long) for seed in range(3))],
)
def test_hundreds_of_malformed_files_are_scanned_to_the_end(tmp_path, n_files, seed):
    write_malformed_corpus(tmp_path / "corpus", n_files, seed)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    summary = scan(plan(tmp_path / "corpus", tmp_path / "out", limits=Limits(timeout_s=60.0)))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    check_malformed_scan(tmp_path / "corpus", tmp_path / "out", summary)
    assert summary.errors.get("internal error", 0) == 0
    assert used.ru_utime - before.ru_utime < 60.0 + 0.1 * n_files
    assert used.ru_maxrss * 1024 < DEFAULT_MEMORY_BYTES


def test_time_spent_waiting_for_a_processor_is_told_apart():
    """Two that want one processor all the time get half of it each at most, and wait for the rest."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:1])
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    os.sched_setaffinity(0, before)
    try:
        start = time.monotonic()
        while time.monotonic() - start < 20.0 and sum(waited_s(each.pid) for each in busy) < 0.5:
            time.sleep(0.1)
        assert sum(waited_s(each.pid) for each in busy) >= 0.5
    finally:
        for each in busy:
            each.kill()
            each.communicate()
    assert waited_s(busy[0].pid) == 0.0  # of a process that is gone nothing is known
