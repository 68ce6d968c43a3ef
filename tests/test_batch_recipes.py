"""The recipes of docs/batch.md, run as they stand there, with stand-ins for the programs of Slurm alone."""

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import soundfile

from .small_catalog import earmark_command, excerpt, registry, rows, run_earmark, small_catalog

DOCUMENT = (Path(__file__).parents[1] / "docs" / "batch.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    """What the recipes take for granted: a file of options, a corpus and a catalog."""
    (tmp_path / "corpus").mkdir()
    for n in range(4):
        soundfile.write(tmp_path / "corpus" / f"{n}.wav", excerpt("chaos", 8.0, 8.0), 16000)
    (tmp_path / "corpus" / "broken.wav").write_bytes(b"no music")
    shutil.copytree(small_catalog(), tmp_path / "my.catalog")
    shutil.copy(registry(), tmp_path / "rights.csv")
    (tmp_path / "scan.toml").write_text(blocks("toml")[0])
    (tmp_path / "bin").mkdir()
    programs = {
        "earmark": f"exec {shlex.join(earmark_command())} " + '"$@"',
        "srun": 'exec "$@"',
        "scontrol": f'echo "$@" >> {shlex.quote(str(tmp_path / "requeued"))}',
    }
    for name, body in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def run_script(shell, script, folder, **environment):
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [shell, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | environment | {"PATH": path},
        timeout=120,
    )


def check_that_parts_merge(folder):
    assert not (folder / "requeued").exists()
    merged = run_earmark("merge", folder / "all", *sorted((folder / "parts").iterdir()))
    assert merged.returncode == 4, merged.stderr  # one file is broken
    assert len(rows(folder / "all" / "items.jsonl")) == 5


def test_the_file_of_options_is_what_the_command_knows(folder):
    options = tomllib.loads((folder / "scan.toml").read_text())
    assert options["resume"] is True
    process = run_script("sh", "earmark scan --config scan.toml --jobs 1", folder)
    assert process.returncode == 4, process.stderr
    assert len(rows(folder / "scan1" / "items.jsonl")) == 5


def test_slurm(folder):
    script = next(text for text in blocks("bash") if "#SBATCH" in text)
    assert script.count("16") == 2
    for index in ("1", "2"):
        job = {"SLURM_ARRAY_TASK_ID": index, "SLURM_ARRAY_JOB_ID": "77", "SLURM_CPUS_PER_TASK": "1"}
        process = run_script("bash", script.replace("/16", "/2"), folder, **job)
        assert process.returncode == 0, process.stderr
    check_that_parts_merge(folder)


def test_slurm_puts_a_job_back_that_was_stopped(folder):
    script = next(text for text in blocks("bash") if "#SBATCH" in text)
    stopped = 'mkdir -p "parts/3"; echo \'{"complete": false}\' > parts/3/summary.json; exit 4'
    (folder / "bin" / "earmark").write_text(f"#!/bin/sh\n{stopped}\n")
    job = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_JOB_ID": "77", "SLURM_CPUS_PER_TASK": "1"}
    assert run_script("bash", script, folder, **job).returncode == 4
    assert (folder / "requeued").read_text() == "requeue 77_3\n"


def test_kubernetes(folder):
    (recipe,) = blocks("yaml")
    script = recipe.split("            - |\n")[1].split("          resources:")[0]
    script = "\n".join(line[14:] for line in script.splitlines())
    (folder / "scan.toml").write_text((folder / "scan.toml").read_text().replace('"corpus"', f'"{folder}/corpus"'))
    script = script.replace("/16", "/2").replace("/data/", f"{folder}/").replace("--jobs 8", "--jobs 1")
    for index in ("0", "1"):
        process = run_script("sh", script, folder, JOB_COMPLETION_INDEX=index)
        assert process.returncode == 0, process.stderr
    check_that_parts_merge(folder)
