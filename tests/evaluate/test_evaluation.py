from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from huiyi.errors import DataError
from huiyi.evaluate import FIGURES, evaluate

if TYPE_CHECKING:
    from conftest import MakeModel, MakeTable

BELIEFS = {
    "sure": ((0.9, 0.1, 0.0), 0.9),  # acts on a, the set {a}
    "torn": ((0.4, 0.6, 0.0), 0.5),  # asks, says b, the set {a, b}
    "lost": ((0.2, 0.2, 0.6), 0.01),  # declines, called out of scope, says c, the set {c}
    "fooled": ((0.0, 0.0, 1.0), 0.7),  # acts on c, the set {c}
}


def test_a_hand_computed_case(make_model: MakeModel, make_table: MakeTable) -> None:
    table = make_table(("sure", "a"), ("torn", "a"), ("fooled", "a"), ("lost", "c"), ("lost", "oos"), ("fooled", "oos"))
    evaluation = evaluate(make_model(BELIEFS), table)
    figures = dict(evaluation.figures)
    times = [figures.pop(name) for name in ("seconds", "ms_per_record_p50", "ms_per_record_p99")]
    assert min(times) >= 0
    assert figures == pytest.approx(
        {
            "n": 6,
            "accuracy": 2 / 4,
            "macro_f1": (0.5 + 0 + 2 / 3) / 3,
            "ece": (0.1 + 1.0 + 2 * 0.1) / 4,  # two rows say 0.6, and one of them is right
            "nll": -np.log([0.9, 0.4, 2.220446049250313e-16, 0.6]).mean(),
            "oos_auroc": (0.5 + 1 + 1 + 1 + 0 + 1 + 0.5 + 0) / 8,
            "oos_aupr": (1 / 2 + 2 / 5) / 2,
            "oos_f1": 1 / 2,
            "oos_recall": 1 / 2,
            "act_rate": 3 / 6,
            "act_error": 2 / 3,
            "act_error_in_scope": 1 / 2,
            "oos_act_rate": 1 / 2,
            "set_coverage": 3 / 4,
            "set_size": 5 / 4,
        }
    )


def test_figures_stand_in_the_agreed_order_and_shares_have_intervals(
    make_model: MakeModel, make_table: MakeTable
) -> None:
    evaluation = evaluate(make_model(BELIEFS), make_table(("sure", "a"), ("fooled", "oos")))
    assert list(evaluation.figures) == [name for name in FIGURES if name in evaluation.figures]
    assert list(evaluation.intervals) == [
        "accuracy",
        "oos_recall",
        "act_rate",
        "act_error",
        "act_error_in_scope",
        "oos_act_rate",
        "set_coverage",
    ]
    assert all(low <= evaluation.figures[name] <= high for name, (low, high) in evaluation.intervals.items())
    assert all(type(value) in (int, float) for value in evaluation.figures.values())


def test_without_out_of_scope_rows_their_figures_are_left_out(make_model: MakeModel, make_table: MakeTable) -> None:
    evaluation = evaluate(make_model(BELIEFS), make_table(("sure", "a")))
    assert not any(name.startswith("oos") for name in evaluation.figures)
    assert "no row is labelled 'oos'" in evaluation.notices[-1]


def test_only_out_of_scope_rows(make_model: MakeModel, make_table: MakeTable) -> None:
    evaluation = evaluate(make_model(BELIEFS), make_table(("lost", "oos"), ("fooled", "oos")))
    assert set(evaluation.figures) - {"seconds", "ms_per_record_p50", "ms_per_record_p99"} == {
        "n",
        "oos_recall",
        "act_rate",
        "act_error",
        "oos_act_rate",
    }
    assert evaluation.figures["act_error"] == 1


def test_a_label_never_trained_on_counts_as_wrong_and_is_named(make_model: MakeModel, make_table: MakeTable) -> None:
    table = make_table(("sure", "a"), ("fooled", "new"), ("torn", "new"), ("torn", "newer"), notices=("read as is",))
    evaluation = evaluate(make_model(BELIEFS), table)
    assert evaluation.figures["accuracy"] == 1 / 4
    assert evaluation.figures["nll"] == pytest.approx(-np.log(0.9))  # only where there is a probability to judge
    assert evaluation.outcomes.labels == ("a", "b", "c", "new", "newer")
    assert evaluation.notices[0] == "read as is"
    assert "never trained on count as wrong (rows): 'new' (2), 'newer' (1)." in evaluation.notices[1]


def test_no_known_label_is_refused(make_model: MakeModel, make_table: MakeTable) -> None:
    table = make_table(*(("sure", label) for label in ("A", "x1", "x2", "x3")), ("lost", "oos"))
    with pytest.raises(DataError) as error:
        evaluate(make_model(BELIEFS), table)
    assert str(error.value) == (
        "test.csv: the model was trained on none of its labels. The file has 'A', 'x1', 'x2' and 1 more; the model "
        "knows 'a', 'b', 'c'. Did you mean 'a'? Use a test file of the same task, or name another column with --label."
    )


def test_no_label_at_all_is_refused(make_model: MakeModel, make_table: MakeTable) -> None:
    with pytest.raises(DataError, match=r"^test.csv: no row has a label.* --label\.$"):
        evaluate(make_model(BELIEFS), make_table(("sure", None)))


def test_labels_of_another_kind_are_refused(make_model: MakeModel, make_table: MakeTable) -> None:
    with pytest.raises(DataError, match="'several', but 'choice' is expected of 'intent'"):
        evaluate(make_model(BELIEFS), make_table(("sure", ("a", "b")), kind="several"))


def test_rows_without_a_label_are_passed_over(make_model: MakeModel, make_table: MakeTable) -> None:
    evaluation = evaluate(make_model(BELIEFS), make_table(("sure", "a"), ("torn", None)))
    assert [record.text for record in evaluation.records] == ["sure"]


def test_several_labels(make_model: MakeModel, make_table: MakeTable) -> None:
    model = make_model(
        {
            "both": ((0.9, 0.8, 0.1), 0.9),
            "too few": ((0.1, 0.9, 0.1), 0.9),
            "none": ((0.1, 0.1, 0.1), 0.9),
            "strange": ((0.9, 0.1, 0.1), 0.0),
        },
        kind="several",
    )
    table = make_table(
        ("both", ("b", "a")), ("too few", ("b", "c")), ("none", ()), ("strange", ("oos",)), kind="several"
    )
    figures = evaluate(model, table).figures
    assert figures["accuracy"] == 2 / 3
    assert figures["micro_f1"] == pytest.approx(2 * 3 / (4 + 3))
    assert figures["macro_f1"] == pytest.approx((1 + 1 + 0) / 3)
    assert figures["oos_recall"] == 1
    assert not {"ece", "nll", "set_coverage", "set_size"} & set(figures)


def test_progress_goes_to_the_end(make_model: MakeModel, make_table: MakeTable) -> None:
    steps: list[tuple[int, int]] = []
    evaluate(
        make_model(BELIEFS),
        make_table(*[("sure", "a")] * 1500),
        progress=lambda done, rows: steps.append((done, rows)),
    )
    assert steps[:3] == [(1024, 1700), (1500, 1700), (1501, 1700)]
    assert steps[-1] == (1700, 1700)
