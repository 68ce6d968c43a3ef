"""Recordings to sketches, on a pool of processes: a file that brings a process down costs only itself."""

import collections
import contextlib
import dataclasses
import hashlib
import itertools
import logging
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from earmark.audio import SAMPLE_RATE, stream
from earmark.audio.tags import Tags, read_tags
from earmark.catalog.track import Sketch
from earmark.errors import AudioError, CatalogError, TruncatedAudioError
from earmark.fingerprint import FingerprintConfig, Model, TrackFingerprint, TrackFingerprinter
from earmark.fingerprint.model import dump_model, read_model

__all__ = ["Heard", "hear", "hear_all", "sketch"]

_log = logging.getLogger(__name__)

# Sources waiting or done early, for each process: enough that none idles while a long file holds up the order.
_AHEAD: Final = 8
# What the audio reader calls the file in its messages; the report names it in its own column.
_NAME: Final = "file"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What became of a recording.

    Attributes
    ----------
    sketch : Sketch or None
        None if there is nothing to index.
    error : str or None
        Why not.
    warning : str or None
        What is wrong with what was heard.
    tags : Tags
    duration_s : float
        Seconds that were heard.
    """

    sketch: Sketch | None = None
    error: str | None = None
    warning: str | None = None
    tags: Tags = dataclasses.field(default_factory=Tags)
    duration_s: float = 0.0


def hear(path: Path, model: Model) -> Heard:
    """Decode and fingerprint a recording.

    Parameters
    ----------
    path : Path
    model : Model

    Returns
    -------
    Heard
        A truncated recording gives the sketch of what came before, and a warning.
    """
    fingerprinter, warning = TrackFingerprinter(model), None
    try:
        with stream(path, name=_NAME) as recording:
            try:
                for y in recording:
                    fingerprinter.push(y)
            except TruncatedAudioError as error:
                warning = _words(error)
            if recording.n_nonfinite and warning is None:
                warning = f"{recording.n_nonfinite} samples that are no finite numbers were taken as 0"
    except AudioError as error:
        return Heard(error=_words(error))
    made = fingerprinter.finish()
    duration_s = made.n_samples / SAMPLE_RATE
    why_not = _unusable(made, model)
    if why_not is not None:
        return Heard(error=f"{why_not} ({warning})" if warning else why_not, duration_s=duration_s)
    return Heard(sketch=sketch(made), warning=warning, tags=read_tags(path), duration_s=duration_s)


def sketch(made: TrackFingerprint) -> Sketch:
    """Return a track's fingerprint under its digest."""
    content = hashlib.sha256(made.n_samples.to_bytes(8, "little"))
    content.update(made.words.astype("<u8").tobytes())
    content.update(made.patches.tobytes())
    return Sketch(n_samples=made.n_samples, words=made.words, patches=made.patches, content=content.digest())


def hear_all(paths: Iterable[Path | None], model: Model, jobs: int) -> Generator[Heard | None]:
    """Hear many recordings at once and yield what became of each, in their order.

    Parameters
    ----------
    paths : iterable of Path or None
        Taken as processes come free, not at once. None holds a place in the order, of something not to be heard.
    model : Model
    jobs : int
        Processes, >= 1. They are spawned, not forked.

    Yields
    ------
    Heard or None
        None for None.

    Raises
    ------
    CatalogError
        If no process can be started.
    """
    waiting = _Queue(paths)
    while waiting.has_more():
        running: collections.deque[tuple[Path, Future[Heard]] | None] = collections.deque()
        try:
            with _Pool(jobs, model) as pool:
                pool.check()
                while running or waiting.has_more():
                    while len(running) < _AHEAD * jobs and waiting.has_more():
                        path = waiting.first
                        running.append(None if path is None else (path, pool.submit(path)))
                        waiting.take()  # only now: a broken pool takes nothing
                    heard = None if running[0] is None else _result(*running[0])
                    running.popleft()
                    yield heard
        except BrokenProcessPool:
            # One of those running was the cause; which one is found out by hearing each by itself.
            for place in running:
                yield None if place is None else _hear_alone(*place, model)


class _Queue:
    """Paths that are looked at before they are taken."""

    def __init__(self, paths: Iterable[Path | None]) -> None:
        self._paths = iter(paths)
        self._ahead: list[Path | None] = []

    @property
    def first(self) -> Path | None:
        return self._ahead[0]

    def has_more(self) -> bool:
        if not self._ahead:
            self._ahead.extend(itertools.islice(self._paths, 1))
        return bool(self._ahead)

    def take(self) -> None:
        self._ahead.clear()


def _hear_alone(path: Path, future: Future[Heard], model: Model) -> Heard:
    """Return what a broken pool still brought about, or hear a recording in a process of its own."""
    if future.done() and not future.cancelled() and future.exception() is None:
        return future.result()
    try:
        with _Pool(1, model) as pool:
            return _result(path, pool.submit(path))
    except BrokenProcessPool:
        return Heard(error="the process that read it died (a crash in a decoder, or out of memory)")


def _result(path: Path, future: Future[Heard]) -> Heard:
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is about this file alone
        _log.error("hearing %r failed", str(path), exc_info=error)
        return Heard(error=f"unexpected error: {error!r}")


class _Pool:
    """Spawned worker processes that end with the block, at once if it ends by an exception, or with this process.

    ProcessPoolExecutor alone would finish what runs, and its workers would outlive a killed parent, waiting on their
    queue for ever. So each holds one end of a pipe; when the other closes, however that happens, it goes. The model
    goes to them by a file: what is handed to a spawned process directly is written to a pipe before it runs, and if it
    dies in between, more than a pipe holds keeps this process writing for ever (Python 3.11).
    """

    def __init__(self, jobs: int, model: Model) -> None:
        context = multiprocessing.get_context("spawn")
        self._lifeline, self._held = context.Pipe(duplex=False)
        self._model = tempfile.NamedTemporaryFile(prefix="earmark-model-")  # noqa: SIM115 - closed with the pool
        self._model.write(dump_model(model))
        self._model.flush()
        about_model = (Path(self._model.name), model.config, model.digest)
        self._executor = ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_start_worker, initargs=(self._lifeline, *about_model)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._held.close()
        self._executor.shutdown(cancel_futures=True)
        self._held.close()
        self._lifeline.close()
        with contextlib.suppress(FileNotFoundError):  # a cleaner of temporary files may have been there first
            self._model.close()

    def check(self) -> None:
        """Raise CatalogError unless a worker can be started."""
        try:
            self._executor.submit(os.getpid).result()
        except BrokenProcessPool as error:
            raise CatalogError(
                "no worker process can be started; a script that builds a catalog has to do so under "
                "'if __name__ == \"__main__\":', as its workers import it"
            ) from error

    def submit(self, path: Path) -> Future[Heard]:
        """Have a worker hear a recording."""
        return self._executor.submit(_hear_in_worker, path)


class _Worker:
    """What a worker process holds."""

    model: Model


def _start_worker(lifeline: Connection, model: Path, config: FingerprintConfig, digest: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    _Worker.model = dataclasses.replace(read_model(model.read_bytes()), config=config)
    if _Worker.model.digest != digest:
        raise CatalogError(f"the model changed on its way to a worker: {_Worker.model.digest}, expected {digest}")
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()


def _end_with_parent(lifeline: Connection) -> None:
    lifeline.poll(None)  # nothing is ever sent
    os._exit(1)


def _hear_in_worker(path: Path) -> Heard:
    return hear(path, _Worker.model)


def _unusable(made: TrackFingerprint, model: Model) -> str | None:
    config = model.config
    if not len(made.patches):
        least_s = (config.n_fft + (config.patch_frames - 1) * config.hop_length) / config.sr
        return f"too short: {made.n_samples / SAMPLE_RATE:.2f} s, at least {least_s:.2f} s are needed"
    if not made.patches.any():
        return "silent, or nothing but steady noise: there is nothing to recognise it by"
    return None


def _words(error: AudioError) -> str:
    return str(error).removeprefix(f"{_NAME}: ")
