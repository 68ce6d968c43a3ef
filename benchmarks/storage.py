"""Bytes of disk and of memory for an hour of catalog audio.

::

    python benchmarks/storage.py                 the catalog of all development tracks, 2 processes at a time

Disk: every file of the catalog, by name. Memory: processes that each open the catalog and look for music in it, beside
processes that do the same with a catalog of one track, which is what a process needs whatever its catalog. They run at
the same time, so that PSS, the proportional share of each process, shows what they share: the sum over the processes
is what the machine gives. The catalog's files are mapped, so their pages count as a process's when it has read them,
and the system may drop them again whenever it needs room. Measured twice: after some searches, and after every page of
every file was read. Linux only: reads /proc/self/smaps.
"""

import argparse
import json
import os
import queue
import sys
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

import folds
import music
from earmark.catalog import build_catalog, open_catalog
from earmark.fingerprint import load_model
from earmark.matching import Matcher

N_QUERIES = 5  # tracks of minutes each; a search of a small catalog reads all its vectors at once
QUERY_PACKAGE = "zaz-data"
FIELDS = ("Rss", "Pss", "Private_Clean", "Private_Dirty", "Shared_Clean", "Shared_Dirty", "Anonymous")


def bytes_by_kind(path):
    """Return the bytes of a catalog's files by their names."""
    sizes = Counter()
    for file in path.rglob("*"):
        if file.is_file():
            sizes[file.name] += file.stat().st_size
    return dict(sizes.most_common())


def query_files():
    """Return (id, original file) of the tracks to look for, which are in the catalog."""
    return [(i, path) for i, path in music.music_files() if music.package(i) == QUERY_PACKAGE][:N_QUERIES]


def tiny_catalog():
    """Return the path of a catalog of one track that is looked for: what a process needs whatever its catalog."""
    path = folds.catalogs() / "one-track"
    if not path.exists():
        track_id, source = query_files()[0]
        print(f"catalog of {track_id} alone")
        build_catalog(path, [source], model=load_model(), jobs=1)
    return path


def memory_of_this_process():
    """Return bytes of this process by field of smaps_rollup."""
    return fields_of(Path("/proc/self/smaps_rollup").read_text().splitlines())


def fields_of(lines):
    found = Counter()
    for line in lines:
        name, _, rest = line.partition(":")
        if name in FIELDS:
            found[name] += 1024 * int(rest.split()[0])
    return {name: found[name] for name in FIELDS}


def memory_of_files_in(folder):
    """Return the bytes of this process that map files of a folder, by field."""
    kept, inside = [], False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0] and ":" not in line.split(" ")[0]:  # a mapping begins: addresses, ..., path
            inside = str(folder) in line
        elif inside:
            kept.append(line)
    return fields_of(kept)


def use_catalog(path, items, barrier, answers):
    """Answer with what memory a catalog takes; let nobody wait if that fails."""
    try:
        answers.put(memory_in_use(path, items, barrier))
    except BaseException:
        barrier.abort()
        raise


def memory_in_use(path, items, barrier):
    """Open a catalog, look for items in it, then read all of it; return what memory it took after each."""
    model = load_model()
    catalog = open_catalog(path, model)
    matcher = Matcher(catalog, model)
    tracks = {track.id: track for track in music.load_tracks()}
    for item in items:
        matcher.match(folds.fingerprint_of(tracks[item]))
    barrier.wait()
    searched = memory_of_this_process() | {"of its files": memory_of_files_in(path)}
    barrier.wait()
    for number in range(catalog.n_numbers):
        catalog.words(number).sum()
    barrier.wait()
    read = memory_of_this_process() | {"of its files": memory_of_files_in(path)}
    barrier.wait()
    return searched, read


def measure(path, items, n_processes):
    """Return memory summed over processes that use a catalog at the same time: (after searching, after reading all)."""
    context = get_context("spawn")
    barrier, answers = context.Barrier(n_processes), context.Queue()
    # One thread each, as the workers of a scan.
    os.environ.update(dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    processes = [context.Process(target=use_catalog, args=(path, items, barrier, answers)) for _ in range(n_processes)]
    for process in processes:
        process.start()
    found = []
    while len(found) < n_processes:
        try:
            found.append(answers.get(timeout=1))
        except queue.Empty:
            if any(process.exitcode for process in processes):
                sys.exit(f"a process that used {path} failed")
    for process in processes:
        process.join()
    return tuple(summed([one[k] for one in found]) for k in range(2))


def summed(parts):
    total = {name: sum(part[name] for part in parts) for name in FIELDS}
    return total | {"of its files": {name: sum(part["of its files"][name] for part in parts) for name in FIELDS}}


def private(memory):
    return memory["Private_Clean"] + memory["Private_Dirty"]


def shared(memory):
    return memory["Shared_Clean"] + memory["Shared_Dirty"]


def print_disk(sizes, hours):
    print("\n| file | MB | kB per hour of audio | bytes per second |\n|---|---|---|---|")
    for name, size in [*sizes.items(), ("all", sum(sizes.values()))]:
        print(f"| {name} | {size / 1e6:.2f} | {size / hours / 1e3:.1f} | {size / hours / 3600:.2f} |")


def print_memory(full, tiny, hours, n_processes):
    print(f"\nMB, summed over {n_processes} processes at a time\n")
    print("| | RSS | PSS | private | shared | anonymous | PSS of the catalog's files |\n|---|---|---|---|---|---|---|")
    for when, one, base in zip(("after searching", "after reading all"), full, tiny, strict=True):
        for name, memory in ((f"full catalog, {when}", one), (f"one track, {when}", base)):
            values = [memory["Rss"], memory["Pss"], private(memory), shared(memory), memory["Anonymous"]]
            values.append(memory["of its files"]["Pss"])
            print(f"| {name} | " + " | ".join(f"{value / 1e6:.1f}" for value in values) + " |")
    print()
    for when, one, base in zip(("after searching", "after reading all"), full, tiny, strict=True):
        files = one["of its files"]["Pss"] / hours
        anonymous = (one["Anonymous"] - base["Anonymous"]) / n_processes
        print(
            f"{when}: one copy of the catalog's files for all processes, {files / 1e3:.1f} kB per hour of audio "
            f"({files / 3600:.2f} bytes a second); anonymous memory of a process beyond that with one track: "
            f"{anonymous / 1e6:.1f} MB"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    args = parser.parse_args()
    path = folds.full_catalog()
    hours = folds.open_cached(path).duration_s / 3600
    print(f"model {load_model().digest[:16]}, {folds.open_cached(path).n_tracks} tracks, {hours:.2f} h")
    sizes = bytes_by_kind(path)
    print_disk(sizes, hours)
    items = [track_id for track_id, _ in query_files()]
    tracks = {track.id: track for track in music.load_tracks()}
    matcher = Matcher(folds.open_cached(path), load_model())
    for item in items:  # fingerprints and machine code into their caches: what makes them is not what is measured
        matcher.match(folds.fingerprint_of(tracks[item]))
    tiny, full = (measure(one, items, args.processes) for one in (tiny_catalog(), path))
    print_memory(full, tiny, hours, args.processes)
    if args.json:
        figures = {"model": load_model().digest, "hours": hours, "disk": sizes, "memory": full, "one_track": tiny}
        args.json.write_text(json.dumps(figures | {"processes": args.processes}, indent=1) + "\n")


if __name__ == "__main__":
    main()
