"""What a policy would bring that was never run, told from the log of another one.

The log drew the action a of a row with the probability p, and y came of it. The policy would have drawn it with the
probability π. With w = π / p and predictions q of what each action brings, each method is a mean over rows:

    ips      w y                         right if p is right
    snips    w y / mean w                the same, steadier
    direct   Σ_a π(a) q(a)               right if q is right
    dr       Σ_a π(a) q(a) + w (y − q)   right if either is, and the steadiest of those
    switch   dr, with 0 in the place of w where w > τ
    shrink   dr, with λ w / (w² + λ) in the place of w

τ and λ have the least estimated mean squared error: the variance, and the square of what the change takes away, less
what chance alone would make of that.

A few rows with large weights may decide everything. How many rows of equal weight would say as much is the effective
sample, (Σ w)² / Σ w². Where it is small, intervals are those that hold for all bounded numbers; where it is smaller
still, no value is told.

Sources:
    Horvitz and Thompson, "A Generalization of Sampling Without Replacement from a Finite Universe", JASA 47, 1952.
    snips: Swaminathan and Joachims, "The Self-Normalized Estimator for Counterfactual Learning", NIPS 2015.
    direct, dr: Dudík, Langford and Li, "Doubly Robust Policy Evaluation and Learning", ICML 2011.
    switch: Wang, Agarwal and Dudík, "Optimal and Adaptive Off-policy Evaluation in Contextual Bandits", ICML 2017.
    shrink: Su, Dimakopoulou, Krishnamurthy and Dudík, "Doubly Robust Off-policy Evaluation with Shrinkage", ICML 2020.
    Effective sample: Kong, "A Note on Importance Sampling Using Standardized Weights", 1992.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Log, Numbers
from huiyi.cause.means import effective_rows, mean_of
from huiyi.errors import DataError, OptionError, did_you_mean
from huiyi.values import Estimate

if TYPE_CHECKING:
    from huiyi.cause.nuisance import Nuisances

Method: TypeAlias = Literal["ips", "snips", "direct", "dr", "switch", "shrink"]
METHODS: tuple[Method, ...] = get_args(Method)

_NEED_PREDICTIONS = frozenset({"direct", "dr", "switch", "shrink"})
_RARELY = 0.01  # share of a policy's choices that may be of actions which the log never took
_HEAVY = 0.1  # share of all weight in one row from which on it is told
_FAR = 4.0  # standard errors that the mean weight may be away from 1
_FEW_OUTCOMES = 5.0  # effective rows with the rarer of two outcomes
_WIDE = ", so the interval is one that holds for all bounded outcomes; it is wide."
_STEPS = 30  # τ and λ that are tried


@dataclass(frozen=True)
class ValueConfig:
    """When a value is told, and how surely.

    Attributes:
        level: How often the intervals hold the truth.
        least_effective: An effective sample below this tells no value.
        few_effective: One below this gives intervals that hold for all bounded numbers, which are wide.
    """

    level: float = 0.95
    least_effective: float = 30.0
    few_effective: float = 100.0

    def __post_init__(self) -> None:
        if not 0 < self.level < 1 or not 1 <= self.least_effective <= self.few_effective:
            raise OptionError(
                f"{self} cannot be used. Expected a level between 0 and 1, and least_effective from 1 to few_effective."
            )


@dataclass(frozen=True, eq=False)
class Logged:
    """What was done in n rows, of k actions, and what came of it.

    Attributes:
        names: Of the actions, shape (k,).
        actions: The place of each row's action among them, shape (n,).
        rewards: What came of it, larger is better, shape (n,).
        propensities: How probable the action that was taken was, shape (n,).
        predictions: What each action brings, as learners say that have not seen the row, shape (n, k). Not needed for
            ``ips`` and ``snips``.
        units: Whom each row is about, as places from 0 on, shape (n,); rows of one unit are not independent.
        source: What to call it in messages.

    Raises:
        DataError: Fewer than two rows, shapes that do not go together, a propensity that is none, a reward that is not
            known.
    """

    names: tuple[str, ...]
    actions: NDArray[np.intp]
    rewards: Numbers
    propensities: Numbers
    predictions: Numbers | None = None
    units: NDArray[np.intp] | None = None
    source: str = "log"

    def __post_init__(self) -> None:
        n, k = len(self.actions), len(self.names)
        shapes = {"rewards": (n,), "propensities": (n,), "predictions": (n, k), "units": (n,)}
        for name, expected in shapes.items():
            given = getattr(self, name)
            if given is not None and given.shape != expected:
                raise DataError(
                    f"{self.source}: {name} have the shape {given.shape}. Expected {expected}, since there are {n:,} "
                    f"rows and {k} actions: give one for each"
                )
        if n < 2:
            raise DataError(f"{self.source}: {n} row tells no value. Expected at least 2: log more decisions")
        if (wrong := np.flatnonzero((self.actions < 0) | (self.actions >= k))).size:
            raise DataError(
                f"{self.source} row {wrong[0] + 1}: the action is number {self.actions[wrong[0]]}. Expected 0 to "
                f"{k - 1}, the places of {k} names: correct it"
            )
        if (wrong := np.flatnonzero(~((self.propensities > 0) & (self.propensities <= 1)))).size:
            raise DataError(
                f"{self.source} row {wrong[0] + 1}: the propensity is {self.propensities[wrong[0]]:g}. Expected how "
                "probable the action that was taken was, above 0 and at most 1: correct it, or leave the row out"
            )
        if (wrong := np.flatnonzero(~np.isfinite(self.rewards))).size:
            raise DataError(
                f"{self.source} row {wrong[0] + 1}: the outcome is not known, here and in {wrong.size - 1:,} other "
                "rows. Expected a number: leave them out"
            )

    def __len__(self) -> int:
        """How many rows."""
        return len(self.actions)

    def rows(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Logged:
        """Some of the rows, by their places or by a mask."""
        return replace(
            self,
            actions=self.actions[which],
            rewards=self.rewards[which],
            propensities=self.propensities[which],
            predictions=None if self.predictions is None else self.predictions[which],
            units=None if self.units is None else self.units[which],
        )

    @classmethod
    def of(cls, log: Log, found: Nuisances) -> Logged:
        """A log, with what was predicted for each of its rows."""
        propensities = found.propensities[np.arange(len(found.codes)), found.codes]
        units = None if log.units is None else log.units.codes
        return cls(found.names, found.codes, found.outcomes, propensities, found.predictions, units, log.source)


@dataclass(frozen=True)
class Value:
    """What a policy would bring.

    Attributes:
        method: How it was told.
        rows: Rows that tell of it.
        effective: How many rows of equal weight would say as much.
        logging: What the policy that logged brought.
        estimate: The mean outcome under the policy. None where that cannot be told.
        gain: By how much that is more than ``logging``; the same rows tell both.
        refused: Why it cannot be told, and what to do; "" where it can.
        notices: What to know before trusting it, a sentence each.
    """

    method: Method
    rows: int
    effective: float
    logging: Estimate
    estimate: Estimate | None = None
    gain: Estimate | None = None
    refused: str = ""
    notices: tuple[str, ...] = ()


def value(logged: Logged, target: Numbers, *, method: Method = "dr", config: ValueConfig | None = None) -> Value:
    """Tell what a policy would bring, or why that cannot be told.

    Args:
        logged: What was done and what came of it.
        target: How probable the policy would make each action, shape (n, k).
        method: One of ``METHODS``.
        config: See there.

    Raises:
        OptionError: There is no such method, or it needs predictions.
        DataError: ``target`` has another shape or a row of it is no distribution.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> actions = rng.integers(2, size=4000)
        >>> solved = (rng.random(4000) < 0.3 + 0.2 * actions).astype(float)
        >>> logged = Logged(("mail", "call"), actions, solved, propensities=np.full(4000, 0.5))
        >>> told = value(logged, np.tile([0.0, 1.0], (4000, 1)), method="snips")
        >>> round(told.estimate.value, 2), round(told.gain.value, 2), round(told.effective)
        (0.51, 0.11, 2029)
    """
    config = config or ValueConfig()
    _check(logged, target, method)
    rows = np.arange(len(logged))
    weights = target[rows, logged.actions] / logged.propensities  # (n,)
    effective = effective_rows(weights)
    logging = mean_of(logged.rewards, units=logged.units, level=config.level)
    told = Value(method, len(logged), effective, logging, notices=tuple(_odd(logged, target, weights)))
    if refused := _refused(logged, target, effective, config):
        return replace(told, refused=refused)
    few = _few(logged, weights, effective, config)
    parts = _parts(logged, target, weights, method)
    estimate = _estimate(parts, 0.0, logged, config, _spread(logged, weights) if few else None)
    unsure = [few] if few else []
    if parts.bias > estimate.error:
        unsure.append("Predictions differ from what came of it; doubly robust values (dr) are corrected for that.")
    return replace(
        told,
        estimate=_within(logged, estimate),
        gain=_estimate(parts, logged.rewards, logged, config, _spread(logged, weights) if few else None),
        notices=(*unsure, *told.notices),
    )


@dataclass(frozen=True, eq=False)
class _Parts:
    """What each row adds to a value, shape (n,).

    ``full`` are those of a method that is right on average, ``kept`` those of the one asked for.
    """

    full: Numbers
    kept: Numbers

    @property
    def bias(self) -> float:
        """By how much they differ on average, beyond what chance makes of it."""
        return float(np.sqrt(_squared_bias(self.full - self.kept)))


def _parts(logged: Logged, target: Numbers, weights: Numbers, method: Method) -> _Parts:
    """What each row adds by a method."""
    rewards = logged.rewards
    if method == "ips":
        return _Parts(weights * rewards, weights * rewards)
    if method == "snips":
        mean = float((weights * rewards).sum() / weights.sum())
        linear = mean + weights * (rewards - mean) / weights.mean()
        return _Parts(linear, linear)
    assert logged.predictions is not None
    direct = (target * logged.predictions).sum(axis=1)
    rest = rewards - logged.predictions[np.arange(len(logged)), logged.actions]
    full = direct + weights * rest
    if method == "dr":
        return _Parts(full, full)
    if method == "direct":
        return _Parts(full, direct)
    return _Parts(
        full, min((direct + some * rest for some in _changed(weights, method)), key=lambda kept: _mse(full, kept))
    )


def _changed(weights: Numbers, method: Method) -> Iterator[Numbers]:
    """Weights with the large ones made smaller, by each τ or λ; from none to all of them."""
    positive = weights[weights > 0]
    yield weights
    if method == "switch":
        for most in np.unique(np.quantile(positive, np.linspace(0, 1, _STEPS, endpoint=False))):
            yield np.where(weights > most, 0.0, weights)
    else:
        for strength in np.geomspace(float(positive.min()) ** 2 / 10, float(positive.max()) ** 2 * 100, _STEPS):
            yield strength * weights / (weights**2 + strength)


def _mse(full: Numbers, kept: Numbers) -> float:
    """The estimated mean squared error of the mean of ``kept``."""
    return float(kept.var()) / len(kept) + _squared_bias(full - kept)


def _squared_bias(change: Numbers) -> float:
    """The square of the mean, less its variance, which is what chance makes of it."""
    return max(0.0, float(change.mean()) ** 2 - float(change.var()) / len(change))


def _estimate(
    parts: _Parts, less: Numbers | float, logged: Logged, config: ValueConfig, spread: float | None
) -> Estimate:
    """The mean of what rows add, as sure as that of a method that is right on average, and wider by the bias.

    What is chosen to have a small variance looks surer than it is.
    """
    sure = mean_of(parts.full - less, units=logged.units, level=config.level, spread=spread)
    moved = float((parts.kept - parts.full).mean())
    bias = parts.bias
    return replace(sure, value=sure.value + moved, low=sure.low + moved - bias, high=sure.high + moved + bias)


def _within(logged: Logged, found: Estimate) -> Estimate:
    """Shares are between 0 and 1, and so are their intervals."""
    if not _are_shares(logged.rewards):
        return found
    return replace(found, low=min(max(found.low, 0.0), 1.0), high=max(min(found.high, 1.0), 0.0))


def _few(logged: Logged, weights: Numbers, effective: float, config: ValueConfig) -> str:
    """Why usual intervals would be too narrow, or ""."""
    if effective < config.few_effective:
        return f"The effective sample is {effective:.0f} rows{_WIDE}"
    if not _are_shares(logged.rewards):
        return ""
    seen = [effective_rows(weights[logged.rewards == outcome]) for outcome in (0.0, 1.0)]
    rarer = int(np.argmin(seen))
    if seen[rarer] < _FEW_OUTCOMES:
        return f"The outcome was {rarer} in an effective {seen[rarer]:.0f} rows{_WIDE}"
    return ""


def _spread(logged: Logged, weights: Numbers) -> float:
    """The largest number that a row may add, less the smallest."""
    return float(max(np.ptp(logged.rewards), _are_shares(logged.rewards)) * (1 + weights.max()))


def _are_shares(rewards: Numbers) -> bool:
    """Whether all of them are 0 or 1."""
    return bool(np.isin(rewards, (0.0, 1.0)).all())


def _never(logged: Logged, target: Numbers) -> dict[str, float]:
    """Actions that the log never took, with the share of the policy's choices that are of them."""
    counts = np.bincount(logged.actions, minlength=len(logged.names))
    shares = target.mean(axis=0)
    return {logged.names[code]: float(shares[code]) for code in np.flatnonzero((counts == 0) & (shares > 0))}


def _refused(logged: Logged, target: Numbers, effective: float, config: ValueConfig) -> str:
    """Why no value is told, or ""."""
    never = _never(logged, target)
    if sum(never.values()) > _RARELY:
        return (
            f"The policy does {_named(never)} in {sum(never.values()):.0%} of the rows, and the log never does: "
            "what comes of it cannot be told. Log some of it first, or leave it out of the policy."
        )
    if effective < config.least_effective:
        return (
            f"Of {len(logged):,} rows, those that do what the policy would do say as much as {effective:.1f} rows of "
            f"equal weight. Expected at least {config.least_effective:g}: log more decisions with exploration, or ask "
            "for a policy nearer to the one that logged."
        )
    return ""


def _odd(logged: Logged, target: Numbers, weights: Numbers) -> Iterator[str]:
    """What is odd in the weights, a sentence each."""
    heaviest = int(np.argmax(weights))
    if weights[heaviest] > _HEAVY * weights.sum():
        yield (
            f"Row {heaviest + 1} alone has {weights[heaviest] / weights.sum():.0%} of all weight: its action had the "
            f"propensity {logged.propensities[heaviest]:.2g}."
        )
    counts = np.bincount(logged.actions, minlength=len(logged.names))
    wanted = target.mean(axis=0)
    for code in np.flatnonzero((counts == 1) & (wanted > _RARELY)):
        yield f"{logged.names[code]!r} was done once; what the policy gets by it rests on that one row."
    if never := _never(logged, target):
        yield f"The policy sometimes does {_named(never)}, which the log never does; nothing is known of that."
    away = float(weights.mean() - 1)
    if abs(away) > _FAR * mean_of(weights, units=logged.units).error + 1e-9:
        yield (
            f"The weights average {1 + away:.2f}, and should 1: the propensities are not those by which the actions "
            "were drawn. Look where they come from."
        )


def _named(never: dict[str, float]) -> str:
    return " and ".join(map(repr, never))


def _check(logged: Logged, target: Numbers, method: str) -> None:
    """Refuse what is no method or no policy."""
    if method not in METHODS:
        raise OptionError(
            f"There is no method {method!r}.{did_you_mean(method, METHODS)} Expected one of: {', '.join(METHODS)}."
        )
    if method in _NEED_PREDICTIONS and logged.predictions is None:
        raise OptionError(
            f"The method {method!r} needs predictions of the outcome. Give Logged(…, predictions=…), or use 'snips'."
        )
    shape = len(logged), len(logged.names)
    if target.shape != shape:
        raise DataError(
            f"The policy has the shape {target.shape}. Expected {shape}: how probable each action is, in each row"
        )
    wrong = np.flatnonzero(~((target >= 0).all(axis=1) & (np.abs(target.sum(axis=1) - 1) < 1e-6)))
    if wrong.size:
        raise DataError(
            f"The policy's row {wrong[0] + 1} is {target[wrong[0]].tolist()}. Expected probabilities that sum to 1"
        )
