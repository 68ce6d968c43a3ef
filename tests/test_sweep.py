"""The sweep on real music: changed speed, tempo and pitch, what each effort finds of them, and the edges."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark import audio
from earmark.catalog import build_catalog, open_catalog, remove_tracks
from earmark.fingerprint import ORIGINAL, Rendition, fingerprint, load_model
from earmark.matching import Matcher
from earmark.matching.coincidence import Cohort
from earmark.matching.effort import EFFORTS, effort_named
from earmark.matching.fitting import best_in_track
from earmark.matching.search import Alignment, find_alignments
from earmark.matching.sweep import (
    BLOCK_FRAMES,
    LEAST_FIT,
    LONGEST_WORDS,
    _blocks,
    _longer,
    _probe_centres,
    refine,
)
from earmark.matching.view import View, item_frame, plain_view

MUSIC = Path(__file__).parents[1] / "data" / "music"
SR = audio.SAMPLE_RATE
TRACKS = ("muldjord-armygeddon", "paniq-contemplation", "dst-azum")


def load(name):
    return audio.load(MUSIC / f"{name}.opus")


def played(y, speed):
    """Play faster and higher: `speed` times both."""
    return np.interp(np.arange(0, len(y) - 1, speed), np.arange(len(y)), y).astype(np.float32)


def stretched(y, tempo):
    """Play faster at the same pitch: overlapping pieces of 64 ms, laid where they agree best with the last."""
    n, hop = 512, 256
    window = np.hanning(n + 1)[:n]
    out = np.zeros(int(len(y) / tempo) + 2 * n)
    at, follow = 0, y[:n]
    for i in range(int((len(y) / tempo - 2 * n) // hop)):
        near = max(int(i * hop * tempo) - 128, 0)
        region = y[near : near + n + 256]
        if len(region) < n + 256 or len(follow) < n:
            break
        at = near + int(np.argmax(np.correlate(region, follow, "valid")))
        out[i * hop : i * hop + n] += window * y[at : at + n]
        follow = y[at + hop : at + hop + n]
    return out[: i * hop].astype(np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep") / "test.catalog"
    build_catalog(path, [MUSIC / f"{name}.opus" for name in TRACKS], model=load_model(), jobs=1)
    return path


@pytest.fixture(scope="module")
def catalog(path):
    return open_catalog(path, load_model())


def match(catalog, y, effort):
    return Matcher(catalog, load_model(), effort=effort).match(fingerprint([y.astype(np.float32)], load_model()))


def find(catalog, y, effort):
    matches = match(catalog, y, effort)
    return {catalog.track(m.track).track_id.removesuffix(".opus"): m for m in matches}


def excerpt(name, start_s, length_s):
    return load(name)[int(start_s * SR) : int((start_s + length_s) * SR)]


@pytest.mark.parametrize(
    ("speed", "efforts"), [(0.7, ("standard",)), (1.06, ("standard",)), (1.45, ("standard", "thorough"))]
)
def test_music_at_another_speed(catalog, speed, efforts):
    y = played(excerpt("paniq-contemplation", 8.0, 10 * speed), speed)
    assert find(catalog, y, "fast") == {}
    for effort in efforts:
        m = find(catalog, y, effort)["paniq-contemplation"]
        assert m.tempo_ratio == pytest.approx(speed, rel=0.01)
        assert m.pitch_semitones == pytest.approx(12 * np.log2(speed), abs=0.2)
        assert (m.item_start_s, m.item_end_s) == pytest.approx((0.0, 10.0), abs=0.4)
        assert (m.track_start_s, m.track_end_s) == pytest.approx((8.0, 8.0 + 10 * speed), abs=0.4)


@pytest.mark.parametrize("tempo", [0.7, 1.4])
def test_music_at_another_tempo_and_its_own_pitch(catalog, tempo):
    y = stretched(excerpt("muldjord-armygeddon", 4.0, 12 * tempo), tempo)
    m = find(catalog, y, "standard")["muldjord-armygeddon"]
    assert m.tempo_ratio == pytest.approx(tempo, rel=0.02)
    assert m.pitch_semitones == pytest.approx(0.0, abs=0.2)
    assert m.track_start_s == pytest.approx(4.0, abs=0.6)


@pytest.mark.parametrize("semitones", [-5.0, 3.0])
def test_music_at_another_pitch_and_its_own_tempo(catalog, semitones):
    speed = 2 ** (semitones / 12)
    y = stretched(played(excerpt("dst-azum", 5.0, 14.0), speed), 1 / speed)
    assert set(find(catalog, y, "standard")) <= {"dst-azum"}  # in its changes of speed, some drones sound like this
    m = find(catalog, y, "thorough")["dst-azum"]
    assert m.tempo_ratio == pytest.approx(1.0, rel=0.01)
    assert m.pitch_semitones == pytest.approx(semitones, abs=0.25)
    assert m.track_start_s == pytest.approx(5.0, abs=0.6)


def test_changed_music_between_music_as_it_is(catalog):
    """Only the gap is swept, and what is found there ends where the rest begins."""
    before, after = excerpt("muldjord-armygeddon", 3.0, 8.0), excerpt("dst-azum", 6.0, 8.0)
    changed = played(excerpt("paniq-contemplation", 10.0, 12.5), 1.25)
    found = find(catalog, np.concatenate([before, changed, after]), "standard")
    assert set(found) == set(TRACKS)
    m = found["paniq-contemplation"]
    assert (m.item_start_s, m.item_end_s) == pytest.approx((8.0, 18.0), abs=0.5)
    assert (m.track_start_s, m.track_end_s) == pytest.approx((10.0, 22.5), abs=0.5)
    assert found["muldjord-armygeddon"].tempo_ratio == found["dst-azum"].tempo_ratio == 1.0
    assert len({m.group for m in found.values()}) == 3


def test_reissues_of_a_long_recording_at_another_speed_are_one_group(tmp_path):
    music = np.concatenate([audio.load(path) for path in sorted(MUSIC.glob("*.opus"))[:6]])  # 3.5 minutes
    (tmp_path / "music").mkdir()
    soundfile.write(tmp_path / "music" / "issue.flac", music, SR)
    soundfile.write(tmp_path / "music" / "reissue.ogg", music, SR, format="OGG", subtype="VORBIS")
    build_catalog(tmp_path / "catalog", [tmp_path / "music"], model=load_model(), jobs=1)
    matches = match(open_catalog(tmp_path / "catalog", load_model()), played(music, 0.83), "standard")
    assert len(matches) == 2
    assert len({m.group for m in matches}) == 1
    for m in matches:
        assert m.item_start_s == pytest.approx(0.0, abs=0.5)
        assert m.item_end_s == pytest.approx(len(music) / 0.83 / SR, abs=0.5)
        assert m.tempo_ratio == pytest.approx(0.83, rel=0.001)


def test_the_same_item_gives_the_same_matches(catalog):
    y = played(excerpt("dst-azum", 5.0, 10.0), 1.19)
    assert find(catalog, y, "standard") == find(catalog, y, "standard") != {}


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("n_frames", [0, 1, 2, 61, 62, 63, 94, 156])
def test_items_of_any_length_are_taken(catalog, effort, n_frames):
    n_samples = 1024 + 256 * (n_frames - 1) if n_frames else 0
    y = np.random.default_rng(n_frames).standard_normal(n_samples).astype(np.float32) * 0.1
    heard = fingerprint([y], load_model())
    assert heard.n_frames == n_frames
    assert Matcher(catalog, load_model(), effort=effort).match(heard) == []


def test_a_catalog_without_tracks_finds_nothing(tmp_path):
    build_catalog(tmp_path / "empty", [MUSIC / "dst-azum.opus"], model=load_model(), jobs=1)
    remove_tracks(tmp_path / "empty", ["dst-azum.opus"])
    catalog = open_catalog(tmp_path / "empty", load_model())
    for effort in EFFORTS:
        assert find(catalog, excerpt("dst-azum", 5.0, 6.0), effort) == {}


def test_refining_finds_a_rendition_that_is_a_little_off(catalog):
    y = played(excerpt("paniq-contemplation", 8.0, 6.3), 1.05)
    heard, model = fingerprint([y], load_model()), load_model()
    track = next(t for t in range(3) if catalog.track(t).track_id.startswith("paniq"))
    begin = Alignment(
        view=plain_view(heard), start=0, stop=78, phase=0, track=track, shift=round(8.0 * 15.625), score=0.0
    )
    off = Rendition(pitch_semitones=0.5, tempo_ratio=1.06)
    refined = refine(heard, model, catalog.words(track), begin, off, steps=((0.35, 0.02), (0.18, 0.01), (0.09, 0.005)))
    assert refined.view.rendition.tempo_ratio == pytest.approx(1.05, rel=0.01)
    assert refined.view.rendition.pitch_semitones == pytest.approx(12 * np.log2(1.05), abs=0.15)
    # The middle of the stretch stays where it was.
    middle = (item_frame(refined.view, refined.start, 0) + item_frame(refined.view, refined.stop, 0)) / 2
    assert middle == pytest.approx(78, abs=1.5)


def test_a_stretch_is_laid_where_it_fits_best_in_all_of_a_track(catalog):
    model = load_model()
    view = plain_view(fingerprint([excerpt("muldjord-armygeddon", 9.0, 5.0)], model))
    track = next(n for n in range(catalog.n_numbers) if catalog.track(n).track_id.startswith("muldjord"))
    fit, phase, place = best_in_track(view.words, catalog.words(track))
    assert place + phase / 2 == pytest.approx(9.0 * model.config.words_per_second, abs=1)
    assert fit > 2 * LEAST_FIT


@pytest.mark.parametrize("place", [-20, 0, 30, 150, 199])
def test_a_stretch_may_lie_partly_outside_its_track(place):
    rng = np.random.default_rng(place + 20)
    words = rng.integers(0, 2**63, (3, 2, 78), dtype=np.uint64) & rng.integers(0, 2**63, (3, 2, 78), dtype=np.uint64)
    words[:, 0] = words[:, 1] & rng.integers(0, 2**63, (3, 78), dtype=np.uint64)  # frames overlap: phases are alike
    track = np.zeros(258, np.uint64)
    track[30 : 30 + 200] = rng.integers(0, 2**63, 200, dtype=np.uint64)
    at = 30 + place
    track[max(at, 30) : min(at + 78, 230)] = words[0, 1][max(30 - at, 0) : 78 - max(at + 78 - 230, 0)]
    _, phase, found = best_in_track(words, track[30:230])
    assert (phase, found) == (1, place) if place <= 145 else found <= 145


def test_alignments_as_it_is_are_in_the_items_own_words(catalog):
    model, heard = load_model(), fingerprint([excerpt("dst-azum", 5.0, 6.0)], load_model())
    effort = effort_named("standard")
    found = find_alignments(heard, catalog, model.config, Cohort(model.cohort), effort)
    assert found
    assert all(a.view.words is heard.words and a.view.rendition == ORIGINAL for a in found)


@pytest.mark.parametrize(
    ("start", "stop", "blocks"),
    [
        (0, 0, []),
        (0, 61, []),
        (7, 69, [(7, 69)]),
        (0, 155, [(0, 155)]),
        (0, 156, [(0, 156)]),
        (0, 194, [(0, 156)]),  # what is left over is less than a quarter
        (0, 195, [(0, 156), (39, 195)]),
        (10, 322, [(10, 166), (166, 322)]),
    ],
)
def test_blocks_cover_a_stretch(start, stop, blocks):
    assert BLOCK_FRAMES == 156
    assert list(_blocks(start, stop, 62)) == blocks


@pytest.mark.parametrize(
    ("block", "n_probes", "centres"),
    [
        ((0, 62), 9, [31]),
        ((0, 82), 9, [41]),
        ((0, 83), 9, [31, 52]),
        ((100, 256), 3, [131, 178, 225]),
        ((0, 156), 9, [31, 54.5, 78, 101.5, 125]),
    ],
)
def test_probes_overlap_by_two_thirds_at_most(block, n_probes, centres):
    assert _probe_centres(block, n_probes, 62).tolist() == pytest.approx(centres)


@pytest.mark.parametrize("tempo", [0.55, 0.67, 1.0, 1.5, 1.7])
@pytest.mark.parametrize("factor", [2, 4])
def test_longer_stretches_fit_the_cohort(tempo, factor):
    n_words = int(BLOCK_FRAMES * tempo) // 2
    view = View(rendition=Rendition(tempo_ratio=tempo), first_frame=500.3, words=np.zeros((3, 2, n_words), np.uint64))
    block = Alignment(view=view, start=0, stop=n_words, phase=1, track=0, shift=5, score=5.0)
    longer = _longer(block, factor * BLOCK_FRAMES, (0, 3000))
    assert len(longer) == (0 if not longer else 2)
    for a in longer:
        assert a.stop - a.start <= LONGEST_WORDS + 1
        assert a.start <= 0 or a.stop >= n_words
    # The finer steps of refining may lengthen it further.
    most = (LONGEST_WORDS + 1) * 1.01**3 * 1.005**3
    assert most <= load_model().cohort.shape[1]
    assert _longer(block, factor * BLOCK_FRAMES, (500, 500 + BLOCK_FRAMES)) == []
