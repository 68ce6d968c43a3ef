"""Containers that were made to harm, or were harmed: the rest goes on, and their lines say what happened."""

import bz2
import gzip
import io
import lzma
import os
import random
import resource
import tarfile
import zipfile
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from earmark.corpus import CorpusOptions, Item, ItemReader, Skipped, Unlistable, cells, list_corpus
from earmark.corpus import shard as shard_module
from earmark.errors import CorpusError

from .encoded import encoded_music
from .small_catalog import excerpt, items_of, run_earmark, small_catalog

SONG = b"fLaC" + bytes(range(256)) * 8
AUDIO_STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def listed(location):
    return list(list_corpus(str(location), CorpusOptions()))


def opened(entries):
    """Id -> bytes, or words."""
    found = {}
    with ItemReader() as reader:
        for entry in entries:
            if isinstance(entry, Item):
                try:
                    with reader.open(entry) as file:
                        found[entry.id] = file.read()
                except CorpusError as error:
                    found[entry.id] = str(error)
            else:
                found[entry.id] = entry.reason if isinstance(entry, Skipped) else entry.error
    return found


def tar_of(*members, mode="w", **options):
    """A tar of (name, data) pairs or of TarInfo."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, **options) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


PACK = {"tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress}


@pytest.mark.parametrize("suffix", PACK)
def test_names_and_members_of_every_kind(tmp_path, suffix):
    data = tar_of(
        ("../../up.flac", SONG),
        ("/etc/x.flac", SONG),
        ("./dot.flac", SONG),
        ("twice.flac", SONG),
        ("twice.flac", SONG + b"2"),
        ("twice.flac#3", SONG),
        ("twice.flac", SONG + b"4"),
        ("twice.flac#2", SONG + b"22"),
        ("new\nline%.flac", SONG),
        special("folder", tarfile.DIRTYPE),
        special("link.flac", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard.flac", tarfile.LNKTYPE, "twice.flac"),
        special("fifo.flac", tarfile.FIFOTYPE),
        special("null.flac", tarfile.CHRTYPE),
        ("empty.flac", b""),
    )
    (tmp_path / f"a.{suffix}").write_bytes(PACK[suffix](data))
    assert opened(listed(tmp_path)) == {
        f"a.{suffix}/../../up.flac": SONG,
        f"a.{suffix}//etc/x.flac": SONG,
        f"a.{suffix}/dot.flac": SONG,
        f"a.{suffix}/twice.flac": SONG,
        f"a.{suffix}/twice.flac#2": SONG + b"2",
        f"a.{suffix}/twice.flac#3": SONG,
        f"a.{suffix}/twice.flac#4": SONG + b"4",
        f"a.{suffix}/twice.flac#2#2": SONG + b"22",
        f"a.{suffix}/new\nline%25.flac": SONG,
        f"a.{suffix}/link.flac": "is a link",
        f"a.{suffix}/hard.flac": "is a link",
        f"a.{suffix}/fifo.flac": "is a FIFO",
        f"a.{suffix}/null.flac": "is a device",
        f"a.{suffix}/empty.flac": b"",
    }
    assert sorted(os.listdir(tmp_path)) == [f"a.{suffix}"]  # noqa: PTH208 - nothing was unpacked


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.6, 0.95, 0.999])
def test_tars_cut_short_anywhere(tmp_path, suffix, share):
    songs = [(f"{i}.flac", random.Random(i).randbytes(100_000)) for i in range(5)]
    whole = tar_of(*songs)
    whole = PACK[suffix](whole[: whole.rindex(songs[-1][1]) + 100_352 + 512])  # up to the mark of its end, no padding
    (tmp_path / f"a.{suffix}").write_bytes(whole[: int(share * len(whole))])
    (tmp_path / "b.flac").write_bytes(SONG)
    found = opened(listed(tmp_path))
    assert found.pop("b.flac") == SONG
    told = found.pop(f"a.{suffix}", None)
    assert "is damaged after" in told
    got = [found.pop(f"a.{suffix}/{name}", b"") for name, _ in songs]
    assert found == {}
    # Where it breaks off there may be a member cut short, for its header is there: decoding will tell.
    expected = [data[: len(data_got)] for data_got, (_, data) in zip(got, songs, strict=True)]
    assert got == expected
    if suffix in ("tar", "tar.gz"):  # the others pack all of this into one block
        assert sum(len(data) == 100_000 for data in got) >= int(share * 5) - (suffix == "tar.gz")


def test_a_tar_with_a_damaged_header_in_the_midst(tmp_path):
    data = bytearray(tar_of(*[(f"{i}.flac", SONG) for i in range(4)]))
    size = 512 + -(-len(SONG) // 512) * 512
    data[2 * size : 2 * size + 300] = b"\xff" * 300
    (tmp_path / "a.tar").write_bytes(data)
    found = opened(listed(tmp_path / "a.tar"))
    assert found == {
        "a.tar/0.flac": SONG,
        "a.tar/1.flac": SONG,
        "a.tar": "the archive is damaged after 2 members: what follows is no header of a member",
    }


def test_a_tar_whose_end_mark_is_missing(tmp_path):
    data = tar_of(("0.flac", SONG))
    (tmp_path / "a.tar").write_bytes(data[: 512 + -(-len(SONG) // 512) * 512])
    assert opened(listed(tmp_path / "a.tar"))["a.tar"].endswith("after 1 members: the mark of its end is missing")


class _Zeros(io.RawIOBase):
    """Many zeros, without the memory for them."""

    def __init__(self, size):
        self.left = size

    def readable(self):
        return True

    def readinto(self, buffer):
        n = min(len(buffer), self.left)
        buffer[:n] = bytes(n)
        self.left -= n
        return n


def test_bombs_are_not_set_off(tmp_path, monkeypatch):
    """With the limits lowered, so that the test need not wait for gigabytes of zeros."""
    monkeypatch.setattr(shard_module, "_BOMB_BYTES", 4 << 20)
    monkeypatch.setattr(shard_module, "MAX_HELD_BYTES", 8 << 20)
    size = 64 << 20
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("zeros.txt")
        info.size = size
        tar.addfile(info, _Zeros(size))
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.wav", bytes(size))
        archive.writestr("song.flac", SONG)
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(bytes(size)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = opened(listed(tmp_path))
    assert "taken for a decompression bomb" in found["a.tar.gz"]
    assert "taken for a decompression bomb" in found["b.zip/zeros.wav"]
    assert found["b.zip/song.flac"] == SONG
    with pytest.raises(CorpusError, match=r"bomb|longer than"):
        listed(tmp_path / "c.jsonl.gz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kB; not the 64 MB


def test_a_large_member_of_a_compressed_tar_is_not_held(tmp_path, monkeypatch):
    monkeypatch.setattr(shard_module, "MAX_HELD_BYTES", 1 << 20)
    big = random.Random(1).randbytes(2 << 20)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(tar_of(("big.wav", big), ("s.flac", SONG)), 1))
    found = opened(listed(tmp_path))
    assert found["a.tar.gz/s.flac"] == SONG
    assert "store it in an uncompressed tar" in found["a.tar.gz/big.wav"]


def test_a_column_that_unpacks_to_much_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "_BOMB_BYTES", 4 << 20)
    audio = pa.array([{"bytes": bytes(16 << 20), "path": "z.wav"}], AUDIO_STRUCT)
    pq.write_table(pa.table({"audio": audio}), tmp_path / "t.parquet", compression="zstd", use_dictionary=False)
    assert (tmp_path / "t.parquet").stat().st_size < 1 << 16
    assert "taken for a decompression bomb" in opened(listed(tmp_path))["t.parquet#0/z.wav"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_tables_cut_short_anywhere(tmp_path, form, share):
    audio = pa.array([{"bytes": random.Random(i).randbytes(5000), "path": f"{i}.wav"} for i in range(20)], AUDIO_STRUCT)
    table = pa.table({"audio": audio})
    out = io.BytesIO()
    if form == "parquet":
        pq.write_table(table, out)
    else:
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)
    data = out.getvalue()
    (tmp_path / f"a.{form}").write_bytes(data[: int(share * len(data))])
    (tmp_path / "b.flac").write_bytes(SONG)
    found = opened(listed(tmp_path))
    assert found.pop("b.flac") == SONG
    told = found.pop(f"a.{form}", None)
    if form == "parquet" or share in (0.0, 0.5, 0.9):
        assert told
    assert all(isinstance(data, bytes) for data in found.values())


@pytest.mark.parametrize("form", ["tar", "tar.gz", "zip", "parquet", "arrow"])
def test_fuzzed_containers_never_raise(tmp_path, form):
    songs = [(f"{i}.flac", random.Random(i).randbytes(3000)) for i in range(5)]
    if form == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in songs:
                archive.writestr(name, data)
        good = out.getvalue()
    elif form in PACK:
        good = PACK[form](tar_of(*songs))
    else:
        table = pa.table({"audio": pa.array([{"bytes": data, "path": name} for name, data in songs], AUDIO_STRUCT)})
        out = io.BytesIO()
        if form == "parquet":
            pq.write_table(table, out)
        else:
            with pa.ipc.new_file(out, table.schema) as writer:
                writer.write_table(table)
        good = out.getvalue()
    rng = random.Random(form)
    path = tmp_path / f"a.{form}"
    for _ in range(60):
        bad = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            at = rng.choice([rng.randrange(len(bad)), rng.randrange(min(600, len(bad))), -rng.randrange(1, 300)])
            bad[at] = rng.randrange(256)
        path.write_bytes(bad)
        entries = listed(path)
        assert entries
        assert len({entry.id for entry in entries}) == len(entries)
        opened(entries)


def test_files_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "fifo.tar")
    os.mkfifo(tmp_path / "fifo.wav")
    (tmp_path / "loop.tar").symlink_to("loop.tar")
    (tmp_path / "folder.tar").mkdir()
    (tmp_path / "list.jsonl").write_text('{"audio_filepath": "fifo.wav"}\n{"audio_filepath": "loop.tar"}\n')
    assert listed(tmp_path) == [
        Skipped(id="fifo.tar", reason="is a FIFO"),
        Skipped(id="fifo.wav", reason="is a FIFO"),
        Skipped(id="list.jsonl", reason="no audio by name or content"),
        Unlistable(id="loop.tar", error="Too many levels of symbolic links"),
    ]
    assert listed(tmp_path / "list.jsonl") == [
        Unlistable(id="fifo.wav", error="is no regular file"),
        Unlistable(id="loop.tar", error="Too many levels of symbolic links"),
    ]
    with pytest.raises(CorpusError, match="neither a directory nor a file"):
        listed(tmp_path / "fifo.tar")


def test_a_file_that_turns_into_a_fifo_is_not_waited_for(tmp_path):
    (tmp_path / "a.wav").write_bytes(SONG)
    (entry,) = listed(tmp_path)
    (tmp_path / "a.wav").unlink()
    os.mkfifo(tmp_path / "a.wav")
    with ItemReader() as reader, pytest.raises(OSError, match="is a FIFO"):
        reader.open(entry)


def test_an_encrypted_zip_member_is_told(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.flac", SONG)
    data = bytearray(out.getvalue())
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + at] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert "password required" in opened(listed(tmp_path))["a.zip/a.flac"]


def test_a_wrong_checksum_is_told(tmp_path):
    data = bytearray(gzip.compress(tar_of(("a.flac", SONG))))
    data[-8:-4] = zlib.crc32(b"other").to_bytes(4, "little")
    (tmp_path / "a.tar.gz").write_bytes(data)
    assert "CRC check failed" in opened(listed(tmp_path))["a.tar.gz"]


def test_a_scan_goes_on_past_broken_shards(tmp_path):
    """The whole way: a good shard, a shard cut short, a manifest-like text and a plain file; exit code 4."""
    import soundfile

    corpus = tmp_path / "corpus"
    corpus.mkdir()
    wav = io.BytesIO()
    soundfile.write(wav, excerpt("chaos", 8.0, 6.0), 16000, format="WAV")
    good = tar_of(("x.wav", wav.getvalue()), ("x.json", b"{}"))
    (corpus / "a.tar").write_bytes(good)
    (corpus / "b.tar").write_bytes(good[:100_000])
    (corpus / "c.opus").write_bytes(encoded_music("opus"))
    run = run_earmark("scan", corpus, "--catalog", small_catalog(), "--out", tmp_path / "out", "--jobs", "1")
    assert run.returncode == 4, run.stderr
    rows = items_of(tmp_path / "out")
    assert list(rows) == ["a.tar/x.wav", "a.tar/x.json", "b.tar/x.wav", "b.tar", "c.opus"]
    assert rows["a.tar/x.wav"]["status"] == "review"
    assert rows["a.tar/x.wav"]["error"] is None
    assert rows["a.tar/x.json"]["status"] == "skipped"
    assert rows["b.tar/x.wav"]["status"] == "review"
    assert "bytes of samples are missing" in rows["b.tar/x.wav"]["error"]
    assert rows["b.tar"]["status"] == "error"
    assert "unexpected end of data" in rows["b.tar"]["error"]
    assert rows["c.opus"]["status"] in ("unmatched", "review")
