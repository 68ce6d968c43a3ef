"""How far a scan is: as a bar on a terminal, in the log elsewhere."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from earmark.corpus import Container, CorpusOptions, Item, list_parts, local_path
from earmark.errors import CorpusError
from earmark.scan import ItemRow

__all__ = ["scan_progress"]

logger = logging.getLogger(__name__)

_TELL_S = 60.0

OnItem = Callable[[ItemRow, int], None]


@contextlib.contextmanager
def scan_progress(
    corpus: str | Path, reading: CorpusOptions | None = None, *, wanted: bool, total: int | None = None
) -> Iterator[OnItem]:
    """Give the callback that moves a bar; without a terminal, one that logs how far the scan is once a minute.

    The bar goes by bytes. How many there are in all is found by a listing of its own beside the scan, so that a
    corpus of millions of files does not keep the first of them waiting.

    Parameters
    ----------
    corpus
        What is scanned.
    reading
        How it is read.
    wanted
        Whether there may be a bar.
    total
        Bytes of the items, if they are known; the corpus is not listed then.
    """
    if not (wanted and sys.stderr.isatty()):
        yield _LoggedProgress()
        return
    over = threading.Event()
    with _bar() as progress:
        task = progress.add_task("scanning", total=total, n_items=0, rate="")
        lister = threading.Thread(target=_find_total, args=(str(corpus), reading, progress, task, over), daemon=True)
        if total is None:
            lister.start()
        start, n_items, scanned_s = time.monotonic(), 0, 0.0

        def on_item(row: ItemRow, size_bytes: int) -> None:
            nonlocal n_items, scanned_s
            n_items, scanned_s = n_items + 1, scanned_s + row.scanned_s
            rate = scanned_s / max(time.monotonic() - start, 1e-3)
            progress.update(task, advance=size_bytes, n_items=n_items, rate=f"{rate:,.0f} x realtime")

        try:
            yield on_item
        finally:
            over.set()
            if total is None:
                lister.join()


class _LoggedProgress:
    """Tells a log how far a scan is, now and then."""

    def __init__(self) -> None:
        self._start = self._told = time.monotonic()
        self._n_items, self._scanned_s = 0, 0.0

    def __call__(self, row: ItemRow, size_bytes: int) -> None:  # noqa: ARG002 - as the bar's
        self._n_items, self._scanned_s = self._n_items + 1, self._scanned_s + row.scanned_s
        now = time.monotonic()
        if now - self._told < _TELL_S:
            return
        self._told = now
        rate = self._scanned_s / (now - self._start)
        hours = round(self._scanned_s / 3600, 3)
        logger.info(
            "scanning: %d items, %.1f hours of audio, %.0f x realtime",
            *(self._n_items, hours, rate),
            extra={"fields": {"items": self._n_items, "hours": hours, "realtime": round(rate, 1), "last": row.item}},
        )


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[n_items]:,} items"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _find_total(
    corpus: str, reading: CorpusOptions | None, progress: Progress, task: TaskID, over: threading.Event
) -> None:
    """Tell the bar how many bytes there are; leave it as it is if that cannot be found, or only by fetching."""
    if local_path(corpus) is None:
        return
    total = 0
    with contextlib.suppress(CorpusError, OSError):  # the scan itself meets the same and reports it
        for part in list_parts(corpus, reading or CorpusOptions()):
            if over.is_set():
                return
            if isinstance(part, Item):
                total += part.size_bytes or 0
            elif isinstance(part, Container):  # to open it may be to unpack it, and audio does not pack much
                total += Path(part.location).stat().st_size
        progress.update(task, total=total)
