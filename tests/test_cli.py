"""The command line: help, options, messages, exit codes."""

import dataclasses
import io
import json
from datetime import date

import click
import pytest
import soundfile
from click.testing import CliRunner
from rich.console import Console

import earmark
from earmark.cli import main
from earmark.cli.exit_codes import FAIL_ON, exit_code
from earmark.cli.table import displayed, print_result
from earmark.errors import CatalogError
from earmark.scan import Summary, row_to_json

from .small_catalog import USE, excerpt, registry, run_earmark, small_catalog
from .test_scan_report import match

STATUSES = ("unmatched", "licensed", "unlicensed", "review", "error", "skipped")


def commands(command=main, path=()):
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*path, name))


ALL_COMMANDS = dict(commands())


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("path", ALL_COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(path):
    result = invoke(*path, "--help")
    assert result.exit_code == 0
    assert "Example:\n  " in result.output
    assert "\b" not in result.output
    words = " ".join(("earmark", *path))
    assert words in result.output.partition("Example:")[2]


@pytest.mark.parametrize("path", ALL_COMMANDS, ids=" ".join)
def test_every_option_is_explained(path):
    options = [each for each in ALL_COMMANDS[path].params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


def test_there_are_the_commands_of_the_design():
    assert {("demo",), ("scan",), ("catalog", "build"), ("catalog", "info")} <= ALL_COMMANDS.keys()


def test_version():
    assert invoke("--version").output == f"earmark, version {earmark.__version__}\n"


@pytest.mark.parametrize("day", ["2026-13-01", "2026-02-30", "2026-1-5", "20260105", "01/05/2026", "today", ""])
def test_a_bad_day_is_wrong_usage(tmp_path, day):
    result = invoke("scan", tmp_path, "--catalog", "c", "--out", tmp_path / "out", "--as-of", day)
    assert result.exit_code == 2
    assert f"{day!r} is no day; expected YYYY-MM-DD" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan"],
        ["scan", "x"],
        ["scan", "x", "--catalog", "c", "--out", "o", "--use", "karaoke"],
        ["scan", "x", "--catalog", "c", "--out", "o", "--jobs", "0"],
        ["scan", "x", "--catalog", "c", "--out", "o", "--fail-on", "rain"],
        ["scan", "x", "--catalog", "c", "--out", "o", "--max-e-value", "many"],
        ["sing"],
    ],
)
def test_wrong_usage_exits_with_2(arguments):
    assert invoke(*arguments).exit_code == 2


def test_an_error_is_one_line_on_stderr(tmp_path):
    result = invoke("scan", tmp_path, "--catalog", tmp_path / "none", "--out", f"{tmp_path}-out")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("earmark: error: ")
    assert str(tmp_path / "none") in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (CatalogError("is broken"), 2, "earmark: error: is broken"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (ZeroDivisionError("division by zero"), 2, "please report"),
    ],
)
def test_what_a_command_raises_gives_an_exit_code(monkeypatch, error, code, words):
    @click.command()
    def broken():
        raise error

    monkeypatch.setattr(type(main), "get_command", lambda self, ctx, name: broken)
    result = invoke("broken")
    assert result.exit_code == code
    assert words in result.stderr


# Exit codes


def summary(stopped_by=None, problems=0, matches=0, **items):
    return Summary(
        **{
            field.name: {} if str(field.type).startswith("dict") else None
            for field in dataclasses.fields(Summary)
            if field.name not in {"items", "items_with_problems", "matches", "stopped_by"}
        },
        items=dict.fromkeys(STATUSES, 0) | items,
        items_with_problems=problems,
        matches={"total": matches},
        stopped_by=stopped_by,
    )


@pytest.mark.parametrize(
    ("given", "fail_on", "code"),
    [
        ({"unmatched": 3}, None, 0),
        ({"unlicensed": 3, "matches": 3}, None, 0),
        ({"unlicensed": 3, "matches": 3}, "unlicensed", 1),
        ({"licensed": 3, "matches": 3}, "unlicensed", 0),
        ({"licensed": 3, "matches": 3}, "any", 1),
        ({"unmatched": 3}, "any", 0),
        ({}, None, 3),
        ({"skipped": 3}, "any", 3),
        ({"error": 3, "problems": 3}, "any", 3),
        ({"error": 1, "unmatched": 2, "problems": 1}, None, 4),
        ({"unmatched": 2, "problems": 1}, None, 4),  # one of them was truncated
        ({"error": 1, "unlicensed": 2, "problems": 1, "matches": 2}, "unlicensed", 4),
        ({"unmatched": 2, "skipped": 5}, None, 0),
        ({"stopped_by": "SIGTERM"}, None, 4),
        ({"stopped_by": "SIGTERM", "unlicensed": 2, "matches": 2}, "any", 4),
        ({"stopped_by": "SIGINT", "error": 1, "problems": 1}, "any", 130),
    ],
)
def test_exit_codes_and_their_precedence(given, fail_on, code):
    assert exit_code(summary(**given), fail_on) == code


def test_fail_on_offers_what_exit_codes_know():
    option = next(each for each in ALL_COMMANDS["scan",].params if each.name == "fail_on")
    assert tuple(option.type.choices) == FAIL_ON


# A whole run


def test_a_scan_prints_a_table_and_exits_as_asked(tmp_path):
    (tmp_path / "corpus").mkdir()
    soundfile.write(tmp_path / "corpus" / "one.wav", excerpt("chaos"), 16000)
    process = run_earmark(
        *("scan", tmp_path / "corpus", "--catalog", small_catalog(), "--out", tmp_path / "out"),
        *("--registry", registry(), *USE, "--jobs", 1, "--fail-on", "unlicensed"),
    )
    assert process.returncode == 1, process.stderr
    assert process.stderr == ""
    assert all(word in process.stdout for word in ("one.wav", "The Artist: Chaos", "unlicensed", "E ", "G3 forbids"))
    assert "1 item (1 unlicensed), 1 finding; 8.0 s of audio in " in process.stdout
    assert f"Rows and summary are in {tmp_path / 'out'}\n" in process.stdout
    options = json.loads((tmp_path / "out" / "summary.json").read_text())["options"]
    assert options["as_of"] == date(2026, 11, 1).isoformat()


# Names that want to be more than names


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, 0x85, 0x9B, 0x200B, 0x2028, 0x202E, 0xDCFF, 0xFEFF])
def test_no_character_reaches_the_terminal_that_is_not_to_be_seen(code):
    shown = displayed(f"a{chr(code)}b")
    assert shown.isprintable()
    assert shown.startswith("a\\")
    assert shown.endswith("b")


def test_the_table_is_cut_and_says_so(tmp_path):
    rows = [match(f"[red]i{n}\n\x1b[2J", track_id=f"t{n}") for n in range(60)]
    (tmp_path / "matches.jsonl").write_bytes(b"".join(map(row_to_json, rows)))
    console = Console(file=io.StringIO(), width=150)
    given = dataclasses.replace(
        summary(unlicensed=60),
        items={"unlicensed": 60, "total": 60},
        hours={"scanned": 1.0},
        elapsed_s=1.0,
        rates={"realtime": 3600.0},
        coverage="All of it.",
    )
    print_result(console, given, tmp_path)
    text = console.file.getvalue()
    assert "50 of 60 findings; all of them are in " in text
    assert "[red]i49\\n\\x1b[2J" in text
    assert "[red]i50" not in text
    assert "\x1b" not in text
