from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from huiyi.cause.log import Categories, Log
from huiyi.cause.nuisance import Nuisances
from huiyi.cause.sensitivity import (
    Parts,
    Strength,
    doubly_robust_parts,
    linear_parts,
    sensitivity,
    strength_of,
)
from huiyi.errors import ColumnError, DataError
from huiyi.values import Effect, Estimate

from .regression import adjusted

ESTIMATE = adjusted()


def world(strength, *, rows=4_000, seed=0):
    """A log in which ``mood`` drives action and outcome, by some strength, and the action does +0.3."""
    rng = np.random.default_rng(seed)
    waiting, mood = rng.normal(size=(2, rows))
    mailed = 0.5 * waiting + strength * mood + rng.normal(size=rows) > 0
    solved = 0.3 * mailed + 0.5 * waiting + strength * mood + rng.normal(size=rows)
    return Log(
        "log.csv",
        "reply",
        Categories.of(np.where(mailed, "mail", "call").tolist()),
        {"solved": solved},
        {"waiting": waiting, "mood": mood},
    )


def partial(rows, beside, target):
    """Partial R², the plain way."""

    def left(columns):
        weights = np.linalg.lstsq(columns, target, rcond=None)[0]
        return np.sum((target - columns @ weights) ** 2)

    return 1 - left(np.column_stack([rows, beside])) / left(rows)


def test_the_papers_own_example():
    # Darfur: estimate 0.0973, standard error 0.0232, 783 degrees of freedom (Cinelli and Hazlett 2020, section 5)
    value, error, freedom = 0.09731582, 0.02325654, 783
    scale = error * np.sqrt(freedom)
    told = Estimate(value, value - 1.963 * error, value + 1.963 * error, error)
    parts = Parts(np.full(10, scale), np.ones(10))
    effect = Effect("harmed", "not", "peace", "ATE", {}, 1276, told, value)
    log = Log("darfur", "harm", Categories.of(["harmed", "not"] * 5), {"peace": np.zeros(10)})
    found = sensitivity(log, effect, parts=parts, known={})
    assert (round(found.to_overturn, 3), round(found.to_doubt, 3), round(found.partial, 3)) == (0.139, 0.076, 0.022)
    assert found.bias(Strength(found.to_overturn, found.to_overturn)) == pytest.approx(value)


def test_a_hidden_cause_moves_the_effect_as_far_as_is_said():
    full = world(0.5)
    log = full.without("mood")
    moved = ESTIMATE(log).estimate.value - ESTIMATE(full).estimate.value
    found = sensitivity(log, ESTIMATE(log))
    ones = np.column_stack([np.ones(len(log)), log.context["waiting"]])
    mailed = log.actions.are("mail").astype(float)
    strength = Strength(
        partial(np.column_stack([ones, mailed]), full.context["mood"], log.outcomes["solved"]),
        partial(ones, full.context["mood"], mailed),
    )
    assert found.bias(strength) == pytest.approx(moved, rel=0.01)


@pytest.mark.parametrize(("strength", "overturns"), [(0.1, False), (0.3, False), (0.9, True)])
def test_what_would_overturn_is_said_so(strength, overturns):
    full = world(strength)
    solved = full.outcomes["solved"] - 0.5 * full.actions.are("mail")  # now it does -0.2, unless mood is held equal
    if not overturns:
        solved = full.outcomes["solved"]
    full = replace(full, outcomes={"solved": solved})
    log = full.without("mood")
    seen, truth = ESTIMATE(log).estimate.value, ESTIMATE(full).estimate.value
    assert seen > 0 and (truth <= 0) == overturns
    found = sensitivity(log, ESTIMATE(log))
    hidden = sensitivity(full, ESTIMATE(full)).known["mood"]
    assert found.would_overturn(hidden) == overturns
    assert ("would overturn it" in found.told(hidden)) == overturns


def test_known_columns_are_measured_as_the_paper_does():
    log = world(0.6)
    found = sensitivity(log, ESTIMATE(log)).known["mood"]
    ones = np.column_stack([np.ones(len(log)), log.context["waiting"]])
    mailed = log.actions.are("mail").astype(float)
    mood = log.context["mood"]
    of_action = partial(ones, mood, mailed)
    of_outcome = partial(np.column_stack([ones, mailed]), mood, log.outcomes["solved"])
    assert found.of_action == pytest.approx(of_action / (1 - of_action), rel=1e-6)
    beside = of_action**2 / (1 - of_action) ** 2
    raised = (1 + np.sqrt(beside)) ** 2 / (1 - beside)
    assert found.of_outcome == pytest.approx(raised * of_outcome / (1 - of_outcome), rel=1e-6)


def test_the_strongest_is_named_and_a_column_of_many_parts_is_one():
    log = world(0.8).with_column("channel", Categories.of(list("abcd") * 1_000))
    found = sensitivity(log, ESTIMATE(log))
    assert found.strongest == "mood" and set(found.known) == {"waiting", "mood", "channel"}
    assert found.known["channel"].even < 0.01
    assert "'mood'" in found.said and "'solved' and 'reply' would overturn it" in found.said
    twice = found.as_strong_as("channel", times=2)
    assert twice.of_action == pytest.approx(2 * found.known["channel"].of_action)


def test_a_column_of_many_names_is_measured():
    rng = np.random.default_rng(0)
    office = rng.integers(0, 500, 10_000)
    own = rng.normal(size=500)[office]
    mailed = own + rng.logistic(size=10_000) > 0
    log = Log(
        "log.csv",
        "reply",
        Categories(("call", "mail"), mailed.astype(np.intp)),
        {"solved": mailed + own + rng.normal(size=10_000)},
        {"office": Categories(tuple(f"{one:03d}" for one in range(500)), office)},
    )
    told = Estimate(1.0, 0.9, 1.1, 0.05)
    effect = Effect("mail", "call", "solved", "ATE", {}, 10_000, told, 1.5, adjusted=("office",))
    found = sensitivity(log, effect).known["office"]
    assert found.of_action > 0.08 and found.of_outcome > 0.3  # by its own number: 0.16 and 0.9


def test_weighting_says_nearly_what_a_linear_model_says():
    log = world(0.4)
    waiting, mailed = log.context["waiting"], log.actions.are("mail")
    chance = norm.cdf(0.5 * waiting / np.sqrt(1 + 0.4**2))
    chances = np.column_stack([1 - chance, chance])
    after = np.column_stack([0.5 * waiting, 0.3 + 0.5 * waiting])
    codes = log.actions.codes
    told = Nuisances(log.actions.names, codes, log.outcomes["solved"], chances, after, codes, ())
    parts = doubly_robust_parts(told, action="mail", against="call")
    linear = linear_parts(log.without("mood"), ESTIMATE(log.without("mood")))
    assert parts.scale == pytest.approx(linear.scale, rel=0.15)
    assert np.mean(parts.weights * mailed) == pytest.approx(1, abs=0.1)
    treated = doubly_robust_parts(told, action="mail", against="call", estimand="ATT")
    assert np.mean(treated.weights * mailed) == pytest.approx(1)
    assert np.mean(treated.weights * ~mailed) == pytest.approx(-1, abs=0.1)


def test_rows_of_other_actions_do_not_count():
    reply = Categories.of(["call", "mail", "gift", "gift"])
    told = Nuisances(reply.names, reply.codes, np.ones(4), np.full((4, 3), 1 / 3), np.zeros((4, 3)), reply.codes, ())
    parts = doubly_robust_parts(told, action="mail", against="call")
    gift = reply.are("gift")
    assert not parts.residuals[gift].any() and not parts.weights[gift].any()


def test_rows_without_overlap_do_not_count():
    reply, half = Categories.of(["call", "mail"] * 4), np.full((8, 2), 0.5)
    told = Nuisances(reply.names, reply.codes, np.arange(8.0), half, np.zeros((8, 2)), reply.codes, ())
    kept = np.arange(8) < 4
    parts = doubly_robust_parts(told, action="mail", against="call", kept=kept)
    assert parts.residuals.tolist() == [0, 1, 2, 3] and parts.weights.tolist() == [-2, 2, -2, 2]


def test_strength_by_refitting_is_that_of_linear_models_where_all_is_linear():
    log = world(0.6)
    effect = ESTIMATE(log)
    without = linear_parts(log, replace(effect, adjusted=("waiting",)))
    known = sensitivity(log, effect).known["mood"]
    found = strength_of(linear_parts(log, effect), without)
    assert (found.of_outcome, found.of_action) == pytest.approx((known.of_outcome, known.of_action), rel=1e-6)


def test_an_effect_in_doubt_needs_nothing_hidden():
    log = world(0.0)
    told = Estimate(0.1, -0.1, 0.3, 0.1)
    found = sensitivity(log, replace(ESTIMATE(log), estimate=told))
    assert found.to_doubt == 0 and "in doubt anyway" in found.said


def test_a_negative_effect_is_overturned_alike():
    log = world(0.2)
    turned = replace(log, outcomes={"solved": -log.outcomes["solved"]})
    assert sensitivity(turned, ESTIMATE(turned)).to_overturn == pytest.approx(
        sensitivity(log, ESTIMATE(log)).to_overturn
    )


def test_nothing_known_is_said():
    log = world(0.0).without("waiting", "mood")
    found = sensitivity(log, ESTIMATE(log))
    assert found.strongest is None and "cannot be compared" in found.said


def test_a_dose():
    log = world(0.4)
    dosed = replace(log, actions=log.context["waiting"] + np.random.default_rng(1).normal(size=len(log)))
    effect = adjusted(action="1 more", against="")(dosed)
    found = sensitivity(dosed, effect)
    assert found.scale == pytest.approx(effect.estimate.error * np.sqrt(len(log)), rel=0.05)


def test_what_cannot_be_asked_is_named():
    log = world(0.2)
    with pytest.raises(ColumnError, match="Did you mean 'mood'"):
        sensitivity(log, ESTIMATE(log)).as_strong_as("moood")
    with pytest.raises(DataError, match="no overlap"):
        sensitivity(log, replace(ESTIMATE(log), estimate=None, refused="no overlap"))
    told = log.with_column("told", log.actions.are("mail").astype(float))
    with pytest.raises(DataError, match="completely"):
        sensitivity(told, ESTIMATE(told))
