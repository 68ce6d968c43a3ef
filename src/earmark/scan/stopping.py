"""How a scan is asked to stop: by Ctrl-C, by SIGTERM, or by a caller."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

__all__ = ["Stop", "stop_on_signals"]


class Stop:
    """A request to stop.

    Attributes
    ----------
    reason
        Who asked first, such as "SIGINT"; None as long as nobody did.
    at_once
        Whether the items that are being listened to are not even to be finished.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.at_once = False

    def ask(self, reason: str) -> None:
        """Ask for the stop; the first reason counts. Ctrl-C is in a hurry, and so is whoever asks twice."""
        self.at_once = self.reason is not None or reason == "SIGINT"
        self.reason = self.reason or reason


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into a request to stop, as long as the context lasts; in the main thread only.

    A second SIGINT raises KeyboardInterrupt.
    """
    stop = Stop()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.reason is not None and number == signal.SIGINT:
            signal.default_int_handler(number, frame)
        stop.ask(signal.Signals(number).name)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            # None: the handler was not installed from Python.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
