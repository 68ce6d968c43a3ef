"""How a corpus is to be read, where it does not say so itself."""

from dataclasses import dataclass

__all__ = ["FORMATS", "CorpusOptions"]

FORMATS = (
    "arrow",
    "audiofolder",
    "csv",
    "datasets",
    "directory",
    "jsonl",
    "kaldi",
    "lhotse",
    "parquet",
    "shar",
    "webdataset",
    "zip",
)
"""What a corpus can be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusOptions:
    """How to read a corpus.

    Attributes
    ----------
    format
        One of `FORMATS`; None recognises it.
    audio_columns
        Columns of Parquet and Arrow files that hold audio, nested ones as "outer.inner"; none takes all that do.
    path_column, offset_column, duration_column
        Columns of a manifest; None takes the usual names.
    allow_http
        Whether http and https URLs may be opened.
    """

    format: str | None = None
    audio_columns: tuple[str, ...] = ()
    path_column: str | None = None
    offset_column: str | None = None
    duration_column: str | None = None
    allow_http: bool = False
