import numpy as np
import pytest
from scipy import stats

from huiyi.cause.means import mean_of


def covered(draw, truth, times=400, **options):
    """The share of intervals that hold the truth, and of those that lie below it."""
    found = [mean_of(draw(np.random.default_rng(seed)), **options) for seed in range(times)]
    return (
        np.mean([one.low <= truth <= one.high for one in found]),
        np.mean([one.high < truth for one in found]),
    )


def test_without_skewness_it_is_the_usual_interval():
    numbers = np.concatenate([x := np.random.default_rng(0).normal(size=40), -x]) + 3
    found = mean_of(numbers)
    usual = stats.ttest_1samp(numbers, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((usual.low, usual.high))
    assert found.error == pytest.approx(stats.sem(numbers))


def test_rare_large_numbers_are_covered_where_the_usual_interval_fails():
    def draw(rng):
        return np.exp(1.5 * rng.normal(size=2000) - 1.125) * (rng.random(2000) < 0.01)

    covers, misses_above = covered(draw, 0.01)
    assert covers > 0.92
    assert misses_above < 0.07

    numbers = [draw(np.random.default_rng(seed)) for seed in range(400)]
    usual = [abs(one.mean() - 0.01) < 1.96 * stats.sem(one) for one in numbers]
    assert np.mean(usual) < 0.88


def test_the_inverse_undoes_the_transformation():
    from huiyi.cause.means import _inverse

    for c in (-0.3, -0.01, 0.0, 1e-6, 0.2):
        for t in (-2.5, -0.4, 0.0, 1.9):
            y = t + c * t**2 / 3 + c**2 * t**3 / 27 + c / 6
            assert _inverse(y, c) == pytest.approx(t, abs=1e-5)


def test_rows_of_one_unit_count_once():
    rng = np.random.default_rng(2)
    of_units = rng.normal(size=300)
    units = np.repeat(np.arange(300), 4)
    once, repeated = mean_of(of_units), mean_of(of_units[units], units=units)
    assert repeated.error == pytest.approx(once.error)
    assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high))
    assert mean_of(of_units[units]).error < 0.6 * once.error


def test_places_of_units_that_are_not_there_change_nothing():
    numbers = np.random.default_rng(3).normal(size=50)
    apart = np.arange(50) * 3 + 7
    assert mean_of(numbers, units=apart).error == pytest.approx(mean_of(numbers).error)


def test_an_interval_for_all_bounded_numbers_is_the_published_one():
    numbers = np.random.default_rng(4).random(100)
    found = mean_of(numbers, spread=1.0, level=0.9)
    log = np.log(2 / 0.05)  # theorem 4, on each side with half of 0.1
    reach = np.sqrt(2 * numbers.var(ddof=1) * log / 100) + 7 * log / (3 * 99)
    assert found.high - found.value == pytest.approx(reach)
    assert found.value - found.low == pytest.approx(reach)


def test_a_mean_of_what_never_varies_is_unsure_where_its_bounds_are_known():
    zeros = np.zeros(50)
    assert mean_of(zeros).high == 0
    assert mean_of(zeros, spread=1.0).high > 0.06  # the truth may be 3 / 50
