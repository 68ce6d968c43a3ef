"""The query path composed: a corpus is listed, listened to by a crew of workers, judged, and written down."""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from earmark.catalog import open_catalog
from earmark.corpus import Entry, Item, list_corpus
from earmark.fingerprint import load_model
from earmark.matching import Matcher
from earmark.rights import Recording, decide, read_registry
from earmark.scan.crew import Crew
from earmark.scan.exemptions import exempt, read_lists
from earmark.scan.folder import ScanFolder, check_out
from earmark.scan.judging import ItemRecord, Judge, unheard
from earmark.scan.listening import Hearing
from earmark.scan.plan import ScanPlan, available_processors, check_plan
from earmark.scan.rows import ItemRow
from earmark.scan.stopping import Stop
from earmark.scan.summary import Circumstances, Summary, Tally, summarise
from earmark.scan.worker import WorkerSetup

__all__ = ["scan"]

# Records that wait for an earlier item, per worker: with items of 4 minutes some 10 s of work, a few hundred kB.
_WINDOW = 64
_POLL_S = 0.2  # how long a request to stop may go unnoticed


def scan(plan: ScanPlan, *, stop: Stop | None = None, on_item: Callable[[ItemRow, int], None] | None = None) -> Summary:
    """Scan a corpus and write `matches.jsonl`, `items.jsonl` and `summary.json`.

    Lines come in the order of the item ids, however many workers there are, and are written as the scan goes. A
    scan that is stopped leaves whole lines, each true, and a summary that says that it is not complete. Workers are
    started with `spawn`: a script that calls this must do so under ``if __name__ == "__main__":``.

    Parameters
    ----------
    plan
        What to do.
    stop
        Looked at a few times a second; once it is asked for, the items being listened to are given up.
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
        If `plan.out` cannot be used, or workers cannot be started.
    """
    check_plan(plan)
    check_out(plan.out, plan.corpus)
    model = load_model()
    catalog = open_catalog(plan.catalog, model)
    Matcher(catalog, model, effort=plan.effort, max_e_value=plan.max_e_value)  # what it raises, it raises here
    registry = None if plan.registry is None else read_registry(plan.registry)
    decide(Recording(), registry, plan.use)  # likewise
    entries = list_corpus(str(plan.corpus), plan.reading)
    started = datetime.now(UTC)
    lists = read_lists(plan.allow, plan.ignore, started.date())
    about = Circumstances(plan=plan, catalog=catalog, model=model, registry=registry, started=started, lists=lists)
    setup = WorkerSetup(catalog=plan.catalog, effort=plan.effort, max_e_value=plan.max_e_value)
    stop, tally, judge = stop or Stop(), Tally(), Judge(registry, plan.use)
    with ScanFolder(plan.out) as folder:
        folder.write_summary(summarise(about, tally, now=about.started, complete=False, stopped_by=None))
        stopped_by: str | None = "an error"
        try:
            with Crew(setup, catalog.digest) as crew:
                jobs = plan.jobs or available_processors()
                for entry, hearing in _hearings(entries, crew, jobs, stop):
                    record = exempt(lists, _record(entry, hearing, judge))
                    folder.append(record)
                    tally.add(record)
                    if on_item is not None:
                        on_item(record.item, (entry.size_bytes or 0) if isinstance(entry, Item) else 0)
            stopped_by = stop.reason
        except KeyboardInterrupt:
            stopped_by = "SIGINT"
            raise
        finally:
            complete = stopped_by is None
            summary = summarise(about, tally, now=datetime.now(UTC), complete=complete, stopped_by=stopped_by)
            folder.write_summary(summary)
    return summary


def _record(entry: Entry, hearing: Hearing | None, judge: Judge) -> ItemRecord:
    if isinstance(entry, Item):
        return judge.judge(entry, hearing or Hearing(outcome="error"))
    return unheard(entry)


class _Place:
    """An entry of the listing in the queue, with what was heard of it once that is known."""

    __slots__ = ("entry", "hearing", "settled")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.hearing: Hearing | None = None
        self.settled = not isinstance(entry, Item)


def _hearings(entries: Iterator[Entry], crew: Crew, jobs: int, stop: Stop) -> Iterator[tuple[Entry, Hearing | None]]:
    """Yield the entries in their order, each item with what was heard; after a stop, those that are finished."""
    queue: deque[_Place] = deque()  # all entries that were read and not yet yielded
    places: dict[str, _Place] = {}  # those of them that are not settled
    waiting: deque[Item] = deque()  # those of them that no worker has yet
    at_end = False
    while stop.reason is None and (queue or not at_end):
        while not at_end and len(queue) < _WINDOW * jobs and len(waiting) < jobs:
            entry = next(entries, None)
            if entry is None:
                at_end = True
                break
            queue.append(_Place(entry))
            if isinstance(entry, Item):
                places[entry.id] = queue[-1]
                waiting.append(entry)
        crew.grow_to(min(jobs, crew.n_busy + len(waiting)))
        while waiting and crew.hand(waiting[0]):
            waiting.popleft()
        while queue and queue[0].settled:
            place = queue.popleft()
            yield place.entry, place.hearing
        for item, hearing in crew.collect(_POLL_S if places else 0.0):
            place = places.pop(item.id)
            place.hearing, place.settled = hearing, True
    for place in queue:
        if place.settled:
            yield place.entry, place.hearing
