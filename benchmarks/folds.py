"""Catalogs of the development music, and its division into folds by package."""

import csv
import functools
import hashlib
import os
import shutil
from dataclasses import fields

import numpy as np

import music
from earmark.catalog import build_catalog, open_catalog, remove_tracks
from earmark.catalog.lists import load_lists
from earmark.catalog.manifest import FORMAT_VERSION
from earmark.fingerprint import Fingerprint, fingerprint, load_model

__all__ = ["catalog_without", "catalogs", "fingerprint_of", "fold_of_packages", "full_catalog", "open_cached"]

# Packages that share a recording or an artist stay on the same side: Kenta Cho's games also share loops.
TOGETHER = {"starfighter-data": "singularity-music"} | dict.fromkeys(
    (
        "a7xpg-data",
        "mu-cade-data",
        "noiz2sa-data",
        "parsec47-data",
        "rrootage-data",
        "titanion-data",
        "torus-trooper-data",
        "tumiki-fighters-data",
    ),
    "gunroar-data",
)


def scratch():
    """Return the folder for what benchmarks keep between runs; named by the model, beside the music."""
    folder = music.cache() / "bench" / load_model().digest[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def catalogs():
    """Return the folder for catalogs; named by their format and lists, too, for both have a say in what is found."""
    folder = scratch() / f"catalogs-{FORMAT_VERSION}-{load_lists(load_model()).digest[:8]}"
    folder.mkdir(exist_ok=True)
    return folder


def fold_of_packages(n_folds):
    """Return {package: fold}, the folds about equally long."""
    hours = {}
    for track in music.load_tracks():
        name = TOGETHER.get(music.package(track.id), music.package(track.id))
        hours[name] = hours.get(name, 0.0) + track.duration_s / 3600
    loads, fold = [0.0] * n_folds, {}
    for name in sorted(hours, key=lambda p: (-hours[p], p)):
        k = int(np.argmin(loads))
        fold[name], loads[k] = k, loads[k] + hours[name]
    return fold | {name: fold[other] for name, other in TOGETHER.items() if other in fold}


def full_catalog():
    """Return the path of the catalog of all development tracks, built by Earmark itself from the original files."""
    path = catalogs() / "all"
    if not path.exists():
        table = scratch() / "tracks.csv"
        files = music.music_files()
        with table.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(["path", "track_id", "label"])
            writer.writerows([source, track_id, music.package(track_id)] for track_id, source in files)
        report = build_catalog(
            path, [source for _, source in files], metadata=table, model=load_model(), jobs=os.cpu_count()
        )
        print(f"catalog of {report.n_indexed} tracks, {report.duration_s / 3600:.2f} h; failed: {report.failed}")
    return path


def catalog_without(packages, name):
    """Return the path of a copy of the full catalog that lacks the tracks of some packages."""
    digest = hashlib.sha256(" ".join(sorted(packages)).encode()).hexdigest()[:8]
    path = catalogs() / f"without-{name}-{digest}"
    if not path.exists():
        partial = path.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(full_catalog(), partial)
        remove_tracks(partial, [i for i, _ in music.music_files() if music.package(i) in packages])
        partial.rename(path)
    return path


@functools.cache
def open_cached(path):
    """Open a catalog once in a process."""
    return open_catalog(path, load_model())


def fingerprint_of(track):
    """Return the fingerprint of a development track, computed once."""
    path = scratch() / "maps" / (track.id.replace("/", "__") + ".npz")
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        f = fingerprint([track.samples()], load_model())
        np.savez(path.with_suffix(".part.npz"), **{field.name: getattr(f, field.name) for field in fields(f)})
        path.with_suffix(".part.npz").rename(path)
    with np.load(path) as kept:
        values = {name: kept[name] if kept[name].ndim else int(kept[name]) for name in kept.files}
    return Fingerprint(**values)
