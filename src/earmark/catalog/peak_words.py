"""The peak bitmaps of a segment: one file of 64-bit words, mapped into memory, each block checked when first used."""

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.manifest import BLOCKS, WORDS, FileEntry
from earmark.errors import CatalogDamagedError

__all__ = ["WordsReader", "WordsWriter"]

# A four-minute track has 30 kB of words: larger blocks would have more read than is used.
_BLOCK_BYTES: Final = 1 << 16
_BLOCK_WORDS: Final = _BLOCK_BYTES // 8


class WordsWriter:
    """Writes the words of one track after the other.

    Parameters
    ----------
    directory : Path
        Where the file of words goes, and beside it the CRC-32 of each of its blocks of 64 KiB.

    Attributes
    ----------
    n_words : int
        Written so far.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: BinaryIO = (directory / WORDS).open("xb")
        self._sha256 = hashlib.sha256()
        self._sums: list[int] = []
        self.n_words = 0

    def append(self, words: NDArray[np.uint64]) -> None:
        """Write words [shape=(n,), dtype=uint64]."""
        data = words.astype("<u8").tobytes()
        for part in self._parts(data):
            at_start = self.n_words % _BLOCK_WORDS == 0
            if at_start:
                self._sums.append(0)
            self._sums[-1] = zlib.crc32(part, self._sums[-1])
            self.n_words += len(part) // 8
        self._sha256.update(data)
        self._file.write(data)

    def finish(self) -> dict[str, FileEntry]:
        """Close the file, write the sums, and return what to enter for both in the manifest."""
        self._file.close()
        sums = np.array(self._sums, "<u4").tobytes()
        (self._directory / BLOCKS).write_bytes(sums)
        return {
            WORDS: FileEntry(n_bytes=8 * self.n_words, sha256=self._sha256.hexdigest()),
            BLOCKS: FileEntry(n_bytes=len(sums), sha256=hashlib.sha256(sums).hexdigest()),
        }

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()

    def _parts(self, data: bytes) -> Iterator[bytes]:
        """Yield data cut where blocks end."""
        start = 0
        while start < len(data):
            stop = start + _BLOCK_BYTES - self.n_words * 8 % _BLOCK_BYTES
            yield data[start:stop]
            start = stop


class WordsReader:
    """The words of a segment, mapped into memory.

    Parameters
    ----------
    directory : Path
        The segment's.
    sums : bytes
        The file of checksums, known to be good.

    Raises
    ------
    CatalogDamagedError
        If there is not one checksum a block.
    OSError
        If the file cannot be mapped.
    """

    def __init__(self, directory: Path, sums: bytes) -> None:
        self._path = directory / WORDS
        self._words = np.memmap(self._path, "<u8", "r")
        self._sums = np.frombuffer(sums, "<u4")
        self._good = np.zeros(len(self._sums), np.bool_)
        if len(self._sums) != -(-len(self._words) // _BLOCK_WORDS):
            raise CatalogDamagedError(f"{self._path}: damaged: {len(self._words)} words, {len(self._sums)} blocks")

    def view(self, start: int, stop: int) -> NDArray[np.uint64]:
        """Return words `start` to `stop` without copying them.

        Raises
        ------
        CatalogDamagedError
            If a block that holds some of them is not as it was written; blocks are checked at their first use.
        """
        first, last = start // _BLOCK_WORDS, -(-stop // _BLOCK_WORDS)
        for block in np.flatnonzero(~self._good[first:last]) + first:
            words = self._words[block * _BLOCK_WORDS : (block + 1) * _BLOCK_WORDS]
            if zlib.crc32(words.data) != self._sums[block]:
                raise CatalogDamagedError(
                    f"{self._path}: damaged: block {block} is not as it was written; "
                    "build the catalog again or restore it"
                )
            self._good[block] = True
        return np.asarray(self._words[start:stop])
