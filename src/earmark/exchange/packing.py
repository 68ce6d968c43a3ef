"""Making a pack of a catalog: all of it, some labels, or what has changed since an earlier state."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from pyrage.x25519 import Recipient

import earmark
from earmark.audio import SAMPLE_RATE
from earmark.audit import fingerprint_of
from earmark.audit.keys import read_private_key
from earmark.catalog import (
    NAMED_COLUMNS,
    Catalog,
    CatalogState,
    Change,
    Progress,
    TrackReader,
    entries_from,
    entry_of,
    live_rows,
    open_catalog,
    state_from,
)
from earmark.errors import PackError, PackMismatchError
from earmark.exchange.contents import ADDED, CORRECTED, DEFAULT_COLUMNS, PackedTrack, check_columns, write_tracks
from earmark.exchange.pack_file import Header, pack_bytes
from earmark.exchange.sealing import encrypted
from earmark.fingerprint import Model

__all__ = ["GONE_PART", "STATE_PART", "TRACKS_PART", "PackReport", "pack"]

GONE_PART, STATE_PART, TRACKS_PART = "gone", "state", "tracks"
_LABELS_SHOWN: Final = 10

OnProgress = Callable[[Progress], None]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PackReport:
    """What is in a pack.

    Attributes
    ----------
    header
        What it says of itself.
    n_bytes
        Of its file.
    signer
        Fingerprint of the public key; None if it is not signed.
    """

    header: Header
    n_bytes: int
    signer: str | None


def pack(
    catalog: Path,
    out: Path,
    *,
    model: Model,
    columns: Sequence[str] = DEFAULT_COLUMNS,
    labels: Sequence[str] | None = None,
    since: CatalogState | None = None,
    key: Path | None = None,
    recipients: Sequence[Recipient] = (),
    on_progress: OnProgress | None = None,
) -> PackReport:
    """Write fingerprints and track table of a catalog into one file.

    Memory does not grow with the catalog, but for 24 bytes a track.

    Parameters
    ----------
    catalog
        The catalog.
    out
        A file that is not there yet; it appears when it is whole.
    model
        That the catalog was made with.
    columns
        Of the track table to hand out, besides `track_id`; further columns of the metadata file by their names.
    labels
        Hand out tracks of these alone; None for all.
    since
        Hand out what has changed since; None for everything.
    key
        File of the Ed25519 key to sign with; None leaves it unsigned.
    recipients
        Who can read it, each alone; nobody for everybody.
    on_progress
        Called after each track.

    Returns
    -------
    PackReport

    Raises
    ------
    PackError
        If `out` is there or cannot be written, nothing is chosen, or no track has one of the columns.
    PackMismatchError
        If `since` is of another model or has other columns.
    CatalogError
        As for `open_catalog`.
    AuditError
        If the key cannot be used.
    """
    private = None if key is None else read_private_key(key)
    if out.exists():
        raise PackError(f"{out} exists; expected a new file")
    chosen = check_columns(columns)
    opened = open_catalog(catalog, model)
    try:
        selection = _Selection(opened, chosen, labels, since)
        header = selection.header(model)
        parts = selection.parts(on_progress)
        n_bytes = _write(out, lambda file: encrypted(pack_bytes(header, parts, private), recipients, file))
    finally:
        opened.close()
    signer = None if private is None else fingerprint_of(private.public_key())
    return PackReport(header=header, n_bytes=n_bytes, signer=signer)


class _Selection:
    """What of a catalog goes into a pack, and as what."""

    def __init__(
        self, catalog: Catalog, columns: tuple[str, ...], labels: Sequence[str] | None, since: CatalogState | None
    ) -> None:
        self._catalog, self._columns, self._since = catalog, columns, since
        self._labels = None if labels is None else tuple(sorted(set(labels)))
        if since is not None:
            _check_base(since, catalog, columns)
        numbers, n_samples, data = [], [], bytearray()
        seen_labels, further = set(), set[str]()
        for number, tags, samples, content in live_rows(catalog):
            seen_labels.add(tags.label)
            further.update(tags.extra)
            if self._labels is None or tags.label in self._labels:
                data += entry_of(tags, content, columns)
                numbers.append(number)
                n_samples.append(samples)
        unknown = [name for name in columns if name not in (*NAMED_COLUMNS, *further)]
        if unknown and since is None:
            raise PackError(f"{catalog.path}: {_no_column(unknown, further)}")
        if not numbers and since is None:
            raise PackError(f"{catalog.path}: {_nothing(self._labels, seen_labels)}")
        entries = entries_from(data)
        self._state = state_from(entries, catalog.model_digest, columns)
        changes = np.full(len(entries), Change.ADDED, np.int8) if since is None else since.changes(entries)
        self._change = np.zeros(catalog.n_numbers, np.int8)
        self._change[numbers] = changes
        self._duration_s = float(np.array(n_samples, np.int64)[changes == Change.ADDED].sum()) / SAMPLE_RATE
        self._gone = entries[:0] if since is None else since.entries[self._state.changes(since.entries) != Change.NONE]

    def header(self, model: Model) -> Header:
        """Return what a pack of it says of itself."""
        n_corrected = self._count(Change.CORRECTED)
        return Header(
            written_by=f"earmark {earmark.__version__}",
            model_digest=model.digest,
            config_digest=model.config.digest,
            columns=self._columns,
            labels=self._labels,
            state=self._state.digest,
            base=None if self._since is None else self._since.digest,
            tracks=len(self._state.entries),
            added=self._count(Change.ADDED),
            corrected=n_corrected,
            gone=len(self._gone) - n_corrected,
            duration_s=round(self._duration_s, 3),
        )

    def parts(self, on_progress: OnProgress | None) -> Iterator[tuple[str, bytes]]:
        """Yield the parts of a pack of it."""
        yield STATE_PART, self._state.entries.tobytes()
        if self._since is not None:
            yield GONE_PART, self._gone.tobytes()
        for data in write_tracks(self._rows(on_progress), self._columns):
            yield TRACKS_PART, data

    def _count(self, change: Change) -> int:
        return int((self._change == change).sum())

    def _rows(self, on_progress: OnProgress | None) -> Iterator[PackedTrack]:
        reader, numbers, seconds = TrackReader(self._catalog), np.flatnonzero(self._change), 0.0
        for n, number in enumerate(numbers, 1):
            change = ADDED if self._change[number] == Change.ADDED else CORRECTED
            track = reader.read(int(number))
            yield PackedTrack(change=change, track=track)
            seconds += track.sketch.n_samples / SAMPLE_RATE
            if on_progress is not None:
                on_progress(Progress(n_done=n, n_total=len(numbers), duration_s=seconds))


def _check_base(since: CatalogState, catalog: Catalog, columns: tuple[str, ...]) -> None:
    if since.model_digest != catalog.model_digest:
        raise PackMismatchError(
            f"the earlier state is of model {since.model_digest}, {catalog.path} of {catalog.model_digest}: nothing of "
            f"it can stay; pack everything"
        )
    if set(since.columns) != set(columns):
        raise PackMismatchError(
            f"the earlier state has columns {', '.join(since.columns)}; asked for are {', '.join(columns)}: choose the "
            f"same, or pack everything"
        )


def _no_column(unknown: Sequence[str], further: Iterable[str]) -> str:
    known = ", ".join((*NAMED_COLUMNS, *sorted(further)))
    return f"has no column {', '.join(map(repr, unknown))}; its columns are: {known}"


def _nothing(labels: tuple[str, ...] | None, seen: set[str | None]) -> str:
    if labels is None:
        return "has no tracks to pack"
    known = sorted(label for label in seen if label is not None)
    shown = ", ".join(map(repr, known[:_LABELS_SHOWN])) + (", ..." if len(known) > _LABELS_SHOWN else "")
    return f"has no track of label {', '.join(map(repr, labels))}; its labels are: {shown or 'none'}"


def _write(out: Path, write: Callable[[BinaryIO], None]) -> int:
    """Write a file aside, and give it its name when it is on the disk; return its size."""
    aside = out.with_name(f".{out.name}.partial")
    try:
        with aside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            n_bytes = file.tell()
        aside.rename(out)
    except OSError as error:
        raise PackError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)
    return n_bytes
