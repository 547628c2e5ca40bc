"""How strong a hidden cause must be to overturn an effect, told by how strong the known ones are.

An effect that holds the columns X equal is off if a hidden cause Z of both action D and outcome Y is not among them. By
at most

    |bias| ≤ S √(y · d / (1 − d)),     S² = mean(r²) · mean(α²)

with r what is left of the outcome after X and D, α the weights by which the effect is a mean of outcomes (for a linear
model what X leaves of D, by its variance; for a doubly robust one 1/propensity, signed), y the share of r's variance
that Z explains, and d the share by which Z would add to the variance of α. For a linear model these are the partial R²
of Z with Y and with D, and the bound is met by some Z. With |effect| = S f, a Z for which y = d = v overturns it where

    v ≥ ½ (√(f⁴ + 4 f²) − f²)

and one that explains all that is left of the outcome where d ≥ f² / (1 + f²), the partial R² of action and outcome.

A column Xⱼ that is held equal tells how much is plausible. A hidden cause as strong as that, beside all that is known,
has

    d = fⱼ²,   y = ((1 + q) / √(1 − q²))² gⱼ²,   q² = Rⱼ⁴ / (1 − Rⱼ²)²

with Rⱼ² the partial R² of Xⱼ and D, fⱼ² = Rⱼ² / (1 − Rⱼ²), and gⱼ² the same ratio for the outcome.

Source:
    Cinelli and Hazlett, "Making Sense of Sensitivity: Extending Omitted Variable Bias", JRSS B 82(1), 2020, sections
    4.2 to 4.4; Chernozhukov, Cinelli, Newey, Sharma and Syrgkanis, "Long Story Short: Omitted Variable Bias in Causal
    Machine Learning", arXiv:2112.13398, 2022, theorem 2. The interval's limit is moved by the same bias; that a hidden
    cause would also change the standard error is left aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.covariates import Covariates
from huiyi.cause.log import Categories, Log, Numbers
from huiyi.errors import ColumnError, DataError, did_you_mean
from huiyi.values import Effect

if TYPE_CHECKING:
    from huiyi.cause.nuisance import Nuisances


_SEED = (0, 1)  # not a plain 0, by which a simulated log may have been drawn: its numbers must not be these


@dataclass(frozen=True, eq=False)
class Parts:
    """What an estimate is made of, row by row.

    Attributes:
        residuals: What is left of the outcome, shape (n,); 0 for rows whose action is not compared.
        weights: By which the effect is a mean of outcomes, shape (n,); 0 for the same rows.
    """

    residuals: Numbers
    weights: Numbers

    @property
    def scale(self) -> float:
        """S above: by how much a hidden cause can move the effect, in the outcome's unit."""
        return float(np.sqrt(np.mean(self.residuals**2) * np.mean(self.weights**2)))


@dataclass(frozen=True)
class Strength:
    """How strong a cause is, hidden or known, beside all that is held equal.

    Attributes:
        of_outcome: The share that it explains of what is left of the outcome, 0 to 1.
        of_action: The same of the action.
    """

    of_outcome: float
    of_action: float

    @property
    def even(self) -> float:
        """The strength on both sides that could move an effect as far."""
        return _even(sqrt(self.moves))

    @property
    def moves(self) -> float:
        """The square of how far it could move an effect, in units of S."""
        return inf if self.of_action >= 1 else self.of_outcome * self.of_action / (1 - self.of_action)


@dataclass(frozen=True)
class Sensitivity:
    """How strong a hidden cause must be to overturn an effect.

    Attributes:
        action_name: The column of actions.
        outcome: What it changes.
        effect: By how much, on average.
        error: The standard error of that.
        doubtful: How much of it a bias must take away for the interval to hold no effect; 0 where it does anyway.
        scale: By how much a hidden cause can move it (S above).
        to_overturn: The share that a hidden cause must explain of what is left of both outcome and action, so that
            nothing is left of the effect.
        to_doubt: The same, so that its interval holds no effect.
        partial: The share of the action to be explained by a hidden cause that explains all of the outcome.
        known: Of each column that is held equal, how strong a hidden cause is that is as strong as it.
    """

    action_name: str
    outcome: str
    effect: float
    error: float
    doubtful: float
    scale: float
    to_overturn: float
    to_doubt: float
    partial: float
    known: Mapping[str, Strength]

    @property
    def strongest(self) -> str | None:
        """The known column that is strongest; None where nothing is held equal."""
        return max(self.known, key=lambda name: self.known[name].moves, default=None)

    def bias(self, strength: Strength) -> float:
        """By how much a hidden cause can move the effect at most, in the outcome's unit."""
        return self.scale * sqrt(strength.moves)

    def would_overturn(self, strength: Strength) -> bool:
        """Whether a hidden cause of this strength could leave nothing of the effect."""
        return self.bias(strength) >= abs(self.effect)

    def would_doubt(self, strength: Strength) -> bool:
        """Whether a hidden cause of this strength could make the interval hold no effect."""
        return self.bias(strength) >= self.doubtful

    def as_strong_as(self, name: str, *, times: float = 1.0) -> Strength:
        """A hidden cause that is so many times as strong as a known column.

        Raises:
            ColumnError: The column is not among those held equal.
        """
        if name not in self.known:
            raise ColumnError(
                f"{name!r} is not held equal, so how strong it is was not measured.{did_you_mean(name, self.known)} "
                f"Expected one of: {', '.join(self.known)}"
            )
        one = self.known[name]
        return Strength(min(1.0, times * one.of_outcome), min(1.0, times * one.of_action))

    def told(self, strength: Strength) -> str:
        """What a hidden cause of some strength would do, in a plain sentence."""
        verdict = "would overturn it" if self.would_overturn(strength) else "would not overturn it"
        if not self.would_overturn(strength) and self.would_doubt(strength):
            verdict = "would leave it in doubt, but would not overturn it"
        return (
            f"A hidden cause that explains {_percent(strength.of_outcome)} of what is left of {self.outcome!r} and "
            f"{_percent(strength.of_action)} of what is left of {self.action_name!r} {verdict}."
        )

    @property
    def said(self) -> str:
        """All of it in a plain sentence."""
        needed = (
            f"A hidden cause that explains {_percent(self.to_overturn)} of what is left of both {self.outcome!r} and "
            f"{self.action_name!r} would overturn it"
        )
        needed += f"; {_percent(self.to_doubt)} would leave it in doubt" if self.doubtful else "; it is in doubt anyway"
        if self.strongest is None:
            return f"{needed}. No column is held equal, so how strong such a cause may be cannot be compared."
        one = self.known[self.strongest]
        return f"{needed}; one as strong as the strongest known one, {self.strongest!r}, explains {_percent(one.even)}."


def sensitivity(
    log: Log, effect: Effect, *, parts: Parts | None = None, known: Mapping[str, Strength] | None = None
) -> Sensitivity:
    """How strong a hidden cause must be to overturn an effect.

    Args:
        log: What it was estimated from.
        effect: The effect, with what was held equal.
        parts: What the estimate is made of; those of a linear model by default.
        known: How strong known columns are; all that are held equal, by a linear model, by default. A nonlinear
            measure costs an estimate without each column (``strength_of``).

    Raises:
        DataError: No effect was told.
        ColumnError: A column that was held equal is not there.

    Example:
        >>> from huiyi.values import Estimate
        >>> rng = np.random.default_rng(0)
        >>> waiting = rng.normal(size=2000)
        >>> mailed = waiting + rng.normal(size=2000) > 0
        >>> reply = Categories.of(["mail" if one else "call" for one in mailed])
        >>> log = Log("log.csv", "reply", reply, {"score": mailed + waiting + rng.normal(size=2000)},
        ...     {"waiting": waiting})
        >>> told = Estimate(1.0, 0.9, 1.1, 0.05)
        >>> found = sensitivity(log, Effect("mail", "call", "score", "ATE", {}, 2000, told, 1.5, adjusted=("waiting",)))
        >>> print(found.said)  # doctest: +NORMALIZE_WHITESPACE
        A hidden cause that explains 34 % of what is left of both 'score' and 'reply' would overturn it;
        31 % would leave it in doubt; one as strong as the strongest known one, 'waiting', explains 60 %.
    """
    told = effect.estimate
    if told is None:
        raise DataError(f"{log.source}: no effect was told, so nothing can overturn it: {effect.refused}")
    measured = _Linear(log, effect) if parts is None or known is None else None
    if parts is None:
        assert measured is not None, "made just above"
        parts = measured.parts
    if known is None:
        assert measured is not None, "made just above"
        known = measured.known()
    doubtful = max(0.0, told.low, -told.high)
    share = abs(told.value) / parts.scale
    return Sensitivity(
        log.action_name,
        effect.outcome,
        told.value,
        told.error,
        doubtful,
        parts.scale,
        _even(share),
        _even(doubtful / parts.scale),
        share**2 / (1 + share**2),
        dict(known),
    )


def linear_parts(log: Log, effect: Effect) -> Parts:
    """What an estimate by a linear model of the outcome is made of; rows without an outcome are left out."""
    return _Linear(log, effect).parts


def doubly_robust_parts(
    found: Nuisances,
    *,
    action: str,
    against: str,
    estimand: str = "ATE",
    kept: NDArray[np.bool_] | None = None,
) -> Parts:
    """What a doubly robust estimate is made of.

    Args:
        found: What was predicted for each row.
        action: What is done.
        against: What it is compared with.
        estimand: ``ATE`` or ``ATT``.
        kept: Which rows the effect is about, those with overlap or of a segment, shape (n,); all when not given.

    Example:
        >>> from huiyi.cause.nuisance import Nuisances
        >>> codes, half = np.array([0, 1, 1, 0]), np.full((4, 2), 0.5)
        >>> found = Nuisances(("call", "mail"), codes, np.ones(4), half, np.zeros((4, 2)), codes, ())
        >>> parts = doubly_robust_parts(found, action="mail", against="call")
        >>> parts.weights.tolist(), parts.scale
        ([-2.0, 2.0, 2.0, -2.0], 2.0)
    """
    place, other_place = found.names.index(action), found.names.index(against)
    got, other = found.codes == place, found.codes == other_place
    of_got, of_other = found.propensities[:, place], found.propensities[:, other_place]
    here = np.ones(len(got), dtype=bool) if kept is None else kept
    # For those who got it, the others are weighed to be like them.
    of_treated = (got - other * of_got / of_other) / got[here].mean()
    weights = of_treated if estimand == "ATT" else got / of_got - other / of_other
    expected = found.predictions[np.arange(len(found.codes)), found.codes]
    return Parts(np.where(got | other, found.outcomes - expected, 0.0)[here], weights[here])


def explained_by(full: Parts, without: Parts) -> Strength:
    """What a column explains beside the others, by an estimate with and one without it.

    Args:
        full: Of the estimate.
        without: Of the same rows, the column not held equal.
    """
    outcome, bare_outcome = float(np.mean(full.residuals**2)), float(np.mean(without.residuals**2))
    action, bare_action = float(np.mean(full.weights**2)), float(np.mean(without.weights**2))
    return Strength(max(0.0, 1 - outcome / bare_outcome), max(0.0, 1 - bare_action / action))


def strength_of(full: Parts, without: Parts) -> Strength:
    """How strong a hidden cause is that is as strong as a known column, by an estimate with and one without it.

    Args:
        full: Of the estimate.
        without: Of the same rows, the column not held equal.
    """
    explained = explained_by(full, without)
    return _as_strong(explained.of_outcome, explained.of_action)


class _Linear:
    """Linear models of the outcome and of the action, on what is held equal."""

    def __init__(self, log: Log, effect: Effect) -> None:
        for name in effect.adjusted:
            log.column(name)  # says so where it is not there
        outcome = log.outcomes[effect.outcome]
        used = np.isfinite(outcome)
        if isinstance(log.actions, Categories):
            used &= log.actions.are(effect.action) | log.actions.are(effect.against)
            log, outcome = log.rows(used), outcome[used]
            assert isinstance(log.actions, Categories), "rows of names are names"
            action = log.actions.are(effect.action).astype(float)
        else:
            log, outcome = log.rows(used), outcome[used]
            action = np.asarray(log.actions, dtype=float)
        both = np.column_stack([outcome, action])
        design = Covariates(effect.adjusted, np.random.default_rng(_SEED)).fit(log, both)
        self.sources = np.array(design.sources, dtype=np.str_)
        rows = np.column_stack([np.ones(len(log)), design.rows])
        self.left = action - _fitted(rows, action)[0]
        if not np.mean(self.left**2) > 1e-12:
            raise DataError(
                f"{log.source}: what is held equal tells {log.action_name!r} completely, so nothing can be compared"
            )
        self.rows, self.action = rows, action
        self.with_action = np.column_stack([rows, action])
        self.outcome = outcome
        residuals = outcome - _fitted(self.with_action, outcome)[0]
        self.parts = Parts(residuals, self.left / np.mean(self.left**2))

    def known(self) -> dict[str, Strength]:
        """How strong a hidden cause is that is as strong as each column."""
        outcome_left, action_left = float(np.sum(self.parts.residuals**2)), float(np.sum(self.left**2))
        of_outcome = self._added(self.with_action, self.outcome)
        of_action = self._added(self.rows, self.action)
        return {
            name: _as_strong(
                of_outcome[name] / (of_outcome[name] + outcome_left), of_action[name] / (of_action[name] + action_left)
            )
            for name in dict.fromkeys(self.sources.tolist())
        }

    def _added(self, rows: Numbers, target: Numbers) -> dict[str, float]:
        """By how much the sum of squares would grow without each column (of its Wald statistic)."""
        weights, inverse = _fitted(rows, target)[1:]
        added = {}
        for name in dict.fromkeys(self.sources.tolist()):
            places = 1 + np.flatnonzero(self.sources == name)
            block = inverse[np.ix_(places, places)]
            added[name] = float(weights[places] @ np.linalg.pinv(block, hermitian=True) @ weights[places])
        return added


def _fitted(rows: Numbers, target: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Least squares: fitted values (n,), weights (d,) and the inverse of rows' products (d, d)."""
    inverse = np.asarray(np.linalg.pinv(rows.T @ rows, hermitian=True), dtype=np.float64)
    weights = inverse @ (rows.T @ target)
    return rows @ weights, weights, inverse


def _as_strong(of_outcome: float, of_action: float) -> Strength:
    """From the partial R² of a known column to the strength of a hidden cause as strong as that."""
    if of_outcome >= 1 or of_action >= 0.5:  # one more as strong as that would leave nothing of the action to explain
        return Strength(1.0, 1.0) if of_action >= 0.5 else Strength(1.0, of_action / (1 - of_action))
    action = of_action / (1 - of_action)
    beside = action**2  # partial R² of the hidden and the known one, once the action is given
    outcome = (1 + sqrt(beside)) ** 2 / (1 - beside) * of_outcome / (1 - of_outcome)
    return Strength(min(1.0, outcome), action)


def _even(share: float) -> float:
    """The strength v with v² / (1 − v) = share²."""
    if share > 1e4:
        return 1.0
    return (sqrt(share**4 + 4 * share**2) - share**2) / 2


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %") if 0 < share < 0.0995 else f"{share:.0%}".replace("%", " %")
