"""What must be known beside the effect: how probable each action was, and what each would have brought.

Both are predicted for each row by learners that have not seen it (cross-fitting), and joined in doubly robust scores,
whose mean is right if either is.

Source:
    Robins, Rotnitzky and Zhao, "Estimation of Regression Coefficients When Some Regressors Are Not Always Observed",
    JASA 89, 1994. Chernozhukov et al., "Double/Debiased Machine Learning for Treatment and Structural Parameters",
    Econometrics Journal 21, 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.after import After
from huiyi.cause.covariates import Covariates, Design, Leftover
from huiyi.cause.learners import Mean, Shares, parts_of
from huiyi.cause.log import Categories, Log, Numbers
from huiyi.cause.nearest import Nearest
from huiyi.errors import DataError
from huiyi.together import side_by_side

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how many steps of it are done, and of how many."""

FOLDS = 5
FOLDS_OF_MANY = 2
MANY_ROWS = 50_000

SLACK = 0.05
"""How much less exact predictions may be, to be less drawn towards the mean. See ``Mean``."""

_LEAST = 1e-4
"""No action is taken for less probable than this."""

_LEAST_OF_TEXTS = 0.1
"""The few rows of like texts cannot tell that an action is less probable than this share of what it is overall."""


@dataclass(frozen=True, eq=False)
class Nuisances:
    """What was predicted for n rows and k actions.

    Attributes:
        names: Of the actions, shape (k,).
        codes: The place of each row's action among them, shape (n,).
        outcomes: What came of it, shape (n,).
        propensities: How probable each action was, shape (n, k); of the one that was taken, as it was written down
            where it was.
        predictions: What each would have brought, shape (n, k).
        folds: Rows of one fold were predicted by learners that saw the others, shape (n,).
        said: Which learners counted, a sentence each.
    """

    names: tuple[str, ...]
    codes: NDArray[np.intp]
    outcomes: Numbers
    propensities: Numbers
    predictions: Numbers
    folds: NDArray[np.intp]
    said: tuple[str, ...]

    @property
    def scores(self) -> Numbers:
        """Doubly robust scores, shape (n, k); see ``doubly_robust``."""
        return doubly_robust(self.outcomes, self.codes, self.propensities, self.predictions)


def doubly_robust(outcomes: Numbers, codes: NDArray[np.intp], propensities: Numbers, predictions: Numbers) -> Numbers:
    """What each action would have brought in each row, plus what the rows that took it say of the error.

    Their means over rows estimate the mean outcome if everybody got the action.

    Args:
        outcomes: Shape (n,).
        codes: Actions that were taken, shape (n,).
        propensities: Of each action, shape (n, k).
        predictions: Of the outcome after each action, shape (n, k).

    Returns:
        Shape (n, k).

    Example:
        >>> halves = np.full((2, 2), 0.5)
        >>> doubly_robust(np.array([1.0, 3.0]), np.array([0, 1]), halves, np.zeros((2, 2))).tolist()
        [[2.0, 0.0], [0.0, 6.0]]
    """
    scores = predictions.copy()
    rows = np.arange(len(codes))
    scores[rows, codes] += (outcomes - predictions[rows, codes]) / propensities[rows, codes]
    return scores


def nuisances(
    log: Log,
    outcome: str,
    *,
    adjust: Sequence[str] | None = None,
    folds: int | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Nuisances:
    """Predict propensities and outcomes of each row by learners that have not seen it.

    Args:
        log: n rows, of actions with names. Rows of one unit stay in one fold.
        outcome: Of the log; known in every row.
        adjust: Columns of the context to hold equal; all of them when not given.
        folds: How many; by the number of rows when not given.
        seed: Of folds and learners.
        on_progress: Told of each fold.

    Raises:
        DataError: Actions are doses, or an outcome is missing.
        ColumnError: There is no such column.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> hard = rng.normal(size=400)
        >>> calls = rng.random(400) < 1 / (1 + np.exp(-hard))
        >>> log = Log("log.csv", "reply", Categories(("mail", "call"), calls.astype(np.intp)),
        ...     {"solved": calls - hard}, {"hard": hard})
        >>> found = nuisances(log, "solved")
        >>> (found.predictions[:, 1] - found.predictions[:, 0]).mean().round(1)
        np.float64(1.0)
        >>> np.corrcoef(found.propensities[:, 1], hard)[0, 1].round(1)
        np.float64(1.0)
    """
    if not isinstance(log.actions, Categories):
        raise DataError(f"{log.source}: {log.action_name!r} is a dose. Expected actions with names: group it")
    outcomes = known(log, outcome)
    names = columns(log, adjust)
    actions, codes, k = log.actions.names, log.actions.codes, len(log.actions.names)
    dealt = deal(log, folds, seed, codes=codes)
    propensities, predictions = np.empty((len(log), k)), np.empty((len(log), k))
    groups = None if log.units is None else log.units.codes

    def predict(fold: int, rng: np.random.Generator) -> str:
        train, rest = np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)
        covariates = Covariates(names, rng)
        own = None if groups is None else groups[train]
        design = covariates.fit(log.rows(train), _targets(codes[train], outcomes[train], k), own)
        other = covariates.of(log.rows(rest))
        shares = Shares(k, rng)
        shares.fit(design, codes[train], own)
        propensities[rest] = _by_texts(shares, design, codes[train], other, rng)
        said = [f"propensities by {shares.said}"]
        after = After(k, rng, slack=SLACK)
        after.fit(design, codes[train], outcomes[train], own)
        predictions[rest] = after.predict(other)
        for code, (name, mean) in enumerate(zip(actions, after.means, strict=True)):
            took = train[codes[train] == code]
            predictions[rest, code] += _leftover(log, covariates, mean, took if len(took) else train, outcomes, rest)
            said.append(f"{outcome!r} after {name!r} by {mean.said}")
        return f"Fold {fold + 1}: {'; '.join(said)}."

    said = _each(dealt, predict, seed, on_progress)
    propensities = np.maximum(propensities, _LEAST)
    propensities /= propensities.sum(axis=1, keepdims=True)
    if log.propensities is not None:
        propensities = _with_known(propensities, codes, log.propensities)
    return Nuisances(actions, codes, outcomes, propensities, predictions, dealt, said)


def expected(
    log: Log,
    values: Numbers,
    *,
    adjust: Sequence[str] | None = None,
    folds: NDArray[np.intp] | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Numbers:
    """The mean of a number given what is held equal, for each row by learners that have not seen it, shape (n,).

    Args:
        log: n rows.
        values: The numbers, shape (n,): outcomes, or doses.
        adjust: Columns of the context to hold equal; all of them when not given.
        folds: The fold of each row, shape (n,); dealt when not given.
        seed: Of folds and learners.
        on_progress: Told of each fold.
    """
    names = columns(log, adjust)
    dealt = deal(log, None, seed) if folds is None else folds
    groups = None if log.units is None else log.units.codes
    told = np.empty(len(log))

    def predict(fold: int, rng: np.random.Generator) -> str:
        train, rest = np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)
        covariates = Covariates(names, rng)
        own = None if groups is None else groups[train]
        design = covariates.fit(log.rows(train), values[train][:, None], own)
        mean = Mean(rng, slack=SLACK)
        mean.fit(design, values[train], own)
        told[rest] = mean.predict(covariates.of(log.rows(rest)))
        told[rest] += _leftover(log, covariates, mean, train, values, rest)
        return mean.said

    _each(dealt, predict, seed, on_progress)
    return told


def columns(log: Log, adjust: Sequence[str] | None) -> tuple[str, ...]:
    """The columns to hold equal: those named, or the whole context.

    Raises:
        ColumnError: One is not there.
        DataError: One is the action or an outcome.
    """
    names = tuple(log.context) if adjust is None else tuple(dict.fromkeys(adjust))
    for name in names:
        log.column(name)
        if name not in log.context:
            what = "action" if name == log.action_name else "outcome"
            raise DataError(
                f"{log.source}: {name!r} is the {what}. Expected columns known before the action: leave it out"
            )
    return names


def known(log: Log, outcome: str) -> Numbers:
    """The outcome, known in every row, shape (n,).

    Raises:
        ColumnError: There is no such outcome.
        DataError: It holds names, or is missing in some row.
    """
    values = log.column(outcome)
    if isinstance(values, Categories) or not np.isfinite(values).all():
        raise DataError(f"{log.source}: {outcome!r} is not a number in every row. Expected one: leave out other rows")
    return values


def deal(log: Log, folds: int | None, seed: int, *, codes: NDArray[np.intp] | None = None) -> NDArray[np.intp]:
    """The fold of each row, shape (n,): rows of one unit stay together, else each fold has its share of each code."""
    count = folds or (FOLDS if len(log) <= MANY_ROWS else FOLDS_OF_MANY)
    rng = np.random.default_rng([seed, 0])
    return parts_of(len(log), count, rng, codes=codes, groups=None if log.units is None else log.units.codes)


def _each(
    dealt: NDArray[np.intp],
    predict: Callable[[int, np.random.Generator], str],
    seed: int,
    on_progress: Progress | None,
) -> tuple[str, ...]:
    """Predict each fold, several at once."""
    folds = np.unique(dealt).tolist()
    jobs = [partial(predict, fold, np.random.default_rng([seed, 1, fold])) for fold in folds]
    said = []
    for done, sentence in enumerate(side_by_side(jobs), start=1):
        said.append(sentence)
        if on_progress is not None:
            on_progress("cross-fitting", done, len(folds))
    return tuple(said)


def _targets(codes: NDArray[np.intp], outcomes: Numbers, k: int) -> Numbers:
    """What a name that is one of many is described by: how often each action was taken, and what came of it."""
    took = codes[:, None] == np.arange(k)
    means = np.array([outcomes[mine].mean() if mine.any() else 0.0 for mine in took.T])
    rest = outcomes - means[codes]
    return np.column_stack([took[:, 1:].astype(float), rest, np.where(took, rest[:, None], np.nan)])


def _by_texts(
    shares: Shares, design: Design, codes: NDArray[np.intp], other: Design, rng: np.random.Generator
) -> Numbers:
    """How probable each action is in other rows, shape (m, k), with what rows of like texts say beside."""
    told = shares.predict(other)
    if not (design.kinds == "vector").any():
        return told
    took = (codes[:, None] == np.arange(shares.actions)).astype(float)
    nearest = Nearest(rng)
    nearest.fit(design, took - shares.predict(design))
    least = _LEAST_OF_TEXTS * shares.constant
    return np.asarray(np.maximum(told + nearest.of(other), least))


def _leftover(
    log: Log, covariates: Covariates, mean: Mean, train: NDArray[np.intp], values: Numbers, rest: NDArray[np.intp]
) -> Numbers:
    """What to add to the means of rows for names of which there are many, shape (rest,)."""
    leftover = Leftover(covariates.many)
    if covariates.many:
        seen = log.rows(train)
        leftover.fit(seen, values[train] - mean.predict(covariates.of(seen)))
    return leftover.of(log.rows(rest)) if covariates.many else np.zeros(len(rest))


def _with_known(propensities: Numbers, codes: NDArray[np.intp], taken: Numbers) -> Numbers:
    """Put in how probable the action that was taken was; what is left is shared by the others as before."""
    rows = np.arange(len(codes))
    others = 1 - propensities[rows, codes]
    told = propensities * ((1 - taken) / np.maximum(others, 1e-12))[:, None]
    told[rows, codes] = taken
    return told
