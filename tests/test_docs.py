"""What README, CHANGELOG and the other documents say is so: links, commands, columns, examples."""

import contextlib
import csv
import dataclasses
import doctest
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import numpy as np
import pytest

from earmark.audio.render import encode, read_full_band
from earmark.catalog import build_catalog
from earmark.catalog.metadata import read_metadata
from earmark.cli import main
from earmark.cli.bundled import open_bundle
from earmark.cli.demo import make_rights
from earmark.cli.exit_codes import FAIL_ON
from earmark.fingerprint import load_model
from earmark.rights import PERMISSIONS, SCOPES, read_registry
from earmark.rights.kinds import GRANTS, KINDS
from earmark.scan import ItemRow, MatchRow

from .small_catalog import DATA, items_of, rows, run_earmark

ROOT = Path(__file__).parents[1]
MEDLEY = [("cameron-destiny-facedown", 5), ("paniq-contemplation", 10)]  # as `earmark demo` plants it: 20 s of each
MAX_PICTURE_BYTES = 300_000


def tracked_files():
    """Files of the project, not what stands about in a working copy."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
        names = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
        found = {ROOT / name for name in names if name and (ROOT / name).is_file()}
    else:
        found = {path for path in ROOT.rglob("*") if path.is_file() and not is_hidden(path)}
    # Documents count from their first draft on.
    return sorted(found | {path for path in (ROOT / "docs").glob("*") if path.is_file()})


def is_hidden(path):
    return any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(ROOT).parts)


def text_of(path):
    data = path.read_bytes()
    return None if b"\0" in data else data.decode("utf-8", "replace")


DOCUMENTS = sorted({path for path in tracked_files() if path.suffix == ".md"} | {ROOT / "benchmarks" / "README.md"})
README = (ROOT / "README.md").read_text(encoding="utf-8")
each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def fences(text, language):
    """Contents of the code blocks of a language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [block for name, block in blocks if name == language]


def outside_fences(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def section(heading):
    """The README from a heading to the next of its level or above."""
    level = heading.split(" ")[0]
    body = outside_fences(README).split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", body, maxsplit=1, flags=re.MULTILINE)[0]


def table_names(text):
    """Names in the first column of the first table, and the text beside each; none if there is no table."""
    if "\n|" not in text:
        return {}
    table = re.search(r"(?:^\|.*\n)+", text, flags=re.MULTILINE).group()
    cells = [line.strip("|").split("|", 1) for line in table.splitlines()[2:]]
    return {name: words for left, words in cells for name in re.findall(r"`([^`]+)`", left)}


# Links and pictures


@each_document
def test_every_relative_link_leads_somewhere(path):
    text = outside_fences(path.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), link
        assert file.is_relative_to(ROOT), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}, link


def test_there_is_a_picture_of_the_demo_and_one_of_how_it_works():
    assert {Path(name).name for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)} == {
        "demo.svg",
        "how-it-works.png",
        "odds.png",
    }


@pytest.mark.parametrize("name", ["demo.svg", "how-it-works.png"])
def test_pictures_are_small_and_fetch_nothing(name):
    data = (ROOT / "docs" / name).read_bytes()
    assert len(data) < MAX_PICTURE_BYTES
    if name.endswith(".svg"):
        text = data.decode()
        assert "@font-face" not in text
        urls = set(re.findall(r"https?://[^\s\"'<>)]+", text))
        # What the demo prints names a made-up page, as text; nobody can own a host of .example (RFC 2606).
        assert {url for url in urls if ".example/" not in url} == {"http://www.w3.org/2000/svg"}
        assert set(re.findall(r"url\((.)", text)) <= {"#"}


def test_the_picture_shows_the_table_of_the_demo():
    text = (ROOT / "docs" / "demo.svg").read_text(encoding="utf-8").replace("&#160;", " ")
    for words in ("unlicensed", "licensed", "white-noise.mp3", "Contemplation", "8 of 8 stretches found"):
        assert words in text


# Commands


def commands_of(text):
    """Every line of the shell blocks as words, continued lines joined and comments left out."""
    for block in fences(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words


def parse(words):
    """Take a command line apart as the program would, without doing anything."""
    command, name, arguments = main, "earmark", words
    context = None
    while isinstance(command, click.Group):
        context = command.make_context(name, list(arguments), parent=context)
        name, command, arguments = command.resolve_command(context, [*context._protected_args, *context.args])
    return command.make_context(name, list(arguments), parent=context)


EARMARK_COMMANDS = [
    pytest.param(words[1:], id=" ".join(words[1:4]))
    for path in DOCUMENTS
    for words in commands_of(path.read_text(encoding="utf-8"))
    if words[0] == "earmark"
]


@pytest.mark.parametrize("words", EARMARK_COMMANDS)
def test_commands_parse(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in DOCUMENTS:  # a file of options that a document shows stands beside its commands
        for text in fences(path.read_text(encoding="utf-8"), "toml"):
            Path(re.match(r"# ([\w.]+\.toml)", text)[1]).write_text(text, encoding="utf-8")
    parse(words)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("scan corpus --catalog c --out o --no-such-option", click.NoSuchOption),
        ("scan corpus --catalog c", click.MissingParameter),
        ("scan corpus --catalog c --out o --use piracy", click.BadParameter),
        ("catalog destroy c", click.UsageError),
    ],
)
def test_commands_that_are_wrong_would_not_pass(line, error):
    with pytest.raises(error):
        parse(line.split())


def test_the_tour_shows_every_command():
    shown = {tuple(word for word in words.values[0] if word.isalpha())[:2] for words in EARMARK_COMMANDS}
    for name in ("build", "add", "update", "remove", "info"):
        assert ("catalog", name) in shown
    for name in ("import", "template", "check", "export"):
        assert ("license", name) in shown
    assert "earmark explain" in README
    assert any(command[0] == "scan" for command in shown)
    assert "make demo" in README
    assert "make test" in README


@each_document
def test_scripts_exist_and_know_their_options(path):
    for words in commands_of(path.read_text(encoding="utf-8")):
        if words[0] == "python" and words[1] != "-m":
            script = ROOT / words[1]
            assert script.is_file(), words
            source = script.read_text(encoding="utf-8")
            assert all(f'"{word}"' in source for word in words[2:] if word.startswith("--")), words
        if words[0] == "make":
            assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")


@each_document
def test_options_named_in_the_text_exist(path):
    known = set(re.findall(r"--[a-z][a-z-]+", every_help()))
    for script in [*(ROOT / "data").glob("*.py"), *(ROOT / "benchmarks").glob("*.py"), *(ROOT / "docs").glob("*.py")]:
        known |= set(re.findall(r'"(--[a-z][a-z-]+)"', script.read_text(encoding="utf-8")))
    text = outside_fences(path.read_text(encoding="utf-8"))
    named = {option for code in re.findall(r"`([^`]+)`", text) for option in re.findall(r"(?<!\S)--[a-z][a-z-]+", code)}
    assert named <= known


def every_help(command=main, name="earmark", parent=None):
    context = click.Context(command, info_name=name, parent=parent)
    text = command.get_help(context)
    if isinstance(command, click.Group):
        text += "".join(every_help(command.get_command(context, n), n, context) for n in command.list_commands(context))
    return text


def test_the_exit_codes_are_those_of_the_help():
    help_text = main.get_help(click.Context(main))
    codes = re.findall(r"^\| (\d+) \|", section("## A tour with your own files"), flags=re.MULTILINE)
    assert codes == re.findall(r"^ +(\d+)  +\S", help_text, flags=re.MULTILINE)
    assert all(f"`{value}`" in README for value in FAIL_ON)


# Columns, values and examples


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    """The part of `earmark-demo` that the examples use, made the same way; scanned by a real process."""
    root = tmp_path_factory.mktemp("docs")
    folder = root / "earmark-demo"
    (folder / "corpus" / "medley").mkdir(parents=True)
    with (DATA / "tracks.csv").open(encoding="utf-8", newline="") as file:
        tracks = {row["track_id"]: row for row in csv.DictReader(file)}
    parts = []
    for track_id, start_s in MEDLEY:
        y, sr = read_full_band(DATA / tracks[track_id]["path"])
        parts.append(y[start_s * sr : (start_s + 20) * sr])
    encode(np.concatenate(parts), sr, folder / "corpus" / "medley" / "two-tracks.mp3", bit_rate=128_000)
    (folder / "corpus" / "readme.txt").write_text("no audio")
    make_rights(folder, open_bundle())
    build_catalog(
        folder / "music.catalog",
        [DATA / tracks[track_id]["path"] for track_id, _ in MEDLEY],
        metadata=DATA / "tracks.csv",
        model=load_model(),
        jobs=1,
    )
    use = ["--licensee", "Acme AI", "--use", "ai_training", "--territory", "US", "--as-of", "2026-11-01"]
    options = [
        "--catalog",
        folder / "music.catalog",
        "--out",
        folder / "scan",
        "--registry",
        folder / "rights.registry",
    ]
    process = run_earmark("scan", folder / "corpus", *options, *use, "--jobs", "1")
    assert process.returncode == 0, process.stderr
    return root


def test_the_columns_are_those_that_a_scan_writes(demo_folder):
    out = demo_folder / "earmark-demo" / "scan"
    match, item = rows(out / "matches.jsonl")[0], items_of(out)["medley/two-tracks.mp3"]
    for name, row, kind in (("matches", match, MatchRow), ("items", item, ItemRow)):
        documented = list(table_names(section(f"### `{name}.jsonl`")))
        assert documented == list(row) == [field.name for field in dataclasses.fields(kind)]


def test_the_keys_are_those_of_a_summary(demo_folder):
    summary = json.loads((demo_folder / "earmark-demo" / "scan" / "summary.json").read_text())
    documented = table_names(section("### `summary.json`"))
    assert list(documented) == list(summary)
    for key in ("options", "registry", "catalog", "hours", "rates"):
        assert set(re.findall(r"`(\w+)`", documented[key])) - {"null"} == set(summary[key])


def test_the_statuses_of_items_are_all_there(demo_folder):
    summary = json.loads((demo_folder / "earmark-demo" / "scan" / "summary.json").read_text())
    tables = re.findall(r"(?:^\|.*\n)+", section("### `items.jsonl`"), flags=re.MULTILINE)
    assert set(table_names(tables[1])) | {"total"} == set(summary["items"])


def test_the_python_examples_run(demo_folder):
    source = "\n".join(fences(README, "python"))
    assert source.count(">>> ") > 10
    test = doctest.DocTestParser().get_doctest(source, {}, "README.md", "README.md", 0)
    report = io.StringIO()
    with contextlib.chdir(demo_folder):
        failed, tried = doctest.DocTestRunner(verbose=False).run(test, out=report.write)
    assert failed == 0, report.getvalue()
    assert tried > 10


def test_the_jq_filters_name_columns_and_run(demo_folder):
    columns = {field.name for row in (MatchRow, ItemRow) for field in dataclasses.fields(row)}
    filters = [words for words in commands_of(README) if words[0] == "jq"]
    assert len(filters) == 3
    (demo_folder / "scan1").symlink_to(demo_folder / "earmark-demo" / "scan")
    for words in filters:
        assert set(re.findall(r"\.([a-z]\w*)", words[-2])) <= columns
        if shutil.which("jq"):
            process = subprocess.run(words, cwd=demo_folder, check=True, capture_output=True, text=True)
            assert len(process.stdout.splitlines()) == 1


def csv_examples():
    return [(block, block.split(",", 1)[0]) for block in fences(README, "csv")]


def test_the_registry_example_and_its_columns(tmp_path):
    (example,) = (block for block, first in csv_examples() if first == "grant_id")
    (tmp_path / "rights.csv").write_text(example)
    registry = read_registry(tmp_path / "rights.csv")
    assert len(registry.grants) == 3
    assert registry.ignored_columns == ()
    documented = table_names(section("### Registry CSV"))
    assert set(documented) == set(GRANTS.columns)
    assert set(re.findall(r"`(\w+)`", documented["scope"])) == set(SCOPES)
    assert set(re.findall(r"`(\w+)`", documented["permission"])) - {"review"} == set(PERMISSIONS)


def test_the_columns_of_every_table_are_documented():
    text = (ROOT / "docs" / "rights.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        body = text.split(f"\n### `{name}`\n", 1)[1].split("\n#", 1)[0]
        documented = set(table_names(body))
        assert documented == set(kind.columns) or (kind is GRANTS and not documented), name


def test_the_metadata_example_and_its_columns(tmp_path):
    (example,) = (block for block, first in csv_examples() if first == "path")
    (tmp_path / "tracks.csv").write_text(example)
    found = read_metadata(tmp_path / "tracks.csv").rows
    assert len(found) == 2
    assert not any(row.tags.extra for row in found)
    documented = list(table_names(section("### Metadata CSV")))
    (tmp_path / "all.csv").write_text(",".join(documented) + "\n" + ",".join(["x"] * 2 + [""] * (len(documented) - 2)))
    assert read_metadata(tmp_path / "all.csv").rows[0].tags.extra == {}
    assert documented == example.splitlines()[0].split(",")


# The house


def test_the_changelog_begins_with_what_is_unreleased():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert "\n- " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def places_of_this_machine():
    """Folders that mean something on this machine alone."""
    named = [ROOT, Path.home(), os.environ.get("EARMARK_MUSIC")]
    if sys.prefix != sys.base_prefix:
        named.append(sys.prefix)
    return {str(Path(name)) for name in named if name and len(Path(name).parts) > 1}


def test_no_file_names_a_folder_of_this_machine():
    places = [re.escape(place) + r"(?![\w-])" for place in places_of_this_machine()]
    forbidden = re.compile("|".join([*places, r"(?<![\w.~])/(?:home|Users)/\w+/"]))
    found = {}
    for path in tracked_files():
        text = text_of(path)
        place = forbidden.search(text) if text is not None else None
        if place:
            found[str(path.relative_to(ROOT))] = place.group()
    assert found == {}


def test_every_benchmark_is_in_its_list():
    listed = table_names((ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8"))
    modules = {path.name for path in (ROOT / "benchmarks").glob("*.py")}
    programs = {path for path in modules if "__main__" in (ROOT / "benchmarks" / path).read_text(encoding="utf-8")}
    assert set(listed) == programs


def test_the_glossary_is_in_order():
    names = re.findall(r"^\| (\w[\w -]*) \|", section("## Glossary"), flags=re.MULTILINE)
    assert names[0] == "word"
    assert names[1:] == sorted(names[1:])
    assert len(names) > 10


def test_fenced_blocks_close():
    for path in DOCUMENTS:
        assert textwrap.dedent(path.read_text(encoding="utf-8")).count("\n```") % 2 == 0, path
