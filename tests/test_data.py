"""The bundled files are what tables, tags and `data/README.md` say; the scripts fetch and cut what they should."""

import csv
import fcntl
import hashlib
import importlib
import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import soxr

DATA = Path(__file__).parents[1] / "data"
METADATA_COLUMNS = ["path", "track_id", "isrc", "title", "artist", "label", "rightsholder"]
LICENSES = {
    "CC-BY-3.0": "http://creativecommons.org/licenses/by/3.0/",
    "CC-BY-SA-3.0": "http://creativecommons.org/licenses/by-sa/3.0/",
}


def rows_of(name):
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


TRACKS, SPEECH = rows_of("tracks.csv"), rows_of("speech.csv")
each_file = pytest.mark.parametrize("row", TRACKS + SPEECH, ids=lambda row: row["path"])


def rms_db(y):
    return 10 * np.log10(np.mean(np.square(y)) + 1e-12)


# The bundled files


@each_file
def test_file_has_the_digest_of_its_row(row):
    assert hashlib.sha256((DATA / row["path"]).read_bytes()).hexdigest() == row["sha256"]


@each_file
def test_file_decodes_to_mono_sound_without_gaps(row):
    y, sr = soundfile.read(DATA / row["path"], always_2d=True)
    assert y.shape[1] == 1
    assert len(y) / sr == pytest.approx(float(row["duration_s"]), abs=0.05)
    assert rms_db(y) > -30
    if row in TRACKS:
        assert 20 <= len(y) / sr <= 40
        assert min(rms_db(second) for second in y[: len(y) // sr * sr].reshape(-1, sr)) > -45
    else:
        assert 8 <= len(y) / sr <= 12


@each_file
def test_tags_say_what_the_row_says(row):
    with av.open(str(DATA / row["path"])) as container:
        tags = {k.lower(): v for k, v in {**container.metadata, **container.streams.audio[0].metadata}.items()}
    assert (tags["title"], tags["artist"]) == (row["title"], row["artist"])
    assert tags["license"] == LICENSES[row["license"]]
    assert row["source_package"] in tags["comment"]
    assert "changes made" in tags["comment"]


@each_file
def test_readme_names_file_source_and_license(row):
    lines = [
        line for line in (DATA / "README.md").read_text(encoding="utf-8").splitlines() if f"`{row['path']}`" in line
    ]
    assert len(lines) == 1
    start_s = float(row["start_s"])
    cells = {
        row["artist"],
        f"{row['source_package']} {row['source_version']}",
        f"`{row['source_path'].removeprefix('usr/share/')}`",
        f"{start_s:g}–{start_s + float(row['duration_s']):g}",
        row["license"],
    }
    assert cells <= {cell.strip() for cell in lines[0].split("|")}


def test_tables_and_folders_name_the_same_files():
    on_disk = {f.relative_to(DATA).as_posix() for folder in ("music", "speech") for f in (DATA / folder).glob("*.*")}
    assert on_disk == {row["path"] for row in TRACKS + SPEECH}


def test_total_size_is_below_5_mb():
    assert sum(f.stat().st_size for f in DATA.rglob("*") if f.is_file()) < 5_000_000


def test_license_texts_travel_with_the_music():
    for name in {row["license"] for row in TRACKS + SPEECH}:
        text = (DATA / "music" / "licenses" / f"{name}.txt").read_text(encoding="ascii")
        title = "Attribution-ShareAlike 3.0 Unported" if "SA" in name else "Attribution 3.0 Unported"
        assert text.startswith(f"Creative Commons {title}\n")
        assert "8. Miscellaneous" in text
    assert "include this text file" in (DATA / "music" / "licenses" / "muldjord-readme.txt").read_text(encoding="utf-8")


# The tables


def test_tracks_csv_is_metadata_with_roles():
    assert list(TRACKS[0])[: len(METADATA_COLUMNS)] == METADATA_COLUMNS
    assert {row["role"] for row in TRACKS} == {"catalog", "negative"}
    assert not [row for row in TRACKS if row["isrc"]]
    empty = [(row["path"], column) for row in TRACKS + SPEECH for column in row if not row[column] and column != "isrc"]
    assert empty == []


def test_enough_tracks_artists_genres_and_rights_holders():
    catalog = [row for row in TRACKS if row["role"] == "catalog"]
    negatives = [row for row in TRACKS if row["role"] == "negative"]
    assert len(catalog) >= 8
    assert len(negatives) >= 3
    assert len({row["artist"] for row in TRACKS}) >= 5
    assert len({row["genre"] for row in TRACKS}) >= 4
    assert len({row["rightsholder"] for row in catalog}) >= 3
    assert not {row["artist"] for row in catalog} & {row["artist"] for row in negatives}


@pytest.mark.parametrize("column", ["path", "track_id", "title", "source_path", "sha256"])
def test_no_two_tracks_share(column):
    assert len({row[column] for row in TRACKS}) == len(TRACKS)


def test_no_two_excerpts_hold_the_same_recording():
    spectra = {}
    for row in TRACKS:
        y, sr = soundfile.read(DATA / row["path"])
        y = soxr.resample(y, sr, 4000, "LQ")
        spectra[row["path"]] = np.fft.rfft(y / np.linalg.norm(y), 2**19)  # twice 35 s: no lag wraps round
    peaks = {
        (a, b): np.abs(np.fft.irfft(spectra[a] * spectra[b].conj())).max()
        for a, b in itertools.combinations(spectra, 2)
    }
    assert max(peaks.values()) < 0.2, max(peaks, key=peaks.get)  # half of a track inside another gives .5
    assert len(peaks) == 66


# The scripts


@pytest.fixture(scope="module")
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DATA)
        patch.setattr(sys, "dont_write_bytecode", True)
        yield {name: importlib.import_module(name) for name in ("fetch_music", "make_excerpts")}
        for name in ("fetch_music", "make_excerpts"):
            del sys.modules[name]


@pytest.fixture
def fetch_music(scripts):
    return scripts["fetch_music"]


@pytest.fixture
def make_excerpts(scripts):
    return scripts["make_excerpts"]


def put_song(path, *, seconds, sr=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    y = 0.1 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * sr)) / sr)
    soundfile.write(path, y, sr, format="OGG", subtype="VORBIS")
    return path


def test_packages_are_31_and_hold_the_sources_of_the_bundle(fetch_music):
    music = fetch_music.music_packages()
    assert len(music) == len(set(music)) == 31
    assert {row["source_package"] for row in TRACKS} <= set(music)
    assert {row["source_package"] for row in SPEECH} <= set(fetch_music.SPEECH_PACKAGES)


def test_tracks_lists_the_songs_and_nothing_else(fetch_music, tmp_path):
    zaz = tmp_path / "x" / "zaz-data" / "usr" / "share" / "games" / "zaz"
    frets = tmp_path / "x" / "fretsonfire-songs-muldjord" / "usr" / "songs"
    songs = [
        put_song(frets / "a" / "song.ogg", seconds=40),
        put_song(frets / "b" / "song.ogg", seconds=41),
        put_song(frets / "c" / "guitar.ogg", seconds=41),
        put_song(zaz / "two.OGG", seconds=60),
    ]
    put_song(frets / "a" / "guitar.ogg", seconds=40)
    put_song(zaz / "sfx" / "jingle.ogg", seconds=39.9)
    put_song(tmp_path / "x" / "ardentryst" / "AMB_Intro_1.ogg", seconds=41)
    put_song(tmp_path / "x" / "not-in-the-list" / "song.ogg", seconds=41)
    put_song(tmp_path / "partial" / "zaz-data" / "song.ogg", seconds=41)
    (zaz / "link.ogg").symlink_to(zaz / "two.OGG")
    (zaz / "gone.ogg").symlink_to(zaz / "nowhere.ogg")
    (zaz / "readme.txt").write_text("no audio")
    ids = [f"fretsonfire-songs-muldjord/{name}" for name in ("a/song.ogg", "b/song.ogg", "c/guitar.ogg")]
    assert fetch_music.tracks(tmp_path) == list(zip([*ids, "zaz-data/two.OGG"], songs, strict=True))


def test_tracks_of_an_empty_cache_says_how_to_fill_it(fetch_music, tmp_path):
    with pytest.raises(fetch_music.FetchError, match=f"no music in {tmp_path}.*--cache"):
        fetch_music.tracks(tmp_path)
    assert fetch_music.main(["--list", "--cache", str(tmp_path)]) == 2


def test_tracks_names_a_file_that_cannot_be_read(fetch_music, tmp_path):
    broken = tmp_path / "x" / "zaz-data" / "broken.ogg"
    broken.parent.mkdir(parents=True)
    broken.write_text("no audio")
    with pytest.raises(fetch_music.FetchError, match=r"broken\.ogg.*fetch it again"):
        fetch_music.tracks(tmp_path)


def test_list_prints_id_and_path(fetch_music, tmp_path, capsys):
    song = put_song(tmp_path / "x" / "zaz-data" / "mus1.ogg", seconds=40)
    assert fetch_music.main(["--list", "--cache", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"zaz-data/mus1.ogg\t{song}\n"


def test_speech_clips_are_listed_at_any_length(fetch_music, tmp_path):
    clip = put_song(tmp_path / "x" / "fillets-ng-data-nl" / "sound" / "a.ogg", seconds=1)
    assert fetch_music.speech_clips(tmp_path) == [("fillets-ng-data-nl/a.ogg", clip)]


def test_cache_folder_is_that_of_the_environment(fetch_music, monkeypatch, tmp_path):
    monkeypatch.setenv("EARMARK_MUSIC", str(tmp_path))
    assert fetch_music.default_cache() == tmp_path
    monkeypatch.delenv("EARMARK_MUSIC")
    assert fetch_music.default_cache() == Path.home() / ".cache" / "earmark" / "music"


def test_without_apt_it_says_what_to_do(fetch_music, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fetch_music.main(["--cache", str(tmp_path)]) == 2
    assert re.search("apt-get not found: run this on Debian", capsys.readouterr().err)


# Fetching, from a repository of one package in a folder: real apt and dpkg-deb, no network


@pytest.fixture
def repository(tmp_path, monkeypatch):
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip("apt-get and dpkg-deb are Debian's")
    files, repository, apt = tmp_path / "files", tmp_path / "repository", tmp_path / "apt"
    for folder in (files / "DEBIAN", repository, apt / "lists" / "partial", apt / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True)
    put_song(files / "usr" / "share" / "tiny" / "song.ogg", seconds=40)
    control = (
        "Package: tiny-music\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: one song\n"
    )
    (files / "DEBIAN" / "control").write_text(control)
    deb = repository / "tiny-music_1.0_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", files, deb], check=True, capture_output=True)
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    index = f"{control}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n"
    (repository / "Packages").write_text(index)
    (apt / "sources.list").write_text(f"deb [trusted=yes] copy:{repository} ./\n")
    settings = {
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": apt,
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache": apt / "cache",
    }
    (apt / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    monkeypatch.setenv("APT_CONFIG", str(apt / "apt.conf"))
    update = ["apt-get", "-o", "APT::Sandbox::User=root", "update"]
    subprocess.run(update, check=True, capture_output=True)
    return repository


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def song_of(cache):
    return cache / "x" / "tiny-music" / "usr" / "share" / "tiny" / "song.ogg"


def test_fetch_gets_checks_and_unpacks(fetch_music, repository, cache, capsys):
    assert fetch_music.main(["--cache", str(cache), "tiny-music"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{cache}\n"
    assert err.startswith("got tiny-music_1.0_all.deb")
    assert soundfile.info(song_of(cache)).duration == 40
    digest = hashlib.sha256((repository / "tiny-music_1.0_all.deb").read_bytes()).hexdigest()
    assert (cache / "checksums.txt").read_text() == f"{digest}  deb/tiny-music_1.0_all.deb\n"


def test_fetch_passes_over_what_is_complete(fetch_music, repository, cache):
    assert fetch_music.fetch(["tiny-music"], cache) == {}
    (repository / "tiny-music_1.0_all.deb").unlink()
    before = song_of(cache).stat()
    assert fetch_music.fetch(["tiny-music"], cache) == {}
    assert song_of(cache).stat() == before


@pytest.mark.parametrize("lost", ["checksums.txt", "x", "deb and x"])
def test_fetch_does_again_what_is_partial(fetch_music, repository, cache, lost):
    fetch_music.fetch(["tiny-music"], cache)
    whole, sums = song_of(cache).read_bytes(), (cache / "checksums.txt").read_text()
    song_of(cache).write_bytes(b"half")
    (cache / "partial" / "tiny-music").mkdir(parents=True)
    if lost == "checksums.txt":
        (cache / "checksums.txt").unlink()
    else:
        shutil.rmtree(cache / "x")
    if lost == "deb and x":
        (cache / "deb" / "tiny-music_1.0_all.deb").write_bytes(b"half")
    assert fetch_music.fetch(["tiny-music"], cache) == {}
    assert song_of(cache).read_bytes() == whole
    assert (cache / "checksums.txt").read_text() == sums
    assert not (cache / "partial").exists()


def test_fetch_goes_on_after_a_package_that_is_gone(fetch_music, repository, cache, capsys):
    assert fetch_music.main(["--cache", str(cache), "gone-music", "tiny-music"]) == 1
    out, err = capsys.readouterr()
    assert out == f"{cache}\n"
    assert "not fetched: gone-music: E: Unable to locate package gone-music" in err
    assert "not fetched: tiny-music" not in err
    assert song_of(cache).exists()


def test_fetch_refuses_a_package_with_another_digest(fetch_music, repository, cache):
    deb = repository / "tiny-music_1.0_all.deb"
    damaged = bytearray(deb.read_bytes())
    damaged[-1] ^= 1
    deb.write_bytes(damaged)
    failed = fetch_music.fetch(["tiny-music"], cache)
    assert re.search("cannot download tiny-music_1.0_all.deb: E: .*Hash Sum mismatch", failed["tiny-music"])
    assert not song_of(cache).exists()
    assert list((cache / "deb").iterdir()) == []


def test_two_runs_do_not_share_a_cache(fetch_music, repository, cache):
    cache.mkdir()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(fetch_music.FetchError, match="another run"):
            fetch_music.fetch(["tiny-music"], cache)


# Cutting


@pytest.fixture
def two_tones(tmp_path):
    """Write 10 s of stereo: 500 Hz up to 6 s, 1500 Hz after."""
    t = np.arange(10 * 44100) / 44100
    y = 0.3 * np.sin(2 * np.pi * np.where(t < 6, 500, 1500) * t)
    path = tmp_path / "x" / "zaz-data" / "tones.wav"
    path.parent.mkdir(parents=True)
    soundfile.write(path, np.stack([y, y], axis=1), 44100)
    return path


def strongest_hz(y, sr):
    return np.argmax(np.abs(np.fft.rfft(y))) * sr / len(y)


def test_cut_takes_the_seconds_it_is_told(make_excerpts, two_tones):
    y = make_excerpts.cut(two_tones, start_s=5, duration_s=2)
    assert y.shape == (2 * 48000,)
    assert strongest_hz(y[:47000], 48000) == pytest.approx(500, abs=2)
    assert strongest_hz(y[49000:], 48000) == pytest.approx(1500, abs=2)


def test_cut_refuses_seconds_past_the_end(make_excerpts, two_tones):
    with pytest.raises(ValueError, match=r"tones\.wav: ends at 10\.0 s, before 11\.0 s"):
        make_excerpts.cut(two_tones, start_s=9, duration_s=2)


def test_make_writes_files_tags_and_digests_the_same_each_time(make_excerpts, two_tones, tmp_path):
    table = tmp_path / "tracks.csv"
    values = {
        "path": "music/a.opus",
        "title": "Tones, two",
        "artist": "A",
        "source_package": "zaz-data",
        "source_version": "1",
        "source_path": "tones.wav",
        "start_s": "1.5",
        "duration_s": "3",
        "license": "CC-BY-SA-3.0",
        "sha256": "",
    }
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([values.keys(), values.values()])
    make_excerpts.make(table, tmp_path, bit_rate=48_000)
    first, made = table.read_bytes(), tmp_path / "music" / "a.opus"
    assert hashlib.sha256(made.read_bytes()).hexdigest() in first.decode()
    y, sr = soundfile.read(made)
    assert len(y) == 3 * sr
    assert strongest_hz(y, sr) == pytest.approx(500, abs=2)
    with av.open(str(made)) as container:
        assert container.streams.audio[0].metadata["title"] == "Tones, two"
        assert container.streams.audio[0].metadata["license"] == LICENSES["CC-BY-SA-3.0"]
    made.unlink()
    make_excerpts.make(table, tmp_path, bit_rate=48_000)
    assert table.read_bytes() == first
