"""Corpora in buckets: s3fs against a real server on loopback, which also breaks off, and refuses."""

import hashlib
import io
import json
import random
import re
import subprocess
import sys
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from .s3_server import BreakingProxy, environment, request, s3_server, web_server
from .small_catalog import earmark_command, excerpt, items_of, small_catalog
from .stopped_scan import bytes_written, check_same, scan_until_killed

AUDIO_STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# Lists a corpus, reads all of it, and prints id -> digest or words.
READ = """
import hashlib, json, logging, sys
from earmark.corpus import *
from earmark.errors import EarmarkError
found = {}
with ItemReader() as reader:
    for entry in list_corpus(sys.argv[1], CorpusOptions(allow_http="--allow-http" in sys.argv)):
        if isinstance(entry, Item):
            try:
                with reader.open(entry) as file:
                    found[entry.id] = reader.sha256(entry, file)
            except (OSError, EarmarkError) as error:
                found[entry.id] = getattr(error, "strerror", None) or str(error)
        else:
            found[entry.id] = entry.reason if isinstance(entry, Skipped) else entry.error
print(json.dumps(found))
"""


def songs():
    """Name -> bytes: three pieces of music, and noise of 3 MB that is no audio inside."""
    made = {}
    for name, track in (("a/chaos.flac", "chaos"), ("b.flac", "azum"), ("c/gewalt.flac", "die-gewalt")):
        out = io.BytesIO()
        soundfile.write(out, excerpt(track, 8.0, 6.0), 16000, format="FLAC")
        made[name] = out.getvalue()
    return made | {"z.wav": random.Random(1).randbytes(3_000_000)}


@pytest.fixture(scope="module")
def server():
    with s3_server() as endpoint:
        request(endpoint, "music", method="PUT")
        made = songs()
        for name, data in made.items():
            request(endpoint, f"music/plain/{name}", data, "PUT")
        tar, table = io.BytesIO(), io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            for name, data in made.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        audio = pa.array([{"bytes": data, "path": name} for name, data in made.items()], AUDIO_STRUCT)
        pq.write_table(pa.table({"audio": audio}), table, row_group_size=2)
        lines = "".join(
            json.dumps({"audio_filepath": f"../plain/{name}", "offset": 1, "duration": 4}) + "\n" for name in made
        )
        for name, data in {
            "shards/s-0.tar": tar.getvalue(),
            "tables/t.parquet": table.getvalue(),
            "lists/m.jsonl": lines.encode(),
            "plain/notes.txt": b"words",
        }.items():
            request(endpoint, f"music/{name}", data, "PUT")
        yield endpoint


@pytest.fixture(scope="module")
def digests():
    return {name: hashlib.sha256(data).hexdigest() for name, data in songs().items()}


def read(location, endpoint, *flags, **changes):
    command = [sys.executable, "-c", READ, location, *flags]
    environ = environment(endpoint, **changes)
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


def found(location, endpoint, *flags):
    run = read(location, endpoint, *flags)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_a_bucket_as_a_folder(server, digests):
    expected = digests | {"notes.txt": "no audio by name; files elsewhere are not looked into"}
    assert found("s3://music/plain", server) == expected
    assert list(found("s3://music/plain/", server)) == sorted(expected)
    everything = found("s3://music", server)
    assert {f"plain/{name}" for name in expected} < set(everything)
    assert {f"shards/s-0.tar/{name}" for name in digests} < set(everything)


def test_web_addresses_are_opened_only_if_asked_for(digests, tmp_path):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        info = tarfile.TarInfo("b.flac")
        info.size = len(songs()["b.flac"])
        archive.addfile(info, io.BytesIO(songs()["b.flac"]))
    with web_server(songs() | {"s.tar": tar.getvalue()}) as address:
        urls = [f"{address}/{name}" for name in digests]
        (tmp_path / "m.jsonl").write_text("".join(json.dumps({"audio_filepath": url}) + "\n" for url in urls))
        refused = found(tmp_path / "m.jsonl", "")
        assert refused == dict.fromkeys(urls, "web addresses are not opened unless --allow-http is given")
        assert found(tmp_path / "m.jsonl", "", "--allow-http") == dict(zip(urls, digests.values(), strict=True))
        assert "web addresses are not opened" in read(f"{address}/s.tar", "").stderr
        assert found(f"{address}/s.tar", "", "--allow-http") == {"s.tar/b.flac": digests["b.flac"]}


def test_keys_that_are_no_paths_are_told(server, digests):
    import boto3

    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=server, **keys)
    client.create_bucket(Bucket="odd")
    for key in ("a/../../up.flac", "a/./b.flac", "a//c.flac", "a/", "a/d.flac", "e%/é.flac"):
        client.put_object(Bucket="odd", Key=key, Body=b"" if key == "a/" else b"fLaC")
    got = found("s3://odd", server)
    words = "a folder or file called '', '.' or '..', which is not followed"
    flac = hashlib.sha256(b"fLaC").hexdigest()
    assert got == {"a/": words, "a/.": words, "a/..": words, "a/d.flac": flac, "e%25/é.flac": flac}


def test_one_file_and_a_pattern(server, digests):
    assert found("s3://music/plain/b.flac", server) == {"b.flac": digests["b.flac"]}
    got = found("s3://music/shards/s-{0..1}.tar", server)
    missing = got.pop("s-1.tar")
    assert missing == "s3://music/shards/s-1.tar: there is no such file, folder or bucket"
    assert got == {f"s-0.tar/{name}": digest for name, digest in digests.items()}


def test_tables_and_manifests(server, digests):
    rows = {f"t.parquet#{row}/{name}": digest for row, (name, digest) in enumerate(digests.items())}
    assert found("s3://music/tables/t.parquet", server) == rows
    cuts = {f"../plain/{name}#1-5": digest for name, digest in digests.items()}
    assert found("s3://music/lists/m.jsonl", server) == cuts


@pytest.mark.parametrize("location", ["s3://music/plain", "s3://music/shards/s-0.tar", "s3://music/tables/t.parquet"])
def test_dropped_connections_are_taken_up_again(server, digests, location):
    with BreakingProxy(server, after_bytes=200_000, n_breaks=4) as proxy:
        got = found(location, proxy.endpoint)
        assert proxy.n_broken == 4
        # Each byte about once: what broke off is asked for again from where it was, or from the start of a block.
        total = sum(len(data) for data in songs().values())
        assert total < proxy.n_bytes < 2.5 * total
    assert sorted(set(got.values()) & set(digests.values())) == sorted(digests.values())


def test_a_server_that_stays_away_is_told(digests):
    run = read("s3://music/plain", "http://127.0.0.1:9")
    assert run.returncode != 0
    assert "the server cannot be reached; check the network and AWS_ENDPOINT_URL" in run.stderr


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            "no credentials were found; set AWS_ACCESS_KEY_ID",
        ),
        ({"AWS_PROFILE": "nobody"}, "AWS_PROFILE"),
    ],
)
def test_missing_credentials_are_told(server, changes, words):
    run = read("s3://music/plain", server, **changes)
    assert run.returncode != 0
    assert words in run.stderr


def test_refused_credentials_and_missing_buckets_are_told(server):
    request(server, "moto-api/reset-auth", b"0", "POST")
    try:
        run = read("s3://music/plain", server)
    finally:
        request(server, "moto-api/reset-auth", b"inf", "POST")
    assert "access is denied" in run.stderr
    assert "check the credentials" in run.stderr
    run = read("s3://nowhere/x", server)
    assert "s3://nowhere/x: there is no such file, folder or bucket" in run.stderr


def test_a_scan_of_a_bucket_is_that_of_the_folder(server, tmp_path):
    """The whole way, through a server that breaks off: the same matches, item by item."""
    corpus = tmp_path / "plain"
    for name, data in songs().items():
        path = corpus / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    scans = {}
    with BreakingProxy(server, after_bytes=300_000, n_breaks=3) as proxy:
        for name, place in (
            ("local", str(corpus)),
            ("bucket", "s3://music/plain"),
            ("tar", "s3://music/shards/s-0.tar"),
        ):
            out = tmp_path / name
            command = earmark_command("scan", place, "--catalog", small_catalog(), "--out", out, "--jobs", "1")
            run = subprocess.run(
                command, env=environment(proxy.endpoint), capture_output=True, text=True, timeout=240, check=False
            )
            assert run.returncode == 4, run.stderr  # z.wav is noise
            rows = items_of(out)
            scans[name] = {row.removeprefix("s-0.tar/"): rows[row] | {"item": ""} for row in rows}
    assert scans["bucket"].pop("notes.txt")["status"] == "skipped"
    assert scans["bucket"] == scans["local"]
    assert scans["tar"] == scans["local"]
    assert {row["status"] for row in scans["local"].values()} == {"review", "error"}


def scan_arguments(place, out):
    return [place, "--catalog", small_catalog(), "--out", out, "--resume", "--effort", "fast"]


def run_scan(place, out, endpoint, *options):
    command = earmark_command("scan", *scan_arguments(place, out), *options)
    environ = environment(endpoint)
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=600, check=False)


def test_killed_and_resumed_while_the_server_breaks_off(server, tmp_path):
    """Folders, a tar and a table of a bucket: the same bytes as of a scan that nothing befell."""
    assert run_scan("s3://music", tmp_path / "whole", server).returncode == 4  # z.wav is noise
    total = bytes_written(tmp_path / "whole")
    with BreakingProxy(server, after_bytes=250_000, n_breaks=8) as proxy:
        for share in (0.4, 0.4):
            arguments, environ = scan_arguments("s3://music", tmp_path / "out"), environment(proxy.endpoint)
            assert not scan_until_killed(int(share * total), *arguments, env=environ)
        n_done = (tmp_path / "out" / "items.jsonl").read_bytes().count(b"\n")
        assert 0 < n_done < (tmp_path / "whole" / "items.jsonl").read_bytes().count(b"\n")
        assert run_scan("s3://music", tmp_path / "out", proxy.endpoint, "--jobs", "2").returncode == 4
        assert proxy.n_broken == 8
    check_same(tmp_path / "out", tmp_path / "whole")


def test_an_object_that_was_replaced_is_noticed_by_its_etag(server, tmp_path):
    """Of the same size, and not read again: a bucket says what its objects are."""
    data = songs()["b.flac"]
    for name in ("1.flac", "2.flac"):
        request(server, f"music/replaced/{name}", data, "PUT")
    assert run_scan("s3://music/replaced", tmp_path / "out", server).returncode == 0
    assert run_scan("s3://music/replaced", tmp_path / "out", server).returncode == 0
    request(server, "music/replaced/2.flac", data[:-9] + b"other end", "PUT")
    refused = run_scan("s3://music/replaced", tmp_path / "out", server)
    assert refused.returncode == 2
    words = r"'2\.flac' had the ETag [0-9a-f]{32} and has [0-9a-f]{32}; scan into a new folder"
    assert re.search(words, " ".join(refused.stderr.split())), refused.stderr


@pytest.mark.long
def test_a_server_that_goes_away_stops_the_scan_and_loses_nothing(tmp_path):
    """Each item is tried for a minute, and after some in a row that cannot be had the rest is left to a resume."""
    data = songs()["b.flac"]
    with s3_server() as endpoint, BreakingProxy(endpoint, after_bytes=1 << 30, n_breaks=0) as proxy:
        request(endpoint, "music", method="PUT")
        for n in range(6):
            request(endpoint, f"music/{n}.flac", data, "PUT")
        assert run_scan("s3://music", tmp_path / "whole", endpoint).returncode == 0
        proxy.away_after = 2.5 * len(data)
        stopped = run_scan("s3://music", tmp_path / "out", proxy.endpoint, "--jobs", "1")
        assert stopped.returncode == 4, stopped.stderr
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        assert summary["stopped_by"] == "a server that cannot be reached"
        assert list(items_of(tmp_path / "out")) == ["0.flac", "1.flac"]
        proxy.away_after = None
        resumed = run_scan("s3://music", tmp_path / "out", proxy.endpoint, "--jobs", "2")
        assert resumed.returncode == 0, resumed.stderr
    check_same(tmp_path / "out", tmp_path / "whole")
