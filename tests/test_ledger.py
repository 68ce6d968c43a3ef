"""The usage ledger: sums that are exact whatever the matches, holders and pool, and its three kinds of files."""

import csv
import dataclasses
import itertools
import json
from decimal import Decimal
from fractions import Fraction

import openpyxl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ParameterError, ScanError
from earmark.report.apportioning import apportion, minor_digits, parse_pool
from earmark.report.ledger import DIMENSIONS, make_ledger
from earmark.report.ledger_table import write_ledger
from earmark.report.occupancy import OVERLAPS, matched_ms, occupied_ms
from earmark.scan import row_to_json

from . import ledger_reference as reference
from .audited_scan import audited_scan
from .small_catalog import rows, run_earmark
from .test_scan_report import match

# Few distinct values, so that overlaps, ties and shared ids are common; none over 60 ms, so that the reference is fast.
starts = st.integers(0, 40)
one_match = st.builds(
    lambda group, start, length, track, odds, status: dataclasses.replace(
        match(group=group, track_id=track, log10_e_value=odds, status=status),
        item_start_s=start / 1000,
        item_end_s=(start + length) / 1000,
        label={"t1": "Big", "t2": "Small"}.get(track),
        rightsholder={"t1": "Ann", "t2": "Bob"}.get(track),
        grant_id={"t1": "G1"}.get(track),
    ),
    st.integers(0, 3),
    starts,
    st.integers(0, 20),
    st.sampled_from(["t1", "t2", "t3"]),
    st.sampled_from([-9.0, -5.0]),
    st.sampled_from(["licensed", "licensed", "unlicensed", "review"]),
)
of_item = st.lists(one_match, max_size=6)
weights = st.lists(st.fractions(0, 5, max_denominator=7), min_size=1, max_size=9)


@given(st.integers(0, 10**7), weights)
@settings(deadline=None)
def test_parts_sum_to_the_whole_and_are_fair(total, given_weights):
    whole = sum(given_weights)
    if not whole:
        given_weights, whole = [*given_weights, Fraction(1)], Fraction(1)
    parts = apportion(total, given_weights)
    assert sum(parts) == total
    for part, weight in zip(parts, given_weights, strict=True):
        assert abs(part - total * weight / whole) < 1
    # Of equal weights the earlier has at least as much.
    for (one, first), (other, second) in itertools.combinations(zip(parts, given_weights, strict=True), 2):
        assert first != second or one - other in (0, 1)


@pytest.mark.parametrize(("total", "given_weights"), [(1, []), (1, [0, 0]), (-1, [1]), (1, [-1, 3])])
def test_what_cannot_be_shared_out(total, given_weights):
    with pytest.raises(ParameterError, match=r"nobody|negative"):
        apportion(total, given_weights)
    assert apportion(0, [0, 0]) == [0, 0]


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_the_digits_of_a_currency(currency, digits):
    assert minor_digits(currency) == digits
    assert parse_pool(Decimal(1).scaleb(-digits), currency) == 1
    with pytest.raises(ParameterError, match=f"at most {digits} digits"):
        parse_pool(Decimal(1).scaleb(-digits - 1), currency)


@pytest.mark.parametrize("pool", ["-1", "NaN", "Infinity"])
def test_a_pool_that_is_no_amount(pool):
    with pytest.raises(ParameterError, match="pool must be an amount"):
        parse_pool(Decimal(pool), "EUR")


@pytest.mark.parametrize("currency", ["eur", "EURO", "E1R", "", "ÄÖÜ"])
def test_a_currency_that_is_none(currency):
    with pytest.raises(ParameterError, match="code of ISO 4217"):
        minor_digits(currency)


# Whose a second is


@pytest.mark.parametrize("overlaps", OVERLAPS)
@given(matches=of_item)
@settings(max_examples=60, deadline=None)
def test_no_moment_counts_twice_and_none_is_lost(matches, overlaps):
    owned = occupied_ms(matches, overlaps)
    assert owned == reference.owners(matches, overlaps)
    assert sum(owned) == matched_ms(matches)
    assert matched_ms(matches) == len({ms for m in matches for ms in range(reference.start(m), reference.end(m))})


def test_a_worked_example():
    def row(group, start, end, track, odds):
        made = match(group=group, track_id=track, log10_e_value=odds)
        return dataclasses.replace(made, item_start_s=start, item_end_s=end)

    # 0-10 s of A, found under two ids; 6-12 s of B, with better odds.
    matches = [row(0, 0.0, 10.0, "A1", -9.0), row(0, 0.0, 10.0, "A2", -9.0), row(1, 6.0, 12.0, "B", -12.0)]
    assert occupied_ms(matches, "once") == [3000, 3000, 6000]
    assert occupied_ms(matches, "split") == [4000, 4000, 4000]
    with pytest.raises(ParameterError, match="overlaps must be one of split, once"):
        occupied_ms(matches, "twice")


# Ledgers


def write_scan(folder, matches_of_items, territory="US"):
    folder.mkdir(exist_ok=True)
    named = [
        dataclasses.replace(row, item=f"i{n}", group_id=f"i{n}{row.group_id}")
        for n, matches in enumerate(matches_of_items)
        for row in matches
    ]
    (folder / "matches.jsonl").write_bytes(b"".join(map(row_to_json, named)))
    (folder / "summary.json").write_text(json.dumps({"schema_version": 1, "options": {"territory": territory}}))
    return folder


SHARES = {
    "t1": (("Ann", Fraction(1, 3)), ("Bob", Fraction(1, 3)), ("Cleo", Fraction(1, 3))),
    "t2": (("Ann", Fraction(1, 7)), ("Bob", None)),
    "t3": (),
}


@pytest.mark.parametrize("by", DIMENSIONS)
@pytest.mark.parametrize("overlaps", OVERLAPS)
@given(
    items=st.lists(of_item, max_size=3),
    cents=st.integers(0, 10**6),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    shared=st.booleans(),
    paid=st.sampled_from([{"licensed"}, {"licensed", "review"}, {"licensed", "unlicensed", "review"}]),
)
@settings(max_examples=15, deadline=None)
def test_the_parts_sum_to_the_whole_always(tmp_path_factory, by, overlaps, items, cents, currency, shared, paid):
    scan = write_scan(tmp_path_factory.mktemp("scan"), items)
    options = {"holders_of": lambda recording, territory: SHARES[recording.track_id]} if shared else {}
    total_ms = sum(map(matched_ms, items))
    options |= {"by": by, "overlaps": overlaps, "paid": frozenset(paid), "currency": currency}
    owed = sum(line.seconds for line in make_ledger([scan], **options).lines if line.status in paid)
    pool = Decimal(cents).scaleb(-minor_digits(currency)) if owed else None
    ledger = make_ledger([scan], pool=pool, **options)
    assert sum(line.seconds for line in ledger.lines) == ledger.seconds == Decimal(total_ms) / 1000
    assert sum(line.share for line in ledger.lines) == (1 if total_ms else 0)
    n_matches = sum(len({row.group_id for row in matches}) for matches in items)
    assert sum(line.match_share for line in ledger.lines) == ledger.matches == n_matches
    if pool is not None:
        assert ledger.paid_seconds == owed
        assert sum(line.amount for line in ledger.lines if line.amount is not None) == pool
        for line in ledger.lines:
            assert (line.amount is None) == (line.status not in paid)
            exact = Fraction(pool) * Fraction(line.seconds) / Fraction(owed)
            unit = Fraction(1, 10 ** minor_digits(currency))
            slack = len(ledger.lines) * Fraction(pool) / Fraction(owed) / 1000
            assert line.amount is None or abs(Fraction(line.amount) - exact) <= unit + slack
    keys = [(line.key, line.status) for line in ledger.lines]
    assert len(set(keys)) == len(keys)


def test_two_ledgers_of_one_scan_agree_on_the_whole(tmp_path):
    scan = write_scan(tmp_path / "scan", [[match(group=0), match(group=1, track_id="t2")]])
    for by in DIMENSIONS:
        ledger = make_ledger([scan], by=by, pool=Decimal("0.01"), paid=frozenset({match().status}))
        assert ledger.seconds == Decimal("8.000")
        assert sum(line.amount for line in ledger.lines) == Decimal("0.01")


def by_key(ledger):
    return {line.key: line for line in ledger.lines}


def test_a_pool_is_for_licensed_seconds_and_the_others_stand_apart(tmp_path):
    # 8 s of one track each time, of which one second is claimed by three matches
    statuses = ["licensed", "unlicensed", "review"]
    scan = write_scan(tmp_path / "scan", [[match(status=status)] for status in [*statuses, "licensed"]])
    (licensed, review, unlicensed) = make_ledger([scan], pool=Decimal("100.00")).lines
    assert (licensed.status, licensed.seconds, licensed.amount) == ("licensed", 16, Decimal("100.00"))
    assert (review.status, review.seconds, review.amount) == ("review", 8, None)
    assert (unlicensed.status, unlicensed.seconds, unlicensed.amount) == ("unlicensed", 8, None)
    owed = make_ledger([scan], pool=Decimal("100.00"), paid=frozenset({"unlicensed", "review"})).lines
    assert [line.amount for line in owed] == [None, 50, 50]


def test_shares_of_holders(tmp_path):
    scan = write_scan(
        tmp_path / "scan", [[match(track_id="t1", status="licensed")], [match(track_id="t2", status="licensed")]]
    )
    ledger = make_ledger(
        [scan],
        by="rightsholder",
        pool=Decimal("100.00"),
        holders_of=lambda recording, territory: SHARES[recording.track_id],
    )
    lines = by_key(ledger)
    assert list(lines) == ["Ann", "Bob", "Cleo", None]  # Bob's share of t2 is not known, so it is nobody's yet
    assert [line.seconds for line in ledger.lines] == [Decimal(s) for s in ("3.809", "2.667", "2.667", "6.857")]
    assert [line.matches for line in ledger.lines] == [2, 1, 1, 1]
    with pytest.raises(ParameterError, match=r"track 't1': shares must sum to 1 at most, got 1\.5"):
        make_ledger([scan], by="rightsholder", holders_of=lambda *_: (("Ann", Fraction(3, 2)),))


def test_shares_that_were_rounded_up_are_scaled(tmp_path):
    scan = write_scan(tmp_path / "scan", [[match()]])
    rounded = (("Ann", Fraction("0.3334")), ("Bob", Fraction("0.6667")))
    ledger = make_ledger([scan], by="rightsholder", holders_of=lambda *_: rounded)
    assert [line.key for line in ledger.lines] == ["Ann", "Bob"]
    assert sum(line.seconds for line in ledger.lines) == 8


def test_statuses_and_territories_and_several_scans(tmp_path):
    one = write_scan(tmp_path / "one", [[match(status="licensed"), match(group=1, status="review")]], "US")
    two = write_scan(tmp_path / "two", [[match(status="licensed")]], None)
    assert make_ledger([one, two], statuses=frozenset({"licensed"})).matches == 2
    lines = by_key(make_ledger([one, two], by="territory"))
    assert {key: (line.status, line.matches) for key, line in lines.items()} == {
        "US": ("review", 1),  # of both lines, the last
        None: ("licensed", 1),
    }


def test_a_pool_for_nobody_is_refused(tmp_path):
    scan = write_scan(tmp_path / "scan", [])
    with pytest.raises(ParameterError, match="no seconds are licensed, so there is nobody to share 1 EUR out to"):
        make_ledger([scan], pool=Decimal(1))
    with pytest.raises(ParameterError, match="by must be one of recording"):
        make_ledger([scan], by="colour")
    with pytest.raises(ScanError, match=r"summary\.json: No such file"):
        make_ledger([tmp_path / "none"])


# Files


def test_a_real_scan_agrees_with_its_own_sums():
    ledger = make_ledger([audited_scan()], overlaps="split")
    items = rows(audited_scan() / "items.jsonl")
    assert ledger.seconds == sum(Decimal(str(row["matched_s"])) for row in items)
    assert ledger.matches == sum(row["matches"] for row in items)
    lines = by_key(ledger)
    assert lines["azum"].seconds == lines["azum-again"].seconds  # one recording under two ids
    assert lines["azum"].match_share == Decimal("0.5")


@pytest.mark.parametrize("by", DIMENSIONS)
@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx"])
def test_files_hold_what_the_ledger_says(tmp_path, by, kind):
    ledger = make_ledger([audited_scan()], by=by, pool=Decimal("1000.01"))
    out = tmp_path / f"ledger.{kind}"
    write_ledger(ledger, out, kind)
    table = read_table(out, kind)
    amounts = [None if row["amount"] in {"", None} else Decimal(str(row["amount"])) for row in table]
    assert amounts == [line.amount for line in ledger.lines]
    assert sum(filter(None, amounts)) == Decimal("1000.01")
    assert [row["status"] for row in table] == [line.status for line in ledger.lines]
    assert None in amounts
    assert [Decimal(str(row["seconds"])) for row in table] == [line.seconds for line in ledger.lines]
    name = {"recording": "track_id", "grant": "grant_id"}.get(by, by)
    assert [row[name] or None for row in table] == [line.key for line in ledger.lines]
    assert {row["currency"] for row in table} == {"EUR"}
    assert not list(tmp_path.glob(".*"))


def read_table(path, kind):
    if kind == "csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if kind == "parquet":
        return pq.read_table(path).to_pylist()
    book = openpyxl.load_workbook(path)
    header, *body = [row for sheet in book for row in sheet.iter_rows(values_only=True)]
    return [dict(zip(header, row, strict=True)) for row in body]


def test_the_command(tmp_path):
    out = tmp_path / "ledger.csv"
    process = run_earmark("ledger", audited_scan(), "--by", "rightsholder", "--pool", "10000.00", "--out", out)
    assert process.returncode == 0, process.stderr
    table = read_table(out, "csv")
    assert sum(Decimal(row["amount"]) for row in table if row["status"] == "licensed") == 10000
    assert {row["amount"] for row in table if row["status"] != "licensed"} == {""}
    assert f"{out}: 4 lines; 3 matches in 3 items, " in process.stdout
    assert process.stdout.endswith(" s share 10000.00 EUR\n")
    for wrong in (["--pool", "much"], ["--pool", "1.001"], ["--by", "mood"], ["--out", tmp_path / "ledger.doc"]):
        process = run_earmark("ledger", audited_scan(), "--out", out, *wrong)
        assert process.returncode == 2, wrong


def test_shares_come_from_the_registry(tmp_path):
    shares = "rightsholder,share,track_id\nAnn,60%,chaos\nBob,30%,chaos\n"
    (tmp_path / "holdings.csv").write_text(shares)
    process = run_earmark("license", "import", tmp_path / "my.registry", tmp_path / "holdings.csv")
    assert process.returncode == 0, process.stderr
    everything = ["--pay", "licensed", "--pay", "unlicensed", "--pay", "review"]
    options = ["--by", "rightsholder", "--pool", "100.00", "--registry", tmp_path / "my.registry", *everything]
    process = run_earmark("ledger", audited_scan(), *options, "--out", tmp_path / "ledger.csv")
    assert process.returncode == 0, process.stderr
    lines = {row["rightsholder"]: row for row in read_table(tmp_path / "ledger.csv", "csv")}
    whole = by_key(make_ledger([audited_scan()]))["chaos"].seconds
    assert Decimal(lines["Ann"]["seconds"]) == whole * Decimal("0.6")
    assert Decimal(lines["Bob"]["seconds"]) == whole * Decimal("0.3")
    assert Decimal(lines[""]["seconds"]) == whole * Decimal("0.1")  # of chaos, nobody is known to hold the rest
    assert "Leonard Ritter" in lines  # of what the registry does not know, the catalog's holder holds all
    assert sum(Decimal(row["amount"]) for row in lines.values()) == 100
