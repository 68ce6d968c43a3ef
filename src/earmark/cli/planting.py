"""The demo's corpus: what is planted in it, how, and whether a scan finds just that."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.audio.render import encode, mix, read_full_band, resample
from earmark.cli.bundled import Bundle
from earmark.scan import ItemRow, MatchRow

__all__ = ["LICENSEE", "Planted", "Planting", "differences", "plant"]

LICENSEE = "Acme AI"
# By the bundled grants, the bundled message and the bundled reservation: what they make of a use on the demo's day.
_STATUS_OF_HOLDER = {"Leonard Ritter": "licensed"}
_STATUS_OF_TRACK = {"dst-azum": "review"}  # a deal under a condition; all others are unlicensed

# How far a match's ends may lie from where the music was planted: under noise the first and the last seconds can
# be too little to go by.
_END_TOLERANCE_S = 4.0
# How far seconds of the track may lie from those of the item.
_OFFSET_TOLERANCE_S = 0.2

_NOISE_DB, _SPEECH_DB = 5.0, 5.0
_SR = 48000  # of the bundled music

Samples = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Planting:
    """A stretch of a track in an item.

    Attributes
    ----------
    track_id
        The track.
    item_start_s, item_end_s
        Where in the item.
    track_start_s
        Where in the track.
    status
        What the registry makes of it.
    """

    track_id: str
    item_start_s: float
    item_end_s: float
    track_start_s: float
    status: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Planted:
    """An item, and all that is in it.

    Attributes
    ----------
    item
        Its id.
    status
        What the scan must make of it.
    plantings
        In the order of the item.
    """

    item: str
    status: str
    plantings: tuple[Planting, ...] = ()


class _Gardener:
    """Writes items, and keeps the record of them."""

    def __init__(self, corpus: Path, bundle: Bundle) -> None:
        self._corpus, self._bundle = corpus, bundle
        self._rng = np.random.default_rng(20261101)
        self.planted: list[Planted] = []

    def music(self, track_id: str) -> Samples:
        """Return a bundled track at 48 kHz."""
        return _at_48k(self._bundle.tracks[track_id].path)

    def speech(self) -> Samples:
        """Return all the bundled speech at 48 kHz, one prompt after the other."""
        return np.concatenate([_at_48k(path) for path in self._bundle.speech])

    def noise(self, n_samples: int) -> Samples:
        """Return white noise."""
        return self._rng.standard_normal(n_samples, dtype=np.float32)

    def write(
        self, item: str, parts: Iterable[tuple[str, float, Samples]], *, sr: int = _SR, bit_rate: int | None = None
    ) -> None:
        """Write an item of parts in a row: each a track id, its second where the part begins, and the sound."""
        parts, plantings, at_s = list(parts), [], 0.0
        for track_id, track_start_s, y in parts:
            end_s = at_s + len(y) / _SR
            track = self._bundle.tracks.get(track_id)
            if track is not None and track.in_catalog:
                plantings.append(
                    Planting(
                        track_id=track_id,
                        item_start_s=at_s,
                        item_end_s=end_s,
                        track_start_s=track_start_s,
                        status=_STATUS_OF_TRACK.get(
                            track_id, _STATUS_OF_HOLDER.get(track.row["rightsholder"], "unlicensed")
                        ),
                    )
                )
            at_s = end_s
        path = self._corpus / item
        path.parent.mkdir(parents=True, exist_ok=True)
        y = np.concatenate([part for _, _, part in parts])
        encode(y if sr == _SR else resample(y, _SR, sr), sr, path, bit_rate=bit_rate)
        statuses = {planting.status for planting in plantings}
        status = next((each for each in ("unlicensed", "review", "licensed") if each in statuses), "unmatched")
        self.planted.append(Planted(item=item, status=status, plantings=tuple(plantings)))


def plant(corpus: Path, bundle: Bundle) -> list[Planted]:
    """Make the corpus, out of bundled music and with real encoders; the same one every time.

    Parameters
    ----------
    corpus
        A folder that is not there yet.
    bundle
        The bundled music.

    Returns
    -------
    list of Planted
        Every file of the corpus.
    """
    garden = _Gardener(corpus, bundle)
    for sow in (_whole, _changed, _covered, _medley, _negatives):
        sow(garden)
    readme = corpus / "readme.txt"
    readme.write_text(
        "No audio, so that a scan has something to skip. The recordings beside this file were made from the following, "
        "under their licenses:\n\n" + bundle.readme.read_text("utf-8"),
        encoding="utf-8",
    )
    return [*garden.planted, Planted(item=readme.name, status="skipped")]


def _whole(garden: _Gardener) -> None:
    """Encode whole tracks anew, at low rates."""
    garden.write(
        "reencoded/mp3-64k.mp3", [("muldjord-chaos-god", 0.0, garden.music("muldjord-chaos-god"))], bit_rate=64_000
    )
    garden.write("reencoded/opus-24k.opus", [("dst-azum", 0.0, garden.music("dst-azum"))], bit_rate=24_000)


def _changed(garden: _Gardener) -> None:
    """Cut 10 s out of the middle of a track; take another down to 16 kHz."""
    cut = garden.music("paniq-contemplation")[12 * _SR : 22 * _SR]
    garden.write("cut/ten-seconds.mp3", [("paniq-contemplation", 12.0, cut)], bit_rate=128_000)
    garden.write("resampled/mono-16khz.wav", [("paniq-die-gewalt", 0.0, garden.music("paniq-die-gewalt"))], sr=16000)


def _covered(garden: _Gardener) -> None:
    """Lay noise over one track and speech over another."""
    y = garden.music("cameron-d-toxification")
    noisy = mix(y, garden.noise(len(y)), _NOISE_DB)
    garden.write("covered/white-noise.mp3", [("cameron-d-toxification", 0.0, noisy)], bit_rate=128_000)
    talk = mix(garden.music("muldjord-armygeddon"), garden.speech(), _SPEECH_DB)
    garden.write("covered/speech-on-top.mp3", [("muldjord-armygeddon", 0.0, talk)], bit_rate=128_000)


def _medley(garden: _Gardener) -> None:
    """Put parts of two tracks in a row."""
    first = garden.music("cameron-destiny-facedown")[5 * _SR : 25 * _SR]
    second = garden.music("paniq-contemplation")[10 * _SR : 30 * _SR]
    parts = [("cameron-destiny-facedown", 5.0, first), ("paniq-contemplation", 10.0, second)]
    garden.write("medley/two-tracks.mp3", parts, bit_rate=128_000)


def _negatives(garden: _Gardener) -> None:
    """Add music that is in no catalog, and speech."""
    for track_id, name, bit_rate in (
        ("ellinas-pulse-remix", "dance.mp3", 96_000),
        ("gachopin-lovin", "pop.opus", 48_000),
        ("michel-ave-maria", "cello.mp3", 128_000),
    ):
        garden.write(f"unrelated/{name}", [(track_id, 0.0, garden.music(track_id))], bit_rate=bit_rate)
    garden.write("unrelated/speech.opus", [("", 0.0, garden.speech())], bit_rate=24_000)


def _at_48k(path: Path) -> Samples:
    y, sr = read_full_band(path)
    return y if sr == _SR else resample(y, sr, _SR)


def differences(planted: Iterable[Planted], items: Iterable[ItemRow], matches: Iterable[MatchRow]) -> list[str]:
    """Compare what a scan says with what was planted.

    Parameters
    ----------
    planted
        Every file of the corpus.
    items, matches
        The scan's rows.

    Returns
    -------
    list of str
        Misses, false claims and wrong statuses, in words; empty if all is as it should be.
    """
    rows, claims = {row.item: row for row in items}, list(matches)
    found: list[str] = []
    for one in planted:
        row = rows.pop(one.item, None)
        status = "no line in items.jsonl" if row is None else row.status
        if status != one.status:
            found.append(f"{one.item}: the item should be {one.status}, got {status}")
        of_item = [claim for claim in claims if claim.item == one.item]
        for planting in one.plantings:
            fitting = [claim for claim in of_item if _fits(claim, planting)]
            if not fitting:
                found.append(f"{one.item}: missed {_in_words(planting)}")
            of_item = [claim for claim in of_item if claim not in fitting]
        found += [_false_claim(claim) for claim in of_item]
    known = {one.item for one in planted}
    found += [f"{item}: was not planted" for item in rows]
    return found + [_false_claim(claim) for claim in claims if claim.item not in known]


def _fits(claim: MatchRow, planting: Planting) -> bool:
    offset_s = (claim.item_start_s - claim.track_start_s) - (planting.item_start_s - planting.track_start_s)
    return (
        claim.track_id == planting.track_id
        and claim.status == planting.status
        and abs(offset_s) <= _OFFSET_TOLERANCE_S
        and abs(claim.item_start_s - planting.item_start_s) <= _END_TOLERANCE_S
        and abs(claim.item_end_s - planting.item_end_s) <= _END_TOLERANCE_S
    )


def _in_words(planting: Planting) -> str:
    return (
        f"{planting.track_id} ({planting.status}) from {planting.track_start_s:.1f} s on, "
        f"at {planting.item_start_s:.1f}-{planting.item_end_s:.1f} s"
    )


def _false_claim(claim: MatchRow) -> str:
    return (
        f"{claim.item}: false claim of {claim.track_id} ({claim.status}) from {claim.track_start_s:.1f} s on, "
        f"at {claim.item_start_s:.1f}-{claim.item_end_s:.1f} s"
    )
