"""Bit flips and cuts anywhere in every file: a clear error or the right answer, no crash, no hang, no wrong answer."""

import contextlib
import random
import shutil
import signal

import numpy as np
import pytest

from earmark.catalog import (
    Layout,
    catalog_info,
    check_catalog,
    compact_catalog,
    list_tracks,
    open_catalog,
    remove_tracks,
    update_tracks,
)
from earmark.catalog.track import reference
from earmark.errors import CatalogDamagedError, CatalogError, CatalogVersionError

from .synthetic_catalog import MODEL, sketch, write_catalog

FILES = [
    "manifest.json",
    "manifest.copy.json",
    *(
        f"segments/0001/{name}"
        for name in ("vectors.lists", "vectors.table", "words.u64", "words.crc32", "tracks.2.sqlite")
    ),
    *(
        f"segments/0002/{name}"
        for name in ("vectors.lists", "vectors.table", "words.u64", "words.crc32", "tracks.sqlite")
    ),
]
HANG_S = 60


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A catalog with all there can be: lists and none, a removed track, two ids of a recording, corrected tags."""
    root = tmp_path_factory.mktemp("fuzz")
    rng = np.random.default_rng(13)
    sketches = [sketch(rng, n, silent=[1]) for n in (600, 500, 40, 30)]
    tracks = [(f"t{i}", one) for i, one in enumerate(sketches)]
    path = root / "c"
    twin = reference(n_samples=sketches[1].n_samples, content=sketches[1].content)
    write_catalog(path, [[*tracks[:2], ("twin", twin)], tracks[2:]], Layout(exact_below=500))
    remove_tracks(path, ["t1", "t2"])
    (root / "new.csv").write_text("track_id,title\ntwin,New\n")
    assert update_tracks(path, root / "new.csv").n_changed == 1
    assert [one.index for one in catalog_info(path).segments] == ["128 lists, 24 searched", "exact scan"]
    return path


def answers_of(path, seed):
    """Return everything that can be asked of a catalog."""
    rng = np.random.default_rng(seed)
    catalog = open_catalog(path, MODEL)
    try:
        queries = rng.integers(-40, 40, (8, 128)).astype(np.int8)
        found = [part.tolist() for part in catalog.search(queries, 4)]
        known = [
            (catalog.track(i), catalog.words(i).tobytes(), catalog.same_audio(i)) for i in range(catalog.n_numbers)
        ]
        return found, known, list(list_tracks(path)), catalog_info(path), catalog.duration_s
    finally:
        catalog.close()


def damaged(data, dice, n_flips, n_cuts):
    """Yield ways in which a file can be damaged: a bit, a byte, a run of zeros, a cut, something after the end."""
    edges = [*range(min(16, len(data))), *range(max(len(data) - 16, 0), len(data))]
    some = dice.sample(edges, min(len(edges), n_flips // 4 + 1))
    for offset in [*some, *(dice.randrange(len(data)) for _ in range(n_flips))]:
        bad = bytearray(data)
        kind = dice.randrange(3)
        if kind == 0:
            bad[offset] ^= 1 << dice.randrange(8)
        elif kind == 1:
            bad[offset] = dice.randrange(256)
        else:
            bad[offset : offset + 512] = bytes(len(bad[offset : offset + 512]))
        yield bytes(bad)
    for _ in range(n_cuts):
        yield data[: dice.randrange(len(data))]
        yield data + dice.randbytes(dice.randrange(1, 5000))
    yield b""


@contextlib.contextmanager
def no_hang():
    """Raise TimeoutError in what takes too long."""

    def stop(number, frame):
        raise TimeoutError(f"more than {HANG_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANG_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fuzz(path, name, dice, n_flips, n_cuts):
    """Damage a file in many ways; return how often the answer was an error."""
    file = path / name
    good = file.read_bytes()
    expected = answers_of(path, 1)
    n_errors = n_same = 0
    try:
        for bad in damaged(good, dice, n_flips, n_cuts):
            if bad == good:
                continue
            file.write_bytes(bad)
            with no_hang():
                try:
                    assert answers_of(path, 1) == expected
                    n_same += 1
                except (CatalogDamagedError, CatalogVersionError) as error:
                    assert name in str(error) or file.name in str(error)  # noqa: PT017
                    n_errors += 1
                found = None
                with contextlib.suppress(CatalogVersionError):
                    found = check_catalog(path, model=MODEL)
                assert found is None or found.damage or found.notes
                if found is not None and not found.damage:
                    assert name == "manifest.copy.json"
    finally:
        file.write_bytes(good)
    assert answers_of(path, 1) == expected
    assert check_catalog(path, model=MODEL).damage == ()
    return n_errors, n_same


@pytest.mark.parametrize("name", FILES)
def test_damage_is_an_error_or_does_not_matter(whole, name):
    n_errors, _ = fuzz(whole, name, random.Random(name), n_flips=10, n_cuts=3)
    if name == "manifest.copy.json":
        assert n_errors == 0
    else:
        assert n_errors >= 10


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_damage_at_thousands_of_offsets(whole, name):
    n_errors, n_same = fuzz(whole, name, random.Random(f"long {name}"), n_flips=300, n_cuts=40)
    assert n_errors + n_same > 300
    assert (n_errors == 0) == (name == "manifest.copy.json")


def test_damage_does_not_get_into_what_is_written_anew(whole, tmp_path):
    """Compaction and removal read the damaged catalog: they stop, or what they write is right."""
    dice = random.Random(17)
    for name in FILES[2:]:
        path = shutil.copytree(whole, tmp_path / "c")
        expected = {one.track_id: one.recording for one in list_tracks(path)}
        data = bytearray((path / name).read_bytes())
        data[dice.randrange(len(data))] ^= 16
        (path / name).write_bytes(data)
        try:
            compact_catalog(path, model=MODEL)
        except CatalogError as error:
            assert name.rsplit("/", 1)[1] in str(error)  # noqa: PT017
            (path / name).write_bytes((whole / name).read_bytes())
        assert {one.track_id: one.recording for one in list_tracks(path)} == expected
        assert check_catalog(path, model=MODEL).damage == ()
        shutil.rmtree(path)
