"""CPU seconds per hour of mp3: a whole scan at every effort, beside decoding alone and beside fpcalc, in one run.

::

    python benchmarks/cpu.py                     60 tracks, 3 rounds; one in ten of them is in the catalog
    python benchmarks/cpu.py --tracks 4 --rounds 1 --found 1.0 --efforts fast

`D` is our own reader down to mono 8 kHz and nothing more, in one process. `F` is `fpcalc -length 0` (Debian
libchromaprint-tools), a process a file: decoding and chromaprint, without any search. Efforts are the command line's
scan against the catalog of all development tracks less those that are not to be found, all workers together; what is
found costs more at effort `fast` (extents, measuring) and less at the others (no sweep). Times are user and system time
of the processes and of all that they waited for; rounds are interleaved, so that whatever else the machine does falls
on all of them alike. Start-up is what the same costs for 3 s of noise a worker: it is paid once a scan, not once an
hour.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile

import folds
import music
from earmark import audio
from earmark.catalog import remove_tracks
from earmark.fingerprint import load_model
from earmark.matching import EFFORTS

MAX_TRACK_S = 900  # no track should weigh more than a few per cent
BIT_RATE = "128k"
DECODE = """
import sys
from earmark import audio
for path in sys.argv[1:]:
    with audio.stream(path) as stream:
        for y in stream:
            pass
"""


def choose_tracks(n):
    """Choose tracks, one from each package in turn, until there are `n`."""
    by_package = defaultdict(list)
    for track in music.load_tracks():
        if track.duration_s <= MAX_TRACK_S:
            by_package[music.package(track.id)].append(track.id)
    longest = max(map(len, by_package.values()))
    return [ids[turn] for turn in range(longest) for ids in by_package.values() if turn < len(ids)][:n]


def encode(track_id, source, folder):
    """Encode an original file to stereo mp3 at 44.1 kHz, once; returns the path."""
    path = folder / (track_id.replace("/", "__") + ".mp3")
    if not path.exists():
        partial = path.with_suffix(".partial")
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-y",
            "-i",
            str(source),
            "-vn",
            "-map_metadata",
            "-1",
            "-ac",
            "2",
            "-ar",
            "44100",
        ]
        subprocess.run([*command, "-b:a", BIT_RATE, "-f", "mp3", str(partial)], check=True)
        partial.rename(path)
    return path


def cpu_s(command, sign_of_success=None):
    """Run a command to its end; returns user and system seconds of it and of all the processes it waited for."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if process.returncode != 0 and (sign_of_success is None or sign_of_success not in printed):
        sys.exit(f"{command[:6]} ended with exit code {process.returncode}:\n{printed[-2000:]}")
    return usage.ru_utime + usage.ru_stime


def decode_s(paths):
    return cpu_s([sys.executable, "-c", DECODE, *paths])


def fpcalc_s(paths):
    # fpcalc 1.5.1 takes FFmpeg's end of file for an error and exits with 3, after it has printed the whole fingerprint.
    return sum(cpu_s(["fpcalc", "-length", "0", path], "FINGERPRINT=") for path in paths)


def catalog_with_some(track_ids, share):
    """Return the path of the full catalog less all but a share of some tracks."""
    missing = [t for i, t in enumerate(track_ids) if int((i + 1) * share) == int(i * share)]
    path = folds.scratch() / f"cpu-{len(track_ids)}-{share:g}"
    if not path.exists():
        partial = path.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folds.full_catalog(), partial)
        if missing:
            remove_tracks(partial, missing)
        partial.rename(path)
    return path


def scan_s(corpus, catalog, effort, jobs):
    with tempfile.TemporaryDirectory() as folder:
        options = ["--catalog", catalog, "--out", Path(folder) / "scan", "--effort", effort]
        options += ["--jobs", jobs] if jobs else []
        command = [sys.executable, "-c", "from earmark.cli import main; main()", "--quiet", "scan", corpus, *options]
        return cpu_s(command)


def make_noise(folder, n_items):
    """Write items of 3 s of noise: long enough to be looked for, too short to cost anything."""
    folder.mkdir()
    paths = [folder / f"noise-{k}.wav" for k in range(n_items)]
    for k, path in enumerate(paths):
        y = 0.1 * np.random.default_rng(k).standard_normal(3 * audio.SAMPLE_RATE, dtype=np.float32)
        soundfile.write(path, y, audio.SAMPLE_RATE)
    return paths


def start_s(catalog, effort, jobs):
    """Return what decoding and a scan cost with next to nothing to decode or scan, each worker having one item."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = make_noise(Path(scratch) / "noise", jobs or len(os.sched_getaffinity(0)))
        return decode_s(paths[:1]), scan_s(paths[0].parent, catalog, effort, jobs)


def measure(paths, corpus, catalog, args):
    """Return the seconds of each round: {name: [s]}."""
    rounds = defaultdict(list)
    for number in range(args.rounds):
        # The order turns, so that none of them is always the one after a pause.
        kinds = [("D", lambda: decode_s(paths)), ("F", lambda: fpcalc_s(paths))]
        kinds += [(effort, lambda e=effort: scan_s(corpus, catalog, e, args.jobs)) for effort in args.efforts]
        turn = number % len(kinds)
        for name, run in kinds[turn:] + kinds[:turn]:
            rounds[name].append(run())
        for effort in args.efforts:
            rounds["D start"].append(0.0)
            rounds["D start"][-1], seconds = start_s(catalog, effort, args.jobs)
            rounds[f"{effort} start"].append(seconds)
        print(f"round {number + 1}: " + ", ".join(f"{name} {s[-1]:.2f} s" for name, s in rounds.items()), flush=True)
    return dict(rounds)


def report(rounds, efforts, hours):
    """Print CPU seconds per hour of audio, least and median, and the ratios."""
    print("\n| | CPU s per hour of mp3, least | median | x D (least) | x F (least) |\n|---|---|---|---|---|")
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tracks", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--found", type=float, default=0.1, help="share of the tracks that are in the catalog")
    parser.add_argument("--efforts", nargs="+", choices=EFFORTS, default=EFFORTS)
    parser.add_argument("--jobs", type=int, help="as for `earmark scan`")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    args = parser.parse_args()
    missing = [tool for tool in ("ffmpeg", "fpcalc") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"cpu.py needs {' and '.join(missing)} (Debian: ffmpeg, libchromaprint-tools)")
    corpus = folds.scratch() / f"mp3-{args.tracks}"
    corpus.mkdir(exist_ok=True)
    sources = dict(music.music_files())
    chosen = choose_tracks(args.tracks)
    paths = [encode(track_id, sources[track_id], corpus) for track_id in chosen]
    catalog_path = catalog_with_some(chosen, args.found)
    catalog = folds.open_cached(catalog_path)
    seconds = 0.0
    for path in paths:
        with audio.stream(path) as stream:
            for _ in stream:
                pass
            seconds += stream.decoded_s
    n_hours, catalog_hours = seconds / 3600, catalog.duration_s / 3600
    print(f"model {load_model().digest[:16]}; {len(paths)} mp3s, {n_hours:.2f} h; catalog {catalog_hours:.2f} h")
    rounds = measure(paths, corpus, catalog_path, args)
    report(rounds, args.efforts, n_hours)
    if args.json:
        args.json.write_text(json.dumps({"model": load_model().digest, "hours": n_hours, "cpu_s": rounds}) + "\n")


if __name__ == "__main__":
    main()
