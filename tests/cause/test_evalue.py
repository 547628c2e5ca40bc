from math import exp, sqrt

import numpy as np
import pytest

from huiyi.cause.evalue import e_value, of_difference, of_ratio, of_shares
from huiyi.cause.log import Categories, Log
from huiyi.errors import DataError
from huiyi.values import Effect, Estimate


def test_the_papers_own_example():
    found = of_ratio(10.73, 8.02, 14.36)  # smoking and lung cancer, VanderWeele and Ding 2017
    assert (round(found.value, 2), round(found.limit, 2)) == (20.95, 15.52)
    assert "20.95 times" in found.said and "15.52 times" in found.said


def test_a_ratio_below_one_is_turned_over():
    assert of_ratio(0.5, 0.4, 0.8).value == pytest.approx(of_ratio(2.0, 1.25, 2.5).value)
    assert of_ratio(0.5, 0.4, 0.8).limit == pytest.approx(1.25 + sqrt(1.25 * 0.25))


def test_an_interval_that_holds_no_effect_needs_nothing_hidden():
    found = of_ratio(1.2, 0.9, 1.6)
    assert found.limit == 1 and found.value > 1 and "already" in found.said


def test_differences_become_ratios():
    assert of_difference(0.3, 0.05, 0.6).ratio == pytest.approx(exp(0.91 * 0.5))
    assert of_difference(-0.3, 0.05, 0.6).limit == pytest.approx(of_difference(0.3, 0.05, 0.6).limit)
    assert of_shares(0.2, 0.1, 0.05, 0.15).ratio == pytest.approx(1.5)
    assert of_shares(0.2, -0.1, -0.15, -0.05).ratio == pytest.approx(2.0)
    assert of_shares(0.2, -0.1, -0.35, -0.05).value == pytest.approx(2 + sqrt(2))  # no share is below 0


def test_the_kind_of_outcome_decides():
    reply = Categories.of(["call", "mail"] * 10)
    told = Effect("mail", "call", "y", "ATE", {}, 20, Estimate(0.1, 0.05, 0.15, 0.025), 0.1)
    shares = Log("log.csv", "reply", reply, {"y": np.tile([0.0, 0, 1, 0, 0, 1, 0, 0, 0, 1], 2)})
    numbers = Log("log.csv", "reply", reply, {"y": np.arange(20.0)})
    assert e_value(shares, told).ratio == pytest.approx((0.2 + 0.1) / 0.2)
    assert e_value(numbers, told).ratio == pytest.approx(exp(0.091 / np.arange(20.0).std()))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: of_ratio(-1, 0.5, 2),
        lambda: of_ratio(1, 2, 3),
        lambda: of_difference(1, 1, 0),
        lambda: of_shares(1, 0.1, 0, 0.2),
        lambda: e_value(
            Log("log.csv", "reply", Categories.of(["a", "b"]), {"y": np.zeros(2)}),
            Effect("a", "b", "y", "ATE", {}, 2, None, 0.0, refused="no overlap"),
        ),
    ],
)
def test_what_has_no_e_value_is_refused(wrong):
    with pytest.raises(DataError):
        wrong()
