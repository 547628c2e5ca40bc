import json
from dataclasses import replace

import numpy as np
import pytest

from huiyi.cause.log import Categories
from huiyi.cause.policy import Condition, Policy, Rule
from huiyi.errors import ColumnError, DataError

LATE = Rule(
    (Condition("intent", ("refund", "invoice")), Condition("waiting", above=3.0)), "call", 40, (0.6, 0.4), (1, 1)
)
MEANT = Rule((Condition("intent", ("refund",)),), "mail", 60, (0.3, 0.4), (0.1, 0.1))
REST = Rule((), "call", 900, (0.5, 0.4), (0.1, 0.1))
POLICY = Policy("solved", ("call", "mail"), (LATE, MEANT, REST))
CONTEXT = {
    "intent": Categories.of(["refund", "refund", "refund", "invoice", "other", None]),
    "waiting": np.array([4.0, 3.0, np.nan, 9.0, 9.0, 9.0]),
}


def test_the_first_rule_that_fits_counts():
    assert POLICY.places(CONTEXT).tolist() == [0, 1, 1, 0, 2, 2]
    assert POLICY.probabilities(CONTEXT)[:, 1].tolist() == [0, 1, 1, 0, 0, 0]
    assert POLICY.columns == ("intent", "waiting")


def test_names_are_compared_and_not_their_places():
    other = {**CONTEXT, "intent": Categories(("zoo", "refund"), np.array([1, 1, 1, 0, 0, -1]))}
    assert POLICY.places(other).tolist() == [0, 1, 1, 2, 2, 2]


def test_a_policy_without_conditions_needs_the_number_of_rows_alone():
    always = Policy("solved", ("call", "mail"), (REST,))
    assert always.probabilities({}, rows=3).tolist() == [[1, 0]] * 3
    assert always.explain() == ("always: call",)
    assert always.explain("zh") == ("一律：call",)


def test_it_is_told_in_words():
    assert POLICY.explain() == (
        "for intent refund or invoice and waiting > 3: call",
        "for intent refund: mail",
        "otherwise: call",
    )
    words = {
        "intent": "意图",
        "refund": "退票",
        "invoice": "开发票",
        "waiting": "等待天数",
        "call": "回电",
        "mail": "发邮件",
    }
    assert POLICY.explain("zh", lambda name, language: words[name] if language == "zh" else name) == (
        "意图为退票或开发票，且等待天数 > 3：回电",
        "意图为退票：发邮件",
        "其他情况：回电",
    )


def test_it_comes_back_from_json_as_it_was():
    assert Policy.from_json(json.loads(json.dumps(POLICY.to_json()))) == POLICY


@pytest.mark.parametrize("broken", [{}, {"outcome": "x", "actions": ["a"], "rules": [{"when": 3}]}, {"rules": None}])
def test_json_that_is_no_policy_is_refused(broken):
    with pytest.raises(DataError, match="no policy"):
        Policy.from_json(broken)


@pytest.mark.parametrize("rules", [(), (LATE,), (replace(REST, action="cal"),)])
def test_rules_that_do_not_always_say_what_to_do_are_refused(rules):
    with pytest.raises(DataError, match="a last rule without conditions"):
        Policy("solved", ("call", "mail"), rules)


def test_a_context_that_does_not_fit_is_refused():
    with pytest.raises(ColumnError, match="Did you mean 'waitin'"):
        POLICY.places({"intent": CONTEXT["intent"], "waitin": CONTEXT["waiting"]})
    with pytest.raises(ColumnError, match="expects numbers in 'waiting'"):
        POLICY.places({**CONTEXT, "waiting": CONTEXT["intent"]})
    with pytest.raises(ColumnError, match="expects names in 'intent'"):
        POLICY.places({**CONTEXT, "intent": CONTEXT["waiting"]})


def test_actions_are_put_in_the_order_of_a_log():
    placed = POLICY.target(("none", "mail", "call"), CONTEXT)
    assert placed.tolist() == [[0, 0, 1], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]
    with pytest.raises(DataError, match=r"may do 'mail', which the log does not know.* Did you mean 'email'"):
        POLICY.target(("call", "email"), CONTEXT)
