"""What every head must hold."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from huiyi.align import HEADS, KernelHead, LogisticHead, PrototypesHead, SvmHead

K = 4


def rows(n: int, seed: int = 0, k: int = K) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows in k heaps: signal (n, 12), targets (n, k), groups (n,)."""
    rng = np.random.default_rng(seed)
    groups = np.arange(n) % k
    centres = np.random.default_rng(99).normal(size=(k, 12))
    signal = np.abs(centres[groups] + 0.5 * rng.normal(size=(n, 12))).astype(np.float32)
    return signal, np.eye(k, dtype=np.float32)[groups], groups


def as_sparse(signal: np.ndarray) -> csr_array:
    kept = np.where(signal > 0.4, signal, 0)
    return csr_array(kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-6))


def as_dense(signal: np.ndarray) -> np.ndarray:
    return signal.copy()


FORMS = {"kernel": as_dense, "logistic": as_dense, "svm": as_sparse}
"""The form of signal that each head takes."""


def test_every_head_has_a_case() -> None:
    assert set(FORMS) | {"prototypes"} == set(HEADS)  # prototypes are learnt with their signal, outside


@pytest.fixture(params=sorted(FORMS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, True], ids=["choice", "several"])
def several(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def fitted(name: str, several: bool, signal: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> Any:
    head = HEADS[name](several=several)
    head.fit(FORMS[name](signal), targets, groups)
    return head


def numbers(signal: Any) -> np.ndarray:
    return signal.copy() if isinstance(signal, np.ndarray) else signal.toarray()


def test_learns_and_leaves_its_input_alone(name: str, several: bool) -> None:
    signal, targets, groups = rows(60)
    signal, new = FORMS[name](signal), FORMS[name](rows(40, seed=1)[0])
    before = [numbers(signal), targets.copy(), groups.copy(), numbers(new)]
    head = HEADS[name](several=several)
    head.fit(signal, targets, groups)
    told = head.score(new)
    for given, kept in zip([numbers(signal), targets, groups, numbers(new)], before, strict=True):
        np.testing.assert_array_equal(given, kept)
    assert (told.labels.shape, told.labels.dtype) == ((40, K), np.float32)
    assert (told.labels.argmax(axis=1) == np.arange(40) % K).mean() > 0.9


def test_several_labels_at_once(name: str) -> None:
    signal, _, groups = rows(80)
    pairs = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]], dtype=np.float32)
    told = fitted(name, True, signal, pairs[groups], groups).score(FORMS[name](rows(40, seed=1)[0])).labels
    right = pairs[np.arange(40) % K] > 0
    assert told[right].mean() > told[~right].mean() + 1
    for label in range(3):
        assert np.median(told[right[:, label], label]) > told[~right[:, label], label].max()


def test_each_row_stands_for_itself(name: str, several: bool) -> None:
    head = fitted(name, several, *rows(60))
    new = FORMS[name](rows(30, seed=1)[0])
    order = np.random.default_rng(0).permutation(30)
    together, shuffled = head.score(new), head.score(new[order])
    np.testing.assert_allclose(shuffled.labels, together.labels[order], atol=1e-5)
    for i in range(30):
        np.testing.assert_allclose(head.score(new[[i]]).labels[0], together.labels[i], atol=1e-5)


def test_the_order_of_training_rows_does_not_count(name: str, several: bool) -> None:
    signal, targets, groups = rows(60)
    new = FORMS[name](rows(30, seed=1)[0])
    order = np.random.default_rng(0).permutation(60)
    straight = fitted(name, several, signal, targets, groups)
    shuffled = fitted(name, several, signal[order], targets[order], groups[order])
    np.testing.assert_allclose(straight.score(new).labels, shuffled.score(new).labels, atol=5e-3)


def test_saving_and_loading_and_fitting_twice(name: str, several: bool) -> None:
    head, twin = (fitted(name, several, *rows(60)) for _ in range(2))
    loaded = HEADS[name]()
    loaded.from_arrays(*head.to_arrays())
    new = FORMS[name](rows(30, seed=1)[0])
    for other in (twin, loaded):
        arrays, config = other.to_arrays()
        assert config == head.to_arrays()[1]
        assert config["several"] is several
        for key, kept in head.to_arrays()[0].items():
            np.testing.assert_array_equal(arrays[key], kept)
        np.testing.assert_array_equal(other.score(new).labels, head.score(new).labels)


def test_only_logistic_regression_knows_the_nearest_row(name: str) -> None:
    signal, targets, groups = rows(20)
    head = fitted(name, False, signal, targets, groups)
    same, other = (head.score(FORMS[name](asked)).nearest for asked in (signal, rows(20, seed=1)[0]))
    if name != "logistic":
        assert same is None
        return
    assert same.dtype == np.float32
    np.testing.assert_allclose(same, 1, atol=1e-4)
    assert ((other >= 0) & (other < 0.999)).all()


def test_no_rows_to_score(name: str) -> None:
    head = fitted(name, False, *rows(20))
    assert head.score(FORMS[name](rows(20)[0])[:0]).labels.shape == (0, K)


@pytest.mark.parametrize("outside_group", [-1, K])
def test_rows_out_of_scope_teach_what_is_no_label(name: str, several: bool, outside_group: int) -> None:
    """The last of the heaps is out of scope: where it lies no label scores high any more."""
    signal, targets, groups = rows(100, k=K + 1)
    outside = groups == K
    targets = targets[:, :K]
    groups[outside] = outside_group
    told = fitted(name, several, signal, targets, groups).score(FORMS[name](signal)).labels.max(axis=1)
    unaware = fitted(name, several, signal[~outside], targets[~outside], groups[~outside])
    before = unaware.score(FORMS[name](signal)).labels.max(axis=1)
    assert np.median(told[outside]) < np.median(told[~outside]) - 0.5
    assert np.median(told[outside]) < np.median(before[outside]) - 0.2


def test_a_label_without_any_row_never_comes_first(name: str, several: bool) -> None:
    signal, targets, groups = rows(60)
    wide = np.insert(targets, 2, 0, axis=1)
    told = fitted(name, several, signal, wide, groups).score(FORMS[name](rows(40, seed=1)[0])).labels
    assert np.isfinite(told).all()
    assert (told.argmax(axis=1) != 2).all()
    right = np.array([0, 1, 3, 4])[np.arange(40) % K]
    assert (told.argmax(axis=1) == right).mean() > 0.9


def test_only_one_label_has_rows(name: str, several: bool) -> None:
    signal, _, _ = rows(20)
    targets = np.eye(3, dtype=np.float32)[np.ones(20, dtype=int)]
    told = fitted(name, several, signal, targets, np.ones(20, dtype=int)).score(FORMS[name](signal)).labels
    assert np.isfinite(told).all()
    assert (told[:, 1] >= told.max(axis=1)).all()


def test_two_labels(name: str, several: bool) -> None:
    signal, targets, groups = rows(40, k=2)
    told = fitted(name, several, signal, targets, groups).score(FORMS[name](rows(40, seed=1, k=2)[0])).labels
    assert (told.argmax(axis=1) == np.arange(40) % 2).mean() > 0.9


def test_one_row_a_label(name: str, several: bool) -> None:
    signal, targets, groups = rows(K)
    told = fitted(name, several, signal, targets, groups).score(FORMS[name](rows(K, seed=0)[0] + 0.01)).labels
    assert told.argmax(axis=1).tolist() == groups.tolist()


def test_heads_are_made_by_name() -> None:
    heads = {"kernel": KernelHead, "logistic": LogisticHead, "prototypes": PrototypesHead, "svm": SvmHead}
    assert heads == HEADS
