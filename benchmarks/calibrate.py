"""Fit the odds: how often does music that is not in the catalog reach a score by chance?

::

    python benchmarks/calibrate.py               writes src/earmark/matching/calibration.json

Every track of the development set is looked for in the catalog of the packages of the other folds, so all hours serve
as negatives and no artist meets himself. The score of a 2.5 s step is the best of all stretches that begin in it. Above
a level that is reached `N_TAIL` times the excess is taken to be exponential (its mean fits the slope: the
maximum-likelihood estimate), which gives the expected number per hour, in proportion to the hours of catalog.
"""

import argparse
import json
import math
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import folds
import music
from earmark.fingerprint import load_model
from earmark.matching.coincidence import Cohort
from earmark.matching.search import WINDOW_WORDS, find_alignments

N_FOLDS = 6
N_TAIL = 150
OUT = Path(__file__).parents[1] / "src" / "earmark" / "matching" / "calibration.json"


def step_maxima(job):
    """Return the best score of every step of a track that is not in the catalog."""
    index, catalog_path = job
    model = load_model()
    fingerprint = folds.fingerprint_of(music.load_tracks()[index])
    step = WINDOW_WORDS // 2
    best = np.zeros(fingerprint.words.shape[2] // step + 1)
    for a in find_alignments(fingerprint, folds.open_cached(catalog_path), model.config, Cohort(model.cohort)):
        best[a.start // step] = max(best[a.start // step], a.score)
    return best


def fit(scores, item_hours, catalog_hours):
    """Return (intercept, slope) of the log10 of the expected number per hour of item and hour of catalog."""
    top = np.sort(scores)[::-1]
    level = top[N_TAIL]
    slope = 1 / np.mean(top[:N_TAIL] - level)  # nepers per unit of score
    intercept = math.log(N_TAIL / item_hours / catalog_hours) + slope * level
    return intercept / math.log(10), slope / math.log(10)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    tracks = music.load_tracks()
    fold = folds.fold_of_packages(N_FOLDS)
    jobs, catalog_hours = [], []
    for k in range(N_FOLDS):
        packages = {p for p, f in fold.items() if f == k}
        path = folds.catalog_without(packages, f"{k}-of-{N_FOLDS}")
        inside = [i for i, t in enumerate(tracks) if music.package(t.id) in packages]
        catalog_hours.append(sum(t.duration_s for i, t in enumerate(tracks) if i not in inside) / 3600)
        jobs += [(i, path) for i in inside]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        maxima = list(pool.map(step_maxima, jobs, chunksize=2))
    scores = np.concatenate(maxima)
    hours = sum(t.duration_s for t in tracks) / 3600
    intercept, slope = fit(scores, hours, float(np.mean(catalog_hours)))
    print(f"{hours:.1f} h of items against catalogs of {np.mean(catalog_hours):.1f} h")
    print(f"highest scores {np.sort(scores)[-5:][::-1].round(2)}")
    for level in range(5, 11):
        expected = 10 ** (intercept - slope * level) * np.mean(catalog_hours)
        print(f"score {level}: {np.sum(scores >= level) / hours:.3f} an hour, fitted {expected:.4f}")
    fitted = {"fast": {"intercept": round(intercept, 4), "slope": round(slope, 4)}}
    args.out.write_text(json.dumps({"model": load_model().digest, "efforts": fitted}, indent=1) + "\n")
    print(args.out.read_text())


if __name__ == "__main__":
    main()
