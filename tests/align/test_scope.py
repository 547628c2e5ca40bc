import numpy as np

from huiyi.align import Scope
from huiyi.align.scope import KEPT_QUANTILES

NONE = np.zeros((0, 2))


def clues(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 2)) * [1, 5] + [shift, 20 + 5 * shift]


def test_uniform_on_fresh_rows() -> None:
    """Two samples of n and m of one distribution lie farther apart than this once in a thousand (Smirnov)."""
    n, m = 1_500, 1_500
    scope = Scope()
    scope.fit(clues(n, seed=0), NONE)
    told = np.sort(scope.measure(clues(m, seed=1)))
    distance = np.abs(told - np.arange(1, m + 1) / m).max()
    assert distance < 1.95 * np.sqrt((n + m) / (n * m))


def test_of_many_rows_quantiles_are_enough() -> None:
    many = clues(3 * KEPT_QUANTILES, seed=0)
    scope = Scope()
    scope.fit(many, NONE)
    arrays, _ = scope.to_arrays()
    assert len(arrays["known"]) == KEPT_QUANTILES
    told = np.sort(scope.measure(many))
    np.testing.assert_allclose(told, np.arange(1, len(many) + 1) / len(many), atol=2 / KEPT_QUANTILES)


def test_never_zero_and_at_most_one() -> None:
    scope = Scope()
    scope.fit(clues(19, seed=0), NONE)
    told = scope.measure(np.array([[-1e9] * 2, [1e9] * 2, [0, 20]]))
    assert told[0] == 1 / 20
    assert told[1] == 1
    assert told[0] < told[2] < told[1]


def test_rows_out_of_scope_tell_which_clue_counts() -> None:
    rng = np.random.default_rng(3)
    inside, outside = clues(300, seed=0), clues(300, seed=1)
    outside[:, 0] -= 3  # only the first clue differs
    blind, told = Scope(), Scope()
    blind.fit(inside, NONE)
    told.fit(inside, outside)
    strange = clues(300, seed=2)
    strange[:, 0] -= 3
    order = rng.permutation(300)
    assert (told.measure(strange) < 0.05).mean() > (blind.measure(strange) < 0.05).mean() + 0.2
    np.testing.assert_array_equal(told.measure(strange[order]), told.measure(strange)[order])


def test_recalibrated_on_other_rows() -> None:
    scope = Scope()
    scope.fit(clues(500, seed=0, shift=2), NONE)
    assert scope.measure(clues(500, seed=1)).mean() < 0.3
    scope.recalibrate(clues(500, seed=2))
    assert 0.4 < scope.measure(clues(500, seed=1)).mean() < 0.6


def test_saving_and_loading() -> None:
    scope, again = Scope(), Scope()
    scope.fit(clues(50, seed=0), clues(50, seed=1, shift=-2))
    again.from_arrays(*scope.to_arrays())
    np.testing.assert_array_equal(again.measure(clues(20, seed=2)), scope.measure(clues(20, seed=2)))


def test_a_clue_that_never_varies() -> None:
    scope = Scope()
    inside = clues(100, seed=0)
    inside[:, 1] = 0
    scope.fit(inside, NONE)
    told = scope.measure(inside)
    assert np.isfinite(told).all()
    assert 0.4 < told.mean() < 0.6
