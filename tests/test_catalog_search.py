"""Searching: against a brute force over the decoded codes, over segments, tombstones and list layouts."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from earmark import audio
from earmark.catalog import Layout, catalog_info, open_catalog, remove_tracks
from earmark.catalog.lists import LEVELS
from earmark.errors import ParameterError
from earmark.fingerprint import fingerprint

from .synthetic_catalog import MODEL, brute_force, sketch, unit_patches, write_catalog

# FAISS keeps a query's 32 tables of inner products in 8 bits: half a step of each may be lost. Measured: < .003.
_ROUNDING = 0.01
_EVERY_LIST = Layout(exact_below=100, probes={n: n for n in LEVELS})


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def _near(rng, tracks, n):
    """Return queries near to patches of the tracks, and some near to none."""
    some = np.concatenate([one.patches for one in tracks])[rng.integers(0, sum(len(t.patches) for t in tracks), n)]
    return np.concatenate([(some + rng.normal(0, 8, some.shape)).clip(-128, 127).astype(np.int8), unit_patches(rng, n)])


def _check(found, tracks, queries, k):
    """Compare a search with brute force, up to the rounding of products."""
    numbers, positions, products = found
    true_tracks, true_positions, true_products = brute_force(tracks, queries)
    n_found = min(k, true_products.shape[1])
    assert (numbers[:, n_found:] == -1).all()
    assert (positions[:, n_found:] == -1).all()
    assert (products[:, n_found:] == 0).all()
    assert (np.diff(products[:, :n_found], axis=1) <= 0).all()
    assert np.abs(products[:, :n_found] - true_products[:, :n_found]).max() < _ROUNDING
    for i in range(len(queries)):
        places = list(zip(numbers[i, :n_found].tolist(), positions[i, :n_found].tolist(), strict=True))
        assert len(set(places)) == n_found
        true = dict(
            zip(zip(true_tracks[i].tolist(), true_positions[i].tolist(), strict=True), true_products[i], strict=True)
        )
        worst = true_products[i, n_found - 1]
        for place, product in zip(places, products[i, :n_found], strict=True):
            assert abs(true[place] - product) < _ROUNDING
            assert true[place] > worst - _ROUNDING
        must = {place for place, product in true.items() if product > worst + _ROUNDING}
        assert must <= set(places)


@pytest.mark.parametrize("n_patches", [1, 2, 31, 32, 33, 300])
@pytest.mark.parametrize("k", [1, 10, 21, 400])
def test_one_segment_equals_brute_force(tmp_path, rng, n_patches, k):
    tracks = [sketch(rng, n_patches)]
    catalog = open_catalog(write_catalog(tmp_path / "c", [[("a", tracks[0])]]), MODEL)
    queries = _near(rng, tracks, 6)
    _check(catalog.search(queries, k), tracks, queries, k)


@pytest.mark.parametrize("layout", [Layout(), _EVERY_LIST], ids=["one list", "many lists"])
def test_segments_and_silent_patches_equal_brute_force(tmp_path, rng, layout):
    tracks = [sketch(rng, n, silent) for n, silent in [(700, ()), (40, (0, 1, 39)), (3, (1,)), (500, range(100, 300))]]
    named = list(zip("abcd", tracks, strict=True))
    catalog = open_catalog(write_catalog(tmp_path / "c", [named[:2], named[2:3], named[3:]], layout), MODEL)
    queries = _near(rng, tracks, 20)
    queries[5] = 0
    for k in (1, 20, 50):
        numbers, positions, products = catalog.search(queries, k)
        assert (numbers[5] == -1).all()
        assert (positions[5] == -1).all()
        assert (products[5] == 0).all()
        spoken = np.delete(np.arange(len(queries)), 5)
        _check((numbers[spoken], positions[spoken], products[spoken]), tracks, queries[spoken], k)
    assert numbers.dtype == positions.dtype == np.int32
    assert products.dtype == np.float32


@pytest.mark.parametrize("layout", [Layout(), _EVERY_LIST], ids=["one list", "many lists"])
def test_removed_tracks_neither_come_out_nor_take_places(tmp_path, rng, layout):
    tracks = [sketch(rng, 200) for _ in range(6)]
    named = list(zip("abcdef", tracks, strict=True))
    path = write_catalog(tmp_path / "c", [named[:4], named[4:]], layout)
    remove_tracks(path, ["b", "d", "e"])
    catalog = open_catalog(path, MODEL)
    queries = np.concatenate([_near(rng, tracks, 10), tracks[1].patches[:10]])
    kept = [0, 2, 5]
    for k in (1, 30, 700):
        numbers, positions, products = catalog.search(queries, k)
        assert set(np.unique(numbers)) <= {-1, *kept}
        renumbered = np.where(numbers < 0, -1, np.searchsorted(kept, numbers))
        _check((renumbered, positions, products), [tracks[i] for i in kept], queries, k)
    remove_tracks(path, ["a", "c", "f"])
    numbers, _, _ = open_catalog(path, MODEL).search(queries, 5)
    assert (numbers == -1).all()


def test_queries_do_not_depend_on_each_other(tmp_path, rng):
    tracks = [sketch(rng, 300) for _ in range(3)]
    catalog = open_catalog(write_catalog(tmp_path / "c", [list(zip("abc", tracks, strict=True))], _EVERY_LIST), MODEL)
    queries = _near(rng, tracks, 30)
    together = catalog.search(queries, 15)
    for i in range(0, len(queries), 7):
        for whole, alone in zip(together, catalog.search(queries[i : i + 1], 15), strict=True):
            assert (whole[i] == alone[0]).all()


def test_lists_lose_little(tmp_path, rng):
    # Real music: what the lists were trained for. Other packages than they were trained with.
    paths = sorted((Path(__file__).parents[1] / "data" / "music").glob("*.opus"))
    tracks = [
        dataclasses.replace(sketch(rng, 1), patches=fingerprint([audio.load(path)], MODEL).patches) for path in paths
    ]
    named = [(path.name, one) for path, one in zip(paths, tracks, strict=True)]
    exact = open_catalog(write_catalog(tmp_path / "exact", [named]), MODEL)
    lists = open_catalog(write_catalog(tmp_path / "lists", [named], Layout(exact_below=100)), MODEL)
    assert [one.index for one in catalog_info(tmp_path / "lists").segments] == ["128 lists, 24 searched"]
    some = np.concatenate([one.patches for one in tracks])
    some = some[some.any(axis=1)]
    queries = (some + rng.normal(0, 12, some.shape)).clip(-128, 127).astype(np.int8)
    found, wanted = (np.stack(catalog.search(queries, 1)[:2])[..., 0] for catalog in (lists, exact))
    assert (found == wanted).all(axis=0).mean() >= 0.94  # neighbouring patches are much alike


@pytest.mark.parametrize(
    ("patches", "k", "words"),
    [
        (np.zeros((2, 127), np.int8), 1, r"shape \(n, 128\)"),
        (np.zeros((2, 128), np.float32), 1, "must be int8"),
        (np.zeros(128, np.int8), 1, "must be int8"),
        (np.zeros((2, 128), np.int8), 0, "k must be at least 1, got 0"),
    ],
)
def test_bad_arguments(tmp_path, rng, patches, k, words):
    catalog = open_catalog(write_catalog(tmp_path / "c", [[("a", sketch(rng, 5))]]), MODEL)
    with pytest.raises(ParameterError, match=words):
        catalog.search(patches, k)
    for number in (-1, 1):
        with pytest.raises(ParameterError, match="track numbers are 0 to 0"):
            catalog.words(number)


def test_no_queries_find_nothing(tmp_path, rng):
    catalog = open_catalog(write_catalog(tmp_path / "c", [[("a", sketch(rng, 5))]]), MODEL)
    for found in catalog.search(np.zeros((0, 128), np.int8), 4):
        assert found.shape == (0, 4)


def test_files_are_mapped_and_shared(tmp_path, rng):
    tracks = [sketch(rng, 3000)]
    path = write_catalog(tmp_path / "c", [[("a", tracks[0])]])
    catalog = open_catalog(path, MODEL)
    catalog.search(_near(rng, tracks, 5), 10)
    assert (catalog.words(0) == tracks[0].words).all()
    smaps = Path("/proc/self/smaps").read_text().splitlines()
    for name in ("vectors.lists", "words.u64"):
        at = next(i for i, line in enumerate(smaps) if line.endswith(str(path / "segments/0001" / name)))
        fields = {line.split(":")[0]: line.split()[1] for line in smaps[at + 1 : at + 24] if ":" in line}
        assert int(fields["Private_Dirty"]) == 0
        assert int(fields["Rss"]) >= 1
        assert int(fields["Anonymous"]) == 0
    with pytest.raises(ValueError, match="read-only"):
        catalog.words(0)[0] = 0
