"""Revisions beside unfinished builds and adds: neither gets in the way of the other, and no work is lost."""

import numpy as np
import pytest

from earmark.catalog import Layout, Revision, TrackTags, live_rows, open_catalog
from earmark.catalog.manifest import read_manifest
from earmark.catalog.segment import SegmentWriter
from earmark.catalog.storage import unfinished_segments
from earmark.catalog.unfinished import Unfinished
from earmark.errors import CatalogError

from .synthetic_catalog import MODEL, sketch, write_catalog


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def leave_unfinished(path, manifest, name, rng):
    """What a build or add leaves that was killed after it had closed a segment."""
    unfinished = Unfinished(path, manifest, Layout())
    with SegmentWriter(path, name, MODEL, Layout()) as writer:
        writer.add(TrackTags(track_id="unfinished"), sketch(rng, 6))
        unfinished.close_segment(writer.finish())
    unfinished.close()


def files(path):
    return {file.relative_to(path): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_a_revision_leaves_an_unfinished_add_alone(tmp_path, rng):
    path = write_catalog(tmp_path / "catalog", [[("a", sketch(rng, 5))]])
    leave_unfinished(path, read_manifest(path)[0], "0002", rng)
    before = {name: data for name, data in files(path).items() if name.parts[:2] == ("segments", "0002")}
    with Revision(path, MODEL) as revision:
        revision.add(TrackTags(track_id="b"), sketch(rng, 4))
        revision.commit()
    catalog = open_catalog(path, MODEL)
    assert [tags.track_id for _, tags, _, _ in live_rows(catalog)] == ["a", "b"]
    catalog.close()
    manifest = read_manifest(path)[0]
    assert [entry.name for entry in manifest.segments] == ["0001", "0003"]
    assert before
    assert before.items() <= files(path).items()
    assert [entry.name for entry in unfinished_segments(path)] == ["0002"]


def test_no_catalog_is_made_over_an_unfinished_build(tmp_path, rng):
    manifest = read_manifest(write_catalog(tmp_path / "other", [[("a", sketch(rng, 5))]]))[0]
    path = tmp_path / "catalog"
    path.mkdir()
    leave_unfinished(path, manifest, "0001", rng)
    before = files(path)
    with pytest.raises(CatalogError, match="holds an unfinished build"), Revision(path, MODEL):
        pass
    assert files(path) == before
