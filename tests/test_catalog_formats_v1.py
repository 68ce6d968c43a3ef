"""A catalog of format 1 with all that the format came to know: several ids of a recording, corrected tags."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from earmark.catalog import (
    catalog_info,
    check_catalog,
    compact_catalog,
    list_tracks,
    open_catalog,
    remove_tracks,
    update_tracks,
)
from earmark.catalog.manifest import read_manifest
from earmark.errors import CatalogVersionError
from earmark.fingerprint import load_model

V1 = Path(__file__).parent / "formats" / "v1"


@pytest.fixture(scope="module")
def model():
    """The model of that time, as far as a catalog needs it: its quantizer, under its name."""
    made = dataclasses.replace(load_model(), centroids=np.load(V1 / "centroids.npy"))
    object.__setattr__(made, "digest", read_manifest(V1 / "catalog")[0].model_digest)
    return made


@pytest.fixture
def catalog(tmp_path):
    return shutil.copytree(V1 / "catalog", tmp_path / "c")


def test_the_tracks_are_those_that_were_written(catalog):
    assert [dataclasses.asdict(one) for one in list_tracks(catalog)] == json.loads((V1 / "tracks.json").read_bytes())
    info = catalog_info(catalog)
    assert (info.format_version, info.n_tracks, info.n_removed, info.n_recordings) == (1, 5, 2, 5)
    assert [segment.index != "exact scan" for segment in info.segments] == [True, False]
    assert (catalog / "segments/0001/tracks.3.sqlite").exists()


def test_a_search_finds_what_it_found(catalog, model):
    asked = np.load(V1 / "questions.npz")
    opened = open_catalog(catalog, model)
    tracks, positions, products = opened.search(asked["queries"], 5)
    assert np.abs(products - asked["products"]).max() < 1e-4
    same = (tracks == asked["tracks"]) & (positions == asked["positions"])
    assert same.mean() > 0.99  # of equals, which come out is FAISS's choice
    for number in range(opened.n_numbers):
        assert len(opened.words(number)) > 500
    assert opened.same_audio(0) == [4]


def test_it_is_sound_and_can_be_changed(catalog, model, tmp_path):
    found = check_catalog(catalog, model=model)
    assert (found.damage, found.notes) == ((), ())
    (tmp_path / "new.csv").write_text("track_id,title\nmichel-ave-maria,Ave\n")
    assert update_tracks(catalog, tmp_path / "new.csv").n_changed == 1
    remove_tracks(catalog, ["paniq-contemplation"])
    compact_catalog(catalog, model=model)
    assert [(one.track_id, one.title) for one in list_tracks(catalog)] == [
        ("cameron-d-toxification", None),
        ("ellinas-pulse-remix", None),
        ("again", "Corrected"),
        ("michel-ave-maria", "Ave"),
    ]
    assert check_catalog(catalog, model=model).damage == ()


def test_what_a_newer_version_wrote_is_refused(catalog):
    (catalog / "manifest.json").write_text('{"kind": "earmark-catalog", "version": 3}')
    with pytest.raises(CatalogVersionError, match="format version 3"):
        list(list_tracks(catalog))
