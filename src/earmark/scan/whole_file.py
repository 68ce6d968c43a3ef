"""Whole files: there in full or not at all, whatever happens while they are written."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ["whole_file"]


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file that takes the place of `path` at the end of the block; if that raises, `path` stays as it was.

    Parameters
    ----------
    path
        The file.

    Yields
    ------
    binary file
        To write to.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    aside = path.with_name(f".{path.name}.new")
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
