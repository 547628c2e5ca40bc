"""What would have come of it for one record, had something else been done: abduction, action, prediction.

A structural model says how each variable comes about from its causes and a noise of its own. For one record

    1. abduction    the noise is what its mechanism leaves of what was seen
    2. action       the variable that is changed no longer hangs on its causes
    3. prediction   all that follows from it comes about anew, with the same noise

What is assumed, and cannot be seen in any log: the graph; that no hidden cause drives two of its variables; that the
noise of a number is added to it, whatever its causes are; and that of all ways in which a name may have come about,
Gumbel noise is the one. For two names, such as yes and no, that is a threshold: what makes the one more likely never
turns it into the other. Intervals say how well the log tells the mechanisms, not how sure these assumptions are.

Source:
    Pearl, "Causality", 2nd edition, Cambridge University Press 2009, section 7.1 (theorem 7.1.7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from huiyi.cause.log import Categories, Log, Numbers, are_known, rows_of
from huiyi.cause.mechanisms import Mechanism, fitted, noise_behind, values_of
from huiyi.errors import ColumnError, DataError, did_you_mean
from huiyi.values import Estimate

MOST_ROWS = 20_000
"""Of a larger log as many are drawn to fit a mechanism."""

FEWEST_ROWS = 20

_DRAWS, _NOISES = 200, 25  # of the mechanisms, and of what stays unknown of the noise for each
_LEVEL = 0.95
_YES_NO = ("0", "1")

Value: TypeAlias = float | str | Sequence[float]
"""Of one variable: a number, a name, or a vector."""


@dataclass(frozen=True)
class WhatIf:
    """What would have come of it.

    Attributes:
        target: The variable that is asked about.
        changed: What is changed: name to value.
        seen: What came of it as it was; None where that is not known.
        estimate: The number that would have come, or, of yes and no, how probable yes is. None for names.
        shares: Of names: how probable each is.
        is_known: Whether what came of it was known, so that its noise is that of this record. Otherwise what is said is
            a prediction for one like it, and wider.
        assumed: What is assumed of each variable that changes, a sentence each.
        said: In a plain sentence.
    """

    target: str
    changed: Mapping[str, Value]
    seen: float | str | None
    estimate: Estimate | None
    shares: Mapping[str, Estimate]
    is_known: bool
    assumed: tuple[str, ...]
    said: str


@dataclass(frozen=True, eq=False)
class StructuralModel:
    """How each variable of a graph comes about.

    Attributes:
        source: The log it was fitted on.
        parents: Each variable that comes from others, with these; those that come first stand first.
        names: The names that each variable can have, of those that have names; ``("0", "1")`` for yes and no.
        ranges: From where to where the numbers were seen.
        mechanisms: Of each of ``parents``.
    """

    source: str
    parents: Mapping[str, tuple[str, ...]]
    names: Mapping[str, tuple[str, ...]]
    ranges: Mapping[str, tuple[float, float]]
    mechanisms: Mapping[str, Mechanism] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def fit(cls, log: Log, parents: Mapping[str, Sequence[str]], *, seed: int = 0) -> StructuralModel:
        """Fit a mechanism for each variable that comes from others.

        Args:
            log: Its columns are the variables.
            parents: Each variable with what it comes from directly; those that come from nothing may be left out.
            seed: Draws the rows of a large log.

        Raises:
            ColumnError: A variable is not a column.
            DataError: The graph has a cycle, or too few rows are known.

        Example:
            >>> rng = np.random.default_rng(0)
            >>> mailed, luck = rng.integers(0, 2, 500), rng.normal(size=500)
            >>> log = Log("log.csv", "reply", Categories(("call", "mail"), mailed), {"score": 2 * mailed + luck / 9})
            >>> model = StructuralModel.fit(log, {"score": ["reply"]})
            >>> found = model.what_if({"reply": "call", "score": 0.5}, {"reply": "mail"}, "score")
            >>> found.seen, round(found.estimate.value, 1)
            (0.5, 2.5)
        """
        order = _ordered(parents, log.source)
        for name in dict.fromkeys([*order, *(one for causes in parents.values() for one in causes)]):
            log.column(name)
        sorted_parents = {name: tuple(dict.fromkeys(parents[name])) for name in order}
        used = tuple(dict.fromkeys([*order, *(one for causes in sorted_parents.values() for one in causes)]))
        names, ranges = {}, {}
        for name in used:
            column = log.column(name)
            if isinstance(column, Categories):
                names[name] = column.names
            elif column.ndim == 1 and np.isfinite(column).any():
                seen = column[np.isfinite(column)]
                ranges[name] = (float(seen.min()), float(seen.max()))
                if set(np.unique(seen)) == {0.0, 1.0}:
                    names[name] = _YES_NO
        rng = np.random.default_rng([seed, 1])
        mechanisms = {name: _mechanism(log, name, sorted_parents[name], names.get(name, ()), rng) for name in order}
        return cls(log.source, sorted_parents, names, ranges, mechanisms)

    def what_if(
        self, record: Mapping[str, Value | None], changed: Mapping[str, Value], target: str, *, seed: int = 0
    ) -> WhatIf:
        """What would have come of it for one record, had something else been done.

        Args:
            record: What was seen, by variable. What neither follows from the change nor leads to the target may be
                missing, and the target.
            changed: The variables that are changed, with their values.
            target: The variable that is asked about.
            seed: Of the samples.

        Raises:
            ColumnError: A variable is not part of the graph, or a name was never seen.
            DataError: Something that must be known of the record is missing.
        """
        for name in (*changed, target):
            if name not in self.parents and not any(name in causes for causes in self.parents.values()):
                raise ColumnError(
                    f"{self.source}: the graph has no {name!r}.{did_you_mean(name, self._variables)} "
                    f"Expected one of: {', '.join(self._variables)}"
                )
        rng = np.random.default_rng([seed, 1])
        moved = self._between(changed, target)
        numbers = {name: self._number(name, value) for name, value in record.items() if name in self._variables}
        seen = {name: number for name, number in numbers.items() if number is not None}
        self._check(moved, seen, changed)
        values = {name: np.repeat(value[None], _DRAWS * _NOISES, axis=0) for name, value in seen.items()}
        for name, value in changed.items():
            number = self._number(name, value)
            if number is None:
                raise DataError(f"the change of {name!r} is blank. Expected a value")
            values[name] = np.repeat(number[None], _DRAWS * _NOISES, axis=0)
        for name in moved:
            values[name] = self._again(self.mechanisms[name], seen, values, rng)
        if target not in values:
            raise DataError(
                f"{target!r} does not follow from what is changed, and what came of it is not known. Expected it in "
                "the record"
            )
        return self._told(target, changed, record.get(target), values[target], moved, seen)

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "source": self.source,
            "parents": {name: list(causes) for name, causes in self.parents.items()},
            "names": {name: list(names) for name, names in self.names.items()},
            "ranges": {name: list(ends) for name, ends in self.ranges.items()},
            "mechanisms": [one.to_json() for one in self.mechanisms.values()],
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> StructuralModel:
        """What ``to_json`` gave."""
        mechanisms = [Mechanism.from_json(one) for one in saved["mechanisms"]]
        return cls(
            saved["source"],
            {name: tuple(causes) for name, causes in saved["parents"].items()},
            {name: tuple(names) for name, names in saved["names"].items()},
            {name: (ends[0], ends[1]) for name, ends in saved["ranges"].items()},
            {one.name: one for one in mechanisms},
        )

    @property
    def _variables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*(one for causes in self.parents.values() for one in causes), *self.parents]))

    def _between(self, changed: Mapping[str, Value], target: str) -> tuple[str, ...]:
        """What follows from the change and leads to the target, or is the target, in order."""
        after = set(changed)
        for name, causes in self.parents.items():
            if after & set(causes):
                after.add(name)
        before = {target}
        for name in reversed(tuple(self.parents)):
            if name in before and name not in changed:
                before |= set(self.parents[name])
        return tuple(name for name in self.parents if name in after & before and name not in changed)

    def _check(self, moved: Sequence[str], seen: Mapping[str, Numbers], changed: Mapping[str, Value]) -> None:
        """Raise where something is missing that the noise is found by, or that the target comes from."""
        needed: dict[str, None] = {}
        for place, name in enumerate(moved):
            if place < len(moved) - 1 or name in seen:  # the last one is the target
                needed |= dict.fromkeys([*self.parents[name], name])
            else:
                needed |= dict.fromkeys(one for one in self.parents[name] if one not in changed)
        missing = [name for name in needed if name not in seen]
        if missing:
            raise DataError(
                f"the record lacks {', '.join(map(repr, missing))}, by which what came of it is explained. Expected a "
                "value for each"
            )

    def _again(
        self,
        mechanism: Mechanism,
        seen: Mapping[str, Numbers],
        values: Mapping[str, Numbers],
        rng: np.random.Generator,
    ) -> Numbers:
        """What a variable would have been, in each sample, shape (draws × noises,)."""
        weights = np.repeat(mechanism.draw(_DRAWS, rng), _NOISES, axis=0)  # (m, k − 1, d)
        now = np.einsum("md,mkd->mk", mechanism.features(values), weights)
        if mechanism.name in seen:
            before = {cause.name: seen[cause.name][None] for cause in mechanism.causes}
            then = np.einsum("d,mkd->mk", mechanism.features(before)[0], weights)
        if not mechanism.names:
            left = seen[mechanism.name] - then[:, 0] if mechanism.name in seen else None
            return np.asarray(now[:, 0] + (rng.normal(size=len(now)) * mechanism.noise if left is None else left))
        first = np.zeros((len(now), 1))
        scores = np.concatenate([first, now], axis=1)
        if mechanism.name in seen:
            noise = noise_behind(np.concatenate([first, then], axis=1), int(seen[mechanism.name]), rng)
        else:
            noise = rng.gumbel(size=scores.shape)
        return np.asarray((scores + noise).argmax(axis=1), dtype=np.float64)

    def _number(self, name: str, value: Value | None) -> Numbers | None:
        """A value as the mechanisms take it: a number, the place of a name, or a vector; None where it is blank."""
        if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
            return None
        names = self.names.get(name, ())
        if names and names != _YES_NO:
            if value not in names:
                raise ColumnError(
                    f"{self.source}: {name!r} was never {value!r}.{did_you_mean(str(value), names)} "
                    f"Expected one of: {', '.join(names)}"
                )
            return np.asarray(names.index(str(value)), dtype=np.float64)
        try:
            number = np.asarray(value, dtype=np.float64)
        except ValueError:
            raise ColumnError(f"{self.source}: {name!r} holds numbers, not {value!r}. Expected a number") from None
        if names and float(number) not in (0.0, 1.0):
            raise ColumnError(f"{self.source}: {name!r} is 0 or 1, not {value!r}. Expected one of these")
        return number

    def _told(
        self,
        target: str,
        changed: Mapping[str, Value],
        was: Value | None,
        values: Numbers,
        moved: Sequence[str],
        seen: Mapping[str, Numbers],
    ) -> WhatIf:
        names = self.names.get(target, ())
        samples = values.reshape(_DRAWS, _NOISES)
        shares = {}
        estimate = None
        if names and names != _YES_NO:
            shares = {name: _estimate((samples == place).mean(axis=1)) for place, name in enumerate(names)}
            likeliest = max(shares, key=lambda name: shares[name].value)
            would = f"{likeliest!r} with a probability of {_percent(shares[likeliest])}"
        elif names:
            estimate = _estimate(samples.mean(axis=1))
            would = f"1 with a probability of {_percent(estimate)}"
        else:
            estimate = _estimate(values)
            would = f"{estimate.value:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"
        known = target in seen
        done = " and ".join(f"{name!r} {value!r}" for name, value in changed.items())
        said = f"With {done}, {target!r} would have been {would}"
        said += f"; it was {was!r}." if known else "; what came of it as it was is not known, so this is a prediction."
        beyond = [
            name
            for name, value in changed.items()
            if name in self.ranges and not self.ranges[name][0] <= float(np.max(value)) <= self.ranges[name][1]
        ]
        if beyond:
            said += f" No row has such a value of {', '.join(map(repr, beyond))}, so this is extrapolated."
        if not moved:
            said += f" Nothing that is changed leads to {target!r}."
        assumed = tuple(_assumed(self.mechanisms[name]) for name in moved)
        before = was if known and isinstance(was, (float, int, str)) else None
        return WhatIf(target, dict(changed), before, estimate, shares, known, assumed, said)


def _mechanism(log: Log, name: str, causes: Sequence[str], names: Sequence[str], rng: np.random.Generator) -> Mechanism:
    """Fit how a variable comes about, on the rows where all of it is known."""
    column = log.column(name)
    if not isinstance(column, Categories) and column.ndim > 1:
        raise DataError(f"{log.source}: {name!r} is a vector and cannot come from others. Expected it among the first")
    if isinstance(column, Categories) and np.count_nonzero(column.counts()) < 2:
        raise DataError(f"{log.source}: {name!r} is always the same, so how it comes about cannot be told")
    columns = {one: log.column(one) for one in causes}
    known = np.flatnonzero(np.logical_and.reduce([are_known(one) for one in (column, *columns.values())]))
    if len(known) < FEWEST_ROWS:
        raise DataError(
            f"{log.source}: {len(known):,} rows have {name!r} and all it comes from. Expected at least {FEWEST_ROWS}"
        )
    if len(known) > MOST_ROWS:
        known = np.sort(rng.choice(known, MOST_ROWS, replace=False))
    rows = {one: rows_of(column, known) for one, column in columns.items()}
    return fitted(name, names, values_of(rows_of(column, known)), rows)


def _ordered(parents: Mapping[str, Sequence[str]], source: str) -> list[str]:
    """The variables that come from others, each after those it comes from."""
    order: list[str] = []
    path: list[str] = []

    def visit(name: str) -> None:
        if name in path:
            circle = " → ".join([name, *reversed(path[path.index(name) :])])
            raise DataError(f"{source}: the graph has a cycle: {circle}. Expected none: leave out one of its arrows")
        if name in order or not parents.get(name):
            return
        path.append(name)
        for cause in parents[name]:
            visit(cause)
        path.pop()
        order.append(name)

    for name in parents:
        visit(name)
    return order


def _estimate(samples: Numbers) -> Estimate:
    low, high = np.quantile(samples, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Estimate(float(samples.mean()), float(low), float(high), float(samples.std()), _LEVEL)


def _percent(share: Estimate) -> str:
    return f"{share.value:.0%} ({share.low:.0%} to {share.high:.0%})".replace("%", " %")


def _assumed(mechanism: Mechanism) -> str:
    causes = ", ".join(cause.name for cause in mechanism.causes)
    if not mechanism.names:
        return f"{mechanism.name!r} is what {causes} make of it, plus a noise that does not hang on them."
    if len(mechanism.names) == 2:
        return f"What makes {mechanism.name!r} more likely to be {mechanism.names[1]!r} never makes it the other."
    return f"{mechanism.name!r} is the name that {causes} and a Gumbel noise of each name make the largest."
