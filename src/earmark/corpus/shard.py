"""Archives as corpora: the members of tar shards, plain or compressed, and of zip files, in their order."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from earmark.corpus.audio_kind import HEAD_BYTES, has_audio_extension, starts_like_audio
from earmark.corpus.entry import Entry, Item, Skipped, Unlistable
from earmark.corpus.item_id import encode_item_id
from earmark.corpus.location import local_path
from earmark.corpus.remote import open_location, version_of
from earmark.corpus.source import FilePart, HeldBytes, Source
from earmark.errors import CorpusError

__all__ = [
    "MAX_HELD_BYTES",
    "MemberNames",
    "damage_of",
    "list_tar",
    "list_zip",
    "missing_end",
    "open_tar",
    "unpacked",
]

MAX_HELD_BYTES = 256 << 20
"""The largest member that is unpacked into memory: 25 minutes of stereo at 44.1 kHz and 16 bits."""

_HELD_REMOTE_BYTES = 64 << 20
# Audio does not compress much. What unpacks to more than this, and two hundredfold, is a bomb.
_BOMB_BYTES, _BOMB_RATIO = 256 << 20, 200
# What is unpacked at a time: where compressed data break off, so much before that may be lost.
_STEP_BYTES = 1 << 16
_COMPRESSIONS = {b"\x1f\x8b": gzip.GzipFile, b"BZh": bz2.BZ2File, b"\xfd7zXZ": lzma.LZMAFile}
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError, CorpusError)
_KINDS = (
    ("isdir", "is a directory"),
    ("isfifo", "is a FIFO"),
    ("isblk", "is a device"),
    ("ischr", "is a device"),
    ("issym", "is a link"),
    ("islnk", "is a link"),
)


class MemberNames:
    """Gives each member of an archive an id of its own: where a name comes again, "#2", "#3" and so on follow."""

    def __init__(self, archive_id: str) -> None:
        self._prefix = f"{archive_id}/" if archive_id else ""
        self._seen: Counter[str] = Counter()

    def id_of(self, name: str) -> str:
        """Return the id of the next member of that name."""
        name = encode_item_id(name.removeprefix("./"))
        number = self._seen[name] + 1
        while number > 1 and f"{name}#{number}" in self._seen:  # a member can be called that
            number += 1
        self._seen[name] = number
        if number > 1:
            name = f"{name}#{number}"
            self._seen[name] = 1
        return self._prefix + name


class _Unpacked(io.RawIOBase):
    """What a compressed file unpacks to, read onward; refuses to go on with a decompression bomb."""

    def __init__(self, packed: BinaryIO, unpacked: BinaryIO) -> None:
        self._packed, self._unpacked = packed, unpacked

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        data = self._unpacked.read1(len(buffer))  # type: ignore[attr-defined]  # all of them have it
        buffer[: len(data)] = data
        n_unpacked, n_packed = self._unpacked.tell(), max(1, self._packed.tell())
        if n_unpacked > _BOMB_BYTES and n_unpacked > n_packed * _BOMB_RATIO:
            words = f"{n_packed:,} bytes have unpacked to {n_unpacked:,}, which no audio does"
            raise ValueError(f"{words}; taken for a decompression bomb")
        return len(data)

    def close(self) -> None:
        self._unpacked.close()
        self._packed.close()
        super().close()


def unpacked(file: BinaryIO) -> BinaryIO | None:
    """Return a reader of what a file unpacks to, which closes both; None if its first bytes are of no compression."""
    head = file.read(6)
    file.seek(0)
    opener = next((opener for magic, opener in _COMPRESSIONS.items() if head.startswith(magic)), None)
    if opener is None:
        return None
    reader = opener(fileobj=file) if opener is gzip.GzipFile else opener(file)
    return io.BufferedReader(_Unpacked(file, cast(BinaryIO, reader)), buffer_size=_STEP_BYTES)


def open_tar(file: BinaryIO) -> tuple[tarfile.TarFile, bool]:
    """Open a tar, plain or compressed; return it and whether its members can be read in any order.

    Raises
    ------
    tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError
        If it is damaged from the start.
    """
    stream = unpacked(file)
    if stream is None:
        return tarfile.open(fileobj=file, mode="r:", errorlevel=1), True
    return tarfile.open(fileobj=stream, mode="r|", bufsize=_STEP_BYTES, errorlevel=1), False


def damage_of(error: BaseException) -> str:
    """Return in words what is wrong with an archive."""
    if isinstance(error, EOFError):
        return "it breaks off in the midst of compressed data"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


def list_tar(location: str, archive_id: str) -> Iterator[Entry]:
    """List a tar, plain or compressed, such as a WebDataset shard.

    Members of a plain local tar are read by whoever scans them; those of a compressed one, or of one that is
    elsewhere, are read here and carried with the item, so that each byte is read once.

    Parameters
    ----------
    location
        Path or URL.
    archive_id
        Its item id, which those of the members begin with; empty for none.

    Yields
    ------
    Entry
        One for every member that is a file or pretends to be one, in the order of the tar. Where the tar is
        damaged, an `Unlistable` with its own id comes last.
    """
    n_members = 0
    try:
        with open_location(location) as file:
            tar, any_order = open_tar(file)
            names = MemberNames(archive_id)
            for member in tar:
                tar.members = []  # type: ignore[attr-defined]  # tarfile keeps them all otherwise
                if not member.isdir():
                    place = location if any_order else None
                    yield _look_at_member(tar, member, names.id_of(member.name), place, version_of(file))
                n_members += 1
            problem = missing_end(tar, file) if any_order else None
    except _DAMAGE as error:
        problem = damage_of(error)
    if problem is not None:
        yield Unlistable(id=archive_id or ".", error=f"the archive is damaged after {n_members:,} members: {problem}")


def _look_at_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, item_id: str, location: str | None, version: str | None
) -> Entry:
    """Return the entry of a member; without a location it has to be read now."""
    if not member.isfile():
        kind = next((words for is_kind, words in _KINDS if getattr(member, is_kind)()), "is no file")
        return Skipped(id=item_id, reason=kind)
    if member.issparse():
        return Unlistable(id=item_id, error="is a sparse file, which is not read out of archives; store it as a whole")
    file = tar.extractfile(member)
    assert file is not None
    head = b"" if has_audio_extension(member.name) else file.read(HEAD_BYTES)
    if (head and not starts_like_audio(head)) or not (head or has_audio_extension(member.name)):
        return Skipped(id=item_id, reason="no audio by name or content")
    source: Source
    if location is not None and (local_path(location) is not None or member.size > _HELD_REMOTE_BYTES):
        source = FilePart(location=location, offset=member.offset_data, size=member.size, version=version)
    elif member.size > MAX_HELD_BYTES:
        words = f"{member.size:,} bytes in a compressed archive, of which at most {MAX_HELD_BYTES:,} are held in memory"
        return Unlistable(id=item_id, error=f"{words}; store it in an uncompressed tar")
    else:
        source = HeldBytes(data=head + file.read())
    return Item(id=item_id, source=source, size_bytes=member.size)


def missing_end(tar: tarfile.TarFile, file: BinaryIO) -> str | None:
    """Return what is wrong behind the last member, None if there is the mark that ends a tar."""
    file.seek(tar.offset)
    block = file.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE:
        return "the mark of its end is missing"
    return "what follows is no header of a member" if block.strip(b"\0") else None


def list_zip(location: str, archive_id: str) -> Iterator[Entry]:
    """List a zip file.

    Members are read here and carried with the item, except those that are stored as they are in a local file.

    Parameters
    ----------
    location, archive_id
        As for `list_tar`.

    Yields
    ------
    Entry
        As from `list_tar`.
    """
    n_members = 0
    try:
        with open_location(location) as file, zipfile.ZipFile(file) as archive:
            names = MemberNames(archive_id)
            for member in archive.infolist():
                if not member.is_dir():
                    yield _look_at_zipped(archive, member, names.id_of(member.filename), location)
                n_members += 1
    except (*_DAMAGE, RuntimeError, NotImplementedError) as error:
        words = f"the archive is damaged after {n_members:,} members: {damage_of(error)}"
        yield Unlistable(id=archive_id or ".", error=words)


def _look_at_zipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo, item_id: str, location: str) -> Entry:
    size, packed = member.file_size, max(1, member.compress_size)
    if size > _BOMB_BYTES and size > packed * _BOMB_RATIO:
        return Unlistable(id=item_id, error=f"{packed:,} bytes unpack to {size:,}; taken for a decompression bomb")
    try:
        with archive.open(member) as file:
            head = file.read(HEAD_BYTES)
            if not (has_audio_extension(member.filename) or starts_like_audio(head)):
                return Skipped(id=item_id, reason="no audio by name or content")
            source: Source
            stored = member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1
            if stored and local_path(location) is not None:
                source = FilePart(location=location, offset=_data_offset(archive, member), size=size)
            elif size > MAX_HELD_BYTES:
                return Unlistable(id=item_id, error=f"{size:,} bytes; at most {MAX_HELD_BYTES:,} are unpacked")
            else:
                source = HeldBytes(data=head + file.read())
    except (*_DAMAGE, RuntimeError, NotImplementedError) as error:  # encrypted, an unknown method, a wrong checksum
        return Unlistable(id=item_id, error=damage_of(error))
    return Item(id=item_id, source=source, size_bytes=size)


def _data_offset(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Return where a stored member's bytes begin: behind its local header, whose length the directory does not tell."""
    file = cast(BinaryIO, archive.fp)
    file.seek(member.header_offset + 26)
    name_size, extra_size = file.read(2), file.read(2)
    return member.header_offset + 30 + int.from_bytes(name_size, "little") + int.from_bytes(extra_size, "little")
