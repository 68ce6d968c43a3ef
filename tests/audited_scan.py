"""A real scan with its log: matches of three verdicts, items without any, one left out, one that cannot be read."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from .small_catalog import USE, excerpt, registry, run_earmark, small_catalog

ITEMS = ["a-chaos.wav", "b/noise.wav", "c-notes.txt", "d-azum.wav", "e-broken.wav", "f-gewalt.wav", "g-noise.wav"]
MATCHED = ["a-chaos.wav", "d-azum.wav", "f-gewalt.wav"]


@functools.cache
def audited_scan():
    """Return the folder of the scan; made once in a process, and not to be changed."""
    root = Path(tempfile.mkdtemp(prefix="earmark-test-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    corpus = root / "secret-corpus"
    (corpus / "b").mkdir(parents=True)
    rng = np.random.default_rng(6)
    for name, y in {
        "a-chaos.wav": excerpt("chaos"),
        "b/noise.wav": 0.1 * rng.standard_normal(16000 * 4),
        "d-azum.wav": excerpt("azum"),
        "f-gewalt.wav": excerpt("die-gewalt"),
        "g-noise.wav": 0.1 * rng.standard_normal(16000 * 3),
    }.items():
        soundfile.write(corpus / name, y, 16000)
    (corpus / "c-notes.txt").write_text("no audio")
    (corpus / "e-broken.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
    options = ["--catalog", small_catalog(), "--out", root / "scan", "--registry", registry(), *USE, "--jobs", 1]
    process = run_earmark("scan", corpus, *options)
    assert process.returncode == 4, process.stderr  # one item cannot be read
    return root / "scan"


def copy_of_scan(folder):
    """Return a copy of the scan that may be changed."""
    shutil.copytree(audited_scan(), folder)
    return folder
