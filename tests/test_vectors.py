"""The index of a segment: its blocks against FAISS's own, its codes read back, its lists whatever the segmentation."""

import dataclasses
import hashlib
import json

import faiss
import numpy as np
import pytest

import earmark.catalog.lists as lists_module
import earmark.catalog.segment as segment_module
from earmark.catalog import Layout, compact_catalog, open_catalog, remove_tracks
from earmark.catalog.code_blocks import pack_blocks, unpack_blocks
from earmark.catalog.lists import LEVELS, Lists, decode, load_lists, newest_lists, read_lists
from earmark.catalog.manifest import FIRST_LISTS, read_manifest
from earmark.catalog.storage import replace_manifest
from earmark.catalog.vector_writer import VectorWriter
from earmark.catalog.vectors import open_vector_index
from earmark.errors import CatalogDamagedError, CatalogError, CatalogVersionError

from .synthetic_catalog import MODEL, quantized, sketch, unit_patches, write_catalog


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_blocks_are_those_of_faiss(rng):
    index = faiss.IndexIVFPQFastScan(faiss.IndexFlatIP(128), 128, 1, 32, 4, faiss.METRIC_INNER_PRODUCT)
    packer = index.get_CodePacker()
    codes = rng.integers(0, 256, (96, 16), dtype=np.uint8)
    wanted = np.zeros((3, packer.block_size), np.uint8)
    for i in range(3):
        packer.pack_all(faiss.swig_ptr(codes[32 * i : 32 * (i + 1)]), faiss.swig_ptr(wanted[i]))
    assert (pack_blocks(codes).reshape(3, -1) == wanted).all()
    assert (unpack_blocks(pack_blocks(codes)) == codes).all()


def _written(directory, parts, layout=None):
    directory.mkdir()
    writer = VectorWriter(directory, MODEL)
    for part in parts:
        writer.append(part)
    n_vectors, n_lists = writer.finish(layout or Layout())
    return open_vector_index(
        directory,
        MODEL,
        n_patches=writer.n_patches,
        n_vectors=n_vectors,
        n_lists=n_lists,
        n_probes=n_lists,
        lists=newest_lists(MODEL),
    )


def _files(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("layout", [Layout(), Layout(exact_below=10, vectors_per_list=1)], ids=["one", "many"])
def test_codes_come_back_and_give_the_same_index(tmp_path, rng, layout):
    patches = unit_patches(rng, 700)
    patches[[0, 5, 300, 699]] = 0
    index = _written(tmp_path / "a", [patches[:1], patches[1:400], patches[400:]], layout)
    codes, spoken = index.codes()
    assert (spoken == patches.any(axis=1)).all()
    assert np.abs(decode(codes[spoken], MODEL) - quantized(patches[spoken])).max() < 1e-6
    (tmp_path / "b").mkdir()
    writer = VectorWriter(tmp_path / "b", MODEL)
    writer.append_codes(codes[:300], spoken[:300])
    writer.append_codes(codes[300:], spoken[300:])
    writer.finish(layout)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")


def test_how_patches_come_does_not_change_a_byte(tmp_path, rng):
    patches = unit_patches(rng, 500)
    layout = Layout(exact_below=100)
    _written(tmp_path / "whole", [patches], layout)
    _written(tmp_path / "parts", list(patches[:, None]), layout)
    assert _files(tmp_path / "whole") == _files(tmp_path / "parts")


def test_levels_are_nested(rng):
    lists = load_lists(MODEL)
    codes = rng.integers(0, 256, (300, 16), dtype=np.uint8)
    finest = lists.assign(codes, LEVELS[-1]).astype(int)
    for n_lists in LEVELS:
        assert (lists.assign(codes, n_lists) == finest // (LEVELS[-1] // n_lists)).all()


def _near_centres(rng, n, noise):
    """Return unit vectors that lie about the centres of the finest lists, as those of music do."""
    centres = load_lists(MODEL)._fine
    vectors = centres[rng.integers(0, len(centres), n)] + rng.normal(0, noise / np.sqrt(128), (n, 128))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_a_code_lies_in_the_nearest_list_or_near_it(rng):
    """Slow twin: the centres of all the finest lists."""
    lists = load_lists(MODEL)
    quantizer = faiss.ProductQuantizer(128, 32, 4)
    faiss.copy_array_to_vector(np.ascontiguousarray(MODEL.centroids).ravel(), quantizer.centroids)
    codes = quantizer.compute_codes(_near_centres(rng, 300, 0.7))
    products = decode(codes, MODEL) @ lists._fine.T
    here = products[np.arange(len(codes)), lists.assign(codes, LEVELS[-1])]
    assert (here > products.max(axis=1) - 1e-5).mean() > 0.8
    assert (here > products.max(axis=1) - 0.1).mean() > 0.95


@pytest.mark.parametrize("n_lists", LEVELS[1:])
def test_the_nearest_lists_are_found(rng, n_lists):
    """Slow twin: all centres, whose codes FAISS compares in 8 bits."""
    lists = load_lists(MODEL)
    vectors = _near_centres(rng, 100, 0.7)
    numbers, products = lists.nearest(vectors, n_lists, 10)
    assert (np.diff(products, axis=1) <= 0).all()
    centres = lists._fine.reshape(n_lists, -1, 128).mean(axis=1)
    true = vectors @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T
    best = np.argsort(-true, axis=1)[:, :3]
    assert np.mean([len(set(a) & set(b)) for a, b in zip(best, numbers, strict=True)]) / 3 > (
        0.8 if n_lists == 8192 else 0.95
    )
    every, _ = lists.nearest(vectors, n_lists, n_lists)
    assert (every == np.arange(n_lists)).all()


def test_the_lists_are_those_of_the_model():
    assert isinstance(load_lists(MODEL), Lists)
    for data in (b"", b"PK\3\4", b"\x93NUMPY\1\0"):
        with pytest.raises(CatalogError, match="not the lists of a model"):
            read_lists(data, MODEL)


def test_a_list_is_checked_when_it_is_looked_into(tmp_path, rng):
    tracks = [("a", sketch(rng, 600))]
    path = write_catalog(tmp_path / "c", [tracks], Layout(exact_below=100, probes={128: 1}))
    file = path / "segments/0001/vectors.lists"
    good = file.read_bytes()
    n_blocks = len(good) // (32 * 24)
    queries = tracks[0][1].patches
    wanted = open_catalog(path, MODEL).search(queries, 3)
    for offset in (0, n_blocks * 512 - 1, n_blocks * 512, len(good) - 1):
        bad = bytearray(good)
        bad[offset] ^= 16
        file.write_bytes(bad)
        catalog = open_catalog(path, MODEL)  # nothing is read yet
        with pytest.raises(CatalogDamagedError, match=r"vectors\.lists: damaged: list \d+ is not as it was written"):
            catalog.search(queries, 3)
        found = []
        for i in range(len(queries)):  # a wrong answer is never given
            try:
                found.append([one[0].tolist() for one in catalog.search(queries[i : i + 1], 3)])
                assert found[-1] == [one[i].tolist() for one in wanted]
            except CatalogDamagedError:
                pass
        assert len(found) > len(queries) // 2


def test_a_table_that_does_not_fit(tmp_path, rng):
    index = {"n_patches": 64, "n_vectors": 64, "n_lists": 1, "n_probes": 1, "lists": None}
    _written(tmp_path / "a", [unit_patches(rng, 64)])
    for name, value, words in (
        ("n_lists", 128, "expected 128 lists"),
        ("n_vectors", 63, "do not fit 63 vectors"),
        ("n_lists", 2, "expected 2 lists"),
    ):
        with pytest.raises(CatalogDamagedError, match=words):
            open_vector_index(tmp_path / "a", MODEL, **{**index, name: value})
    (tmp_path / "a/vectors.lists").write_bytes(bytes(768))
    with pytest.raises(CatalogDamagedError, match="768 bytes do not fit"):
        open_vector_index(tmp_path / "a", MODEL, **index)


def test_segments_do_not_change_what_is_found(tmp_path, rng):
    """The lists are the same everywhere, so where tracks stand changes nothing but the order of equals."""
    layout = Layout(exact_below=50, probes={128: 6})
    tracks = [(f"t{i}", sketch(rng, 200)) for i in range(8)]
    whole = open_catalog(write_catalog(tmp_path / "whole", [tracks], layout), MODEL)
    parts = open_catalog(write_catalog(tmp_path / "parts", [tracks[i : i + 1] for i in range(8)], layout), MODEL)
    assert len(read_manifest(parts.path)[0].segments) == 8
    parts._together = frozenset()  # each by itself
    queries = unit_patches(rng, 60)
    for one, other in zip(whole.search(queries, 20), parts.search(queries, 20), strict=True):
        assert (one == other).mean() > 0.99


def test_small_segments_are_searched_as_one(tmp_path, rng):
    layout = Layout(exact_below=50, probes={128: 6})
    tracks = [(f"t{i}", sketch(rng, n, silent=(0,))) for i, n in enumerate([200, 3, 90, 40, 7, 60])]
    path = write_catalog(tmp_path / "parts", [tracks[i : i + 1] for i in range(6)], layout)
    remove_tracks(path, ["t2", "t4"])
    gathered, apart = open_catalog(path, MODEL), open_catalog(path, MODEL)
    assert gathered._together == frozenset(range(6))
    apart._together = frozenset()
    for segment in apart._segments:
        segment._vectors._n_probes = len(segment._vectors._sizes)  # all of it, as those gathered are few
    queries = np.concatenate([unit_patches(rng, 40), *(one.patches[1:4] for _, one in tracks)])
    for k in (1, 20, 500):
        found, wanted = gathered.search(queries, k), apart.search(queries, k)
        for one, other in zip(found, wanted, strict=True):
            assert (one == other).mean() > 0.98  # equals are left to FAISS
        assert set(np.unique(found[0])) <= {-1, 0, 1, 3, 5}
    remove_tracks(path, ["t0", "t1", "t3", "t5"])
    assert (open_catalog(path, MODEL).search(queries, 5)[0] == -1).all()


def _in_lists(path, digest):
    """Have the manifest of a catalog say that its vectors are sorted into the lists of some digest."""
    manifest, _ = read_manifest(path)
    segments = tuple(dataclasses.replace(entry, lists=digest) for entry in manifest.segments)
    replace_manifest(path, dataclasses.replace(manifest, segments=segments))


def test_a_catalog_of_earlier_lists_is_searched_as_it_is_and_sorted_anew_when_compacted(tmp_path, rng, monkeypatch):
    layout = Layout(exact_below=10, vectors_per_list=1, probes={2048: 8})
    vectors = _near_centres(rng, 3000, 0.5)
    one = dataclasses.replace(sketch(rng, 3000), patches=np.rint(256 * vectors).clip(-127, 127).astype(np.int8))
    queries = one.patches[::10]
    with monkeypatch.context() as earlier:
        earlier.setattr(lists_module, "newest_lists", lambda _: FIRST_LISTS)
        earlier.setattr(segment_module, "newest_lists", lambda _: FIRST_LISTS)
        path = write_catalog(tmp_path / "c", [[("a", one)]], layout)
    assert newest_lists(MODEL) != FIRST_LISTS

    def found():
        _, positions, _ = open_catalog(path, MODEL).search(queries, 1)
        return (positions[:, 0] == np.arange(0, 3000, 10)).mean()

    assert read_manifest(path)[0].segments[0].lists == FIRST_LISTS
    assert found() > 0.75
    document = json.loads((path / "manifest.json").read_text())  # as the first catalogs of version 2 were written
    del document["segments"][0]["lists"], document["sha256"]
    text = json.dumps(document, indent=1) + "\n"
    document["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (path / "manifest.json").write_text(json.dumps(document, indent=1) + "\n")
    assert read_manifest(path)[0].segments[0].lists == FIRST_LISTS
    assert found() > 0.75
    _in_lists(path, newest_lists(MODEL))
    assert found() < 0.25  # looked for in lists that they are not in
    _in_lists(path, FIRST_LISTS)
    assert compact_catalog(path, model=MODEL, layout=layout).n_rewritten == 1
    assert read_manifest(path)[0].segments[0].lists == newest_lists(MODEL)
    assert found() > 0.75
    assert compact_catalog(path, model=MODEL, layout=layout).n_rewritten == 0


def test_lists_that_this_version_does_not_have(tmp_path, rng):
    path = write_catalog(tmp_path / "c", [[("a", sketch(rng, 300))]], Layout(exact_below=10))
    _in_lists(path, "0" * 64)
    with pytest.raises(CatalogVersionError, match=r"vectors\.lists: sorted into lists 0{64}.*update Earmark"):
        open_catalog(path, MODEL)
