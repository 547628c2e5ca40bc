"""The promise holds as often as it says, on data of known risk."""

from dataclasses import replace

import numpy as np
import pytest

from huiyi.decide import SCOPE_LEVEL, fit_promise
from huiyi.decide.promise import Promise

NONE = np.zeros(0)
DELTA, MAX_ERROR = 0.1, 0.05


def most_violations(runs: int) -> float:
    """Three standard deviations above the share of violations that is allowed."""
    return DELTA + 3 * float(np.sqrt(DELTA * (1 - DELTA) / runs))


def in_scope_rows(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Calibrated probabilities, uniform from 0.8 to 1: acting from t on is wrong at the rate (1 - t) / 2."""
    probability = rng.uniform(0.8, 1, n)
    return probability, rng.random(n) < probability, rng.uniform(0, 1, n)


def test_violated_at_most_as_often_as_stated() -> None:
    """Neither in the long run, nor over a further batch of rows."""
    rng, runs = np.random.default_rng(0), 200
    violated = np.zeros(2)
    guaranteed = 0
    for _ in range(runs):
        promise = fit_promise(*in_scope_rows(rng, 2_000), NONE, NONE, max_error=MAX_ERROR, delta=DELTA, held_out=True)
        if promise.kind == "none":
            continue
        guaranteed += 1
        probability, correct, in_scope = in_scope_rows(rng, 2_000)
        wrong = ~correct[(probability >= promise.threshold) & (in_scope >= promise.scope_level)]
        violated += (1 - promise.threshold) / 2 > MAX_ERROR, wrong.mean() > MAX_ERROR
    assert violated.max() / runs <= most_violations(runs)
    assert guaranteed / runs > 0.5  # a promise that is never made is easily kept


def test_mixture_with_rows_out_of_scope() -> None:
    rng, runs, oos_rate = np.random.default_rng(1), 150, 0.1
    violations, guaranteed = 0, 0
    for _ in range(runs):
        outside, outside_scope = rng.uniform(0.5, 1, 400), rng.uniform(0, 0.2, 400)
        promise = fit_promise(
            *in_scope_rows(rng, 2_000), outside, outside_scope, max_error=0.1, oos_rate=oos_rate, held_out=True
        )
        assert promise.covers_oos
        t = promise.threshold
        acts = (1 - oos_rate) * (1 - SCOPE_LEVEL) * (1 - t) / 0.2
        strange_acts = oos_rate * (1 - SCOPE_LEVEL / 0.2) * (1 - t) / 0.5
        error = (acts * (1 - t) / 2 + strange_acts) / (acts + strange_acts)
        guaranteed += promise.kind == "guaranteed"
        violations += promise.kind == "guaranteed" and error > 0.1
    assert violations / runs <= most_violations(runs)
    assert guaranteed / runs > 0.5


def test_strange_rows_that_look_sure_forbid_the_promise() -> None:
    rng = np.random.default_rng(2)
    rows = in_scope_rows(rng, 2_000)
    assert fit_promise(*rows, np.full(2_000, 0.999), np.full(2_000, 0.5), oos_rate=0.3).kind == "none"
    assert fit_promise(*rows, np.full(2_000, 0.999), np.full(2_000, 0.01), oos_rate=0.3).kind == "estimated"


@pytest.mark.parametrize(("n", "kind"), [(0, "none"), (59, "none"), (60, "guaranteed")])
def test_fewest_rows_that_allow_one(n: int, kind: str) -> None:
    """Too many of 59 are 3, and 3 errors all fall in the batch to come once in 8; of 60 they are 4, once in 16."""
    promise = fit_promise(np.linspace(0.5, 1, n), np.ones(n, bool), np.ones(n), NONE, NONE, held_out=True)
    assert promise.kind == kind
    assert promise.threshold == (0.5 if kind == "guaranteed" else 0.95)
    assert promise.rows == n


def test_rows_too_often_wrong() -> None:
    rng = np.random.default_rng(3)
    probability = rng.uniform(0, 1, 500)
    promise = fit_promise(probability, rng.random(500) < 0.8, np.ones(500), NONE, NONE, held_out=True)
    assert promise.kind == "none"


def test_cross_fitted_is_estimated() -> None:
    rows = np.linspace(0.5, 1, 100), np.ones(100, bool), np.ones(100)
    assert fit_promise(*rows, NONE, NONE, held_out=False).kind == "estimated"


def test_no_rows_out_of_scope_expected() -> None:
    rows = np.linspace(0.5, 1, 100), np.ones(100, bool), np.full(100, 0.001)
    promise = fit_promise(*rows, np.ones(50), np.ones(50), oos_rate=0)
    assert (promise.scope_level, promise.covers_oos, promise.kind) == (0, False, "estimated")
    # With some expected, rows this strange are not acted on at all.
    assert fit_promise(*rows, NONE, NONE, oos_rate=0.1).kind == "none"


def test_rows_of_equal_probability_act_together() -> None:
    """The order of rows cannot matter: from 0.9 on, 4 in 10 acts are wrong."""
    right_first = np.arange(1_000) < 600
    promise = fit_promise(np.full(1_000, 0.9), right_first, np.ones(1_000), NONE, NONE, held_out=True)
    assert promise.kind == "none"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", {"guaranteed": "Guaranteed", "estimated": "not guaranteed", "none": "No promise"}),
        ("zh", {"guaranteed": "保证", "estimated": "非保证", "none": "无法承诺"}),
    ],
)
def test_described_in_one_sentence_of_each_language(language: str, words: dict[str, str]) -> None:
    promise = Promise("none", 0.05, 0.1, 0.2, False, 0.9, 0.05, 1_234)
    for kind, word in words.items():
        told = replace(promise, kind=kind).describe(language)
        assert word in told
        assert "1,234" in told
        assert "5.0%" in told
        assert "20%" not in told
    assert "20%" in replace(promise, kind="guaranteed", covers_oos=True).describe(language)
