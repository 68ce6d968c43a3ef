"""`earmark license` and `earmark explain`, run as a user runs them."""

import json
import os
import pty
import subprocess
import sys

import pytest
import soundfile
from click.testing import CliRunner

from earmark.cli import main

from .small_catalog import USE, excerpt, registry, run_earmark, small_catalog

GRANTS = "grant_id,licensee,scope,permission,label,territories,valid_from,valid_to\n"
GOOD = "G1,Acme AI,ai_training,allowed,Foo,Worldwide,2026-01-01,2026-12-31\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def _run(*words):
        return CliRunner().invoke(main, [str(word) for word in words])

    return _run


@pytest.fixture
def write(tmp_path):
    def _write(name, text):
        (tmp_path / name).write_text(text)
        return name

    return _write


def test_from_templates_to_a_decision(run, tmp_path):
    result = run("license", "template", "templates")
    assert result.exit_code == 0, result.stderr
    files = result.stdout.split()
    assert files == [f"templates/{name}.csv" for name in ("recordings", "holdings", "grants", "reservations")]
    result = run("license", "import", "my.registry", *files)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "my.registry: 1 grant, 2 holdings, 1 recording, 1 reservation added\n"
    use = ["--licensee", "Acme AI", "--use", "ai_training", "--territory", "US", "--as-of", "2026-11-01"]
    result = run("license", "check", "my.registry", "--isrc", "GB-AYE-68-00011", *use, "--product", "model 1")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "status     review"
    assert "under constraints that must be checked: no voice clones" in lines[1]
    assert "holder     Jane Doe (50%)" in lines
    result = run("license", "check", "my.registry", "--isrc", "GBAYE6800011", *use, "--product", "Model 2", "--json")
    found = json.loads(result.stdout)
    assert (found["status"], found["grant_id"]) == ("unlicensed", None)
    assert "is for Model 1 only, not Model 2; reservation R-1" in found["reason"]
    assert found["holders"][1] == {"rightsholder": "John Roe", "share": "50%", "territories": ["Worldwide"]}
    assert found["use"]["as_of"] == "2026-11-01"
    assert found["registry"]["title"] == "Intro"
    assert len(found["runners_up"]) == 1


def test_check_takes_a_csv_table_and_needs_nothing(run, write):
    result = run("license", "check", write("rights.csv", GRANTS + GOOD), "--label", "foo")
    assert result.exit_code == 0
    assert result.stdout.startswith("status     review\nwhy        cannot be decided without the licensee, the use and")


def test_export_to_every_place(run, write, tmp_path):
    run("license", "import", "r", write("grants.csv", GRANTS + GOOD))
    result = run("license", "export", "r")
    assert json.loads(result.stdout)["grant_id"] == "G1"
    assert json.loads(result.stdout)["source"] == "grants.csv"
    assert run("license", "export", "r", "--out", "tables").stdout == "tables/grants.csv\n"
    assert run("license", "export", "r", "--out", "r.xlsx", "--format", "xlsx").stdout == "r.xlsx\n"
    result = run("license", "export", "r", "--format", "xlsx")
    assert result.exit_code == 2
    assert "--format xlsx needs --out" in result.stderr
    again = run("license", "import", "r2", "tables/grants.csv", "r.xlsx")
    assert again.stdout == "r2: 1 grant added, 1 there already\n"
    assert again.exit_code == 0


def test_exit_codes_of_an_import(run, write, tmp_path):
    bad, good = write("bad.csv", GRANTS + "G0,Acme,training,allowed,Foo,US,,\n"), write("good.csv", GRANTS + GOOD)
    broken = write("broken.xml", "<a>")
    result = run("license", "import", "r", bad, good, broken)
    assert result.exit_code == 4
    assert result.stdout == "r: 1 grant added, 2 refused\n"
    refused = result.stderr.splitlines()
    assert refused[0].startswith("earmark: error: refused: bad.csv, line 2, column scope: 'training' is unknown")
    assert "broken.xml" in refused[1]
    assert run("license", "import", "r3", broken).exit_code == 3
    result = run("license", "import", "r4", bad, good, "--strict")
    assert result.exit_code == 2
    assert "r4: nothing was imported: 1 refused" in result.stderr
    assert not (tmp_path / "r4").exists()
    assert run("license", "import", "r5").exit_code == 0
    assert run("license", "check", "r5", "--isrc", "GBAYE6800011").stdout.startswith("status     unlicensed")


def test_all_that_is_refused_can_be_kept(run, write, tmp_path):
    rows = "".join(f"G{n},Acme,training,allowed,Foo,US,,\n" for n in range(50))
    result = run("license", "import", "r", write("bad.csv", GRANTS + rows), "--rejects", "rejects.jsonl")
    assert result.stderr.count("earmark: error: refused:") == 20
    assert "30 more refused; all are in rejects.jsonl" in result.stderr
    kept = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert [row["line"] for row in kept] == list(range(2, 52))
    assert set(kept[0]) == {"file", "line", "column", "complaint"}
    result = run("license", "import", "r", "bad.csv", "--rejects", "rejects.jsonl")
    assert result.exit_code == 2
    assert "expected a new file" in result.stderr


def test_use_types_and_repertoire_on_the_command_line(run, write):
    rules = '[{"location": "/", "tdm-reservation": 1}]'
    result = run(
        "license", "import", "r", write("tdmrep.json", rules), "--covers", "label=Foo", "--asserted-at", "2024-06-01"
    )
    assert result.stdout == "r: 1 reservation added\n"
    result = run("license", "check", "r", "--label", "Foo", "--licensee", "A", "--use", "ai_training")
    assert "reservation tdmrep-" in result.stdout
    assert "asserted on 2024-06-01" in result.stdout
    assert run("license", "import", "r", "tdmrep.json", "--covers", "song=Foo").exit_code == 2
    assert run("license", "import", "r", "tdmrep.json", "--use-types", "none.json").exit_code == 2
    result = run("license", "check", "r", "--sufficient-share", "150")
    assert result.exit_code == 2
    assert "'150' is no share" in result.stderr


def test_progress_is_shown_on_a_terminal_only(tmp_path):
    (tmp_path / "r.csv").write_text("track_id\n" + "".join(f"t{n}\n" for n in range(8000)))
    command = [sys.executable, "-c", "from earmark.cli import main; main()", "license", "import", "r", "r.csv"]
    leader, follower = pty.openpty()
    terminal = os.environ | {"TERM": "xterm"}
    process = subprocess.Popen(command, cwd=tmp_path, stderr=follower, stdout=subprocess.PIPE, env=terminal)
    os.close(follower)
    shown = b""
    while True:
        try:
            block = os.read(leader, 4096)
        except OSError:
            break
        if not block:
            break
        shown += block
    os.close(leader)
    assert process.stdout.read() == b"r: 8,000 recordings added\n"
    process.stdout.close()
    assert process.wait(30) == 0
    assert b"importing" in shown
    assert b"facts" in shown


# A scan with a registry file, and its story


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """A scan of one item with two tracks, by a registry file made of the small catalog's rights."""
    root = tmp_path_factory.mktemp("story")
    (root / "corpus").mkdir()
    soundfile.write(root / "corpus" / "item.wav", excerpt("die-gewalt"), 16000)
    holdings = "track_id,rightsholder,share\nchaos,El Senator,100\ndie-gewalt,Leonard Ritter,100\n"
    (root / "holdings.csv").write_text(holdings)
    process = run_earmark("license", "import", root / "rights.registry", registry(), root / "holdings.csv")
    assert process.returncode == 0, process.stderr
    options = ["--catalog", small_catalog(), "--out", root / "scan", "--registry", root / "rights.registry"]
    process = run_earmark("scan", root / "corpus", *options, *USE, "--product", "Model 1", "--jobs", "1")
    assert process.returncode == 0, process.stderr
    return root


def test_a_scan_by_a_registry_file(scanned):
    summary = json.loads((scanned / "scan" / "summary.json").read_text())
    assert summary["items"]["licensed"] == 1
    assert summary["options"]["product"] == "Model 1"
    assert summary["options"]["sufficient_share"] is None
    digest = subprocess.run(
        ["sha256sum", scanned / "rights.registry"], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert summary["registry"]["sha256"] == digest


def test_explain_tells_seconds_odds_track_and_clause(scanned, run):
    result = run("explain", scanned / "scan", "item.wav")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "item       item.wav"
    assert "asked      by Acme AI for ai_training of Model 1 in US on 2026-11-01" in lines
    assert any(line.startswith("seconds    0.0-8.0 of the item are 8.0-16.0 of the track") for line in lines)
    assert any(line.startswith("odds       E ") for line in lines)
    assert "track      die-gewalt (The Artist: Die-Gewalt)" in lines
    assert "status     licensed" in lines
    why = next(line for line in lines if line.startswith("why"))
    assert "grant G1 allows ai_training for Model 1 by Acme AI in US on 2026-11-01 for rightsholder Leonard" in why
    assert "holder     Leonard Ritter (100%)" in lines
    told = json.loads(run("explain", scanned / "scan", "item.wav", "--json").stdout)
    assert told["item"]["status"] == told["matches"][0]["case"]["status"] == "licensed"
    assert told["note"] is None


@pytest.mark.parametrize("item", ["itm.wav", "folder/item.wav"])
def test_explain_guesses_which_item_was_meant(scanned, run, item):
    result = run("explain", scanned / "scan", item)
    assert result.exit_code == 2
    assert f"has no item '{item}'; did you mean item.wav?" in result.stderr


def test_explain_says_when_the_registry_is_another_one(scanned, run, tmp_path):
    original = (scanned / "rights.registry").read_bytes()
    try:
        more = tmp_path / "more.csv"
        more.write_text(GRANTS + GOOD.replace("G1", "G9"))
        assert run("license", "import", scanned / "rights.registry", more).exit_code == 0
        result = run("explain", scanned / "scan", "item.wav")
        assert "was changed since the scan; the verdicts are those of the scan" in result.stdout
        assert "grant G1 allows ai_training" in result.stdout
        (scanned / "rights.registry").unlink()
        result = run("explain", scanned / "scan", "item.wav")
        assert "the registry of the scan is not to be had any more" in result.stdout
    finally:
        (scanned / "rights.registry").write_bytes(original)


def test_explain_needs_a_scan(run, tmp_path):
    result = run("explain", tmp_path, "item.wav")
    assert result.exit_code == 2
    assert "expected the folder of a scan" in result.stderr
