"""Whether the yardstick of benchmarks/accuracy.py is straight: truth, judgement and intervals."""

import dataclasses
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from earmark.catalog import open_catalog
from earmark.fingerprint import fingerprint, load_model
from earmark.matching import Matcher

from .small_catalog import excerpt, small_catalog

NAMES = ("accuracy", "cells", "composed", "judging", "queries", "tables")


@pytest.fixture(scope="module")
def bench():
    """The modules of the benchmarks, by name."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
        patch.setattr(sys, "dont_write_bytecode", True)
        yield {name: importlib.import_module(name) for name in NAMES}
        folder = str(Path(__file__).parents[1] / "benchmarks")
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
                del sys.modules[name]


@pytest.fixture(scope="module")
def found():
    """Matches of 8 s of one track and then 8 s of another, and the catalog."""
    catalog = open_catalog(small_catalog(), load_model())
    y = np.concatenate([excerpt("azum", sr=8000), excerpt("chaos", sr=8000)])
    return Matcher(catalog, load_model()).match(fingerprint([y], load_model())), catalog


@pytest.fixture
def judge(bench, found):
    return bench["judging"].Judge(found[1], load_model().config.words_per_second)


@pytest.fixture
def truth(bench):
    segment = bench["queries"].Segment
    return (
        segment(item_start_s=0.0, item_end_s=8.0, track_id="azum", track_start_s=8.0),
        segment(item_start_s=8.0, item_end_s=16.0, track_id="chaos", track_start_s=8.0),
    )


def test_what_is_there_is_judged_found_and_right(judge, found, truth):
    judgement = judge.judge(found[0], truth)
    assert all(e < -3 for e in judgement.log10_e.values())
    assert judgement.near == {"azum": True, "chaos": True}
    assert judgement.others == []  # azum-again is the same recording
    assert np.abs(judgement.edges).max() < 0.5
    assert judgement.tempo_error == pytest.approx(0, abs=0.01)
    assert judgement.pitch_error == 0


def test_a_claim_of_what_is_not_there_is_told(judge, found, truth):
    others = judge.judge(found[0], truth[:1]).others
    assert {track for track, *_ in others} == {"chaos"}


def test_a_track_that_is_missed_is_told(judge, found, truth):
    missing = dataclasses.replace(truth[1], track_id="die-gewalt")
    assert judge.judge(found[0], (truth[0], missing)).log10_e["die-gewalt"] is None


@pytest.mark.parametrize(("off_s", "near"), [(0.15, True), (0.6, False), (-0.6, False)])
def test_an_offset_is_right_to_a_quarter_second(judge, found, truth, off_s, near):
    shifted = dataclasses.replace(truth[1], track_start_s=truth[1].track_start_s + off_s)
    assert judge.judge(found[0], (truth[0], shifted)).near["chaos"] == near


def test_the_seconds_of_claims_add_up(bench, judge, found, truth):
    seconds_of = bench["judging"].seconds_of
    right, wrong, missed = seconds_of(judge, found[0], truth, (), 16.0)
    assert right + missed == pytest.approx(16)
    assert missed + wrong < 1.0
    right, wrong, missed = seconds_of(judge, found[0], truth[:1], (), 16.0)
    assert right + missed == pytest.approx(8)
    assert wrong == pytest.approx(8, abs=1)
    assert seconds_of(judge, found[0], truth[:1], truth[1:], 16.0)[1] < 1.0  # what is faint is not wrong
    assert seconds_of(judge, [], truth, (), 16.0) == pytest.approx((0, 0, 16))


def test_a_cross_fade_belongs_to_a_track_where_it_is_less_than_6_db_under_the_other(bench):
    mix = bench["composed"]._Mix(y=np.zeros(0, np.float32), truth=[], faint=[])
    rate = bench["composed"].RATE
    mix.append(np.ones(10 * rate, np.float32), 0.0, ("a", 50.0))
    mix.append(np.ones(10 * rate, np.float32), 3.0, ("b", 70.0))
    mix.append(np.ones(5 * rate, np.float32), 0.0, None)
    a, b = mix.truth
    assert (a.item_start_s, a.item_end_s, a.track_start_s) == pytest.approx((0, 9, 50))
    assert (b.item_start_s, b.item_end_s, b.track_start_s) == pytest.approx((8, 17, 71))
    assert [(s.track_id, s.item_start_s, s.item_end_s) for s in mix.faint] == [("a", 9.0, 10.0), ("b", 7.0, 8.0)]
    assert mix.faint[1].track_start_s == pytest.approx(70)
    assert len(mix.y) == 22 * rate


def test_intervals_know_that_excerpts_of_a_track_hang_together(bench):
    interval = bench["tables"].interval
    hits = np.repeat([1, 1, 1, 0], 25)
    low, high = interval(hits, np.repeat(["a", "b", "c", "d"], 25))
    narrow_low, narrow_high = interval(hits, np.arange(100))
    assert low < narrow_low < 0.75 < narrow_high < high
    assert interval([1] * 8, list("aabbccdd")) == (pytest.approx(0.025**0.25), 1.0)
    assert interval([0] * 8, list("aabbccdd")) == (0.0, pytest.approx(1 - 0.025**0.25))


def test_a_million_tracks_ask_for_better_odds(bench):
    accepted = bench["tables"].accepted_at_million
    assert accepted(-6.6, 19.0)
    assert not accepted(-6.5, 19.0)
    assert not accepted(None, 19.0)


def test_the_worst_tenth_of_a_range_is_found(bench):
    tempos = np.geomspace(0.67, 1.5, 200)
    results = [{"cell": "speed", "change": {"tempo": t}} for t in tempos]
    worst = bench["tables"].worst_tenth(results, tempos < 1.3)
    assert worst["share"] == 0
    assert worst["from"] >= 1.27
    assert bench["tables"].worst_tenth([{"cell": "clean"}], np.ones(1)) is None


@pytest.mark.parametrize("name", ["speed", "tempo", "pitch", "pitch_tempo", "slow_reverb", "white", "second", "clean"])
def test_changes_are_drawn_from_the_range_of_their_cell(bench, name):
    cell = bench["cells"].parse(name)
    limits = bench["cells"].varied(cell)
    changes = [bench["cells"].draw(cell, np.random.default_rng(n)) for n in range(300)]
    assert changes[7] == bench["cells"].draw(cell, np.random.default_rng(7))
    for field in ("tempo", "pitch", "level"):
        drawn = np.array([getattr(change, field) for change in changes])
        if field in limits:
            low, high = limits[field]
            assert low <= drawn.min() < low + 0.05 * (high - low)
            assert high - 0.05 * (high - low) < drawn.max() <= high
            assert len(set(drawn)) == len(drawn)
        elif name not in {"speed", "slow_reverb"}:  # those have their pitch from their tempo
            assert len(set(drawn)) == 1


@pytest.mark.parametrize("name", ["", "speeed", "white_loud", "clean_3"])
def test_unknown_cells_are_refused(bench, name):
    with pytest.raises(ValueError, match="there is no cell"):
        bench["cells"].parse(name)


def test_every_cell_that_is_named_exists(bench):
    cells = bench["cells"]
    assert {cells.parse(name).kind for name in cells.EVERY} | {"stem_guitar", "stem_backing"} == cells.KINDS
