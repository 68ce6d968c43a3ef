"""The scanner for `datasets`: real datasets, real maps."""

import pickle
import shutil

import pytest
import soundfile

from earmark.catalog import build_catalog, open_catalog
from earmark.errors import CatalogError, ParameterError, ScanError
from earmark.fingerprint import load_model
from earmark.huggingface import Scanner
from earmark.scan import MatchRow

from .small_catalog import excerpt, registry, small_catalog
from .test_scan import USE

datasets = pytest.importorskip("datasets")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A silent one first: what a match looks like must not depend on the first row."""
    root = tmp_path_factory.mktemp("audio")
    soundfile.write(root / "a-silence.flac", excerpt("chaos") * 0, 16000)
    soundfile.write(root / "b-chaos.flac", excerpt("chaos"), 16000)
    (root / "c-broken.flac").write_bytes(b"fLaC, or so it says")
    soundfile.write(root / "d-gewalt.flac", excerpt("die-gewalt"), 16000)
    return sorted(root.iterdir())


@pytest.fixture(scope="module")
def scanner():
    scanner = Scanner(small_catalog(), registry=registry(), use=USE, effort="fast")
    yield scanner
    scanner.close()


@pytest.fixture(scope="module")
def dataset(files):
    rows = {"audio": [{"bytes": path.read_bytes(), "path": path.name} for path in files], "n": [0, 1, 2, 3]}
    return datasets.Dataset.from_dict(rows).cast_column("audio", datasets.Audio(decode=False))


STATUSES = ["unmatched", "unlicensed", "error", "licensed"]


def check(scanned):
    assert scanned["earmark_status"][:] == STATUSES
    assert [[match["track_id"] for match in row] for row in scanned["earmark_matches"][:]] == [
        [],
        ["chaos"],
        [],
        ["die-gewalt"],
    ]
    first = scanned["earmark_matches"][1][0]
    assert list(first) == list(MatchRow.__dataclass_fields__)
    assert first["grant_id"] == "G3"
    assert scanned["earmark_error"][2]
    assert scanned["earmark_matched_s"][1] == pytest.approx(8.0, abs=0.1)


@pytest.mark.parametrize("batch_size", [1, 1000])
def test_a_map_adds_columns(scanner, dataset, batch_size):
    scanned = dataset.map(scanner, batched=True, batch_size=batch_size, load_from_cache_file=False)
    assert set(dataset.column_names) < set(scanned.column_names)
    check(scanned)
    assert scanned["earmark_matches"][1][0]["item"] == "b-chaos.flac"


def test_a_map_in_two_processes(scanner, dataset):
    check(dataset.map(scanner, batched=True, batch_size=1, num_proc=2, load_from_cache_file=False))


def test_an_iterable_dataset(scanner, dataset):
    scanned = list(dataset.to_iterable_dataset().map(scanner, batched=True, batch_size=2))
    check({name: [row[name] for row in scanned] for name in scanned[0]})


def test_a_result_is_found_again_as_long_as_everything_is_the_same(files, tmp_path):
    catalog = shutil.copytree(small_catalog(), tmp_path / "catalog")
    fingerprint = datasets.fingerprint.Hasher.hash
    first = Scanner(catalog, effort="fast")
    same, other = Scanner(catalog, effort="fast"), Scanner(catalog, effort="standard")
    with_rights = Scanner(catalog, effort="fast", registry=registry(), use=USE)
    first({"audio": [str(files[1])]})  # a worker that runs is no part of it
    assert fingerprint(first) == fingerprint(same)
    assert len({fingerprint(one) for one in (first, other, with_rights)}) == 3
    first.close()
    shutil.rmtree(catalog)
    music = small_catalog().parent / "music" / "chaos.opus"
    build_catalog(catalog, [music], model=load_model(), jobs=1)
    assert fingerprint(Scanner(catalog, effort="fast")) != fingerprint(first)


def test_a_catalog_that_was_changed_since_is_noticed(files, tmp_path):
    music = small_catalog().parent / "music"
    build_catalog(tmp_path / "catalog", [music / "chaos.opus"], model=load_model(), jobs=1)
    scanner = pickle.loads(pickle.dumps(Scanner(tmp_path / "catalog", effort="fast")))
    shutil.rmtree(tmp_path / "catalog")
    build_catalog(tmp_path / "catalog", [music / "azum.opus"], model=load_model(), jobs=1)
    with pytest.raises(ScanError, match="the catalog was changed"):
        scanner({"audio": [str(files[1])]})
    scanner.close()


class Decoder:
    """As `datasets` decodes with torchcodec, which is not installed: what it was made of, or else its samples."""

    def __init__(self, y, sr, encoded):
        self._samples = type("Samples", (), {"data": y[None, :], "sample_rate": sr})()
        if encoded is not None:
            self._hf_encoded = encoded

    def get_all_samples(self):
        return self._samples


def test_all_that_a_column_can_hold(scanner, files):
    y, path = excerpt("chaos"), files[1]
    values = {
        "bytes": path.read_bytes(),
        "path": str(path),
        "a path": path,
        "a path in a mapping": {"bytes": None, "path": str(path)},
        "samples": {"array": y, "sampling_rate": 16000},
        "stereo": {"array": [y, y], "sampling_rate": 16000, "path": "stereo.flac"},
        "integers": {"array": (y * 32767).astype("int16"), "sampling_rate": 16000},
        "a decoder with its bytes": Decoder(y, 16000, {"bytes": path.read_bytes(), "path": "x.flac"}),
        "a decoder": Decoder(y, 16000, None),
    }
    columns = scanner({"audio": list(values.values())})
    assert dict(zip(values, columns["earmark_status"], strict=True)) == dict.fromkeys(values, "unlicensed")
    assert all(len(row) == 1 for row in columns["earmark_matches"])


def test_what_is_no_audio_is_told_in_its_row(scanner, files):
    values = {
        "None": (None, "the row has no audio"),
        "empty": ({"bytes": None, "path": None}, "the row has no audio"),
        "number": (7, "expected bytes, a path or URL, .* got int"),
        "mapping": ({"wave": 1}, "got a mapping with wave"),
        "shape": ({"array": [[[1.0]]], "sampling_rate": 8000}, "expected samples as an array of one or two axes"),
        "missing": (str(files[0].parent / "none.flac"), "No such file"),
    }
    columns = scanner({"audio": [value for value, _ in values.values()]})
    assert columns["earmark_status"] == ["error"] * len(values)
    for error, (_, words) in zip(columns["earmark_error"], values.values(), strict=True):
        with pytest.raises(ValueError, match=words):
            raise ValueError(error)


def test_names_of_items(files):
    scanner = Scanner(small_catalog(), effort="fast", audio_column="sound", id_column="key")
    columns = scanner({"sound": [str(files[1])], "key": [17]})
    assert columns["earmark_matches"][0][0]["group_id"] == "17#0"
    with pytest.raises(ParameterError, match="expected a column 'sound', the dataset has audio"):
        scanner({"audio": []})
    scanner.close()


def test_what_cannot_be_used_is_told_at_once(tmp_path):
    with pytest.raises(CatalogError, match="no catalog"):
        Scanner(tmp_path)
    with pytest.raises(ParameterError, match="effort must be one of"):
        Scanner(small_catalog(), effort="some")
    assert open_catalog(small_catalog(), load_model()).n_tracks == 4
