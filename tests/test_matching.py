"""Votes, verification, extents and odds against their slow twins and on made-up recordings."""

import json
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ParameterError
from earmark.fingerprint import ORIGINAL, load_model
from earmark.matching import EFFORTS, band_tests
from earmark.matching.band_tests import ItemBands
from earmark.matching.bitmaps import evenness, mixing
from earmark.matching.coincidence import BESIDE, DECIDED, LEAST_SHARPNESS, RADIUS, Cohort, Stretch
from earmark.matching.effort import effort_named
from earmark.matching.extent import find_extent
from earmark.matching.fitting import track_stretch
from earmark.matching.odds import Calibration, load_calibration, log10_e_value, score_at
from earmark.matching.search import _window_starts
from earmark.matching.voting import SIMILARITY_FLOOR, vote

from . import matching_reference as reference


def random_words(rng, n, n_peaks=6, n_bands=64):
    words = np.zeros(n, np.uint64)
    for i in range(n):
        for b in rng.choice(n_bands, n_peaks, replace=False):
            words[i] |= np.uint64(1) << np.uint64(b)
    return words


def levels_of(words, rng):
    """Words at three levels and two phases: fewer and more peaks around those given."""
    few = words & random_words(rng, len(words), 40)
    more = words | random_words(rng, len(words), 6)
    levels = np.stack([few, words, more])
    return np.stack([levels, np.roll(levels, -1, axis=1)], axis=1)


@pytest.fixture
def rng():
    return np.random.default_rng(20261123)


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(1)
    return np.stack([random_words(rng, 100) for _ in range(40)])


few_hits = st.integers(0, 2**32 - 1)


@given(few_hits, st.integers(1, 6), st.integers(1, 5), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_votes_equal_the_reference(seed, n_patches, k, n_candidates):
    rng = np.random.default_rng(seed)
    tracks = rng.integers(-1, 3, (n_patches, k)).astype(np.int32)
    offsets = rng.integers(-4, 5, (n_patches, k))
    # Of equal candidates it is a matter of rounding which one wins: sums of random numbers are never equal.
    similarities = rng.uniform(0.1, 1.0, (n_patches, k)).astype(np.float32)
    got = list(zip(*(x.tolist() for x in vote(tracks, offsets, similarities, n_candidates)), strict=True))
    want = reference.vote(tracks, offsets, similarities, n_candidates, SIMILARITY_FLOOR)
    assert [g[2] for g in got] == pytest.approx([w[2] for w in want], abs=1e-4)
    assert [g[:2] for g in got] == [w[:2] for w in want]


def test_no_hits_give_no_candidates():
    none = vote(np.full((3, 2), -1, np.int32), np.zeros((3, 2), np.int64), np.zeros((3, 2), np.float32), 5)
    assert [len(x) for x in none] == [0, 0, 0]


@pytest.mark.parametrize("n", [1, 31, 63, 64, 65, 78, 100])
def test_bands_are_tested_like_the_reference(rng, cohort, n):
    track = random_words(rng, n)
    words = levels_of(np.where(rng.random(n) < 0.5, track, random_words(rng, n)).astype(np.uint64), rng)
    counts = np.array([sum(reference.bits(level)[b].sum() for level in words[:, 0]) for b in range(64)], np.float32)
    bands = ItemBands(np.ascontiguousarray(words[:, 0]), counts)
    test = bands.test(track)
    want = reference.band_tests(words[:, 0], track, band_tests.MAX_LAG)
    for got, wanted in zip((test.excess, test.signal, test.variance), want, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        bands.covariance(track, test.variance),
        reference.covariance(words[:, 0], track, want[2], band_tests.CROSS_LAGS),
        rtol=1e-4,
        atol=1e-3,
    )
    weights = np.divide(test.signal, test.variance, out=np.zeros(64), where=test.variance > 0)
    assert test.z == pytest.approx(reference.standardised(weights, test.excess, np.diag(test.variance)), rel=1e-6)


@pytest.mark.parametrize("shift", [-RADIUS, -1, 0, 3, RADIUS])
def test_stretches_are_laid_where_they_fit(rng, cohort, shift):
    reach = BESIDE[1]
    track = random_words(rng, 200)
    at = 60
    words = levels_of(track[at : at + 78], rng)
    ref = track[at - RADIUS - reach - shift : at + 78 + RADIUS + reach - shift]
    noise = np.stack([ref, random_words(rng, len(ref))])
    phases, shifts, scores = Stretch(words, Cohort(cohort)).compare(noise, [4, 5])
    want_phase, want_shift, z = reference.best_alignment(words, ref[reach:-reach], RADIUS, cohort)
    assert (phases[0], shifts[0]) == (want_phase, want_shift) == (0, shift)
    lags = band_tests.MAX_LAG, band_tests.CROSS_LAGS
    around = track[at - reach : at + 78 + reach]
    want = reference.score(z, words[:, 0], around, lags, BESIDE, LEAST_SHARPNESS)
    assert scores[0] == pytest.approx(want, rel=1e-3)
    assert scores[0] > DECIDED
    assert scores[1] == 0


def beside(music, rng):
    """Put other music before and after."""
    return np.concatenate([random_words(rng, BESIDE[1]), music, random_words(rng, BESIDE[1])])


def test_a_track_that_repeats_itself_is_looked_at_twice_at_most(rng, cohort):
    music = random_words(rng, 78)
    heard = levels_of(np.where(rng.random(78) < 0.15, music, random_words(rng, 78)).astype(np.uint64), rng)
    references = np.stack([beside(music, rng)] * 5)
    _, _, scores = Stretch(heard, Cohort(cohort)).compare(references, [1, 1, 1, 2, 2], radius=0)
    assert 0 < scores[0] < DECIDED
    assert (scores > 0).tolist() == [True, True, False, True, True]


def test_a_track_that_is_decided_is_not_looked_at_again(rng, cohort):
    music = random_words(rng, 78)
    references = np.stack([beside(music, rng)] * 4)
    _, _, scores = Stretch(levels_of(music, rng), Cohort(cohort)).compare(references, [1, 1, 2, 2], radius=0)
    assert scores[0] > DECIDED
    assert (scores > 0).tolist() == [True, False, True, False]


def test_music_that_fits_as_well_beside_scores_less(rng, cohort):
    """A beat of half a second fits wherever it is laid."""
    beat = np.tile(random_words(rng, 8), 20)
    words = levels_of(beat[16 : 16 + 78], rng)
    here = np.concatenate([random_words(rng, 16), beat[16 : 16 + 78], random_words(rng, 16)])
    _, _, scores = Stretch(words, Cohort(cohort)).compare(np.stack([beat[:110], here]), [1, 2], radius=0)
    assert 0 < scores[0] < scores[1]


def test_coincidences_in_one_moment_count_for_less(rng, cohort):
    music = random_words(rng, 78)
    heard = [random_words(rng, 78) for _ in range(2)]
    heard[0][20:40] = music[20:40]  # a quarter of it, in one piece
    spread = rng.permutation(78)[:20]
    heard[1][spread] = music[spread]
    even, one = [reference.evenness(levels_of(h, rng)[:, 0], music, 4) for h in heard]
    assert even < one
    words = levels_of(heard[0], rng)
    assert evenness(words, 0, music, 4) == pytest.approx(reference.evenness(words[:, 0], music, 4))


def test_a_sweep_through_the_bands_mixes_less_than_music(rng):
    music = random_words(rng, 78)
    rising = (np.uint64(1) << (np.arange(78) * 63 // 77).astype(np.uint64)).astype(np.uint64)
    mixed = []
    for track in (music, rising):
        words = levels_of(track, rng)
        mixed.append(mixing(words, 0, track, 4, 4))
        assert mixed[-1] == pytest.approx(reference.mixing(words[:, 0], track, 4, 4))
    assert mixed[1] < 0.15
    assert mixed[0] > 0.3
    assert mixing(levels_of(music, rng), 0, np.zeros(78, np.uint64), 4, 4) == 0.0


def test_an_empty_stretch_scores_nothing(cohort):
    empty = np.zeros((3, 2, 78), np.uint64)
    _, _, scores = Stretch(empty, Cohort(cohort)).compare(np.zeros((2, 90 + 2 * BESIDE[1]), np.uint64), [1, 2])
    assert scores.tolist() == [0, 0]


def test_stretches_longer_than_the_cohort_are_refused(cohort):
    with pytest.raises(ParameterError, match="cohort has 100 words, got a stretch of 101"):
        Stretch(np.zeros((3, 2, 101), np.uint64), Cohort(cohort))


@pytest.mark.parametrize(("start", "length"), [(0, 200), (50, 300), (300, 40)])
def test_extents_end_where_the_music_ends(rng, start, length):
    track = random_words(rng, 600)
    item = random_words(rng, 700)
    item[start : start + length] = track[100 : 100 + length]
    middle = start + length // 2
    extent = find_extent(item, track, middle - 15, middle + 15, 100 - start)
    assert abs(extent.start - start) <= 2
    assert abs(extent.stop - start - length) <= 2
    assert extent.start_shift == extent.stop_shift == 100 - start
    assert extent.found == pytest.approx(6 * length, rel=0.1)
    assert extent.expected == pytest.approx(6 * 6 / 64 * length, rel=0.3)


def test_extents_follow_a_drift_of_tempo(rng):
    track = random_words(rng, 900)
    item = track[(np.arange(800) * 1.02).astype(int)]
    extent = find_extent(item, track, 0, 78, 0)
    assert (extent.start, extent.stop) == (0, 800)
    assert extent.stop_shift == pytest.approx(16, abs=2)


def test_extents_bridge_short_gaps_and_stop_at_long_ones(rng):
    track = random_words(rng, 500)
    item = track.copy()
    item[150:170] = random_words(rng, 20)
    item[300:] = random_words(rng, 200)
    extent = find_extent(item, track, 20, 98, 0)
    assert extent.start == 0
    assert abs(extent.stop - 300) <= 2


def test_extents_stay_within_the_track(rng):
    track = random_words(rng, 80)
    item = random_words(rng, 200)
    item[:60] = track[20:]
    extent = find_extent(item, track, 0, 78, 20)
    assert extent.start == 0
    assert extent.stop + extent.stop_shift <= 80
    assert find_extent(item, track, 100, 178, 20).found == 0  # wholly outside


@pytest.mark.parametrize(
    ("n_words", "starts"),
    [(0, []), (1, [0]), (78, [0]), (79, [0, 1]), (117, [0, 39]), (120, [0, 39, 42])],
)
def test_windows_cover_the_whole_item(n_words, starts):
    assert _window_starts(n_words, 78) == starts


def test_track_stretches_are_padded_with_nothing():
    words = np.arange(1, 5, dtype=np.uint64)
    assert track_stretch(words, -2, 4).tolist() == [0, 0, 1, 2]
    assert track_stretch(words, 3, 3).tolist() == [4, 0, 0]
    assert track_stretch(words, 9, 2).tolist() == [0, 0]


def test_odds_scale_with_the_catalog_and_have_a_floor():
    calibration = Calibration(intercept=6.0, slope=1.0)
    assert log10_e_value(12, 3600 * 10, calibration) == pytest.approx(-5)
    assert log10_e_value(12, 3600 * 1000, calibration) == pytest.approx(-3)
    assert log10_e_value(1e6, 3600, calibration) == -300
    score = score_at(-3, 7200, calibration)
    assert log10_e_value(score, 7200, calibration) == pytest.approx(-3)


def test_odds_are_fitted_for_the_model_that_ships():
    fitted = json.loads(resources.files("earmark.matching").joinpath("calibration.json").read_text("utf-8"))
    assert fitted["model"] == load_model().digest
    assert set(fitted["efforts"]) == set(EFFORTS)
    for effort in EFFORTS:
        assert load_calibration(load_model(), effort, "plain").slope > 0
    assert load_calibration(load_model(), "standard", "sweep").slope > 0
    with pytest.raises(ParameterError, match="no odds are calibrated for effort 'fast', 'sweep'"):
        load_calibration(load_model(), "fast", "sweep")


@pytest.mark.parametrize(
    ("effort", "looks"), [("fast", ("plain", "residue")), ("standard", ("plain", "residue", "sweep"))]
)
def test_looks_share_what_may_be_claimed_by_chance(effort, looks):
    fitted = json.loads(resources.files("earmark.matching").joinpath("calibration.json").read_text("utf-8"))
    fits = fitted["efforts"][effort]
    fits = {**fits, "residue": fits["plain"]}
    allowed = [10 ** (fits[k]["intercept"] - load_calibration(load_model(), effort, k).intercept) for k in looks]
    assert sum(allowed) == pytest.approx(1.0)
    assert allowed[0] == pytest.approx(2 * allowed[1])


def test_an_unknown_effort_is_refused():
    with pytest.raises(ParameterError, match="effort must be one of fast, standard, thorough, got 'wild'"):
        effort_named("wild")


@pytest.mark.parametrize("name", EFFORTS[1:])
def test_sweeps_cover_what_is_promised(name):
    """No change in the promised range is further from a rendition than refining goes: half a semitone, 6 %."""
    renditions = effort_named(name).sweep.renditions
    assert len(renditions) == len(set(renditions))
    for speed in np.geomspace(0.67, 1.5, 200):
        assert any(covers(r, 12 * np.log2(speed), speed) for r in (*renditions, ORIGINAL))
    for tempo in np.geomspace(0.6, 1.6, 200):
        assert any(covers(r, 0.0, tempo) for r in (*renditions, ORIGINAL))
    if name == "thorough":
        for pitch in np.linspace(-6, 6, 50):
            for tempo in np.geomspace(0.7, 1.3, 50):
                assert any(covers(r, pitch, tempo) for r in (*renditions, ORIGINAL))


def covers(rendition, pitch_semitones, tempo_ratio):
    near = abs(rendition.pitch_semitones - pitch_semitones) <= 0.36
    return near and abs(np.log(rendition.tempo_ratio / tempo_ratio)) <= 0.07
