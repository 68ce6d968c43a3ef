"""The query path composed: a corpus is listed, listened to by workers, judged, and written down."""

import collections
import contextlib
import dataclasses
import functools
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any, Protocol

from earmark.catalog import STATE_FILE, write_state
from earmark.corpus import Entry, ItemReader, list_container, list_parts
from earmark.errors import ScanError
from earmark.fingerprint import Model, load_model
from earmark.matching.odds import load_calibration
from earmark.rights import Recording, Registry, decide, read_registry
from earmark.scan.change import difference
from earmark.scan.engines import engine_of
from earmark.scan.exemptions import Lists, exempt, named, read_lists
from earmark.scan.folder import ScanFolder, check_out
from earmark.scan.journal import JOURNAL_FILE, Header, Mark, differences, read_header
from earmark.scan.judging import Judge, unheard
from earmark.scan.kept import KeptWriter
from earmark.scan.listening import Hearing
from earmark.scan.opened import OpenedCatalog, open_shards, state_of_shards
from earmark.scan.plan import ScanPlan, check_plan, shards_of
from earmark.scan.procession import Engine, Procession, Settled
from earmark.scan.rows import SCHEMA_VERSION, ItemRow
from earmark.scan.shard import Layout, ShardedListing, divides_by_file
from earmark.scan.stopping import Stop
from earmark.scan.summary import Summary, circumstances, iso, summarise
from earmark.scan.tally import Tally

__all__ = [
    "Listing",
    "OnItem",
    "Run",
    "first_day",
    "header_of",
    "scan",
    "tell_of_versions",
    "write_all",
]

logger = logging.getLogger(__name__)

OnItem = Callable[[ItemRow, int], None]


def scan(plan: ScanPlan, *, stop: Stop | None = None, on_item: OnItem | None = None) -> Summary:
    """Scan a corpus and write `matches.jsonl`, `items.jsonl`, `summary.json` and `journal.jsonl`.

    Lines come in the order of the listing, however many workers there are, and are written as the scan goes. A scan
    that is stopped leaves whole lines, each true, and a summary that says that it is not complete; the same plan with
    `resume` goes on with it. Workers are started with `spawn`: a script that calls this must do so under
    ``if __name__ == "__main__":``.

    Parameters
    ----------
    plan
        What to do.
    stop
        Looked at a few times a second; once it is asked for, no further item is begun.
    on_item
        Called with the row of each item as it is written, and with the item's size in bytes.

    Returns
    -------
    Summary
        As in `summary.json`.

    Raises
    ------
    CorpusError, CatalogError, RegistryError, ParameterError
        If corpus, catalog, registry or options cannot be used; nothing has been written then. A CatalogError may
        also come later, when damage comes to light.
    ScanError
        If `plan.out` or a Ray cluster cannot be used, workers cannot be started, or the scan to resume was of another
        plan or another state of the corpus; what was written before is left as it was then.
    """
    check_plan(plan)
    check_out(plan.out, plan.corpus, resume=plan.resume)
    model = load_model()
    load_calibration(model, plan.effort, "plain")  # what it raises, it raises here
    catalog = open_shards(shards_of(plan), model, plan.catalog_cache)
    registry = None if plan.registry is None else read_registry(plan.registry)
    decide(Recording(), registry, plan.use)  # likewise
    list_parts(str(plan.corpus), plan.reading)  # likewise
    lists = read_lists(plan.allow, plan.ignore, first_day(plan))
    header = header_of(plan, catalog, model, registry, lists, by_file=_by_file(plan))
    state = state_of_shards(catalog, model) if plan.keep_fingerprints else None
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(engine_of(plan, catalog, model))
        folder = stack.enter_context(ScanFolder(plan.out, header))
        tell_of_versions(folder, header)
        kept = None
        if state is not None:
            kept = KeptWriter(plan.out, model)
            stack.callback(kept.close)
            folder.before_chunk = kept.sync
            write_state(plan.out / STATE_FILE, state)
        run = Run(plan, header.about, Judge(registry, plan.use), lists, folder, on_item, kept)
        run.replay()
        return write_all(run, folder, engine, stop or Stop())


def tell_of_versions(folder: ScanFolder, header: Header) -> None:
    """Warn if libraries are other ones than those that a scan was begun with."""
    changed = differences(folder.header.about["versions"], header.about["versions"])
    if changed:
        logger.warning("libraries changed since the scan was begun, results can differ in small things: %s", changed)


def write_all(run: "Run", folder: ScanFolder, engine: Engine, stop: Stop) -> Summary:
    """Scan what is left, and leave files behind that are true whatever happens."""
    run.write_summary(complete=False, stopped_by=None)
    stopped_by: str | None = "an error"
    try:
        stopped_by = None if run.go_on(engine, stop) else stop.reason
    except KeyboardInterrupt:
        stopped_by = "SIGINT"
        raise
    finally:
        with contextlib.suppress(ScanError):  # it was the disk that failed: then no chunk, and a summary if it can be
            folder.complete_chunk(run.elapsed_s, at_once=True)
        summary = run.write_summary(complete=stopped_by is None, stopped_by=stopped_by)
    return summary


def first_day(plan: ScanPlan) -> date:
    """Return the day on which a scan was begun: what has expired is asked on that day, however often it is resumed."""
    begun = read_header(plan.out / JOURNAL_FILE) if plan.resume else None
    return datetime.now(UTC).date() if begun is None else datetime.fromisoformat(begun.started).date()


def header_of(
    plan: ScanPlan, catalog: OpenedCatalog, model: Model, registry: Registry | None, lists: Lists, *, by_file: bool
) -> Header:
    """Return the header of a scan that starts now; `by_file` as for `ShardedListing`."""
    about = circumstances(plan, catalog, model, registry, lists)
    digests = {
        "earmark_version": about["earmark_version"],
        "schema_version": SCHEMA_VERSION,
        "catalog": catalog.digest,
        "model": model.digest,
        "config": model.config.digest,
        "registry": None if registry is None else registry.digest,
        **{name: None if cases is None else [cases.digest, len(cases.expired)] for name, cases in named(lists)},
    }
    options = {**about["options"], "by_file": by_file or None}
    return Header(started=iso(datetime.now(UTC)), plan={**digests, **options}, about=about)


def _by_file(plan: ScanPlan) -> bool:
    """Return whether shards divide by file, as they did when the scan was begun."""
    begun = read_header(plan.out / JOURNAL_FILE) if plan.resume else None
    if begun is not None:
        return bool(begun.plan.get("by_file"))
    return divides_by_file(str(plan.corpus), plan.reading, plan.shard)


class Listing(Protocol):
    """The entries of a corpus: a `ShardedListing`, or its like of what is no longer at hand."""

    @property
    def listed(self) -> int:
        """Entries of the whole corpus, as far as it was gone through."""

    @property
    def sha256(self) -> str:
        """Of their ids."""

    @property
    def layout(self) -> Layout:
        """How they lie in it."""

    def __iter__(self) -> Iterator[Entry]: ...

    def __next__(self) -> Entry: ...

    def exhaust(self) -> int:
        """Go through what is left, and return how many entries there are in all."""


class Run:
    """One run of a scan, from the replay of those before to the last chunk; `rescan` has one of its own."""

    def __init__(
        self,
        plan: ScanPlan,
        about: dict[str, Any],
        judge: Judge,
        lists: Lists,
        folder: ScanFolder,
        on_item: OnItem | None,
        kept: KeptWriter | None = None,
    ) -> None:
        self._kept = kept
        self._plan, self._judge, self._lists, self._folder, self._on_item = plan, judge, lists, folder, on_item
        # What is compared is as it was when the scan was begun; where things are, they may have been moved since.
        moved = {name: about[name] for name in ("corpus", "catalog", "registry")}
        self._header = dataclasses.replace(folder.header, about=folder.header.about | moved)
        self._listing = self._listed()
        self._tally = Tally()
        self._start = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds that this run and those before it have taken."""
        now = 0.0 if self._folder.finished else time.monotonic() - self._start
        return self._folder.elapsed_s + now

    def replay(self) -> None:
        """Count what earlier runs have completed, and make sure that the corpus still begins with it.

        Of a scan that had come to its end, make sure that nothing was added since.
        """
        if self._kept is None:
            collections.deque(self._replayed(), maxlen=0)
        else:
            self._kept.go_on(self._replayed())
        finished = self._folder.finished
        if finished is not None:
            n_listed = self._listing.exhaust()
            if (n_listed, self._listing.sha256) != (finished.listed, finished.listing_sha256):
                raise self._changed(f"it had {finished.listed:,} entries and has {n_listed:,}, or other ones")

    def _replayed(self) -> Iterator[str]:
        """Yield the ids of what earlier runs have completed."""
        with ItemReader() as reader:
            for record, mark in self._folder.recorded():
                changed = self._difference(next(self._listing, None), record.item, mark, reader)
                if changed is not None:
                    raise self._changed(changed)
                self._tally.add(record)
                yield record.item.item

    def _listed(self) -> "Listing":
        """Return what there is to scan."""
        return ShardedListing(
            list_parts(str(self._plan.corpus), self._plan.reading),
            functools.partial(list_container, options=self._plan.reading),
            self._plan.shard,
            by_file=bool(self._header.plan["by_file"]),
        )

    def _difference(self, entry: Entry | None, row: ItemRow, mark: Mark, reader: ItemReader) -> str | None:
        """Return in words how an entry differs from what was recorded; None if it does not."""
        return difference(entry, row, mark, reader)

    def go_on(self, engine: Engine, stop: Stop) -> bool:
        """Scan the rest, and return whether that came to its end."""
        jobs = self._plan.jobs or engine.n_processors
        procession = Procession(self._listing, engine, jobs, self._plan.limits, stop)
        for settled in procession:
            for one in settled:
                self._write(one)
            self._folder.complete_chunk(self.elapsed_s)
        if procession.is_over:
            self._folder.finish(
                self.elapsed_s,
                listed=self._listing.listed,
                listing_sha256=self._listing.sha256,
                layout=None if self._plan.shard.count == 1 else self._listing.layout,
            )
        return procession.is_over

    def write_summary(self, *, complete: bool, stopped_by: str | None) -> Summary:
        """Write the summary of what there is so far, and return it."""
        summary = summarise(
            self._header,
            self._tally,
            now=datetime.now(UTC),
            elapsed_s=self.elapsed_s,
            complete=complete,
            stopped_by=stopped_by,
        )
        self._folder.write_summary(summary)
        return summary

    def _changed(self, how: str) -> ScanError:
        corpus = str(self._plan.corpus)
        return ScanError(f"the corpus {corpus!r} was changed since the scan was begun: {how}; scan into a new folder")

    def _write(self, one: Settled) -> None:
        if one.left_out is not None:
            record = unheard(one.left_out)
        else:
            record = self._judge.judge(one.id, one.hearing or Hearing(outcome="error"))
        record = exempt(self._lists, record)
        mark = Mark(
            size_bytes=one.size_bytes,
            modified_ns=one.modified_ns,
            decoded_s=record.decoded_s,
            problem=None if record.problem is None else record.problem.kind,
            version=one.version,
        )
        if self._kept is not None:
            self._kept.append(one)
        self._folder.append(record, mark)
        self._tally.add(record)
        if self._on_item is not None:
            self._on_item(record.item, one.size_bytes or 0)
