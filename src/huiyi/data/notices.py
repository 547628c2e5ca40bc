"""What was handled quietly while reading, so that the user can be told of each kind once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from huiyi.errors import DataError

_NAMED_ROWS = 3


class Notices:
    """Collects what happened on the way, and decides what becomes of bad rows."""

    def __init__(self, source: str, *, skip_bad: bool) -> None:
        self.source = source
        self._skip_bad = skip_bad
        self._counts: dict[str, int] = {}
        self._places: dict[str, list[str]] = {}
        self._sentences: list[str] = []

    def say(self, sentence: str) -> None:
        """Keep one sentence about the source as a whole."""
        self._sentences.append(sentence)

    def add(self, what: str, source: str, row: int) -> None:
        """Count one row, of the whole source or of one file in it, that met ``what``."""
        self._counts[what] = self._counts.get(what, 0) + 1
        places = self._places.setdefault(what, [])
        if len(places) < _NAMED_ROWS:
            places.append(str(row) if source == self.source else f"{source} row {row}")

    def bad_row(self, error: DataError, source: str, row: int) -> None:
        """Raise the error, unless bad rows are to be skipped: then count the row."""
        if not self._skip_bad:
            raise error
        self.add("bad and skipped", source, row)

    def sentences(self) -> tuple[str, ...]:
        """Everything collected, one sentence each.

        Example:
            >>> notices = Notices("tickets.csv", skip_bad=False)
            >>> notices.add("without a label", "tickets.csv", 4)
            >>> notices.add("without a label", "tickets.csv", 9)
            >>> notices.sentences()
            ('tickets.csv: 2 rows without a label (first: 4, 9).',)
        """
        counted = (
            f"{self.source}: {count} {'row' if count == 1 else 'rows'} {what} (first: {', '.join(self._places[what])})."
            for what, count in self._counts.items()
        )
        return (*self._sentences, *counted)
