"""Clean copies of archives: tar shards and zip files, member by member, in the same order and compression."""

import bz2
import copy
import gzip
import io
import lzma
import os
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import BinaryIO, cast

from earmark.corpus.audio_kind import HEAD_BYTES, has_audio_extension, starts_like_audio
from earmark.corpus.fate import Fate, Fates, redacted_name, written
from earmark.corpus.remote import open_location
from earmark.corpus.shard import MemberNames, damage_of, missing_end, open_tar
from earmark.errors import CorpusError

__all__ = ["copy_tar", "copy_zip", "dropped_samples", "sample_key"]

_COPY_BYTES = 1 << 20
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError, CorpusError)


def sample_key(name: str) -> str:
    """Return what the files of one sample share: the path up to the first dot of the name.

    Examples
    --------
    >>> sample_key("a.b/0001.left.flac"), sample_key("0002")
    ('a.b/0001', '0002')
    """
    folder, base = posixpath.split(name)
    return posixpath.join(folder, base.split(".", 1)[0])


def copy_tar(
    location: str,
    archive_id: str,
    out: Path,
    fates: Fates,
    key: Callable[[str], str] = sample_key,
    also: AbstractSet[str] = frozenset(),
) -> None:
    """Copy a tar without the samples that hold an item to be dropped.

    The tar is read twice: what goes may come before what tells. Where it is damaged, the copy ends there.

    Parameters
    ----------
    location
        Path or URL of the tar, plain or compressed.
    archive_id
        Its item id.
    out
        Where the copy goes.
    fates
        Decide.
    key
        Gives the sample that a member belongs to by the member's name.
    also
        Keys of further samples to leave out.
    """
    decided, dropped, damage = _decide(location, archive_id, fates, key)
    dropped |= also
    with (
        written(out) as target,
        open_location(location) as source,
        _packed_alike(source, target) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_COPY_BYTES) as copied,
    ):
        tar, any_order = open_tar(source) if decided else (None, True)
        for item_id, member in zip(decided, tar or (), strict=False):
            tar.members = []  # type: ignore[union-attr]  # tarfile keeps them all otherwise
            lost = key(member.name) in dropped
            fate = "keep" if item_id is None else fates.of(item_id, lost=lost)
            if lost:
                continue
            data = cast(BinaryIO, tar.extractfile(member)) if tar is not None and member.isfile() else None
            if fate == "redact" and item_id is not None and data is not None:
                _add_redacted(copied, member, data if any_order else _held(data), item_id, fates)
            else:
                copied.addfile(member, data)
    if damage is not None:
        words = f"the copy ends after {len(decided):,} members, where the archive is damaged: {damage}"
        fates.damaged(archive_id, words)


def dropped_samples(location: str, archive_id: str, fates: Fates, key: Callable[[str], str] = sample_key) -> set[str]:
    """Return the keys of the samples that `copy_tar` would leave out."""
    return _decide(location, archive_id, fates, key)[1]


def _decide(
    location: str, archive_id: str, fates: Fates, key: Callable[[str], str]
) -> tuple[list[str | None], set[str], str | None]:
    """Return for each member in order its id if it is audio, the keys of samples that go, and what is wrong."""
    names, dropped = MemberNames(archive_id), set()
    decided: list[str | None] = []
    damage: str | None = None
    try:
        with open_location(location) as source:
            tar, any_order = open_tar(source)
            for member in tar:
                tar.members = []  # type: ignore[attr-defined]
                item_id = names.id_of(member.name) if not member.isdir() else ""
                is_audio = member.isfile() and _is_audio(member.name, cast(BinaryIO, tar.extractfile(member)))
                decided.append(item_id if is_audio else None)
                if is_audio and fates.peek(item_id) == "drop":
                    dropped.add(key(member.name))
            damage = missing_end(tar, source) if any_order else None
    except _DAMAGE as error:
        damage = damage_of(error)
        decided = decided[:-1]  # the last one may be cut short
    return decided, dropped, damage


def _held(data: BinaryIO) -> BinaryIO:
    return io.BytesIO(data.read())


def _is_audio(name: str, file: BinaryIO | None) -> bool:
    return has_audio_extension(name) or (file is not None and starts_like_audio(file.read(HEAD_BYTES)))


def _add_redacted(copied: tarfile.TarFile, member: tarfile.TarInfo, data: BinaryIO, item_id: str, fates: Fates) -> None:
    redacted = fates.redact(item_id, data)
    if redacted is None:
        return
    with redacted.file as file:
        changed = copy.copy(member)
        changed.name = redacted_name(member.name, redacted.suffix)
        changed.size = file.seek(0, os.SEEK_END)
        changed.pax_headers = {name: member.pax_headers[name] for name in member.pax_headers.keys() - {"path", "size"}}
        file.seek(0)
        copied.addfile(changed, file)


class _packed_alike:  # noqa: N801 - used like a function
    """A context that packs what is written into `target` as `source` is packed."""

    def __init__(self, source: BinaryIO, target: BinaryIO) -> None:
        head = source.read(6)
        source.seek(0)
        self._file: BinaryIO = target
        self._own = True
        if head.startswith(b"\x1f\x8b"):
            self._file = cast(BinaryIO, gzip.GzipFile(fileobj=target, mode="wb", mtime=0, filename=""))
        elif head.startswith(b"BZh"):
            self._file = cast(BinaryIO, bz2.BZ2File(target, "wb"))
        elif head.startswith(b"\xfd7zXZ"):
            self._file = cast(BinaryIO, lzma.LZMAFile(target, "wb"))  # noqa: SIM115
        else:
            self._own = False

    def __enter__(self) -> BinaryIO:
        return self._file

    def __exit__(self, *error: object) -> None:
        if self._own:
            self._file.close()


def copy_zip(location: str, archive_id: str, out: Path, fates: Fates) -> None:
    """Copy a zip file without the samples that hold an item to be dropped.

    Parameters
    ----------
    location, archive_id, out, fates
        As for `copy_tar`.
    """
    with written(out) as target, open_location(location) as source:
        try:
            with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as copied:
                names = MemberNames(archive_id)
                members = [
                    (member, names.id_of(member.filename)) for member in archive.infolist() if not member.is_dir()
                ]
                decided = list(_decide_zipped(archive, members, fates))
                dropped = {sample_key(member.filename) for member, _, fate in decided if fate == "drop"}
                for member, item_id, fate in decided:
                    lost = sample_key(member.filename) in dropped
                    if fate is not None:
                        fates.of(item_id, lost=lost)
                    if not lost:
                        _copy_zipped(archive, copied, member, item_id, fate, fates)
        except (*_DAMAGE, RuntimeError, NotImplementedError) as error:
            fates.damaged(archive_id, f"the archive is damaged: {damage_of(error)}")


def _decide_zipped(
    archive: zipfile.ZipFile, members: list[tuple[zipfile.ZipInfo, str]], fates: Fates
) -> Iterator[tuple[zipfile.ZipInfo, str, Fate | None]]:
    for member, item_id in members:
        try:
            with archive.open(member) as file:
                is_audio = _is_audio(member.filename, cast(BinaryIO, file))
        except (*_DAMAGE, RuntimeError, NotImplementedError) as error:
            fates.damaged(item_id, damage_of(error))
            yield member, item_id, "drop"
            continue
        yield member, item_id, fates.peek(item_id) if is_audio else None


def _copy_zipped(
    archive: zipfile.ZipFile,
    copied: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    item_id: str,
    fate: Fate | None,
    fates: Fates,
) -> None:
    name = member.filename
    with archive.open(member) as data:
        file: BinaryIO = cast(BinaryIO, data)
        if fate == "redact":
            redacted = fates.redact(item_id, file)
            if redacted is None:
                return
            file, name = redacted.file, redacted_name(name, redacted.suffix)
        about = zipfile.ZipInfo(name, member.date_time)
        about.compress_type, about.external_attr = member.compress_type, member.external_attr
        with copied.open(about, "w", force_zip64=True) as target:
            while chunk := file.read(_COPY_BYTES):
                target.write(chunk)
        if not isinstance(file, zipfile.ZipExtFile):
            cast(io.IOBase, file).close()
