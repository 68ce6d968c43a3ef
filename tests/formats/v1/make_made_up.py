"""Wrote `made_up`, with the last Earmark that wrote version 1 of the format, before 0.1; what a search gave is in
`made_up.json`. Kept to say what is in it; it cannot be run with today's Earmark.

The model is made up, from integers alone, so that the catalog can be read whatever model ships.
"""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np

from earmark.catalog import Layout, open_catalog, remove_tracks
from earmark.catalog.manifest import Manifest
from earmark.catalog.segment import SegmentWriter
from earmark.catalog.storage import replace_manifest
from earmark.catalog.track import Sketch, TrackTags
from earmark.fingerprint import load_model

HERE = Path(__file__).parent


def centroids():
    return ((np.arange(32 * 16 * 4) * 7919 % 2003 - 1001) / 5000).astype(np.float32).reshape(32, 16, 4)


def patches(n, seed):
    return ((np.arange(n * 128, dtype=np.int64) + seed) ** 2 % 2011 % 101 - 50).astype(np.int8).reshape(n, 128)


def sketch(n, seed):
    made = patches(n, seed)
    made[3] = 0
    words = (np.arange(4 * n + 2, dtype=np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
    content = hashlib.sha256(made.tobytes() + words.tobytes()).digest()
    return Sketch(n_samples=8192 * n, words=words, patches=made, content=content)


def main():
    model = dataclasses.replace(load_model(), centroids=centroids())
    path = HERE / "made_up"
    path.mkdir()
    entries = []
    for name, tracks in (("0001", {"a": 320, "b": 40}), ("0002", {"c": 60})):
        with SegmentWriter(path, name, model, Layout(exact_below=300)) as writer:
            for track_id, n in tracks.items():
                tags = TrackTags(track_id=track_id, title=track_id.upper(), label="L", isrc="GBAYE6800011")
                writer.add(tags, sketch(n, 1000 * ord(track_id)))
            entries.append(writer.finish())
    manifest = Manifest(
        written_by="earmark 0.1.0.dev0",
        config_digest=model.config.digest,
        model_digest=model.digest,
        segments=tuple(entries),
    )
    replace_manifest(path, manifest)
    remove_tracks(path, ["b"])
    (path / "lock").unlink()
    catalog = open_catalog(path, model)
    queries = np.concatenate([sketch(60, 1000 * ord("c")).patches[:6], patches(6, 5)])
    tracks, positions, products = catalog.search(queries, 5)
    found = {"tracks": tracks.tolist(), "positions": positions.tolist(), "products": products.tolist()}
    words = {number: hashlib.sha256(catalog.words(number).tobytes()).hexdigest() for number in range(3)}
    (HERE / "made_up.json").write_text(json.dumps({**found, "words_sha256": words}) + "\n")


if __name__ == "__main__":
    main()
