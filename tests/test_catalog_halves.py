"""A catalog in two halves, searched apart and merged: what one catalog gives, with the odds of the whole."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from earmark import audio
from earmark.catalog import build_catalog, open_catalog
from earmark.fingerprint import fingerprint, load_model
from earmark.matching import Matcher

_MUSIC = Path(__file__).parents[1] / "data" / "music"
_HALVES = (
    ("dst-azum", "michel-ave-maria", "muldjord-chaos-god", "paniq-die-gewalt"),
    ("cameron-d-toxification", "gachopin-lovin", "muldjord-armygeddon"),
)
_MAX_E = 1e3  # so that chance is among what is compared


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory):
    """Return the whole catalog and its halves, open."""
    folder = tmp_path_factory.mktemp("shards")
    made = []
    for name, ids in (("whole", (*_HALVES[0], *_HALVES[1])), ("first", _HALVES[0]), ("second", _HALVES[1])):
        music = folder / f"{name}-music"
        music.mkdir()
        for track_id in ids:
            shutil.copy(_MUSIC / f"{track_id}.opus", music)
        build_catalog(folder / name, [music], model=load_model(), jobs=1)
        made.append(open_catalog(folder / name, load_model()))
    return made


def _item():
    """Return 40 s: two tracks of each half one after the other, and one of each half mixed, all under some noise."""
    y = {i: audio.load(_MUSIC / f"{i}.opus") for half in _HALVES for i in half}
    parts = [y["dst-azum"][40000:120000], y["gachopin-lovin"][40000:120000]]
    parts += [y["paniq-die-gewalt"][40000:120000] + 0.5 * y["muldjord-armygeddon"][40000:120000]]
    parts += [audio.load(_MUSIC / "ellinas-pulse-remix.opus")[40000:120000]]
    item = np.concatenate(parts)
    noise = np.random.default_rng(3).normal(0, 0.1 * float(np.sqrt(np.mean(item**2))), len(item))
    return (item + noise).astype(np.float32)


def _matches(catalog, made, max_e_value):
    """Return {(track, item seconds): log10 E} of what is found."""
    found = Matcher(catalog, load_model(), effort="standard", max_e_value=max_e_value).match(made)
    return {(catalog.track(m.track).track_id, round(m.item_start_s), round(m.item_end_s)): m for m in found}


def test_two_halves_give_what_one_catalog_gives(catalogs):
    whole, *halves = catalogs
    assert sum(half.duration_s for half in halves) == pytest.approx(whole.duration_s)
    made = fingerprint([_item()], load_model())
    together = _matches(whole, made, _MAX_E)
    apart = {}
    for half in halves:
        share = half.duration_s / whole.duration_s
        # Chance has as many opportunities as there are hours of catalog: the whole's limit is a share of it here ...
        for key, match in _matches(half, made, _MAX_E * share).items():
            apart[key] = match.log10_e_value - math.log10(share)  # ... and the odds are those of the whole again
    both = together.keys() & apart.keys()
    assert {track_id for track_id, *_ in both} >= {"dst-azum.opus", "gachopin-lovin.opus", "paniq-die-gewalt.opus"}
    for key in both:
        if together[key].log10_e_value > -299:
            assert apart[key] == pytest.approx(together[key].log10_e_value, abs=math.log10(1 + 1e-6))
    # What only one way finds: weaker than a match of the other half over the same seconds, which explains it away
    # where both are at hand, or among the last of the candidates, which two halves have twice as many of.
    for key in together.keys() ^ apart.keys():
        _, start_s, end_s = key
        odds = apart[key] if key in apart else together[key].log10_e_value
        rivals = [
            (apart | {k: m.log10_e_value for k, m in together.items()})[other]
            for other in both
            if min(end_s, other[2]) - max(start_s, other[1]) > 0
        ]
        assert odds > 0 or min(rivals, default=0.0) < odds, f"{key} with log10 E {odds} is found one way only"
