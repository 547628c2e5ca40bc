"""Methods of econml, by name, to stand beside ours: a causal forest and meta-learners.

Source:
    Athey, Tibshirani and Wager, "Generalized Random Forests", Annals of Statistics 47(2), 2019. Künzel et al.,
    "Metalearners for Estimating Heterogeneous Treatment Effects", PNAS 116(10), 2019. Kennedy, "Towards Optimal Doubly
    Robust Estimation of Heterogeneous Causal Effects", Electronic Journal of Statistics 17(2), 2023.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.log import Numbers
from huiyi.errors import MissingExtraError
from huiyi.values import Estimate


@dataclass(frozen=True, eq=False)
class Borrowed:
    """A fitted method of econml.

    Attributes:
        model: The estimator.
        rows: What was held equal, shape (n, d).
        tells_errors: Whether it makes intervals.
        notices: What to know of them.
    """

    model: Any
    rows: Numbers
    tells_errors: bool
    notices: tuple[str, ...]

    def effects(self, rows: Numbers) -> Numbers:
        """The effect in each row, shape (m,)."""
        return np.asarray(self.model.effect(rows, T0=0, T1=1), dtype=float).ravel()

    def estimate(self, which: NDArray[np.intp], level: float, intervals: int) -> Estimate:
        """The mean over some rows; one of several intervals that hold at once (Bonferroni)."""
        rows = self.rows[which]
        if not self.tells_errors:
            return Estimate(float(self.effects(rows).mean()), -math.inf, math.inf, math.inf, level)
        told = self.model.ate_inference(rows, T0=0, T1=1)
        low, high = told.conf_int_mean(alpha=(1 - level) / intervals)
        value, least, most, error = (float(np.ravel(one)[0]) for one in (told.mean_point, low, high, told.stderr_mean))
        return Estimate(value, least, most, error, level)


def fitted(method: str, outcomes: Numbers, got: NDArray[np.bool_], rows: Numbers, seed: int) -> Borrowed:
    """Fit a method of econml to rows that got one of two actions.

    Args:
        method: One of ``METHODS``.
        outcomes: Shape (n,).
        got: Which rows got the action, shape (n,).
        rows: What is held equal, shape (n, d).
        seed: Of folds and learners.

    Raises:
        MissingExtraError: econml is not installed.
    """
    try:
        import econml  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("Causal forests and meta-learners", extra="cause") from error
    model = METHODS[method](seed)
    model.fit(outcomes, got.astype(int), X=rows)
    return Borrowed(model, rows, tells_errors=method in _TELL_ERRORS, notices=_notices(method))


def _regressor(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(max_leaf_nodes=8, early_stopping=True, random_state=seed)


def _classifier(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_leaf_nodes=8, early_stopping=True, random_state=seed)


def _forest(seed: int) -> Any:
    from econml.dml import CausalForestDML

    return CausalForestDML(
        model_y=_regressor(seed), model_t=_classifier(seed), discrete_treatment=True, cv=5, random_state=seed
    )


def _t_learner(seed: int) -> Any:
    from econml.metalearners import TLearner

    return TLearner(models=_regressor(seed))


def _x_learner(seed: int) -> Any:
    from econml.metalearners import XLearner

    return XLearner(models=_regressor(seed), propensity_model=_classifier(seed))


def _dr_learner(seed: int) -> Any:
    from econml.dr import LinearDRLearner

    return LinearDRLearner(
        model_propensity=_classifier(seed), model_regression=_regressor(seed), min_propensity=0.01, cv=5,
        random_state=seed,
    )  # fmt: skip


METHODS: Mapping[str, Callable[[int], Any]] = MappingProxyType(
    {"forest": _forest, "t-learner": _t_learner, "x-learner": _x_learner, "dr-learner": _dr_learner}
)
"""What makes an estimator of econml with a seed, by name."""

_TELL_ERRORS = frozenset({"forest", "dr-learner"})


def _notices(method: str) -> tuple[str, ...]:
    """What to know of its intervals."""
    if method not in _TELL_ERRORS:
        return (f"The {method} of econml tells no interval.",)
    if method == "forest":
        return ("The forest of econml bounds the error of a mean by that of single rows: intervals are too wide.",)
    return ()
