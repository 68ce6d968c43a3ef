"""Scans as batch jobs: a configuration file, a log for machines, shards and their merging, Parquet at the end."""

import itertools
import json
import re
import shutil
import signal
import subprocess

import pyarrow.parquet
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from earmark.cli.parameters import Size
from earmark.corpus import Container, Skipped
from earmark.errors import ParameterError, ReportError, ScanError
from earmark.report import read_items, read_matches, write_parquet
from earmark.scan import Limits, Shard, merge_scans, parse_shard, row_to_json, scan
from earmark.scan.shard import ShardedListing

from .small_catalog import USE as LICENSE
from .small_catalog import earmark_command, excerpt, registry, rows, run_earmark, small_catalog
from .stopped_scan import ROW_FILES, TIMES, make_corpus, plan, stop_after
from .test_cli import invoke
from .test_scan import write_hours_of_silence
from .test_scan_interrupt import wait_until
from .test_scan_report import ITEM, match

# Shards


def part_of(kind, number):
    """An entry, or a container of so many entries."""
    if kind is None:
        return Skipped(id=f"{number}", reason="r")
    return Container(id=f"{number}", kind=f"{kind}", location="")


class Opener:
    """Lists such containers, and remembers which."""

    def __init__(self):
        self.ids = []

    def __call__(self, container):
        self.ids.append(container.id)
        return (Skipped(id=f"{container.id}/{n}", reason="r") for n in range(int(container.kind)))


@given(st.lists(st.none() | st.integers(0, 3), max_size=30), st.integers(1, 5), st.booleans())
def test_shards_are_a_partition_and_take_turns(kinds, count, by_file):
    parts = [part_of(kind, number) for number, kind in enumerate(kinds)]
    containers = [part for part in parts if isinstance(part, Container)]
    whole = ShardedListing(iter(parts), Opener(), Shard())
    expected = [entry.id for entry in whole]
    found, n_opened, seen = [], [], set()
    for index in range(1, count + 1):
        mine = Opener()
        listing = ShardedListing(iter(parts), mine, Shard(index=index, count=count), by_file=by_file)
        found.append([entry.id for entry in listing])
        n_opened.append(mine.ids)
        seen.add((listing.listed, listing.sha256, listing.layout.runs))
    assert len(seen) == 1
    assert sorted(itertools.chain.from_iterable(found)) == sorted(expected)
    assert all(ids == [each for each in expected if each in ids] for ids in found)
    if by_file:
        assert sorted(itertools.chain.from_iterable(n_opened)) == sorted(one.id for one in parts if one in containers)
        singles = [sum("/" not in each for each in ids) for ids in found]
        for shares in (singles, list(map(len, n_opened))):
            assert max(shares) - min(shares) <= 1
    else:
        assert [each for each in itertools.chain.from_iterable(itertools.zip_longest(*found)) if each] == expected
        assert seen == {(whole.listed, whole.sha256, whole.layout.runs)}


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/", "/2", "a/b", "-1/2", "1/2/3", "1/0", ""])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(ParameterError, match="shard must be I/N with I from 1 to N"):
        parse_shard(text)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("batch") / "corpus")


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    scan(plan(corpus, out))
    return out


@pytest.fixture(scope="module")
def shards(corpus, tmp_path_factory):
    root = tmp_path_factory.mktemp("shards")
    for index in (1, 2, 3):
        scan(plan(corpus, root / str(index), shard=Shard(index=index, count=3)))
    return root


def test_merged_shards_are_the_scan_of_the_whole(whole, shards, tmp_path):
    summary = merge_scans(tmp_path / "out", [shards / name for name in ("2", "3", "1")])
    for name in ROW_FILES:
        assert (tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes()
    merged, expected = (json.loads((out / "summary.json").read_text()) for out in (tmp_path / "out", whole))
    assert {k: v for k, v in merged.items() if k not in TIMES} == {k: v for k, v in expected.items() if k not in TIMES}
    parts = [json.loads((shards / name / "summary.json").read_text()) for name in "123"]
    assert summary.elapsed_s == pytest.approx(sum(part["elapsed_s"] for part in parts), rel=0.5)
    assert [part["options"]["shard"] for part in parts] == ["1/3", "2/3", "3/3"]
    assert [part["items"]["total"] for part in parts] == [20, 20, 20]


def test_a_merged_scan_resumes_as_a_finished_one(corpus, shards, tmp_path):
    merge_scans(tmp_path / "out", [shards / name for name in "123"])
    assert scan(plan(corpus, tmp_path / "out")).items["total"] == 60


def test_shards_that_are_missing_or_there_twice(shards, tmp_path):
    with pytest.raises(ScanError, match="1 of 3 shards are missing: 2/3"):
        merge_scans(tmp_path / "out", [shards / "1", shards / "3"])
    shutil.copytree(shards / "1", tmp_path / "again")
    with pytest.raises(ScanError, match=r"again' and .*1' are both shard 1/3"):
        merge_scans(tmp_path / "out", [shards / "1", shards / "2", shards / "3", tmp_path / "again"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_e_value": 0.01}, "is a scan of another plan than .*: max_e_value was 0.001 and is 0.01"),
        ({"registry": None}, "another plan than .*: registry was '[0-9a-f]+' and is None"),
        ({"shard": Shard(index=3, count=4)}, "is shard 3/4 and .* is 1/3; expected one division"),
        ({"shard": Shard()}, "is a scan of a whole corpus; expected one that was made with --shard I/N"),
    ],
)
def test_scans_that_do_not_go_together(corpus, shards, tmp_path, changes, words):
    scan(plan(corpus, tmp_path / "3", **({"shard": Shard(index=3, count=3)} | changes)))
    with pytest.raises(ScanError, match=words):
        merge_scans(tmp_path / "out", [shards / "1", shards / "2", tmp_path / "3"])


def test_a_shard_of_another_state_of_the_corpus(corpus, shards, tmp_path):
    shutil.copytree(corpus, tmp_path / "corpus")
    (tmp_path / "corpus" / "zzz.txt").touch()
    scan(plan(tmp_path / "corpus", tmp_path / "3", shard=Shard(index=3, count=3)))
    with pytest.raises(ScanError, match=r"was made of 61 entries and .* of 60, .* the corpus was changed"):
        merge_scans(tmp_path / "out", [shards / "1", shards / "2", tmp_path / "3"])


def test_a_shard_that_is_not_finished_or_is_no_scan(corpus, shards, tmp_path):
    scan(plan(corpus, tmp_path / "3", shard=Shard(index=3, count=3)), **stop_after(4))
    with pytest.raises(ScanError, match="3': the scan of shard 3/3 has not come to its end; resume it first"):
        merge_scans(tmp_path / "out", [shards / "1", shards / "2", tmp_path / "3"])
    with pytest.raises(ScanError, match=r"expected the folder of a scan, with its journal\.jsonl"):
        merge_scans(tmp_path / "out", [shards / "1", tmp_path])
    with pytest.raises(ParameterError, match="got none"):
        merge_scans(tmp_path / "out", [])


def test_rows_of_a_shard_that_were_changed(shards, tmp_path):
    shutil.copytree(shards / "3", tmp_path / "3")
    data = (tmp_path / "3" / "items.jsonl").read_bytes()
    (tmp_path / "3" / "items.jsonl").write_bytes(data.replace(b".wav", b".wow", 1))
    with pytest.raises(ScanError, match=r"3/items\.jsonl: bytes [\d,]+ to .* are not those that the scan has written"):
        merge_scans(tmp_path / "out", [shards / "1", shards / "2", tmp_path / "3"])


def test_merge_on_the_command_line(whole, shards, tmp_path):
    process = run_earmark("merge", tmp_path / "out", shards / "1", shards / "2", shards / "3")
    assert process.returncode == 4, process.stderr  # two of the files are bad
    assert "60 items" in process.stdout
    assert (tmp_path / "out" / "items.jsonl").read_bytes() == (whole / "items.jsonl").read_bytes()
    assert pyarrow.parquet.read_table(tmp_path / "out" / "items.parquet").num_rows == 60
    process = run_earmark("merge", tmp_path / "out", shards / "1", shards / "2", shards / "3")
    assert process.returncode == 2
    assert "is not empty" in process.stderr


# Parquet


def test_parquet_has_the_rows_and_the_columns(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "out")
    write_parquet(tmp_path / "out")
    items, matches = tmp_path / "out" / "items.parquet", tmp_path / "out" / "matches.parquet"
    for path, lines in ((items, "items.jsonl"), (matches, "matches.jsonl")):
        table = pyarrow.parquet.read_table(path)
        assert table.to_pylist() == rows(whole / lines)
        assert table.column_names == list(rows(whole / lines)[0])
    assert str(pyarrow.parquet.read_schema(matches).field("track_start_s").type) == "double"
    assert not list((tmp_path / "out").glob(".*"))


def test_parquet_of_many_rows_and_of_none(tmp_path):
    (tmp_path / "items.jsonl").write_bytes(row_to_json(ITEM) * 70_000)
    (tmp_path / "matches.jsonl").touch()
    write_parquet(tmp_path)
    items, matches = tmp_path / "items.parquet", tmp_path / "matches.parquet"
    assert pyarrow.parquet.ParquetFile(items).metadata.num_row_groups > 1
    assert pyarrow.parquet.read_table(items).num_rows == 70_000
    assert pyarrow.parquet.read_table(matches).num_rows == 0
    assert pyarrow.parquet.read_schema(matches).names == list(json.loads(row_to_json(match())))
    assert len(list(read_items(tmp_path))) == 70_000
    assert list(read_matches(tmp_path)) == []


def test_parquet_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "items.jsonl").touch()
    (tmp_path / "matches.jsonl").touch()
    (tmp_path / "items.parquet").mkdir()
    with pytest.raises(ReportError, match="cannot be written: Is a directory"):
        write_parquet(tmp_path)


# A configuration file


@pytest.fixture
def one_item(tmp_path):
    (tmp_path / "corpus").mkdir()
    soundfile.write(tmp_path / "corpus" / "one.wav", excerpt("chaos"), 16000)
    return tmp_path


def write_config(root, **more):
    values = {
        "corpus": str(root / "corpus"),
        "catalog": str(small_catalog()),
        "out": str(root / "out"),
        "registry": str(registry()),
        "licensee": "Acme AI",
        "use": "ai_training",
        "territory": "US",
        "effort": "fast",
        "jobs": 1,
        "min_seconds": 1.5,
        "max-item-size": "1G",
        "fail-on": "unlicensed",
        "resume": True,
    } | more
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    (root / "scan.toml").write_text("\n".join([*lines, "as_of = 2026-11-01"]))
    return root / "scan.toml"


def test_a_scan_from_a_file_of_options(one_item):
    process = run_earmark("scan", "--config", write_config(one_item))
    assert process.returncode == 1, process.stderr  # as fail-on asks
    options = json.loads((one_item / "out" / "summary.json").read_text())["options"]
    assert options == {
        "reading": {},
        "effort": "fast",
        "max_e_value": 0.001,
        "min_seconds": 1.5,
        "max_item_bytes": 1 << 30,
        "licensee": "Acme AI",
        "use": "ai_training",
        "territory": "US",
        "as_of": "2026-11-01",
        "product": None,
        "sufficient_share": None,
        "keep_fingerprints": None,
        "rescan_of": None,
        "added_since": None,
        "shard": None,
    }
    assert run_earmark("scan", "--config", one_item / "scan.toml").returncode == 1  # resume = true


def test_the_command_line_goes_before_the_file(one_item):
    config = write_config(one_item)
    process = run_earmark(
        *("scan", one_item / "corpus", "--config", config, "--out", one_item / "other", "--territory", "DE"),
        *("--as-of", "2026-12-01", "--fail-on", "any", "--min-seconds", 0),
    )
    assert process.returncode == 1, process.stderr
    options = json.loads((one_item / "other" / "summary.json").read_text())["options"]
    assert (options["territory"], options["as_of"], options["min_seconds"]) == ("DE", "2026-12-01", 0.0)
    assert options["licensee"] == "Acme AI"
    assert not (one_item / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('colour = "red"', "scan.toml: unknown key 'colour'; expected any of corpus, catalog, out, "),
        ("help = true", "unknown key 'help'"),
        ('config = "x.toml"', "unknown key 'config'"),
        ("jobs = 0", "scan.toml: jobs: 0 is not in the range x>=1"),
        ('jobs = "many"', "jobs: 'many' is not a valid integer"),
        ("jobs = true", "jobs: expected a value, got True"),
        ('resume = "yes"', "resume: expected true or false, got 'yes'"),
        ("as-of = 2026-11-01T10:00:00", "as-of: .* is no day"),
        ('shard = "5/4"', "shard: shard must be I/N"),
        ('memory_per_item = "lots"', "memory_per_item: 'lots' is no size"),
        ("jobs = ", "scan.toml: Invalid value"),
    ],
)
def test_a_bad_file_of_options_is_named_with_its_key(tmp_path, text, words):
    (tmp_path / "scan.toml").write_text(text)
    result = invoke("scan", "--config", tmp_path / "scan.toml")
    assert result.exit_code == 2
    assert re.search(words, result.stderr), result.stderr


def test_a_file_of_options_that_is_not_there(tmp_path):
    result = invoke("scan", "--config", tmp_path / "none.toml")
    assert result.exit_code == 2
    assert "none.toml: No such file or directory" in result.stderr


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("1", 1), ("512M", 512 << 20), ("1.5g", 3 << 29), ("2GiB", 2 << 30), ("64 KB", 64 << 10), (123, 123)],
)
def test_sizes(text, n_bytes):
    assert Size().convert(text, None, None) == n_bytes


# A log for machines


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_log_of_json_lines(one_item):
    process = run_earmark("--log-format", "json", "scan", "--config", write_config(one_item, catalog="no-such-catalog"))
    assert process.returncode == 2
    (line,) = objects(process.stderr)
    assert line["level"] == "error"
    assert "no-such-catalog" in line["message"]
    assert line["time"].endswith("Z")


@pytest.mark.parametrize("arguments", [["scan"], ["scan", "x", "--jobs", "0"], ["sing"]])
def test_wrong_usage_is_json_too(arguments):
    result = invoke("--log-format", "json", *arguments)
    assert result.exit_code == 2
    (line,) = objects(result.stderr)
    assert line["level"] == "error"


def test_warnings_about_items_are_json_too(tmp_path):
    (tmp_path / "corpus").mkdir()
    write_hours_of_silence(tmp_path / "corpus" / "long\n.wav", hours=8)
    process = run_earmark(
        *("--log-format", "json", "scan", tmp_path / "corpus", "--catalog", small_catalog()),
        *("--out", tmp_path / "out", "--jobs", 1, "--timeout-per-item", 0.5),
    )
    assert process.returncode == 3
    assert [line["message"] for line in objects(process.stderr)] == ["item 'long\\n.wav': took longer than 0.5 s"]


# SIGTERM, as a batch system sends it


def test_sigterm_exits_with_4_and_the_job_can_be_started_again(tmp_path):
    root = make_corpus(tmp_path / "corpus")
    write_hours_of_silence(root / "0-long.wav", hours=1)
    command = earmark_command(
        *("scan", root, "--catalog", small_catalog(), "--out", tmp_path / "out", "--jobs", 1, "--resume"),
        *("--registry", registry(), *LICENSE, "--effort", "fast"),
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    items = tmp_path / "out" / "items.jsonl"
    wait_until(lambda: process.poll() is not None or (items.exists() and items.stat().st_size))
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 4, stderr
    assert "stopped by SIGTERM" in stdout
    assert not (tmp_path / "out" / "items.parquet").exists()
    again = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert again.returncode == 4  # two of the files are bad
    assert len(rows(items)) == 61
    assert pyarrow.parquet.read_table(tmp_path / "out" / "items.parquet").num_rows == 61


def test_limits_are_said_in_bytes():
    assert Limits().max_bytes == Size().convert("64G", None, None)


def test_a_part_of_a_corpus_cannot_be_cleaned(tmp_path):
    result = invoke(
        *(
            "scan",
            tmp_path,
            "--catalog",
            "c",
            "--out",
            tmp_path / "out",
            "--shard",
            "1/2",
            "--clean",
            tmp_path / "clean",
        )
    )
    assert result.exit_code == 2
    assert "--clean needs all of the corpus" in result.stderr
