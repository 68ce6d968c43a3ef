"""Cut the bundled excerpts out of the fetched packages.

::

    python data/fetch_music.py zaz-data miceamaze fretsonfire-songs-muldjord wordwarvi-sound freedink-data \
        asterisk-core-sounds-en-wav
    python data/make_excerpts.py

`tracks.csv` and `speech.csv` say what is cut: source package and path, start and length. Each row becomes one mono
Ogg Opus file with title, artist, license and origin in its tags; the column `sha256` is written anew. The same libopus
gives the same bytes; another one gives other bytes of the same sound, and other digests.
"""

import argparse
import csv
import hashlib
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from fetch_music import default_cache, package_root

__all__ = ["MUSIC_BIT_RATE", "SPEECH_BIT_RATE", "cut", "encode_opus", "make"]

DATA = Path(__file__).parent

# Bits per second: ours, so that twelve excerpts of 35 s and the speech stay at 3 MB together.
MUSIC_BIT_RATE = 56_000
SPEECH_BIT_RATE = 24_000

OPUS_SR = 48_000


def cut(path: Path, *, start_s: float, duration_s: float) -> npt.NDArray[np.float32]:
    """Return one passage of a file as mono samples at `OPUS_SR`.

    Raises
    ------
    ValueError
        The file ends before the passage does.
    """
    y, sr = soundfile.read(path, dtype="float32", always_2d=True)
    first, stop = round(start_s * sr), round((start_s + duration_s) * sr)
    if stop > len(y):
        raise ValueError(f"{path}: ends at {len(y) / sr:.1f} s, before {start_s + duration_s:.1f} s")
    return np.asarray(soxr.resample(y[first:stop].mean(axis=1), sr, OPUS_SR, "VHQ"), dtype=np.float32)


def encode_opus(path: Path, y: npt.NDArray[np.float32], *, bit_rate: int, tags: dict[str, str]) -> None:
    """Write mono samples at `OPUS_SR` as Ogg Opus, without dates or random serial numbers."""
    with av.open(path, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=OPUS_SR, layout="mono", options={"flags": "+bitexact"})
        stream.bit_rate = bit_rate
        stream.metadata.update(tags)
        frame = av.AudioFrame.from_ndarray(y[np.newaxis], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = OPUS_SR, 0, Fraction(1, OPUS_SR)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def make(table: Path, cache: Path, *, bit_rate: int) -> None:
    """Cut every row of a table, and write the digests back into it."""
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or ()), list(reader)
    for row in rows:
        source = package_root(cache, row["source_package"]) / row["source_path"]
        y = cut(source, start_s=float(row["start_s"]), duration_s=float(row["duration_s"]))
        target = table.parent / row["path"]
        target.parent.mkdir(exist_ok=True)
        encode_opus(target, y, bit_rate=bit_rate, tags=_tags(row))
        row["sha256"] = hashlib.sha256(target.read_bytes()).hexdigest()
        print(f"{row['path']}: {target.stat().st_size} bytes")
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _tags(row: dict[str, str]) -> dict[str, str]:
    name, version = row["license"].rsplit("-", 1)  # CC-BY-SA-3.0
    origin = f"{row['source_path']} of Debian {row['source_package']} {row['source_version']}"
    cut_out = f"{row['duration_s']} s from {row['start_s']} s"
    return {
        "title": row["title"],
        "artist": row["artist"],
        "copyright": row.get("rightsholder") or row["artist"],
        "license": f"http://creativecommons.org/licenses/{name.removeprefix('CC-').lower()}/{version}/",
        "comment": f"Excerpt of {origin}; changes made: {cut_out}, mono, re-encoded",
    }


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Cut the bundled excerpts out of the fetched packages.")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder of fetch_music.py (%(default)s)")
    cache = parser.parse_args().cache
    try:
        make(DATA / "tracks.csv", cache, bit_rate=MUSIC_BIT_RATE)
        make(DATA / "speech.csv", cache, bit_rate=SPEECH_BIT_RATE)
    except (OSError, ValueError, soundfile.LibsndfileError, av.FFmpegError) as error:
        print(f"make_excerpts: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
