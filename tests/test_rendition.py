"""Renditions undone, and places in views, against slow twins and on worked examples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ParameterError
from earmark.fingerprint import (
    ORIGINAL,
    Fingerprint,
    FingerprintConfig,
    Rendition,
    load_model,
    semitones_to_bands,
    undone_patches,
    undone_words,
)
from earmark.fingerprint.embedding import embed
from earmark.fingerprint.peaks import peak_words
from earmark.matching.extent import Extent
from earmark.matching.finding import Finding, FoundSoFar, common, words_beside
from earmark.matching.search import Alignment
from earmark.matching.view import View, item_frame, plain_view, undone_view, view_word

CONFIG = FingerprintConfig()


def random_map(seed, n_frames):
    """Few peaks, as music has them; values of a few steps, so that ties are common."""
    rng = np.random.default_rng(seed)
    return ((rng.random((n_frames, 64)) < 0.2) * rng.integers(1, 5, (n_frames, 64)) * 63).astype(np.uint8)


def undone(saliency, first_frame, step, shift_bands, n):
    """The slow twin: bilinear, 0 outside the map."""

    def cell(i, b):
        return saliency[i, b] / 255 if 0 <= i < len(saliency) and 0 <= b < 64 else 0.0

    out = np.zeros((n, 64))
    for j in range(n):
        i, late = divmod(first_frame + j * step, 1)
        for b in range(64):
            k, above = divmod(b + shift_bands, 1)
            out[j, b] = sum(
                (late if di else 1 - late) * (above if db else 1 - above) * cell(int(i) + di, int(k) + db)
                for di in (0, 1)
                for db in (0, 1)
            )
    return out.astype(np.float32)


def levels_near(words, frames):
    """Whether words are the peaks of frames, but for rounding: every set band is as salient as the ones left out."""
    for level, most in enumerate(CONFIG.item_peaks):
        for i, word in enumerate(words[level]):
            pair = frames[2 * i] + frames[2 * i + 1]
            on = np.array([(int(word) >> b) & 1 for b in range(64)], bool)
            assert on.sum() <= most
            assert (pair[on] >= CONFIG.peak_floor - 1e-5).all()
            left_out = pair[~on].max(initial=0.0)
            if on.sum() < most:
                assert left_out < CONFIG.peak_floor + 1e-5
            else:
                assert left_out <= pair[on].min() + 1e-5


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 9),
    st.sampled_from([-14.0, -6.3, -0.2, 0.0, 0.35, 7.0, 70.0]),
    st.sampled_from([0.5, 0.61, 1.0, 1.27, 1.7]),
    st.sampled_from([-7.0, -0.5, 0.0, 2.25, 40.0]),
)
@settings(max_examples=40, deadline=None)
def test_undone_words_equal_the_reference(seed, n_frames, pitch, tempo, first_frame):
    saliency = random_map(seed, n_frames)
    rendition = Rendition(pitch_semitones=pitch, tempo_ratio=tempo)
    words = undone_words(saliency, CONFIG, rendition, first_frame, 5)
    assert words.shape == (3, 2, 5)
    want = undone(saliency, first_frame, 1 / tempo, semitones_to_bands(pitch, CONFIG), 11)
    for phase in range(2):
        levels_near(words[:, phase], want[phase : phase + 10])


@pytest.mark.parametrize("n_frames", [0, 1, 2, 61, 62, 63, 90])
def test_nothing_undone_is_what_was(n_frames):
    saliency, model = random_map(1, n_frames), load_model()
    as_float = saliency * np.float32(1 / 255)
    words = undone_words(saliency, CONFIG, ORIGINAL, 0.0, n_frames // 2)
    np.testing.assert_array_equal(words[:, 0], peak_words(as_float, CONFIG))
    late = peak_words(as_float[1:], CONFIG)
    np.testing.assert_array_equal(words[:, 1, : late.shape[1]], late)
    want = embed(as_float, model.projection, model.offset, CONFIG)
    centres = np.arange(len(want)) * CONFIG.patch_hop_frames + (CONFIG.patch_frames - 1) / 2
    got = undone_patches(saliency, model, ORIGINAL, centres)
    assert got.shape == want.shape
    assert np.abs(got.astype(int) - want).max(initial=0) <= 1


def test_a_map_moved_by_whole_bands_and_frames_is_moved_back():
    saliency = random_map(2, 80)
    saliency[:, :8] = saliency[:, -8:] = 0
    three_bands = 3 / semitones_to_bands(1.0, CONFIG)
    higher = np.roll(saliency, 3, axis=1)
    words = undone_words(saliency, CONFIG, ORIGINAL, 10.0, 20)
    back = undone_words(higher, CONFIG, Rendition(pitch_semitones=three_bands), 10.0, 20)
    np.testing.assert_array_equal(back, words)
    slowed = np.repeat(saliency, 2, axis=0)  # half the tempo, each frame twice
    np.testing.assert_array_equal(undone_words(slowed, CONFIG, Rendition(tempo_ratio=0.5), 20.0, 20), words)


def test_patches_are_those_of_the_undone_map():
    saliency, model = random_map(3, 150), load_model()
    rendition = Rendition(pitch_semitones=-1.4, tempo_ratio=1.25)
    centres = np.array([75.0, 20.0, 400.0])
    got = undone_patches(saliency, model, rendition, centres)
    bands = semitones_to_bands(-1.4, CONFIG)
    for centre, patch in zip(centres, got, strict=True):
        frames = undone(saliency, centre - 30.5 / 1.25, 1 / 1.25, bands, CONFIG.patch_frames)
        want = embed(frames, model.projection, model.offset, CONFIG)[0]
        assert np.abs(patch.astype(int) - want).max() <= 1
    assert not got[2].any()  # outside the item
    with pytest.raises(ParameterError, match="tempo_ratio must be above 0, got 0"):
        undone_patches(saliency, model, Rendition(tempo_ratio=0.0), centres)


def item(n_frames, seed=4):
    saliency = random_map(seed, n_frames)
    words = undone_words(saliency, CONFIG, ORIGINAL, 0.0, n_frames // 2)
    patches = np.zeros((0, CONFIG.n_dims), np.int8)
    return Fingerprint(n_samples=0, n_frames=n_frames, words=words, patches=patches, saliency=saliency)


@given(st.floats(0.6, 1.6), st.floats(-50, 5000), st.integers(0, 4000), st.integers(0, 1))
def test_places_in_views_go_there_and_back(tempo, first_frame, word, phase):
    view = View(rendition=Rendition(tempo_ratio=tempo), first_frame=first_frame, words=np.zeros((3, 2, 1), np.uint64))
    frame = item_frame(view, word, 0)
    assert item_frame(view, word, phase) - frame == pytest.approx(phase / tempo, abs=1e-6)
    assert view_word(view, frame / 2) == word
    assert item_frame(view, word + 2, 0) - frame == pytest.approx(4 / tempo, abs=1e-6)


def test_a_plain_view_is_the_item():
    heard = item(100)
    view = plain_view(heard)
    assert view.words is heard.words
    assert (item_frame(view, 7, 1), view_word(view, 7)) == (15.0, 7)


def finding(start, stop, track=0):
    view = View(rendition=ORIGINAL, first_frame=0.0, words=np.zeros((3, 2, 0), np.uint64))
    seed = Alignment(view=view, start=start, stop=stop, phase=0, track=track, shift=0, score=9.0)
    extent = Extent(start=start, stop=stop, start_shift=0, stop_shift=0, found=1, expected=0.0)
    return Finding(seed=seed, extent=extent, start=start, stop=stop, log10_e_value=-9.0, group=0)


@pytest.mark.parametrize(
    ("spans", "n_words", "gaps"),
    [
        ([], 0, []),
        ([], 10, [(0, 10)]),
        ([(0, 10)], 10, []),
        ([(3, 5)], 10, [(0, 3), (5, 10)]),
        ([(0, 4), (4, 8)], 10, [(8, 10)]),
        ([(5, 9), (0, 7), (1, 2)], 10, [(9, 10)]),  # overlapping, nested, not in order
        ([(0, 3), (8, 12)], 10, [(3, 8)]),  # reaches past the end
        ([(2, 400), (700, 900)], 1000, [(0, 2), (400, 700), (900, 1000)]),
    ],
)
def test_gaps_are_what_no_finding_covers(spans, n_words, gaps):
    found = FoundSoFar()
    for start, stop in spans:
        found.add(finding(start, stop))
    assert found.gaps(n_words) == gaps


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 700)), max_size=8), st.integers(0, 999))
@settings(deadline=None)
def test_findings_are_found_where_they_are(spans, at):
    found, all_of_them = FoundSoFar(), [finding(a, a + n, track=i) for i, (a, n) in enumerate(spans)]
    for one in all_of_them:
        found.add(one)
    assert found.within(at, at + 20) == [f for f in all_of_them if f.start < at + 20 and f.stop > at]
    gone = all_of_them[::2]
    found.take_out(gone)
    assert list(found) == all_of_them[1::2]
    assert found.within(at, at + 20) == [f for f in all_of_them[1::2] if f.start < at + 20 and f.stop > at]
    assert found.n_added == len(spans)


def test_findings_share_what_both_cover():
    assert [common(finding(0, 10), finding(a, e)) for a, e in ((2, 5), (8, 20), (10, 12), (30, 40))] == [3, 2, 0, 0]


def alignment(view, shift, phase=0):
    return Alignment(view=view, start=0, stop=view.words.shape[2], phase=phase, track=0, shift=shift, score=9.0)


def view_of(rendition, first_frame, n_words=60):
    return undone_view(item(200), CONFIG, rendition, first_frame, n_words)


def test_a_track_lies_beside_a_view_of_its_own_as_it_was_found():
    words = np.arange(1, 101, dtype=np.uint64)
    view = view_of(Rendition(tempo_ratio=1.3), 20.0)
    for start in (-5, 0, 50, 90):
        got = words_beside(view, 0, start, 8, alignment(view, 3), words, CONFIG)
        wanted = [int(words[w + 3]) if 0 <= w + 3 < 100 else 0 for w in range(start, start + 8)]
        assert got.tolist() == wanted


@pytest.mark.parametrize(("mine", "theirs"), [(1.0, 1.0), (1.0, 1.25), (1.4, 0.7)])
@pytest.mark.parametrize("phases", [(0, 0), (1, 0), (0, 1)])
def test_a_track_found_at_one_tempo_lies_right_in_a_view_of_another(mine, theirs, phases):
    words = np.arange(1, 401, dtype=np.uint64)
    view, other = view_of(Rendition(tempo_ratio=mine), 40.0), view_of(Rendition(tempo_ratio=theirs), 12.5)
    got = words_beside(view, phases[0], 4, 30, alignment(other, 7, phases[1]), words, CONFIG)
    for w, word in zip(range(4, 34), got.tolist(), strict=True):
        track_word = word - 1
        heard_at = item_frame(other, track_word - 7, phases[1])
        assert abs(heard_at - item_frame(view, w, phases[0])) <= 1 / theirs + 1e-9  # half a word


def test_a_track_found_at_one_pitch_is_moved_to_that_of_the_view():
    words = np.full(100, 1 << 20, np.uint64)
    low, high = view_of(Rendition(pitch_semitones=-3.0), 0.0), view_of(Rendition(pitch_semitones=2.0), 0.0)
    bands = round(semitones_to_bands(5.0, CONFIG))
    up = words_beside(low, 0, 0, 5, alignment(high, 0), words, CONFIG)
    down = words_beside(high, 0, 0, 5, alignment(low, 0), words, CONFIG)
    assert set(up.tolist()) == {1 << (20 + bands)}
    assert set(down.tolist()) == {1 << (20 - bands)}
