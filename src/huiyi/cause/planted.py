"""An outcome that is made up, of which we know what the action does to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.covariates import Covariates
from huiyi.cause.log import Categories, Column, Log, Numbers
from huiyi.values import Effect

_SHARE = 0.2  # how much more often a planted outcome of yes and no is yes
_DEVIATIONS = 0.5  # by how many standard deviations a planted outcome of numbers is larger

_SEED = (0, 1)  # not a plain 0, by which a simulated log may have been drawn: its numbers must not be these


@dataclass(frozen=True, eq=False)
class Planted:
    """A log with a made-up outcome.

    Attributes:
        log: The same log, the outcome replaced.
        effect: What the action does to it, for everybody alike.
    """

    log: Log
    effect: float


def planted(log: Log, effect: Effect, rng: np.random.Generator) -> Planted:
    """Put an outcome in the place of the real one that follows the context as that one does, and the action as we say.

    With s what the context says of the real outcome by a linear model, brought to mean 0 and deviation 1, of an outcome
    of yes and no

        P(yes) = 0.4 + 0.2 s, kept to [0.05, 0.75],   and 0.2 more after the action

    and of numbers with standard deviation d

        outcome = mean + d (s + noise) / √2,   and d / 2 more after the action (of a dose: for each deviation of it)

    So whoever is given the action for what the real outcome depends on is given it for what this one depends on.

    Args:
        log: Of n decisions. All of its context is taken for what may be held equal: leave out an instrument.
        effect: What was estimated: of which action, on which outcome.
        rng: Draws the outcome.

    Example:
        >>> reply = Categories.of(["call", "mail"] * 2000)
        >>> log = Log("log.csv", "reply", reply, {"solved": np.tile([1.0, 0, 0, 1], 1000)})
        >>> asked = Effect("call", "mail", "solved", "ATE", {}, 4000, None, 0.0)
        >>> made = planted(log, asked, np.random.default_rng(0))
        >>> solved = made.log.outcomes["solved"]
        >>> made.effect, round(float(solved[reply.are("call")].mean() - solved[reply.are("mail")].mean()), 1)
        (0.2, 0.2)
    """
    real = log.outcomes[effect.outcome]
    known = np.isfinite(real)
    said = _said(log, real, known)
    if isinstance(log.actions, Categories):
        got = log.actions.are(effect.action).astype(float)
        if set(np.unique(real[known])) <= {0.0, 1.0}:
            chances = np.clip(0.4 + 0.2 * said, 0.05, 0.95 - _SHARE) + _SHARE * got
            made = (rng.random(len(log)) < chances).astype(float)
            return Planted(_with(log, effect.outcome, np.where(known, made, np.nan)), _SHARE)
        size = _DEVIATIONS * float(real[known].std())
    else:
        got = np.asarray(log.actions, dtype=float)
        size = _DEVIATIONS * float(real[known].std()) / (float(got.std()) or 1.0)
    noise = (said + rng.normal(size=len(log))) / np.sqrt(2)
    made = real[known].mean() + real[known].std() * noise + size * got
    return Planted(_with(log, effect.outcome, np.where(known, made, np.nan)), size)


def _with(log: Log, outcome: str, values: Numbers) -> Log:
    return replace(log, outcomes={**log.outcomes, outcome: values})


def _said(log: Log, real: Numbers, known: NDArray[np.bool_]) -> Numbers:
    """What the context says of the outcome beside the action, of mean 0 and deviation 1, shape (n,)."""
    covariates = Covariates(list(log.context), np.random.default_rng(_SEED))
    covariates.fit(log, real[:, None])
    context = covariates.of(log).rows
    table = np.column_stack([context, _beside(log.actions)])
    table = table - table[known].mean(axis=0)
    rows, wanted = table[known], real[known] - real[known].mean()
    weights = np.linalg.solve(rows.T @ rows + np.eye(table.shape[1]), rows.T @ wanted)
    told = context @ weights[: context.shape[1]]
    return np.asarray((told - told.mean()) / max(float(told.std()), 1e-12))


def _beside(actions: Column) -> Numbers:
    """The action as columns of the linear model, shape (n, k)."""
    if isinstance(actions, Categories):
        return np.asarray(actions.codes[:, None] == np.arange(len(actions.names)), dtype=np.float64)
    dose = np.asarray(actions, dtype=np.float64)
    return (dose / max(float(dose.std()), 1e-12))[:, None]
