"""The work behind ``effect``: predict once, then compare actions for all and in each segment."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.borrowed import Borrowed, fitted
from huiyi.cause.checks import FEWEST_OF_AN_ACTION
from huiyi.cause.contrasts import Influence, contrast, estimates, slope
from huiyi.cause.covariates import Covariates
from huiyi.cause.log import Categories, Log
from huiyi.cause.nuisance import Nuisances, Progress, deal, expected, nuisances
from huiyi.cause.overlap import Overlap, overlap
from huiyi.cause.segments import Segment, segments
from huiyi.values import Effect, Effects, Estimate

DOUBLY_ROBUST = "doubly robust"

FEW_UNITS = 30
"""From fewer different units an interval is rough."""

Pair: TypeAlias = tuple[str, str]
"""An action and the one it is compared with; the name of a dose and ""."""

_FEWEST_EFFECTIVE = 30
_LEAST_VARIATION = 0.01  # a dose of which less than this share of variance is left was told by what is held equal


@dataclass(frozen=True, eq=False)
class Estimated:
    """Effects, and what they were made of.

    Attributes:
        effects: The effects.
        overlaps: For each action, how alike those are who got it and those who did not; none for a dose.
        found: Propensities and predictions of the rows that were looked at; ``None`` for a dose.
        log: These rows.
    """

    effects: Effects
    overlaps: tuple[Overlap, ...]
    found: Nuisances | None
    log: Log


@dataclass(frozen=True, eq=False)
class _Cell:
    """One effect that is asked for.

    Attributes:
        pair: What is compared.
        segment: The rows it is told for; ``None`` for all.
        kept: Which rows have overlap, shape (n,).
        refused: Why it cannot be told.
        notices: What to know.
    """

    pair: Pair
    segment: Segment | None
    kept: NDArray[np.bool_]
    refused: str = ""
    notices: tuple[str, ...] = ()

    @property
    def rows(self) -> NDArray[np.intp]:
        """The places of the rows that are compared."""
        return np.flatnonzero(self.kept if self.segment is None else self.kept & self.segment.are)


_Influences: TypeAlias = Callable[[_Cell], Influence]


@dataclass(frozen=True, eq=False)
class Comparing:
    """What was asked for, of rows whose outcome is known. See ``effect``."""

    log: Log
    outcome: str
    adjust: tuple[str, ...]
    estimand: str
    method: str
    level: float
    seed: int
    on_progress: Progress | None

    def run(self, pairs: Sequence[Pair], by: Sequence[str]) -> Estimated:
        """Each pair for all and in each segment."""
        if not isinstance(self.log.actions, Categories):
            return self._of_dose(by)
        rare = {pair: _too_rare(pair, self.log.actions) for pair in pairs}
        lacking = [effect for pair, why in rare.items() if why for effect in self.refuse([pair], why)]
        pairs = [pair for pair in pairs if not rare[pair]]
        if not pairs:
            return Estimated(Effects(tuple(lacking)), (), None, self.log)
        done = replace(self, log=_often(self.log))._of_actions(pairs, by)
        return replace(done, effects=replace(done.effects, overall=(*done.effects.overall, *lacking)))

    def refuse(self, pairs: Sequence[Pair], why: str) -> tuple[Effect, ...]:
        """Each pair with its plain difference, and why its effect cannot be told."""
        return tuple(self._effect(_Cell(pair, None, _all(self.log), why)) for pair in pairs)

    def _of_actions(self, pairs: Sequence[Pair], by: Sequence[str]) -> Estimated:
        """Compare actions by doubly robust scores, or by a method of econml."""
        log = self.log
        found = nuisances(log, self.outcome, adjust=self.adjust, seed=self.seed, on_progress=self.on_progress)
        told = {pair: self._overlap(found, pair) for pair in pairs}
        cells = [_Cell(pair, None, seen.kept, seen.refused, _said(seen)) for pair, seen in told.items()]
        parts = [
            _Cell(pair, segment, seen.kept, self._too_few(pair, seen.kept & segment.are))
            for segment in segments(log, by)
            for pair, seen in told.items()
            if not seen.refused
        ]
        if self.method == DOUBLY_ROBUST:
            effects = self._joined(cells, parts, lambda cell: self._influence(found, cell))
            told_all = [self._extrapolated(found, *both) for both in zip(effects.overall, cells, strict=True)]
            effects = replace(effects, overall=tuple(told_all))
        else:
            effects = self._by_econml(cells, parts)
        return Estimated(effects, tuple(told.values()), found, log)

    def _of_dose(self, by: Sequence[str]) -> Estimated:
        """By how much the outcome grows for one unit more."""
        log, doses, outcomes = self.log, self.log.actions, self.log.outcomes[self.outcome]
        assert not isinstance(doses, Categories), "actions go elsewhere"
        folds = deal(log, None, self.seed)
        of_outcome, of_dose = (
            values
            - expected(log, values, adjust=self.adjust, folds=folds, seed=self.seed, on_progress=self.on_progress)
            for values in (outcomes, doses)
        )
        told = 1 - float((of_dose**2).mean() / doses.var())
        refused = ""
        if told > 1 - _LEAST_VARIATION:
            refused = (
                f"What is held equal tells {log.action_name!r} almost exactly ({told:.1%} of its variance), so no two "
                "rows that are alike got different doses. Log decisions in which it varies, or hold fewer columns "
                "equal."
            )
        pair, fewest = (log.action_name, ""), 2 * FEWEST_OF_AN_ACTION
        cells = [_Cell(pair, None, _all(log), refused)]
        parts = []
        for segment in segments(log, by) if not refused else ():
            rows = int(segment.are.sum())
            few = f"There are {rows:,} rows of it. Expected {fewest}: log more of them, or join segments."
            varies = rows >= fewest and float(of_dose[segment.are].var()) > 0
            parts.append(_Cell(pair, segment, _all(log), "" if varies else few))
        effects = self._joined(cells, parts, lambda cell: slope(of_outcome, of_dose, cell.rows))
        return Estimated(effects, (), None, log)

    def _effect(self, cell: _Cell, estimate: Estimate | None = None, rows: int | None = None) -> Effect:
        """What is told of a cell."""
        segment = {} if cell.segment is None else {cell.segment.name: cell.segment.value}
        return Effect(
            action=cell.pair[0],
            against=cell.pair[1],
            outcome=self.outcome,
            estimand=self.estimand,
            segment=MappingProxyType(segment),
            rows=len(cell.rows) if rows is None else rows,
            estimate=estimate,
            naive=self._naive(cell),
            refused=cell.refused,
            adjusted=self.adjust,
            method=self.method,
            notices=cell.notices,
        )

    def _naive(self, cell: _Cell) -> float:
        """The plain difference of means between two actions, or the slope of a dose; NaN where there is none."""
        which = _all(self.log) if cell.segment is None else cell.segment.are
        values = self.log.outcomes[self.outcome][which]
        if isinstance(self.log.actions, Categories):
            groups = [values[self.log.actions.are(name)[which]] for name in cell.pair]
            return float(groups[0].mean() - groups[1].mean()) if all(map(len, groups)) else math.nan
        doses = self.log.actions[which]
        if not len(doses) or not np.ptp(doses):
            return math.nan
        return float(((values - values.mean()) * (doses - doses.mean())).mean() / doses.var())

    def _overlap(self, found: Nuisances, pair: Pair) -> Overlap:
        action, against = pair
        return overlap(
            self.log, found.propensities, action=action, against=against, adjust=self.adjust, estimand=self.estimand
        )

    def _influence(self, found: Nuisances, cell: _Cell) -> Influence:
        code, other = (found.names.index(name) for name in cell.pair)
        rows = cell.rows
        if self.estimand == "ATT":  # other actions say nothing of those who got this one
            rows = rows[(found.codes[rows] == code) | (found.codes[rows] == other)]
        return contrast(found, code, other, rows, self.estimand)

    def _extrapolated(self, found: Nuisances, told: Effect, cell: _Cell) -> Effect:
        """An effect, with what models of the outcome make of it for the rows that were left out too."""
        code, other = (found.names.index(name) for name in cell.pair)
        left_out = ~cell.kept if self.estimand == "ATE" else ~cell.kept & (found.codes == code)
        if told.estimate is None or not left_out.any():
            return told
        mine = found.predictions[:, code] if self.estimand == "ATE" else found.outcomes
        gained = (mine - found.predictions[:, other])[left_out]
        rows = told.rows if self.estimand == "ATE" else int((cell.kept & (found.codes == code)).sum())
        value = (rows * told.estimate.value + float(gained.sum())) / (rows + len(gained))
        beyond = (
            "With the rows that were left out, of which only models of the outcome tell, the effect would be about "
            f"{value:+.3g}; nothing in the log shows that they hold there."
        )
        return replace(told, extrapolated=value, notices=(*told.notices, beyond))

    def _too_few(self, pair: Pair, kept: NDArray[np.bool_]) -> str:
        """Why a segment is too small; "" if it is not."""
        assert isinstance(self.log.actions, Categories), "doses go elsewhere"
        for name in pair:
            rows = int((self.log.actions.are(name) & kept).sum())
            if rows < FEWEST_OF_AN_ACTION:
                return (
                    f"{rows:,} {'row' if rows == 1 else 'rows'} of it with overlap got {name!r}. Expected "
                    f"{FEWEST_OF_AN_ACTION}: log more of them, or join segments."
                )
        return ""

    def _joined(self, cells: Sequence[_Cell], parts: Sequence[_Cell], influence: _Influences) -> Effects:
        """Put estimates to cells: those for all hold at once, and those of all segments."""
        units = None if self.log.units is None else self.log.units.codes
        several = 0 if units is None else len(np.unique(units))
        rough = f"Rows are about {several} units, such as people; from fewer than {FEW_UNITS} intervals are rough."
        looked = sum(not cell.refused for cell in parts)
        return Effects(
            self._filled(cells, influence, units),
            self._filled(parts, influence, units),
            (*([rough] if 0 < several < FEW_UNITS else ()), *self._widened(looked)),
        )

    def _widened(self, looked: int) -> tuple[str, ...]:
        if looked < 2:
            return ()
        return (
            f"{looked} effects in segments were looked at; their intervals are widened so that all hold at once at "
            f"{self.level:.0%}.",
        )

    def _filled(
        self, cells: Sequence[_Cell], influence: _Influences, units: NDArray[np.intp] | None
    ) -> tuple[Effect, ...]:
        moved = {place: influence(cell) for place, cell in enumerate(cells) if not cell.refused}
        rng = np.random.default_rng([self.seed, 2])
        told = dict(zip(moved, estimates(list(moved.values()), level=self.level, units=units, rng=rng), strict=True))
        return tuple(
            self._effect(cell, told[place], len(moved[place].rows)) if place in told else self._effect(cell)
            for place, cell in enumerate(cells)
        )

    def _by_econml(self, cells: Sequence[_Cell], parts: Sequence[_Cell]) -> Effects:
        """The same by a method of econml, fitted to each pair."""
        actions, outcomes = self.log.actions, self.log.outcomes[self.outcome]
        assert isinstance(actions, Categories), "doses go elsewhere"
        rng = np.random.default_rng([self.seed, 3])
        models: dict[Pair, Borrowed] = {}
        design = Covariates(self.adjust, rng).fit(self.log, outcomes[:, None]).rows
        for cell in cells:
            if not cell.refused:
                rows = cell.rows[np.isin(actions.codes[cell.rows], [actions.names.index(name) for name in cell.pair])]
                got = actions.are(cell.pair[0])
                models[cell.pair] = replace(
                    fitted(self.method, outcomes[rows], got[rows], design[rows], self.seed), rows=design
                )
        told = []
        for group in (cells, parts):
            looked = sum(not cell.refused for cell in group)
            effects = []
            for cell in group:
                if cell.refused:
                    effects.append(self._effect(cell))
                    continue
                rows = cell.rows
                if self.estimand == "ATT":
                    rows = rows[actions.are(cell.pair[0])[rows]]
                model = models[cell.pair]
                noted = replace(cell, notices=(*cell.notices, *model.notices))
                effects.append(self._effect(noted, model.estimate(rows, self.level, looked), len(rows)))
            told.append(tuple(effects))
        return Effects(told[0], told[1], self._widened(sum(not cell.refused for cell in parts)))


def _said(seen: Overlap) -> tuple[str, ...]:
    """What to know of overlap."""
    if seen.refused or seen.effective_rows >= _FEWEST_EFFECTIVE:
        return seen.notices
    return (
        *seen.notices,
        f"The rows count as much as {seen.effective_rows:.0f} of equal weight: few who got {seen.action!r} and "
        f"{seen.against!r} are alike, and the estimate hangs on them.",
    )


def _all(log: Log) -> NDArray[np.bool_]:
    return np.ones(len(log), dtype=bool)


def _often(log: Log) -> Log:
    """The rows of actions that were taken often enough, and these alone as names."""
    actions = log.actions
    assert isinstance(actions, Categories), "doses have no names"
    often = np.flatnonzero(actions.counts() >= FEWEST_OF_AN_ACTION)
    if len(often) == len(actions.names):
        return log
    place = np.full(len(actions.names), -1, dtype=np.intp)
    place[often] = np.arange(len(often))
    which = np.flatnonzero(place[actions.codes] >= 0)
    names = tuple(actions.names[code] for code in often.tolist())
    return replace(log.rows(which), actions=Categories(names, place[actions.codes[which]]))


def _too_rare(pair: Pair, actions: Categories) -> str:
    """Why two actions cannot be compared: one was hardly ever taken; "" if both were."""
    for name in pair:
        count = int(actions.are(name).sum())
        if count < FEWEST_OF_AN_ACTION:
            times = "time" if count == 1 else "times"
            return f"{name!r} was done {count:,} {times}. Expected {FEWEST_OF_AN_ACTION}: log more decisions with it."
    return ""
