"""A file of lines that is appended to by whole runs of them."""

import os
from pathlib import Path

__all__ = ["LineFile"]


class LineFile:
    """A file of lines, open for writing, and made if it is not there.

    Every run of lines is one write without a buffer, so it is with the operating system when `append` returns; what
    was written of a run that failed is cut off again.

    Attributes
    ----------
    good
        Where the last whole run ends, in bytes.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b", buffering=0)
        self.good, self._changed = 0, False

    def fileno(self) -> int:
        """Return the file's descriptor, for locking it."""
        return self._file.fileno()

    def append(self, lines: bytes) -> None:
        """Write a run of lines at the end of the last one."""
        self._changed = True
        self._file.seek(self.good)
        end = self.good + len(lines)
        while lines:
            lines = lines[self._file.write(lines) :]
        self.good = end

    def cut(self) -> None:
        """Cut off what comes after the last good run."""
        self._changed = True
        self._file.truncate(self.good)

    def cut_at(self, end: int) -> None:
        """Let the last good run end there, and cut off the rest."""
        self.good = end
        self.cut()

    def sync(self) -> None:
        """Have the system write the file to the disk itself."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; of one that was written to, cut off what is not good. May be called twice."""
        if self._changed and not self._file.closed:
            self.cut()
        self._file.close()
