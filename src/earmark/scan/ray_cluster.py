"""The connection to a Ray cluster, with its failures in words."""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

from earmark.errors import ScanError

__all__ = ["connected"]

logger = logging.getLogger(__name__)

_REACHED_S = 10.0  # Ray itself tries for minutes
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}  # a scan tells nobody about itself


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Connect to a Ray cluster as long as the context lasts, and give the module `ray`.

    Parameters
    ----------
    address
        As `ray.init` takes it: "host:port", "auto", or "local" for a new one on this machine. None leaves it to Ray:
        the one that RAY_ADDRESS names, or that runs on this machine, and otherwise a new one. A program that is
        connected already stays connected to what it is.

    Raises
    ------
    ScanError
        If Ray is not installed, or the cluster cannot be reached or used.
    """
    try:
        import ray
    except ImportError as error:
        raise ScanError("the engine ray needs Ray: pip install 'earmark[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    with _signals_kept(), _environment(_QUIET):
        try:
            _reach(os.environ.get("RAY_ADDRESS") if address is None else address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING, include_dashboard=False)
        except (RuntimeError, ValueError, OSError, OverflowError) as error:
            place = "a Ray cluster on this machine" if address in (None, "local") else f"the Ray cluster {address!r}"
            raise ScanError(f"{place} cannot be used: {' '.join(str(error).split())}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _reach(address: str | None) -> None:
    """Make sure that something listens at an address, if it is "host:port".

    Raises
    ------
    OSError
        If nothing does.
    """
    host, _, port = (address or "").rpartition(":")
    if host and "/" not in host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACHED_S).close()


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep the handlers of signals that are set: Ray puts its own in their place, which end the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: the handler was not installed from Python.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set what is not set, as long as the context lasts."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]
