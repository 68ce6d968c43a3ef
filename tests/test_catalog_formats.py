"""Catalogs that earlier versions of the format left behind are read for ever."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from earmark.catalog import (
    Layout,
    TrackReader,
    check_catalog,
    compact_catalog,
    list_tracks,
    live_rows,
    open_catalog,
    remove_tracks,
)
from earmark.catalog.manifest import read_manifest
from earmark.catalog.vector_writer import VectorWriter
from earmark.catalog.vectors import open_vector_index
from earmark.errors import CatalogDamagedError
from earmark.exchange import check, pack, unpack
from earmark.fingerprint import load_model

from .formats.v1 import make_made_up as made
from .formats.v2 import make_made_up as made_2

_V1, _V2 = (Path(__file__).parent / "formats" / version for version in ("v1", "v2"))


@pytest.fixture
def model():
    """Return a model that goes by the name of the one that version 1 was made with; only its centroids matter."""
    one = load_model()
    other = type(one)(
        config=one.config, projection=one.projection, offset=one.offset, centroids=made.centroids(), cohort=one.cohort
    )
    object.__setattr__(other, "digest", read_manifest(_V1 / "made_up")[0].model_digest)
    return other


def _answers(catalog):
    queries = np.concatenate([made.sketch(60, 1000 * ord("c")).patches[:6], made.patches(6, 5)])
    tracks, positions, products = catalog.search(queries, 5)
    found = {"tracks": tracks.tolist(), "positions": positions.tolist(), "products": products.tolist()}
    words = {str(number): hashlib.sha256(catalog.words(number).tobytes()).hexdigest() for number in range(3)}
    return {**found, "words_sha256": words}


def _better_than_last(answers):
    """Return for each query the places found but for the last and its equals, of which FAISS takes any."""
    rows = zip(answers["tracks"], answers["positions"], answers["products"], strict=True)
    return [{place for place in zip(*row, strict=True) if place[2] > row[2][-1]} for row in rows]


def test_version_1_gives_what_it_gave(model):
    catalog = open_catalog(_V1 / "made_up", model)
    found, wanted = _answers(catalog), json.loads((_V1 / "made_up.json").read_text())
    assert found["words_sha256"] == wanted["words_sha256"]
    assert found["products"] == wanted["products"]
    for ours, theirs in zip(_better_than_last(found), _better_than_last(wanted), strict=True):
        assert ours == theirs
    assert [catalog.track(number).track_id for number in range(3)] == ["a", "b", "c"]
    assert (catalog.n_tracks, catalog.duration_s) == (2, 380 * 1.024)
    assert (catalog.track(2).title, catalog.track(2).isrc) == ("C", "GBAYE6800011")


def test_version_1_can_be_changed_and_is_read_again(model, tmp_path):
    path = shutil.copytree(_V1 / "made_up", tmp_path / "c")
    assert json.loads((path / "manifest.json").read_bytes())["version"] == 1
    remove_tracks(path, ["a"])
    assert json.loads((path / "manifest.json").read_bytes())["version"] == 2
    tracks, _, _ = open_catalog(path, model).search(made.patches(6, 5), 5)
    assert set(np.unique(tracks)) == {2}


@pytest.mark.parametrize("name", ["vectors.faiss", "words.u64", "tracks.sqlite"])
def test_version_1_is_checked(model, tmp_path, name):
    path = shutil.copytree(_V1 / "made_up", tmp_path / "c")
    file = path / "segments" / "0001" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)
    with pytest.raises(CatalogDamagedError, match=name):
        _answers(open_catalog(path, model))


def test_codes_of_version_1_are_those_of_today(model, tmp_path):
    catalog = open_catalog(_V1 / "made_up", model)
    for segment, tracks in zip(catalog._segments, ({"a": 320, "b": 40}, {"c": 60}), strict=True):
        writer = VectorWriter(tmp_path, model)
        for track_id, n in tracks.items():
            writer.append(made.sketch(n, 1000 * ord(track_id)).patches)
        n_vectors, n_lists = writer.finish(Layout())
        counts = {"n_patches": writer.n_patches, "n_vectors": n_vectors, "n_lists": n_lists, "n_probes": 1}
        wanted = open_vector_index(tmp_path, model, **counts).codes()
        for one, other in zip(segment._vectors.codes(), wanted, strict=True):
            assert (one == other).all()
        for path in tmp_path.iterdir():
            path.unlink()


def _read_all(catalog):
    reader = TrackReader(catalog)
    return {tags.track_id: reader.read(number) for number, tags, _, _ in live_rows(catalog)}


def test_version_1_is_packed_and_packs_of_version_1_are_read(model, tmp_path):
    """The pack was made of the catalog, with `pack` below."""
    pack(_V1 / "made_up", tmp_path / "p", model=model)
    tracks = []
    for n, file in enumerate((tmp_path / "p", _V1 / "made_up.earpack")):
        assert check(file).header.tracks == 2
        unpack(file, tmp_path / f"c{n}", model=model)
        tracks.append(_read_all(open_catalog(tmp_path / f"c{n}", model)))
    before = _read_all(open_catalog(_V1 / "made_up", model))
    for after in tracks:
        assert after.keys() == before.keys()
        for track_id, track in after.items():
            for name in ("words", "codes", "spoken"):
                assert np.array_equal(getattr(track.sketch, name), getattr(before[track_id].sketch, name)), name


@pytest.fixture
def model_2():
    return made_2.model(read_manifest(_V2 / "made_up")[0].model_digest)


def _rows(path):
    return [[one.track_id, one.title, one.recording] for one in list_tracks(path)]


def test_version_2_gives_what_it_gave(model_2):
    wanted = json.loads((_V2 / "made_up.json").read_bytes())
    assert json.loads((_V2 / "made_up" / "manifest.json").read_bytes())["version"] == 2
    assert _rows(_V2 / "made_up") == wanted["rows"]
    catalog = open_catalog(_V2 / "made_up", model_2)
    found = made_2.answers(catalog)
    assert found["products"] == wanted["products"]
    for ours, theirs in zip(_better_than_last(found), _better_than_last(wanted), strict=True):
        assert ours == theirs
    older = made_2.model(read_manifest(_V1 / "made_up")[0].model_digest)
    reader, one_list = _read_all(catalog), _read_all(open_catalog(_V1 / "made_up", older))
    assert catalog.same_audio(0) == [1]
    for track_id, n in {"a": 320, "again": 320, "c": 60}.items():
        made_again = made.sketch(n, 1000 * ord(track_id[0]))
        kept = reader[track_id].sketch
        assert np.array_equal(kept.words, made_again.words)
        assert np.array_equal(kept.spoken, made_again.patches.any(axis=1))
        assert kept.content == made_again.content
        assert np.array_equal(kept.codes, one_list[track_id[0]].sketch.codes)  # as version 1 has them


def test_version_2_is_sound_and_can_be_changed(model_2, tmp_path):
    path = shutil.copytree(_V2 / "made_up", tmp_path / "c")
    assert check_catalog(path, model=model_2).damage == ()
    before = made_2.answers(open_catalog(path, model_2))
    compact_catalog(path, model=model_2)
    assert check_catalog(path, model=model_2).damage == ()
    assert _rows(path) == json.loads((_V2 / "made_up.json").read_bytes())["rows"]
    assert made_2.answers(open_catalog(path, model_2))["products"] == before["products"]
    remove_tracks(path, ["a", "c"])
    assert [row[0] for row in _rows(path)] == ["again"]


@pytest.mark.parametrize("name", ["vectors.lists", "vectors.table", "words.u64", "words.crc32", "tracks.2.sqlite"])
def test_damage_to_version_2_is_found(model_2, tmp_path, name):
    path = shutil.copytree(_V2 / "made_up", tmp_path / "c")
    file = path / "segments" / "0001" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)
    ((found, _),) = check_catalog(path, model=model_2).damage
    assert found == f"segments/0001/{name}"
