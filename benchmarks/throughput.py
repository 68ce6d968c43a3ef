"""What a scan costs beside decoding alone and beside fpcalc, in one run: processor time, scaling, memory, long files.

::

    python benchmarks/throughput.py                                  mp3, every effort, 60 tracks, 3 rounds
    python benchmarks/throughput.py --codecs mp3 flac vorbis opus aac wav --parts cost
    python benchmarks/throughput.py --catalog 100k.catalog           any other catalog, as it is
    python benchmarks/throughput.py --parts memory long --efforts standard thorough

`cost` is CPU seconds per hour of audio. `D` is our own reader down to mono 8 kHz and nothing more, in one process. `F`
is `fpcalc -length 0` (Debian libchromaprint-tools), a process a file: decoding and chromaprint, without any search.
Efforts are the command line's scan against the catalog of all development tracks less those that are not to be found
(`--found`), all workers together; what is found costs more at effort `fast` (extents, measuring) and less at the others
(no sweep). Times are user and system time of the processes and of all that they waited for; rounds are interleaved, so
that whatever else the machine does falls on all of them alike. Start-up is what the same costs for 3 s of noise a
worker: it is paid once a scan, not once an hour.

`scaling` is how much sooner two workers are done than one, start-up left out, beside how much sooner two readers are:
the machine's own share. `memory` is what each of two workers has to itself at most. `long` is one file of ten hours.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import numpy as np
import soundfile

import encoded_music
import folds
import processes
from earmark import audio
from earmark.fingerprint import load_model
from earmark.matching import EFFORTS

PARTS = ("cost", "scaling", "memory", "long")
DECODE = """
import sys
from earmark import audio
for path in sys.argv[1:]:
    with audio.stream(path) as stream:
        for y in stream:
            pass
"""
MB = 1e6


def decode(paths, **watching):
    return processes.run([sys.executable, "-c", DECODE, *paths], **watching)


def fpcalc_s(paths):
    # fpcalc 1.5.1 takes FFmpeg's end of file for an error and exits with 3, after it has printed the whole fingerprint.
    command = ["fpcalc", "-length", "0"]
    return sum(processes.run([*command, path], sign_of_success="FINGERPRINT=").cpu_s for path in paths)


def scan(corpus, catalog, effort, jobs, **watching):
    with tempfile.TemporaryDirectory() as folder:
        options = ["--catalog", catalog, "--out", Path(folder) / "scan", "--effort", effort, "--jobs", jobs]
        command = [sys.executable, "-c", "from earmark.cli import main; main()", "--quiet", "scan", corpus, *options]
        return processes.run(command, **watching)


def start(catalog, effort, jobs):
    """Return what decoding and a scan take with next to nothing to decode or scan, each worker having one item."""
    with tempfile.TemporaryDirectory() as scratch:
        for k in range(jobs):  # long enough to be looked for, too short to cost anything
            y = 0.1 * np.random.default_rng(k).standard_normal(3 * audio.SAMPLE_RATE, dtype=np.float32)
            soundfile.write(Path(scratch) / f"noise-{k}.wav", y, audio.SAMPLE_RATE)
        return decode([Path(scratch) / "noise-0.wav"]), scan(scratch, catalog, effort, jobs)


def seconds_of(paths):
    """Return the seconds of audio in files."""
    seconds = 0.0
    for path in paths:
        with audio.stream(path) as stream:
            for _ in stream:
                pass
            seconds += stream.decoded_s
    return seconds


def measure_cost(corpus, catalog, args):
    """Return the CPU seconds of each round: {name: [s]}."""
    paths, rounds = sorted(corpus.iterdir()), defaultdict(list)
    for number in range(args.rounds):
        # The order turns, so that none of them is always the one after a pause.
        kinds = [("D", lambda: decode(paths).cpu_s), ("F", lambda: fpcalc_s(paths))]
        kinds += [(effort, lambda e=effort: scan(corpus, catalog, e, args.jobs).cpu_s) for effort in args.efforts]
        turn = number % len(kinds)
        for name, run in kinds[turn:] + kinds[:turn]:
            rounds[name].append(run())
        for effort in args.efforts:
            decoding, scanning = start(catalog, effort, args.jobs)
            rounds[f"{effort} start"].append(scanning.cpu_s)
        rounds["D start"].append(decoding.cpu_s)
        print(f"round {number + 1}: " + ", ".join(f"{name} {s[-1]:.2f} s" for name, s in rounds.items()), flush=True)
    return dict(rounds)


def print_cost(codec, rounds, efforts, hours):
    """Print CPU seconds per hour of audio, least and median, and the ratios."""
    print(f"\n| {codec}: CPU s per hour | least | median | x D (least) | x F (least) |\n|---|---|---|---|---|")
    least = {name: min(seconds) for name, seconds in rounds.items()}
    for name in ("D", "F", *efforts):
        print(
            f"| {name} | {least[name] / hours:.2f} | {statistics.median(rounds[name]) / hours:.2f} "
            f"| {least[name] / least['D']:.2f} | {least[name] / least['F']:.2f} |"
        )
    net = {name: least[name] - least[f"{name} start"] for name in ("D", *efforts)}
    for name, seconds in net.items():
        print(
            f"| {name}, less its start-up | {seconds / hours:.2f} | | {seconds / net['D']:.2f} "
            f"| {seconds / least['F']:.2f} |"
        )
    starts = ", ".join(f"{name} {least[f'{name} start']:.2f} s" for name in net)
    print(f"\nstart-up, once a run: {starts}")


def two_readers_s(paths):
    """Return the seconds that two processes take to decode half of the files each."""
    command = [sys.executable, "-c", DECODE]
    halves = [[*command, *map(str, paths[k::2])] for k in range(2)]
    began = time.monotonic()
    pids = [os.spawnv(os.P_NOWAIT, half[0], half) for half in halves]
    for pid in pids:
        os.waitpid(pid, 0)
    return time.monotonic() - began


def measure_scaling(corpus, catalog, args):
    """Return the least wall seconds of one and of two workers, and of one and of two readers."""
    paths, found = sorted(corpus.iterdir()), defaultdict(list)
    for _ in range(args.rounds):
        found["D, 1 process"].append(decode(paths).wall_s)
        found["D, 2 processes"].append(two_readers_s(paths))
        for effort in args.efforts:
            for jobs in (1, 2):
                net_s = scan(corpus, catalog, effort, jobs).wall_s - start(catalog, effort, jobs)[1].wall_s
                found[f"{effort}, {jobs} process{'es'[: 2 * (jobs - 1)]}"].append(net_s)
    return {name: min(seconds) for name, seconds in found.items()}


def print_scaling(found, efforts):
    print("\n| | s, 1 process | s, 2 processes | gain |\n|---|---|---|---|")
    for name in ("D", *efforts):
        one, two = found[f"{name}, 1 process"], found[f"{name}, 2 processes"]
        print(f"| {name} | {one:.2f} | {two:.2f} | {one / two:.2f} |")


def measure_memory(corpus, catalog, args, jobs):
    """Return the usage of a watched scan at each effort."""
    return {effort: scan(corpus, catalog, effort, jobs, watch=True) for effort in args.efforts}


def print_memory(usages, hours):
    """Print what each process had, and what it took."""
    print("\n| process | MB, its own | of no file | all that it maps | CPU s per hour |\n|---|---|---|---|---|")
    for effort, usage in usages.items():
        rows = [(f"{effort}, worker {k + 1}", memory) for k, memory in enumerate(usage.workers)]
        for name, memory in [*rows, (f"{effort}, main", usage.main)]:
            figures = (memory.private, memory.anonymous, memory.resident)
            per_hour = f"{usage.cpu_s / hours:.2f}" if name.endswith("main") else ""
            print(f"| {name} | {' | '.join(f'{figure / MB:.0f}' for figure in figures)} | {per_hour} |")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--codecs", nargs="+", choices=encoded_music.CODECS, default=["mp3"])
    parser.add_argument("--tracks", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--found", type=float, default=0.1, help="share of the tracks that are in the catalog")
    parser.add_argument("--catalog", type=Path, help="scan against this one, whatever it holds")
    parser.add_argument("--efforts", nargs="+", choices=EFFORTS, default=EFFORTS)
    parser.add_argument("--jobs", type=int, default=1, help="workers where the part does not say how many")
    parser.add_argument("--hours", type=float, default=10.0, help="of the long file")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    args = parser.parse_args()
    missing = [tool for tool in ("ffmpeg", "fpcalc") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"throughput.py needs {' and '.join(missing)} (Debian: ffmpeg, libchromaprint-tools)")
    return args


def main():
    args, figures = parse(), {"model": load_model().digest}
    chosen = encoded_music.choose_tracks(args.tracks)
    catalog_path = args.catalog or encoded_music.catalog_with_some(chosen, args.found)
    catalog = folds.open_cached(catalog_path)
    print(
        f"model {load_model().digest[:16]}; catalog of {catalog.n_tracks:,} tracks, {catalog.duration_s / 3600:,.2f} h"
    )
    for codec in args.codecs:
        corpus = encoded_music.corpus(codec, chosen)
        hours = seconds_of(sorted(corpus.iterdir())) / 3600
        print(f"\n## {codec}: {args.tracks} files, {hours:.2f} h", flush=True)
        found = figures[codec] = {"hours": hours}
        if "cost" in args.parts:
            found["cost"] = measure_cost(corpus, catalog_path, args)
            print_cost(codec, found["cost"], args.efforts, hours)
        if "scaling" in args.parts:
            found["scaling"] = measure_scaling(corpus, catalog_path, args)
            print_scaling(found["scaling"], args.efforts)
        if "memory" in args.parts:
            usages = measure_memory(corpus, catalog_path, args, 2)
            print_memory(usages, hours)
            found["memory"] = {effort: asdict(usage) for effort, usage in usages.items()}
        if "long" in args.parts:
            long = encoded_music.long_file(codec, args.hours, chosen)
            print(f"\none file of {args.hours:g} h: D {decode([long]).cpu_s / args.hours:.2f} CPU s per hour")
            usages = measure_memory(long, catalog_path, args, 1)
            print_memory(usages, args.hours)
            found["long"] = {effort: asdict(usage) for effort, usage in usages.items()}
        if args.json:
            args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
