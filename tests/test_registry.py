import csv
import hashlib
import io
import sqlite3
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ParameterError, RegistryError
from earmark.rights import PERMISSIONS, SCOPES, Recording, Use, decide, read_registry
from earmark.rights.identifiers import fold_name, parse_isrc
from earmark.rights.territories import COUNTRIES, describe_territories, parse_territories

HEADER = "grant_id,licensee,scope,permission,isrc,rightsholder,territories,excluded_territories"
HEADER += ",valid_from,valid_to,supersedes"
GOOD = "G1,Acme AI,ai_training,allowed,,X Music,Worldwide,,2026-01-01,2026-12-31,"


@pytest.fixture
def write(tmp_path):
    def _write(data, name="rights.csv"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return _write


def row(**changes):
    cells = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | changes
    text = io.StringIO()
    csv.writer(text).writerow(cells.values())
    return text.getvalue()


def test_a_registry_is_read(write):
    data = (HEADER + ",contract_ref\r\n" + GOOD + ",C-17\r\n").encode()
    registry = read_registry(write(data))
    (grant,) = registry.grants
    assert (grant.grant_id, grant.licensee, grant.scope, grant.permission) == (
        "G1",
        "Acme AI",
        "ai_training",
        "allowed",
    )
    assert (grant.rightsholder, grant.isrc, grant.label, grant.track_id) == ("X Music", None, None, None)
    assert (grant.territories, grant.excluded_territories) == (COUNTRIES, frozenset())
    assert (grant.valid_from, grant.valid_to) == (date(2026, 1, 1), date(2026, 12, 31))
    assert (grant.contract_ref, grant.supersedes, grant.line) == ("C-17", None, 2)
    assert registry.source == "rights.csv"
    assert registry.digest == hashlib.sha256(data).hexdigest()
    assert registry.ignored_columns == ()


def test_from_the_file_to_a_verdict(write):
    registry = read_registry(str(write(HEADER + "\n" + GOOD)))
    recording = Recording(track_id="t1", rightsholder="x music")
    use = Use(licensee="acme ai", scope="ai_training", territory="us", as_of=date(2026, 12, 31))
    assert decide(recording, registry, use).status == "licensed"


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_shapes_of_csv(write, bom, line_end, delimiter):
    text = (HEADER + "\n\n" + GOOD + "\n,,,,,,,,,,\n").replace(",", delimiter).replace("\n", line_end)
    (grant,) = read_registry(write(bom + text.encode())).grants
    assert (grant.grant_id, grant.line) == ("G1", 3)


def test_the_delimiter_is_taken_from_the_header_alone(write):
    text = (
        HEADER.replace(",", ";")
        + "\n"
        + GOOD.replace(",", ";").replace("X Music", "X, Y, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z")
    )
    assert read_registry(write(text)).grants[0].rightsholder == "X, Y, Z, Z, Z, Z, Z, Z, Z, Z, Z, Z"


def test_a_quoted_header_and_capitals_and_spaces(write):
    header = ",".join(f'" {name.upper()} "' for name in HEADER.split(","))
    assert read_registry(write(header + "\n" + GOOD)).grants[0].grant_id == "G1"


def test_unknown_columns_are_listed(write):
    text = f"{HEADER},Artist, notes ,\n{GOOD},Somebody,text,\n"
    assert read_registry(write(text)).ignored_columns == ("artist", "notes", "column 14")


def test_a_header_alone_is_a_registry_without_grants(write):
    assert read_registry(write(HEADER + "\n")).grants == ()


def test_lines_are_counted_through_quoted_cells(write):
    first = row(grant_id="G1", rightsholder="X\nMusic\r\nLtd")
    text = HEADER + "\r\n" + first + "\r\n" + row(grant_id="G2", valid_to="soon")
    with pytest.raises(RegistryError, match=r"rights\.csv, line 6, column valid_to: 'soon' is no date; expected YYYY"):
        read_registry(write(text))
    good = read_registry(write(HEADER + "\r\n" + first + row(grant_id="G2"))).grants
    assert [(grant.rightsholder, grant.line) for grant in good] == [("X Music Ltd", 2), ("X Music", 5)]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"grant_id": " "}, "column grant_id: the cell is empty"),
        ({"licensee": ""}, r"column licensee: the cell is empty; expected a name, or \* for anyone"),
        (
            {"scope": "ai-training"},
            "column scope: 'ai-training' is unknown; expected one of ai_training, .* mean ai_training",
        ),
        ({"scope": ""}, "column scope: '' is unknown; expected one of"),
        (
            {"permission": "forbidden"},
            "column permission: 'forbidden' is unknown; expected one of allowed, not_allowed",
        ),
        ({"permission": "not allowed"}, r"did you mean not_allowed\?"),
        ({"isrc": "GB-AYE-68-0001"}, "column isrc: 'GB-AYE-68-0001' is no ISRC; expected CC-XXX-YY-NNNNN"),
        (
            {"rightsholder": ""},
            "line 3: the row covers nothing; fill at least one of track_id, isrc, upc, label, rightsholder",
        ),
        ({"rightsholder": "*"}, r"column rightsholder: '\*' is no name; leave the cell empty"),
        ({"territories": ""}, "column territories: the cell is empty; say Worldwide if"),
        ({"territories": "US; ZZ"}, "column territories: 'ZZ' is no ISO 3166-1 alpha-2 country code"),
        ({"territories": "UK"}, "'UK' is no .* country code .say GB."),
        ({"territories": "US Worldwide"}, "'Worldwide' stands alone"),
        ({"territories": "US CA", "excluded_territories": "ca|us"}, "column excluded_territories: every territory is"),
        ({"excluded_territories": "Worldwide"}, "column excluded_territories: every territory is excluded"),
        ({"valid_from": "01.02.2026"}, "column valid_from: '01.02.2026' is no date; expected YYYY-MM-DD"),
        ({"valid_from": "20260101"}, "column valid_from: '20260101' is no date"),
        ({"valid_to": "2026-02-29"}, "column valid_to: '2026-02-29' is no day of the calendar"),
        ({"valid_to": "2025-12-31"}, "column valid_to: 2025-12-31 is before valid_from, 2026-01-01"),
        ({"grant_id": "G0"}, "column grant_id: 'G0' is also the grant_id of line 2"),
        ({"supersedes": "G7"}, "column supersedes: grant G1: 'G7' is the grant_id of no row"),
        ({"supersedes": "G1"}, "column supersedes: grant G1: 'G1' is the grant itself"),
    ],
)
def test_a_bad_cell_is_named_with_file_line_column_and_value(write, changes, match):
    text = HEADER + "\n" + row(grant_id="G0") + row(**changes)
    with pytest.raises(RegistryError, match=match) as caught:
        read_registry(write(text))
    assert "\n" not in str(caught.value)
    assert "rights.csv, line 3" in str(caught.value)


def test_a_cycle_of_successors(write):
    text = (
        HEADER
        + "\n"
        + row(grant_id="G0")
        + "".join(row(grant_id=f"G{i}", supersedes=f"G{i % 3 + 1}") for i in (1, 2, 3))
        + row(grant_id="G4", supersedes="G1")
    )
    with pytest.raises(
        RegistryError, match=r"line 3, column supersedes: grant G1: .* G1 supersedes G2 supersedes G3 sup"
    ):
        read_registry(write(text))


def test_a_link_to_a_row_that_is_bad_itself_is_not_a_second_mistake(write):
    text = HEADER + "\n" + row(grant_id="G1", scope="x") + row(grant_id="G2", supersedes="G1")
    with pytest.raises(RegistryError, match="line 2, column scope") as caught:
        read_registry(write(text))
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_collected_the_first_twenty_named(write):
    rows = [row(grant_id=f"G{i}", scope="x", valid_to="y") for i in range(15)]
    with pytest.raises(RegistryError) as caught:
        read_registry(write(HEADER + "\n" + "".join(rows)))
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("rights.csv: 30 mistakes")
    assert len(lines) == 22
    assert "line 2, column scope" in lines[1]
    assert "line 11, column valid_to" in lines[20]
    assert lines[21] == "... and 10 more"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            f"{HEADER}\n{GOOD},more\n",
            "line 2: the row has 12 cells, expected 11 as in the header; put cells that contain",
        ),
        (f"{HEADER}\n{GOOD}\nG2,Acme\n", "line 3: the row has 2 cells, expected 11 as in the header$"),
        ("", "is empty; expected a header line"),
        ("\ufeff\r\n \n", "is empty; expected a header line"),
        (f'{HEADER}\n{GOOD}\nG2,"Acme,ai_training\nmore\n', "line 3: malformed quotes in the row that begins here"),
        (f"{HEADER}\n{GOOD}\nG\0,", "line 3: a NUL byte"),
        (HEADER.replace("scope", "artist"), "line 1: missing column scope; found grant_id"),
        (HEADER.replace("scope,permission", "a,b"), "missing columns scope, permission"),
        (HEADER.replace("territories,ex", "ex"), "missing column territories"),
        (
            HEADER.replace("isrc,rightsholder", "a,b"),
            "nothing says what a grant covers; expected one of track_id, isrc",
        ),
        (HEADER + ",Scope", "line 1: column scope comes twice"),
        ("a b c\nd e f", "missing columns grant_id, licensee, scope, permission, territories; found a b c"),
        # to pass over these would make a grant wider than its contract
        (HEADER.replace("valid_to", "valid to"), "unknown column 'valid to'; is it valid_to"),
        (HEADER.replace("valid_to", "Valid Until"), "unknown column 'valid until'; is it valid_to"),
        (HEADER.replace("excluded_territories", "excluded_territory"), "is it excluded_territories"),
        (HEADER.replace("isrc", "rights_holder").replace(",rightsholder", ",isrc"), "is it rightsholder"),
    ],
)
def test_a_bad_file(write, text, match):
    with pytest.raises(RegistryError, match=match) as caught:
        read_registry(write(text))
    assert "rights.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (f"{HEADER}\n{GOOD}\nG2,Caf".encode() + b"\xe9,", "line 3: byte 0xe9 is not UTF-8"),
        (b"\xef\xbb\xbf" + HEADER.encode() + b"\r\nG2,Caf\xe9,", "line 2: byte 0xe9 is not UTF-8"),
        (HEADER.encode("utf-16"), "is UTF-16 text"),
        (b"PK\x03\x04....", "is a ZIP or spreadsheet file"),
    ],
)
def test_a_file_that_is_no_utf8_text(write, data, match):
    with pytest.raises(RegistryError, match=match):
        read_registry(write(data))


def test_another_sqlite_file_is_no_registry(tmp_path):
    path = tmp_path / "rights.csv"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE grants (grant_id TEXT)")
    connection.close()
    with pytest.raises(RegistryError, match="is a SQLite file of something else; expected a registry"):
        read_registry(path)


def test_a_missing_file_and_a_directory(tmp_path):
    with pytest.raises(RegistryError, match=r"none\.csv cannot be read: No such file"):
        read_registry(tmp_path / "none.csv")
    with pytest.raises(RegistryError, match="cannot be read: Is a directory"):
        read_registry(tmp_path)


@pytest.mark.parametrize("text", ["GBAYE6800011", "gb-aye-68-00011", " GB AYE 68 00011 ", "ISRC GB–AYE–68–00011"])
def test_ways_to_write_an_isrc(text):
    assert parse_isrc(text) == "GBAYE6800011"


@pytest.mark.parametrize("text", ["", "GBAYE680001", "GBAYE68000111", "1BAYE6800011", "GBAYE68OOO11", "GB*YE6800011"])
def test_what_is_no_isrc(text):
    with pytest.raises(ParameterError, match="is no ISRC"):
        parse_isrc(text)


@pytest.mark.parametrize("text", ["US CA", "us,ca", "CA;US", " US | CA ", "US;\tCA;"])
def test_ways_to_write_territories(text):
    assert parse_territories(text) == {"US", "CA"}


def test_worldwide_in_any_case_is_every_country():
    assert parse_territories(" WORLDWIDE ") == COUNTRIES
    assert len(COUNTRIES) == 250
    assert describe_territories(COUNTRIES - {"US"}) == "249 territories"


@pytest.mark.parametrize(
    ("one", "other"), [("Björk", "Bjo\u0308rk"), ("STRASSE", "straße"), ("A\u3000B", " a  b "), ("ＡＢＣ", "abc")]
)
def test_names_that_are_the_same(one, other):
    assert fold_name(one) == fold_name(other)


NAMES = st.text(alphabet="aB é,;\t|\"'\n*", min_size=1, max_size=12).map(lambda text: "n" + text + "n")
COLUMNS = ["licensee", "scope", "permission", "label", "territories", "valid_from"]
ROWS = st.fixed_dictionaries(
    {
        "licensee": NAMES | st.just("*"),
        "scope": st.sampled_from(SCOPES),
        "permission": st.sampled_from(PERMISSIONS),
        "label": NAMES,
        "territories": st.frozensets(st.sampled_from(sorted(COUNTRIES)), min_size=1, max_size=4),
        "valid_from": st.none() | st.dates(),
    }
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(ROWS, max_size=5),
    st.fixed_dictionaries(
        {
            "delimiter": st.sampled_from(",;\t"),
            "lineterminator": st.sampled_from(["\n", "\r\n"]),
            "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        }
    ),
    st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_what_is_written_is_read(tmp_path_factory, rows, dialect, encoding):
    text = io.StringIO(newline="")
    writer = csv.writer(text, **dialect)
    writer.writerow(["grant_id", *COLUMNS])
    for at, fields in enumerate(rows):
        cells = fields | {"territories": " ".join(fields["territories"])}
        writer.writerow([f"G{at}", *(cells[column] for column in COLUMNS)])
    path = tmp_path_factory.mktemp("registry") / "r.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    grants = read_registry(path).grants
    assert [{column: getattr(grant, column) for column in COLUMNS} for grant in grants] == [
        fields | {column: " ".join(fields[column].split()) for column in ("licensee", "label")} for fields in rows
    ]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_files_raise_our_error_or_are_read(tmp_path_factory, data):
    good = bytearray((HEADER + "\n" + row(grant_id="G1") + row(grant_id="G2", rightsholder='A "B"\nC')).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good) - 1))
        good[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b"\n", b","])
        )
    path = tmp_path_factory.getbasetemp() / "damaged.csv"
    path.write_bytes(good)
    try:
        outcome = f"{path} gives {len(read_registry(path).grants)}"
    except RegistryError as error:
        outcome = str(error)
    assert str(path) in outcome
