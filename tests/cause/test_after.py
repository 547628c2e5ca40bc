from __future__ import annotations

import numpy as np

from huiyi.cause.after import After
from huiyi.cause.covariates import Design


def numbers(rows: np.ndarray) -> Design:
    return Design(rows, np.array(["number"] * rows.shape[1]), ("x",) * rows.shape[1])


def steps(rows: np.ndarray) -> np.ndarray:
    """What no line tells: a sign of two columns together, and a step."""
    return 3.0 * np.sign(rows[:, 0] * rows[:, 1]) * (rows[:, 2] > 0.5) + 2.0 * (rows[:, 3] > 0)


def test_a_rare_action_is_told_by_what_follows_others_too() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2_200, 6))
    codes = (rng.random(2_200) < 0.08).astype(np.intp)
    values = steps(rows) + 1.5 * codes + 0.3 * rng.normal(size=2_200)
    after = After(2, rng)
    after.fit(numbers(rows), codes, values)
    fresh = rng.normal(size=(1_000, 6))
    told = after.predict(numbers(fresh))
    truth = steps(fresh) + 1.5
    assert "trees of all actions" in after.means[1].said
    assert ((told[:, 1] - truth) ** 2).mean() < 0.4 * truth.var()


def test_actions_whose_outcomes_have_nothing_in_common_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2_200, 3))
    codes = rng.integers(3, size=2_200)
    values = np.choose(codes, [rows[:, 0], -rows[:, 0], rows[:, 1] + 5]) + 0.1 * rng.normal(size=2_200)
    after = After(3, rng)
    after.fit(numbers(rows), codes, values)
    told = after.predict(numbers(rows))
    truth = np.stack([rows[:, 0], -rows[:, 0], rows[:, 1] + 5], axis=1)
    assert (((told - truth) ** 2).mean(axis=0) < 0.05).all()


def test_few_rows_are_told_by_their_own_action_and_one_that_nobody_got_by_all() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(200, 2))
    after = After(3, rng)
    after.fit(numbers(rows), np.repeat([0, 1], 100), rows[:, 0])
    told = after.predict(numbers(rows))
    assert "all actions" not in " ".join(mean.said for mean in after.means)
    assert np.corrcoef(told[:, 2], rows[:, 0])[0, 1] > 0.9
