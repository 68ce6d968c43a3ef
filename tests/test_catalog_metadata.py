"""Metadata files: what is read, and what is wrong with them."""

import os

import pytest

from earmark.catalog.metadata import read_metadata
from earmark.catalog.sources import list_sources
from earmark.catalog.track import TrackTags
from earmark.errors import CatalogError, MetadataError


def _written(tmp_path, data, name="tracks.csv"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_rows_are_read(tmp_path):
    text = (
        "\ufeffISRC; Path ;track_id;Title;label;UPC;\r\n"
        'gb-aye-68-00011;a/b.mp3;T1;"Two; ""quoted""\r\nlines";Étiquette;123;\r\n'
        " ; ;;;;\r\n"
        ";100%.wav\r\n"
    )
    rows = read_metadata(_written(tmp_path, text)).rows
    assert [(row.line, row.path) for row in rows] == [(2, "a/b.mp3"), (5, "100%.wav")]
    assert rows[0].tags == TrackTags(
        track_id="T1",
        path="a/b.mp3",
        isrc="GBAYE6800011",
        title='Two; "quoted"\r\nlines',
        label="Étiquette",
        extra={"upc": "123"},
    )
    assert rows[1].tags == TrackTags(track_id="", path="100%25.wav")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", r"tracks\.csv:1: no column 'path'; expected .* found nothing"),
        ("file,title\na,b\n", r"tracks\.csv:1: no column 'path'; .* found 'file', 'title'"),
        ("path,title,Title\n", r"tracks\.csv:1: column 'title' comes twice"),
        ("path,title\na,b\n,c\n", r"tracks\.csv:3: no path"),
        ("path,title\na,b\nb,c,d\n", r"tracks\.csv:3: 3 cells, but 2 columns"),
        ("path\na\nb\na\n", r"tracks\.csv:4: path 'a' comes twice; it is in line 2 already"),
        ("path,track_id\na,x\nb,\nc,x\n", r"tracks\.csv:4: track_id 'x' comes twice; it is in line 2 already"),
        ("path,isrc\na,GBAYE680001\n", r"tracks\.csv:2: 'GBAYE680001' is no ISRC; expected CC-XXX-YY-NNNNN"),
        ('path,title\na,"b\nc\n', r"tracks\.csv:2: malformed quotes"),
        (b"path\na\n\xe9.mp3\n", r"tracks\.csv:3: byte 0xe9 is not UTF-8"),
        (b"path\na\0b\n", r"tracks\.csv:2: a NUL"),
    ],
)
def test_bad_files_are_errors_with_a_line(tmp_path, data, words):
    with pytest.raises(MetadataError, match=words):
        read_metadata(_written(tmp_path, data))


def test_no_file_is_an_error(tmp_path):
    with pytest.raises(MetadataError, match=r"missing\.csv: cannot be read: No such file"):
        read_metadata(tmp_path / "missing.csv")
    with pytest.raises(MetadataError, match="cannot be read: Is a directory"):
        read_metadata(tmp_path)


@pytest.fixture
def tree(tmp_path):
    for name in ("music/a.wav", "music/sub/b.wav", "music/100%.wav", "other/a.wav", "music/note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"RIFF" if name.endswith("wav") else b"text")
    return tmp_path


def _ids(listing):
    return {source.id: source.row.tags.track_id if source.row else None for source in listing.sources}


def test_rows_find_their_files(tree):
    (tree / "music" / os.fsdecode(b"\xff.wav")).write_bytes(b"RIFF")
    (tree / "link").symlink_to(tree / "music")
    text = (
        "path,track_id\n"
        "sub/b.wav,relative to the source\n"
        "music/100%.wav,relative to the file\n"
        f"{tree}/link/../music/./a.wav,absolute\n"
        "%FF.wav,as an item id\n"
        "gone.wav,none\n"
    )
    listing = list_sources([tree / "link"], read_metadata(_written(tree, text)), tree / "catalog")
    assert _ids(listing) == {
        "%FF.wav": "as an item id",
        "100%25.wav": "relative to the file",
        "a.wav": "absolute",
        "sub/b.wav": "relative to the source",
    }
    assert listing.unmatched == (f"{tree}/tracks.csv:6: gone.wav",)
    assert listing.n_skipped == 1
    assert not listing.warnings


def test_a_row_that_fits_two_files_takes_the_first_and_says_so(tree):
    metadata = read_metadata(_written(tree, "path,track_id\na.wav,x\n"))
    listing = list_sources([tree / "other", tree / "music"], metadata, tree / "catalog")
    assert [(s.id, s.row is not None) for s in listing.sources if s.id == "a.wav"] == [
        ("a.wav", True),
        ("a.wav", False),
    ]
    assert listing.warnings == ((f"{tree}/tracks.csv:2", f"'a.wav' fits 2 files; {tree}/other/a.wav is taken"),)


def test_two_rows_for_one_file_take_the_first_and_say_so(tree):
    metadata = read_metadata(_written(tree, "path,track_id\nmusic/a.wav,x\na.wav,y\n"))
    listing = list_sources([tree / "music"], metadata, tree / "catalog")
    assert _ids(listing)["a.wav"] == "x"
    [(where, words)] = listing.warnings
    assert where.endswith("tracks.csv:3")
    assert "same file as line 2" in words


def test_what_is_named_twice_counts_once_and_the_catalog_itself_not(tree):
    (tree / "music/catalog/segments").mkdir(parents=True)
    (tree / "music/catalog/segments/x.wav").write_bytes(b"RIFF")
    listing = list_sources([tree / "music", tree / "music/a.wav", tree / "music/sub"], None, tree / "music/catalog")
    assert [source.id for source in listing.sources] == ["100%25.wav", "a.wav", "sub/b.wav"]
    assert listing.n_skipped == 4  # note.txt, a.wav and b.wav again, x.wav


def test_sources_that_are_not_there(tree):
    with pytest.raises(CatalogError, match=r"source '.*gone': No such file"):
        list_sources([tree / "music", tree / "gone"], None, tree / "catalog")
    with pytest.raises(CatalogError, match="no sources"):
        list_sources([], None, tree / "catalog")
