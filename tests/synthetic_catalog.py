"""Catalogs of made-up tracks, written without audio, and the slow way to search them."""

import hashlib

import numpy as np

from earmark.catalog.manifest import Manifest
from earmark.catalog.segment import SegmentWriter
from earmark.catalog.storage import replace_manifest
from earmark.catalog.track import Sketch, TrackTags
from earmark.catalog.vectors import Layout
from earmark.fingerprint import load_model

MODEL = load_model()


def unit_patches(rng, n):
    """Return random embeddings of unit length in the catalog's 8 bits."""
    x = rng.normal(size=(n, MODEL.config.n_dims))
    return np.rint(MODEL.config.patch_scale * x / np.linalg.norm(x, axis=1, keepdims=True)).clip(-128, 127).astype("i1")


def sketch(rng, n_patches, silent=()):
    """Return a random track, some of its patches silent."""
    patches = unit_patches(rng, n_patches)
    patches[list(silent)] = 0
    words = rng.integers(0, 2**63, 16 * n_patches + 15, dtype=np.uint64)
    content = hashlib.sha256(patches.tobytes() + words.tobytes()).digest()
    return Sketch(n_samples=8192 * n_patches, words=words, patches=patches, content=content)


def write_catalog(path, segments, layout=None):
    """Write a catalog: for each segment a list of (track id, sketch)."""
    path.mkdir()
    entries = []
    for number, tracks in enumerate(segments, 1):
        with SegmentWriter(path, f"{number:04d}", MODEL, layout or Layout()) as writer:
            for track_id, one in tracks:
                tags = TrackTags(track_id=track_id, path=f"{track_id}.wav", label="L", extra={"upc": "1"})
                writer.add(tags, one)
            entries.append(writer.finish())
    manifest = Manifest(
        written_by="test",
        config_digest=MODEL.config.digest,
        model_digest=MODEL.digest,
        segments=tuple(entries),
    )
    replace_manifest(path, manifest)
    return path


def quantized(patches):
    """Return patches as the product quantizer keeps them: each sub-vector replaced by its nearest centroid."""
    x = patches.astype(np.float64) / MODEL.config.patch_scale
    out = np.empty_like(x)
    n_subvectors, _, width = MODEL.centroids.shape
    for m in range(n_subvectors):
        part = x[:, m * width : (m + 1) * width]
        distances = ((part[:, None, :] - MODEL.centroids[m][None]) ** 2).sum(axis=2)
        out[:, m * width : (m + 1) * width] = MODEL.centroids[m][distances.argmin(axis=1)]
    return out


def brute_force(tracks, queries):
    """Return track, position and product of every patch that is not silent, for each query, best first."""
    placed = [(t, p) for t, one in enumerate(tracks) for p in range(len(one.patches)) if one.patches[p].any()]
    decoded = np.concatenate([quantized(one.patches[one.patches.any(axis=1)]) for one in tracks])
    products = (queries.astype(np.float64) / MODEL.config.patch_scale) @ decoded.T
    order = np.argsort(-products, axis=1, kind="stable")
    places = np.array(placed)[order]
    return places[..., 0], places[..., 1], np.take_along_axis(products, order, axis=1)
