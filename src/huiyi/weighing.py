"""What fields, regions of pictures and stretches of recordings added: perceiving and explaining joined."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from huiyi.explain import METHODS, MOST_STRETCHES, deadline, explain_fields, explain_regions, explain_stretches
from huiyi.explanation import Entry, Region, Stretch, Weighed
from huiyi.perceive import PICTURES, RECORDINGS, Altered, Perception, is_missing, stretches_of
from huiyi.values import Context

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Told = Callable[[Context], "NDArray[np.floating]"]
"""Records to the probability of the label that is explained, shape (n,)."""


class Turns:
    """Shares seconds out among what is weighed, one after the other; what one leaves goes to those that follow.

    Args:
        seconds: For all; None for as long as it takes.
        count: How many turns there are.

    Raises:
        OptionError: There is no time at all.
    """

    def __init__(self, seconds: float | None, count: int) -> None:
        self._end = deadline(seconds)
        self._count = count

    def next(self) -> float:
        """When the next turn is over, as ``perf_counter`` counts."""
        now = perf_counter()
        turn = (self._end - now) / self._count
        self._count -= 1
        return now + turn


@dataclass(frozen=True)
class Beside:
    """What one record holds beside its text that can be weighed.

    Attributes:
        perception: What perceived it.
        context: The record as it was perceived.
        fields: Its fields that the model knows and that say something.
        pictures: Its pictures, where the model looks at any.
        recordings: Its recordings, where it listens to any.
    """

    perception: Perception
    context: Context
    fields: tuple[str, ...]
    pictures: Altered | None
    recordings: Altered | None

    @classmethod
    def of(cls, perception: Perception, context: Context, fields: Collection[str]) -> Beside:
        """Of the one record of a context, for a model that knows some fields."""
        (record,) = context.records
        return cls(
            perception,
            context,
            tuple(name for name, value in record.fields.items() if name in fields and not is_missing(value)),
            perception.altered(context, PICTURES),
            perception.altered(context, RECORDINGS),
        )

    @property
    def count(self) -> int:
        """How many kinds there are to weigh."""
        return sum(map(bool, (self.fields, self.pictures, self.recordings)))

    def weighed(
        self, told: Told, turns: Turns, *, method: str, seed: int
    ) -> tuple[Weighed[Entry] | None, Weighed[Region] | None, Weighed[Stretch] | None]:
        """What fields, regions and stretches added.

        Args:
            told: The model, for the label.
            turns: How long each kind may take.
            method: How regions and stretches are weighed; one that is not for them is replaced by the default.
            seed: Of random orders.
        """
        method = method if method in METHODS else "chains"
        return (
            self._fields(told, turns.next(), seed) if self.fields else None,
            self._regions(self.pictures, told, method, turns.next(), seed) if self.pictures else None,
            self._stretches(self.recordings, told, method, turns.next(), seed) if self.recordings else None,
        )

    def _fields(self, told: Told, until: float, seed: int) -> Weighed[Entry] | None:
        form = self.context.records[0].fields

        def worth(sets: Sequence[frozenset[int]]) -> NDArray[np.floating]:
            gone = [{self.fields[place] for place in some} for some in sets]
            left = [{name: value for name, value in form.items() if name not in some} for some in gone]
            return told(self.perception.refilled(self.context, left))

        return explain_fields({name: form[name] for name in self.fields}, worth, until=until, seed=seed)

    @staticmethod
    def _regions(pictures: Altered, told: Told, method: str, until: float, seed: int) -> Weighed[Region]:
        def without(sets: Sequence[Sequence[Region]]) -> NDArray[np.floating]:
            return told(
                pictures.without(
                    [[(cell.picture, (cell.left, cell.top, cell.right, cell.bottom)) for cell in some] for some in sets]
                )
            )

        return explain_regions(pictures.count, without, is_slow=pictures.is_slow, method=method, until=until, seed=seed)

    def _stretches(self, recordings: Altered, told: Told, method: str, until: float, seed: int) -> Weighed[Stretch]:
        def without(sets: Sequence[Sequence[Stretch]]) -> NDArray[np.floating]:
            return told(recordings.without([[(one.recording, (one.start, one.end)) for one in some] for some in sets]))

        found = stretches_of(self.context.records[0], MOST_STRETCHES)
        some = [Stretch(number, start, end, 0.0) for number, own in enumerate(found) for start, end in own]
        return explain_stretches(some, without, method=method, until=until, seed=seed)
