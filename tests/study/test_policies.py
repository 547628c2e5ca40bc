import json

import numpy as np
import pytest

import huiyi
from huiyi.cause.actor import Actor
from huiyi.cause.explore import Exploration
from huiyi.errors import DataError
from huiyi.evaluate import policy_in_words, policy_json
from huiyi.study import policy
from huiyi.values import Record


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(0)
    late, call = rng.integers(9, size=3000), rng.random(3000) < 0.5
    intent = np.where(rng.random(3000) < 0.5, "arrival", "theft")
    better = np.where(call, np.where(intent == "theft", 0.3, 0.4 * (late > 4) - 0.2), 0.0)
    cells = {"reply": np.where(call, "call", "mail"), "late": late, "intent": intent}
    return policy({**cells, "solved": rng.random(3000) < 0.4 + better}, "reply", "solved")


def test_what_to_do_is_learnt_valued_and_told(study):
    assert study.learned.adopted
    words = "\n".join(policy_in_words(study))
    assert "Adopted" in words and "call" in words
    assert "怎么做" in "\n".join(policy_in_words(study, "zh"))
    assert json.loads(json.dumps(policy_json(study)))["adopted"] is True


def test_less_can_be_better_and_actions_can_cost():
    rng = np.random.default_rng(0)
    call = rng.random(2000) < 0.5
    cells = {"reply": np.where(call, "call", "mail"), "minutes": 20 - 5 * call + rng.normal(size=2000)}
    dear = policy(cells, "reply", "minutes", less_is_better=True, costs={"call": 9})
    for less, best in ((True, "call"), (False, "mail")):
        learned = policy(cells, "reply", "minutes", less_is_better=less).learned
        assert learned.policy.explain() == (f"always: {best}",)
    assert dear.learned.policy.explain() == ("always: mail",)
    words = policy_in_words(dear)
    assert words[:2] == [
        "Less of minutes is better: it is counted with a minus.",
        "All values are less what actions cost: call 9.",
    ]
    assert policy_json(dear)["costs"] == {"call": 9}


@pytest.fixture(scope="module")
def model():
    return huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")] * 3)


def test_a_model_acts_by_it_and_is_saved_with_it(study, model, tmp_path):
    acting = model.acting(Actor(study.learned.policy))
    acting.save(tmp_path / "desk")
    loaded = huiyi.load(tmp_path / "desk")
    assert loaded.fields == ("late",)
    records = [
        Record(text="my card was stolen", answers={"intent": "theft"}),
        Record(text="where is my card", answers={"intent": "arrival"}, fields={"late": "8"}),
        Record(text="where is my card", answers={"intent": "arrival"}, fields={"late": 1}),
    ]
    done = loaded.decide_all(records)
    assert [(one.action, one.propensity) for one in done] == [("call", 1.0), ("call", 1.0), ("mail", 1.0)]
    assert model.decide(records[0]).action is None


def test_what_is_explored_has_its_propensity_and_is_drawn_again(study, model):
    acting = model.acting(Actor(study.learned.policy, Exploration(0.5)))
    records = [Record(id=str(n), text="my card was stolen", answers={"intent": "theft"}) for n in range(200)]
    first, again = acting.decide_all(records), acting.decide_all(records)
    assert [one.action for one in first] == [one.action for one in again]
    share = np.mean([one.action == "mail" for one in first])
    assert 0.15 < share < 0.35  # half is explored, half of that is the same
    assert {(one.action, one.propensity) for one in first} == {("call", 0.75), ("mail", 0.25)}


def test_declined_records_are_left_alone(study, model):
    (decision,) = model.acting(Actor(study.learned.policy)).decide_all([Record(text="")])
    assert decision.kind == "decline" and decision.action is None and decision.propensity is None


def test_a_dose_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="is a dose"):
        policy({"discount": rng.normal(size=100), "solved": rng.random(100)}, "discount", "solved")
