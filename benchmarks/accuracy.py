"""Recall at the default threshold, for excerpts of the test packages against a catalog of all development tracks.

::

    python benchmarks/accuracy.py --effort standard              the core cells, 300 queries each, 5 and 10 s
    python benchmarks/accuracy.py --cells clean --seconds 3 --queries 2000
    python benchmarks/accuracy.py --cells long_speed long_tempo --seconds 10 30
    python benchmarks/accuracy.py --cells composed --queries 100

Queries come from `queries.py`, made when they are not kept already. `long_CELL` puts each query at a random place of a
5-minute item; `composed` are mixes of 2 to 5 minutes. Both are scanned against a catalog without the packages that
fill them up.

`found`: a match with the right track there. `at 10^6`: with odds that a catalog of a million tracks would accept as
well (E x 66,667 h / hours of this catalog). `worst tenth`: of the range that speed, pitch, tempo or level was drawn
from, the tenth that is found least. `offset`: the best match begins within 0.25 s of the right place of the track, or
at a place that sounds the same (loops). `others`: queries in which something is claimed that is not there. `start` and
`end`: median and 95 % quantile of how far matches begin and end from where they should, seconds of the item. `tempo`
and `pitch`: share of those found whose tempo is right to 1 %, and pitch to 0.2 semitones. `CPU`: fingerprint and
matching, without decoding. Intervals are 95 %, by bootstrap over tracks.
"""

import argparse
import dataclasses
import functools
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cells
import composed
import folds
import music
import queries
import stems
import tables
from earmark.fingerprint import fingerprint, load_model
from earmark.matching import Matcher
from judging import Judge, seconds_of

DEFAULT_MAX_E_VALUE = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What is the same for all queries of a run."""

    effort: str
    max_e_value: float
    seed: int


@functools.lru_cache(maxsize=2)
def _tools(catalog_path, settings):
    """Return (matcher, judge) of a catalog, once in a process."""
    catalog, model = folds.open_cached(catalog_path), load_model()
    matcher = Matcher(catalog, model, effort=settings.effort, max_e_value=settings.max_e_value)
    return matcher, Judge(catalog, model.config.words_per_second)


def is_long(name):
    """Return whether a cell is of long items, and needs the catalog without fillers."""
    return name.startswith("long_") or name == composed.COMPOSED


def catalog_of(name):
    """Return the path of the catalog that a cell is scanned against."""
    if name in stems.STEMS:
        return stems.stem_catalog()
    return composed.filler_catalog() if is_long(name) else folds.full_catalog()


def prepare(job):
    """Make one query of a cell, unless it is kept; `job` is (number, cell name, seconds, settings)."""
    number, name, seconds, settings = job
    if name == composed.COMPOSED:
        composed.prepare_mix(number, settings.seed)
    else:
        queries.prepare((number, cells.parse(name.removeprefix("long_")), seconds, settings.seed))


def _query(number, name, seconds, seed):
    """Return (query, faint segments)."""
    if name == composed.COMPOSED:
        return composed.kept_mix(number, seed)
    query = queries.kept(number, cells.parse(name.removeprefix("long_")), seconds, seed)
    return (composed.surrounded(query, seed) if name.startswith("long_") else query), ()


def measure(job):
    """Return what became of one query, as a dictionary for JSON."""
    number, name, seconds, settings = job
    matcher, judge = _tools(catalog_of(name), settings)
    query, faint = _query(number, name, seconds, settings.seed)
    before = time.process_time()
    matches = matcher.match(fingerprint([query.samples()], load_model()))
    cpu_s = time.process_time() - before
    judgement = dataclasses.asdict(judge.judge(matches, query.truth, faint))
    result = {
        "cell": name,
        "seconds": seconds,
        "number": number,
        "track": query.truth[0].track_id if query.truth else "",
    }
    result |= {
        "item_s": len(query.pcm) / music.SR,
        "change": dataclasses.asdict(query.change),
        "cpu_s": cpu_s,
    } | judgement
    if name == composed.COMPOSED:
        result["seconds_of_claims"] = seconds_of(judge, matches, query.truth, faint, result["item_s"])
    return result


def run(names, lengths, n_queries, settings, jobs):
    """Yield the results of every cell and length as a list."""
    music.load_tracks(), music.load_speech()
    for name in names:
        catalog_of(name)
    with ProcessPoolExecutor(jobs) as pool:
        for name in names:
            for seconds in (0,) if name == composed.COMPOSED else lengths:
                work = [(number, name, seconds, settings) for number in range(n_queries)]
                list(pool.map(prepare, work, chunksize=5))
                yield list(pool.map(measure, work, chunksize=5))


def catalog_hours(name):
    """Return the hours of the catalog that a cell is scanned against."""
    return folds.open_cached(catalog_of(name)).duration_s / 3600


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", nargs="+", default=["core"], help="names of cells; `core` and `every` are sets")
    parser.add_argument("--seconds", nargs="+", type=int, default=[5, 10])
    parser.add_argument("--queries", type=int, default=300, help="a cell and length")
    parser.add_argument("--effort", default="fast")
    parser.add_argument("--max-e-value", type=float, default=DEFAULT_MAX_E_VALUE)
    parser.add_argument("--seed", type=int, default=queries.SEED)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for results.jsonl, summary.json, accuracy.md and plots")
    args = parser.parse_args()
    settings = Settings(effort=args.effort, max_e_value=args.max_e_value, seed=args.seed)
    names = cells.expanded(args.cells)
    print(
        f"model {load_model().digest[:16]}, effort {args.effort}, --max-e-value {args.max_e_value:g}, seed {args.seed}"
    )
    print(tables.HEADER, flush=True)
    results, rows = [], []
    for some in run(names, args.seconds, args.queries, settings, args.jobs):
        results += some
        rows.append(tables.row(some, catalog_hours(some[0]["cell"])))
        print(tables.markdown_row(rows[-1]), flush=True)
    if args.out:
        about = {"model": load_model().digest, "processors": os.cpu_count()} | dataclasses.asdict(settings)
        write(args.out, about, rows, results)


def write(out, about, rows, results):
    """Write everything of a run into a folder."""
    import plots

    out.mkdir(parents=True, exist_ok=True)
    (out / "results.jsonl").write_text("".join(json.dumps(r) + "\n" for r in results))
    (out / "summary.json").write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n")
    lines = [tables.HEADER, *map(tables.markdown_row, rows)]
    (out / "accuracy.md").write_text(tables.heading(about) + "\n".join(lines) + "\n" + tables.claims(results))
    plots.draw_all(results, out)


if __name__ == "__main__":
    main()
