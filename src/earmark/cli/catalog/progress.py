"""How far a long command on a catalog is: as a bar on a terminal, in the log elsewhere."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from earmark.catalog import Progress as CatalogProgress

__all__ = ["catalog_progress"]

logger = logging.getLogger(__name__)

_TELL_S = 60.0

OnProgress = Callable[[CatalogProgress], None]


@contextlib.contextmanager
def catalog_progress(doing: str, *, wanted: bool) -> Iterator[OnProgress]:
    """Give the callback that moves a bar with rate and time left; without a terminal, one that logs them once a minute.

    Parameters
    ----------
    doing
        What the command does, such as "indexing".
    wanted
        Whether there may be a bar.
    """
    start = time.monotonic()
    if not (wanted and sys.stderr.isatty()):
        yield _LoggedProgress(doing, start)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None, state="")
        unit = "tracks"

        def move(at: CatalogProgress) -> None:
            nonlocal start, unit
            if at.unit != unit:  # verified, now taken in: another count, at another rate
                start, unit = time.monotonic(), at.unit
                bar.reset(task)
            state = _in_words(at, time.monotonic() - start)
            bar.update(task, completed=at.n_done, total=at.n_total, state=state)

        yield move


class _LoggedProgress:
    """Tells a log how far it is, now and then."""

    def __init__(self, doing: str, start: float) -> None:
        self._doing, self._start, self._told, self._unit = doing, start, start, "tracks"

    def __call__(self, at: CatalogProgress) -> None:
        now = time.monotonic()
        if at.unit != self._unit:
            self._start, self._unit = now, at.unit
        if now - self._told < _TELL_S or not at.n_done:
            return
        self._told = now
        elapsed_s = now - self._start
        left_s = round(elapsed_s * (at.n_total - at.n_done) / at.n_done)
        fields = {"done": at.n_done, "total": at.n_total, "hours": round(at.duration_s / 3600, 3), "left_s": left_s}
        logger.info(
            "%s: %d %%, %s, about %d s left",
            *(self._doing, 100 * at.n_done // at.n_total, _in_words(at, elapsed_s), left_s),
            extra={"fields": fields},
        )


def _in_words(at: CatalogProgress, elapsed_s: float) -> str:
    """Return what is done and how fast."""
    elapsed_s = max(elapsed_s, 1e-3)
    if at.unit == "tracks":
        heard = f"{at.duration_s / 3600:,.1f} h, {at.duration_s / elapsed_s:,.0f} x realtime"
        rate = heard if at.duration_s else f"{at.n_done / elapsed_s:,.0f} a second"
        return f"{at.n_done:,} of {at.n_total:,}, {rate}"
    return f"{at.n_done / 1e6:,.0f} of {at.n_total / 1e6:,.0f} MB, {at.n_done / 1e6 / elapsed_s:,.0f} MB/s"
