"""When to act: the lowest threshold at which the error asked for can still be kept.

Acting means: the likeliest label is at least as probable as a threshold, and
the record looks in scope. The threshold is the most lenient one that passes a
test, starting from strict ones and stopping at the first that fails. Because
the order is fixed beforehand, no correction for looking at many is needed.

The test asks for more than the long-run rate: with probability 1 - delta the
error that will be *counted*, over as many further acts as there were here, stays
within what was asked for. Under exchangeability the errors split between the
two batches like balls drawn without replacement, so the test is exact for any
data; and passing it implies passing the binomial test of the long-run rate.

Source:
    Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test: Calibrating
    Predictive Algorithms to Achieve Risk Control", Annals of Applied Statistics
    19(2), 2025 (fixed-sequence testing); Geifman and El-Yaniv, "Selective
    Classification for Deep Neural Networks", NeurIPS 2017; Clopper and Pearson,
    Biometrika 26(4), 1934 (the three rates when there are out-of-scope rows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PromiseKind = Literal["guaranteed", "estimated", "none"]

SCOPE_LEVEL = 0.04
"""Share of in-scope rows that may be taken for out of scope. See docs/decisions/0007."""

_STEPS = 200
_FIRST_SHARE = 0.1  # the strictest threshold tried lets at least this share of the rows act

_WORDING = {
    "en": {
        "guaranteed": "Guaranteed on {rows:,} held-out rows: with {confidence:.0%} confidence, at most {error:.1%} of "
        "acts {what} are wrong.",
        "estimated": "Estimated by cross-fitting on {rows:,} training rows, not guaranteed: with {confidence:.0%} "
        "confidence, at most {error:.1%} of acts {what} are wrong. Held-out rows (--validation) make it a guarantee.",
        "none": "No promise: {rows:,} rows are too few or too often wrong to keep the error within {error:.1%}. The "
        "model acts only where its own probability is at least {threshold:.1%}. Give more rows, or raise --max-error.",
        "in scope": "on in-scope rows",
        "all": "on all rows, if {oos:.0%} of them are out of scope,",
    },
    "zh": {
        "guaranteed": "在 {rows:,} 条留出数据上保证：以 {confidence:.0%} 的置信度，"
        "{what}的执行中出错的不超过 {error:.1%}。",
        "estimated": "在 {rows:,} 条训练数据上交叉估计（非保证）：以 {confidence:.0%} 的置信度，"
        "{what}的执行中出错的不超过 {error:.1%}。用 --validation 提供留出数据即可得到保证。",
        "none": "无法承诺：{rows:,} 条数据太少或出错太多，不能把错误率控制在 {error:.1%} 以内。"
        "仅当模型自身概率不低于 {threshold:.1%} 时才执行。请提供更多数据，或调大 --max-error。",
        "in scope": "范围内请求",
        "all": "（假设 {oos:.0%} 的请求在范围外）全部请求",
    },
}


@dataclass(frozen=True)
class Promise:
    """The thresholds to act by, and what may be said about the error.

    Attributes:
        kind: ``guaranteed`` on rows nothing was fitted on, ``estimated`` when
            cross-fitted, ``none`` when the rows do not allow it.
        max_error: The error asked for.
        delta: The promise fails with at most this probability.
        oos_rate: Assumed share of rows out of scope.
        covers_oos: Whether acts on out-of-scope rows are counted, which takes
            examples of such rows.
        threshold: Act where the probability is at least this.
        scope_level: and where ``in_scope`` is at least this.
        rows: How many rows it was fitted on.
    """

    kind: PromiseKind
    max_error: float
    delta: float
    oos_rate: float
    covers_oos: bool
    threshold: float
    scope_level: float
    rows: int

    def describe(self, language: str = "en") -> str:
        """The promise in one sentence, in English or Chinese."""
        wording = _WORDING["zh" if language == "zh" else "en"]
        what = wording["all" if self.covers_oos else "in scope"].format(oos=self.oos_rate)
        return wording[self.kind].format(
            rows=self.rows, confidence=1 - self.delta, error=self.max_error, what=what, threshold=self.threshold
        )


def fit_promise(
    probability: NDArray[np.floating],
    correct: NDArray[np.bool_],
    in_scope: NDArray[np.floating],
    outside: NDArray[np.floating],
    outside_scope: NDArray[np.floating],
    *,
    max_error: float = 0.05,
    oos_rate: float = 0.1,
    delta: float = 0.1,
    held_out: bool = False,
) -> Promise:
    """Find the most lenient threshold that keeps the error.

    Args:
        probability: Of the likeliest label of in-scope rows, shape (n,).
        correct: Whether that label is right, shape (n,).
        in_scope: Familiarity of the in-scope rows, shape (n,).
        outside: As ``probability``, of out-of-scope rows, shape (m,); may be empty.
        outside_scope: Their familiarity, shape (m,).
        max_error: Largest share of wrong acts among acts.
        oos_rate: Share of rows that are out of scope where the model will work.
            0 says that none are: then familiarity stops no act.
        delta: Probability with which the promise may fail.
        held_out: Whether nothing was fitted on these rows.

    Example:
        >>> probability = np.linspace(0, 1, 2000)
        >>> correct = probability > 0.2
        >>> none = np.zeros(0)
        >>> promise = fit_promise(probability, correct, np.ones(2000), none, none, held_out=True)
        >>> promise.kind, bool(0.1 < promise.threshold < 0.2)
        ('guaranteed', True)
    """
    from scipy.stats import beta, hypergeom

    scope_level = SCOPE_LEVEL if oos_rate > 0 else 0.0
    familiar = in_scope >= scope_level
    covers_oos = bool(len(outside)) and oos_rate > 0
    order = np.argsort(-probability[familiar], kind="stable")
    sure, wrong = probability[familiar][order], np.cumsum(~correct[familiar][order])
    outside_sure = np.sort(outside[outside_scope >= scope_level])

    def keeps(acts: int) -> bool:
        errors = int(wrong[acts - 1])
        if not covers_oos:
            too_many = int(max_error * acts) + 1
            return bool(hypergeom.cdf(errors, 2 * acts, errors + too_many, acts) <= delta)
        # Each of the three rates is bounded on its own, so each may fail with a third of delta.
        share = delta / 3
        n, m = len(probability), len(outside)
        oos_acts = len(outside_sure) - int(np.searchsorted(outside_sure, sure[acts - 1]))
        wrong_rate = 1.0 if errors == acts else float(beta.ppf(1 - share, errors + 1, acts - errors))
        act_rate = float(beta.ppf(share, acts, n - acts + 1))
        oos_act_rate = 1.0 if oos_acts == m else float(beta.ppf(1 - share, oos_acts + 1, m - oos_acts))
        inside, beyond = (1 - oos_rate) * act_rate, oos_rate * oos_act_rate
        return (inside * wrong_rate + beyond) / (inside + beyond) <= max_error

    # Fewer acts cannot pass even without an error: each of the errors to come falls in the other batch half the time.
    fewest = int(np.ceil((np.ceil(np.log2(1 / delta)) - 1) / max_error))
    first = max(fewest, int(_FIRST_SHARE * len(sure)))
    best = 0
    # Equal probabilities act together, so a threshold is tried only where the next one is lower.
    ends = np.append(np.flatnonzero(np.diff(sure)), len(sure) - 1) + 1
    steps = np.linspace(first, len(sure), _STEPS).astype(int) if first <= len(sure) else np.zeros(0, dtype=int)
    for acts in np.unique(ends[np.searchsorted(ends, steps)]).tolist():
        if not keeps(acts):
            break
        best = acts
    kind: PromiseKind = "none" if not best else "guaranteed" if held_out else "estimated"
    threshold = float(sure[best - 1]) if best else 1 - max_error
    return Promise(
        kind, max_error, delta, oos_rate, covers_oos, threshold, scope_level, len(probability) + len(outside)
    )
