"""Corpora in buckets: s3fs against a real server on loopback, which also breaks off, and refuses."""

import hashlib
import io
import json
import random
import subprocess
import sys
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from .s3_server import BreakingProxy, environment, request, s3_server
from .small_catalog import earmark_command, excerpt, items_of, small_catalog

AUDIO_STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# Lists a corpus, reads all of it, and prints id -> digest or words.
READ = """
import hashlib, json, logging, sys
from earmark.corpus import *
from earmark.errors import EarmarkError
found = {}
with ItemReader() as reader:
    for entry in list_corpus(sys.argv[1]):
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


def read(location, endpoint, **changes):
    command = [sys.executable, "-c", READ, location]
    environ = environment(endpoint, **changes)
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


def found(location, endpoint):
    run = read(location, endpoint)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_a_bucket_as_a_folder(server, digests):
    expected = digests | {"notes.txt": "no audio by name; files elsewhere are not looked into"}
    assert found("s3://music/plain", server) == expected
    assert list(found("s3://music/plain/", server)) == sorted(expected)
    everything = found("s3://music", server)
    assert {f"plain/{name}" for name in expected} < set(everything)
    assert {f"shards/s-0.tar/{name}" for name in digests} < set(everything)


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
