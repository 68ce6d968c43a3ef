"""Matching a corpus again without its audio: kept fingerprints against a catalog that has grown, or what it gained."""

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from earmark.catalog import STATE_FILE, CatalogState, Change, write_state
from earmark.corpus import CorpusOptions, Entry, Item, ItemReader
from earmark.errors import ModelMismatchError, ScanError
from earmark.fingerprint import load_model
from earmark.matching.odds import load_calibration
from earmark.rights import Recording, Use, decide, read_registry
from earmark.scan.engines import engine_of
from earmark.scan.exemptions import read_lists
from earmark.scan.folder import ScanFolder, check_out
from earmark.scan.journal import JOURNAL_FILE, Chunk, Header, Mark, read_chunks, read_header
from earmark.scan.judging import Judge
from earmark.scan.kept import FINGERPRINTS_FILE, read_kept
from earmark.scan.limits import Limits
from earmark.scan.opened import open_shards, state_of_shards
from earmark.scan.plan import ScanPlan, check_plan, shards_of
from earmark.scan.rows import ItemRow
from earmark.scan.scanning import (
    Listing,
    OnItem,
    Run,
    first_day,
    header_of,
    tell_of_versions,
    write_all,
)
from earmark.scan.shard import Layout, Shard, parse_shard
from earmark.scan.stopping import Stop
from earmark.scan.summary import Summary

__all__ = ["SINCE_FILE", "RescanPlan", "kept_bytes", "rescan"]

SINCE_FILE: Final = "since.state"
"""In the folder of a rescan of what a catalog has gained: the state since which."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RescanPlan:
    """What to match again, with what, for which use.

    Attributes
    ----------
    scan
        Folder of a scan that has kept its fingerprints, and came to its end. How its corpus was read, `min_seconds`
        and the shard are as they were there.
    catalog, catalog_cache, out, registry, allow, ignore, use, jobs, limits, resume
        As in `ScanPlan`.
    effort, max_e_value
        As in `ScanPlan`; None takes those of the scan.
    added_since
        Look only for tracks that the catalog has gained since this state; None looks for all.
    """

    scan: Path
    catalog: str | Path | tuple[str | Path, ...]
    out: Path
    registry: Path | None = None
    allow: Path | None = None
    ignore: Path | None = None
    use: Use = dataclasses.field(default_factory=Use)
    effort: str | None = None
    max_e_value: float | None = None
    jobs: int | None = None
    catalog_cache: Path | None = None
    limits: Limits = dataclasses.field(default_factory=Limits)
    added_since: CatalogState | None = None
    resume: bool = False


def rescan(plan: RescanPlan, *, stop: Stop | None = None, on_item: OnItem | None = None) -> Summary:
    """Match kept fingerprints, and write what a scan of the audio would.

    The rows are those of a scan of the same audio with the same options, byte by byte. What the scan could not hear
    is not heard here either. With `added_since` there are matches with new tracks only, and odds are those of the
    whole catalog; what only repeats an older, better match may be among them, as older tracks are not looked at.

    Parameters
    ----------
    plan
        What to do.
    stop, on_item
        As for `scan`.

    Returns
    -------
    Summary
        As in `summary.json`.

    Raises
    ------
    CatalogError, RegistryError, ParameterError
        As for `scan`.
    ScanError
        As for `scan`, or if `plan.scan` has not kept its fingerprints or has not come to its end.
    """
    model = load_model()
    earlier, last, n_entries = _earlier(plan.scan)
    whole = _scan_plan(plan, earlier)
    check_plan(whole)
    check_out(plan.out, whole.corpus, resume=plan.resume)
    next(read_kept(plan.scan, model), None)  # what it raises, it raises here
    load_calibration(model, whole.effort, "plain")  # likewise
    catalog = open_shards(shards_of(whole), model, plan.catalog_cache)
    if plan.added_since is not None and plan.added_since.model_digest != model.digest:
        raise ModelMismatchError(f"the state is of model {plan.added_since.model_digest}, not {model.digest}")
    registry = None if plan.registry is None else read_registry(plan.registry)
    decide(Recording(), registry, plan.use)  # likewise
    lists = read_lists(plan.allow, plan.ignore, first_day(whole))
    state = state_of_shards(catalog, model)
    by_file = bool(earlier.plan.get("by_file"))
    header = header_of(whole, catalog, model, registry, lists, by_file=by_file)
    if plan.added_since is not None:
        header.about["limits"] += _only_new(state, plan.added_since)
    with ScanFolder(plan.out, header) as folder:
        tell_of_versions(folder, header)
        write_state(plan.out / STATE_FILE, state)
        since = None
        if plan.added_since is not None:
            since = plan.out / SINCE_FILE
            write_state(since, plan.added_since)
        listing = _KeptListing(plan.scan, read_kept(plan.scan, model), n_entries, last)
        run = _Rerun(whole, folder.header.about, Judge(registry, plan.use), lists, folder, on_item, listing=listing)
        run.replay()
        with engine_of(whole, catalog, model, since=since) as engine:
            return write_all(run, folder, engine, stop or Stop())


def kept_bytes(scan: Path) -> int:
    """Return how many bytes the items of a scan had, as far as it is known."""
    marks = (mark for _, chunk in read_chunks(scan / JOURNAL_FILE) for mark in chunk.marks)
    return sum(mark.size_bytes or 0 for mark in marks)


class _KeptListing:
    """The entries of an earlier scan, in the place of the listing of a corpus."""

    def __init__(self, scan: Path, entries: Iterator[Entry], n_entries: int, last: Chunk) -> None:
        self._scan, self._entries = scan, entries
        self._n_read, self._n_entries = 0, n_entries
        self.listed, self.sha256 = last.listed or 0, last.listing_sha256 or ""
        self.layout = Layout(runs=last.runs or (), sizes=last.sizes or ())

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        if self._n_read == self._n_entries:
            raise StopIteration
        entry = next(self._entries, None)
        if entry is None:
            raise ScanError(
                f"{self._scan / FINGERPRINTS_FILE}: ends after {self._n_read:,} of {self._n_entries:,} entries; scan "
                f"the audio again"
            )
        self._n_read += 1
        return entry

    def exhaust(self) -> int:
        """Return how many entries there were."""
        return self.listed


class _Rerun(Run):
    """One run of a rescan."""

    def __init__(self, *args: Any, listing: _KeptListing) -> None:  # noqa: ANN401 - those of Run
        self._entries = listing
        super().__init__(*args)

    def _listed(self) -> Listing:
        return self._entries

    def _difference(self, entry: Entry | None, row: ItemRow, mark: Mark, reader: ItemReader) -> str | None:  # noqa: ARG002 - nothing is read
        if entry is None:
            return f"{row.item!r} is no longer there"
        size_bytes = entry.size_bytes if isinstance(entry, Item) else None
        if (entry.id, size_bytes) != (row.item, mark.size_bytes):
            return f"{row.item!r} was there, and in its place there is {entry.id!r}"
        return None


def _earlier(scan: Path) -> tuple[Header, Chunk, int]:
    """Return the beginning and the end of a scan, and how many entries it has."""
    header = read_header(scan / JOURNAL_FILE)
    if header is None:
        raise ScanError(f"{str(scan)!r}: expected the folder of a scan, with its {JOURNAL_FILE}")
    last, n_entries = None, 0
    for _, chunk in read_chunks(scan / JOURNAL_FILE):
        last, n_entries = chunk, n_entries + len(chunk.marks)
    if last is None or last.listed is None:
        raise ScanError(f"{str(scan)!r}: the scan has not come to its end; resume it first")
    return header, last, n_entries


def _scan_plan(plan: RescanPlan, earlier: Header) -> ScanPlan:
    """Return the plan of a scan that would write the same rows."""
    options = earlier.about["options"]
    reading: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options["reading"].items()
    }
    return ScanPlan(
        corpus=earlier.about["corpus"],
        reading=CorpusOptions(**reading),
        catalog=plan.catalog,
        catalog_cache=plan.catalog_cache,
        out=plan.out,
        registry=plan.registry,
        allow=plan.allow,
        ignore=plan.ignore,
        use=plan.use,
        effort=plan.effort or options["effort"],
        max_e_value=options["max_e_value"] if plan.max_e_value is None else plan.max_e_value,
        jobs=plan.jobs,
        limits=dataclasses.replace(plan.limits, max_bytes=options["max_item_bytes"]),
        min_seconds=options["min_seconds"],
        shard=Shard() if options["shard"] is None else parse_shard(options["shard"]),
        rescan_of=_sha256(plan.scan / JOURNAL_FILE),
        added_since=None if plan.added_since is None else plan.added_since.digest,
        resume=plan.resume,
    )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ScanError(f"{path}: {error.strerror or error}") from error


def _only_new(now: CatalogState, since: CatalogState) -> str:
    n_tracks = int((since.changes(now.entries) == Change.ADDED).sum())
    tracks = "1 track" if n_tracks == 1 else f"{n_tracks:,} tracks"
    return f" Only {tracks} that the catalog has gained since its state {since.digest} were looked for."
