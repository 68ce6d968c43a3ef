"""Train the lists that catalogs sort their vectors into; to be run whenever the model changes.

::

    python benchmarks/train_lists.py [--tracks FOLDER] [--out FILE]     writes src/earmark/catalog/lists.npz

Trained on music that the model was trained on: the patches of the development tracks without the test and the bundled
packages, and of tracks made from them, see `enlarging.py` (made here if no folder of them is given). Spherical k-means
over vectors as a catalog keeps them: 128 coarse lists, each divided by four, four times over.
"""

import argparse
from pathlib import Path

import faiss
import numpy as np

import enlarging
from earmark.catalog.lists import LEVELS, decode
from earmark.fingerprint import fingerprint, load_model

LISTS_PATH = Path(__file__).parents[1] / "src" / "earmark" / "catalog" / "lists.npz"
ROUNDS = 15
N_TRACKS = 1200
"""Without a folder: the tracks themselves, and three times as many made from them."""


def product_quantizer(model):
    quantizer = faiss.ProductQuantizer(model.config.n_dims, model.centroids.shape[0], 4)
    faiss.copy_array_to_vector(np.ascontiguousarray(model.centroids, np.float32).ravel(), quantizer.centroids)
    return quantizer


def training_patches(folder, model):
    """Return the patches of tracks made from the model's own training music, int8."""
    patches = []
    for number in range(N_TRACKS if folder is None else 10**9):
        if folder is None:
            if not enlarging.is_test(enlarging.recipe(number)[0][0].id):
                y = enlarging.samples(number).astype(np.float32)
                patches.append(fingerprint([y], model).patches[:: model.config.track_patch_stride])
        elif number % enlarging.BLOCK == 0:
            path = enlarging.block_path(folder, number // enlarging.BLOCK)
            if not path.exists():
                break
            block = enlarging.read_block(path)
            parts = np.split(block.patches, np.cumsum(block.n_patches)[:-1])
            sides = [enlarging.is_test(enlarging.recipe(number + i)[0][0].id) for i in range(len(parts))]
            patches += [part for part, side in zip(parts, sides, strict=True) if not side]
    patches = np.concatenate(patches)
    return patches[patches.any(axis=1)]


def divided(vectors, n_parts):
    """Return centres of `n_parts` clusters, and the cluster of each vector."""
    if len(vectors) < 2 * n_parts:  # hardly anything there: the same centre again, and lists that stay empty
        centre = vectors.mean(axis=0) if len(vectors) else np.zeros(vectors.shape[1], np.float32)
        return np.repeat(centre[None, :], n_parts, axis=0), np.zeros(len(vectors), np.int64)
    kmeans = faiss.Kmeans(
        vectors.shape[1],
        n_parts,
        niter=ROUNDS,
        seed=1,
        spherical=True,
        max_points_per_centroid=2000,
        min_points_per_centroid=1,
    )
    kmeans.train(vectors)
    return kmeans.centroids, kmeans.assign(vectors)[1]


def leaves(vectors, n_levels):
    """Return the centres of the finest lists, four to a list of the level above."""
    centres, numbers = divided(vectors, 4)
    if n_levels == 1:
        return centres
    return np.concatenate([leaves(vectors[numbers == i], n_levels - 1) for i in range(4)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracks", type=Path, help="folder of enlarging.py")
    parser.add_argument("--out", type=Path, default=LISTS_PATH, help="another file, to try them")
    args = parser.parse_args()
    model = load_model()
    faiss.omp_set_num_threads(1)  # sums in one order
    patches = training_patches(args.tracks, model)
    quantizer = product_quantizer(model)
    vectors = decode(quantizer.compute_codes(patches.astype(np.float32) / np.float32(model.config.patch_scale)), model)
    print(f"{len(vectors)} vectors", flush=True)
    _, coarse = divided(vectors, LEVELS[1])
    n_below = round(np.log2(LEVELS[-1] / LEVELS[1]) / 2)
    centres = np.concatenate([leaves(vectors[coarse == number], n_below) for number in range(LEVELS[1])])
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
    np.savez(args.out, codes=quantizer.compute_codes(centres), model=np.array(model.digest))
    print(f"{args.out}: {len(centres)} lists, {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
