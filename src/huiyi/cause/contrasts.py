"""From scores of rows to what an action does on average, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from huiyi.cause.log import Numbers
from huiyi.cause.nuisance import Nuisances
from huiyi.values import Estimate

_DRAWS = 20_000


@dataclass(frozen=True, eq=False)
class Influence:
    """An average effect, and how much each row moves it.

    Attributes:
        value: The effect.
        rows: Places of the rows that have a say.
        moves: How much each of them moves it, shape (rows,); they sum to 0.
        units: To how many independent ones they belong.
    """

    value: float
    rows: NDArray[np.intp]
    moves: Numbers
    units: int


def contrast(found: Nuisances, code: int, other: int, rows: NDArray[np.intp], estimand: str) -> Influence:
    """What an action does beside another, by doubly robust scores whose weights are normalised.

    Args:
        found: What was predicted, of all rows.
        code: The action.
        other: The one compared with.
        rows: Places of the rows to average over, which have overlap. For ``ATT`` over those that got the action.
        estimand: ``ATE`` or ``ATT``.

    Source:
        Scores for those who got the action: Sant'Anna and Zhao, "Doubly Robust Difference-in-Differences Estimators",
        Journal of Econometrics 219, 2020, 2.2, for one period.
    """
    got, left = found.codes[rows] == code, found.codes[rows] == other
    here, there = found.propensities[rows, code], found.propensities[rows, other]
    outcomes, mine, theirs = found.outcomes[rows], found.predictions[rows, code], found.predictions[rows, other]
    if estimand == "ATT":
        weights = _normalised(np.where(left, here / there, 0.0))
        share = got.mean()
        scores = (got * (outcomes - theirs)) / share - weights * (outcomes - theirs)
        value = float(scores.mean())
        moves = scores - got / share * value
    else:
        scores = mine - theirs
        scores += _normalised(np.where(got, 1 / here, 0.0)) * (outcomes - mine)
        scores -= _normalised(np.where(left, 1 / there, 0.0)) * (outcomes - theirs)
        value = float(scores.mean())
        moves = scores - value
    return Influence(value, rows, moves / len(rows), len(rows))


def _normalised(weights: Numbers) -> Numbers:
    """Weights whose mean is 1."""
    mean = float(weights.mean())
    return weights / mean if mean > 0 else weights


def slope(outcomes: Numbers, doses: Numbers, rows: NDArray[np.intp]) -> Influence:
    """By how much an outcome grows for one unit more of a dose.

    Args:
        outcomes: Less what was expected of them, shape (n,).
        doses: Less what was expected of them, shape (n,).
        rows: Places of the rows to average over.

    Source:
        Robinson, "Root-N-Consistent Semiparametric Regression", Econometrica 56(4), 1988; Chernozhukov et al.
        2018, 4.1.
    """
    outcomes, doses = outcomes[rows], doses[rows]
    outcomes, doses = outcomes - outcomes.mean(), doses - doses.mean()
    squares = float((doses**2).sum())
    value = float((outcomes * doses).sum()) / squares
    return Influence(value, rows, doses * (outcomes - value * doses) / squares, len(rows))


def estimates(
    found: Sequence[Influence], *, level: float, units: NDArray[np.intp] | None, rng: np.random.Generator
) -> tuple[Estimate, ...]:
    """Intervals that hold all the truths at once at the level.

    How far the worst of them strays is drawn from their joint distribution, so that those which share rows are not
    paid for twice.

    Args:
        found: The effects.
        level: How often all intervals together hold.
        units: Whom each row of the log is about, shape (n,); rows of one are not independent.
        rng: Draws.

    Source:
        Multiplier bootstrap of the largest t: Chernozhukov, Chetverikov and Kato, "Gaussian Approximations and
        Multiplier Bootstrap for Maxima of Sums of High-Dimensional Random Vectors", Annals of Statistics 41(6), 2013,
        by its normal limit.
    """
    if not found:
        return ()
    places = np.concatenate([one.rows for one in found])
    if units is not None:
        places = units[places]
    columns = np.repeat(np.arange(len(found)), [len(one.rows) for one in found])
    moves = sparse.csc_array((np.concatenate([one.moves for one in found]), (places, columns)))  # adds up units
    several = np.array([np.count_nonzero(np.diff(np.sort(places[columns == at]))) + 1 for at in range(len(found))])
    spread = (moves.T @ moves).toarray() * np.sqrt(np.outer(several / (several - 1), several / (several - 1)))
    errors = np.sqrt(np.diag(spread))
    freedom = np.maximum(several - 1, 1)
    if len(found) == 1:
        far = stats.t.ppf(0.5 + level / 2, freedom)
    else:
        values, vectors = np.linalg.eigh(spread / np.maximum(np.outer(errors, errors), 1e-300))
        draws = rng.normal(size=(_DRAWS, len(found))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
        # Each is as probable under the normal distribution as what it may be under its own Student's.
        beyond = stats.norm.sf(np.abs(draws)).min(axis=1)
        far = stats.t.isf(np.quantile(beyond, 1 - level), freedom)
    return tuple(
        Estimate(one.value, one.value - wide, one.value + wide, float(error), level)
        for one, wide, error in zip(found, (far * errors).tolist(), errors, strict=True)
    )
