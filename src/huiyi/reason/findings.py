"""Findings: what may be known of a record, and what its answers say of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import DataError, did_you_mean
from huiyi.reason.facts import Value, normalised, written

if TYPE_CHECKING:
    from numpy.typing import NDArray

Answer = bool | Value | Sequence[Value] | None
"""What is known of a finding: that it is there or not, which value or values it has, or nothing (``None``)."""


@dataclass(frozen=True, eq=False)
class Observed:
    """What is known of n records, of m findings each: two sparse matrices of ones, shape (n, m)."""

    present: Any
    absent: Any

    def __len__(self) -> int:
        """How many records."""
        return int(self.present.shape[0])

    @property
    def says_something(self) -> NDArray[np.bool_]:
        """Of which records anything is known, shape (n,)."""
        return np.asarray((self.present.sum(axis=1) + self.absent.sum(axis=1)) > 0, dtype=bool)

    def rows(self, which: NDArray[np.intp]) -> Observed:
        """What is known of some of the records, by their places."""
        return Observed(self.present[which], self.absent[which])


@dataclass(frozen=True, eq=False)
class Findings:
    """The m findings, in order.

    Attributes:
        names: The findings. A value of a finding is one too, such as ``pain=sharp``.
        parents: For each the place of the one it presupposes, or -1. Shape (m,).
        nones: Finding to the value that says it is not there.

    Example:
        >>> findings = Findings.of({"pain", "rash"}, presupposes=[], values=[("pain", "sharp")], nones=[])
        >>> findings.names, findings.states({"pain": "sharp"})
        (('pain', 'pain=sharp', 'rash'), {'pain': True, 'pain=sharp': True})
    """

    names: tuple[str, ...]
    parents: NDArray[np.intp]
    nones: Mapping[str, str]
    _places: Mapping[str, int] = field(init=False, repr=False)
    _values: Mapping[int, tuple[int, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        values: dict[int, tuple[int, ...]] = {}
        for place, parent in enumerate(map(int, self.parents)):
            if parent >= 0 and self.names[place].startswith(f"{self.names[parent]}="):
                values[parent] = (*values.get(parent, ()), place)
        object.__setattr__(self, "_places", {name: place for place, name in enumerate(self.names)})
        object.__setattr__(self, "_values", values)

    @classmethod
    def of(
        cls,
        names: Iterable[str],
        *,
        presupposes: Iterable[tuple[str, str]],
        values: Iterable[tuple[str, str]],
        nones: Iterable[tuple[str, str]],
    ) -> Findings:
        """Put findings in order.

        Args:
            names: Those that facts of candidates speak of. Pairs about any other are left aside.
            presupposes: A finding and the one that it presupposes.
            values: A finding and a value it may have.
            nones: A finding and the value that says it is not there.

        Raises:
            DataError: A finding presupposes itself.
        """
        direct = set(names)
        without = {head: tail for head, tail in sorted(nones) if head in direct}
        above = {head: tail for head, tail in sorted(presupposes) if head in direct and tail in direct}
        above |= {f"{head}={tail}": head for head, tail in values if head in direct and without.get(head) != tail}
        for name in above:
            seen: list[str] = []
            while (at := above.get(seen[-1] if seen else name)) is not None:
                if at in seen:
                    raise DataError(
                        f"The finding {at!r} presupposes itself. "
                        "Expected no circle: remove one of the facts that say so."
                    )
                seen.append(at)
        order = sorted(direct | set(above))
        places = {name: place for place, name in enumerate(order)}
        return cls(tuple(order), np.array([places.get(above.get(name, ""), -1) for name in order], np.intp), without)

    def __len__(self) -> int:
        """How many findings."""
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        """Whether it is one of them."""
        return name in self._places

    def place(self, name: str) -> int:
        """Place of a finding.

        Raises:
            DataError: It is not known; the message names the nearest.
        """
        if name not in self._places:
            raise DataError(
                f"No fact speaks of the finding {name!r}.{did_you_mean(str(name), self.names)} "
                f"Expected one of the {len(self)} findings of the graph: correct it, or leave it out."
            )
        return self._places[name]

    def options(self, name: str) -> tuple[str, ...]:
        """The values that a finding may have, without the one that says it is not there; empty for yes or no."""
        return tuple(self.names[place][len(name) + 1 :] for place in self._values.get(self.place(name), ()))

    @property
    def are_values(self) -> NDArray[np.bool_]:
        """Which findings are values of another one, shape (m,)."""
        found = np.zeros(len(self), dtype=bool)
        found[[place for places in self._values.values() for place in places]] = True
        return found

    def observe(self, records: Sequence[Mapping[str, Answer]]) -> Observed:
        """Read what is known of records.

        Of a finding that has a value, its other values are absent. What is there
        makes what it presupposes be there. What presupposes something that is
        absent, or not known, says nothing by being absent.

        Args:
            records: Finding to what is known of it. One that is not named is not known.

        Raises:
            DataError: A finding or value is not known, or two answers contradict each other.

        Example:
            >>> findings = Findings.of({"ache", "where"}, presupposes=[("where", "ache")], values=[], nones=[])
            >>> seen = findings.observe([{"where": True}, {"where": False}, {"ache": True, "where": False}])
            >>> seen.present.toarray().astype(int).tolist(), seen.absent.toarray().astype(int).tolist()
            ([[1, 1], [0, 0], [1, 0]], [[0, 0], [0, 0], [0, 1]])
        """
        from scipy.sparse import csr_array

        sides: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        for row, answers in enumerate(records):
            states = self._states(answers)
            sides[0].extend((row, place) for place, there in states.items() if there)
            sides[1].extend(
                (row, place) for place, there in states.items() if not there and self._counts(place, states)
            )
        shape = (len(records), len(self))
        pairs = [np.array(side, dtype=np.intp).reshape(-1, 2) for side in sides]
        present, absent = (csr_array((np.ones(len(some)), (some[:, 0], some[:, 1])), shape=shape) for some in pairs)
        return Observed(present, absent)

    def states(self, answers: Mapping[str, Answer]) -> dict[str, bool]:
        """What is known of one record: finding to whether it is there, with all that it presupposes.

        Raises:
            DataError: A finding or value is not known, or two answers contradict each other.
        """
        return {self.names[place]: there for place, there in self._states(answers).items()}

    def _states(self, answers: Mapping[str, Answer]) -> dict[int, bool]:
        """Places of findings, to whether they are there."""
        states: dict[int, bool] = {}
        for name, answer in answers.items():
            place = self.place(name)
            if answer is None:
                continue
            values = () if isinstance(answer, bool) else _texts(answer)
            there = answer if isinstance(answer, bool) else bool(values) and values != (self.nones.get(name),)
            self._settle(states, place, there)
            for value in values if there else ():
                self._settle(states, self._value(name, value), there)
            for other in self._values.get(place, ()) if there and values else ():
                states.setdefault(other, False)
        return states

    def _settle(self, states: dict[int, bool], place: int, there: bool) -> None:
        """Take in one finding, and what it presupposes if it is there."""
        while place >= 0:
            if states.setdefault(place, there) != there:
                raise DataError(
                    f"The answers say both that {self.names[place]!r} is there and that it is not. "
                    "Expected one of them: correct the answer, or that to what presupposes it."
                )
            place = int(self.parents[place]) if there else -1

    def _counts(self, place: int, states: Mapping[int, bool]) -> bool:
        """Whether the absence of a finding says something: what it presupposes must be there."""
        return self.parents[place] < 0 or states.get(int(self.parents[place]), False)

    def _value(self, name: str, value: str) -> int:
        """Place of the value of a finding."""
        if f"{name}={value}" in self._places:
            return self._places[f"{name}={value}"]
        options = self.options(name)
        expected = f"one of {', '.join(options[:8])}{', …' if len(options) > 8 else ''}" if options else "true or false"
        raise DataError(
            f"The finding {name!r} has no value {value!r}.{did_you_mean(value, options)} "
            f"Expected {expected}: correct it."
        )


def _texts(answer: Value | Sequence[Value]) -> tuple[str, ...]:
    """The values of an answer, as text."""
    several = answer if isinstance(answer, list | tuple | set | frozenset) else (answer,)
    return tuple(sorted(written(normalised(value)) for value in several))
