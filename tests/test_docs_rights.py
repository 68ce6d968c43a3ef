"""The commands of the documents about rights, reports, lists and audit run, as they stand there."""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from earmark.cli import main

from .audited_scan import ITEMS, copy_of_scan
from .small_catalog import small_catalog
from .test_docs import DATA, README, ROOT, commands_of, fences

LIST = "track_id,reason,author,expires\nchaos,ours,Jane Doe,never\n"
TDMREP = '[{"location": "/", "tdm-reservation": 1}]'
# What these need, the answer of an authority, is made and checked in test_audit_attestation.py.
ELSEWHERE = ("answer.tsr", "authority.pem")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the files that the documents name."""
    for name in ("scan1", "scan2"):
        copy_of_scan(tmp_path / name)
    (tmp_path / "my.catalog").symlink_to(small_catalog())
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "notes.txt").write_text("no audio")
    (rights,) = (text for text in fences(README, "csv") if text.startswith("grant_id"))
    (tmp_path / "rights.csv").write_text(rights)
    for name in ("release.xml", "use-types.json"):
        shutil.copy(DATA / "rights" / name, tmp_path / name)
    for name, text in (("allow.csv", LIST), ("ignore.csv", LIST), ("tdmrep.json", TDMREP)):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(words):
    """Run a command of ours in this process; `~` is here."""
    result = CliRunner().invoke(main, ["--quiet", *[word.replace("~", str(Path.cwd())) for word in words[1:]]])
    assert result.exception is None or isinstance(result.exception, SystemExit), (words, result.exception)
    return result


def standing(words):
    """Put the scan's own items where a command names others; keep an attestation as the one of an earlier time."""
    words = [ITEMS[0] if word == "album/01 intro.mp3" else word for word in words]
    if "scan1/attestation-1201.json" in words:
        shutil.copy("scan1/attestation.json", "scan1/attestation-1201.json")
    return words


@pytest.mark.parametrize("name", ["rights", "audit", "reports", "lists"])
def test_the_commands_run(here, name):
    ours = [words for words in commands_of((ROOT / "docs" / f"{name}.md").read_text()) if words[0] == "earmark"]
    assert ours
    for words in ours:
        if words[1] == "scan":
            words += ["--jobs", "1"]
            shutil.rmtree(words[words.index("--out") + 1], ignore_errors=True)
        if any(each in words for each in ELSEWHERE):
            continue
        result = run(standing(words))
        # The corpus has no audio, of which a scan says 3: everything that it was given was read by then.
        assert result.exit_code == (3 if words[1] == "scan" else 0), (words, result.output)


def test_the_tour_of_rights_and_results_runs_and_says_what_it_shows(here):
    tour = [words for words in commands_of(README) if words[0] == "earmark"]
    wanted = [words for words in tour if words[1] in {"license", "keys", "attest", "verify", "report", "ledger"}]
    assert len(wanted) > 8
    outputs = {}
    for words in wanted:
        result = run(words)
        assert result.exit_code == 0, (words, result.output)
        outputs[words[1], words[2]] = result.stdout
    (shown,) = (text for text in fences(README, "text") if text.startswith("status"))
    assert outputs["license", "check"] == shown


def test_the_shown_use_types_are_read(here):
    (shown,) = fences((ROOT / "docs" / "rights.md").read_text(), "json")
    Path("shown.json").write_text(shown)
    result = run(shlex.split("earmark license import shown.registry release.xml --use-types shown.json"))
    assert result.exit_code == 0, result.output


def test_the_documents_name_every_fault_as_verify_does(here):
    for command in ("keys new my.key", "attest scan1 --key my.key"):
        assert run(["earmark", *command.split()]).exit_code == 0
    text = Path("scan1/items.jsonl").read_text().splitlines(keepends=True)
    Path("scan1/items.jsonl").write_text("".join([*text[:2], text[2].replace("null", "0", 1), *text[3:]]))
    result = run(["earmark", "verify", "scan1"])
    assert result.exit_code == 1
    (shown,) = re.findall(r"^NOT AS IT WAS: .*$", (ROOT / "docs" / "audit.md").read_text(), flags=re.MULTILINE)
    assert shown in result.output
    assert not os.path.lexists("scan1/.items.jsonl.new")
