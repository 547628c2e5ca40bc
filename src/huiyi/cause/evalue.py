"""E-values: how strongly something hidden must go with the action and the outcome to explain an effect away.

With R the ratio of two risks, turned over where it is below 1,

    E = R + √(R (R − 1))

A hidden cause that makes both the action and the outcome less than E times as likely, beside what is held equal, cannot
explain the whole effect. Of the interval the limit nearer to 1 is taken, and E is 1 where the interval holds 1.
Differences are turned into ratios first:

    of means, d standard deviations     R ≈ exp(0.91 d)
    of shares, from p to p + d          R = (p + d) / p

Source:
    VanderWeele and Ding, "Sensitivity Analysis in Observational Research: Introducing the E-Value", Annals of Internal
    Medicine 167(4), 2017; differences of means in its table 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, sqrt

import numpy as np

from huiyi.cause.log import Categories, Log
from huiyi.errors import DataError
from huiyi.values import Effect

_LOG_ODDS_A_DEVIATION = 0.91
_LEAST_SHARE = 1e-6


@dataclass(frozen=True)
class EValue:
    """How strong something hidden must be, as a ratio of risks.

    Attributes:
        ratio: The effect as a ratio of risks, at least 1: turned over where the action makes the outcome rarer.
        value: To explain away the effect.
        limit: To make the interval hold no effect; 1 where it does anyway.
        said: In a plain sentence.
    """

    ratio: float
    value: float
    limit: float
    said: str


def of_ratio(ratio: float, low: float, high: float) -> EValue:
    """The E-value of a ratio of risks with its interval.

    Args:
        ratio: Risk after the action by risk after the other one, above 0.
        low: The interval is from here
        high: to here.

    Raises:
        DataError: A ratio is not above 0, or the interval does not hold it.

    Example:
        >>> found = of_ratio(3.9, 1.8, 8.7)
        >>> round(found.value, 2), round(found.limit, 2), of_ratio(0.8, 0.6, 1.1).limit
        (7.26, 3.0, 1.0)
    """
    if not 0 < low <= ratio <= high:
        raise DataError(f"a ratio of risks is {ratio:g}, from {low:g} to {high:g}. Expected 0 < low ≤ ratio ≤ high")
    if ratio < 1:
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    value, limit = _of(ratio), _of(max(low, 1.0))
    said = (
        f"A hidden cause must make the action and the outcome each {value:.2f} times as likely to explain the effect "
        f"away, and {limit:.2f} times to leave it in doubt."
        if limit > 1
        else "Its interval holds no effect already; no hidden cause is needed for that."
    )
    return EValue(ratio, value, limit, said)


def of_difference(difference: float, error: float, deviation: float) -> EValue:
    """The E-value of a difference of means.

    Args:
        difference: Of means.
        error: Its standard error.
        deviation: The outcome's standard deviation, above 0.

    Raises:
        DataError: The outcome does not vary.

    Example:
        >>> round(of_difference(0.5, 0.1, 1.0).value, 2)
        2.53
    """
    if not deviation > 0:
        raise DataError("the outcome does not vary, so there is no E-value. Expected a standard deviation above 0")
    step = _LOG_ODDS_A_DEVIATION * difference / deviation
    width = 1.96 * _LOG_ODDS_A_DEVIATION * error / deviation
    return of_ratio(exp(step), exp(step - width), exp(step + width))


def of_shares(share: float, difference: float, low: float, high: float) -> EValue:
    """The E-value of a difference of shares.

    Args:
        share: Of the outcome after the action that is compared with, above 0 and below 1.
        difference: How much more often the outcome comes after the action.
        low: The interval of it is from here
        high: to here.

    Raises:
        DataError: The share is not between 0 and 1.

    Example:
        >>> round(of_shares(0.2, 0.1, 0.05, 0.15).value, 2)
        2.37
    """
    if not 0 < share < 1:
        raise DataError(f"the share of the outcome without the action is {share:g}. Expected one above 0 and below 1")
    middle, least, most = ((min(max(share + one, _LEAST_SHARE), 1.0)) / share for one in (difference, low, high))
    return of_ratio(middle, least, most)


def e_value(log: Log, effect: Effect) -> EValue:
    """The E-value of an effect that was estimated from a log.

    For yes and no, the share without the action is that of the rows which did not get it, which is near what it would
    be for all of them unless much had to be held equal.

    Raises:
        DataError: No effect was told, or the outcome never varies.

    Example:
        >>> from huiyi.values import Estimate
        >>> reply = Categories.of(["call", "mail"] * 50)
        >>> log = Log("log.csv", "reply", reply, {"solved": np.tile([1.0, 0, 0, 1, 1, 0, 1, 0, 0, 0], 10)})
        >>> told = Effect("call", "mail", "solved", "ATE", {}, 100, Estimate(0.4, 0.22, 0.58, 0.09), 0.4)
        >>> round(e_value(log, told).value, 2)
        5.45
    """
    told = effect.estimate
    if told is None:
        raise DataError(f"{log.source}: no effect was told, so there is no E-value: {effect.refused}")
    outcome = log.outcomes[effect.outcome]
    known = np.isfinite(outcome)
    if isinstance(log.actions, Categories) and set(np.unique(outcome[known])) <= {0.0, 1.0}:
        without = known & log.actions.are(effect.against)
        share = float(outcome[without].mean()) if without.any() else 0.0
        return of_shares(share, told.value, told.low, told.high)
    return of_difference(told.value, told.error, float(outcome[known].std()))


def _of(ratio: float) -> float:
    return ratio + sqrt(ratio * (ratio - 1)) if ratio < inf else inf
