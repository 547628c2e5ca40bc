"""Pictures and recordings of records: their bytes, and what is made of them, each content once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from huiyi.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from huiyi.perceive.cache import Cache
    from huiyi.values import Media, Record

T = TypeVar("T")
V = TypeVar("V")

_NAMED = 3  # of those that cannot be read


@dataclass(frozen=True)
class MediaKind:
    """Pictures, or recordings.

    Attributes:
        word: What one is called, such as ``picture``.
        known: What can be read, as messages say it.
        most_bytes: That a file may have.
        of: Those of a record.
    """

    word: str
    known: str
    most_bytes: int
    of: Callable[[Record], tuple[Media, ...]]

    def called(self, media: Media) -> str:
        """What to call one in a message: its path, or ``a picture given as bytes``."""
        return f"a {self.word} given as bytes" if media.path is None else " ".join(str(media.path).split())

    def content(self, media: Media) -> bytes:
        """The bytes of one, from its file unless it came with them.

        Raises:
            DataError: There is no such file, it cannot be read, is empty, or has more than ``most_bytes``.
        """
        name = self.called(media)
        content = media.content
        if content is None:
            if media.path is None:
                raise DataError(
                    f"a {self.word} has neither a path nor content. Expected one of them: give Media(path=…)"
                )
            content = self._read(media.path, name)
        if len(content) > self.most_bytes:
            raise DataError(
                f"{name} has more than the {self.most_bytes // 1_000_000} MB that a {self.word} may have. "
                "Expected a smaller file: save it in less detail, or compressed"
            )
        if not content:
            raise DataError(f"{name} is empty. Expected {self.known}: copy it again")
        return content

    def _read(self, path: Path, name: str) -> bytes:
        """One byte more than allowed at most, so that a larger file shows as one and fills no memory."""
        try:
            if not path.is_file():  # nor a device, which may never end
                what = "is no file" if path.exists() else "is not there"
                raise DataError(f"{name} {what}. Expected {self.known}: check the path")
            with path.open("rb") as file:
                return file.read(self.most_bytes + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(
                f"{name} cannot be read: {reason}. Expected {self.known}: check the path and your rights"
            ) from error


@dataclass(frozen=True)
class Sense(Generic[T, V]):
    """How something is perceived in media of one kind.

    Attributes:
        kind: Of the media.
        maker: Names what answers, weights and all: two that may answer otherwise have two names.
        prepare: Makes of the bytes of one, and what to call it, what is worked on. It raises
            ``DataError`` if it cannot.
        work: Makes of some that were prepared a value each.
        pack: Writes a value as bytes.
        unpack: Reads it again.
        batch: How many are prepared and worked on at once.
    """

    kind: MediaKind
    maker: str
    prepare: Callable[[bytes, str], T]
    work: Callable[[Sequence[T]], Sequence[V]]
    pack: Callable[[V], bytes]
    unpack: Callable[[bytes], V]
    batch: int = 16


@dataclass
class Upkeep:
    """What surrounds the perceiving of media.

    Attributes:
        cache: Keeps what was perceived.
        excuse: Told of each one that cannot be read, which is then treated as if it were not there. Without it the
            first is an error.
    """

    cache: Cache | None = None
    excuse: Callable[[str], None] | None = None


def perceived(
    records: Sequence[Record], sense: Sense[T, V], upkeep: Upkeep, *, tick: Callable[[int], None] | None = None
) -> list[list[V]]:
    """What is perceived in the media of each record, in their order. Equal contents are worked on once.

    No more than a batch of contents is held at once.

    Args:
        records: Any number.
        sense: How it is perceived.
        upkeep: Where it is kept, and what happens to what cannot be read.
        tick: Told of each record.

    Raises:
        DataError: Some cannot be read; it says why the first cannot, and names some of the others.
    """
    album = _Album(sense, upkeep)
    places = []
    for record in records:
        places.append(list(album.taken(record)))
        if tick is not None:
            tick(1)
    album.finish()
    return [[album.values[digest] for digest in own] for own in places]


def left_out(excuses: Sequence[str]) -> list[str]:
    """What to say of media that could not be read and were left out: how many, and why the first.

    Example:
        >>> left_out(["record 7: cat.png is empty", "record 9: dog.png is empty", "record 7: cat.png is empty"])
        ['2 pictures or recordings could not be read and were left out; the first: record 7: cat.png is empty']
        >>> left_out([])
        []
    """
    distinct = list(dict.fromkeys(excuses))
    if not distinct:
        return []
    what = "1 picture or recording" if len(distinct) == 1 else f"{len(distinct):,} pictures or recordings"
    verb = "was" if len(distinct) == 1 else "were"
    return [f"{what} could not be read and {verb} left out; the first: {distinct[0]}"]


class _Album(Generic[T, V]):
    """The values of distinct contents.

    Attributes:
        values: By the SHA-256 of the content.
    """

    def __init__(self, sense: Sense[T, V], upkeep: Upkeep) -> None:
        self._sense = sense
        self._upkeep = upkeep
        self._waiting: dict[bytes, T] = {}
        self._broken: list[tuple[str, DataError]] = []
        self.values: dict[bytes, V] = {}

    def taken(self, record: Record) -> Iterator[bytes]:
        """Look at the media of one record. After one that cannot be read the others are only tried."""
        kind = self._sense.kind
        for media in kind.of(record):
            try:
                content = kind.content(media)
                digest = hashlib.sha256(content).digest()
                if digest not in self.values and digest not in self._waiting:
                    self._look(digest, content, kind.called(media))
                yield digest
            except DataError as error:
                place = f"record {record.id}: " if record.id else ""
                if self._upkeep.excuse is not None:
                    self._upkeep.excuse(f"{place}{error}")
                else:
                    self._broken.append((kind.called(media), DataError(f"{place}{error}")))

    def _look(self, digest: bytes, content: bytes, name: str) -> None:
        """Take a value from the cache, or prepare to make it."""
        cache, sense = self._upkeep.cache, self._sense
        known = cache.get(sense.maker, digest) if cache is not None else None
        if known is not None:
            self.values[digest] = sense.unpack(known)
            return
        prepared = sense.prepare(content, name)
        if not self._broken:
            self._waiting[digest] = prepared
            if len(self._waiting) >= sense.batch:
                self._work()

    def _work(self) -> None:
        """Make the values of what waits."""
        found = dict(zip(self._waiting, self._sense.work(list(self._waiting.values())), strict=True))
        self._waiting.clear()
        self.values |= found
        if self._upkeep.cache is not None:
            self._upkeep.cache.put(self._sense.maker, {key: self._sense.pack(value) for key, value in found.items()})

    def finish(self) -> None:
        """Make the last values; or say which cannot be read, if there are any."""
        if not self._broken:
            if self._waiting:
                self._work()
            return
        (_, first), *others = self._broken
        if not others:
            raise first
        names = ", ".join(name for name, _ in others[:_NAMED])
        more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
        kinds = f"{self._sense.kind.word}s"
        raise DataError(f"{first}. The same goes for {len(others):,} other {kinds}: {names}{more}") from first
