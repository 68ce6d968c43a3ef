"""The development music as files of a corpus: encoded once by FFmpeg, and kept beside the music."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import folds
import music
from earmark.catalog import remove_tracks

__all__ = ["CODECS", "catalog_with_some", "choose_tracks", "corpus", "long_file"]

MAX_TRACK_S = 900  # no track should weigh more than a few per cent

# Extension and FFmpeg's options: stereo at 44.1 kHz (Opus knows 48 kHz alone), at rates that datasets have.
CODECS = {
    "mp3": ("mp3", ["-b:a", "128k"]),
    "flac": ("flac", ["-sample_fmt", "s16"]),
    "vorbis": ("ogg", ["-c:a", "libvorbis", "-q:a", "4"]),
    "opus": ("opus", ["-c:a", "libopus", "-b:a", "96k", "-ar", "48000"]),
    "aac": ("m4a", ["-c:a", "aac", "-b:a", "128k"]),
    "wav": ("wav", ["-c:a", "pcm_s16le"]),
}


def choose_tracks(n):
    """Choose tracks, one from each package in turn, until there are `n`."""
    by_package = defaultdict(list)
    for track in music.load_tracks():
        if track.duration_s <= MAX_TRACK_S:
            by_package[music.package(track.id)].append(track.id)
    longest = max(map(len, by_package.values()))
    return [ids[turn] for turn in range(longest) for ids in by_package.values() if turn < len(ids)][:n]


def corpus(codec, track_ids):
    """Return a folder with these tracks, and nothing else, in a codec; the paths in it are sorted."""
    files = [_encoded(codec, track_id) for track_id in track_ids]
    folder = files[0].parents[1] / f"{codec}-of-{len(files)}"
    folder.mkdir(exist_ok=True)
    for file in files:
        if not (folder / file.name).exists():
            os.link(file, folder / file.name)
    return folder


def long_file(codec, hours, track_ids):
    """Return a file of so many hours: the tracks one after the other, over and over."""
    extension, _ = CODECS[codec]
    folder = _folder() / f"{codec}-of-{hours:g}-hours"
    folder.mkdir(exist_ok=True)
    path = folder / f"long.{extension}"
    if not path.exists():
        sources, seconds, tracks = [], 0.0, {track.id: track.duration_s for track in music.load_tracks()}
        while seconds < hours * 3600:
            track_id = track_ids[len(sources) % len(track_ids)]
            sources.append(_encoded(codec, track_id))
            seconds += tracks[track_id]
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
            listing.writelines(f"file '{source}'\n" for source in sources)
            listing.flush()
            read = ["-f", "concat", "-safe", "0", "-i", listing.name, "-t", str(hours * 3600)]
            _ffmpeg([*read, "-c", "copy"], path)
    return path


def catalog_with_some(track_ids, share):
    """Return the path of the catalog of all development tracks less all but a share of some of them."""
    missing = [t for i, t in enumerate(track_ids) if int((i + 1) * share) == int(i * share)]
    path = folds.catalogs() / f"cpu-{len(track_ids)}-{share:g}"
    if not path.exists():
        partial = path.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folds.full_catalog(), partial)
        if missing:
            remove_tracks(partial, missing)
        partial.rename(path)
    return path


def _folder():
    folder = music.cache() / "bench" / "encoded"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _encoded(codec, track_id):
    """Encode the original file of a track, once; returns the path."""
    extension, options = CODECS[codec]
    path = _folder() / codec / f"{track_id.replace('/', '__')}.{extension}"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        source = dict(music.music_files())[track_id]
        sound = ["-i", str(source), "-vn", "-map_metadata", "-1", "-ac", "2", "-ar", "44100"]
        _ffmpeg([*sound, *options], path)
    return path


def _ffmpeg(options, path):
    partial = path.with_name(f"partial-{os.getpid()}{path.suffix}")
    try:
        done = subprocess.run(
            ["ffmpeg", "-v", "error", "-y", *options, str(partial)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"ffmpeg {' '.join(options)}: exit code {done.returncode}: {done.stderr[-500:]}")
        partial.rename(path)
    finally:
        Path(partial).unlink(missing_ok=True)
