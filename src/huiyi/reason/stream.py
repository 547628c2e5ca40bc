"""Pieces of bytes, made one after the other, as a file that can be read."""

from __future__ import annotations

from collections.abc import Iterator
from io import RawIOBase


class Stream(RawIOBase):
    """A file whose content is made while it is read.

    Args:
        pieces: Its content, in order. What they raise, the reader sees.

    Example:
        >>> stream = Stream(iter([b"one fact, ", b"another"]))
        >>> stream.read(5), stream.read(100), stream.read(100)
        (b'one f', b'act, another', b'')
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, so many at most; all that are left when it is negative; none at the end."""
        parts, length = [self._rest], len(self._rest)
        while (size < 0 or length < size) and (piece := next(self._pieces, b"")):
            parts.append(piece)
            length += len(piece)
        content = b"".join(parts)
        end = len(content) if size < 0 else size
        self._rest = content[end:]
        return content[:end]
