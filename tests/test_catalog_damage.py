"""Catalogs that are not as they were written, or not for us: a clear error, never a crash or a wrong answer."""

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pytest

from earmark.catalog import Layout, catalog_info, open_catalog, remove_tracks
from earmark.catalog.lists import LEVELS
from earmark.catalog.manifest import read_manifest, render_manifest
from earmark.errors import CatalogDamagedError, CatalogError, CatalogVersionError, ModelMismatchError

from .synthetic_catalog import MODEL, sketch, write_catalog

_FILES = ("vectors.lists", "vectors.table", "words.u64", "words.crc32", "tracks.sqlite")


def _use_all(path):
    """Read every byte of a catalog that a scan may read."""
    catalog = open_catalog(path, MODEL)
    answers = [catalog.search(np.full((2, 128), 7, np.int8), 5)]
    answers += [(catalog.track(i), catalog.words(i).tobytes()) for i in range(catalog.n_numbers)]
    catalog.close()
    return answers


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    rng = np.random.default_rng(3)
    tracks = [(f"t{i}", sketch(rng, 400)) for i in range(4)]
    path = tmp_path_factory.mktemp("damage") / "whole"
    write_catalog(path, [tracks[:3], tracks[3:]], Layout(exact_below=1000, probes={n: n for n in LEVELS}))
    remove_tracks(path, ["t1"])
    assert [one.index for one in catalog_info(path).segments] == ["128 lists, 128 searched", "exact scan"]
    return path


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


@pytest.mark.parametrize("name", ["manifest.json", *(f"segments/{s}/{f}" for s in ("0001", "0002") for f in _FILES)])
def test_a_flipped_byte_or_a_wrong_length_is_an_error(copy, name):
    rng = np.random.default_rng(5)
    path = copy / name
    good = path.read_bytes()
    _use_all(copy)
    offsets = {0, len(good) - 1, *rng.integers(0, len(good), 10).tolist()}
    for offset in sorted(offsets):
        bad = bytearray(good)
        bad[offset] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(bad)
        with pytest.raises(CatalogError, match=path.name) as caught:
            _use_all(copy)
        assert isinstance(caught.value, CatalogDamagedError | CatalogVersionError)
    for bad in (b"", good[:-1], good[: len(good) // 2], good + b"\0", good + good):
        path.write_bytes(bad)
        with pytest.raises(CatalogDamagedError, match=path.name):
            _use_all(copy)
    path.unlink()
    with pytest.raises(CatalogError, match=r"manifest|No such file"):
        _use_all(copy)
    path.write_bytes(good)
    _use_all(copy)


def test_words_are_checked_where_they_are_read(copy):
    path = copy / "segments/0001/words.u64"
    good = path.read_bytes()
    assert len(good) > 2 * 65536
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    catalog = open_catalog(copy, MODEL)
    assert catalog.words(0).tobytes() == good[: 8 * len(catalog.words(0))]
    with pytest.raises(CatalogDamagedError, match=r"words\.u64: damaged: block 2"):
        catalog.words(2)


def test_random_bytes_in_place_of_a_file(copy):
    rng = np.random.default_rng(9)
    for name in ("manifest.json", "segments/0001/tracks.sqlite", "segments/0001/vectors.lists"):
        good = (copy / name).read_bytes()
        (copy / name).write_bytes(rng.bytes(len(good)))
        with pytest.raises(CatalogDamagedError, match="damaged"):
            _use_all(copy)
        (copy / name).write_bytes(good)


def test_files_of_another_catalog_with_their_digests(copy):
    """Whoever writes the digests anew gets no further than to an error: the files must fit each other."""
    manifest, _ = read_manifest(copy)
    first, second = manifest.segments
    for name in _FILES:
        (copy / "segments/0001" / name).rename(copy / "saved")
        shutil.copy(copy / "segments/0002" / name, copy / "segments/0001" / name)
        swapped = dataclasses.replace(first, files={**first.files, name: second.files[name]})
        data = render_manifest(dataclasses.replace(manifest, segments=(swapped, second)))
        (copy / "manifest.json").write_bytes(data)
        with pytest.raises(CatalogDamagedError, match="damaged"):
            _use_all(copy)
        (copy / "saved").rename(copy / "segments/0001" / name)


def _rewrite(path, **changes):
    """Change entries of a manifest and make its checksum right again."""
    document = json.loads((path / "manifest.json").read_bytes())
    del document["sha256"]
    document.update(changes)
    body = json.dumps(document, indent=1).encode() + b"\n"
    document["sha256"] = hashlib.sha256(body).hexdigest()
    (path / "manifest.json").write_bytes(json.dumps(document, indent=1).encode() + b"\n")


def test_rewriting_a_manifest_as_it_is_changes_nothing(copy):
    before = (copy / "manifest.json").read_bytes()
    _rewrite(copy)
    assert (copy / "manifest.json").read_bytes() == before


def test_a_newer_version_is_refused_whatever_else_is_in_it(copy):
    (copy / "manifest.json").write_text('{"kind": "earmark-catalog", "version": 3, "unheard": "of"}')
    for use in (lambda: open_catalog(copy, MODEL), lambda: catalog_info(copy), lambda: remove_tracks(copy, ["t0"])):
        with pytest.raises(CatalogVersionError, match="format version 3; this version of Earmark reads 2"):
            use()


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"version": True},
        {"version": "1"},
        {"kind": "something else"},
        {"segments": [{}]},
        {"segments": 3},
        {"model_digest": "beef"},
        {"config_digest": None},
    ],
)
def test_a_manifest_that_makes_no_sense(copy, changes):
    _rewrite(copy, **changes)
    with pytest.raises(CatalogDamagedError, match=r"manifest\.json"):
        open_catalog(copy, MODEL)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../../elsewhere"),
        ("removed", [5]),
        ("removed", [1, 0]),
        ("removed", ["1"]),
        ("n_tracks", -1),
        ("n_tracks", 0),
        ("n_probes", 0),
        ("n_lists", 2),
        ("n_words", 2.5),
        ("files", {}),
    ],
)
def test_a_segment_entry_that_makes_no_sense(copy, field, value):
    segments = json.loads((copy / "manifest.json").read_bytes())["segments"]
    segments[0][field] = value
    _rewrite(copy, segments=segments)
    with pytest.raises(CatalogDamagedError, match=r"manifest\.json: damaged"):
        open_catalog(copy, MODEL)


def test_another_model_is_named(copy):
    other = dataclasses.replace(MODEL, offset=MODEL.offset + 1)
    with pytest.raises(ModelMismatchError, match=f"{MODEL.digest}.*{other.digest}"):
        open_catalog(copy, other)


@pytest.mark.parametrize("kind", ["nothing", "file", "empty directory"])
def test_no_catalog_there(tmp_path, kind):
    path = tmp_path / "c"
    if kind == "file":
        path.write_text("hello")
    elif kind == "empty directory":
        path.mkdir()
    for use in (lambda: open_catalog(path, MODEL), lambda: catalog_info(path), lambda: remove_tracks(path, ["a"])):
        with pytest.raises(CatalogError, match="no catalog"):
            use()
    assert not path.is_dir() or not list(path.iterdir())


def test_a_path_that_is_no_text(tmp_path):
    with pytest.raises(CatalogError, match="must be valid UTF-8"):
        open_catalog(tmp_path / "\udcff", MODEL)


def test_a_path_with_every_special_character(whole, tmp_path):
    path = shutil.copytree(whole, tmp_path / "50% of #1? a\nb 'c' é")
    for one, other in zip(_use_all(whole)[1:], _use_all(path)[1:], strict=True):
        assert one == other
