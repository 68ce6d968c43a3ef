"""Writing: a file of the audit is there whole or not at all."""

from collections.abc import Iterable
from pathlib import Path

from earmark.errors import AuditError
from earmark.scan.whole_file import whole_file

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
    try:
        with whole_file(path) as file:
            file.writelines(parts)
    except OSError as error:
        raise AuditError(f"{path}: cannot be written: {error.strerror or error}") from error
