"""Chance matches in many hours: music that is not in the catalog, as it is and transformed, speech, noise and drones.

::

    python benchmarks/negatives.py --effort standard --out OUT

Every track is looked for in the catalog of the packages of the other folds, with a loose limit, so that the number of
matches of each order of odds can be held against what the odds promise: as many an hour as they say. Kinds of items:

- `as_is`: the 19 h of real music;
- `reversed`, `slowed` (x0.85), `raised` (x1.2), `reversed_raised` (x1.1): the same, transformed: music's own statistics
  without being anyone's music. Reported apart from the real hours;
- `speech`: the dialogue, against the catalog of all music; `noise`, `tones`: noise of several colours, and chords of
  sines that fade in and out, made up.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import degradations as d
import folds
import music
from earmark.fingerprint import fingerprint, load_model
from earmark.matching import EFFORTS, Matcher
from false_claims import upper_bound

N_FOLDS = 6
LOOSE = 10.0  # matches an hour
KINDS = ("as_is", "reversed", "slowed", "raised", "reversed_raised", "speech", "noise", "tones")
PIECE_S = 300


def transformed(y, kind):
    if kind.startswith("reversed"):
        y = y[::-1]
    factor = {"slowed": 0.85, "raised": 1.2, "reversed_raised": 1.1}.get(kind)
    return np.ascontiguousarray(y if factor is None else d.speed(y, factor))


def made_up(kind, number):
    """Return a piece of what is no music."""
    rng = np.random.default_rng([44, number])
    n = PIECE_S * music.SR
    if kind == "speech":
        speech = music.load_speech()
        return speech[number * n : (number + 1) * n]
    if kind == "noise":
        return d.noise(np.zeros(n, np.float32) + 1e-3, rng, -20.0, exponent=float(rng.uniform(0, 2)))
    t = np.arange(n) / music.SR
    chord = sum(np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in rng.uniform(150, 2500, 5))
    return (0.1 * chord * (0.6 + 0.4 * np.sin(2 * np.pi * t / rng.uniform(4, 60)))).astype(np.float32)


def listen(job):
    """Return (kind, hours, log10 of the odds of every match, descriptions)."""
    kind, source, catalog_path, effort = job
    model = load_model()
    matcher = Matcher(folds.open_cached(catalog_path), model, effort=effort, max_e_value=LOOSE)
    if isinstance(source, tuple):
        y, name = made_up(kind, source[0]), f"{kind} {source[0]}"
        heard = fingerprint([y], model)
    else:
        track = music.load_tracks()[source]
        name = f"{kind} {track.id}"
        heard = (
            folds.fingerprint_of(track) if kind == "as_is" else fingerprint([transformed(track.samples(), kind)], model)
        )
    catalog = folds.open_cached(catalog_path)
    found = [
        (
            m.log10_e_value,
            f"{name} {m.item_start_s:.0f}-{m.item_end_s:.0f} s: {catalog.track(m.track).track_id} "
            f"{m.track_start_s:.0f} s, tempo {m.tempo_ratio:.3f}, pitch {m.pitch_semitones:+.2f}",
        )
        for m in matcher.match(heard)
    ]
    return kind, heard.n_samples / music.SR / 3600, found


def jobs_of(kinds, effort):
    tracks, fold = music.load_tracks(), folds.fold_of_packages(N_FOLDS)
    jobs = []
    for k in range(N_FOLDS):
        packages = {p for p, f in fold.items() if f == k}
        path = folds.catalog_without(packages, f"{k}-of-{N_FOLDS}")
        inside = [i for i, t in enumerate(tracks) if music.package(t.id) in packages]
        jobs += [(kind, i, path, effort) for kind in kinds if kind in KINDS[:5] for i in inside]
    full = folds.full_catalog()
    n_speech = len(music.load_speech()) // (PIECE_S * music.SR)
    counts = {"speech": n_speech, "noise": 24, "tones": 24}
    return jobs + [(kind, (i,), full, effort) for kind in kinds if kind in counts for i in range(counts[kind])]


def table(results, kinds):
    """Print, for each kind, hours and the number of matches within each limit; returns the figures."""
    limits = [1.0, 0.0, -1.0, -2.0, -3.0]
    print("| kind | hours | " + " | ".join(f"E <= 1e{x:.0f}: seen / promised" for x in limits) + " |")
    print("|---|---|" + "---|" * len(limits))
    figures = {}
    for kind in [*kinds, "all"]:
        rows = [r for r in results if kind in (r[0], "all")]
        hours = sum(r[1] for r in rows)
        odds = [o for r in rows for o, _ in r[2]]
        seen = [sum(o <= x for o in odds) for x in limits]
        print(
            f"| {kind} | {hours:.1f} | "
            + " | ".join(f"{n} / {hours * 10**x:.1f}" for n, x in zip(seen, limits, strict=True))
            + " |"
        )
        figures[kind] = {"hours": hours, "seen": dict(zip(map(str, limits), seen, strict=True))}
    n, hours = figures["all"]["seen"]["-3.0"], figures["all"]["hours"]
    print(f"\n{n} claims at the default limit in {hours:.1f} h: 95 % bound {upper_bound(n, hours):.4f} an hour")
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--effort", choices=EFFORTS, default="standard")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for the figures as JSON")
    args = parser.parse_args()
    jobs = jobs_of(args.kinds, args.effort)
    with ProcessPoolExecutor(args.jobs) as pool:
        results = list(pool.map(listen, jobs, chunksize=2))
    print(f"model {load_model().digest[:16]}, effort {args.effort}")
    figures = table(results, args.kinds)
    for odds, words in sorted(one for r in results for one in r[2])[:12]:
        print(f"  log10 E {odds:.2f}  {words}")
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        named = {"model": load_model().digest, "effort": args.effort, "kinds": figures}
        (args.out / f"negatives-{args.effort}.json").write_text(json.dumps(named, indent=1) + "\n")


if __name__ == "__main__":
    main()
