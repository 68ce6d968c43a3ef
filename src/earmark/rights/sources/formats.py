"""Formats: which reader a file is for, told by its contents."""

import json
import re
from pathlib import Path
from typing import Any, BinaryIO, Final

from earmark.errors import RegistryError
from earmark.rights.schema import MAGIC
from earmark.rights.sources.c2pa_file import read_c2pa
from earmark.rights.sources.csv_rows import read_csv
from earmark.rights.sources.ern import read_ern
from earmark.rights.sources.incoming import Reader
from earmark.rights.sources.json_lines import read_json_lines
from earmark.rights.sources.odrl import is_odrl, read_odrl
from earmark.rights.sources.tdmrep import is_tdmrep, read_tdmrep
from earmark.rights.sources.xlsx_rows import read_xlsx

__all__ = ["reader_for"]

_HEAD_BYTES: Final = 4096
_MAX_JSON_BYTES: Final = 16 << 20

# How files begin that may carry a C2PA manifest: MP3, WAV, AVI and WebP, FLAC, MP4 and HEIF, JPEG, PNG, TIFF, and a
# manifest by itself.
_MEDIA: Final = re.compile(
    rb"ID3|\xff[\xe2-\xfb]|RIFF|fLaC|....ftyp|\xff\xd8\xff|\x89PNG|II\*\0|MM\0\*|....jumb", re.DOTALL
)
_XML: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<|\xff\xfe<\0|\xfe\xff\0<")


def reader_for(file: BinaryIO, path: Path) -> tuple[str, Reader]:
    """Tell what a file is.

    Parameters
    ----------
    file : binary file
        At its beginning, where it is left again.
    path : pathlib.Path
        Its name, for errors.

    Returns
    -------
    name : str
        `csv`, `xlsx`, `jsonl`, `ern`, `tdmrep`, `odrl` or `c2pa`.
    reader : callable
        What reads it.

    Raises
    ------
    RegistryError
        If it is empty, or JSON or SQLite of another kind.
    """
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if not head:
        raise RegistryError(f"{path} is empty; expected a table, a message or a declaration")
    if head.startswith(MAGIC):
        raise RegistryError(f"{path} is a registry file itself, or another SQLite file; `license export` it first")
    if head.startswith(b"PK\x03\x04"):
        return "xlsx", read_xlsx
    if _MEDIA.match(head):
        return "c2pa", read_c2pa
    if _XML.match(head):
        return "ern", read_ern
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["}:
        return _json_reader(file, path)
    return "csv", read_csv


def _json_reader(file: BinaryIO, path: Path) -> tuple[str, Reader]:
    """Tell JSON lines from the declarations that are one JSON value."""
    first = file.readline(_MAX_JSON_BYTES)
    file.seek(0)
    value = _parsed(first)
    if isinstance(value, dict) and "kind" in value:
        return "jsonl", read_json_lines
    data = file.read(_MAX_JSON_BYTES + 1)
    file.seek(0)
    whole = _parsed(data) if len(data) <= _MAX_JSON_BYTES else None
    if is_tdmrep(whole):
        return "tdmrep", read_tdmrep
    if is_odrl(whole):
        return "odrl", read_odrl
    if isinstance(value, dict) and data.count(b"\n") > 1:
        return "jsonl", read_json_lines
    raise RegistryError(
        f"{path} is JSON of another kind; expected JSON lines with `kind`, a tdmrep.json or an ODRL policy"
    )


def _parsed(data: bytes) -> Any:  # noqa: ANN401 - it may be anything
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
