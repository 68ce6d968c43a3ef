"""The demo, run as a user runs it; and that it would notice what went wrong."""

import dataclasses
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from earmark.audio.render import encode
from earmark.cli.bundled import open_bundle
from earmark.cli.planting import Planted, Planting, differences
from earmark.errors import ParameterError
from earmark.report import read_items, read_matches, read_summary

from .small_catalog import items_of, run_earmark
from .test_scan_report import ITEM, match


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The process of a demo, and its folder, whose name a shell would take apart."""
    folder = tmp_path_factory.mktemp("demo") / "my demo"
    return run_earmark("demo", "--out", folder), folder


def test_the_demo_finds_what_was_planted_and_nothing_else(finished):
    process, folder = finished
    assert process.returncode == 0, process.stdout + process.stderr
    assert "8 of 8 stretches found, nothing else claimed" in process.stdout
    statuses = {item: row["status"] for item, row in items_of(folder / "scan").items()}
    assert statuses == {
        "covered/speech-on-top.mp3": "unlicensed",
        "covered/white-noise.mp3": "unlicensed",
        "cut/ten-seconds.mp3": "licensed",
        "medley/two-tracks.mp3": "unlicensed",
        "readme.txt": "skipped",
        "reencoded/mp3-64k.mp3": "unlicensed",
        "reencoded/opus-24k.opus": "review",
        "resampled/mono-16khz.wav": "licensed",
        "unrelated/cello.mp3": "unmatched",
        "unrelated/dance.mp3": "unmatched",
        "unrelated/pop.opus": "unmatched",
        "unrelated/speech.opus": "unmatched",
    }


def test_planted_music_is_found_with_a_margin(finished):
    odds = [row.log10_e_value for row in read_matches(finished[1] / "scan")]
    assert max(odds) < -8.0  # against the -3 that a claim needs


def test_reasons_name_the_grant_or_its_absence(finished):
    reasons = {row.rightsholder: row.reason for row in read_matches(finished[1] / "scan")}
    assert "G-2026-001 (contract AC-17) allows ai_training by Acme AI" in reasons["Leonard Ritter"]
    assert "G-2026-002 forbids ai_training" in reasons["El Senator"]
    expired = reasons["Stephen M. Cameron"]
    assert "G-2025-003 (contract AC-09) allows it but ended on 2025-12-31, before 2026-11-01" in expired
    assert "reservation R-2024-001 (https://wordwarvi.example/tdm, asserted on 2024-06-01) reserves it" in expired
    constrained = reasons["Deceased Superior Technician"]
    assert "must be checked: the artist is credited wherever the model is offered" in constrained
    assert "(contract ERN message DEMO-2026-0001, deal 1, SubscriptionModel)" in constrained


def test_what_it_says_to_type_next_works_in_a_shell(finished):
    process, folder = finished
    steps = process.stdout.partition("What to type next:")[2].partition("# your own")[0]
    python = f"{shlex.quote(sys.executable)} -c 'from earmark.cli import main; main()'"
    script = re.sub(r"^  \S*earmark ", f"{python} ", steps, flags=re.MULTILINE)
    ran = subprocess.run(["sh", "-e", "-c", script], check=False, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert read_summary(folder / "scan-2027")["items"]["licensed"] == 0
    assert all(
        "ended on 2026-12-31" in row.reason
        for row in read_matches(folder / "scan-2027")
        if row.rightsholder == "Leonard Ritter"
    )


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "mine").touch()
    process = run_earmark("demo", "--out", tmp_path)
    assert process.returncode == 2
    assert "expected a new or an empty one" in process.stderr


# The check against what was planted

SONG = Planting(track_id="t1", item_start_s=1.0, item_end_s=9.0, track_start_s=0.0, status="unlicensed")
PLANTED = [Planted(item="a.wav", status="unlicensed", plantings=(SONG,)), Planted(item="b.wav", status="unmatched")]
ROWS = [dataclasses.replace(ITEM, status="unlicensed"), dataclasses.replace(ITEM, item="b.wav")]


def test_all_as_planted():
    assert differences(PLANTED, ROWS, [match()]) == []


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ([], ["a.wav: missed t1"]),
        ([match(), match("b.wav")], ["b.wav: false claim of t1"]),
        ([match(), match(track_id="t2")], ["a.wav: false claim of t2"]),
        ([match(), match("c.wav")], ["c.wav: false claim of t1"]),
        ([match(status="licensed")], ["a.wav: missed t1", "a.wav: false claim of t1 (licensed)"]),
        ([dataclasses.replace(match(), track_start_s=1.0)], ["a.wav: missed t1", "a.wav: false claim of t1"]),
        ([dataclasses.replace(match(), item_end_s=4.0)], ["a.wav: missed t1", "a.wav: false claim of t1"]),
    ],
)
def test_misses_and_false_claims_are_named(claims, words):
    found = differences(PLANTED, ROWS, claims)
    assert len(found) == len(words)
    assert all(sentence.startswith(word) for sentence, word in zip(found, words, strict=True))


def test_wrong_statuses_and_items_are_named():
    wrong = [dataclasses.replace(ROWS[0], status="review"), dataclasses.replace(ITEM, item="x.wav")]
    assert differences(PLANTED, wrong, [match()]) == [
        "a.wav: the item should be unlicensed, got review",
        "b.wav: the item should be unmatched, got no line in items.jsonl",
        "x.wav: was not planted",
    ]


# What it is made of


def test_the_bundle_has_what_the_demo_needs():
    bundle = open_bundle()
    assert sum(track.in_catalog for track in bundle.tracks.values()) == 9
    assert len(bundle.tracks) == 12
    assert len(bundle.speech) == 3


@pytest.mark.parametrize("name", ["a.mp3", "a.opus", "a.flac", "a.wav"])
def test_the_same_sound_gives_the_same_bytes(tmp_path, name):
    y = np.sin(np.arange(24_000) * 0.05).astype(np.float32) * 0.5
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        encode(y, 24_000, tmp_path / folder / name)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_unknown_suffix(tmp_path):
    with pytest.raises(ParameterError, match=r"suffix must be one of .*, got '\.xyz'"):
        encode(np.zeros(10, np.float32), 8000, tmp_path / "a.xyz")


def test_items_and_matches_of_the_demo_read_back(finished):
    assert len(list(read_items(finished[1] / "scan"))) == 12
