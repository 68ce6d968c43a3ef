"""Catalogs behind URLs: copied to this machine once, checked, and mapped from there."""

import hashlib
import multiprocessing
import os
import shutil

import pytest
import soundfile

from earmark.catalog import open_catalog
from earmark.errors import CatalogDamagedError, CatalogError, ScanError
from earmark.fingerprint import load_model
from earmark.scan import ScanPlan, scan
from earmark.scan.catalog_copy import default_cache, local_catalog

from .small_catalog import excerpt, items_of, run_earmark, small_catalog


@pytest.fixture
def remote(tmp_path):
    """A copy of the catalog, to be reached by URL, and damaged at will."""
    return shutil.copytree(small_catalog(), tmp_path / "remote")


def url(path):
    return f"file://{path}"


def test_a_path_is_where_the_catalog_is(tmp_path):
    assert local_catalog(small_catalog(), cache=tmp_path / "cache") == small_catalog()
    assert not (tmp_path / "cache").exists()


def test_a_url_is_copied_once_and_goes_by_its_digest(remote, tmp_path):
    first = local_catalog(url(remote), cache=tmp_path / "cache")
    digest = hashlib.sha256((remote / "manifest.json").read_bytes()).hexdigest()
    assert first == tmp_path / "cache" / digest
    assert open_catalog(first, load_model()).digest == digest
    files = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    assert all((first / path).read_bytes() == (remote / path).read_bytes() for path in files)
    before = first.stat().st_ino
    shutil.rmtree(remote)  # who knows the digest needs the source no more
    assert local_catalog(url(remote), cache=tmp_path / "cache", digest=digest) == first
    assert first.stat().st_ino == before


def copy_in_process(location, cache, answers):
    answers.put(local_catalog(location, cache=cache))


def test_many_at_once_make_one_copy(remote, tmp_path):
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    arguments = (url(remote), tmp_path / "cache", answers)
    processes = [context.Process(target=copy_in_process, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    folders = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(folders) == 1
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == ["", ".lock"]


@pytest.mark.parametrize("name", ["words.u64", "tracks.sqlite"])
def test_what_arrives_damaged_is_not_kept(remote, tmp_path, name):
    (path,) = remote.rglob(name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CatalogDamagedError, match=rf"{name}: damaged: .* arrived, the manifest says"):
        local_catalog(url(remote), cache=tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_file_that_is_missing_is_named(remote, tmp_path):
    (path,) = remote.rglob("words.u64")
    path.unlink()
    with pytest.raises(CatalogError, match=r"words\.u64: .*[Nn]o such file"):
        local_catalog(url(remote), cache=tmp_path / "cache")


def test_no_catalog_at_all(tmp_path):
    with pytest.raises(CatalogError, match=r"manifest\.json: .*[Nn]o such file"):
        local_catalog(url(tmp_path / "nothing"), cache=tmp_path / "cache")
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(CatalogError, match=f"^file://{tmp_path}/manifest.json: not the manifest of a catalog"):
        local_catalog(url(tmp_path), cache=tmp_path / "cache")


def test_another_state_than_the_one_that_is_wanted_is_refused(remote, tmp_path):
    with pytest.raises(ScanError, match="the catalog was changed during the scan"):
        local_catalog(url(remote), cache=tmp_path / "cache", digest="0" * 64)


def test_a_cache_that_others_can_write_to_is_refused(remote, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    with pytest.raises(ScanError, match="a folder that nobody but this user can write to"):
        local_catalog(url(remote), cache=tmp_path / "cache")
    assert default_cache().name.endswith(str(os.getuid()))


def test_a_full_scan_with_a_catalog_behind_a_url(remote, tmp_path):
    (tmp_path / "corpus").mkdir()
    soundfile.write(tmp_path / "corpus" / "a.wav", excerpt("chaos"), 16000)
    options = ["--catalog", url(remote), "--catalog-cache", tmp_path / "cache", "--effort", "fast", "--jobs", "1"]
    process = run_earmark("scan", tmp_path / "corpus", "--out", tmp_path / "out", *options)
    assert process.returncode == 0, process.stderr
    assert items_of(tmp_path / "out")["a.wav"]["status"] == "review"
    changes = {"catalog": url(remote), "catalog_cache": tmp_path / "cache", "effort": "fast", "jobs": 1}
    summary = scan(ScanPlan(corpus=tmp_path / "corpus", out=tmp_path / "out", resume=True, **changes))
    assert summary.catalog["path"] == url(remote)
