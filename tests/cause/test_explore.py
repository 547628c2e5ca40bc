import json

import numpy as np
import pytest
from scipy.stats import norm

from huiyi.cause.explore import EVENLY, Exploration
from huiyi.cause.log import Categories
from huiyi.cause.policy import Condition, Policy, Rule
from huiyi.errors import DataError, OptionError

ACTIONS = ("call", "mail", "none")
SURE = Rule((Condition("intent", ("refund",)),), "mail", 900, (0.3, 0.6, 0.1), (0.01, 0.01, 0.01))
UNSURE = Rule((), "call", 50, (0.50, 0.49, 0.1), (0.05, 0.08, 0.04))
POLICY = Policy("solved", ACTIONS, (SURE, UNSURE))
CONTEXT = {"intent": Categories.of(["refund", "other"] * 5000)}
IDS = [str(place) for place in range(10_000)]


def test_nothing_is_explored_unless_it_is_asked_for():
    chosen = Exploration().choose(POLICY, CONTEXT, IDS)
    assert chosen.actions == ("mail", "call") * 5000
    assert (chosen.propensities == 1).all()


@pytest.mark.parametrize("kind", ["epsilon", "thompson"])
def test_propensities_are_how_often_an_action_is_drawn(kind):
    chosen = Exploration(0.3, kind, seed=4).choose(POLICY, CONTEXT, IDS)
    assert np.allclose(chosen.probabilities.sum(axis=1), 1)
    drawn = np.array(chosen.actions)
    for place in (0, 1):
        for code, name in enumerate(ACTIONS):
            expected = chosen.probabilities[place, code]
            some = drawn[place::2] == name
            assert abs(some.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / 5000)
            assert np.allclose(chosen.propensities[place::2][some], expected)


@pytest.mark.parametrize("kind", ["epsilon", "thompson"])
def test_the_share_is_never_passed_and_no_action_is_lost(kind):
    probabilities = Exploration(0.2, kind).probabilities(POLICY, CONTEXT)
    assert (probabilities[::2, 1] >= 0.8).all()
    assert (probabilities[1::2, 0] >= 0.8).all()
    assert probabilities.min() >= 0.2 * EVENLY / 3 - 1e-12


def test_thompson_tries_what_may_be_the_best():
    sure, unsure = Exploration(0.1, "thompson").probabilities(POLICY, CONTEXT, 10_000)[:2]
    assert sure[0] == pytest.approx(0.1 * EVENLY / 3, abs=1e-6)  # surely worse: no more than the even part
    two = Policy("solved", ACTIONS[:2], (Rule((), "call", 9, (0.5, 0.49), (0.05, 0.08)),))
    second = norm.cdf((0.49 - 0.5) / np.hypot(0.05, 0.08))  # in closed form, for two actions
    tried = Exploration(0.1, "thompson").probabilities(two, {}, rows=1)[0, 1]
    assert tried == pytest.approx(0.1 * ((1 - EVENLY) * second + EVENLY / 2), abs=1e-6)
    assert unsure[1] > 5 * unsure[2]


def test_what_is_best_is_as_probable_as_among_drawn_means():
    rng = np.random.default_rng(0)
    drawn = np.argmax(rng.normal(UNSURE.means, UNSURE.errors, size=(200_000, 3)), axis=1)
    shares = np.bincount(drawn, minlength=3) / 200_000
    told = Exploration(0.5, "thompson").probabilities(POLICY, CONTEXT)[1]
    assert (told - [0.5, 0, 0] - 0.5 * EVENLY / 3) / (0.5 * (1 - EVENLY)) == pytest.approx(shares, abs=0.005)


def test_a_decision_is_drawn_again_as_it_was_and_alone_as_among_others():
    explore = Exploration(0.5, seed=7)
    whole = explore.choose(POLICY, CONTEXT, IDS)
    alone = [explore.choose(POLICY, {"intent": CONTEXT["intent"].rows(np.array([i]))}, [IDS[i]]) for i in range(50)]
    assert whole.actions[:50] == tuple(one.actions[0] for one in alone)
    assert whole.actions != Exploration(0.5, seed=8).choose(POLICY, CONTEXT, IDS).actions


def test_it_comes_back_from_json_and_is_told_in_words():
    explore = Exploration(0.05, "thompson", 3)
    assert Exploration.from_json(json.loads(json.dumps(explore.to_json()))) == explore
    assert explore.explain().startswith("5.0% of the decisions are explored: the more")
    assert Exploration(0.05).explain("zh") == "5.0% 的决定用于探索：各动作机会均等。"
    assert Exploration().explain() == "Nothing is explored."
    with pytest.raises(DataError, match="no exploration"):
        Exploration.from_json({"share": 0.1})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((0.6,), "Expected 0 to 0.5"),
        ((-0.1,), "Expected 0 to 0.5"),
        ((np.nan,), "Expected 0"),
        ((0.1, "thomson"), "mean"),
    ],
)
def test_too_much_and_unknown_exploration_is_refused(options, said):
    with pytest.raises(OptionError, match=said):
        Exploration(*options)


def test_thompson_needs_to_know_what_actions_bring():
    bare = Policy("solved", ACTIONS, (Rule((), "call", 0, (), ()),))
    with pytest.raises(DataError, match="use 'epsilon'"):
        Exploration(0.1, "thompson").probabilities(bare, {}, rows=1)
    assert Exploration(0.1).probabilities(bare, {}, rows=1).max() > 0.9
