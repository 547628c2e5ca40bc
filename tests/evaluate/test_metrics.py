"""Each figure against scikit-learn or a second, plainer formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, log_loss, recall_score, roc_auc_score

from huiyi.evaluate import metrics
from huiyi.evaluate.metrics import Share

EMPTY = np.zeros(0)
NONE = np.zeros(0, dtype=bool)

levels = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])  # few, so that ties are common


@st.composite
def scored(draw: st.DrawFn, values: st.SearchStrategy[float] = levels) -> tuple[Any, Any]:
    """A float and a boolean for each of some rows."""
    rows = draw(st.lists(st.tuples(values, st.booleans()), min_size=1, max_size=60))
    return np.array([value for value, _ in rows]), np.array([flag for _, flag in rows])


@st.composite
def marked(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two boolean matrices of one shape: the truth and what was said."""
    shape = draw(st.tuples(st.integers(1, 20), st.integers(1, 5)))
    return draw(arrays.arrays(bool, shape)), draw(arrays.arrays(bool, shape))


def flags(n: int) -> st.SearchStrategy[Any]:
    return arrays.arrays(bool, n)


@given(marked())
def test_label_figures_agree_with_scikit_learn(pair: tuple[Any, Any]) -> None:
    truth, said = pair
    share = metrics.accuracy(truth, said)
    assert share is not None
    assert share.value == pytest.approx(accuracy_score(truth, said))
    occurring = np.flatnonzero(truth.any(axis=0) | said.any(axis=0))
    if not occurring.size:
        assert metrics.macro_f1(truth, said) is None
        assert metrics.micro_f1(truth, said) is None
        return
    # One column would be taken for a binary problem, so an empty one is put beside it.
    truth2, said2 = (np.column_stack([matrix, np.zeros(len(matrix), dtype=bool)]) for matrix in (truth, said))
    for mean in ("macro", "micro"):
        expected = f1_score(truth2, said2, labels=occurring, average=mean, zero_division=0)
        assert getattr(metrics, f"{mean}_f1")(truth, said) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_micro_f1_of_one_label_a_row_is_the_accuracy(rows: list[tuple[int, int]]) -> None:
    truth, said = (np.eye(4, dtype=bool)[list(column)] for column in zip(*rows, strict=True))
    share = metrics.accuracy(truth, said)
    assert share is not None
    assert metrics.micro_f1(truth, said) == pytest.approx(share.value)


def test_a_label_never_said_has_no_precision_and_zero_f1() -> None:
    counts = metrics.count_labels(np.array([[True, False], [True, False]]), np.array([[False, True], [True, False]]))
    assert counts.precision.tolist() == [1.0, 0.0]
    assert counts.recall.tolist() == [0.5, 0.0]
    assert counts.f1.round(3).tolist() == [0.667, 0.0]


@given(scored(st.floats(0, 1)), st.integers(1, 20))
def test_ece_is_the_weighted_gap_of_its_bins(rows: tuple[Any, Any], bins: int) -> None:
    confidence, correct = rows
    confidence, first = np.unique(confidence, return_index=True)  # the plain formula knows no ties
    correct = correct[first]
    n, gap, start = len(confidence), 0.0, 0
    for i in range(bins):
        size = n // bins + (i < n % bins)
        if size:
            chosen = slice(start, start + size)
            gap += size / n * abs(sum(confidence[chosen]) / size - sum(correct[chosen]) / size)
        start += size
    assert metrics.expected_calibration_error(confidence, correct, bins=bins) == pytest.approx(gap)


@given(scored(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: tuple[Any, Any], random: Any) -> None:
    order = list(range(len(rows[0])))
    random.shuffle(order)
    shuffled = tuple(column[order] for column in rows)
    ece = metrics.expected_calibration_error(*rows, bins=4)
    assert metrics.expected_calibration_error(*shuffled, bins=4) == pytest.approx(ece)
    assert metrics.oos_auroc(*shuffled) == metrics.oos_auroc(*rows)
    assert metrics.oos_aupr(*shuffled) == metrics.oos_aupr(*rows)
    assert (metrics.risk_coverage(*shuffled).risk == metrics.risk_coverage(*rows).risk).all()


def test_perfect_and_hopeless_calibration() -> None:
    assert metrics.expected_calibration_error(np.ones(20), np.ones(20, dtype=bool)) == 0
    assert metrics.expected_calibration_error(np.ones(20), np.zeros(20, dtype=bool)) == 1


@given(
    arrays.arrays(np.float64, (6, 3), elements=st.floats(0.01, 1)), st.lists(st.integers(0, 2), min_size=6, max_size=6)
)
def test_nll_agrees_with_scikit_learn(weights: Any, labels: list[int]) -> None:
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    truth = np.eye(3, dtype=bool)[labels]
    assert metrics.nll(probabilities, truth) == pytest.approx(log_loss(labels, probabilities, labels=[0, 1, 2]))


def test_a_certain_mistake_has_a_finite_nll() -> None:
    assert metrics.nll(np.array([[1.0, 0.0]]), np.array([[False, True]])) == pytest.approx(36.04, abs=0.01)


@given(scored())
def test_scope_figures_agree_with_scikit_learn(rows: tuple[Any, Any]) -> None:
    in_scope, is_oos = rows
    if is_oos.all() or not is_oos.any():
        assert metrics.oos_auroc(in_scope, is_oos) is None
        assert metrics.oos_aupr(in_scope, is_oos) is None
        return
    assert metrics.oos_auroc(in_scope, is_oos) == pytest.approx(roc_auc_score(is_oos, -in_scope))
    assert metrics.oos_aupr(in_scope, is_oos) == pytest.approx(average_precision_score(is_oos, -in_scope))


@given(st.integers(2, 30).flatmap(lambda n: st.tuples(flags(n), flags(n))))
def test_the_operating_point_agrees_with_scikit_learn(rows: tuple[Any, Any]) -> None:
    called, is_oos = rows
    share = metrics.oos_recall(called, is_oos)
    assert (share is None) == (not is_oos.any())
    if share:
        assert share.value == pytest.approx(recall_score(is_oos, called))
    if is_oos.any() and not is_oos.all():
        assert metrics.oos_f1(called, is_oos) == pytest.approx(f1_score(is_oos, called))
    else:
        assert metrics.oos_f1(called, is_oos) is None


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(flags(n), flags(n), flags(n))))
def test_act_figures_count_row_by_row(rows: tuple[Any, Any, Any]) -> None:
    acted, correct, is_oos = rows
    listed = list(zip(acted, correct, is_oos, strict=True))
    wrong_in_scope = sum(a and not c and not o for a, c, o in listed)
    acts_in_scope = sum(a and not o for a, _, o in listed)
    oos_acts = sum(a and o for a, _, o in listed)
    acts = acts_in_scope + oos_acts

    assert metrics.act_rate(acted) == Share(acts, len(listed))
    assert metrics.act_error(acted, correct, is_oos) == (Share(wrong_in_scope + oos_acts, acts) if acts else None)
    in_scope = metrics.act_error_in_scope(acted, correct, is_oos)
    assert in_scope == (Share(wrong_in_scope, acts_in_scope) if acts_in_scope else None)
    assert metrics.oos_act_rate(acted, is_oos) == (Share(oos_acts, int(is_oos.sum())) if is_oos.any() else None)


@given(scored())
def test_risk_coverage_is_the_error_of_each_threshold(rows: tuple[Any, Any]) -> None:
    confidence, correct = rows
    curve = metrics.risk_coverage(confidence, correct)
    for threshold, coverage, risk in zip(
        sorted(set(confidence), reverse=True), curve.coverage, curve.risk, strict=True
    ):
        acted = [right for sure, right in zip(confidence, correct, strict=True) if sure >= threshold]
        assert coverage == pytest.approx(len(acted) / len(confidence))
        assert risk == pytest.approx(1 - sum(acted) / len(acted))


@given(marked())
def test_sets_are_counted_row_by_row(pair: tuple[Any, Any]) -> None:
    truth, candidates = pair
    hits = sum(any(t and c for t, c in zip(*row, strict=True)) for row in zip(truth, candidates, strict=True))
    assert metrics.set_coverage(truth, candidates) == Share(hits, len(truth))
    assert metrics.set_size(candidates) == pytest.approx(sum(map(sum, candidates)) / len(candidates))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_agrees_with_scipy(share: tuple[int, int]) -> None:
    expected = binomtest(*share).proportion_ci(0.95, method="wilson")
    low, high = metrics.wilson_interval(*share)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= low <= share[0] / share[1] + 1e-9
    assert share[0] / share[1] - 1e-9 <= high <= 1


def test_no_rows_give_no_figure() -> None:
    no_matrix = np.zeros((0, 3), dtype=bool)
    assert metrics.accuracy(no_matrix, no_matrix) is None
    assert metrics.macro_f1(no_matrix, no_matrix) is None
    assert metrics.micro_f1(no_matrix, no_matrix) is None
    assert metrics.expected_calibration_error(EMPTY, NONE) is None
    assert metrics.nll(np.zeros((0, 3)), no_matrix) is None
    assert metrics.set_coverage(no_matrix, no_matrix) is None
    assert metrics.set_size(no_matrix) is None
    assert metrics.act_rate(NONE) is None
    assert metrics.risk_coverage(EMPTY, NONE).risk.size == 0
