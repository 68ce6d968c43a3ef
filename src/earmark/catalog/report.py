"""What a build tells while it runs and when it is done."""

import dataclasses

from earmark.errors import CatalogError

__all__ = ["BuildReport", "NothingIndexedError", "Progress"]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a long job is.

    Attributes
    ----------
    n_done, n_total : int
        Tracks or recordings, or bytes.
    duration_s : float
        Seconds of audio that these are; 0 where that says nothing.
    unit : str
        "tracks" or "bytes".
    """

    n_done: int
    n_total: int
    duration_s: float = 0.0
    unit: str = "tracks"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class BuildReport:
    """What became of the sources.

    Attributes
    ----------
    n_indexed : int
        Tracks that are new in the catalog.
    n_resumed : int
        Of these, tracks that an earlier run had done before it was stopped.
    n_known : int
        Sources that the catalog has under the same track id already, from a file of the same bytes.
    duration_s : float
        Their seconds.
    failed : tuple of (str, str)
        Each source that is not in the catalog, and why.
    warnings : tuple of (str, str)
        Each source or metadata row that something is wrong with though it was used, and what.
    n_skipped : int
        Files that are no audio by name or content, or were named twice.
    duplicates : tuple of tuple of str
        Groups of track ids with the same audio; each is one recording, stored once.
    unmatched : tuple of str
        Rows of the metadata file that fit no source: file, line and path.
    segments : tuple of str
        Names of the segments that are new.
    """

    n_indexed: int
    n_resumed: int
    n_known: int
    duration_s: float
    failed: tuple[tuple[str, str], ...]
    warnings: tuple[tuple[str, str], ...]
    n_skipped: int
    duplicates: tuple[tuple[str, ...], ...]
    unmatched: tuple[str, ...]
    segments: tuple[str, ...]


class NothingIndexedError(CatalogError):
    """No source could be used, so the catalog is as it was, or is not there.

    Attributes
    ----------
    report : BuildReport
        What became of each.
    """

    def __init__(self, message: str, report: BuildReport) -> None:
        super().__init__(message)
        self.report = report
