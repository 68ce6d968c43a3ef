"""Writing: a file of the audit is there whole or not at all."""

import os
from collections.abc import Iterable
from pathlib import Path

from earmark.errors import AuditError

__all__ = ["write_whole"]


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file aside, and put it in the place of the one before.

    Parameters
    ----------
    path
        The file.
    parts
        Its bytes, part by part.

    Raises
    ------
    AuditError
        If it cannot be written.
    """
    aside = path.with_name(f".{path.name}.new")
    try:
        with aside.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        raise AuditError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)
