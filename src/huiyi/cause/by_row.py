"""What an action does in each row: effects that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from huiyi.cause.after import After
from huiyi.cause.covariates import Covariates
from huiyi.cause.learners import Mean, Shares
from huiyi.cause.log import Categories, Log, Numbers
from huiyi.cause.nuisance import Nuisances, Progress, columns, doubly_robust, known, nuisances
from huiyi.errors import DataError

_LEAST_WEIGHT = 0.05
_LEAST_PROPENSITY = 0.02  # a row that was less likely to get what it got would drown the others


class EffectsOfRows:
    """Learn how much an action does from what is known before it, and tell it of any rows.

    Three ways are tried: the difference between what is expected after either action (T-learner), a mean of effects
    that were imputed to rows from what is expected after the other action (X-learner), and a mean of doubly robust
    scores (DR-learner). How much each counts is decided by how well it tells, in rows that it was not fitted to, what
    of the outcome is left when what was expected is taken away (the R-loss).

    Args:
        outcome: The outcome.
        action: What is done.
        against: What it is compared with.
        adjust: Columns of the context to hold equal and to tell effects from; all of them when not given.
        seed: Of folds and learners.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> hard, calls = rng.normal(size=300), rng.integers(2, size=300)
        >>> log = Log("log.csv", "reply", Categories(("mail", "call"), calls), {"solved": calls * hard}, {"hard": hard})
        >>> learnt = EffectsOfRows("solved", "call", "mail")
        >>> learnt.fit(log)
        >>> learnt.of(log.rows(hard > 0)).mean() > 0.5
        np.True_

    Source:
        Künzel et al., "Metalearners for Estimating Heterogeneous Treatment Effects", PNAS 116(10), 2019. Kennedy,
        "Towards Optimal Doubly Robust Estimation of Heterogeneous Causal Effects", EJS 17(2), 2023. Nie and Wager,
        "Quasi-Oracle Estimation of Heterogeneous Treatment Effects", Biometrika 108(2), 2021 (the loss; stacking: 5.2).
    """

    def __init__(
        self, outcome: str, action: str, against: str, *, adjust: Sequence[str] | None = None, seed: int = 0
    ) -> None:
        self.outcome = outcome
        self.action = action
        self.against = against
        self.adjust = adjust
        self.seed = seed

    def fit(self, log: Log, *, on_progress: Progress | None = None) -> None:
        """Learn from the rows that got either action.

        Raises:
            OptionError: There is no such action.
            DataError: Actions are doses, or an outcome is missing.
            ColumnError: There is no such column.
        """
        log = _of_two(log, self.action, self.against)
        names, outcomes = columns(log, self.adjust), known(log, self.outcome)
        assert isinstance(log.actions, Categories), "two actions with names"
        found = nuisances(log, self.outcome, adjust=names, seed=self.seed, on_progress=on_progress)
        rng = np.random.default_rng([self.seed, 4])
        groups = None if log.units is None else log.units.codes
        self.covariates = Covariates(names, rng)
        design = self.covariates.fit(log, outcomes[:, None], groups)
        got = found.codes == 1
        imputed = np.where(got, outcomes - found.predictions[:, 0], found.predictions[:, 1] - outcomes)
        scores = _scores(found)

        def learnt(rows: NDArray[np.bool_], values: Numbers) -> Mean:
            mean = Mean(rng)
            mean.fit(design.taking(rows), values[rows], None if groups is None else groups[rows])
            return mean

        told = np.empty((len(log), 3))  # of rows that were left out
        told[:, 0] = found.predictions[:, 1] - found.predictions[:, 0]
        for fold in np.unique(found.folds):
            rest, here = found.folds != fold, found.folds == fold
            rows = design.taking(here)
            share = found.propensities[here, 1]
            one, other = (learnt(rest & arm, imputed).predict(rows) for arm in (got, ~got))
            told[here, 1] = (1 - share) * one + share * other
            told[here, 2] = learnt(rest, scores).predict(rows)
        self.weights = _weights(found, told)
        every = np.ones(len(log), dtype=bool)
        self.shares = Shares(2, rng)
        self.shares.fit(design, found.codes, groups)
        if self.weights[0]:
            self.after = After(2, rng)
            self.after.fit(design, found.codes, outcomes, groups)
        self.imputed = [learnt(arm, imputed) for arm in (got, ~got)] if self.weights[1] else []
        self.scored = [learnt(every, scores)] if self.weights[2] else []

    def of(self, log: Log) -> Numbers:
        """The effect in each of some rows, shape (n,)."""
        design = self.covariates.of(log)
        effects = np.zeros(len(log))
        t, x, dr = self.weights
        if t:
            told = self.after.predict(design)
            effects += t * (told[:, 1] - told[:, 0])
        if x:
            share = self.shares.predict(design)[:, 1]
            one, other = (mean.predict(design) for mean in self.imputed)
            effects += x * ((1 - share) * one + share * other)
        if dr:
            effects += dr * self.scored[0].predict(design)
        return effects

    @property
    def said(self) -> str:
        """Which ways count how much, in words."""
        ways = zip(("T-learner", "X-learner", "DR-learner"), self.weights, strict=True)
        return ", ".join(f"{name} {weight:.0%}" for name, weight in ways if weight)


def effects_of_rows(
    log: Log,
    *,
    outcome: str,
    action: str,
    against: str,
    adjust: Sequence[str] | None = None,
    rows: Log | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Numbers:
    """The effect of an action in each row of a log, or of other rows, shape (n,). See ``EffectsOfRows``.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> hard, calls = rng.normal(size=300), rng.integers(2, size=300)
        >>> log = Log("log.csv", "reply", Categories(("mail", "call"), calls), {"solved": calls * 2.0}, {"hard": hard})
        >>> effects_of_rows(log, outcome="solved", action="call", against="mail").mean().round(1)
        np.float64(2.0)
    """
    learnt = EffectsOfRows(outcome, action, against, adjust=adjust, seed=seed)
    learnt.fit(log, on_progress=on_progress)
    return learnt.of(log if rows is None else rows)


def _of_two(log: Log, action: str, against: str) -> Log:
    """The rows that got either of two actions, coded 1 and 0."""
    actions = log.actions
    if not isinstance(actions, Categories):
        raise DataError(f"{log.source}: {log.action_name!r} is a dose. Expected actions with names: group it")
    log.check_done(action, against)
    got, other = actions.are(action), actions.are(against)
    which = np.flatnonzero(got | other)
    return replace(log.rows(which), actions=Categories((against, action), got[which].astype(np.intp)))


def _scores(found: Nuisances) -> Numbers:
    """The doubly robust score of the effect in each row, shape (n,)."""
    shares = np.clip(found.propensities, _LEAST_PROPENSITY, 1)
    scores = doubly_robust(found.outcomes, found.codes, shares, found.predictions)
    return np.asarray(scores[:, 1] - scores[:, 0])


def _weights(found: Nuisances, told: Numbers) -> tuple[float, ...]:
    """How much each way counts, by the R-loss of what it told of rows that it was not fitted to; they sum to 1."""
    expected = (found.propensities * found.predictions).sum(axis=1)
    varies = (found.codes == 1) - found.propensities[:, 1]
    # Weights that sum to 1: a heavy row asks for it.
    heavy = 1e3 * float(np.abs(varies[:, None] * told).sum())
    left = np.vstack([varies[:, None] * told, np.full((1, told.shape[1]), heavy)])
    weights, _ = nnls(left, np.append(found.outcomes - expected, heavy))
    weights[weights < _LEAST_WEIGHT] = 0.0
    return tuple((weights / weights.sum()).tolist())
