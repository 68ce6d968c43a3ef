"""Fit the odds: how often does music that is not in the catalog reach a score by chance?

::

    python benchmarks/calibrate.py               writes src/earmark/matching/calibration.json
    python benchmarks/calibrate.py --efforts standard --keep scores
    python benchmarks/calibrate.py --plot odds.png --keep scores     draws what was kept, and fits nothing

Every track of the development set is looked for in the catalog of the packages of the other folds, so all hours serve
as negatives and no artist meets himself: as it is, raised (x1.2) and slowed (x0.85), three times the real hours. The
other transformations, speech, noise and tones are left for `negatives.py` to judge the fit by. Each look of each effort
(the item as it is; the sweep; the sweep of short stretches, for which tracks are cut into pieces of 20 s) is fitted on
its own. The score of a step (2.5 s, or a block of the sweep) is the best of
all stretches that begin in it. Above the level that is reached `N_TAIL` times the excess is taken to be exponential
(its mean fits the slope: the maximum-likelihood estimate), which gives the expected number per hour, in proportion to
the hours of catalog.
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
from earmark.fingerprint import fingerprint, load_model
from earmark.matching import EFFORTS
from earmark.matching.coincidence import Cohort
from earmark.matching.effort import effort_named
from earmark.matching.search import WINDOW_WORDS, find_alignments
from earmark.matching.sweep import BLOCK_FRAMES, Sweep
from earmark.matching.view import item_frame
from negatives import transformed

N_FOLDS = 6
MILLION_TRACKS_H = 1e6 * 4 / 60
N_TAIL = 100
KINDS = ("as_is", "raised", "slowed")
LOOKS = ("plain", "sweep", "short")
SHORT_FRAMES = 4 * BLOCK_FRAMES
OUT = Path(__file__).parents[1] / "src" / "earmark" / "matching" / "calibration.json"


def step_maxima(job):
    """Return {look: the best score of every step}, and the hours, of a track that is not in the catalog."""
    index, catalog_path, name, kind, looks = job
    model, effort, track = load_model(), effort_named(name), music.load_tracks()[index]
    as_is = kind == "as_is"
    heard = folds.fingerprint_of(track) if as_is else fingerprint([transformed(track.samples(), kind)], model)
    catalog, cohort = folds.open_cached(catalog_path), Cohort(model.cohort)
    maxima = {}
    if "plain" in looks:
        plain = find_alignments(heard, catalog, model.config, cohort, effort)
        maxima["plain"] = _by_step(plain, heard, WINDOW_WORDS // 2)
    if "sweep" in looks and effort.sweep is not None:
        swept = Sweep(catalog, model, cohort, effort.sweep).find(heard, 0, heard.n_frames)
        maxima["sweep"] = _by_step(swept, heard, WINDOW_WORDS)
    if "short" in looks and effort.sweep is not None:
        sweep, n = Sweep(catalog, model, cohort, effort.sweep), heard.n_frames
        pieces = [(i, min(i + SHORT_FRAMES, n)) for i in range(0, n, SHORT_FRAMES)]
        swept = [a for piece in pieces for a in sweep.find(heard, *piece)]
        maxima["short"] = _by_step(swept, heard, WINDOW_WORDS)
    return maxima, heard.n_samples / music.SR / 3600


def _by_step(alignments, heard, step):
    best = np.zeros(heard.n_frames // 2 // step + 1)
    for a in alignments:
        at = min(max(int(item_frame(a.view, a.start, a.phase)) // 2 // step, 0), len(best) - 1)
        best[at] = max(best[at], a.score)
    return best


def fit(scores, n_tail, item_hours, catalog_hours):
    """Return (intercept, slope) of the log10 of the expected number per hour of item and hour of catalog."""
    top = np.sort(scores)[::-1]
    level = top[n_tail]
    slope = 1 / np.mean(top[:n_tail] - level)  # nepers per unit of score
    intercept = math.log(n_tail / item_hours / catalog_hours) + slope * level
    return intercept / math.log(10), slope / math.log(10)


def report(look, scores, item_hours, catalog_hours):
    """Print how well the fit agrees with what was seen; returns the fit."""
    intercept, slope = fit(scores, N_TAIL, item_hours, catalog_hours)
    print(f"{look}: highest scores {np.sort(scores)[-5:][::-1].round(2)}")
    for level in np.arange(4, 8.1, 0.5):
        expected = 10 ** (intercept - slope * level) * catalog_hours
        print(f"  score {level}: {np.sum(scores >= level) / item_hours:.3f} an hour, fitted {expected:.4f}")
    return {"intercept": round(intercept, 4), "slope": round(slope, 4)}


def draw(folder, path, catalog_h):
    """Draw how often scores were reached, the fit, its 95 % band, and where a million tracks would put the limit."""
    from matplotlib import pyplot as plt

    files = sorted(folder.glob("*.npy"))
    figure, axes = plt.subplots(1, len(files), figsize=(4 * len(files), 4), sharey=True, layout="constrained")
    for axis, file in zip(np.atleast_1d(axes), files, strict=True):
        hours, *scores = np.load(file)
        scores = np.sort(scores)[::-1]
        intercept, slope = fit(scores, N_TAIL, hours, catalog_h)
        level = scores[N_TAIL]
        axis.step(scores[: 3 * N_TAIL], np.log10(np.arange(1, 3 * N_TAIL + 1) / hours), where="post", label="seen")
        ends = (intercept + math.log10(MILLION_TRACKS_H) + 3) / slope
        x = np.linspace(level, ends, 50)
        at_level = intercept + math.log10(catalog_h) - slope * level
        axis.plot(x, at_level - slope * (x - level), label="fitted")
        # The slope's standard error is itself over the root of the number of excesses.
        low, high = (at_level - slope * (1 + s * 1.96 / N_TAIL**0.5) * (x - level) for s in (1, -1))
        axis.fill_between(x, low, high, alpha=0.2, label="95 %")
        for name, catalog in (("this catalog", catalog_h), ("a million tracks", MILLION_TRACKS_H)):
            axis.axhline(-3 - math.log10(catalog / catalog_h), linestyle=":", color="grey")
            axis.text(level, -3 - math.log10(catalog / catalog_h) + 0.08, f"limit, {name}", fontsize=7)
        axis.set(title=file.stem, xlabel="score")
    np.atleast_1d(axes)[0].set(ylabel=f"log10 of matches an hour, catalog of {catalog_h:.0f} h")
    np.atleast_1d(axes)[0].legend(fontsize=7)
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--efforts", nargs="+", default=EFFORTS, choices=EFFORTS)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--looks", nargs="+", default=LOOKS, choices=LOOKS)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--keep", type=Path, help="folder for hours and scores, as .npy files")
    parser.add_argument("--plot", type=Path, help="draw the scores in --keep")
    args = parser.parse_args()
    tracks = music.load_tracks()
    fold = folds.fold_of_packages(N_FOLDS)
    places, catalog_hours = [], []
    for k in range(N_FOLDS):
        packages = {p for p, f in fold.items() if f == k}
        path = folds.catalog_without(packages, f"{k}-of-{N_FOLDS}")
        inside = [i for i, t in enumerate(tracks) if music.package(t.id) in packages]
        catalog_hours.append(sum(t.duration_s for i, t in enumerate(tracks) if i not in inside) / 3600)
        places += [(i, path) for i in inside]
    catalog_h = float(np.mean(catalog_hours))
    if args.plot:
        draw(args.keep, args.plot, catalog_h)
        return
    fitted = json.loads(args.out.read_text())["efforts"] if args.out.exists() else {}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name in args.efforts:
            jobs = [(i, path, name, kind, args.looks) for kind in args.kinds for i, path in places]
            maxima, heard_hours = zip(*pool.map(step_maxima, jobs, chunksize=2), strict=True)
            scores = {look: np.concatenate([m[look] for m in maxima]) for look in maxima[0]}
            hours = sum(heard_hours)
            print(f"{name}: {hours:.1f} h of items against catalogs of {catalog_h:.1f} h")
            fitted.setdefault(name, {}).update({k: report(k, s, hours, catalog_h) for k, s in scores.items()})
            if args.keep:
                args.keep.mkdir(exist_ok=True)
                for look, s in scores.items():
                    np.save(args.keep / f"{name}-{look}.npy", np.concatenate([[hours], s]))
            args.out.write_text(json.dumps({"model": load_model().digest, "efforts": fitted}, indent=1) + "\n")
    print(args.out.read_text())


if __name__ == "__main__":
    main()
