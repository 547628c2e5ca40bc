"""Effects by what they go through: the front door where causes are hidden, and direct and indirect parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.covariates import Covariates, Design
from huiyi.cause.learners import Mean, Shares
from huiyi.cause.log import Categories, Log, Numbers
from huiyi.cause.nuisance import Progress, columns, deal, known
from huiyi.errors import DataError
from huiyi.together import side_by_side
from huiyi.values import Effect, Estimate

_LEAST = 0.005
"""No action is taken for less probable than this."""


@dataclass(frozen=True)
class Mediation:
    """The parts of an effect.

    Attributes:
        total: All of it.
        direct: What it would be if the mediators stayed as they are without the action.
        indirect: What the mediators add: from how they are without the action to how they are with it, if it is done.
    """

    total: Effect
    direct: Effect
    indirect: Effect


def front_door_effect(
    log: Log,
    outcome: str,
    mediators: Sequence[str],
    *,
    action: str,
    against: str,
    adjust: Sequence[str] = (),
    level: float = 0.95,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Effect:
    """What an action does, told by mediators through which all of it goes, although its causes are hidden.

    Args:
        log: Of actions with names.
        outcome: Of the log; known in every row.
        mediators: Columns of any kind.
        action: What is done.
        against: What it is compared with.
        adjust: Columns of the context to hold equal.
        level: Of the interval.
        seed: Of folds and learners.
        on_progress: Told of each fold.

    Raises:
        DataError: Actions are doses, or an outcome is missing.
        ColumnError: There is no such column.
        OptionError: There is no such action.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mood = rng.integers(2, size=300)
        >>> calls = (rng.random(300) < 0.2 + 0.6 * mood).astype(np.intp)
        >>> heard = (rng.random(300) < 0.2 + 0.6 * calls) * 1.0
        >>> solved = 2 * heard - 3 * mood + rng.normal(size=300)
        >>> log = Log("log.csv", "reply", Categories(("mail", "call"), calls), {"solved": solved}, {"heard": heard})
        >>> effect = front_door_effect(log, "solved", ["heard"], action="call", against="mail")
        >>> bool(effect.estimate.low < 1.2 < effect.estimate.high), effect.naive < 0
        (True, True)

    Source:
        Fulcher, Shpitser, Marealle and Tchetgen Tchetgen, "Robust inference on population indirect causal effects: the
        generalized front door criterion", JRSS-B 82(1), 2020, with densities of mediators as ratios of propensities.
    """
    found = _Parts(log, outcome, mediators, adjust, seed, on_progress)
    done, other = found.place(action), found.place(against)
    scores = found.front_door(done) - found.front_door(other)
    method = f"front door through {' and '.join(map(repr, mediators))}, cross-fitted"
    return found.effect(scores, action, against, method, level)


def mediation_effects(
    log: Log,
    outcome: str,
    mediators: Sequence[str],
    *,
    action: str,
    against: str,
    adjust: Sequence[str] = (),
    level: float = 0.95,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Mediation:
    """The part of an effect that goes through mediators, and the rest.

    Args:
        log: Of actions with names.
        outcome: Of the log; known in every row.
        mediators: Columns of any kind.
        action: What is done.
        against: What it is compared with.
        adjust: Columns of the context to hold equal: all that leads to two of action, mediators and outcome.
        level: Of the intervals.
        seed: Of folds and learners.
        on_progress: Told of each fold.

    Raises:
        DataError: Actions are doses, or an outcome is missing.
        ColumnError: There is no such column.
        OptionError: There is no such action.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> calls = rng.integers(2, size=300)
        >>> heard = calls + rng.normal(size=300)
        >>> solved = calls + 2 * heard + rng.normal(size=300)
        >>> log = Log("log.csv", "reply", Categories(("mail", "call"), calls), {"solved": solved}, {"heard": heard})
        >>> parts = mediation_effects(log, "solved", ["heard"], action="call", against="mail")
        >>> [bool(part.estimate.low < truth < part.estimate.high)
        ...     for part, truth in ((parts.direct, 1), (parts.indirect, 2))]
        [True, True]

    Source:
        Tchetgen Tchetgen and Shpitser, "Semiparametric theory for causal mediation analysis", Annals of Statistics
        40(3), 2012.
    """
    found = _Parts(log, outcome, mediators, adjust, seed, on_progress)
    done, other = found.place(action), found.place(against)
    with_it, crossed, without = found.crossed(done, done), found.crossed(done, other), found.crossed(other, other)
    through = " and ".join(map(repr, mediators))

    def part(scores: Numbers, what: str) -> Effect:
        return found.effect(scores, action, against, what, level)

    return Mediation(
        part(with_it - without, "all of it, cross-fitted"),
        part(crossed - without, f"what does not go through {through}, cross-fitted"),
        part(with_it - crossed, f"what goes through {through}, cross-fitted"),
    )


class _Parts:
    """What learners say of each row that they have not seen.

    Attributes:
        before: How probable each action is given what is held equal, shape (n, k).
        after: The same given the mediators too.
        predictions: The outcome after each action given mediators and what is held equal, shape (n, k).
        means: The same, averaged over the mediators that come of an action: of prediction j under action a in
            [:, j, a], shape (n, k, k).
    """

    def __init__(
        self,
        log: Log,
        outcome: str,
        mediators: Sequence[str],
        adjust: Sequence[str],
        seed: int,
        on_progress: Progress | None,
    ) -> None:
        if not isinstance(log.actions, Categories):
            raise DataError(f"{log.source}: {log.action_name!r} is a dose. Expected actions with names: group it")
        for name in mediators:
            log.column(name)
        self.log, self.outcome, self.actions = log, outcome, log.actions
        self.held = tuple(name for name in columns(log, adjust) if name not in mediators)
        self.outcomes = known(log, outcome)
        self.codes = log.actions.codes
        n, k = len(log), len(log.actions.names)
        self.before, self.after, self.predictions = np.empty((n, k)), np.empty((n, k)), np.empty((n, k))
        self.means = np.empty((n, k, k))
        for name in mediators:
            log = log.with_column(name, log.column(name))
        folds = deal(log, None, seed, codes=self.codes)
        count = int(folds.max()) + 1
        jobs = [
            partial(self._predict, log, tuple(mediators), folds, fold, np.random.default_rng([seed, 2, fold]))
            for fold in range(count)
        ]
        for done, _ in enumerate(side_by_side(jobs), start=1):
            if on_progress is not None:
                on_progress("cross-fitting", done, count)
        self.before, self.after = _bounded(self.before), _bounded(self.after)

    def place(self, action: str) -> int:
        """Of an action among those of the log."""
        self.log.check_done(action)
        return self.actions.names.index(action)

    def front_door(self, done: int) -> Numbers:
        """Scores whose mean is the mean outcome if an action is done, shape (n,)."""
        rows = np.arange(len(self.codes))
        eta = (self.predictions * self.before).sum(axis=1)
        eta_mean = (self.means[:, :, done] * self.before).sum(axis=1)
        ratio = self._ratio(done, self.codes)
        scores: Numbers = ratio * (self.outcomes - self.predictions[rows, self.codes])
        scores += (self.codes == done) / self.before[:, done] * (eta - eta_mean)
        return np.asarray(scores + self.means[rows, self.codes, done])

    def crossed(self, done: int, mediated: int) -> Numbers:
        """Scores whose mean is the mean outcome after one action with the mediators of another, shape (n,)."""
        took = self.codes == done
        ratio = self._ratio(mediated, np.full(len(self.codes), done))
        scores: Numbers = took / self.before[:, done] * ratio * (self.outcomes - self.predictions[:, done])
        came = (self.codes == mediated) / self.before[:, mediated]
        scores += came * (self.predictions[:, done] - self.means[:, done, mediated])
        return np.asarray(scores + self.means[:, done, mediated])

    def effect(self, scores: Numbers, action: str, against: str, method: str, level: float) -> Effect:
        """The mean of scores, with what it may be."""
        groups = np.arange(len(scores)) if self.log.units is None else self.log.units.codes
        value = float(scores.mean())
        error = float(np.sqrt((np.bincount(groups, scores - value) ** 2).sum()) / len(scores))
        reach = NormalDist().inv_cdf(0.5 + level / 2) * error
        took = [self.outcomes[self.codes == self.place(name)] for name in (action, against)]
        base = Effect(
            action=action,
            against=against,
            outcome=self.outcome,
            estimand="ATE",
            segment={},
            rows=len(scores),
            estimate=None,
            naive=float(took[0].mean() - took[1].mean()) if min(map(len, took)) else float("nan"),
            adjusted=self.held,
            method=method,
        )
        lacking = [name for name, rows in zip((action, against), took, strict=True) if len(rows) < 2]
        if lacking:
            return replace(base, refused=f"{lacking[0]!r} was done in fewer than 2 rows. Log more decisions with it.")
        return replace(base, estimate=Estimate(value, value - reach, value + reach, error, level))

    def _ratio(self, done: int, instead: NDArray[np.intp]) -> Numbers:
        """How much likelier the mediators of a row are under one action than under another."""
        rows = np.arange(len(instead))
        odds_after = self.after[:, done] / self.after[rows, instead]
        return np.asarray(odds_after * self.before[rows, instead] / self.before[:, done])

    def _predict(
        self, log: Log, mediators: tuple[str, ...], folds: NDArray[np.intp], fold: int, rng: np.random.Generator
    ) -> None:
        """Fill in the rows of a fold."""
        train, rest = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        codes, outcomes, k = self.codes[train], self.outcomes[train], len(self.actions.names)
        groups = None if log.units is None else log.units.codes[train]
        targets = np.column_stack([outcomes, codes[:, None] == np.arange(1, k)])
        designs = []
        for names in (self.held, (*self.held, *mediators)):
            covariates = Covariates(names, rng)
            designs.append((covariates.fit(log.rows(train), targets, groups), covariates.of(log.rows(rest))))
        (held, held_rest), (wide, wide_rest) = designs
        for design, other, shares in ((held, held_rest, self.before), (wide, wide_rest, self.after)):
            learner = Shares(k, rng)
            learner.fit(design, codes, groups)
            shares[rest] = learner.predict(other)
        for told in range(k):
            took = np.flatnonzero(codes == told)
            outcome = _fitted(wide, outcomes, took, groups, rng)
            self.predictions[rest, told] = outcome.predict(wide_rest)
            here = outcome.predict(wide)
            for done in range(k):
                mean = _fitted(held, here, np.flatnonzero(codes == done), groups, rng)
                self.means[rest, told, done] = mean.predict(held_rest)


def _bounded(shares: Numbers) -> Numbers:
    """Shares of which none is nearly 0, and whose sum is 1 in each row."""
    bounded = np.maximum(shares, _LEAST)
    return np.asarray(bounded / bounded.sum(axis=1, keepdims=True))


def _fitted(
    design: Design, values: Numbers, rows: NDArray[np.intp], groups: NDArray[np.intp] | None, rng: np.random.Generator
) -> Mean:
    """A mean fitted to some of the rows."""
    mean = Mean(rng)
    mean.fit(design.taking(rows), values[rows], None if groups is None else groups[rows])
    return mean
