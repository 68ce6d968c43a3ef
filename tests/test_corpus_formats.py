"""Every form of corpus, written by the library that it belongs to, gives what the plain directory gives."""

import csv
import gzip
import io
import json
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import soundfile

from earmark.catalog import open_catalog
from earmark.corpus import CorpusOptions, FilePart, HeldBytes, Item, ItemReader, ParquetCell, WholeFile, list_corpus
from earmark.errors import CorpusError, ParameterError
from earmark.fingerprint import load_model
from earmark.scan.listening import Listener

from .encoded import encode
from .small_catalog import excerpt, small_catalog

LHOTSE = Path(__file__).parent / "formats" / "lhotse"
RATE = 16000
SONGS = {"chaos": ("chaos", 8.0, 6.0), "azum": ("azum", 5.0, 6.0), "deep/gewalt": ("die-gewalt", 8.0, 6.0)}
AUDIO_STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pieces of music as FLAC; nothing else is in the folder."""
    root = tmp_path_factory.mktemp("plain")
    (root / "deep").mkdir()
    for name, (track, start_s, duration_s) in SONGS.items():
        soundfile.write(root / f"{name}.flac", excerpt(track, start_s, duration_s), RATE)
    return root


@pytest.fixture(scope="module")
def listener():
    model = load_model()
    listener = Listener([open_catalog(small_catalog(), model)], model, effort="fast", max_e_value=0.001)
    yield listener
    listener.close()


def songs(folder):
    """Name without suffix -> bytes."""
    return {path.relative_to(folder).with_suffix("").as_posix(): path.read_bytes() for path in folder.rglob("*.flac")}


def listed(location, **options):
    return list(list_corpus(str(location), CorpusOptions(**options)))


def items(location, **options):
    """Every entry, which must be an item, as a worker gets it."""
    entries = listed(location, **options)
    return [pickle.loads(pickle.dumps(entry)) for entry in entries if isinstance(entry, Item)]


def others(location, **options):
    return [entry for entry in listed(location, **options) if not isinstance(entry, Item)]


def heard(listener, item):
    hearing = listener.listen(item)
    assert hearing.outcome == "heard", hearing
    assert hearing.problem is None, hearing
    assert hearing.found
    return [(match, track.track_id) for match, track in hearing.found]


@pytest.fixture(scope="module")
def reference(folder, listener):
    """Name -> what is found in it as a plain file."""
    found = {item.id.removesuffix(".flac"): heard(listener, item) for item in items(folder)}
    assert all(song[0] in {track for _, track in found[name]} for name, song in SONGS.items())
    return found


def assert_same(location, listener, reference, ids, **options):
    """Each item of `ids`, in its order, has the matches of the plain file of that name."""
    got = items(location, **options)
    assert [item.id for item in got] == list(ids)
    for item in got:
        assert heard(listener, item) == reference[ids[item.id]], item.id


# ---- one writer for each form


def write_webdataset(folder, out, *, compress=False):
    import webdataset

    with webdataset.TarWriter(str(out), compress=compress) as writer:
        for name, data in sorted(songs(folder).items()):
            writer.write({"__key__": name, "flac": data, "json": {"name": name}})


def shard_ids(shard, folder):
    return {f"{shard}/{name}.flac": name for name in sorted(songs(folder))}


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_webdataset(folder, listener, reference, tmp_path, suffix):
    write_webdataset(folder, tmp_path / f"shard.{suffix}", compress=suffix == "tar.gz")
    assert_same(tmp_path / f"shard.{suffix}", listener, reference, shard_ids(f"shard.{suffix}", folder))
    assert_same(tmp_path, listener, reference, shard_ids(f"shard.{suffix}", folder))
    kinds = {type(item.source) for item in items(tmp_path)}
    assert kinds == {FilePart if suffix == "tar" else HeldBytes}
    assert [entry.id for entry in others(tmp_path)] == [f"shard.{suffix}/{name}.json" for name in sorted(SONGS)]


def test_webdataset_with_several_audio_fields_and_shards_by_a_pattern(folder, listener, reference, tmp_path):
    import webdataset

    data = songs(folder)
    with webdataset.ShardWriter(str(tmp_path / "s-%03d.tar"), maxcount=2, verbose=0) as writer:
        for key in ("a", "b", "c"):
            writer.write({"__key__": key, "left.flac": data["chaos"], "right.flac": data["azum"], "txt": "words"})
    ids = {
        f"s-{shard:03d}.tar/{key}.{side}.flac": name
        for shard, keys in ((0, "ab"), (1, "c"))
        for key in keys
        for side, name in (("left", "chaos"), ("right", "azum"))
    }
    assert_same(tmp_path / "s-{000..001}.tar", listener, reference, ids)
    (missing,) = [entry for entry in listed(tmp_path / "s-{000..002}.tar") if entry.id == "s-002.tar"]
    assert "No such file" in missing.error


def test_patterns_over_folders_keep_ids_apart(folder, tmp_path):
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        write_webdataset(folder, tmp_path / split / "s.tar")
        shutil.copy(folder / "azum.flac", tmp_path / split / "x.flac")
    (tmp_path / "train" / "list.jsonl").write_text('{"audio_filepath": "x.flac"}\n')
    (tmp_path / "test" / "list.jsonl").write_text('{"audio_filepath": "x.flac"}\n')
    assert [item.id for item in items(tmp_path / "{train,test}" / "list.jsonl")] == ["train/x.flac", "test/x.flac"]
    shards = [item.id for item in items(tmp_path / "{train,test}" / "s.tar")]
    assert shards == [f"{split}/s.tar/{name}.flac" for split in ("train", "test") for name in sorted(SONGS)]
    assert [item.id for item in items(tmp_path / "{train,test}")][-1] == "test/x.flac"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip(folder, listener, reference, tmp_path, method):
    with zipfile.ZipFile(tmp_path / "z.zip", "w", method) as archive:
        for name, data in sorted(songs(folder).items()):
            archive.writestr(f"{name}.flac", data)
    assert_same(tmp_path / "z.zip", listener, reference, shard_ids("z.zip", folder))
    assert_same(tmp_path, listener, reference, shard_ids("z.zip", folder))
    plain = {f"{name}.flac": name for name in sorted(SONGS)}
    assert_same(f"zip://::file://{tmp_path}/z.zip", listener, reference, plain)


def test_urls_of_files(folder, listener, reference):
    plain = {f"{name}.flac": name for name in sorted(SONGS)}
    assert_same(f"file://{folder}", listener, reference, plain)
    assert_same(f"file://{folder}/azum.flac", listener, reference, {"azum.flac": "azum"})


def hub_dataset(folder):
    import datasets

    data = songs(folder)
    rows = {"audio": [{"bytes": data[name], "path": f"{name}.flac"} for name in sorted(data)], "n": range(len(data))}
    # To encode an Audio column of Python values `datasets` wants PyTorch; to cast one of bytes and paths it does not.
    return datasets.Dataset.from_dict(rows).cast_column("audio", datasets.Audio(decode=False))


def row_ids(file, folder):
    return {f"{file}#{row}/{name}.flac": name for row, name in enumerate(sorted(songs(folder)))}


def test_parquet_of_the_hub(folder, listener, reference, tmp_path):
    hub_dataset(folder).to_parquet(tmp_path / "train-00000-of-00001.parquet", batch_size=2)
    ids = row_ids("train-00000-of-00001.parquet", folder)
    assert_same(tmp_path / "train-00000-of-00001.parquet", listener, reference, ids)
    assert_same(tmp_path, listener, reference, ids)
    assert_same(f"file://{tmp_path}", listener, reference, ids)


def test_saved_datasets(folder, listener, reference, tmp_path):
    import datasets

    hub_dataset(folder).save_to_disk(tmp_path / "one", num_shards=1)
    # `datasets` writes the bytes it holds under their bare names.
    ids = {item_id.replace("deep/", ""): name for item_id, name in row_ids("data-00000-of-00001.arrow", folder).items()}
    assert_same(tmp_path / "one", listener, reference, ids)
    datasets.DatasetDict({"train": hub_dataset(folder)}).save_to_disk(tmp_path / "splits")
    assert_same(tmp_path / "splits", listener, reference, {f"train/{item_id}": name for item_id, name in ids.items()})


def test_parquet_with_nested_and_several_columns(folder, listener, reference, tmp_path):
    data = songs(folder)
    audio = pa.array(
        [{"bytes": data["azum"], "path": "azum.flac"}, {"bytes": data["chaos"], "path": None}], AUDIO_STRUCT
    )
    plain = pa.array([data["chaos"], data["azum"]], pa.large_binary())
    nested = pa.StructArray.from_arrays([audio, pa.array([1, 2])], ["sound", "n"])
    pq.write_table(pa.table({"sample": nested, "raw": plain}), tmp_path / "t.parquet", row_group_size=1)
    one = {"t.parquet#0/azum.flac": "azum", "t.parquet#1": "chaos"}
    assert_same(tmp_path / "t.parquet", listener, reference, one)
    assert_same(tmp_path / "t.parquet", listener, reference, one, audio_columns=("sample.sound",))
    raw = {"t.parquet#0": "chaos", "t.parquet#1": "azum"}
    assert_same(tmp_path / "t.parquet", listener, reference, raw, audio_columns=("raw",))
    both = {
        "t.parquet#0/raw": "chaos",
        "t.parquet#0/sample.sound/azum.flac": "azum",
        "t.parquet#1/raw": "azum",
        "t.parquet#1/sample.sound": "chaos",
    }
    assert_same(tmp_path / "t.parquet", listener, reference, both, audio_columns=("raw", "sample.sound"))
    (refused,) = listed(tmp_path / "t.parquet", audio_columns=("audio",))
    assert refused.error == "--audio-column audio: not a column of bytes; the ones that are: sample.sound, raw"


CONVERSATION = pa.list_(pa.struct([("role", pa.string()), ("audio", AUDIO_STRUCT)]))


def conversations(folder):
    """Rows of turns with audio; a null, an empty list, a turn without a struct and one with a name alone."""
    data = songs(folder)

    def turn(name, path=None):
        return {"role": "user", "audio": {"bytes": name and data[name], "path": path}}

    rows = [
        [turn("azum", "azum.flac"), turn("chaos")],
        None,
        [],
        [turn(None, "azum.flac"), {"role": "x", "audio": None}, turn("azum", "again.flac")],
    ]
    return pa.table({"id": ["a", "b", "c", "d"], "turns": pa.array(rows, CONVERSATION)})


HEARD_IN_TURNS = {
    "#0/turns[0].audio/azum.flac": "azum",
    "#0/turns[1].audio": "chaos",
    "#3/turns[0].audio/azum.flac": "azum",
    "#3/turns[2].audio/again.flac": "azum",
}


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_lists_of_audio(folder, listener, reference, tmp_path, form):
    shutil.copy(folder / "azum.flac", tmp_path / "azum.flac")
    table, path = conversations(folder), tmp_path / f"t.{form}"
    if form == "parquet":
        pq.write_table(table, path, row_group_size=3)
    else:
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=3)
    expected = {f"t.{form}{item_id}": name for item_id, name in HEARD_IN_TURNS.items()}
    for wanted in ((), ("turns[].audio",), ("turns.audio",)):
        entries = listed(path, audio_columns=wanted)
        of_id = {entry.id: entry for entry in entries}
        assert len(of_id) == len(entries)
        assert {of_id.pop(f"t.{form}#{row}/turns[].audio").reason for row in (1, 2)} == {"an empty list"}
        nothing = of_id.pop(f"t.{form}#3/turns[1].audio")  # of Parquet only names are read to list it
        if form == "parquet":
            assert listener.listen(nothing).problem.words == "the row has neither bytes nor a path"
        else:
            assert nothing.reason == "the row has neither bytes nor a path"
        assert list(of_id) == list(expected)
        for item in of_id.values():
            assert heard(listener, item) == reference[expected[item.id]], item.id


def test_lists_of_bytes_and_lists_in_lists(folder, listener, reference, tmp_path):
    data = songs(folder)
    plain = pa.array([[data["chaos"], data["azum"]], [None]], pa.list_(pa.binary()))
    deep = pa.array([[[{"bytes": data["azum"], "path": "x"}], []], []], pa.list_(pa.large_list(AUDIO_STRUCT)))
    fixed = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2))
    notes = pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int8()))
    table = pa.table({"fixed": fixed, "notes": notes, "plain": plain, "deep": deep})
    pq.write_table(table, tmp_path / "t.parquet")
    (heard_deep,) = items(tmp_path / "t.parquet")
    assert heard_deep.id == "t.parquet#0/deep[0][0]/x"
    assert heard(listener, heard_deep) == reference["azum"]
    assert [entry.id for entry in others(tmp_path / "t.parquet")] == ["t.parquet#0/deep[1][]", "t.parquet#1/deep[][]"]
    first, second, null = items(tmp_path / "t.parquet", audio_columns=("plain",))
    assert [first.id, second.id, null.id] == [f"t.parquet#{row}/plain[{k}]" for row, k in ((0, 0), (0, 1), (1, 0))]
    assert heard(listener, first) == reference["chaos"]
    assert heard(listener, second) == reference["azum"]
    assert listener.listen(null).problem.words == "the row has neither bytes nor a path"


def test_rows_that_refer_to_files(folder, listener, reference, tmp_path):
    shutil.copy(folder / "azum.flac", tmp_path / "azum.flac")
    audio = pa.array([{"bytes": None, "path": "azum.flac"}, {"bytes": None, "path": None}, None], AUDIO_STRUCT)
    pq.write_table(pa.table({"audio": audio}), tmp_path / "t.parquet")
    first, second, third = listed(tmp_path / "t.parquet")
    assert heard(listener, first) == reference["azum"]
    for empty in (second, third):
        assert listener.listen(empty).problem.words == "the row has neither bytes nor a path"


def test_a_table_without_audio_is_skipped(tmp_path):
    pq.write_table(pa.table({"n": [1, 2]}), tmp_path / "t.parquet")
    (entry,) = listed(tmp_path)
    assert (entry.id, entry.reason) == (
        "t.parquet",
        "a table without a column of bytes and path; --audio-column names one",
    )


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_audiofolder(folder, listener, reference, tmp_path, form):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    rows = [{"file_name": f"{name}.flac", "text": 'two\n"lines"'} for name in sorted(SONGS)]
    if form == "csv":
        with (tmp_path / "metadata.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, ["file_name", "text"])
            table.writeheader()
            table.writerows(rows)
    elif form == "jsonl":
        (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "metadata.parquet")
    assert_same(tmp_path, listener, reference, {f"{name}.flac": name for name in sorted(SONGS)})
    (tmp_path / "azum.flac").unlink()
    lost = [entry for entry in listed(tmp_path) if "No such file" in getattr(entry, "error", "")]
    assert [entry.id for entry in lost] == ([] if form == "parquet" else ["azum.flac"])


def write_lines(path, rows):
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["list.jsonl", "list.json", "list.jsonl.gz"])
def test_nemo_manifest(folder, listener, reference, tmp_path, name):
    paths = [str(folder / "azum.flac"), "sub/chaos.flac"]
    (tmp_path / "sub").mkdir()
    shutil.copy(folder / "chaos.flac", tmp_path / "sub")
    rows = [{"audio_filepath": path, "duration": 6.0, "text": "la"} for path in paths]
    ids = {paths[0]: "azum", "sub/chaos.flac": "chaos"}
    assert_same(write_lines(tmp_path / name, rows), listener, reference, ids)


def test_cuts_are_heard_in_times_of_their_own(folder, listener, reference, tmp_path):
    whole = [*excerpt("die-gewalt", 8.0, 6.0), *excerpt("chaos", 8.0, 6.0), *excerpt("azum", 5.0, 6.0)]
    soundfile.write(tmp_path / "all.flac", whole, RATE)
    rows = [{"audio_filepath": "all.flac", "offset": 6.0 * i, "duration": 6.0} for i in range(3)]
    got = items(write_lines(tmp_path / "cuts.jsonl", [*rows, {"audio_filepath": "./all.flac", "offset": 7.5}]))
    assert [item.id for item in got] == ["all.flac#0-6", "all.flac#6-12", "all.flac#12-18", "all.flac#7.5-"]
    for item, name in zip(got, ("deep/gewalt", "chaos", "azum"), strict=False):
        assert heard(listener, item) == reference[name]
    last = heard(listener, got[3])
    assert last[0][1] == "chaos"
    assert last[0][0].item_start_s == pytest.approx(0, abs=0.2)


def test_csv_with_columns_of_its_own(folder, listener, reference, tmp_path):
    (tmp_path / "list.tsv").write_text(f"who\twhere\tfrom\nme\t{folder}/azum.flac\t\nyou\t{folder}/chaos.flac\t0\n")
    with pytest.raises(CorpusError, match="of no format that is known"):
        listed(tmp_path / "list.tsv")
    ids = {f"{folder}/azum.flac": "azum", f"{folder}/chaos.flac#0-": "chaos"}
    options = {"format": "csv", "path_column": "where", "offset_column": "from"}
    assert_same(tmp_path / "list.tsv", listener, reference, ids, **options)


def test_bad_lines_cost_themselves(folder, tmp_path):
    good = json.dumps({"audio_filepath": str(folder / "azum.flac")})
    bad = [
        "no json",
        "[1]",
        "{}",
        '{"audio_filepath": 3}',
        '{"audio_filepath": "a.wav", "offset": -1}',
        '{"audio_filepath": "a.wav", "offset": "x"}',
        '{"audio_filepath": "gone.wav"}',
        '{"audio_filepath": "https://host/a.wav"}',
        '{"audio_filepath": "sftp://host/a.wav"}',
        '{"audio_filepath": "zip://a.wav::s3://b/c.zip"}',
        '{"audio_filepath": "a\\u0000b"}',
        '{"audio_filepath": "a\\ud800b"}',
        json.dumps({"audio_filepath": str(folder)}),
    ]
    (tmp_path / "m.jsonl").write_bytes("\n".join([good, *bad, good]).encode() + b"\n\xff\xfe\n")
    entries = listed(tmp_path / "m.jsonl")
    told = {entry.id: getattr(entry, "error", None) or entry.reason for entry in entries[1:]}
    assert isinstance(entries[0], Item)
    assert "not JSON" in told["m.jsonl:2"]
    assert told["m.jsonl:3"] == "expected a JSON object, got list"
    assert "no value for audio_filepath" in told["m.jsonl:4"]
    assert told["m.jsonl:5"] == "audio_filepath: expected a path, got int"
    assert told["m.jsonl:6"] == "offset: expected seconds, a number of 0 or more, got '-1'"
    assert told["m.jsonl:7"] == "offset: expected seconds, a number of 0 or more, got 'x'"
    assert told["gone.wav"] == "No such file or directory"
    assert told["https://host/a.wav"] == "web addresses are not opened unless --allow-http is given"
    assert told["sftp://host/a.wav"] == "sftp:// is not followed out of a list"
    assert told["zip://a.wav::s3://b/c.zip"] == "zip:// is not followed out of a list"
    assert told["a\0b"] == "embedded null byte"
    assert told[str(folder)] == "is a directory"
    assert told["m.jsonl:13"] == "a path that is no text: surrogates not allowed"
    assert told[f"m.jsonl:15: {folder}/azum.flac"] == "the same stretch was listed already"
    assert "not UTF-8" in told["m.jsonl:16"]
    assert len(entries) == 16


def test_kaldi(folder, listener, reference, tmp_path):
    lines = [
        f"utt1 {folder}/azum.flac",
        f"utt2\tsox {folder}/azum.flac -t wav - |",
        "utt3 wavs.ark:17",
        f"utt4 {folder}/chaos.flac",
    ]
    (tmp_path / "wav.scp").write_text("\n".join(lines))
    ids = {f"{folder}/azum.flac": "azum", f"{folder}/chaos.flac": "chaos"}
    assert_same(tmp_path / "wav.scp", listener, reference, ids)
    assert_same(tmp_path, listener, reference, ids)
    pipe, ark = others(tmp_path)
    assert pipe.id == "wav.scp:2"
    assert pipe.error.startswith("is a command, which is not run: 'sox ")
    assert "Kaldi archive" in ark.error


def test_lhotse_recordings_and_cuts(listener):
    (one, two) = items(LHOTSE / "recordings.jsonl.gz")
    assert (one.id, two.id) == ("audio/one.flac", "audio/two.flac")
    plain = {item.id: heard(listener, item) for item in items(LHOTSE / "audio")}
    assert heard(listener, one) == plain["one.flac"]
    assert heard(listener, two) == plain["two.flac"]
    cuts = items(LHOTSE / "cuts.jsonl.gz")
    ids = ["audio/two.flac#0-6", "audio/two.flac#6-12", "audio/one.flac#0-6", "audio/one.flac#0-5"]
    assert [cut.id for cut in cuts] == ids
    found = [{track for _, track in heard(listener, cut)} for cut in cuts]
    assert found == [{"die-gewalt"}, {"chaos"}, {"azum", "azum-again"}, {"azum", "azum-again"}]
    assert [match for match, _ in heard(listener, cuts[2])] == [match for match, _ in plain["one.flac"]]


def test_lhotse_shar(listener):
    cuts = items(LHOTSE / "shar")
    ids = ["recording.000000.tar/cut-0.flac", "recording.000000.tar/cut-1.flac", "recording.000001.tar/cut-2.flac"]
    assert [cut.id for cut in cuts] == ids
    by_manifest = items(LHOTSE / "cuts.jsonl.gz")[:3]
    assert [heard(listener, cut) for cut in cuts] == [heard(listener, cut) for cut in by_manifest]


def test_lhotse_without_audio(tmp_path):
    recording = {"id": "r", "sampling_rate": 8000, "num_samples": 8, "duration": 0.001, "channel_ids": [0]}
    rows = [
        recording | {"sources": [{"type": "command", "channels": [0], "source": "cat x |"}]},
        recording | {"sources": [{"type": "memory", "channels": [0], "source": ""}]},
        recording | {"sources": []},
        {"type": "PaddingCut", "id": "p", "duration": 2.0},
        {"type": "MixedCut", "id": "m", "tracks": [{"cut": {"type": "PaddingCut"}, "offset": 0}]},
        {"type": "MonoCut", "id": "c", "start": 0, "duration": 1},
        {"type": "MonoCut", "id": "c", "start": "x", "duration": 1, "recording": recording | {"sources": [{}]}},
    ]
    told = [getattr(entry, "error", None) or entry.reason for entry in listed(write_lines(tmp_path / "r.jsonl", rows))]
    assert told[0].startswith("is a command, which is not run: 'cat x |'")
    assert told[1:] == [
        "its audio is of type 'memory'; expected file or url",
        "a recording with no source",
        "is padding, which has no audio",
        "is a mixture of nothing",
        "has no recording, perhaps only features",
        "start: expected seconds, a number of 0 or more, got 'x'",
    ]


def test_the_sound_of_a_video(folder, listener, reference, tmp_path):
    import av

    y, rate = soundfile.read(folder / "azum.flac", dtype="float32", always_2d=True)
    with av.open(str(tmp_path / "film.mp4"), "w") as out:
        picture = out.add_stream("mpeg4", rate=5)
        picture.width, picture.height = 64, 64
        sound = out.add_stream("aac", rate=rate)
        sound.layout = "mono"
        for number in range(30):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts = number
            out.mux(picture.encode(frame))
        frame = av.AudioFrame.from_ndarray(y.T.copy(), "fltp", "mono")
        frame.sample_rate = rate
        cutter = av.AudioResampler(format="fltp", layout="mono", rate=rate, frame_size=1024)
        for part in [*cutter.resample(frame), *cutter.resample(None)]:
            out.mux(sound.encode(part))
        for stream in (picture, sound):
            out.mux(stream.encode(None))
    (film,) = items(tmp_path)
    assert [track for _, track in heard(listener, film)] == [track for _, track in reference["azum"]]


def test_further_audio_tracks_are_told(listener, tmp_path):
    import av

    with av.open(str(tmp_path / "film.mp4"), "w") as out:
        tracks = [out.add_stream("aac", rate=RATE, layout="mono") for _ in range(2)]
        for track, name in zip(tracks, ("chaos", "azum"), strict=True):
            frame = av.AudioFrame.from_ndarray(excerpt(name, 8.0, 6.0)[None, :].copy(), "fltp", "mono")
            frame.sample_rate = RATE
            cutter = av.AudioResampler(format="fltp", layout="mono", rate=RATE, frame_size=1024)
            for part in [*cutter.resample(frame), *cutter.resample(None)]:
                out.mux(track.encode(part))
        for track in tracks:
            out.mux(track.encode(None))
    (film,) = items(tmp_path)
    hearing = listener.listen(film)
    assert [track.track_id for _, track in hearing.found] == ["chaos"]
    assert hearing.problem.words == "has 2 audio tracks, of which the first was scanned"


# ---- recognition


@pytest.mark.parametrize(
    ("name", "data"),
    [("shard", None), ("table", b"PAR1"), ("x.tar", None)],
)
def test_content_tells_where_the_name_does_not(folder, tmp_path, name, data):
    path = tmp_path / name
    if data is None:
        write_webdataset(folder, tmp_path / "tmp.tar")
        (tmp_path / "tmp.tar").rename(path)
    else:
        pq.write_table(pa.table({"audio": pa.array([{"bytes": b"x", "path": "a.wav"}], AUDIO_STRUCT)}), path)
    assert items(path)
    assert items(tmp_path)


def test_a_format_that_is_named_is_taken(folder, tmp_path):
    write_webdataset(folder, tmp_path / "music.mp3")
    (as_audio,) = listed(tmp_path / "music.mp3")
    assert as_audio.source == WholeFile(location=str(tmp_path / "music.mp3"))
    assert len(items(tmp_path / "music.mp3", format="webdataset")) == 3
    with pytest.raises(ParameterError, match="format must be one of arrow, audiofolder, csv"):
        listed(tmp_path, format="tarball")


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("nowhere", "No such file or directory"),
        ("nothing://x/y", "Protocol not known: nothing"),
        ("https://host/x.tar", "web addresses are not opened unless --allow-http is given"),
        ("zip://a::https://host/x.zip", "web addresses are not opened unless --allow-http is given"),
        ("memory://nowhere/x.tar", "there is no such file"),
        ("s{1..200000}.tar", "more than 100,000 locations"),
    ],
)
def test_what_is_no_corpus(location, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match=words):
        listed(location)


def test_rows_of_a_row_group_are_read_once(tmp_path):
    """Bounded memory: batches of a row group, not all of it; and each page read once."""
    rng_bytes = [bytes([i % 256]) * 1000 for i in range(2000)]
    audio = pa.array([{"bytes": data, "path": f"{i}.wav"} for i, data in enumerate(rng_bytes)], AUDIO_STRUCT)
    pq.write_table(pa.table({"audio": audio}), tmp_path / "t.parquet", row_group_size=1000, compression=None)
    got = items(tmp_path / "t.parquet")
    assert all(isinstance(item.source, ParquetCell) for item in got)
    with ItemReader() as reader:
        for item, data in zip(got, rng_bytes, strict=True):
            with reader.open(item) as file:
                assert file.read() == data
        with reader.open(got[3]) as file:  # and back
            assert file.read() == rng_bytes[3]


def test_encoded_kinds_in_a_tar(listener, tmp_path):
    """What is inside is known by its name or content, as in a directory."""
    import numpy as np

    y = np.stack([excerpt("chaos", 8.0, 6.0)] * 2, axis=1)
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for name, kind in (("a.mp3", "mp3"), ("nameless", "opus"), ("b.bin", "m4a")):
            data = encode(y, kind, RATE)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    got = items(tmp_path / "t.tar")
    assert [item.id for item in got] == ["t.tar/a.mp3", "t.tar/nameless", "t.tar/b.bin"]
    assert [heard(listener, item)[0][1] for item in got] == ["chaos"] * 3
