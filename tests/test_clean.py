"""The clean corpus: every form without what was flagged, still of that form, read back by the library it belongs to."""

import csv
import dataclasses
import gzip
import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from earmark.audio.redaction import redact_audio
from earmark.corpus import CorpusOptions, Item, ItemReader, Skipped, list_corpus
from earmark.errors import AudioError, CorpusError, ParameterError, ScanError
from earmark.report.cleaning import CleanPolicy, clean_corpus
from earmark.scan import ItemRow, MatchRow, row_to_json

from .encoded import encode, music
from .small_catalog import USE as USE_OPTIONS
from .small_catalog import excerpt, items_of, registry, run_earmark, small_catalog

LHOTSE = Path(__file__).parent / "formats" / "lhotse"
RATE = 16000
AUDIO_STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NAMES = ["a", "b", "c", "d"]


def sound(name, seconds=4.0):
    """Bytes of a WAV file: a tone for each name."""
    t = np.arange(int(seconds * 8000)) / 8000
    out = io.BytesIO()
    soundfile.write(out, 0.5 * np.sin(2 * np.pi * (30 + 5 * ord(name[-1])) * t + 0.3), 8000, format="WAV")
    return out.getvalue()


def item_row(item_id, status, error=None):
    matched = status in ("unlicensed", "review", "licensed")
    return ItemRow(
        item=item_id,
        sha256=None,
        duration_s=4.0,
        scanned_s=4.0,
        status=status,
        matched_s=1.0 if matched else 0.0,
        matches=int(matched),
        error=error,
    )


def match_row(item_id, status, start_s, end_s):
    values = dict.fromkeys(MatchRow.__slots__) | {
        "item": item_id,
        "status": status,
        "item_start_s": start_s,
        "item_end_s": end_s,
        "track_id": "t",
        "group_id": f"{item_id}#0",
    }
    return MatchRow(**values)


def scan_of(corpus, folder, statuses, spans=((1.0, 2.0),), **options):
    """A scan folder as a scan of the corpus writes it, with these statuses by the ends of the ids."""
    folder.mkdir()
    rows, matches = [], []
    for entry in list_corpus(str(corpus), CorpusOptions(**options)):
        status, error = "unmatched", None
        if isinstance(entry, Item):
            status = next((status for end, status in statuses.items() if entry.id.endswith(end)), "unmatched")
            error = "not decodable" if status == "error" else None
        else:
            status = "skipped" if isinstance(entry, Skipped) else "error"
            error = entry.reason if isinstance(entry, Skipped) else entry.error
        rows.append(item_row(entry.id, status, error))
        if status in ("unlicensed", "review", "licensed"):
            matches += [match_row(entry.id, status, *span) for span in spans]
    (folder / "items.jsonl").write_bytes(b"".join(map(row_to_json, rows)))
    (folder / "matches.jsonl").write_bytes(b"".join(map(row_to_json, matches)))
    about = {"schema_version": 1, "complete": True, "corpus": str(corpus), "catalog": {"digest": "d"}}
    (folder / "summary.json").write_text(json.dumps(about | {"options": {"reading": options}}))
    return folder


def items(location, **options):
    """Id -> bytes."""
    found = {}
    with ItemReader() as reader:
        for entry in list_corpus(str(location), CorpusOptions(**options)):
            if isinstance(entry, Item):
                with reader.open(entry) as file:
                    found[entry.id] = file.read()
    return found


def counts(cleaned):
    return cleaned.kept, cleaned.dropped, cleaned.redacted


FLAGGED = {"b.wav": "unlicensed", "d.wav": "review"}


def tar_with(path, names=NAMES, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name in names:
            for suffix, data in (("json", b'{"a": 1}'), ("wav", sound(name)), ("txt", b"words")):
                info = tarfile.TarInfo(f"x/{name}.{suffix}")
                info.size, info.mtime, info.uid = len(data), 1_700_000_000, 7
                tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # webdataset leaves files open
@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_tar_shards(tmp_path, suffix):
    import webdataset

    shard = tar_with(tmp_path / f"s.{suffix}", mode="w:gz" if suffix == "tar.gz" else "w")
    scan = scan_of(shard, tmp_path / "scan", FLAGGED)
    assert counts(clean_corpus(scan, tmp_path / "out")) == (2, 2, 0)
    copied = tmp_path / "out" / f"s.{suffix}"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clean.json", f"s.{suffix}"]
    assert (copied.read_bytes()[:2] == b"\x1f\x8b") == (suffix == "tar.gz")
    with tarfile.open(copied) as tar:
        members = {member.name: (member.mtime, member.uid) for member in tar}
    names = [f"x/{name}.{end}" for name in "ac" for end in ("json", "wav", "txt")]
    assert members == dict.fromkeys(names, (1_700_000_000, 7))
    samples = list(webdataset.WebDataset(str(copied), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == ["x/a", "x/c"]
    assert [sample["wav"] for sample in samples] == [sound("a"), sound("c")]
    assert samples[0]["json"] == b'{"a": 1}'


def test_several_recordings_in_a_sample_go_together(tmp_path):
    import webdataset

    with webdataset.TarWriter(str(tmp_path / "s.tar")) as writer:
        for key in ("k1", "k2"):
            writer.write({"__key__": key, "left.wav": sound("a"), "right.wav": sound("b")})
    scan = scan_of(tmp_path / "s.tar", tmp_path / "scan", {"k1.right.wav": "unlicensed"})
    assert counts(clean_corpus(scan, tmp_path / "out")) == (2, 2, 0)
    assert list(items(tmp_path / "out" / "s.tar")) == ["s.tar/k2.left.wav", "s.tar/k2.right.wav"]


def test_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            archive.writestr(f"{name}.wav", sound(name))
            archive.writestr(f"{name}.txt", name)
    scan = scan_of(tmp_path / "z.zip", tmp_path / "scan", FLAGGED)
    assert counts(clean_corpus(scan, tmp_path / "out")) == (2, 2, 0)
    with zipfile.ZipFile(tmp_path / "out" / "z.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.wav", "a.txt", "c.wav", "c.txt"]
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_DEFLATED}
        assert archive.read("c.wav") == sound("c")


def test_parquet_keeps_schema_and_row_groups(tmp_path):
    names = [f"{i}{name}.wav" for i in range(3) for name in NAMES]
    audio = pa.array([{"bytes": sound(name[1]), "path": name} for name in names], AUDIO_STRUCT)
    table = pa.table({"n": pa.array(range(12), pa.int16()), "audio": audio, "text": [f"t{i}" for i in range(12)]})
    table = table.replace_schema_metadata({"huggingface": '{"info": {}}'})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=4, compression="zstd")
    scan = scan_of(tmp_path / "t.parquet", tmp_path / "scan", FLAGGED)
    assert counts(clean_corpus(scan, tmp_path / "out")) == (6, 6, 0)
    copied = pq.ParquetFile(tmp_path / "out" / "t.parquet")
    assert copied.schema_arrow.equals(table.schema, check_metadata=True)
    assert [copied.metadata.row_group(i).num_rows for i in range(copied.num_row_groups)] == [2, 2, 2]
    assert copied.metadata.row_group(0).column(1).compression == "ZSTD"
    assert copied.read().equals(table.filter(pa.array([i % 4 in (0, 2) for i in range(12)])))


def test_a_saved_dataset_loads_again(tmp_path):
    import datasets

    rows = {"audio": [{"bytes": sound(name), "path": f"{name}.wav"} for name in NAMES], "n": [1, 2, 3, 4]}
    dataset = datasets.Dataset.from_dict(rows).cast_column("audio", datasets.Audio(decode=False))
    datasets.DatasetDict({"train": dataset, "test": dataset}).save_to_disk(tmp_path / "saved")
    scan = scan_of(tmp_path / "saved", tmp_path / "scan", FLAGGED)
    assert counts(clean_corpus(scan, tmp_path / "out")) == (4, 4, 0)
    loaded = datasets.load_from_disk(str(tmp_path / "out"))
    assert {split: data["n"][:] for split, data in loaded.items()} == {"train": [1, 3], "test": [1, 3]}
    assert loaded["train"].features == dataset.features
    assert loaded["train"][1]["audio"]["bytes"] == sound("c")


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_a_manifest_stays_a_manifest(tmp_path, suffix):
    soundfile.write(tmp_path / "long.wav", np.zeros(8000 * 9), 8000)
    lines = [f'{{"audio_filepath":  "long.wav", "offset": {i}, "duration": 2, "text": "é"}}\n' for i in range(4)]
    data = "".join([*lines, "no json\n"]).encode()
    (tmp_path / f"m.{suffix}").write_bytes(gzip.compress(data) if suffix == "jsonl.gz" else data)
    scan = scan_of(tmp_path / f"m.{suffix}", tmp_path / "scan", {"#1-3": "unlicensed"})
    cleaned = clean_corpus(scan, tmp_path / "out")
    assert counts(cleaned) == (3, 1, 0)
    assert [place for place, _ in cleaned.problems] == [f"m.{suffix}:5"]
    copied = (tmp_path / "out" / f"m.{suffix}").read_bytes()
    copied = gzip.decompress(copied) if suffix == "jsonl.gz" else copied
    assert copied.decode() == lines[0] + lines[2] + lines[3]  # byte by byte


def test_csv_and_kaldi_lists(tmp_path):
    for name in NAMES:
        (tmp_path / f"{name}.wav").write_bytes(sound(name))
    rows = [f'{name}.wav;"two\nlines"\n' for name in NAMES]
    (tmp_path / "m.csv").write_text("path;text\n" + "".join(rows))
    (tmp_path / "wav.scp").write_text("".join(f"utt-{name} {tmp_path}/{name}.wav\n" for name in NAMES))
    for name in ("m.csv", "wav.scp"):
        scan = scan_of(tmp_path / name, tmp_path / f"scan-{name}", FLAGGED)
        assert counts(clean_corpus(scan, tmp_path / f"out-{name}")) == (2, 2, 0)
    assert (tmp_path / "out-m.csv" / "m.csv").read_text() == "path;text\n" + rows[0] + rows[2]
    kept = "".join(f"utt-{name} {tmp_path}/{name}.wav\n" for name in "ac")
    assert (tmp_path / "out-wav.scp" / "wav.scp").read_text() == kept


def test_lhotse(tmp_path):
    lines = gzip.decompress((LHOTSE / "cuts.jsonl.gz").read_bytes()).decode().splitlines(keepends=True)
    scan = scan_of(LHOTSE / "cuts.jsonl.gz", tmp_path / "scan", {"two.flac#6-12": "unlicensed"})
    assert counts(clean_corpus(scan, tmp_path / "out")) == (3, 1, 0)
    kept = gzip.decompress((tmp_path / "out" / "cuts.jsonl.gz").read_bytes()).decode()
    assert kept == "".join([lines[0], *lines[2:]]) + ("" if lines[-1].endswith("\n") else "\n")
    scan = scan_of(LHOTSE / "shar", tmp_path / "scan-shar", {"cut-0.flac": "unlicensed"})
    assert counts(clean_corpus(scan, tmp_path / "shar")) == (2, 1, 0)
    with tarfile.open(tmp_path / "shar" / "recording.000000.tar") as tar:
        assert tar.getnames() == ["cut-1.flac", "cut-1.json"]
    cuts = gzip.decompress((tmp_path / "shar" / "cuts.000000.jsonl.gz").read_bytes()).decode().splitlines()
    assert [json.loads(cut)["id"] for cut in cuts] == ["cut-1"]
    assert list(items(tmp_path / "shar")) == ["recording.000000.tar/cut-1.flac", "recording.000001.tar/cut-2.flac"]


def folder_with(root):
    (root / "deep").mkdir(parents=True)
    for name in NAMES:
        (root / "deep" / f"{name}.wav").write_bytes(sound(name))
    (root / "notes.txt").write_text("words")
    tar_with(root / "s.tar", ["a", "b"])
    return root


def test_a_folder_gives_a_list_and_links(tmp_path):
    root = folder_with(tmp_path / "corpus")
    scan = scan_of(root, tmp_path / "scan", FLAGGED)
    assert counts(clean_corpus(scan, tmp_path / "list")) == (3, 3, 0)
    assert (tmp_path / "list" / "files.txt").read_text().split("\n") == ["deep/a.wav", "deep/c.wav", "notes.txt", ""]
    assert list(items(tmp_path / "list")) == ["s.tar/x/a.wav"]
    clean_corpus(scan, tmp_path / "links", CleanPolicy(link=True))
    assert list(items(tmp_path / "links")) == ["deep/a.wav", "deep/c.wav", "s.tar/x/a.wav"]
    assert (tmp_path / "links" / "deep" / "a.wav").samefile(root / "deep" / "a.wav")


def test_links_across_file_systems_are_told(tmp_path):
    if not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    scan = scan_of(folder_with(tmp_path / "corpus"), tmp_path / "scan", FLAGGED)
    out = Path("/dev/shm") / f"earmark-{tmp_path.name}"
    try:
        with pytest.raises(CorpusError, match="on the same file system as the corpus"):
            clean_corpus(scan, out, CleanPolicy(link=True))
    finally:
        shutil.rmtree(out, ignore_errors=True)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_audiofolder_metadata_lose_their_rows(tmp_path, form):
    root = tmp_path / "corpus"
    root.mkdir()
    rows = [{"file_name": f"{name}.wav", "text": f"{name}, \n"} for name in NAMES]
    for name in NAMES:
        (root / f"{name}.wav").write_bytes(sound(name))
    if form == "csv":
        with (root / "metadata.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, ["file_name", "text"])
            table.writeheader()
            table.writerows(rows)
    elif form == "jsonl":
        (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), root / "metadata.parquet")
    scan = scan_of(root, tmp_path / "scan", FLAGGED)
    policy = CleanPolicy(statuses=("unlicensed", "review"), redact="silence", link=True)
    assert counts(clean_corpus(scan, tmp_path / "out", policy)) == (2, 0, 2)
    path = tmp_path / "out" / f"metadata.{form}"
    if form == "csv":
        with path.open(newline="") as file:
            kept = list(csv.DictReader(file))
    elif form == "jsonl":
        kept = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        kept = pq.read_table(path).to_pylist()
    names = ["a.wav", "b.flac", "c.wav", "d.flac"]
    assert [row["file_name"] for row in kept] == names
    assert sorted(items(tmp_path / "out")) == names
    plain = clean_corpus(scan, tmp_path / "plain")
    assert counts(plain) == (2, 2, 0)


# ---- redaction


def heard(data):
    return soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)


@pytest.mark.parametrize("kind", ["wav", "mp3", "opus", "m4a", "flac"])
@pytest.mark.parametrize("form", ["flac", "wav"])
def test_only_the_matched_seconds_go(kind, form):
    data = encode(music(6.0), kind)
    whole = redact_audio(io.BytesIO(data), [], form=form)
    silenced = redact_audio(io.BytesIO(data), [(4.0, 5.0), (1.0, 2.0), (1.5, 2.25)], form=form)
    shorter = redact_audio(io.BytesIO(data), [(1.0, 2.25), (4.0, 5.0)], form=form, cut=True)
    with whole.file, silenced.file, shorter.file:
        y, rate = soundfile.read(whole.file, dtype="float32", always_2d=True)
        y_silenced, _ = soundfile.read(silenced.file, dtype="float32", always_2d=True)
        y_cut, _ = soundfile.read(shorter.file, dtype="float32", always_2d=True)
    gone = np.zeros(len(y), bool)
    gone[rate : int(2.25 * rate)] = gone[4 * rate : 5 * rate] = True
    assert y.shape[1] == 2
    assert rate == (48000 if kind == "opus" else 44100)
    assert not y_silenced[gone].any()
    assert np.array_equal(y_silenced[~gone], y[~gone])
    assert np.array_equal(y_cut, y[~gone])
    assert whole.removed_s == 0.0
    assert silenced.removed_s == shorter.removed_s == pytest.approx(2.25, abs=1e-3)
    assert shorter.duration_s == pytest.approx(whole.duration_s - 2.25, abs=1e-3)


def test_what_is_not_redacted_stays_as_it_was():
    y = (np.random.default_rng(0).integers(-(2**15), 2**15, (16000, 2)) / 2**15).astype(np.float32)
    out = io.BytesIO()
    soundfile.write(out, y, 8000, format="WAV", subtype="PCM_16")
    with redact_audio(io.BytesIO(out.getvalue()), [(0.5, 1.0)]).file as file:
        kept, _ = soundfile.read(file, dtype="float32")
    y[4000:8000] = 0
    assert np.array_equal(kept, y)


def test_what_cannot_be_redacted_is_told():
    with pytest.raises(AudioError, match="not audio, or too damaged"):
        redact_audio(io.BytesIO(b"no audio" * 100), [(0.0, 1.0)])
    with pytest.raises(ParameterError, match="form must be one of flac, wav, got 'mp3'"):
        redact_audio(io.BytesIO(b"x"), [], form="mp3")
    many = io.BytesIO()
    soundfile.write(many, np.zeros((8000, 12)), 8000, format="WAV")
    many.seek(0)
    with pytest.raises(AudioError, match="FLAC does not hold 12 channels at 8000 Hz; take wav"):
        redact_audio(many, [])


def silent_share(data):
    y, _ = heard(data)
    return float((y == 0).all(axis=1).mean())


def test_redacted_items_in_every_form(tmp_path):
    """1 s of 4 s with a margin of 0.25 s: 1.5 s are silent, in those that were flagged only."""
    root = folder_with(tmp_path / "corpus")
    audio = pa.array([{"bytes": sound(name), "path": f"{name}.wav"} for name in NAMES], AUDIO_STRUCT)
    pq.write_table(pa.table({"wrap": pa.StructArray.from_arrays([audio], ["audio"])}), root / "t.parquet")
    with zipfile.ZipFile(root / "z.zip", "w") as archive:
        archive.writestr("b.wav", sound("b"))
    scan = scan_of(root, tmp_path / "scan", FLAGGED)
    policy = CleanPolicy(redact="silence", link=True)
    cleaned = clean_corpus(scan, tmp_path / "out", policy)
    assert counts(cleaned) == (5, 0, 6)
    assert cleaned.removed_s == pytest.approx(6 * 1.5)
    found = items(tmp_path / "out")
    redacted = [
        "deep/b.flac",
        "deep/d.flac",
        "s.tar/x/b.flac",
        "t.parquet#1/b.flac",
        "t.parquet#3/d.flac",
        "z.zip/b.flac",
    ]
    kept = ["deep/a.wav", "deep/c.wav", "s.tar/x/a.wav", "t.parquet#0/a.wav", "t.parquet#2/c.wav"]
    assert sorted(found) == sorted(redacted + kept)
    for item_id in redacted:
        assert silent_share(found[item_id]) == pytest.approx(1.5 / 4, abs=0.01), item_id
    for item_id in kept:
        assert found[item_id] == sound(item_id[-5]), item_id


def test_lists_of_audio_lose_rows_or_seconds(tmp_path):
    """A row with two recordings in a list goes as a whole, or keeps the one that was not flagged as it is."""
    cells = [[{"bytes": sound(name), "path": f"{name}.wav"} for name in row] for row in ("ab", "c", "")]
    table = pa.table({"n": [1, 2, 3], "clips": pa.array(cells, pa.list_(AUDIO_STRUCT))})
    pq.write_table(table, tmp_path / "t.parquet")
    scan = scan_of(tmp_path / "t.parquet", tmp_path / "scan", {"b.wav": "unlicensed"})
    assert counts(clean_corpus(scan, tmp_path / "out")) == (1, 2, 0)
    assert pq.read_table(tmp_path / "out" / "t.parquet").equals(table.slice(1))
    assert counts(clean_corpus(scan, tmp_path / "silent", CleanPolicy(redact="silence"))) == (2, 0, 1)
    kept = pq.read_table(tmp_path / "silent" / "t.parquet")
    assert kept.schema.equals(table.schema)
    first, second = kept["clips"][0].as_py()
    assert first == cells[0][0]
    assert second["path"] == "b.flac"
    assert silent_share(second["bytes"]) == pytest.approx(1.5 / 4, abs=0.01)
    assert kept.slice(1).equals(table.slice(1))


def test_redacted_lines_name_new_files(tmp_path):
    y, rate = heard(sound("a", 9.0))
    soundfile.write(tmp_path / "long.wav", y, rate)
    rows = [{"audio_filepath": "long.wav", "offset": 3 * i, "duration": 3.0, "n": i} for i in range(3)]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    scan = scan_of(tmp_path / "m.jsonl", tmp_path / "scan", {"#3-6": "unlicensed"})
    cleaned = clean_corpus(scan, tmp_path / "out", CleanPolicy(redact="cut", redact_form="wav"))
    assert counts(cleaned) == (2, 0, 1)
    written = [json.loads(line) for line in (tmp_path / "out" / "m.jsonl").read_text().splitlines()]
    new = tmp_path / "out" / "audio" / "00000001.wav"
    assert written == [rows[0], {"audio_filepath": str(new), "offset": 0.0, "duration": 1.5, "n": 1}, rows[2]]
    kept, _ = heard(new.read_bytes())
    at = 3 * rate
    expected = np.concatenate([y[at : at + int(0.75 * rate)], y[at + int(2.25 * rate) : at + 3 * rate]])
    assert np.abs(kept - expected).max() < 1e-4


# ---- policy and safety


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ({"statuses": ("unlicensed",)}, "acd"),
        ({"statuses": ("review",)}, "abc"),
        ({"statuses": ("unlicensed", "review", "licensed")}, "a"),
        ({"statuses": ("unlicensed",), "keep_unheard": True}, "acde"),
        ({"min_matched_s": 1.0}, "ac"),
        ({"min_matched_s": 1.1}, "abcd"),
        ({"min_matched_s": 1.1, "keep_unheard": True}, "abcde"),
        ({"min_matched_share": 0.25}, "ac"),
        ({"min_matched_share": 0.3}, "abcd"),
    ],
)
def test_a_policy_chooses_what_goes(tmp_path, policy, kept):
    tar_with(tmp_path / "s.tar", [*NAMES, "e"])
    statuses = FLAGGED | {"c.wav": "licensed", "e.wav": "error"}
    scan = scan_of(tmp_path / "s.tar", tmp_path / "scan", statuses, spans=((1.0, 1.75), (1.5, 2.0)))
    cleaned = clean_corpus(scan, tmp_path / "out", CleanPolicy(**policy))
    assert [item[-5] for item in items(tmp_path / "out" / "s.tar")] == list(kept)
    assert cleaned.kept == len(kept)
    assert (cleaned.kept_unheard, cleaned.dropped_unheard) == (("e" in kept), ("e" not in kept))
    about = json.loads((tmp_path / "out" / "clean.json").read_text())
    assert (about["kept"], about["policy"]["min_matched_s"]) == (len(kept), policy.get("min_matched_s", 0.0))


IGNORED = "1 match left out by ignore list, line 2: a false alarm; settled (by Ann, until 2027-01-01)"


@pytest.mark.parametrize(
    ("changes", "stays"),
    [
        ({}, True),
        ({"error": IGNORED}, True),
        ({"error": f"stops after 1.00 s of 4.00 s; {IGNORED}", "scanned_s": 1.0}, False),
        ({"error": "has 2 audio tracks, of which the first was scanned"}, False),
        ({"error": "stops after 1.00 s", "status": "review", "matches": 1}, False),  # not even redacted
        ({"error": "not decodable", "status": "error"}, False),
        ({"error": "9,000 bytes; asked for are 10 or less", "status": "skipped", "duration_s": None}, False),
        ({"error": "1.000 s of audio; nothing under 2.08 s can be matched", "status": "skipped"}, True),
        ({"error": "left out by ignore list, line 3: ours (by Ann, without an end)", "status": "skipped"}, True),
    ],
)
def test_what_was_not_heard_is_not_cleared(tmp_path, changes, stays):
    tar_with(tmp_path / "s.tar", ["a", "b"])
    scan = scan_of(tmp_path / "s.tar", tmp_path / "scan", {"b.wav": "review"})
    rows = [dataclasses.replace(item_row("s.tar/x/a.wav", "unmatched"), **changes), item_row("s.tar/x/b.wav", "review")]
    others = [row for row in (scan / "items.jsonl").read_bytes().splitlines(keepends=True) if b".wav" not in row]
    (scan / "items.jsonl").write_bytes(b"".join([*map(row_to_json, rows), *others]))
    matched = [match_row(row.item, "review", 1.0, 2.0) for row in rows if row.matches]
    (scan / "matches.jsonl").write_bytes(b"".join(map(row_to_json, matched)))
    cleaned = clean_corpus(scan, tmp_path / "out", CleanPolicy(redact="silence"))
    assert ("s.tar/x/a.wav" in items(tmp_path / "out" / "s.tar")) == stays
    assert cleaned.dropped_unheard == (not stays)


def test_what_the_scan_does_not_know_goes(tmp_path):
    root = folder_with(tmp_path / "corpus")
    scan = scan_of(root, tmp_path / "scan", FLAGGED)
    (root / "new.wav").write_bytes(sound("a"))
    cleaned = clean_corpus(scan, tmp_path / "out")
    assert cleaned.unknown == 1
    assert ("new.wav", "is left out: the scan does not know it") in cleaned.problems
    assert "new.wav" not in (tmp_path / "out" / "files.txt").read_text()


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_a_damaged_shard_gives_what_is_good(tmp_path, suffix):
    shard = tar_with(tmp_path / f"s.{suffix}", mode="w:gz" if suffix == "tar.gz" else "w")
    whole = shard.read_bytes()
    shard.write_bytes(whole[: int(len(whole) * 0.8)])
    scan = scan_of(shard, tmp_path / "scan", {})
    cleaned = clean_corpus(scan, tmp_path / "out")
    assert "where the archive is damaged" in cleaned.problems[0][1]
    found = items(tmp_path / "out")
    assert found
    assert all(data == sound(item_id[-5]) for item_id, data in found.items())
    with tarfile.open(tmp_path / "out" / f"s.{suffix}") as tar:
        tar.getmembers()


def test_names_that_lead_out_write_nothing_outside(tmp_path):
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../../up.arrow"}]}))
    (saved / "dataset_info.json").write_text("{}")
    with pytest.raises(CorpusError, match=r"leads out of the folder: '\.\./\.\./up\.arrow'"):
        list(list_corpus(str(saved)))
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        info = tarfile.TarInfo("../../up.wav")
        info.size = len(sound("a"))
        tar.addfile(info, io.BytesIO(sound("a")))
    scan = scan_of(tmp_path / "s.tar", tmp_path / "scan", {"up.wav": "unlicensed"})
    assert counts(clean_corpus(scan, tmp_path / "in" / "out", CleanPolicy(redact="silence"))) == (0, 0, 1)
    assert sorted(path.name for path in (tmp_path / "in").rglob("*")) == ["clean.json", "out", "s.tar"]


def test_what_a_cleaning_refuses(tmp_path):
    root = folder_with(tmp_path / "corpus")
    scan = scan_of(root, tmp_path / "scan", FLAGGED)
    with pytest.raises(ScanError, match="lies inside the corpus"):
        clean_corpus(scan, root / "out")
    with pytest.raises(ScanError, match="expected a new or an empty one"):
        clean_corpus(scan, root)
    with pytest.raises(ParameterError, match="statuses must be of"):
        clean_corpus(scan, tmp_path / "out", CleanPolicy(statuses=("bad",)))
    with pytest.raises(ParameterError, match="redact must be silence or cut"):
        clean_corpus(scan, tmp_path / "out", CleanPolicy(redact="erase"))
    with pytest.raises(ParameterError, match="min_matched_share"):
        clean_corpus(scan, tmp_path / "out", CleanPolicy(min_matched_share=2))
    summary = json.loads((scan / "summary.json").read_text()) | {"complete": False}
    (scan / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ScanError, match="did not come to the end of the corpus"):
        clean_corpus(scan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_place_for_the_clean_corpus_that_cannot_be_is_told_before_the_scan(tmp_path):
    root = folder_with(tmp_path / "corpus")
    run = run_earmark("scan", root, "--catalog", small_catalog(), "--out", tmp_path / "o", "--clean", root / "clean")
    assert (run.returncode, run.stdout) == (2, "")
    assert "lies inside the corpus" in run.stderr
    assert not (tmp_path / "o").exists()


def test_the_whole_way(tmp_path):
    """Scan a shard, clean it, scan what is left: nothing is found any more."""
    shard = tmp_path / "s.tar"
    with tarfile.open(shard, "w") as tar:
        for name, y in (("chaos", excerpt("chaos", 8.0, 6.0)), ("gewalt", excerpt("die-gewalt", 8.0, 6.0))):
            out = io.BytesIO()
            soundfile.write(out, y, RATE, format="FLAC")
            info = tarfile.TarInfo(f"{name}.flac")
            info.size = len(out.getvalue())
            tar.addfile(info, io.BytesIO(out.getvalue()))
    options = ["--catalog", small_catalog(), "--registry", registry(), *USE_OPTIONS, "--jobs", "1"]
    run = run_earmark("scan", shard, "--out", tmp_path / "scan", *options, "--clean", tmp_path / "at-once")
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith(f"1 items kept, 1 dropped: {tmp_path}/at-once\n")
    assert list(items(tmp_path / "at-once")) == ["s.tar/gewalt.flac"]
    statuses = {item: row["status"] for item, row in items_of(tmp_path / "scan").items()}
    assert statuses == {"s.tar/chaos.flac": "unlicensed", "s.tar/gewalt.flac": "licensed"}
    run = run_earmark("clean", tmp_path / "scan", "--out", tmp_path / "clean")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"1 items kept, 1 dropped: {tmp_path}/clean\n"
    run = run_earmark("clean", tmp_path / "scan", "--out", tmp_path / "redacted", "--redact", "silence")
    assert "1 items kept, 0 dropped, 1 redacted" in run.stdout
    again = [tmp_path / "redacted" / "s.tar", "--out", tmp_path / "again", *options, "--fail-on", "unlicensed"]
    run = run_earmark("scan", *again)
    assert run.returncode == 0, run.stdout
    assert items_of(tmp_path / "again")["s.tar/chaos.flac"]["status"] == "unmatched"
    assert items_of(tmp_path / "again")["s.tar/gewalt.flac"]["status"] == "licensed"
