"""Kernels work where nothing can be written, too."""

import logging

from earmark.fingerprint import kernel as module
from earmark.fingerprint.kernel import kernel

SOURCE = "def twice(x):\n    return 2 * x\n"


def function_of_file(path):
    """Return a function whose code says that it stands in a file there."""
    names = {}
    exec(compile(SOURCE, path, "exec"), names)
    return names["twice"]


def test_compiled_code_is_kept_beside_the_module(tmp_path):
    path = tmp_path / "doubling.py"
    path.write_text(SOURCE)
    assert kernel(function_of_file(str(path)))(4) == 8
    assert list((tmp_path / "__pycache__").glob("doubling.twice*.nbc"))


def test_without_a_folder_to_write_kernels_are_compiled_all_the_same(monkeypatch, caplog):
    """Found in trials: a read-only container with no home ended with numba's "no locator available"."""
    monkeypatch.setenv("HOME", "/proc/nowhere")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    module._tell_once.cache_clear()
    with caplog.at_level(logging.WARNING, logger=module.__name__):
        assert kernel(function_of_file("/proc/nowhere/doubling.py"))(4) == 8
        assert kernel(function_of_file("/proc/nowhere/doubling.py"))(5) == 10
    assert len(caplog.records) == 1
    assert "NUMBA_CACHE_DIR" in caplog.text
