"""Scans of shards and tables that are killed, resumed, divided and hurt: as of plain folders, item by item."""

import gzip
import io
import itertools
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from earmark.corpus import HeldBytes, Item, ParquetCell, list_corpus
from earmark.errors import ScanError
from earmark.report.cleaning import clean_corpus
from earmark.scan import Limits, Shard, merge_scans, scan
from earmark.scan.journal import read_header

from .small_catalog import USE as LICENSE
from .small_catalog import earmark_command, excerpt, items_of, registry, rows, run_earmark, small_catalog
from .stopped_scan import (
    ROW_FILES,
    begin,
    bytes_written,
    check_same,
    copy_of,
    plan,
    scan_until_killed,
    scanned_whole,
    stop_after,
)
from .test_cli import invoke
from .test_scan import write_hours_of_silence
from .test_scan_isolation import worker_that_reads

AUDIO_STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
RATE = 16000


def sound(n, suffix="wav", duration_s=3.0):
    """Bytes of a stretch of a track of the catalog."""
    file = io.BytesIO()
    y = excerpt(("chaos", "azum", "die-gewalt")[n % 3], 8.0 + 0.2 * n, duration_s)
    soundfile.write(file, y, RATE, format=suffix.upper())
    return file.getvalue()


def write_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, data in members:
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))


def write_table(path, cells, **options):
    table = pa.table({"audio": pa.array(cells, AUDIO_STRUCT)})
    pq.write_table(table, path, **options)


def make_corpus(root):
    """A folder of shards and a table: 24 items, one that is no audio, and an entry for a shard that is cut short."""
    root.mkdir()
    write_tar(root / "a.tar", [(f"{n}.{suffix}", data) for n in range(8) for suffix, data in sample(n)])
    write_tar(root / "b.tar.gz", [(f"{n}.flac", sound(n, "flac")) for n in range(8, 12)], "w:gz")
    (root / "beside.wav").write_bytes(sound(23))
    cells = [{"bytes": sound(n), "path": f"{n}.wav"} for n in range(12, 19)]
    write_table(root / "c.parquet", [*cells, {"bytes": None, "path": "beside.wav"}], row_group_size=3)
    write_tar(root / "d.tar", [(f"{n}.wav", sound(n)) for n in range(19, 22)])
    os.truncate(root / "d.tar", (root / "d.tar").stat().st_size - 2 * tarfile.RECORDSIZE - 5000)
    return root


def sample(n):
    """The members of a sample of WebDataset."""
    return [("wav", b"no music" * 999 if n == 5 else sound(n)), ("json", b"{}")]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpora") / "corpus")


@pytest.fixture(scope="module")
def uninterrupted(corpus, tmp_path_factory):
    return scanned_whole(corpus, tmp_path_factory.mktemp("uninterrupted") / "out")


def test_what_the_corpus_holds(corpus, uninterrupted):
    """Every kind of entry is in it, or the tests below say little."""
    entries = list(list_corpus(str(corpus)))
    assert {type(entry).__name__ for entry in entries} == {"Item", "Skipped", "Unlistable"}
    sources = {type(entry.source).__name__ for entry in entries if isinstance(entry, Item)}
    assert sources == {"FilePart", "HeldBytes", "ParquetCell", "WholeFile"}
    statuses = {row["status"] for row in rows(uninterrupted / "items.jsonl")}
    assert statuses >= {"licensed", "unlicensed", "error", "skipped"}


def options(out):
    return ["--catalog", small_catalog(), "--out", out, "--registry", registry(), *LICENSE, "--effort", "fast"]


def test_killed_in_shards_and_tables_and_resumed(corpus, uninterrupted, tmp_path):
    total, out, n_done = bytes_written(uninterrupted), tmp_path / "out", []
    for share in (0.3, 0.25, 0.3):
        assert not scan_until_killed(int(share * total), corpus, *options(out), "--resume", "--jobs", 2)
        n_done.append((out / "items.jsonl").read_bytes().count(b"\n"))
    assert n_done[-1] > n_done[0] > 0
    seen = []
    scan(plan(corpus, out, jobs=2), on_item=lambda row, size: seen.append(row.item))
    assert 0 < len(seen) <= len(rows(out / "items.jsonl"))  # a fast machine is killed before its first chunk
    check_same(out, uninterrupted)


@pytest.mark.parametrize(
    ("name", "count", "by_file"),
    [("a.tar", 2, None), ("", 3, True), ("", 6, None), ("{a,d}.tar", 2, True)],
)
def test_merged_shards_are_the_whole(corpus, uninterrupted, tmp_path, name, count, by_file):
    """Archives and tables go to one shard or another as a whole, if there are enough; else entries do."""
    place = f"{corpus}/{name}" if name else corpus
    expected = uninterrupted
    if name:
        expected = tmp_path / "whole"
        scan(plan(place, expected))
    parts = [tmp_path / str(index) for index in range(1, count + 1)]
    for index, part in enumerate(parts, 1):
        scan(plan(place, part, shard=Shard(index=index, count=count)))
        assert read_header(part / "journal.jsonl").plan["by_file"] == by_file
    archives = [{row["item"].split("/")[0].split("#")[0] for row in rows(part / "items.jsonl")} for part in parts]
    if by_file:
        assert all(not one & other for one, other in itertools.combinations(archives, 2))
    summary = merge_scans(tmp_path / "merged", parts)
    check_same(tmp_path / "merged", expected)
    again = scan(plan(place, tmp_path / "merged"), on_item=lambda row, size: pytest.fail("scanned again"))
    assert again.items == summary.items


def test_a_shard_of_files_is_resumed_as_it_was_begun(corpus, tmp_path):
    """Also if, by now, there are not enough archives to divide them as a whole."""
    shutil.copytree(corpus, tmp_path / "corpus")
    shard = Shard(index=1, count=4)
    scan(plan(tmp_path / "corpus", tmp_path / "out", shard=shard), **stop_after(2))
    scan(plan(tmp_path / "corpus", tmp_path / "out", shard=shard))
    ids = [row["item"] for row in rows(tmp_path / "out" / "items.jsonl")]
    assert ids == [f"a.tar/{n}.{suffix}" for n in range(8) for suffix in ("wav", "json")] + ["beside.wav"]
    (tmp_path / "corpus" / "d.tar").unlink()
    with pytest.raises(ScanError, match="was changed since the scan was begun: it had 5 entries and has 4"):
        scan(plan(tmp_path / "corpus", tmp_path / "out", shard=shard))


# A corpus that was changed


@pytest.fixture(scope="module")
def begun_once(tmp_path_factory):
    root = tmp_path_factory.mktemp("begun")
    corpus = make_corpus(root / "corpus")
    n_entries = len(list(list_corpus(str(corpus))))
    begin(corpus, root / "out", n_items=n_entries - 3)
    return root


@pytest.fixture
def begun(begun_once, tmp_path):
    return copy_of(begun_once, tmp_path)


def replace_in(path, old, new):
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))


def other(data):
    """The same length, and other samples."""
    return data[:-9] + bytes(byte ^ 1 for byte in data[-9:])


def change_compressed(path):
    data = gzip.decompress(path.read_bytes())
    flac = sound(9, "flac")
    assert data.count(flac) == 1
    path.write_bytes(gzip.compress(data.replace(flac, other(flac))))
    os.utime(path, ns=(0, 0))


def change_table(path):
    cells = pq.read_table(path)["audio"].to_pylist()
    cells[4]["bytes"] = other(cells[4]["bytes"])
    write_table(path, cells, row_group_size=3)


@pytest.mark.parametrize(
    ("change", "item"),
    [
        (lambda root: replace_in(root / "a.tar", sound(2), other(sound(2))), r"a\.tar/2\.wav"),
        (lambda root: change_compressed(root / "b.tar.gz"), r"b\.tar\.gz/9\.flac"),
        (lambda root: change_table(root / "c.parquet"), r"c\.parquet#4/16\.wav"),
    ],
)
def test_other_bytes_of_the_same_size_are_noticed(begun, change, item):
    root, out = begun
    change(root)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ScanError, match=f"'{item}' had the SHA-256 [0-9a-f]{{64}} and has [0-9a-f]{{64}}"):
        scan(plan(root, out))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_member_that_is_gone_is_noticed(begun):
    root, out = begun
    write_tar(root / "a.tar", [(f"{n}.{suffix}", data) for n in range(7) for suffix, data in sample(n)])
    with pytest.raises(ScanError, match=r"'a\.tar/7\.wav' was there, and in its place there is 'b\.tar\.gz/8\.flac'"):
        scan(plan(root, out))


def test_a_file_beside_a_table_that_was_changed_is_noticed(tmp_path):
    """The size in the table is not its size, so the time of its change must tell."""
    root = tmp_path / "corpus"
    root.mkdir()
    (tmp_path / "corpus" / "beside.wav").write_bytes(sound(3))
    write_table(root / "t.parquet", [{"bytes": None, "path": "beside.wav"}, {"bytes": sound(1), "path": "1.wav"}])
    scan(plan(root / "t.parquet", tmp_path / "out"))
    (root / "beside.wav").write_bytes(other(sound(3)))
    with pytest.raises(ScanError, match=r"'t\.parquet#0/beside\.wav' had the SHA-256"):
        scan(plan(root / "t.parquet", tmp_path / "out"))


def test_shards_and_tables_that_were_copied_are_read_again_and_found_the_same(begun, uninterrupted):
    root, out = begun
    for path in root.iterdir():
        os.utime(path, ns=(0, 0))
    assert scan(plan(root, out)).complete
    for name in ROW_FILES:
        assert (out / name).read_bytes() == (uninterrupted / name).read_bytes()


def test_other_reading_is_another_plan(begun):
    root, out = begun
    process = run_earmark("scan", root, *options(out), "--resume", "--format", "directory")
    assert process.returncode == 2
    assert "another plan: reading was {} and is {'format': 'directory'}" in " ".join(process.stderr.split())


# What one item may cost


def test_a_worker_that_is_killed_on_a_member_costs_that_member(tmp_path):
    write_hours_of_silence(tmp_path / "long.wav", hours=2)
    shard = tmp_path / "s.tar"
    write_tar(shard, [("a.wav", sound(2)), ("b.wav", (tmp_path / "long.wav").read_bytes()), ("c.wav", sound(0))])
    killed = []

    def kill():
        killed.append(worker_that_reads(shard))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    summary = scan(
        plan(shard, tmp_path / "out"), on_item=lambda row, size: killer.start() if row.item == "s.tar/a.wav" else None
    )
    killer.join()
    items = items_of(tmp_path / "out")
    assert [row["status"] for row in items.values()] == ["licensed", "error", "unlicensed"]
    assert items["s.tar/b.wav"]["error"].startswith("the worker process was ended by SIGKILL")
    assert summary.errors == {"worker died": 1}


def test_the_limit_on_size_goes_by_each_row_of_a_table(tmp_path):
    """The listing knows the mean of a row group alone."""
    sizes = [len(sound(n, duration_s=seconds)) for n, seconds in enumerate((3.0, 3.0, 9.0))]
    cells = [{"bytes": sound(n, duration_s=s), "path": f"{n}.wav"} for n, s in enumerate((3.0, 3.0, 9.0))]
    write_table(tmp_path / "t.parquet", cells, use_dictionary=False, compression="none")
    (first, *_) = list_corpus(str(tmp_path / "t.parquet"))
    assert isinstance(first.source, ParquetCell)
    assert first.size_bytes > sizes[0]
    scan(plan(tmp_path / "t.parquet", tmp_path / "out", limits=Limits(max_bytes=sizes[0])))
    table = rows(tmp_path / "out" / "items.jsonl")
    assert [row["status"] == "skipped" for row in table] == [False, False, True]
    assert table[2]["error"] == f"{sizes[2]:,} bytes; asked for are {sizes[0]:,} or less"


def test_the_limit_on_size_goes_for_members_too(tmp_path):
    write_tar(tmp_path / "t.tar.gz", [("a.wav", sound(0)), ("b.wav", sound(1, duration_s=9.0))], "w:gz")
    (_, second) = list_corpus(str(tmp_path / "t.tar.gz"))
    assert isinstance(second.source, HeldBytes)
    scan(plan(tmp_path / "t.tar.gz", tmp_path / "out", limits=Limits(max_bytes=len(sound(0)))))
    assert [row["status"] for row in rows(tmp_path / "out" / "items.jsonl")] == ["unlicensed", "skipped"]


# The command line


def test_a_shard_alone_gives_no_clean_corpus(corpus, tmp_path):
    result = invoke("scan", corpus, *options(tmp_path / "out"), "--shard", "1/2", "--clean", tmp_path / "clean")
    assert result.exit_code == 2
    assert "--clean needs all of the corpus" in result.stderr
    assert not (tmp_path / "out").exists()
    scan(plan(corpus / "a.tar", tmp_path / "1", shard=Shard(index=1, count=2)))
    with pytest.raises(ScanError, match="1: holds shard 1/2 of the corpus alone; join all shards with `earmark merge`"):
        clean_corpus(tmp_path / "1", tmp_path / "clean")
    scan(plan(corpus / "a.tar", tmp_path / "2", shard=Shard(index=2, count=2)))
    merge_scans(tmp_path / "all", [tmp_path / "1", tmp_path / "2"])
    cleaned = clean_corpus(tmp_path / "all", tmp_path / "clean")
    assert cleaned.dropped > 0
    assert cleaned.unknown == 0


def test_stopped_resumed_and_cleaned(corpus, tmp_path):
    """The first run is killed before it comes to the clean corpus, the second one makes it."""
    out, clean = tmp_path / "out", tmp_path / "clean"
    command = earmark_command("scan", corpus / "a.tar", *options(out), "--jobs", 1, "--resume", "--clean", clean)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    end = time.monotonic() + 60
    while not (out / "items.jsonl").exists() and time.monotonic() < end:
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    assert not clean.exists()
    process = run_earmark(*command[3:])
    assert process.returncode == 4, process.stderr  # one member is no audio
    with tarfile.open(clean / "a.tar") as tar:
        names = tar.getnames()
    dropped = ("unlicensed", "review", "error")
    gone = {item.split("/")[1] for item, row in items_of(out).items() if row["status"] in dropped}
    assert len(gone) > 1
    assert not gone & set(names)
    assert {f"{n}.wav" for n in range(8)} - gone <= set(names)


def test_how_to_read_a_corpus_stands_in_a_file_of_options_too(tmp_path):
    pq.write_table(pa.table({"sound": pa.array([sound(0)], pa.binary())}), tmp_path / "table")
    config = tmp_path / "scan.toml"
    config.write_text('format = "parquet"\naudio-column = ["sound"]\nallow-http = false\neffort = "fast"\n')
    out = tmp_path / "out"
    command = ("scan", tmp_path / "table", "--catalog", small_catalog(), "--out", out, "--config", config)
    process = run_earmark(*command, "--jobs", 1)
    assert process.returncode == 0, process.stderr
    assert list(items_of(out)) == ["table#0"]
    assert run_earmark(*command, "--resume").returncode == 0
    config.write_text("audio-column = 7\n")
    result = invoke(*command)
    assert result.exit_code == 2
    assert "audio-column: expected a list, got 7" in " ".join(result.stderr.split())
    config.write_text('effort = ["a", "b"]\n')
    assert "effort: expected one value, got ['a', 'b']" in " ".join(invoke(*command).stderr.split())
