"""Taking a pack into a catalog: verified to its last byte first, then all of it at once or nothing."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pyrage.x25519 import Identity

from earmark.audit import fingerprint_of, read_public_key
from earmark.catalog import (
    NAMED_COLUMNS,
    Catalog,
    CatalogState,
    Change,
    Progress,
    Revision,
    TrackReader,
    TrackTags,
    entries_from,
    entry_of,
    live_rows,
    state_from,
)
from earmark.errors import CatalogError, ModelMismatchError, PackMismatchError, PackTamperedError
from earmark.exchange.contents import ADDED, PackedTrack, read_tracks
from earmark.exchange.pack_file import Header, PackReader, Verified
from earmark.exchange.packing import GONE_PART, STATE_PART, TRACKS_PART
from earmark.exchange.sealing import opened
from earmark.fingerprint import Model

__all__ = ["UnpackReport", "check", "unpack"]

_IDS_SHOWN: Final = 5

OnProgress = Callable[[Progress], None]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class UnpackReport:
    """What became of a catalog.

    Attributes
    ----------
    header
        What the pack says of itself.
    signer
        Fingerprint of the public key that its signature fits; None if it is not signed.
    n_added, n_corrected, n_removed
        Tracks that came, that got other tags, and that went or were replaced.
    n_present
        Tracks of the pack that the catalog had already, just so.
    """

    header: Header
    signer: str | None
    n_added: int
    n_corrected: int
    n_removed: int
    n_present: int


def check(
    pack: Path,
    *,
    public_key: Path | None = None,
    identities: Sequence[Identity] = (),
    on_progress: OnProgress | None = None,
) -> Verified:
    """Make sure that a pack is as it was written, from the first byte to the last, and return what it says of itself.

    Parameters
    ----------
    pack
        Its file.
    public_key
        File of the Ed25519 public key of who must have signed it; None takes any signature, and none.
    identities
        Private keys to try, if it is encrypted.
    on_progress
        Called now and then; counts bytes.

    Raises
    ------
    PackTamperedError
        If it is not, or is not signed by who must have signed it.
    PackVersionError
        If a newer version wrote it.
    PackError
        If it cannot be read, or is for others.
    AuditError
        If the public key cannot be used.
    """
    expected = None if public_key is None else fingerprint_of(read_public_key(public_key))
    with opened(pack, identities) as pieces:
        verified = PackReader(pack, _counted(pieces, pack, on_progress)).verified()
    if expected is not None and verified.signer != expected:
        by = "is not signed" if verified.signer is None else f"is signed by {verified.signer}"
        raise PackTamperedError(f"{pack}: {by}; expected the signature of {expected} ({public_key})")
    return verified


def _counted(pieces: Iterator[bytes], pack: Path, on_progress: OnProgress | None) -> Iterator[bytes]:
    """Yield the bytes of a pack, and tell how many; encrypted they are a few more."""
    n_done, n_total = 0, pack.stat().st_size
    for piece in pieces:
        yield piece
        n_done = min(n_done + len(piece), n_total)
        if on_progress is not None:
            on_progress(Progress(n_done=n_done, n_total=n_total, unit="bytes"))


def unpack(
    pack: Path,
    catalog: Path,
    *,
    model: Model,
    public_key: Path | None = None,
    identities: Sequence[Identity] = (),
    on_progress: OnProgress | None = None,
) -> UnpackReport:
    """Take a pack into a new catalog, or into one that is there.

    The pack is read twice: verified first, then taken in. Nobody sees the catalog change before all of it is on the
    disk. A whole pack adds tracks, and leaves those alone that are there already, just so; a track id that stands for
    something else is an error. A pack of changes needs the state that it was made for.

    Parameters
    ----------
    pack
        Its file.
    catalog
        The catalog; if there is none, it is made.
    model
        That items are fingerprinted with.
    public_key, identities
        As for `check`.
    on_progress
        Called as the pack is verified, which counts bytes, and then after each track that is taken in.

    Returns
    -------
    UnpackReport

    Raises
    ------
    PackMismatchError
        If it does not fit what is in the catalog; nothing is changed then.
    PackTamperedError, PackVersionError, PackError, AuditError
        As for `check`.
    ModelMismatchError
        If it was made with another model.
    CatalogError
        If the catalog cannot be used or written.
    """
    verified = check(pack, public_key=public_key, identities=identities, on_progress=on_progress)
    if verified.header.model_digest != model.digest:
        raise ModelMismatchError(
            f"{pack}: made with model {verified.header.model_digest}, but this is model {model.digest}: use the "
            f"version of Earmark that made it, or ask for a pack that this one made"
        )
    with Revision(catalog, model) as revision:
        with opened(pack, identities) as pieces:
            reader = PackReader(pack, pieces)
            intake = _Intake(pack, verified, model, revision, on_progress)
            for name, data in reader.parts():
                intake.take(name, data)
            intake.finish()
            if reader.verified() != verified:
                raise PackTamperedError(f"{pack}: changed while it was read; nothing of it was used")
        revision.commit()
    return intake.report()


class _Own:
    """What a catalog has of the tracks that a pack is about."""

    def __init__(self, catalog: Catalog | None, columns: tuple[str, ...]) -> None:
        self.catalog = catalog
        numbers, data = [], bytearray()
        for number, tags, _, content in () if catalog is None else live_rows(catalog):
            numbers.append(number)
            data += entry_of(tags, content, columns)
        entries = entries_from(data)
        digest = "" if catalog is None else catalog.model_digest
        self.state = state_from(entries, digest, columns)
        self._numbers = (
            np.array(numbers, np.int64)[np.argsort(self.state.find(entries))] if numbers else np.array([], np.int64)
        )

    def number(self, at: int) -> int:
        """Return the catalog's number of an entry of the state."""
        return int(self._numbers[at])

    def shown(self, places: NDArray[np.int64]) -> str:
        """Return some track ids, in words."""
        assert self.catalog is not None
        names = [self.catalog.track(self.number(int(at))).track_id for at in places[:_IDS_SHOWN]]
        more = f" and {len(places) - _IDS_SHOWN:,} more" if len(places) > _IDS_SHOWN else ""
        return ", ".join(map(repr, names)) + more


class _Intake:
    """Takes the parts of a verified pack, one after the other."""

    def __init__(
        self, path: Path, verified: Verified, model: Model, revision: Revision, on_progress: OnProgress | None
    ) -> None:
        self._path, self._verified, self._header = path, verified, verified.header
        self._model, self._revision, self._on_progress = model, revision, on_progress
        self._own = _Own(revision.catalog, self._header.columns)
        self._reader = None if revision.catalog is None else TrackReader(revision.catalog)
        self._state: CatalogState | None = None
        self._gone: NDArray[np.void] | None = None
        self._is_done = False
        self._n = {"added": 0, "corrected": 0, "removed": 0, "present": 0}
        self._n_read, self._seconds = 0, 0.0

    def take(self, name: str, data: bytes) -> None:
        """Take a part."""
        if name == STATE_PART and self._state is None:
            self._begin(data)
        elif name == GONE_PART and self._state is not None and self._gone is None:
            self._let_go(data)
        elif name == TRACKS_PART and self._state is not None and (self._header.base is None or self._gone is not None):
            for row in read_tracks(data, self._header.columns, self._model):
                self._take_row(row)
        else:
            raise self._malformed(f"part {name!r} where none is expected")

    def finish(self) -> None:
        """Make sure that all is there that was announced."""
        if self._state is None or (self._header.base is not None and self._gone is None):
            raise self._malformed("it has no list of its tracks")
        n_missing = int((self._expected & ~self._seen).sum())
        if n_missing and not self._is_done:
            how = f"{n_missing:,} tracks are not in it"
            raise self._malformed(how) if self._header.base is None else self._unfit(how)

    def report(self) -> UnpackReport:
        """Return what became of it."""
        counts = {f"n_{name}": n for name, n in self._n.items()}
        return UnpackReport(header=self._header, signer=self._verified.signer, **counts)

    def _begin(self, data: bytes) -> None:
        header = self._header
        try:
            self._state = state_from(entries_from(data), header.model_digest, header.columns)
        except CatalogError as error:
            raise self._malformed(str(error)) from error
        if self._state.digest != header.state:
            raise self._malformed("its list of tracks is another than it says")
        self._changes = self._own.state.changes(self._state.entries)
        self._seen = np.zeros(len(self._state.entries), np.bool_)
        if header.base is not None:
            self._expected = self._changes != Change.NONE
            return
        self._expected = np.ones(len(self._seen), np.bool_)
        self._check_ids(np.array([], np.int64))

    def _let_go(self, data: bytes) -> None:
        """Take the list of what goes, and see whether the catalog is in the state that the pack needs."""
        assert self._state is not None
        try:
            self._gone = entries_from(data)
        except CatalogError as error:
            raise self._malformed(str(error)) from error
        there = self._own.state.changes(self._gone) == Change.NONE
        n_new = int((self._changes != Change.NONE).sum())
        if n_new == 0 and not there.any():
            self._is_done = True
            return
        n_lacking = max(n_new - self._header.added - self._header.corrected, 0) + int((~there).sum())
        if n_lacking:
            raise self._unfit(f"{n_lacking:,} of the tracks that it builds on are missing or other ones")
        going = self._own.state.find(self._gone)
        self._check_ids(going)
        for at in going:
            self._revision.remove(self._own.number(int(at)))
        self._n["removed"] = self._header.gone

    def _check_ids(self, going: NDArray[np.int64]) -> None:
        """Make sure that no track id stands for something else in the catalog, but for entries that go."""
        assert self._state is not None
        mine = self._own.state.find(self._state.entries)
        clashes = mine[(mine >= 0) & (self._changes != Change.NONE) & ~np.isin(mine, going)]
        if len(clashes):
            raise PackMismatchError(
                f"{self._path}: {len(clashes):,} of its track ids are in the catalog with another recording or other "
                f"tags: {self._own.shown(clashes)}; remove these first, or ask for a pack of changes since the pack "
                f"that they came with"
            )

    def _take_row(self, row: PackedTrack) -> None:
        assert self._state is not None
        self._n_read += 1
        self._seconds += row.track.sketch.n_samples / self._model.config.sr
        if self._on_progress is not None:
            n_total = self._header.added + self._header.corrected
            self._on_progress(Progress(n_done=self._n_read, n_total=n_total, duration_s=self._seconds))
        entry = entries_from(entry_of(row.track.tags, row.track.sketch.content, self._header.columns))
        at = int(self._state.find(entry)[0])
        if at < 0 or self._state.entries[at] != entry[0] or self._seen[at]:
            raise self._malformed(f"track {row.track.tags.track_id!r} is not in its list, or comes twice")
        self._seen[at] = True
        change = self._changes[at]
        if change == Change.NONE:
            if self._header.base is not None and not self._is_done:
                raise self._unfit(f"it has track {row.track.tags.track_id!r} already, though not all of them")
            self._n["present"] += 1
        elif row.change == ADDED:
            self._revision.add(row.track.tags, row.track.sketch)
            self._n["added"] += 1
        else:
            self._correct(row, entry)

    def _correct(self, row: PackedTrack, entry: NDArray[np.void]) -> None:
        """Give a track of the catalog the pack's tags; it keeps those that the pack does not have."""
        mine = int(self._own.state.find(entry)[0])
        if mine < 0 or self._reader is None:
            raise self._malformed(f"track {row.track.tags.track_id!r} has no fingerprint")
        before = self._reader.read(self._own.number(mine))
        columns, tags = self._header.columns, row.track.tags
        extra = {name: value for name, value in before.tags.extra.items() if name not in columns} | dict(tags.extra)
        named = {name: tags.value(name) for name in columns if name in NAMED_COLUMNS}
        corrected: TrackTags = dataclasses.replace(before.tags, **named, extra=extra)  # type: ignore[arg-type]
        self._revision.add(corrected, before.sketch)
        self._n["corrected"] += 1

    def _unfit(self, how: str) -> PackMismatchError:
        return PackMismatchError(
            f"{self._path}: is for a catalog in state {self._header.base}, and this one is not: {how}; take in the "
            f"packs before it, in their order, or a whole one"
        )

    def _malformed(self, how: str) -> PackTamperedError:
        return PackTamperedError(f"{self._path}: is whole, but not as Earmark writes packs: {how}; nothing was changed")
