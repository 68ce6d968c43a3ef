"""From an item to what is heard in it: decoded, fingerprinted and matched, with no word yet about rights."""

import dataclasses
import io
import logging
import math
import os
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from earmark.audio import AudioStream, stream
from earmark.catalog import Catalog, Track
from earmark.corpus import NOT_REACHABLE, Item, ItemReader
from earmark.errors import AudioError, CatalogError, CorpusError, ScanError, TruncatedAudioError
from earmark.fingerprint import FingerprintConfig, Fingerprinter, Model
from earmark.matching import Match
from earmark.scan.catalog_shard import Found, Laid, Search
from earmark.scan.keeping import fingerprint_from_bytes, fingerprint_to_bytes

__all__ = ["NOT_REACHED", "OUT_OF_MEMORY", "Hearing", "KeptItem", "Listener", "Problem", "shortest_s", "too_large"]

logger = logging.getLogger(__name__)

_NAME = "item"  # what the audio reader is told to call it; the row has the true name in another column
OUT_OF_MEMORY = "too much memory"
"""Kind of the problem of an item that memory did not suffice for."""
NOT_REACHED = "not reachable"
"""Kind of the problem of an item elsewhere that could not be had for a minute."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What went wrong with an item, or was left out.

    Attributes
    ----------
    kind
        In a word or two that many items share, for counting.
    words
        The whole story, in one line.
    """

    kind: str
    words: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Hearing:
    """What was heard in one item.

    Attributes
    ----------
    outcome
        "heard", "error" or "skipped".
    sha256
        Of the file's bytes; None if they could not be read.
    duration_s
        As in `ItemRow`.
    decoded_s, scanned_s
        Seconds that were decoded, and those of them that were compared with the catalog.
    found
        The matches by start, each with its track.
    problem
        What went wrong, which can be little enough for the rest to have been heard.
    laid
        For each of `found` what it takes to hold it against those of other shards of the catalog, where there are any
        that others have looked through.
    kept
        The fingerprint as bytes, if it was to be kept and there is one.
    """

    outcome: str
    sha256: str | None = None
    duration_s: float | None = None
    decoded_s: float = 0.0
    scanned_s: float = 0.0
    found: tuple[tuple[Match, Track], ...] = ()
    problem: Problem | None = None
    laid: tuple[Laid, ...] = dataclasses.field(default=(), compare=False)
    kept: bytes | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class KeptItem(Item):
    """An item whose fingerprint an earlier scan has kept; its source is where that is.

    Attributes
    ----------
    hearing
        What that scan heard, less what it found.
    has_fingerprint
        Whether there is one; else nothing can be found.
    """

    hearing: Hearing
    has_fingerprint: bool


_OUT_OF_MEMORY = Problem(kind=OUT_OF_MEMORY, words="needs more memory than a worker may use for an item")


class Listener:
    """Listens to items, one after the other.

    Parameters
    ----------
    catalogs
        What to look for: a catalog, or several that are shards of one.
    model
        The model that the catalogs were made with.
    effort, max_e_value, whole_s
        As for `Search`.
    min_seconds
        Recordings with less audio are left out by rule.
    max_bytes
        Items with more bytes are left out by rule, which for some only opening tells; None takes all.
    keep
        Whether to return fingerprints, too.
    on_progress
        Called in the middle of an item with the seconds decoded so far.
    """

    def __init__(
        self,
        catalogs: Sequence[Catalog],
        model: Model,
        *,
        effort: str,
        max_e_value: float,
        whole_s: float | None = None,
        min_seconds: float = 0.0,
        max_bytes: int | None = None,
        keep: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        self._model, self._keep = model, keep
        self._min_seconds, self._on_progress = min_seconds, on_progress
        self._max_bytes = math.inf if max_bytes is None else max_bytes
        self._reader = ItemReader()
        self._search = Search(catalogs, model, effort=effort, max_e_value=max_e_value, whole_s=whole_s)

    def listen(self, item: Item) -> Hearing:
        """Return what an item holds; never raises for what is wrong with the item.

        Raises
        ------
        CatalogError
            If the catalog turns out to be damaged, for then no item's result can be relied on.
        """
        sha256 = None
        if isinstance(item, KeptItem):
            return self._recall(item)
        try:
            with self._reader.open(item) as file:
                before, size_bytes = _state(file), file.seek(0, io.SEEK_END)
                if size_bytes > self._max_bytes:
                    return too_large(size_bytes, int(self._max_bytes))
                file.seek(0)
                sha256 = self._reader.sha256(item, file)
                with stream(file, name=_NAME, start_s=item.start_s, duration_s=item.duration_s) as recording:
                    hearing = self._hear(recording, sha256)
                return _with_change(hearing, before, _state(file))
        except CatalogError:
            raise
        except AudioError as error:
            problem = Problem(kind="not decodable", words=_words(error))
        except CorpusError as error:
            problem = Problem(kind="not readable", words=str(error))
        except MemoryError:
            problem = _OUT_OF_MEMORY
        except OSError as error:
            kind = NOT_REACHED if error.errno == NOT_REACHABLE else "not readable"
            problem = Problem(kind=kind, words=error.strerror or str(error))
        except Exception as error:  # one item's accident, whatever it is, must not cost the others
            logger.exception("unexpected failure with item %r", item.id)
            problem = Problem(kind="internal error", words=f"internal error: {type(error).__name__}: {error}")
        return Hearing(outcome="error", sha256=sha256, problem=problem)

    def close(self) -> None:
        """Close what items were read from. May be called twice."""
        self._reader.close()

    def _hear(self, recording: AudioStream, sha256: str) -> Hearing:
        fingerprinter, problems = Fingerprinter(self._model), []
        duration_s: float | None
        try:
            for y in recording:
                fingerprinter.push(y)
                if self._on_progress is not None:
                    self._on_progress(recording.decoded_s)
            duration_s = recording.decoded_s
        except TruncatedAudioError as error:
            duration_s = _declared_s(recording)
            problems.append(Problem(kind="truncated", words=_words(error)))
        except MemoryError:
            duration_s = _declared_s(recording)
            problems.append(_OUT_OF_MEMORY)
        if recording.n_nonfinite:
            words = f"{recording.n_nonfinite:,} samples are NaN or infinite and were read as silence"
            problems.append(Problem(kind="samples not finite", words=words))
        if recording.n_tracks > 1:
            words = f"has {recording.n_tracks} audio tracks, of which the first was scanned"
            problems.append(Problem(kind="further audio tracks", words=words))
        fingerprint = fingerprinter.finish()
        found: tuple[Found, ...] = ()
        outcome, scanned_s, kept = "heard", recording.decoded_s, None
        if len(fingerprint.patches) and recording.decoded_s >= self._min_seconds:
            found = self._search.find(fingerprint)
            kept = fingerprint_to_bytes(fingerprint, self._model) if self._keep else None
        else:
            # Of a whole recording that short there is nothing to hear; of a part of one, who knows.
            outcome = "error" if duration_s != recording.decoded_s else "skipped"
            scanned_s = 0.0
            problems.append(self._too_short(recording))
        return Hearing(
            outcome=outcome,
            sha256=sha256,
            duration_s=duration_s,
            decoded_s=recording.decoded_s,
            scanned_s=scanned_s,
            problem=_joined(problems),
            kept=kept,
            **_as_heard(found),
        )

    def _recall(self, item: KeptItem) -> Hearing:
        """Return what an item holds whose fingerprint was kept."""
        hearing = item.hearing
        if not item.has_fingerprint:
            return hearing
        if self._on_progress is not None:
            self._on_progress(hearing.decoded_s)  # so that it has the time of one so long
        try:
            with self._reader.open(item) as file:
                fingerprint = fingerprint_from_bytes(file.read(), self._model)
            return dataclasses.replace(hearing, **_as_heard(self._search.find(fingerprint)))
        except CatalogError:
            raise
        except (ScanError, CorpusError, OSError) as error:
            problem = Problem(kind="kept fingerprint not readable", words=str(error))
        except MemoryError:
            problem = _OUT_OF_MEMORY
        except Exception as error:  # as in `listen`
            logger.exception("unexpected failure with item %r", item.id)
            problem = Problem(kind="internal error", words=f"internal error: {type(error).__name__}: {error}")
        return Hearing(outcome="error", sha256=hearing.sha256, duration_s=hearing.duration_s, problem=problem)

    def _too_short(self, recording: AudioStream) -> Problem:
        least_s, asked_s = shortest_s(self._model.config), self._min_seconds
        rule = (
            f"asked for are {asked_s:g} s or more"
            if asked_s > least_s
            else f"nothing under {least_s:.2f} s can be matched"
        )
        return Problem(kind="too short", words=f"{recording.decoded_s:.3f} s of audio; {rule}")


def too_large(size_bytes: int, max_bytes: int) -> Hearing:
    """Return that an item is left out for its size."""
    words = f"{size_bytes:,} bytes; asked for are {max_bytes:,} or less"
    return Hearing(outcome="skipped", problem=Problem(kind="too large", words=words))


def shortest_s(config: FingerprintConfig) -> float:
    """Return the seconds of audio that one patch needs: nothing shorter can be matched.

    Examples
    --------
    >>> shortest_s(FingerprintConfig())
    2.08
    """
    return ((config.patch_frames - 1) * config.hop_length + config.n_fft) / config.sr


def _as_heard(found: Sequence[Found]) -> dict[str, Any]:
    """Return what was found as a `Hearing` has it."""
    return {
        "found": tuple((one.match, one.track) for one in found),
        "laid": tuple(one.laid for one in found if one.laid is not None),
    }


def _state(file: BinaryIO) -> tuple[int, int] | None:
    """Return size and time of change of an open file, None of what is no file of the system."""
    if not isinstance(file, io.BufferedReader):  # to ask a spooled file for its number moves it to the disk
        return None
    try:
        about = os.fstat(file.fileno())
    except OSError:  # io.UnsupportedOperation is one
        return None
    return about.st_size, about.st_mtime_ns


def _with_change(hearing: Hearing, before: tuple[int, int] | None, after: tuple[int, int] | None) -> Hearing:
    """Add that a file was written to while it was read: nobody knows then of which bytes the digest is."""
    if before is None or after is None or before == after:
        return hearing
    words = f"changed while it was read: had {before[0]:,} bytes, has {after[0]:,} bytes"
    problem = Problem(kind="changed while read", words=words)
    problems = [problem] if hearing.problem is None else [problem, hearing.problem]
    outcome = "error" if hearing.outcome == "skipped" else hearing.outcome
    return dataclasses.replace(hearing, outcome=outcome, sha256=None, problem=_joined(problems))


def _declared_s(recording: AudioStream) -> float | None:
    """Return the length of a recording that stops early, None if it is not declared."""
    declared_s = recording.declared_s
    return declared_s if declared_s is not None and declared_s > recording.decoded_s else None


def _joined(problems: list[Problem]) -> Problem | None:
    """Return all problems as one, of the first one's kind."""
    if not problems:
        return None
    return Problem(kind=problems[0].kind, words="; ".join(problem.words for problem in problems))


def _words(error: Exception) -> str:
    return str(error).removeprefix(f"{_NAME}: ")
