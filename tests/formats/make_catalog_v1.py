"""Write the catalog of format 1 that is read for ever: `python tests/formats/make_catalog_v1.py`.

Only as long as format 1 is not released. It has all that the format knows: lists and an exact scan, several segments, a
removed track, two ids of one recording, corrected tags. Beside it are the quantizer of the model that it was made with,
and questions with the answers they got.
"""

import csv
import dataclasses
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from earmark.catalog import Layout, add_tracks, build_catalog, list_tracks, open_catalog, remove_tracks, update_tracks
from earmark.fingerprint import load_model

ROOT = Path(__file__).parents[2]
FIRST = ("dst-azum", "paniq-contemplation", "cameron-d-toxification", "ellinas-pulse-remix")
THEN = ("gachopin-lovin", "michel-ave-maria")
NAMES = (*FIRST, *THEN)
CORRECTED = "track_id,title,upc\nagain,Corrected,0123\n"


def main(out):
    """Write `catalog`, `centroids.npy`, `questions.npz` and `tracks.json`."""
    model = load_model()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as place:
        music = Path(place)
        for name in NAMES:
            shutil.copy(ROOT / "data" / "music" / f"{name}.opus", music / f"{name}.opus")
        with (music / "tracks.csv").open("w", newline="") as file:
            csv.writer(file).writerows(
                [["path", "track_id", "isrc", "label"], *([f"{n}.opus", n, "GBAYE6800011", "L"] for n in NAMES)]
            )
        (music / "corrected.csv").write_text(CORRECTED)
        how = {"model": model, "jobs": 1, "metadata": music / "tracks.csv"}
        catalog, first = out / "catalog", [music / f"{name}.opus" for name in FIRST]
        build_catalog(catalog, first, layout=Layout(exact_below=60), **how)
        add_tracks(catalog, [music / f"{name}.opus" for name in THEN], **how)
        shutil.copy(first[0], music / "again")
        add_tracks(catalog, [music / "again"], **how)
        remove_tracks(catalog, [FIRST[0], THEN[0]])
        update_tracks(catalog, music / "corrected.csv")
    (catalog / "lock").unlink()
    np.save(out / "centroids.npy", model.centroids)
    rng = np.random.default_rng(1)
    queries = rng.integers(-40, 41, (40, model.config.n_dims)).astype(np.int8)
    opened = open_catalog(catalog, model)
    tracks, positions, products = opened.search(queries, 5)
    np.savez_compressed(out / "questions.npz", queries=queries, tracks=tracks, positions=positions, products=products)
    listed = [dataclasses.asdict(one) for one in list_tracks(catalog)]
    (out / "tracks.json").write_text(json.dumps(listed, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(__file__).with_name("v1"))
