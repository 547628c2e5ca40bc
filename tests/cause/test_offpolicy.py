from dataclasses import replace

import numpy as np
import pytest

from huiyi.cause.offpolicy import METHODS, Logged, ValueConfig, value
from huiyi.errors import DataError, OptionError

NAMES = ("call", "mail", "none")
N = 1500


def world(seed, n=N):
    """A log, a target policy and its true value: harder cases are called, and end worse."""
    rng = np.random.default_rng(seed)
    hard = rng.random(n)
    truth = np.column_stack([0.7 - 0.4 * hard, 0.6 - 0.5 * hard, 0.2 + 0 * hard])
    odds = np.column_stack([0.2 + hard, 1.2 - hard, 0.2 + 0 * hard])
    chosen = odds / odds.sum(axis=1, keepdims=True)
    actions = (rng.random(n)[:, None] > chosen.cumsum(axis=1)[:, :-1]).sum(axis=1)
    taken = np.arange(n), actions
    rewards = (rng.random(n) < truth[taken]).astype(float)
    logged = Logged(NAMES, actions, rewards, chosen[taken], truth + rng.normal(scale=0.05, size=truth.shape))
    return logged, np.tile([0.8, 0.1, 0.1], (n, 1)), 0.8 * 0.5 + 0.1 * 0.35 + 0.1 * 0.2


LOGGED, TARGET, TRUTH = world(0)


@pytest.mark.parametrize("method", METHODS)
def test_intervals_hold_the_truth_and_estimates_are_near_it(method):
    found = []
    for seed in range(120):
        logged, target, truth = world(seed, 600)
        told = value(logged, target, method=method)
        found.append((told.estimate.value - truth, told.estimate.low <= truth <= told.estimate.high))
    errors, held = np.array(found).T
    assert abs(errors.mean()) < 0.012
    assert held.mean() > 0.9


def test_each_method_is_its_formula():
    weights = TARGET[np.arange(N), LOGGED.actions] / LOGGED.propensities
    direct = (TARGET * LOGGED.predictions).sum(axis=1)
    rest = LOGGED.rewards - LOGGED.predictions[np.arange(N), LOGGED.actions]
    expected = {
        "ips": (weights * LOGGED.rewards).mean(),
        "snips": (weights * LOGGED.rewards).sum() / weights.sum(),
        "direct": direct.mean(),
        "dr": (direct + weights * rest).mean(),
    }
    for method, number in expected.items():
        assert value(LOGGED, TARGET, method=method).estimate.value == pytest.approx(number)


def test_dr_is_right_where_either_part_is_wrong():
    errors, without = {"predictions": [], "propensities": []}, []
    for seed in range(60):
        logged, target, truth = world(seed)
        off = replace(logged, predictions=np.full((N, 3), 0.9))
        errors["predictions"].append(value(off, target).estimate.value - truth)
        off = replace(logged, propensities=np.full(N, 1 / 3))
        errors["propensities"].append(value(off, target).estimate.value - truth)
        without.append(value(off, target, method="ips").estimate.value - truth)
    assert all(abs(np.mean(some)) < 0.01 for some in errors.values())
    assert abs(np.mean(without)) > 0.03


def test_the_gain_is_told_by_the_same_rows():
    same = np.zeros((N, 3))
    same[np.arange(N), LOGGED.actions] = 1
    certain = replace(LOGGED, propensities=np.ones(N))
    told = value(certain, same)
    assert told.gain.value == pytest.approx(0)
    assert told.gain.error == pytest.approx(0, abs=1e-12)
    assert told.estimate.value == pytest.approx(LOGGED.rewards.mean())
    told = value(LOGGED, TARGET)
    assert told.gain.value == pytest.approx(told.estimate.value - told.logging.value)


def with_a_heavy_row(seed):
    """One row of an action that was nearly impossible has most of the weight, and predictions are fair."""
    logged, target, truth = world(seed, 400)
    propensities = logged.propensities.copy()
    propensities[np.flatnonzero(logged.actions == 0)[0]] = 0.003
    return replace(logged, propensities=propensities), target, truth


def test_switching_and_shrinking_stand_heavy_weights():
    errors = {method: [] for method in ("dr", "switch", "shrink")}
    for seed in range(60):
        logged, target, truth = with_a_heavy_row(seed)
        for method, found in errors.items():
            found.append(
                value(logged, target, method=method, config=ValueConfig(least_effective=1)).estimate.value - truth
            )
    square = {method: np.mean(np.square(found)) for method, found in errors.items()}
    assert square["switch"] < 0.3 * square["dr"]
    assert square["shrink"] < 0.3 * square["dr"]


def test_few_effective_rows_are_warned_of_and_hopeless_ones_refused():
    logged, target, _ = with_a_heavy_row(1)
    told = value(logged, target)
    assert told.estimate is None and told.gain is None
    assert told.effective < 10
    assert any("alone has" in notice for notice in told.notices)
    assert "Expected at least 30" in told.refused
    told = value(logged, target, config=ValueConfig(least_effective=1))
    assert any("holds for all bounded outcomes" in notice for notice in told.notices)
    assert any("Row " in notice and "all weight" in notice for notice in told.notices)
    assert (told.estimate.low, told.estimate.high) == (0, 1)


def test_effective_rows_are_those_of_equal_weight():
    third = replace(LOGGED, propensities=np.full(N, 0.5))
    only = np.tile([1.0, 0, 0], (N, 1))
    assert value(third, only).effective == pytest.approx((LOGGED.actions == 0).sum())


def test_a_rare_outcome_is_not_told_too_surely():
    rare = replace(LOGGED, rewards=np.zeros(N), predictions=None)
    told = value(rare, TARGET, method="ips")
    assert told.estimate.high > 3 / N  # nothing was seen in N rows: the rule of three
    assert any("The outcome was 1 in an effective 0 rows" in notice for notice in told.notices)


def test_an_action_that_was_never_taken_is_named():
    four = Logged((*NAMES, "visit"), LOGGED.actions, LOGGED.rewards, LOGGED.propensities)
    told = value(four, np.tile([0.5, 0, 0, 0.5], (N, 1)), method="snips")
    assert told.estimate is None
    assert "'visit' in 50% of the rows" in told.refused
    told = value(four, np.tile([0.995, 0, 0, 0.005], (N, 1)), method="snips")
    assert told.estimate is not None
    assert any("sometimes does 'visit'" in notice for notice in told.notices)


def test_an_action_that_was_taken_once_is_named():
    actions = np.where(LOGGED.actions == 2, 1, LOGGED.actions)
    actions[5] = 2
    told = value(replace(LOGGED, actions=actions), np.tile([0.5, 0.3, 0.2], (N, 1)))
    assert any("'none' was done once" in notice for notice in told.notices)


def test_an_action_that_never_varies_tells_of_itself_alone():
    always = replace(LOGGED, actions=np.zeros(N, dtype=np.intp), propensities=np.ones(N))
    assert value(always, np.tile([1.0, 0, 0], (N, 1))).estimate is not None
    assert "the log never does" in value(always, np.tile([0.0, 1, 0], (N, 1))).refused


def test_propensities_that_do_not_fit_the_actions_are_noticed():
    assert value(LOGGED, TARGET).notices == ()
    told = value(replace(LOGGED, propensities=np.full(N, 0.9)), TARGET)
    assert any("should 1" in notice for notice in told.notices)


def test_predictions_that_are_off_are_noticed_and_widen_what_rests_on_them():
    off = replace(LOGGED, predictions=np.full((N, 3), 0.9))
    told = value(off, TARGET, method="direct")
    assert any("Predictions differ" in notice for notice in told.notices)
    assert told.estimate.low < TRUTH < told.estimate.high


def test_units_widen_intervals():
    twice = np.repeat(np.arange(N), 2)
    double = Logged(NAMES, *(np.repeat(x, 2) for x in (LOGGED.actions, LOGGED.rewards, LOGGED.propensities)))
    once = value(LOGGED, TARGET, method="ips").estimate.error
    assert value(replace(double, units=twice), np.repeat(TARGET, 2, axis=0), method="ips").estimate.error == (
        pytest.approx(once)
    )


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.2, np.nan])
def test_a_propensity_that_is_none_is_refused_with_its_row(wrong):
    propensities = LOGGED.propensities.copy()
    propensities[41] = wrong
    with pytest.raises(DataError, match="log row 42: the propensity is"):
        replace(LOGGED, propensities=propensities)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rewards": np.r_[LOGGED.rewards[:-1], np.nan]}, "row 1500: the outcome is not known"),
        ({"rewards": LOGGED.rewards[:-1]}, r"rewards have the shape \(1499,\)"),
        ({"actions": np.r_[LOGGED.actions[:-1], 3]}, "row 1500: the action is number 3"),
        ({"predictions": np.zeros((N, 2))}, "predictions have the shape"),
        ({"units": np.zeros(3, dtype=np.intp)}, "units have the shape"),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(change, said):
    with pytest.raises(DataError, match=said):
        replace(LOGGED, **change)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (TARGET[:, :2], "has the shape"),
        (np.where(np.arange(N)[:, None] == 2, 0.5, TARGET), "row 3 is"),
        (np.tile([1.2, -0.2, 0], (N, 1)), "row 1 is"),
        (np.full((N, 3), np.nan), "row 1 is"),
    ],
)
def test_a_policy_that_is_none_is_refused(target, said):
    with pytest.raises(DataError, match=said):
        value(LOGGED, target)


def test_options_that_cannot_be_used_are_refused():
    with pytest.raises(OptionError, match="Did you mean 'snips'"):
        value(LOGGED, TARGET, method="snip")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="needs predictions"):
        value(replace(LOGGED, predictions=None), TARGET)
    with pytest.raises(OptionError, match="level between 0 and 1"):
        ValueConfig(level=95)


def test_one_row_tells_nothing():
    with pytest.raises(DataError, match="1 row tells no value"):
        Logged(("a",), np.zeros(1, dtype=np.intp), np.ones(1), np.ones(1))
