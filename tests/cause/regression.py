"""An estimator for tests: ordinary least squares, with robust errors, by unit where there are some."""

import numpy as np

from huiyi.cause.log import Categories, Log
from huiyi.values import Effect, Estimate


def adjusted(outcome="solved", *, action="mail", against="call", left_out=(), ignores_units=False):
    """What estimates the effect of an action, the context but for some columns held equal."""

    def estimate(log: Log) -> Effect:
        y = log.outcomes[outcome]
        used = np.isfinite(y)
        names = [name for name in log.context if name not in left_out]
        columns = [_numbers(log.context[name])[used] for name in names]
        got = log.actions.are(action).astype(float) if isinstance(log.actions, Categories) else log.actions
        X = np.column_stack([got[used], np.ones(used.sum()), *columns])
        inverse = np.linalg.pinv(X.T @ X)
        weights = inverse @ X.T @ y[used]
        pushes = X * (y[used] - X @ weights)[:, None]
        if log.units is not None and not ignores_units:
            by_unit = np.zeros((len(log.units.names), X.shape[1]))
            np.add.at(by_unit, log.units.codes[used], pushes)
            pushes = by_unit
        error = float(np.sqrt((inverse @ pushes.T @ pushes @ inverse)[0, 0]))
        told = Estimate(weights[0], weights[0] - 1.96 * error, weights[0] + 1.96 * error, error)
        naive = float(np.nanmean(y[got > got.mean()]) - np.nanmean(y[got <= got.mean()]))
        return Effect(action, against, outcome, "ATE", {}, int(used.sum()), told, naive, adjusted=tuple(names))

    return estimate


def _numbers(column):
    if isinstance(column, Categories):
        return (column.codes[:, None] == np.arange(len(column.names) - 1)).astype(float)
    return np.nan_to_num(column.reshape(len(column), -1))
