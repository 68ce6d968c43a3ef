"""The sources of a build in their order: each file is digested, and heard only if its bytes are new."""

import collections
import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from earmark.catalog.hearing import Heard, hear_all
from earmark.catalog.sources import Source
from earmark.fingerprint import Model

__all__ = ["Arrival", "arrivals"]

_AHEAD: Final = 4  # files digested before they are wanted, for each process


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A source, at its turn.

    Attributes
    ----------
    source : Source
    sha256 : bytes or None
        Of the file; None if it cannot be read.
    heard : Heard or None
        None if it was not wanted, or the file of an earlier source has the same bytes.
    """

    source: Source
    sha256: bytes | None
    heard: Heard | None


def arrivals(
    sources: Iterable[Source], model: Model, jobs: int, is_wanted: Callable[[Source, bytes], bool]
) -> Generator[Arrival]:
    """Yield every source in order, those heard whose bytes are new.

    Parameters
    ----------
    sources : iterable of Source
    model : Model
    jobs : int
        Processes, >= 1.
    is_wanted : callable
        Takes a source and the SHA-256 of its file and says whether it is to be heard; not asked again for the same
        bytes. It is asked some sources ahead.

    Yields
    ------
    Arrival
    """
    waiting: collections.deque[tuple[Source, bytes | None]] = collections.deque()
    seen: set[bytes] = set()

    def to_hear() -> Iterator[Path | None]:
        for source, sha256 in _digested(sources, jobs):
            waiting.append((source, sha256))
            if sha256 is None:
                yield source.path  # whoever hears it says what is wrong
            elif sha256 not in seen and is_wanted(source, sha256):
                seen.add(sha256)
                yield source.path
            else:
                yield None

    with contextlib.closing(hear_all(to_hear(), model, jobs)) as all_heard:
        for heard in all_heard:
            source, sha256 = waiting.popleft()
            yield Arrival(source=source, sha256=sha256, heard=heard)


def _digested(sources: Iterable[Source], jobs: int) -> Iterator[tuple[Source, bytes | None]]:
    running: collections.deque[tuple[Source, Future[bytes | None]]] = collections.deque()
    with ThreadPoolExecutor(jobs) as pool:
        for source in sources:
            running.append((source, pool.submit(_sha256, source.path)))
            if len(running) > _AHEAD * jobs:
                first, digest = running.popleft()
                yield first, digest.result()
        for first, digest in running:
            yield first, digest.result()


def _sha256(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError):
        return None
