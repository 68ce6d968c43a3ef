"""Catalogs of a thousand to a million tracks: what building and searching them costs, and what is found in them.

::

    python benchmarks/enlarging.py --tracks 20000 --out TRACKS          fingerprints of real audio, see there
    python benchmarks/scale.py TRACKS --out OUT --sizes 1000 10000 100000 1000000
    python benchmarks/scale.py --out OUT --report                       table and plot of what was measured

The tracks in TRACKS come first in every catalog, as many as there are. What is missing is made up from them, said to be
`resampled`: a track of four minutes with the lists of a real track's patches, from end to beginning, and in each patch
four parts of the code, each of a random real vector of the same list. So neighbours are as near and as many as real
ones are, and no resampled track holds a stretch of a real one. Their words are a hole in the file; where the search
asks for them it is given those of a real track, so that it has as much to verify.

Queries are 5 s excerpts of test tracks, in the cells below, as `queries.py` keeps them; items to measure time with are
blends that are in no catalog. D is what Earmark's reader takes to decode mp3 down to mono at 8 kHz.
"""

import argparse
import functools
import json
import resource
import shutil
import time
from pathlib import Path

import numpy as np

import cells
import enlarging
import music
import queries
from earmark import audio
from earmark.catalog import Layout, open_catalog
from earmark.catalog.lists import LEVELS, load_lists, newest_lists
from earmark.catalog.manifest import BLOCKS, LISTS, SEGMENTS, TABLE, TRACKS, WORDS, FileEntry, Manifest, SegmentEntry
from earmark.catalog.segment import SegmentWriter
from earmark.catalog.storage import describe_file, replace_manifest
from earmark.catalog.track import Sketch, TrackTags
from earmark.catalog.track_table import TrackRow, write_track_table
from earmark.catalog.vector_writer import write_lists
from earmark.fingerprint import fingerprint, load_model
from earmark.matching import Matcher
from earmark.matching.effort import effort_named
from earmark.matching.voting import vote
from storage import memory_of_files_in, memory_of_this_process

CELLS = ("clean", "mp3_32", "telephone", "reverb", "white_0", "pink_-5", "speech_-6", "babble_0")
PATCHES, WORDS_EACH = 234, 3750
"""Of a resampled track: four minutes."""
N_PARTS = 4
FIRST_ITEM, N_ITEMS = 30_000, 3
PATCHES_PER_SECOND = 31.25 / 8
NEARLY_ALL = LEVELS[-1] // 8


def read_blocks(folder, n_tracks):
    """Yield (patches, words, n_samples, seconds of CPU) of the tracks that there are, up to `n_tracks`."""
    number = 0
    for path in sorted(folder.glob("block-?????.npz")):
        block = enlarging.read_block(path)
        patches = np.split(block.patches, np.cumsum(block.n_patches)[:-1])
        words = np.split(block.words, np.cumsum(block.n_words)[:-1])
        for one in zip(patches, words, block.n_samples, block.seconds, strict=True):
            if number == n_tracks:
                return
            yield one
            number += 1


def write_real(path, folder, n_tracks):
    """Write the segments of real tracks; returns (entries, CPU seconds of fingerprinting, of the rest)."""
    model, entries, fingerprinting = load_model(), [], 0.0
    began = time.process_time()
    with SegmentWriter(path, "0001", model, Layout()) as writer:
        for number, (patches, words, n_samples, seconds) in enumerate(read_blocks(folder, n_tracks)):
            tags = TrackTags(track_id=f"track-{number:07d}", title=f"Track {number}", label="Development music")
            writer.add(tags, Sketch(n_samples=int(n_samples), words=words, patches=patches, content=content_of(number)))
            fingerprinting += seconds
        entries.append(writer.finish())
    return entries, fingerprinting, time.process_time() - began


def content_of(number):
    return number.to_bytes(32, "little")


def pools(path):
    """Return of the real vectors: the codes sorted by list, where each list begins, and the list of every patch."""
    catalog = open_catalog(path, load_model())
    codes, spoken = catalog._segments[0]._vectors.codes()
    lists = load_lists(load_model()).assign(codes[spoken], LEVELS[-1]).astype(np.int64)
    order = np.argsort(lists, kind="stable")
    starts = np.searchsorted(lists[order], np.arange(LEVELS[-1] + 1))
    return codes[spoken][order], starts, lists[::-1]


def resampled(rng, n_vectors, codes, starts, lists):
    """Return codes and lists of resampled vectors."""
    here = np.resize(np.roll(lists, int(rng.integers(len(lists)))), n_vectors)
    made = np.empty((n_vectors, codes.shape[1]), np.uint8)
    width = codes.shape[1] // N_PARTS
    sizes = np.diff(starts)
    for part in range(N_PARTS):
        source = starts[here] + (rng.random(n_vectors, np.float32) * sizes[here]).astype(np.int64)
        made[:, part * width : (part + 1) * width] = codes[source, part * width : (part + 1) * width]
    return made, here


def write_resampled(path, name, first, n_tracks, pool):
    """Write a segment of resampled tracks."""
    directory = path / SEGMENTS / name
    directory.mkdir()
    layout, n_vectors = Layout(), n_tracks * PATCHES
    n_lists = layout.n_lists(n_vectors)
    rng = np.random.default_rng(first)
    parts = [resampled(rng, min(1 << 20, n_vectors - i), *pool) for i in range(0, n_vectors, 1 << 20)]
    codes, lists = (np.concatenate(some) for some in zip(*parts, strict=True))
    lists = (lists // (LEVELS[-1] // n_lists)).astype(np.uint16)
    with (directory / LISTS).open("xb") as file:
        write_lists(file, codes, np.arange(n_vectors), lists, n_lists).tofile(directory / TABLE)
    rows = (
        TrackRow(
            tags=TrackTags(track_id=f"track-{first + i:07d}", title=f"Track {first + i}", label="Resampled"),
            n_samples=PATCHES * 8192,
            content=content_of(first + i),
            first_word=i * WORDS_EACH,
            n_words=WORDS_EACH,
            first_patch=i * PATCHES,
            n_patches=PATCHES,
        )
        for i in range(n_tracks)
    )
    write_track_table(directory, rows)
    files = {key: describe_file(directory / key) for key in (TRACKS, LISTS, TABLE)} | hole(directory, n_tracks)
    return SegmentEntry(
        name=name,
        n_tracks=n_tracks,
        n_patches=n_vectors,
        n_vectors=n_vectors,
        n_words=n_tracks * WORDS_EACH,
        n_lists=n_lists,
        n_probes=layout.n_probes(n_lists),
        lists=newest_lists(load_model()),
        files=files,
    )


def hole(directory, n_tracks):
    """Make a file of words that takes no room, and its sums."""
    with (directory / WORDS).open("wb") as file:
        file.truncate(n_tracks * WORDS_EACH * 8)
    n_blocks = -(-n_tracks * WORDS_EACH * 8 // (1 << 16))
    (directory / BLOCKS).write_bytes(bytes(4 * n_blocks))
    return {
        WORDS: FileEntry(n_bytes=n_tracks * WORDS_EACH * 8, sha256="0" * 64),
        BLOCKS: describe_file(directory / BLOCKS),
    }


def build(path, folder, n_tracks):
    """Build a catalog; returns what that took."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    entries, fingerprinting_s, writing_s = write_real(path, folder, n_tracks)
    save(path, entries)
    n_real, began = entries[0].n_tracks, time.process_time()
    hours = sum(int(n) for _, _, n, _ in read_blocks(folder, n_tracks)) / music.SR / 3600
    if n_tracks > n_real:
        pool, per_segment = pools(path), Layout().max_patches // PATCHES
        for first in range(n_real, n_tracks, per_segment):
            name = f"{len(entries) + 1:04d}"
            entries.append(write_resampled(path, name, first, min(per_segment, n_tracks - first), pool))
        save(path, entries)
    return {
        "tracks": n_tracks,
        "real": n_real,
        "real_hours": hours,
        "fingerprinting_s": fingerprinting_s,
        "writing_s": writing_s,
        "resampling_s": time.process_time() - began,
    }


def save(path, entries):
    config, digest = load_model().config.digest, load_model().digest
    manifest = Manifest(written_by="scale.py", config_digest=config, model_digest=digest, segments=tuple(entries))
    replace_manifest(path, manifest)


@functools.cache
def excerpts(n):
    """Return [(cell, query, fingerprint)] of `n` kept queries a cell."""
    model, made = load_model(), []
    for cell in CELLS:
        for number in range(n):
            query = queries.kept(number, cells.parse(cell), 5)
            made.append((cell, query, fingerprint([query.samples()], model)))
    return made


@functools.cache
def number_of():
    return {track.id: i for i, track in enumerate(music.load_tracks())}


def with_words(catalog, n_real):
    """Give resampled tracks the words of real ones."""
    own = catalog.words
    catalog.words = lambda number: own(number if number < n_real else number % n_real)
    return catalog


def set_probes(catalog, n_probes):
    """Have a catalog look into so many lists of each segment, or all; returns how many it did look into."""
    indexes = [segment._vectors for segment in catalog._segments]
    before = [index._n_probes for index in indexes]
    for index, n in zip(indexes, n_probes or [len(index._sizes) for index in indexes], strict=True):
        index._n_probes = n
    return before


def among_candidates(catalog, some, k, n_candidates):
    """Return for each excerpt whether the true place is among the candidates, and CPU seconds of search a patch."""
    found, seconds, n_patches = [], 0.0, 0
    patches = np.concatenate([one.patches for _, _, one in some])
    began = time.process_time()
    answers = [catalog.search(patches[i : i + 1024], k) for i in range(0, len(patches), 1024)]
    seconds, n_patches = time.process_time() - began, len(patches)
    tracks, positions, products = (np.concatenate(part) for part in zip(*answers, strict=True))
    at = 0
    for _, query, made in some:
        rows = slice(at, at + len(made.patches))
        at += len(made.patches)
        offsets = positions[rows].astype(np.int64) * 4 - np.arange(len(made.patches))[:, None]
        voted, where, _ = vote(tracks[rows], offsets, products[rows], n_candidates)
        true = query.truth[0]
        near = abs(where - true.track_start_s * PATCHES_PER_SECOND) < 2.5
        found.append(bool(((voted == number_of()[true.track_id]) & near).any()))
    return np.array(found), seconds / n_patches


def claimed(catalog, some, model):
    """Return for each excerpt whether it is claimed as what it is, with effort `fast`."""
    matcher = Matcher(catalog, model, effort="fast")
    return np.array(
        [
            any(match.track == number_of()[query.truth[0].track_id] for match in matcher.match(made))
            for _, query, made in some
        ]
    )


@functools.cache
def items():
    """Return fingerprints of blends that are in no catalog."""
    model = load_model()
    return [fingerprint([enlarging.samples(FIRST_ITEM + i).astype(np.float32)], model) for i in range(N_ITEMS)]


def item_costs(catalog, model):
    """Return CPU ms of each step, a second of item audio."""
    seconds = sum(one.n_samples for one in items()) / music.SR
    costs = {}
    for effort in ("fast", "standard"):
        matcher = Matcher(catalog, model, effort=effort)
        for one in items():  # once before: blocks of words are checked at their first use
            matcher.match(one)
        began = time.process_time()
        for one in items():
            matcher.match(one)
        costs[effort] = 1e3 * (time.process_time() - began) / seconds
    k = effort_named("fast").hits_per_patch
    began = time.process_time()
    for one in items():
        catalog.search(one.patches, k)
    costs["search"] = 1e3 * (time.process_time() - began) / seconds
    return costs


def decoding_ms():
    """Return D: CPU ms a second of mp3."""
    paths = sorted((music.cache() / "bench").rglob("*.mp3"))[:4]
    spent = decoded = 0.0
    for path in paths:
        began = time.process_time()
        with audio.stream(path) as stream:
            for _ in stream:
                pass
        spent, decoded = spent + time.process_time() - began, decoded + stream.decoded_s
    return 1e3 * spent / decoded


def measure(path, about, n_queries, n_exact, ks):
    """Return what searching a catalog costs and finds."""
    model = load_model()
    began, cpu = time.perf_counter(), time.process_time()
    catalog = open_catalog(path, model)
    opened = {"open_s": time.perf_counter() - began, "open_cpu_s": time.process_time() - cpu}
    catalog = with_words(catalog, about["real"])
    some = excerpts(n_queries)
    kept = np.concatenate([np.arange(len(CELLS) * n_queries).reshape(len(CELLS), -1)[:, :n_exact].ravel()])
    effort = effort_named("fast")
    found, per_patch = among_candidates(catalog, some, effort.hits_per_patch, effort.candidates_per_window)
    found, per_patch = among_candidates(catalog, some, effort.hits_per_patch, effort.candidates_per_window)
    result = about | opened | {"us_per_patch": 1e6 * per_patch, "candidates": by_cell(found, n_queries)}
    named = claimed(catalog, some, model)
    result |= {"claimed": by_cell(named, n_queries)}
    result |= {"ms_per_s": item_costs(catalog, model), "D_ms": decoding_ms()}
    result["memory"] = memory_of_this_process() | {"files": memory_of_files_in(path)}
    result["disk"] = {file.name: 0 for file in path.rglob("*") if file.is_file()}
    for file in path.rglob("*"):
        if file.is_file():
            result["disk"][file.name] += file.stat().st_size
    result["by_k"] = {}
    for k, n in ks:
        more, cost = among_candidates(catalog, some, k, n)
        result["by_k"][f"{k}/{n}"] = [float(more.mean()), 1e6 * cost]
    few = [some[i] for i in kept]
    every = [min(len(s._vectors._sizes), NEARLY_ALL if about["tracks"] > 200_000 else 10**9) for s in catalog._segments]
    before = set_probes(catalog, every)
    exact, exact_cost = among_candidates(catalog, few, effort.hits_per_patch, effort.candidates_per_window)
    named_exact = claimed(catalog, few, model) if about["tracks"] <= 200_000 else None
    set_probes(catalog, before)
    result["exact"] = {
        "of": len(few),
        "lists": every,
        "probes": before,
        "candidates": float(exact.mean()),
        "candidates_listed": float(found[kept].mean()),
        "claimed": None if named_exact is None else float(named_exact.mean()),
        "claimed_listed": float(named[kept].mean()),
        "us_per_patch": 1e6 * exact_cost,
    }
    result["max_rss_kb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return result


def report(out):
    """Print a table of what was measured, and draw it."""
    found = sorted((json.loads(path.read_text()) for path in out.glob("measured-*.json")), key=lambda r: r["tracks"])
    print(
        "| tracks | of them real | index and tables, MB | open, s | search, us a patch | search, x D | fast, x D |",
        end="",
    )
    print(" standard, x D | among candidates | nearly all lists | claimed |\n|" + "---|" * 11)
    for r in found:
        size = sum(n for name, n in r["disk"].items() if name != WORDS) / 1e6
        costs = [r["ms_per_s"][key] / r["D_ms"] for key in ("search", "fast", "standard")]
        exact = f"{r['exact']['candidates']:.3f} ({r['exact']['candidates_listed']:.3f} of the same)"
        print(
            f"| {r['tracks']:,} | {r['real']:,} | {size:,.0f} | {r['open_s']:.2f} | {r['us_per_patch']:.0f} | "
            + " | ".join(f"{cost:.2f}" for cost in costs)
            + f" | {r['candidates']['all']:.3f} | {exact} | {r['claimed']['all']:.3f} |"
        )
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    sizes = [r["tracks"] for r in found]
    for key in ("search", "fast", "standard"):
        axes[0].loglog(sizes, [r["ms_per_s"][key] / r["D_ms"] for r in found], "o-", label=key)
    axes[0].set(xlabel="tracks", ylabel="CPU, times decoding")
    axes[0].legend()
    axes[1].semilogx(sizes, [r["candidates"]["all"] for r in found], "o-", label="among candidates")
    axes[1].semilogx(sizes, [r["claimed"]["all"] for r in found], "o-", label="claimed, effort fast")
    axes[1].set(xlabel="tracks", ylabel="recall of 5 s", ylim=(0, 1))
    axes[1].legend()
    figure.savefig(out / "scale.png", dpi=120)


def by_cell(found, n):
    return dict(zip(CELLS, found.reshape(len(CELLS), n).mean(axis=1).tolist(), strict=True)) | {
        "all": float(found.mean())
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tracks", type=Path, nargs="?")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=40, help="a cell")
    parser.add_argument("--exact", type=int, default=15, help="of them with an exact search")
    parser.add_argument("--measure-only", action="store_true")
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    if args.report:
        report(args.out)
        return
    for size in args.sizes:
        path = args.out / f"catalog-{size}"
        about_path = args.out / f"built-{size}.json"
        if not args.measure_only:
            about_path.write_text(json.dumps(build(path, args.tracks, size)) + "\n")
        about = json.loads(about_path.read_text())
        print(json.dumps(about), flush=True)
        ks = [(20, 60), (20, 150), (40, 60), (40, 150), (80, 150)]
        result = measure(path, about, args.queries, args.exact, ks)
        (args.out / f"measured-{size}.json").write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
