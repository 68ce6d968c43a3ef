"""The matcher on real music: the bundled tracks as a catalog, and items made of them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark import audio
from earmark.catalog import build_catalog, open_catalog, remove_tracks
from earmark.errors import ModelMismatchError, ParameterError
from earmark.fingerprint import Model, fingerprint, load_model
from earmark.matching import DEFAULT_MAX_E_VALUE, Matcher
from earmark.matching.coincidence import Cohort
from earmark.matching.effort import effort_named
from earmark.matching.fitting import track_stretch
from earmark.matching.odds import load_calibration
from earmark.matching.residue import residue
from earmark.matching.search import find_alignments

MUSIC = Path(__file__).parents[1] / "data" / "music"
SR = audio.SAMPLE_RATE
TRACKS = ("muldjord-armygeddon", "paniq-contemplation", "dst-azum", "cameron-destiny-facedown")
NEGATIVES = ("ellinas-pulse-remix", "gachopin-lovin", "michel-ave-maria")


def load(name):
    return audio.load(MUSIC / f"{name}.opus")


@pytest.fixture(scope="module")
def catalog_path(tmp_path_factory):
    """Four tracks, one of them a second time under another id."""
    folder = tmp_path_factory.mktemp("music")
    for name in TRACKS:
        (folder / f"{name}.opus").write_bytes((MUSIC / f"{name}.opus").read_bytes())
    (folder / "reissue.opus").write_bytes((MUSIC / "dst-azum.opus").read_bytes())
    table = folder / "tracks.csv"
    rows = [f"{name}.opus,{name}" for name in (*TRACKS, "reissue")]
    table.write_text("\n".join(["path,track_id", *rows]) + "\n")
    path = folder.parent / "test.catalog"
    build_catalog(path, [folder], metadata=table, model=load_model(), jobs=1)
    return path


@pytest.fixture(scope="module")
def catalog(catalog_path):
    return open_catalog(catalog_path, load_model())


def find(catalog, y, **options):
    """Return {track id: match} and all matches."""
    matches = Matcher(catalog, load_model(), **options).match(fingerprint([y.astype(np.float32)], load_model()))
    return {catalog.track(m.track).track_id: m for m in matches}, matches


@pytest.mark.parametrize("name", TRACKS)
def test_a_track_finds_itself_whole(catalog, name):
    found, _ = find(catalog, load(name))
    assert set(found) == ({"dst-azum", "reissue"} if name == "dst-azum" else {name})
    m = found[name]
    duration_s = catalog.track(m.track).duration_s
    assert (m.item_start_s, m.track_start_s) == pytest.approx((0.0, 0.0), abs=0.25)
    assert (m.item_end_s, m.track_end_s) == pytest.approx((duration_s, duration_s), abs=0.25)
    assert m.log10_e_value < -20
    assert m.score > 3 * m.expected_score
    assert (m.tempo_ratio, m.pitch_semitones) == (1.0, 0.0)


@pytest.mark.parametrize("start_s", [3.0, 12.34, 20.5])
@pytest.mark.parametrize("length_s", [5.0, 10.0])
def test_an_excerpt_is_placed_to_a_quarter_second(catalog, start_s, length_s):
    y = load("paniq-contemplation")[int(start_s * SR) : int((start_s + length_s) * SR)]
    found, _ = find(catalog, y)
    m = found["paniq-contemplation"]
    assert m.track_start_s - m.item_start_s == pytest.approx(start_s, abs=0.25)
    assert (m.item_start_s, m.item_end_s) == pytest.approx((0.0, length_s), abs=0.4)


def test_music_in_the_middle_of_something_else(catalog):
    other, music = load("ellinas-pulse-remix"), load("muldjord-armygeddon")
    y = np.concatenate([other[: 8 * SR], music[10 * SR : 18 * SR], other[10 * SR : 20 * SR]])
    found, matches = find(catalog, y)
    assert set(found) == {"muldjord-armygeddon"}
    assert len(matches) == 1
    m = found["muldjord-armygeddon"]
    assert (m.item_start_s, m.item_end_s) == pytest.approx((8.0, 16.0), abs=0.4)
    assert (m.track_start_s, m.track_end_s) == pytest.approx((10.0, 18.0), abs=0.4)


def test_two_tracks_one_after_the_other(catalog):
    y = np.concatenate([load("muldjord-armygeddon")[: 10 * SR], load("cameron-destiny-facedown")[5 * SR : 15 * SR]])
    found, _ = find(catalog, y)
    assert set(found) == {"muldjord-armygeddon", "cameron-destiny-facedown"}
    assert found["muldjord-armygeddon"].item_end_s == pytest.approx(10.0, abs=0.4)
    assert found["cameron-destiny-facedown"].item_start_s == pytest.approx(10.0, abs=0.4)
    assert len({m.group for m in found.values()}) == 2


def test_two_tracks_at_once(catalog):
    a, b = load("paniq-contemplation")[: 20 * SR], load("cameron-destiny-facedown")[: 20 * SR]
    b = b * np.sqrt(np.mean(a**2) / np.mean(b**2))
    found, _ = find(catalog, a + b)
    assert set(found) == {"paniq-contemplation", "cameron-destiny-facedown"}
    one, two = found.values()
    assert min(one.item_end_s, two.item_end_s) - max(one.item_start_s, two.item_start_s) > 9
    assert one.group != two.group


def test_a_track_beneath_a_louder_one(catalog):
    a, b = load("paniq-contemplation")[: 12 * SR], load("cameron-destiny-facedown")[5 * SR : 17 * SR]
    b = 0.4 * b * np.sqrt(np.mean(a**2) / np.mean(b**2))  # 8 dB below
    found, _ = find(catalog, a + b)
    assert set(found) == {"paniq-contemplation", "cameron-destiny-facedown"}
    beneath = found["cameron-destiny-facedown"]
    assert beneath.track_start_s - beneath.item_start_s == pytest.approx(5.0, abs=0.25)


def test_what_is_left_of_two_tracks_without_one_is_the_other(catalog):
    model = load_model()
    a, b = load("paniq-contemplation")[: 12 * SR], load("cameron-destiny-facedown")[: 12 * SR]
    b = b * np.sqrt(np.mean(a**2) / np.mean(b**2))
    heard, beneath = fingerprint([(a + b).astype(np.float32)], model), fingerprint([a.astype(np.float32)], model)
    seeds = find_alignments(heard, catalog, model.config, Cohort(model.cohort), effort_named("fast"))
    seed = max(seeds, key=lambda s: s.score)
    assert catalog.track(seed.track).track_id == "cameron-destiny-facedown"
    found = Matcher(catalog, model)._extended(seed, load_calibration(model, "fast", "plain"), heard, group=0)
    rest = residue(heard, model, catalog, [found])
    level, here = model.config.item_peaks.index(model.config.track_peaks), slice(found.start, found.stop)
    alike = [np.bitwise_count(f.words[level, 0, here] & beneath.words[level, 0, here]).sum() for f in (heard, rest)]
    assert found.stop - found.start > 150
    assert alike[1] > 1.15 * alike[0]
    theirs = track_stretch(catalog.words(seed.track), found.start + seed.shift, found.stop - found.start)
    left = [np.bitwise_count(f.words[level, seed.phase, here] & theirs).sum() for f in (heard, rest)]
    assert left[1] < 0.05 * left[0]
    for name in ("n_frames", "n_samples"):
        assert getattr(rest, name) == getattr(heard, name)
    for name in ("patches", "saliency", "words"):
        assert getattr(rest, name).shape == getattr(heard, name).shape


def test_the_same_recording_under_two_ids_is_one_group(catalog):
    found, _ = find(catalog, load("dst-azum")[4 * SR : 16 * SR])
    assert set(found) == {"dst-azum", "reissue"}
    assert found["dst-azum"].group == found["reissue"].group
    assert found["dst-azum"].track_start_s == pytest.approx(found["reissue"].track_start_s, abs=0.05)


def make_catalog(folder, recordings):
    """Build a catalog of samples by track id."""
    (folder / "music").mkdir()
    for name, y in recordings.items():
        soundfile.write(folder / "music" / f"{name}.wav", y, SR)
    build_catalog(folder / "catalog", [folder / "music"], model=load_model(), jobs=1)
    return open_catalog(folder / "catalog", load_model())


def test_a_recording_under_many_ids_is_reported_under_all(tmp_path):
    music, other = load("dst-azum"), load("paniq-contemplation")
    tracks = {f"id-{i:02}": music for i in range(30)} | {"other": other}
    catalog = make_catalog(tmp_path, tracks)
    found, matches = find(catalog, np.concatenate([music[5 * SR : 15 * SR], other[5 * SR : 12 * SR]]))
    assert set(found) == {f"{name}.wav" for name in tracks}
    assert len(matches) == 31
    assert {m.group for name, m in found.items() if name != "other.wav"} == {0}
    assert found["other.wav"].group == 1


def test_reissues_in_other_encodings_are_reported_together(tmp_path):
    music = load("dst-azum")
    rng = np.random.default_rng(5)
    tracks = {f"issue-{i}": music[i * 300 :] + rng.standard_normal(len(music[i * 300 :])) * 1e-3 for i in range(8)}
    found, _ = find(make_catalog(tmp_path, tracks), music[5 * SR : 15 * SR])
    assert set(found) == {f"{name}.wav" for name in tracks}
    assert {m.group for m in found.values()} == {0}


@pytest.mark.parametrize("turned", [False, True])
def test_a_short_repeat_does_not_hide_the_long_match(tmp_path, turned):
    """Found in review: the riff alone, at its other place in the track, took the place of all that follows it."""
    riff, rest = load("cameron-destiny-facedown")[: 6 * SR], load("muldjord-armygeddon")[: 34 * SR]
    before, between = load("paniq-contemplation")[: 5 * SR], load("dst-azum")[: 25 * SR]
    parts = [before, riff, between, riff, rest]
    track = np.concatenate(parts[::-1] if turned else parts)
    item = np.concatenate([rest, riff] if turned else [riff, rest])
    found, matches = find(make_catalog(tmp_path, {"song": track}), item)
    assert len(matches) == 1
    m = found["song.wav"]
    assert (m.item_start_s, m.item_end_s) == pytest.approx((0.0, 40.0), abs=0.4)
    assert m.track_start_s == pytest.approx(0.0 if turned else 36.0, abs=0.4)


@pytest.mark.parametrize("name", NEGATIVES)
def test_other_music_is_not_claimed(catalog, name):
    assert find(catalog, load(name))[1] == []


def noise(seconds):
    return np.random.default_rng(3).standard_normal(int(seconds * SR)) * 0.1


HARMLESS = {
    "silence": np.zeros(20 * SR),
    "constant": np.full(20 * SR, 0.5),
    "white noise": noise(60),
    "sine": np.sin(2 * np.pi * 440 * np.arange(60 * SR) / SR),
    "clicks": np.tile(np.r_[1.0, np.zeros(SR // 2 - 1)], 120),
    "sweep": np.sin(2 * np.pi * np.cumsum(np.geomspace(100, 3900, 60 * SR)) / SR),
    "a sample": np.ones(1),
    "nothing": np.zeros(0),
    "a frame": noise(0.13),
    "a patch": noise(2.1),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_no_music_is_not_claimed(catalog, kind):
    assert find(catalog, HARMLESS[kind])[1] == []


def test_speed_within_what_is_promised_is_measured(catalog):
    y = load("muldjord-armygeddon")
    places = np.arange(0, len(y) - 2, 1.01)
    found, _ = find(catalog, np.interp(places, np.arange(len(y)), y))
    assert found["muldjord-armygeddon"].tempo_ratio == pytest.approx(1.01, abs=0.003)


def test_a_removed_track_is_not_found(catalog_path, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for source in catalog_path.rglob("*"):
        target = copy / source.relative_to(catalog_path)
        target.mkdir(exist_ok=True) if source.is_dir() else target.write_bytes(source.read_bytes())
    remove_tracks(copy, ["dst-azum"])
    found, _ = find(open_catalog(copy, load_model()), load("dst-azum"))
    assert set(found) == {"reissue"}


def test_odds_do_not_depend_on_what_else_is_in_the_item(catalog):
    music, other = load("muldjord-armygeddon")[: 10 * SR], load("gachopin-lovin")
    music = music + np.std(music) * 2.5 * np.random.default_rng(8).standard_normal(len(music))  # thin evidence
    alone, _ = find(catalog, music)
    joined, _ = find(catalog, np.concatenate([music, other]))
    assert -15 < alone["muldjord-armygeddon"].log10_e_value < -3
    assert joined["muldjord-armygeddon"].log10_e_value == pytest.approx(
        alone["muldjord-armygeddon"].log10_e_value, abs=1.5
    )


def test_a_stricter_limit_claims_less(catalog):
    y = load("muldjord-armygeddon")[: 5 * SR]
    _, matches = find(catalog, y)
    e_value = 10 ** matches[0].log10_e_value
    assert find(catalog, y, max_e_value=e_value / 10)[1] == []
    assert len(find(catalog, y, max_e_value=e_value * 10)[1]) == 1
    assert e_value < DEFAULT_MAX_E_VALUE


def test_bad_parameters_and_foreign_models_are_refused(catalog):
    with pytest.raises(ParameterError, match="max_e_value must be above 0, got 0"):
        Matcher(catalog, load_model(), max_e_value=0)
    with pytest.raises(ParameterError, match="effort must be one of"):
        Matcher(catalog, load_model(), effort="heroic")
    model = load_model()
    other = Model(
        config=model.config,
        projection=model.projection * np.float32(2),
        offset=model.offset,
        centroids=model.centroids,
        cohort=model.cohort,
    )
    with pytest.raises(ModelMismatchError, match="made with model"):
        Matcher(catalog, other)
