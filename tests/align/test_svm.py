"""The head of support vector machines against scikit-learn, and on rows that give it little."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.svm import LinearSVC

from huiyi.align import SvmConfig, SvmHead

D = 60


def rows(n: int, k: int, seed: int = 0) -> tuple[csr_array, np.ndarray, np.ndarray]:
    """Rows of unit length in k heaps: each class has columns of its own, and all share the others."""
    rng = np.random.default_rng(seed)
    groups = np.arange(n) % k
    often = np.random.default_rng(99).random((k, D)) ** 4
    signal = (rng.random((n, D)) < 0.05 + 0.6 * often[groups]) * rng.uniform(0.5, 1, size=(n, D))
    signal /= np.maximum(np.linalg.norm(signal, axis=1, keepdims=True), 1e-6)
    return csr_array(signal.astype(np.float32)), np.eye(k, dtype=np.float32)[groups], groups


def fitted(
    signal: csr_array, targets: np.ndarray, groups: np.ndarray, *, several: bool = False, **options: float
) -> SvmHead:
    head = SvmHead(several=several, config=SvmConfig(**options))
    head.fit(signal, targets, groups)
    return head


def columns_used(head: SvmHead) -> np.ndarray:
    return np.flatnonzero(np.diff(head.to_arrays()[0]["indptr"]))


@pytest.mark.parametrize("penalty", [0.1, 1.0])
def test_each_label_against_the_rest(penalty: float) -> None:
    signal, targets, groups = rows(120, 4)
    new = rows(50, 4, seed=1)[0]
    told = fitted(signal, targets, groups, penalty=penalty, smallest_weight=0).score(new).labels
    other = LinearSVC(C=penalty, random_state=0, max_iter=10_000).fit(signal, groups)
    np.testing.assert_allclose(told, other.decision_function(new) - other.intercept_.mean(), atol=2e-3)


def test_two_labels_are_one_machine_and_its_contrary() -> None:
    signal, targets, groups = rows(60, 2)
    new = rows(50, 2, seed=1)[0]
    told = fitted(signal, targets, groups, smallest_weight=0).score(new).labels
    other = LinearSVC(random_state=0, max_iter=10_000).fit(signal, groups).decision_function(new)
    np.testing.assert_allclose(told, np.column_stack([-other, other]), atol=2e-3)


def test_several_is_one_machine_a_label() -> None:
    signal, _, groups = rows(120, 4)
    targets = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=np.float32)[groups]
    targets[:, 2] = 1  # holds of all
    new = rows(50, 4, seed=1)[0]
    told = fitted(signal, targets, groups, several=True, smallest_weight=0).score(new).labels
    others = [LinearSVC(random_state=0, max_iter=10_000).fit(signal, targets[:, label]) for label in range(2)]
    shift = (sum(float(other.intercept_[0]) for other in others) + 1) / 3
    for label, other in enumerate(others):
        np.testing.assert_allclose(told[:, label], other.decision_function(new) - shift, atol=2e-3)
    np.testing.assert_allclose(told[:, 2], 1 - shift, atol=2e-3)


def test_rows_out_of_scope_are_a_class_of_their_own() -> None:
    signal, targets, groups = rows(120, 4)
    new = rows(50, 4, seed=1)[0]
    told = fitted(signal, targets[:, :3], groups).score(new).labels
    expected = fitted(signal, targets, groups).score(new).labels[:, :3]
    np.testing.assert_allclose(told - told[:, :1], expected - expected[:, :1], atol=2e-3)


@pytest.mark.parametrize("several", [False, True])
def test_all_rows_of_one_class(several: bool) -> None:
    signal, _, groups = rows(20, 2)
    targets = np.tile(np.array([[0, 1, 0]], dtype=np.float32), (20, 1))
    told = fitted(signal, targets, np.ones_like(groups), several=several).score(signal).labels
    np.testing.assert_allclose(told, np.tile([-2 / 3, 4 / 3, -2 / 3], (20, 1)), atol=1e-6)


@pytest.mark.parametrize("several", [False, True])
def test_all_rows_out_of_scope(several: bool) -> None:
    signal, targets, groups = rows(20, 2)
    assert (fitted(signal, 0 * targets, groups, several=several).score(signal).labels == 0).all()


def test_a_label_without_a_row_never_holds() -> None:
    signal, targets, groups = rows(40, 2)
    told = fitted(signal, np.insert(targets, 1, 0, axis=1), groups).score(signal).labels
    expected = fitted(signal, targets, groups).score(signal).labels
    assert (told[:, 1] < told.max(axis=1)).all()
    np.testing.assert_allclose(told[:, 2] - told[:, 0], expected[:, 1] - expected[:, 0], atol=1e-6)


def test_of_a_large_table_the_most_frequent_columns_are_used() -> None:
    signal, targets, groups = rows(120, 4)
    kept = 10
    head = fitted(signal, targets, groups, largest_table=4 * kept + 3, smallest_weight=0)
    occurs = (signal.toarray() > 0).sum(axis=0)
    most = np.sort(np.argsort(-occurs, kind="stable")[:kept])
    assert columns_used(head).tolist() == most.tolist()
    blind = signal.toarray()
    blind[:, np.setdiff1d(np.arange(D), most)] = 0
    np.testing.assert_allclose(head.score(signal).labels, head.score(csr_array(blind)).labels, atol=1e-6)
    other = LinearSVC(random_state=0, max_iter=10_000).fit(signal[:, most], groups)
    expected = other.decision_function(signal[:, most]) - other.intercept_.mean()
    np.testing.assert_allclose(head.score(signal).labels, expected, atol=2e-3)


def test_one_column_is_kept_of_the_smallest_table() -> None:
    signal, targets, groups = rows(40, 4)
    assert len(columns_used(fitted(signal, targets, groups, largest_table=1))) == 1


def test_a_table_that_fits_keeps_its_columns() -> None:
    signal, targets, groups = rows(120, 4)
    exact = fitted(signal, targets, groups, largest_table=4 * D)
    np.testing.assert_array_equal(exact.score(signal).labels, fitted(signal, targets, groups).score(signal).labels)
    assert len(columns_used(exact)) > D // 2


def test_small_weights_are_left_out() -> None:
    signal, targets, groups = rows(120, 4)
    full, pruned = (fitted(signal, targets, groups, smallest_weight=small) for small in (0, 0.1))
    all_weights, large = (np.abs(head.to_arrays()[0]["data"]) for head in (full, pruned))
    assert large.min() >= 0.1 > all_weights.min()
    assert len(large) == (all_weights >= 0.1).sum()
    most = np.sqrt(D) * 0.1  # rows have unit length, and no more than D weights below 0.1 are gone
    assert 0 < np.abs(full.score(signal).labels - pruned.score(signal).labels).max() < most


def test_rows_of_nothing_get_the_bias_which_is_zero_on_average() -> None:
    signal, targets, groups = rows(40, 4)
    head = fitted(signal, targets, groups)
    told = head.score(csr_array(np.zeros((2, D), dtype=np.float32))).labels
    np.testing.assert_array_equal(told, np.tile(head.to_arrays()[0]["bias"], (2, 1)))
    np.testing.assert_allclose(told.mean(axis=1), 0, atol=1e-6)


def test_many_rows_are_scored_in_parts() -> None:
    signal, targets, groups = rows(2_100, 4)
    head = fitted(signal, targets, groups)
    last = head.score(signal[2_040:]).labels
    np.testing.assert_allclose(head.score(signal).labels[2_040:], last, atol=1e-6)
