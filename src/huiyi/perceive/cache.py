"""What was seen or heard in files, kept by the SHA-256 of their bytes, so that it is computed once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Protocol

from huiyi.errors import OutputError

_TABLE = "CREATE TABLE IF NOT EXISTS features (maker TEXT, digest BLOB, value BLOB, PRIMARY KEY (maker, digest))"

_PATIENCE = 60.0  # seconds for which another process may be writing


class Cache(Protocol):
    """What keeps what makers said of contents."""

    def get(self, maker: str, digest: bytes) -> bytes | None:
        """What was put, or None."""
        ...

    def put(self, maker: str, values: Mapping[bytes, bytes]) -> None:
        """Keep values by the digests of their contents."""
        ...


class MemoryCache:
    """Keeps in memory what it was told, and tells another cache too.

    Args:
        behind: The other cache, if there is one.

    Example:
        >>> cache = MemoryCache()
        >>> cache.put("encoder-1", {b"digest": b"value"})
        >>> cache.get("encoder-1", b"digest"), cache.get("encoder-2", b"digest")
        (b'value', None)
    """

    def __init__(self, behind: Cache | None = None) -> None:
        self._behind = behind
        self._values: dict[tuple[str, bytes], bytes] = {}

    def get(self, maker: str, digest: bytes) -> bytes | None:
        """What was put, or None."""
        known = self._values.get((maker, digest))
        return known if known is not None or self._behind is None else self._behind.get(maker, digest)

    def put(self, maker: str, values: Mapping[bytes, bytes]) -> None:
        """Keep values by the digests of their contents."""
        self._values |= {(maker, digest): value for digest, value in values.items()}
        if self._behind is not None:
            self._behind.put(maker, values)


class FeatureCache:
    """A file of what makers, such as a picture encoder, said of contents.

    It is one SQLite database: what was put is there after a kill, and a
    process that reads it sees no half of anything. One that cannot be read is
    an error, since it is the user's file that stands there.

    Args:
        file: Where it is, or will be when the first value is put.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     cache = FeatureCache(Path(folder) / "features.sqlite")
        ...     cache.put("encoder-1", {b"digest": b"value"})
        ...     cache.get("encoder-1", b"digest"), cache.get("encoder-2", b"digest")
        ...     cache.close()
        (b'value', None)
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = Lock()
        self._there: sqlite3.Connection | None = None

    def get(self, maker: str, digest: bytes) -> bytes | None:
        """What was put, or None.

        Args:
            maker: What said it: another name for every other answer.
            digest: SHA-256 of the content.

        Raises:
            OutputError: The file is no cache, or is broken.
        """
        if self._there is None and not self.file.is_file():
            return None
        with self._opened() as there:
            asked = "SELECT value FROM features WHERE maker = ? AND digest = ?"
            found = there.execute(asked, (maker, digest)).fetchone()
        return None if found is None else bytes(found[0])

    def put(self, maker: str, values: Mapping[bytes, bytes]) -> None:
        """Keep values by the digests of their contents.

        Raises:
            OutputError: The disk is full, or the place cannot be written.
        """
        rows = [(maker, digest, value) for digest, value in values.items()]
        with self._opened() as there, there:  # all of them or none
            there.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        """Let go of the file. It is opened again when it is next used."""
        with self._lock:
            if self._there is not None:
                self._there.close()
                self._there = None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The database, for one thread at a time."""
        with self._lock:
            try:
                if self._there is None:
                    self.file.parent.mkdir(parents=True, exist_ok=True)
                    self._there = sqlite3.connect(self.file, timeout=_PATIENCE, check_same_thread=False)
                    self._there.execute(_TABLE)
                yield self._there
            except (sqlite3.Error, OSError) as error:
                raise OutputError(
                    f"{self.file}, which keeps what was seen in pictures and heard in recordings, cannot be used: "
                    f"{error}. Remove it, make room, or choose another --out"
                ) from error
