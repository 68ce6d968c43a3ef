"""The decorator of all kernels: compiled by Numba, kept on disk between runs where a folder can be written."""

import functools
import logging
from collections.abc import Callable
from typing import Any

import numba

__all__ = ["kernel"]

_log = logging.getLogger(__name__)


def kernel(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - Numba's dispatchers have no type
    """Compile a function when it is first called, without Python's lock while it runs.

    The machine code is kept beside the module, else in the user's cache folder, else in `$NUMBA_CACHE_DIR`. Where none
    of these can be written, as in a container with a read-only file system, it is compiled anew in every process.

    Parameters
    ----------
    function : callable
        Of arrays and scalars, calling kernels of its own module alone: a cached caller would keep a stale callee of
        another file.

    Returns
    -------
    numba dispatcher
        To be called like the function.

    Examples
    --------
    >>> @kernel
    ... def twice(x):
    ...     return 2 * x
    >>> twice(4)
    8
    """
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # Numba's "no locator available"
        _tell_once()
        return numba.njit(nogil=True)(function)


@functools.cache
def _tell_once() -> None:
    _log.warning(
        "no folder for compiled code can be written, so every process compiles for half a minute: "
        "set NUMBA_CACHE_DIR to a folder that can be written"
    )
