from dataclasses import replace

import numpy as np
import pytest

from huiyi.cause.learning import LearnConfig, learn
from huiyi.cause.log import Categories, Log
from huiyi.cause.nuisance import Nuisances
from huiyi.cause.policy import Condition
from huiyi.errors import ColumnError, DataError, OptionError

ACTIONS = ("call", "mail", "none")
INTENTS = ("fare", "refund", "pet")
N = 4000


def world(seed, n=N, effect=0.25):
    """Refunds should be called when late, pets always be mailed; the log draws evenly, but for hard cases."""
    rng = np.random.default_rng(seed)
    intent, waiting, hard = rng.integers(3, size=n), rng.integers(8, size=n).astype(float), rng.random(n)
    truth = np.full((n, 3), 0.5) - 0.3 * hard[:, None]
    truth[:, 0] += effect * np.where((intent == 1) & (waiting > 3), 1, -0.5)
    truth[:, 1] += effect * np.where(intent == 2, 1, 0)
    odds = np.column_stack([0.5 + hard, np.ones(n), 1.5 - hard])
    propensities = odds / odds.sum(axis=1, keepdims=True)
    codes = (rng.random(n)[:, None] > propensities.cumsum(axis=1)[:, :-1]).sum(axis=1)
    solved = (rng.random(n) < truth[np.arange(n), codes]).astype(float)
    log = Log(
        "log.csv", "reply", Categories(ACTIONS, codes), {"solved": solved},
        {"intent": Categories(INTENTS, intent), "waiting": waiting, "hard": hard, "text": rng.normal(size=(n, 2))},
        "intent",
    )  # fmt: skip
    guess = np.tile((0.5 - 0.3 * hard)[:, None], (1, 3))
    return log, Nuisances(ACTIONS, codes, solved, propensities, guess, np.arange(n) % 5, ()), truth, propensities


LOG, FOUND, TRUTH, PROPENSITIES = world(0)
SHALLOW = LearnConfig(depth=1)
LEARNED = learn(LOG, FOUND, outcome="solved")


def brought(policy, log, truth):
    codes = [ACTIONS.index(name) for name in policy.actions]
    return (policy.probabilities(log.context) * truth[:, codes]).sum(axis=1).mean()


def test_the_right_rules_are_found_and_adopted():
    assert LEARNED.shape == "table of trees"
    late = [rule for rule in LEARNED.policy.rules if rule.action == "call"]
    assert [rule.when[0] for rule in late] == [Condition("intent", ("refund",))]
    assert late[0].when[1].column == "waiting"
    assert late[0].when[1].above in (2, 3, 4)
    assert LEARNED.adopted
    assert "Adopted: it brings" in LEARNED.reason
    best, logging = TRUTH.max(axis=1).mean(), (PROPENSITIES * TRUTH).sum(axis=1).mean()
    assert best - brought(LEARNED.policy, LOG, TRUTH) < 0.15 * (best - logging)


def test_the_value_is_honest():
    gains = []
    for seed in range(1, 11):
        log, found, truth, propensities = world(seed, 1500)
        learned = learn(log, found, outcome="solved", config=SHALLOW)
        true = brought(learned.policy, log, truth) - (propensities * truth).sum(axis=1).mean()
        gains.append((learned.value.gain.value - true, learned.value.gain.low <= true))
    assert abs(np.mean([one[0] for one in gains])) < 0.015
    assert sum(one[1] for one in gains) >= 9


def test_where_actions_change_nothing_gains_are_as_unsure_as_they_say():
    ratios = []
    for seed in range(60):
        log, found, *_ = world(seed, 600, effect=0.0)
        gain = learn(log, found, outcome="solved", config=SHALLOW).value.gain
        ratios.append(gain.value / gain.error)
    assert abs(np.mean(ratios)) < 0.4
    assert 0.7 < np.std(ratios) < 1.25  # about 1.4 if each fold were told by all the others


def test_no_row_is_told_by_a_policy_that_saw_a_later_fold():
    """What comes of the last fold changes nothing that is done in it, nor before."""
    other = FOUND.outcomes.copy()
    last = FOUND.folds == 4
    other[last] = 1 - other[last]
    changed = learn(LOG, replace(FOUND, outcomes=other), outcome="solved")
    before = learn(LOG, FOUND, outcome="solved")
    assert changed.value.effective == pytest.approx(before.value.effective)
    assert changed.value.gain.value != pytest.approx(before.value.gain.value)


def test_the_policy_that_logged_is_kept_where_it_was_the_best():
    rng = np.random.default_rng(1)
    best = (LOG.context["waiting"] > 3).astype(np.intp)
    codes = np.where(rng.random(N) < 0.95, best, 1 - best)
    solved = (rng.random(N) < np.where(codes == best, 0.7, 0.3)).astype(float)
    propensities = np.where(np.arange(3) == best[:, None], 0.95, 0.05)
    found = Nuisances(ACTIONS, codes, solved, propensities, np.full((N, 3), 0.5), FOUND.folds, ())
    learned = learn(replace(LOG, actions=Categories(ACTIONS, codes)), found, outcome="solved")
    assert abs(learned.value.gain.value) < 0.05
    always_wrong = learn(replace(LOG, actions=Categories(ACTIONS, codes)), found, outcome="solved", columns=["hard"])
    assert not always_wrong.adopted
    assert "Not adopted, because it may be no better" in always_wrong.reason


def test_rules_say_what_the_log_says_of_each_action():
    for rule, place in zip(LEARNED.policy.rules, range(99), strict=False):
        rows = LEARNED.policy.places(LOG.context) == place
        assert rule.rows == rows.sum()
        if rule.rows:
            assert rule.means == pytest.approx(FOUND.scores[rows].mean(axis=0))
            assert np.abs(np.array(rule.means) - TRUTH[rows].mean(axis=0)).max() < 5 * max(rule.errors)
    assert sum(rule.rows for rule in LEARNED.policy.rules) == N


def test_gains_are_told_for_each_intent():
    assert set(LEARNED.gains) == set(INTENTS)
    assert LEARNED.gains["pet"].low > 0.1
    valued = np.flatnonzero(FOUND.folds >= 2)  # the first two folds only teach
    counts = np.bincount(LOG.intents.codes[valued], minlength=3)
    total = sum(LEARNED.gains[name].value * count for name, count in zip(INTENTS, counts, strict=True))
    assert total / len(valued) == pytest.approx(LEARNED.value.gain.value)
    assert LEARNED.value.rows == len(valued)


def test_a_policy_looks_only_at_the_columns_that_it_may():
    assert learn(LOG, FOUND, outcome="solved", columns=["hard"]).policy.columns in ((), ("hard",))
    assert "intent" not in learn(LOG, FOUND, outcome="solved", columns=["waiting"]).policy.columns
    with pytest.raises(ColumnError, match="Did you mean 'waiting'"):
        learn(LOG, FOUND, outcome="solved", columns=["waitin"])


def test_what_people_could_not_read_is_named():
    assert LEARNED.notices == ("The policy does not look at 'text': people could not read a rule about that.",)


def test_an_action_that_costs_too_much_is_not_taken():
    learned = learn(LOG, FOUND, outcome="solved", costs={"call": 0.9})
    assert all(rule.action != "call" for rule in learned.policy.rules)
    costs = np.where(FOUND.codes == 0, 0.9, 0.0)
    assert learned.value.logging.value == pytest.approx((FOUND.outcomes - costs)[FOUND.folds >= 2].mean())
    with pytest.raises(OptionError, match="Did you mean 'call'"):
        learn(LOG, FOUND, outcome="solved", costs={"cal": 1})


def test_an_action_that_was_hardly_ever_taken_is_left_out():
    codes = np.where(FOUND.codes == 2, 1, FOUND.codes)
    codes[7] = 2
    learned = learn(LOG, replace(FOUND, codes=codes), outcome="solved")
    assert learned.policy.actions == ("call", "mail")
    assert any("hardly ever done: 'none'" in notice for notice in learned.notices)


def test_an_action_that_never_varies_is_refused():
    with pytest.raises(DataError, match="fewer than two actions"):
        learn(LOG, replace(FOUND, codes=np.zeros(N, dtype=np.intp)), outcome="solved")


def test_no_value_no_adoption():
    strict = replace(LearnConfig().value, least_effective=1e5, few_effective=1e5)
    learned = learn(LOG, FOUND, outcome="solved", config=LearnConfig(value=strict))
    assert not learned.adopted
    assert "its value cannot be told. Of 2,400 rows" in learned.reason


def test_the_same_log_gives_the_same_policy():
    assert learn(LOG, FOUND, outcome="solved").policy == LEARNED.policy


@pytest.mark.parametrize("options", [{"depth": 9}, {"least_rows": 0}, {"sure": -1.0}])
def test_options_that_cannot_be_used_are_refused(options):
    with pytest.raises(OptionError, match="Expected a depth of 0 to 4"):
        LearnConfig(**options)


def test_two_folds_of_predictions_are_enough():
    learned = learn(LOG, replace(FOUND, folds=np.arange(N) % 2), outcome="solved", config=SHALLOW)
    assert learned.adopted
    assert abs(learned.value.gain.value - LEARNED.value.gain.value) < 0.03


def test_progress_is_told():
    seen = []
    learn(LOG, FOUND, outcome="solved", config=SHALLOW, on_progress=lambda *step: seen.append(step))
    assert seen == [("learning a policy", place, 3) for place in range(1, 4)]
