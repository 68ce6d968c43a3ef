"""The same queries through Earmark and its peers: accuracy, CPU per query, bytes per hour of catalog.

::

    python benchmarks/peers.py --queries 100
    python benchmarks/peers.py --peers earmark-fast chromaprint --cells clean speed --seconds 10

Every method gets the same files, one process at a time, and decodes them itself: the catalog as it was published (all
development tracks but those of the filler packages), the queries of `queries.py` as 16-bit WAV. As many excerpts of
the filler packages, which no catalog holds, are the negatives. `recall` counts queries whose best answer is right and
that the method itself would report; `false` counts negatives that it reports. As defaults are set more or less
boldly, `recall at 0 false` takes the lowest threshold that no negative passes. An answer is right if it names a track
that the query holds, or one that sounds the same there. Peers that need an environment of their own get one from PyPI.
"""

import argparse
import json
import shutil
import subprocess
import sys
import types
import venv
from pathlib import Path

import numpy as np

import cells
import composed
import folds
import music
import queries
import tables
from earmark.fingerprint import load_model
from earmark.matching.odds import EFFORTS
from judging import Judge

CELLS = (
    *("clean", "mp3_32", "opus_12", "telephone", "reverb", "white_0", "pink_-5", "babble_0", "speech_-6"),
    *("speed", "slow_reverb", "tempo", "pitch", "pitch_tempo", "second_0"),
)
NEGATIVES = "negatives"
AUDFPRINT = [["audfprint2==0.1.2"]]
# It declares Python 3.8 to 3.10; nothing in it minds 3.11.
QFP = [["bitstring<4", "numpy<2", "pydub<0.26", "scipy<2"], ["--no-deps", "--ignore-requires-python", "qfp==0.2.0"]]
PEERS = {  # name: (script, arguments after the folder, what pip installs one after the other into a new environment)
    **{f"earmark-{effort}": ("peer_earmark.py", [effort], []) for effort in EFFORTS},
    "chromaprint": ("peer_chromaprint.py", [], []),
    "audfprint": ("peer_audfprint.py", [], AUDFPRINT),
    "audfprint-dense": ("peer_audfprint.py", ["dense"], AUDFPRINT),
    "qfp": ("peer_qfp.py", [], QFP),
}


def folder():
    """Return the folder for what is kept between runs."""
    path = music.cache() / "peers"
    path.mkdir(exist_ok=True)
    return path


def _python(installs):
    """Return the Python of an environment that has what pip was asked for; this one if nothing was."""
    if not installs:
        return sys.executable
    home = folder() / ("env-" + installs[-1][-1].replace("==", "-"))
    if not (home / "ready").exists():
        venv.create(home, with_pip=True, clear=True)
        for wanted in installs:
            subprocess.run([home / "bin" / "pip", "install", "-q", *wanted], check=True)
        (home / "ready").touch()
    return home / "bin" / "python"


class Peer:
    """A method in a process of its own, with its index."""

    def __init__(self, name):
        script, arguments, installs = PEERS[name]
        kept = f"earmark-{load_model().digest[:16]}" if script == "peer_earmark.py" else name
        self._folder = folder() / kept
        if not (self._folder / "index.json").exists():  # what an indexing that was stopped has left
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(exist_ok=True)
        command = [_python(installs), Path(__file__).with_name("peer_programs") / script, self._folder, *arguments]
        self._log = self._folder / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def _ask(self, **what):
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args[1]} ended at {what}: see {self._log}")
        return json.loads(line)

    def index(self, files):
        """Index (track id, path) once; returns {cpu_s, bytes} of it."""
        told = self._folder / "index.json"
        if not told.exists():
            cpu_s = sum(self._ask(do="add", track_id=i, path=str(path))["cpu_s"] for i, path in files)
            saved = self._ask(do="save")
            told.write_text(json.dumps({"cpu_s": cpu_s + saved["cpu_s"], "bytes": saved["answer"]}))
        return json.loads(told.read_text())

    def query(self, path, seconds):
        """Return {answer, cpu_s}."""
        return self._ask(do="query", path=str(path), seconds=seconds)

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def query_file(number, name, seconds, seed):
    """Return (path of a WAV file, truth) of one query, made once."""
    path = folder() / f"queries-recipe{queries.RECIPE}-seed{seed}" / f"{name}-{seconds}s" / f"{number:05d}.wav"
    truth = path.with_suffix(".json")
    if not truth.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        item, segments = _negative(number, seconds, seed) if name == NEGATIVES else _item(number, name, seconds, seed)
        source = path.with_suffix(".item")
        source.write_bytes(item)
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", source, "-ac", "1", "-c:a", "pcm_s16le", path], check=True)
        source.unlink()
        truth.write_text(json.dumps(segments))
    return path, [queries.Segment(**s) for s in json.loads(truth.read_text())]


def _item(number, name, seconds, seed):
    item, truth, _ = queries.item_of(number, cells.parse(name), seconds, seed)
    return item, [{field: getattr(s, field) for field in queries.Segment.__slots__} for s in truth]


def _negative(number, seconds, seed):
    """Cut an excerpt of a filler package."""
    rng = np.random.default_rng([seed, 79, number])
    tracks = composed.fillers()
    while True:
        track = tracks[rng.integers(len(tracks))]
        start_s = float(rng.uniform(0, track.duration_s - 20))
        if np.sqrt(np.mean(track.samples(start_s, 5.0) ** 2)) > 3e-3:
            y, sr = queries.cut(track.id, start_s, seconds)
            return cells.item_file(y.mean(axis=1), sr, cells.parse("clean"), rng), []


def is_right(judge, answer, truth, seconds):
    """Return whether an answer names a track that the query holds, or one that sounds the same there."""
    if any(answer["track_id"] == s.track_id for s in truth):
        return True
    claim = types.SimpleNamespace(
        item_start_s=0.0,
        item_end_s=float(seconds),
        track=judge.number(answer["track_id"]),
        track_start_s=answer["track_start_s"],
        tempo_ratio=1.0,
    )
    return any(judge.sounds_like(claim, s) for s in truth)


def ask(peer, judge, name, seconds, n_queries, seed):
    """Put every query of a cell to a peer; returns a list of {right, score, accepted, track, cpu_s}."""
    results = []
    for number in range(n_queries):
        path, truth = query_file(number, name, seconds, seed)
        given = peer.query(path, seconds)
        answer = given["answer"]
        results.append(
            {
                "right": bool(answer) and is_right(judge, answer, truth, seconds),
                "score": answer["score"] if answer else -np.inf,
                "accepted": bool(answer) and answer["accepted"],
                "track": truth[0].track_id if truth else "",
                "cpu_s": given["cpu_s"],
            }
        )
    return results


def measure(name, judge, files, args):
    """Return the figures of one peer: a row for every cell and length, and what its index took."""
    peer = Peer(name)
    index = peer.index(files)
    path, _ = query_file(0, "clean", args.seconds[0], args.seed)
    peer.query(path, args.seconds[0])  # what is loaded or compiled at the first query is none of its cost
    rows = []
    for seconds in args.seconds:
        negatives = ask(peer, judge, NEGATIVES, seconds, args.queries, args.seed)
        threshold = max(n["score"] for n in negatives)
        for cell in args.cells:
            some = ask(peer, judge, cell, seconds, args.queries, args.seed)
            rows.append(row(name, cell, seconds, some, threshold) | {"false": sum(n["accepted"] for n in negatives)})
            print(markdown_row(rows[-1]), flush=True)
    peer.close()
    return {"peer": name, "index": index, "rows": rows}


def row(name, cell, seconds, some, threshold):
    """Return the figures of a peer for one cell and length."""
    tracks = [r["track"] for r in some]
    hits = [r["right"] and r["accepted"] for r in some]
    low, high = tables.interval(hits, tracks)
    return {
        "peer": name,
        "cell": cell,
        "seconds": seconds,
        "n": len(some),
        "recall": float(np.mean(hits)),
        "low": low,
        "high": high,
        "recall_at_0_false": float(np.mean([r["right"] and r["score"] > threshold for r in some])),
        "wrong": int(sum(r["accepted"] and not r["right"] for r in some)),
        "cpu_ms": 1000 * float(np.mean([r["cpu_s"] for r in some])),
    }


HEADER = "| method | cell | s | n | recall | 95 % | recall at 0 false | wrong | false | CPU ms |\n|" + "---|" * 10


def markdown_row(figures):
    """Return a line of the table."""
    f = figures
    return (
        f"| {f['peer']} | {f['cell']} | {f['seconds']} | {f['n']} | {f['recall']:.3f} | {f['low']:.3f}-{f['high']:.3f} "
        f"| {f['recall_at_0_false']:.3f} | {f['wrong']} | {f['false']} | {f['cpu_ms']:.0f} |"
    )


def side_by_side(figures):
    """Return a table with a column for every method: recall at its own threshold / where no negative passes."""
    lines = [f"| cell | s | {' | '.join(f['peer'] for f in figures)} |", "|---|---|" + "---|" * len(figures)]
    for rows in zip(*(f["rows"] for f in figures), strict=True):
        shares = " | ".join(f"{r['recall']:.2f} / {r['recall_at_0_false']:.2f}" for r in rows)
        lines.append(f"| {rows[0]['cell']} | {rows[0]['seconds']} | {shares} |")
    return "\n".join(lines)


def index_table(figures, hours):
    """Return a table of what the indexes took."""
    lines = ["| method | index, × realtime of one core | MB per hour of catalog |", "|---|---|---|"]
    for f in figures:
        speed, size = hours * 3600 / f["index"]["cpu_s"], f["index"]["bytes"] / hours / 1e6
        lines.append(f"| {f['peer']} | {speed:.0f} | {size:.2f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--cells", nargs="+", default=CELLS)
    parser.add_argument("--seconds", nargs="+", type=int, default=[5, 10])
    parser.add_argument("--queries", type=int, default=100, help="a cell and length; and negatives a length")
    parser.add_argument("--seed", type=int, default=queries.SEED)
    parser.add_argument("--out", type=Path, help="folder for peers.json and peers.md")
    args = parser.parse_args()
    args.cells = cells.expanded(args.cells)
    files = [(i, path) for i, path in music.music_files() if music.package(i) not in composed.FILLERS]
    listed = {i for i, _ in files}
    hours = sum(t.duration_s for t in music.load_tracks() if t.id in listed) / 3600
    judge = Judge(folds.open_cached(folds.full_catalog()), load_model().config.words_per_second)
    for name in (*args.cells, NEGATIVES):
        for seconds in args.seconds:
            for number in range(args.queries):
                query_file(number, name, seconds, args.seed)
    print(f"model {load_model().digest[:16]}, {len(files)} tracks of {hours:.1f} h, seed {args.seed}\n{HEADER}")
    figures = [measure(name, judge, files, args) for name in args.peers]
    text = "\n\n".join([side_by_side(figures), index_table(figures, hours)])
    print("\n" + text)
    if args.out:
        write(args.out, text, {"model": load_model().digest, "hours": hours, "peers": figures})


def write(out, text, figures):
    """Write everything of a run into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "peers.json").write_text(json.dumps(figures, indent=1) + "\n")
    every = "\n".join(markdown_row(r) for f in figures["peers"] for r in f["rows"])
    (out / "peers.md").write_text(f"# Peers\n\n{text}\n\n{HEADER}\n{every}\n")


if __name__ == "__main__":
    main()
