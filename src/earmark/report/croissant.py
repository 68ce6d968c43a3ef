"""Croissant 1.0: the files of a scan described as a dataset of annotations, which its tools can load."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from earmark.errors import ReportError
from earmark.report.records import read_summary
from earmark.report.row_tables import ROW_TABLES, row_table
from earmark.report.tables import Column, writing
from earmark.scan import ITEMS_FILE, MATCHES_FILE

__all__ = ["write_croissant"]

_FILES = {"matches": MATCHES_FILE, "items": ITEMS_FILE}
_TYPES = {"text": "sc:Text", "number": "sc:Float", "integer": "sc:Integer"}
_ABOUT = {
    "items": "What became of each item of the corpus: one record for each file that was listed.",
    "matches": "Which seconds of an item are which seconds of a track, with odds and license status.",
}
# The context that section "Appendix 1: JSON-LD context" of the Croissant 1.0 specification asks for.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def write_croissant(scan: Path, out: Path) -> None:
    """Write Croissant metadata of a scan: its files with their digests, and their columns with their types.

    Parameters
    ----------
    scan
        The folder of the scan.
    out
        File to write; what is there is replaced. It names the scan's files relative to itself.

    Raises
    ------
    ReportError
        If it cannot be written, or a file of the scan is missing.
    ScanError
        If the scan cannot be read.
    """
    summary = read_summary(scan)
    metadata = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "earmark-scan",
        "description": (
            "Recordings of a catalog found in a corpus of audio, and whether a license covers their use. "
            f"Made by Earmark {summary['earmark_version']}. {summary['coverage']} {summary['limits']}"
        ),
        "version": "1.0.0",
        "datePublished": summary["finished"] or summary["started"],
        "distribution": [_file(scan, out, name) for name in ROW_TABLES],
        "recordSet": [_record_set(name, row_table(scan, name).columns) for name in ROW_TABLES],
    }
    with writing(out) as file:
        file.write(json.dumps(metadata, indent=2).encode() + b"\n")


def _file(scan: Path, out: Path, name: str) -> dict[str, str]:
    path = scan / _FILES[name]
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror or error}; expected a file of a scan") from error
    return {
        "@type": "cr:FileObject",
        "@id": _FILES[name],
        "name": _FILES[name],
        "description": _ABOUT[name],
        "contentUrl": Path(os.path.relpath(path, out.resolve().parent)).as_posix(),
        "encodingFormat": "application/jsonlines",
        "sha256": digest,
    }


def _record_set(name: str, columns: Sequence[Column]) -> dict[str, Any]:
    key = {"key": {"@id": "items/item"}} if name == "items" else {}
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": _ABOUT[name],
        **key,
        "field": [_field(name, column) for column in columns],
    }


def _field(name: str, column: Column) -> dict[str, Any]:
    link = {"references": {"field": {"@id": "items/item"}}} if (name, column.name) == ("matches", "item") else {}
    return {
        "@type": "cr:Field",
        "@id": f"{name}/{column.name}",
        "name": column.name,
        "dataType": _TYPES[column.kind],
        "source": {"fileObject": {"@id": _FILES[name]}, "extract": {"column": column.name}},
        **link,
    }
