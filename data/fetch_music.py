"""Fetch the development music and speech into a cache outside the repository, and list it.

::

    python data/fetch_music.py                 fetch what is missing: 1.1 GB to download, 2.4 GB on disk
    python data/fetch_music.py zaz-data        these packages only
    python data/fetch_music.py --list          print the tracks of the cache: id, tab, path

The music is that of the Debian packages named in `packages.txt`. They are downloaded and unpacked, never installed, so
no root is needed. The cache (``--cache``, else ``$EARMARK_MUSIC``, else ``~/.cache/earmark/music``) holds::

    checksums.txt      SHA-256 of every package got, as `sha256sum -c checksums.txt` reads it
    deb/FILE.deb       the packages
    x/PACKAGE/...      their files

What is not whole yet lives under `partial/` and is renamed into place when it is, so an interrupted run is simply
started again. Exit code: 0 all there, 1 some packages could not be got, 2 nothing could be done, 130 interrupted.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import soundfile
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = [
    "MIN_TRACK_S",
    "SPEECH_PACKAGES",
    "FetchError",
    "default_cache",
    "fetch",
    "music_packages",
    "package_root",
    "speech_clips",
    "tracks",
]

SPEECH_PACKAGES = ("asterisk-core-sounds-en-wav", "fillets-ng-data-nl")

MIN_TRACK_S = 40.0
"""Seconds; what is shorter in these packages is mostly jingles and sound effects."""

AUDIO_SUFFIXES = frozenset({".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"})

EFFECTS = frozenset({"AMB_Intro_1.ogg"})
"""Files of `MIN_TRACK_S` and more that are no music: the ambience of ardentryst's opening."""

# `apt-get download --print-uris` prints for each package: 'uri' file-name size SHA256:digest
STATED = re.compile(r"'[^']+' (([^_\s/]+)_[^\s/]+) (\d+) SHA256:([0-9a-f]{64})")


class FetchError(Exception):
    """A package, or the whole set, cannot be got or listed; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deb:
    """What apt states about the file of one package."""

    package: str
    file_name: str
    size_bytes: int
    sha256: str


def default_cache() -> Path:
    """Return the cache's folder: ``$EARMARK_MUSIC``, else ``~/.cache/earmark/music``."""
    named = os.environ.get("EARMARK_MUSIC")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "earmark" / "music"


def package_root(cache: Path, package: str) -> Path:
    """Return the folder that `package` is unpacked into."""
    return cache / "x" / package


def music_packages() -> list[str]:
    """Return the names of the packages of music, in the order of `packages.txt`."""
    return Path(__file__).with_name("packages.txt").read_text(encoding="utf-8").split()


def tracks(cache: Path) -> list[tuple[str, Path]]:
    """List the songs of the music packages that the cache holds.

    A song is an audio file of `MIN_TRACK_S` seconds and more that is no sound effect, no symbolic link, and no
    `guitar.ogg` beside a `song.ogg` (the stem of that song).

    Parameters
    ----------
    cache : Path
        Folder that the packages were fetched into.

    Returns
    -------
    list of (str, Path)
        Track id and file, in the order of the ids. The id is the package and the path below the deepest folder that
        all songs of the package share: ``supertux-data/forest/forest2.ogg``.

    Raises
    ------
    FetchError
        The cache holds no song, or a file of it cannot be read.
    """
    found = sorted(track for package in music_packages() for track in _named(package, cache, _is_song))
    if not found:
        raise FetchError(f"no music in {cache}: fetch it with `python {sys.argv[0]} --cache {cache}`")
    return found


def speech_clips(cache: Path) -> list[tuple[str, Path]]:
    """List the audio files of the speech packages that the cache holds, named as `tracks` does, of any length."""
    return sorted(clip for package in SPEECH_PACKAGES for clip in _named(package, cache, lambda _: True))


def _named(package: str, cache: Path, wanted: Callable[[Path], bool]) -> list[tuple[str, Path]]:
    files = [f for f in package_root(cache, package).rglob("*") if f.suffix.lower() in AUDIO_SUFFIXES]
    kept = [f for f in files if f.is_file() and not f.is_symlink() and wanted(f)]
    if not kept:
        return []
    top = os.path.commonpath([f.parent for f in kept])
    return [(f"{package}/{f.relative_to(top).as_posix()}", f) for f in kept]


def _is_song(path: Path) -> bool:
    if path.name in EFFECTS or (path.name == "guitar.ogg" and path.with_name("song.ogg").exists()):
        return False
    try:
        return bool(soundfile.info(path).duration >= MIN_TRACK_S)
    except soundfile.LibsndfileError as error:
        raise FetchError(f"{path}: {error}; delete the package's folder and fetch it again") from error


def fetch(packages: Iterable[str], cache: Path) -> dict[str, str]:
    """Bring packages into the cache, passing over those that are there; one line on stderr for each that came.

    Parameters
    ----------
    packages : iterable of str
        Names of Debian packages.
    cache : Path
        Folder to fetch into; made if it is missing.

    Returns
    -------
    dict of str to str
        What went wrong, by package. The others are there.

    Raises
    ------
    FetchError
        apt or dpkg-deb is missing, or another run is fetching into the same cache.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise FetchError(f"{tool} not found: run this on Debian or Ubuntu, or in a container of one")
    with _locked(cache):
        shutil.rmtree(cache / "partial", ignore_errors=True)
        for folder in ("deb", "partial", "x"):
            (cache / folder).mkdir(exist_ok=True)
        debs, failed = _stated([p for p in dict.fromkeys(packages) if not _is_complete(p, cache)], cache)
        with _progress(sum(deb.size_bytes for deb in debs)) as advance:
            for deb in debs:
                try:
                    _fetch_one(deb, cache, advance)
                    print(f"got {deb.file_name}, {deb.size_bytes / 1e6:.1f} MB", file=sys.stderr)
                except (FetchError, OSError) as error:
                    failed[deb.package] = str(error)
        shutil.rmtree(cache / "partial")
        return failed


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FetchError(f"another run is fetching into {cache}: wait for it, or name another --cache") from error
        yield


@contextmanager
def _progress(total_bytes: int) -> Iterator[Callable[[str, int], None]]:
    """Yield a function of what is being got and the bytes that just came; a bar is drawn on a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal or total_bytes == 0) as progress:
        task = progress.add_task("", total=total_bytes)
        yield lambda package, n_bytes: progress.update(task, description=package, advance=n_bytes)


def _checksums(cache: Path) -> dict[str, str]:
    """Return the SHA-256 of each package got, by the path of its file in the cache."""
    path = cache / "checksums.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def _record(deb: Deb, cache: Path) -> None:
    kept = {name: digest for name, digest in _checksums(cache).items() if not name.startswith(f"deb/{deb.package}_")}
    sums = sorted({**kept, f"deb/{deb.file_name}": deb.sha256}.items())
    aside = cache / "partial" / "checksums.txt"
    aside.write_text("".join(f"{digest}  {name}\n" for name, digest in sums), encoding="utf-8")
    aside.replace(cache / "checksums.txt")


def _is_complete(package: str, cache: Path) -> bool:
    recorded = any(name.startswith(f"deb/{package}_") for name in _checksums(cache))
    return recorded and package_root(cache, package).is_dir()


def _stated(packages: list[str], cache: Path) -> tuple[list[Deb], dict[str, str]]:
    """Ask apt for file name, size and SHA-256; return what it states, and by package why it states nothing."""
    if not packages:
        return [], {}
    command = _apt("download", "--print-uris", *packages)
    result = subprocess.run(command, cwd=cache / "partial", capture_output=True, text=True, check=False)
    if result.returncode != 0 and len(packages) > 1:  # one unknown name fails the whole call
        answers = [_stated([package], cache) for package in packages]
        return [d for debs, _ in answers for d in debs], {p: why for _, failed in answers for p, why in failed.items()}
    found = [m for m in map(STATED.fullmatch, result.stdout.splitlines()) if m]
    debs = [Deb(package=m[2], file_name=m[1], size_bytes=int(m[3]), sha256=m[4]) for m in found]
    why = f"{_reason(result.stderr)} (try `apt-get update`; it may also be gone)"
    return debs, dict.fromkeys(set(packages) - {deb.package for deb in debs}, why)


def _fetch_one(deb: Deb, cache: Path, advance: Callable[[str, int], None]) -> None:
    archive = cache / "deb" / deb.file_name
    if archive.is_file() and _sha256(archive) == deb.sha256:
        advance(deb.package, deb.size_bytes)
    else:
        _download(deb, archive, cache / "partial" / deb.package, advance)
    aside, root = cache / "partial" / f"{deb.package}.x", package_root(cache, deb.package)
    result = subprocess.run(["dpkg-deb", "-x", archive, aside], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise FetchError(f"cannot unpack {archive}: {_reason(result.stderr)}")
    if root.exists():
        shutil.rmtree(root)
    aside.replace(root)
    _record(deb, cache)


def _download(deb: Deb, archive: Path, folder: Path, advance: Callable[[str, int], None]) -> None:
    """Download into `folder`, check, and rename to `archive`; `advance` hears of the bytes as they come."""
    folder.mkdir()
    part, seen = folder / deb.file_name, 0
    with (folder / "stderr").open("w+", encoding="utf-8") as stderr:
        with subprocess.Popen(
            _apt("download", deb.package), cwd=folder, stdout=subprocess.DEVNULL, stderr=stderr
        ) as apt:
            while apt.poll() is None:
                size = part.stat().st_size if part.exists() else 0
                advance(deb.package, size - seen)
                seen = size
                time.sleep(0.1)
        stderr.seek(0)
        reason = _reason(stderr.read())
    advance(deb.package, deb.size_bytes - seen)
    if apt.returncode != 0 or not part.exists():
        raise FetchError(f"cannot download {deb.file_name}: {reason}")
    if (got := _sha256(part)) != deb.sha256:
        raise FetchError(f"{deb.file_name} came damaged: SHA-256 {got}, apt states {deb.sha256}; run this again")
    part.replace(archive)


def _apt(*arguments: str) -> list[str]:
    """Return an apt-get command; the option spares root a warning that the user `_apt` cannot write to the cache."""
    return ["apt-get", "-q", "-o", "APT::Sandbox::User=root", *arguments]


def _reason(stderr: str) -> str:
    """Return the first line that apt marks as an error, else the last line of any."""
    lines = stderr.strip().splitlines() or ["no reason given"]
    return next((line for line in lines if line.startswith("E: ")), lines[-1])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Fetch the development music and speech, or list the music.")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="only these (default: all)")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder to keep it in (%(default)s)")
    parser.add_argument("--list", action="store_true", help="print the tracks of the cache, fetch nothing")
    options = parser.parse_args(arguments)
    cache = options.cache.expanduser().absolute()
    try:
        if options.list:
            print("".join(f"{track_id}\t{path}\n" for track_id, path in tracks(cache)), end="")
            return 0
        failed = fetch(options.packages or [*music_packages(), *SPEECH_PACKAGES], cache)
    except (FetchError, OSError) as error:
        print(f"fetch_music: {error}", file=sys.stderr)
        return 2
    for package, why in sorted(failed.items()):
        print(f"not fetched: {package}: {why}", file=sys.stderr)
    print(cache)
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # so that `--list | head` ends quietly
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
