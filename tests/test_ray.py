"""Scans on a real Ray cluster of two nodes on this machine, of which processes and one node are lost."""

import contextlib
import logging
import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import soundfile

from earmark.errors import ScanError
from earmark.ray import match_rows, scan_dataset
from earmark.report import read_items, read_matches
from earmark.scan import Limits, ScanPlan, Stop, scan
from earmark.scan.kept import FINGERPRINTS_FILE
from earmark.scan.ray_listener import NodeSetup, RayListener, signature
from earmark.scan.worker import WorkerSetup

from .small_catalog import excerpt, items_of, registry, small_catalog
from .test_catalog_shards import SHARDS, catalog_of
from .test_scan import USE, write_hours_of_silence

ray = pytest.importorskip("ray")

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]  # of Ray's own there are many

ROW_FILES = ("items.jsonl", "matches.jsonl", FINGERPRINTS_FILE)


@contextlib.contextmanager
def cluster_of_two_nodes():
    """A head node and a second one, each with one processor; no program is connected."""
    from ray.cluster_utils import Cluster

    options = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=options)
    try:
        yield cluster, cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def nodes():
    """The cluster; its second node is gone when the test that removes it has run, which comes last."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # no token is to be left in the home of whoever tests
        patch.setenv("RAY_worker_niceness", "0")  # Ray's own is 15: beside other work, actors would not come to start
        with cluster_of_two_nodes() as both:
            yield both


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    for n in range(4):
        for track_id in ("chaos", "azum", "die-gewalt"):
            soundfile.write(root / f"{n}-{track_id}.flac", excerpt(track_id, 8.0 + n), 16000)
    (root / "5-broken.flac").write_bytes(b"fLaC, or so it says")
    (root / "notes.txt").write_text("no audio")
    return root


def plan(corpus, out, **changes):
    options = {"catalog": small_catalog(), "registry": registry(), "use": USE, "jobs": 2, "effort": "fast"}
    return ScanPlan(corpus=corpus, out=out, keep_fingerprints=True, **(options | changes))


@pytest.fixture(scope="module")
def reference(corpus, tmp_path_factory):
    """What processes of this machine write."""
    out = tmp_path_factory.mktemp("local")
    scan(plan(corpus, out))
    return out


def check_same(out, reference):
    for name in ROW_FILES:
        assert (out / name).read_bytes() == (reference / name).read_bytes()


def actors():
    """Process ids of the actors that listen."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().startswith(b"ray::RayListener"):
                found.append(int(path.parent.name))
    return sorted(found)


def workers_that_read(path):
    """Process ids, of whoever's children, that have a file open."""
    found = []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):
            if path in [each.readlink() for each in folder.iterdir()]:
                found.append(int(folder.parent.name))
    return found


def wait_until_none_is_left(deadline_s=60.0):
    end = time.monotonic() + deadline_s
    while actors() and time.monotonic() < end:
        time.sleep(0.2)
    assert actors() == []


def test_rows_are_those_of_a_local_scan_when_it_is_stopped_and_resumed_and_an_actor_is_killed(
    nodes, corpus, reference, tmp_path, caplog
):
    cluster, _ = nodes
    on_ray = {"engine": "ray", "address": cluster.address}
    stop, killed = Stop(), []

    def kill(row, size_bytes):
        if not killed:
            killed.append(actors()[0])
            os.kill(killed[0], signal.SIGKILL)

    summary = scan(plan(corpus, tmp_path / "out", **on_ray), stop=stop, on_item=lambda *_: stop.ask("test"))
    assert not summary.complete
    wait_until_none_is_left()
    with caplog.at_level(logging.WARNING):
        summary = scan(plan(corpus, tmp_path / "out", resume=True, **on_ray), on_item=kill)
    assert summary.complete
    assert "a Ray worker was lost" in caplog.text
    assert summary.options == scan(plan(corpus, reference, resume=True)).options
    check_same(tmp_path / "out", reference)
    wait_until_none_is_left()


def test_what_an_item_does_to_its_worker_costs_that_item(nodes, tmp_path, caplog):
    cluster, _ = nodes
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    soundfile.write(corpus / "a.wav", excerpt("chaos"), 16000)
    write_hours_of_silence(corpus / "b-victim.wav", hours=24)
    soundfile.write(corpus / "c.wav", excerpt("die-gewalt"), 16000)
    hit = []

    def strike():
        end = time.monotonic() + 240
        while not hit and time.monotonic() < end:
            hit.extend(workers_that_read(corpus / "b-victim.wav"))
            time.sleep(0.01)
        os.kill(hit[0], signal.SIGSEGV)

    striker = threading.Thread(target=strike)
    striker.start()
    scan(plan(corpus, tmp_path / "out", engine="ray", address=cluster.address))
    striker.join()
    items = items_of(tmp_path / "out")
    assert items["b-victim.wav"]["error"] == "the worker process was ended by SIGSEGV"
    assert [items[name]["status"] for name in ("a.wav", "c.wav")] == ["unlicensed", "licensed"]
    assert "item 'b-victim.wav': the worker process was ended by SIGSEGV" in caplog.text


def test_shards_of_a_catalog_are_heard_by_groups_of_actors(nodes, corpus, reference, tmp_path):
    cluster, _ = nodes
    shards = tuple(catalog_of(track_ids, tmp_path / "-".join(track_ids)) for track_ids in SHARDS)
    urls = tuple(f"file://{path}" for path in shards)
    changes = {"catalog": urls, "catalog_cache": tmp_path / "cache"}
    scan(plan(corpus, tmp_path / "out", engine="ray", address=cluster.address, **changes))
    check_same(tmp_path / "out", reference)
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 2


def test_a_ray_dataset_is_scanned_as_it_streams_by(nodes, corpus, reference):
    cluster, _ = nodes
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        files = ray.data.read_binary_files(str(corpus), include_paths=True, file_extensions=["flac"])
        options = {"catalog": small_catalog(), "registry": registry(), "use": USE, "effort": "fast"}
        scanned = scan_dataset(files, audio_column="bytes", concurrency=1, **options).materialize()
        rows = {Path(row["item"]).name: row for row in scanned.take_all()}
        matches = match_rows(scanned).take_all()
    finally:
        ray.shutdown()
    expected = {row.item: row for row in read_items(reference) if row.item != "notes.txt"}
    assert rows.keys() == expected.keys()
    for name, row in expected.items():
        for column in ("sha256", "duration_s", "scanned_s", "status", "matched_s", "matches", "error"):
            assert rows[name][column] == getattr(row, column)
    assert sorted((Path(row["item"]).name, row["track_id"], row["status"], row["reason"]) for row in matches) == sorted(
        (row.item, row.track_id, row.status, row.reason) for row in read_matches(reference)
    )
    assert sum(len(row["found"]) for row in rows.values()) == len(matches)


def test_a_node_with_another_version_is_refused(nodes, corpus, tmp_path, monkeypatch):
    cluster, _ = nodes
    monkeypatch.setattr("earmark.scan.ray_crew.signature", lambda: {**signature(), "Earmark": "9.9"})
    with pytest.raises(ScanError, match=r"Earmark is .* on the node .*, and 9\.9 here; every node needs the same one"):
        scan(plan(corpus, tmp_path / "out", engine="ray", address=cluster.address))


def test_a_node_that_is_lost_costs_nothing(nodes, tmp_path, caplog):
    """The last of the tests with this cluster."""
    cluster, second = nodes
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    soundfile.write(corpus / "a.wav", excerpt("chaos"), 16000)
    soundfile.write(corpus / "z.wav", excerpt("azum"), 16000)
    long = [corpus / f"long-{n}.wav" for n in range(3)]
    for path in long:
        write_hours_of_silence(path, hours=1)
    scan(plan(corpus, tmp_path / "local"))
    removed = threading.Event()

    def remove():
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if len({pid for path in long for pid in workers_that_read(path)}) == 2:  # on each node one of them
                cluster.remove_node(second, allow_graceful=False)
                removed.set()
                return
            time.sleep(0.01)

    remover = threading.Thread(target=remove)
    remover.start()
    with caplog.at_level(logging.WARNING):
        summary = scan(plan(corpus, tmp_path / "out", engine="ray", address=cluster.address))
    remover.join()
    assert removed.is_set()
    assert summary.complete
    check_same(tmp_path / "out", tmp_path / "local")
    assert "a Ray worker was lost" in caplog.text


def test_a_cluster_that_is_not_there(corpus, tmp_path):
    with pytest.raises(ScanError, match=r"the Ray cluster '127\.0\.0\.1:9' cannot be used"):
        scan(plan(corpus, tmp_path / "out", engine="ray", address="127.0.0.1:9"))


def test_without_ray_it_is_told_what_to_install(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ScanError, match=r"pip install 'earmark\[ray\]'"):
        scan(plan(corpus, tmp_path / "out", engine="ray"))


def test_a_catalog_that_a_node_does_not_see(tmp_path):
    worker = WorkerSetup(
        catalogs=(),
        digests=("0" * 64,),
        effort="fast",
        max_e_value=1e-3,
        min_seconds=0.0,
        memory_bytes=1 << 30,
        max_bytes=1 << 30,
    )
    setup = NodeSetup(worker=worker, locations=(str(tmp_path / "none"),), cache=None, limits=Limits())
    with pytest.raises(ScanError, match=r"no such folder on the node .*; put the catalog where every node sees it"):
        RayListener().start(pickle.dumps(setup))
