from __future__ import annotations

from typing import TYPE_CHECKING

from huiyi.evaluate import evaluate
from huiyi.evaluate.findings import Confusion, LabelScore, confusions, label_scores, mistakes

if TYPE_CHECKING:
    from conftest import MakeModel, MakeTable

BELIEFS = {
    "a": ((0.9, 0.1, 0.0), 0.9),
    "b, less sure": ((0.3, 0.7, 0.0), 0.9),
    "b, surer": ((0.2, 0.8, 0.0), 0.9),
    "c, strange": ((0.0, 0.0, 1.0), 0.0),
}


def test_confusions_are_counted_and_the_surest_is_the_example(make_model: MakeModel, make_table: MakeTable) -> None:
    table = make_table(("b, less sure", "a"), ("b, surer", "a"), ("a", "c"), ("a", "a"), ("c, strange", "oos"))
    outcomes = evaluate(make_model(BELIEFS), table).outcomes
    assert confusions(outcomes) == [Confusion("a", "b", rows=2, example=1), Confusion("c", "a", rows=1, example=2)]


def test_mistakes_are_wrong_labels_in_scope_and_acts_out_of_scope(make_model: MakeModel, make_table: MakeTable) -> None:
    table = make_table(("b, less sure", "a"), ("b, surer", "oos"), ("a", "a"), ("c, strange", "oos"))
    assert mistakes(evaluate(make_model(BELIEFS), table).outcomes) == [1, 0]


def test_labels_stand_weakest_first(make_model: MakeModel, make_table: MakeTable) -> None:
    table = make_table(("b, surer", "a"), ("b, surer", "a"), ("a", "a"), ("a", "a"), ("a", "never seen"))
    assert label_scores(evaluate(make_model(BELIEFS), table).outcomes) == [
        LabelScore("never seen", rows=1, precision=None, recall=0.0, f1=0.0),
        LabelScore("b", rows=0, precision=0.0, recall=None, f1=0.0),
        LabelScore("a", rows=4, precision=2 / 3, recall=1 / 2, f1=4 / 7),
    ]


def test_several_labels_are_paired_or_stand_alone(make_model: MakeModel, make_table: MakeTable) -> None:
    model = make_model({"a": ((0.9, 0.1, 0.0), 0.9), "none": ((0.0, 0.0, 0.0), 0.9)}, kind="several")
    table = make_table(("a", ("b",)), ("a", ()), ("none", ("c",)), kind="several")
    assert {(found.truth, found.said) for found in confusions(evaluate(model, table).outcomes)} == {
        ("b", "a"),
        (None, "a"),
        ("c", None),
    }
