"""Listing a directory: every name below it comes out once, in order, as an item or with the reason why not."""

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.corpus import (
    Item,
    Skipped,
    Unlistable,
    WholeFile,
    decode_item_id,
    encode_item_id,
    has_audio_extension,
    list_directory,
    starts_like_audio,
)
from earmark.errors import CorpusError, ParameterError

from .encoded import KINDS, encoded_music

NO_AUDIO = "no audio by name or content"


def listed(root):
    return list(list_directory(root))


def item(item_id, path, *, size_bytes):
    return Item(id=item_id, source=WholeFile(location=str(path)), size_bytes=size_bytes)


def ids(entries):
    return [entry.id for entry in entries]


def touch(path, data=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_tree(tmp_path):
    song = touch(tmp_path / "b" / "deep" / "song.MP3", b"12345")
    touch(tmp_path / "notes.txt")
    touch(tmp_path / ".hidden.flac")
    touch(tmp_path / "empty.wav", b"")
    assert listed(tmp_path) == [
        item(".hidden.flac", tmp_path / ".hidden.flac", size_bytes=1),
        item("b/deep/song.MP3", song, size_bytes=5),
        item("empty.wav", tmp_path / "empty.wav", size_bytes=0),
        Skipped(id="notes.txt", reason=NO_AUDIO),
    ]


def test_the_order_is_that_of_the_ids(tmp_path):
    # "a/x" sorts behind "a.x" and "a-x" but before "a0" and "aa": "/" lies between.
    for name in ("a/x.mp3", "a.x.mp3", "a-x.mp3", "a0.mp3", "aa.mp3", "é.mp3", "z.mp3", "a.mp3/y.mp3", "a.mp3!.mp3"):
        touch(tmp_path / name)
    found = ids(listed(tmp_path))
    assert found == sorted(found)
    assert len(found) == 10


def test_a_directory_named_like_a_file_is_reported_and_descended_into(tmp_path):
    touch(tmp_path / "x.mp3" / "y.ogg")
    assert listed(tmp_path) == [
        Skipped(id="x.mp3", reason="is a directory"),
        item("x.mp3/y.ogg", tmp_path / "x.mp3" / "y.ogg", size_bytes=1),
    ]


def test_one_file_is_a_corpus_of_one(tmp_path):
    song = touch(tmp_path / "50%.mp3")
    assert listed(song) == [item("50%25.mp3", song, size_bytes=1)]
    assert listed(touch(tmp_path / "a.txt")) == [Skipped(id="a.txt", reason=NO_AUDIO)]


@pytest.mark.parametrize("kind", KINDS)
def test_audio_is_known_by_its_first_bytes(kind, tmp_path):
    path = touch(tmp_path / "nameless", encoded_music(kind))
    assert listed(tmp_path) == [item("nameless", path, size_bytes=path.stat().st_size)]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff",
        b"plain text",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"FORM\x00\x00\x00\x00ILBM",
        b"PK\x03\x04",
        b"%PDF-1.7",
        b"\x7fELF\x02\x01\x01",
        b"\xff\xfe<\x00h\x00t\x00m\x00l\x00",  # UTF-16 text
        b"GET / HTTP/1.1",
        b"\xff" * 64,
        bytes(64),
    ],
)
def test_other_files_are_not_taken_for_audio(head):
    assert not starts_like_audio(head)


@given(st.binary(max_size=64))
def test_any_first_bytes_get_an_answer(head):
    assert starts_like_audio(head) in (True, False)


def test_names_that_are_and_are_not_audio():
    assert all(map(has_audio_extension, ["a.mp3", "a.b.OGG", "video.mkv", " .wav"]))
    assert not any(map(has_audio_extension, ["mp3", ".mp3", "a.mp3.txt", "a.ts", "a.", "a"]))


def test_special_files_are_not_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo.mp3")
    monkeypatch.chdir(tmp_path)  # the address of a socket may be 108 bytes long
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("sock.mp3")
    (tmp_path / "null.mp3").symlink_to("/dev/null")
    assert listed(tmp_path) == [
        Skipped(id="fifo.mp3", reason="is a FIFO"),
        Skipped(id="null.mp3", reason="is a device"),
        Skipped(id="sock.mp3", reason="is a socket"),
    ]


def test_links_are_followed_and_loops_are_cut(tmp_path):
    touch(tmp_path / "real" / "song.mp3")
    (tmp_path / "alias.mp3").symlink_to("real/song.mp3")
    (tmp_path / "real" / "up").symlink_to("..")
    (tmp_path / "zwin").symlink_to("real")
    assert listed(tmp_path) == [
        item("alias.mp3", tmp_path / "alias.mp3", size_bytes=1),
        item("real/song.mp3", tmp_path / "real" / "song.mp3", size_bytes=1),
        Skipped(id="real/up", reason="is the directory '.', listed already"),
        Skipped(id="zwin", reason="is the directory 'real', listed already"),
    ]


def test_a_linked_directory_elsewhere_is_listed_under_its_link(tmp_path):
    touch(tmp_path / "elsewhere" / "song.mp3")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    assert ids(listed(root)) == ["link/song.mp3"]


def test_links_that_multiply_do_not(tmp_path):
    # Followed blindly, 2 ** 30 paths.
    for i in range(30):
        (tmp_path / f"d{i}").mkdir()
        for name in "ab":
            (tmp_path / f"d{i}" / name).symlink_to(f"../d{i + 1}")
    touch(tmp_path / "d30" / "song.mp3")
    assert sum(isinstance(entry, Item) for entry in listed(tmp_path)) == 1


def test_broken_links_are_told_in_the_systems_words(tmp_path):
    (tmp_path / "dangling.mp3").symlink_to("nowhere")
    (tmp_path / "self.mp3").symlink_to("self.mp3")
    assert listed(tmp_path) == [
        Unlistable(id="dangling.mp3", error="No such file or directory"),
        Unlistable(id="self.mp3", error="Too many levels of symbolic links"),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(tmp_path):
    locked, song = tmp_path / "locked", touch(tmp_path / "song.mp3")
    touch(locked / "a.mp3")
    locked.chmod(0)
    song.chmod(0)
    try:
        found = listed(tmp_path)
    finally:
        locked.chmod(stat.S_IRWXU)
    assert found == [
        Unlistable(id="locked", error="Permission denied"),
        Unlistable(id="song.mp3", error="Permission denied"),
    ]


def test_a_path_too_long_for_the_system_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(25):  # 25 x 201 bytes: beyond PATH_MAX
        Path("n" * 200).mkdir()
        os.chdir("n" * 200)
    Path("song.mp3").write_bytes(b"x")
    (entry,) = listed(tmp_path)
    assert isinstance(entry, Unlistable)
    assert entry.error == "File name too long"
    assert entry.id.startswith("n" * 200 + "/")


def test_directories_deeper_than_python_calls(tmp_path):
    deep = str(tmp_path)
    for _ in range(1200):
        deep += "/d"
        os.mkdir(deep)  # noqa: PTH102 - Path.mkdir calls itself for each parent
    song = Path(deep, "song.mp3")
    song.write_bytes(b"x")
    found = ids(listed(tmp_path))
    song.unlink()
    os.removedirs(deep)  # shutil.rmtree, with which pytest clears up, calls itself for each level
    assert found == ["d/" * 1200 + "song.mp3"]


@pytest.mark.parametrize(
    "name", [b"new\nline.mp3", b"quo\"te's.mp3", b"bad\xff\xc3.mp3", b"100%.mp3", "名前.mp3".encode()]
)
def test_strange_names_round_trip(name, tmp_path):
    with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:  # noqa: PTH118, PTH123 - bytes
        file.write(b"x")
    (one,) = listed(tmp_path)
    one.id.encode("utf-8")
    assert os.fsencode(decode_item_id(one.id)) == name
    assert Path(one.source.location).read_bytes() == b"x"
    assert "\n" in one.id or b"\n" not in name


def test_no_such_corpus(tmp_path):
    with pytest.raises(CorpusError, match="No such file or directory"):
        list_directory(tmp_path / "missing")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(CorpusError, match="neither a directory nor a file"):
        list_directory(tmp_path / "fifo")
    with pytest.raises(CorpusError, match="null"):
        list_directory(Path("a\0b"))


def test_an_empty_directory_is_an_empty_corpus(tmp_path):
    assert listed(tmp_path) == []


@given(st.binary(max_size=40).map(os.fsdecode))
def test_item_ids_round_trip_and_are_plain_text(path):
    item_id = encode_item_id(path)
    item_id.encode("utf-8")
    assert decode_item_id(item_id) == path


@given(st.lists(st.binary(max_size=6).map(os.fsdecode), min_size=2, max_size=2, unique=True))
def test_two_paths_never_share_an_id(paths):
    assert encode_item_id(paths[0]) != encode_item_id(paths[1])


@pytest.mark.parametrize("item_id", ["100%", "%4", "%zz", "%ff", "%41"])
def test_ids_that_nobody_made(item_id):
    with pytest.raises(ParameterError, match="expected %25 or %80 to %FF"):
        decode_item_id(item_id)


@given(st.lists(st.text("ab.-/0%é", min_size=1, max_size=6), max_size=8))
def test_any_tree_comes_out_sorted_once_and_whole(names):
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        made = set()
        for name in names:
            parts = [part for part in name.split("/") if part not in ("", ".", "..")]
            path = root.joinpath(*parts) if parts else root / "x"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"")
            except OSError:  # a name that is a directory already, or the reverse
                continue
            made.add(path.relative_to(root).as_posix())
        found = ids(listed(root))
    assert found == sorted(map(encode_item_id, made))
