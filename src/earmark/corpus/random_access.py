"""A file of a known size whose bytes can be had from any place: the part that all such files share."""

import io
from typing import Any

__all__ = ["RandomAccess"]


class RandomAccess(io.RawIOBase):
    """The position, and the reading from it; a subclass says how the bytes at a place are had, in `read_at`.

    Parameters
    ----------
    size
        In bytes [>= 0].
    """

    def __init__(self, size: int) -> None:
        self._size, self._position = size, 0

    def read_at(self, position: int, n_bytes: int) -> bytes:
        """Return at most so many bytes from a position on; none is the end."""
        raise NotImplementedError

    def readable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.IOBase`."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        """See `io.IOBase`."""
        return self._position

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """See `io.RawIOBase`."""
        data = self.read_at(self._position, min(len(buffer), max(0, self._size - self._position)))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
