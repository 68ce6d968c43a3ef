"""What docs/ray.md shows for other people's pipelines runs, where they are installed."""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from .small_catalog import excerpt, small_catalog

TEXT = (Path(__file__).parents[1] / "docs" / "ray.md").read_text(encoding="utf-8")


def recipe(heading):
    """Return the code below a heading."""
    return re.search(rf"^## {heading}\n.*?^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)[1]


def needs(*libraries):
    for library in libraries:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What the recipes name: a catalog, and a corpus in each of their forms."""
    shutil.copytree(small_catalog(), tmp_path / "my.catalog")
    (tmp_path / "corpus").mkdir()
    soundfile.write(tmp_path / "corpus" / "chaos.flac", excerpt("chaos"), 16000)
    soundfile.write(tmp_path / "corpus" / "none.flac", excerpt("chaos") * 0, 16000)
    paths = sorted((tmp_path / "corpus").iterdir())
    audio = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
    pq.write_table(pa.table({"audio": audio}), tmp_path / "corpus.parquet")
    (tmp_path / "manifests").mkdir()
    lines = [json.dumps({"id": path.name, "audio_filepath": str(path)}) for path in paths]
    (tmp_path / "manifests" / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def run(heading):
    names = {"__name__": "recipe"}
    exec(compile(recipe(heading), heading, "exec"), names)
    return names


def test_datasets(folder, monkeypatch):
    needs("datasets")
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
    names = run("Hugging Face `datasets`")
    assert names["scanned"]["earmark_status"][:] == ["review", "unmatched"]
    assert [row["path"] for row in names["clean"]["audio"]] == ["none.flac"]


@pytest.mark.filterwarnings("ignore")  # of the library's own
def test_datatrove(folder):
    needs("datatrove", "orjson")
    run("datatrove")
    rows = [json.loads(line) for line in (folder / "scanned" / "00000.jsonl").read_text().splitlines()]
    assert {row["id"]: row["metadata"]["earmark_status"] for row in rows} == {
        "chaos.flac": "review",
        "none.flac": "unmatched",
    }
    (matches,) = (row["metadata"]["earmark_matches"] for row in rows if row["id"] == "chaos.flac")
    assert [match["track_id"] for match in matches] == ["chaos"]


@pytest.mark.filterwarnings("ignore")  # of the library's own
def test_nemo_curator(folder):
    needs("nemo_curator")
    names = run("NeMo Curator")
    stage = names["EarmarkScan"](catalog="my.catalog")
    stage.setup()
    tasks = [names["AudioTask"](data={"audio_filepath": str(path)}) for path in sorted(Path("corpus").iterdir())]
    done = [stage.process(task) for task in tasks]
    stage.teardown()
    assert [task.data["earmark_status"] for task in done] == ["review", "unmatched"]


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")  # of the library's own
def test_ray_data(folder, monkeypatch):
    needs("ray")
    import ray

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        run("Ray Data")
    finally:
        ray.shutdown()
    assert pq.read_table(folder / "items").column("status").to_pylist() == ["review", "unmatched"]
    assert pq.read_table(folder / "matches").column("track_id").to_pylist() == ["chaos"]
