"""What every head must hold."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from huiyi.align import HEADS, KernelHead

K = 4


def rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows in K heaps: signal (n, 12), targets (n, K), groups (n,)."""
    rng = np.random.default_rng(seed)
    groups = np.arange(n) % K
    centres = np.random.default_rng(99).normal(size=(K, 12))
    signal = np.abs(centres[groups] + 0.5 * rng.normal(size=(n, 12))).astype(np.float32)
    return signal, np.eye(K, dtype=np.float32)[groups], groups


def as_sparse(signal: np.ndarray) -> csr_array:
    kept = np.where(signal > 0.4, signal, 0)
    return csr_array(kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-6))


def as_dense(signal: np.ndarray) -> np.ndarray:
    return signal.copy()


CASES = {"kernel": (as_dense, as_sparse)}
"""The forms of signal that each head takes."""


def test_every_head_has_a_case() -> None:
    assert set(CASES) == set(HEADS)


@pytest.fixture(params=[(name, form) for name, forms in CASES.items() for form in forms], ids=lambda p: p[1].__name__)
def case(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    name, form = request.param
    return HEADS[name], form


def numbers(signal: Any) -> np.ndarray:
    return signal.copy() if isinstance(signal, np.ndarray) else signal.toarray()


def test_learns_and_leaves_its_input_alone(case: tuple[Any, Any]) -> None:
    make, form = case
    signal, targets, groups = rows(60)
    signal, new = form(signal), form(rows(40, seed=1)[0])
    before = [numbers(signal), targets.copy(), groups.copy(), numbers(new)]
    head = make()
    held_out = head.fit(signal, targets, groups)
    scores = head.score(new)
    for given, kept in zip([numbers(signal), targets, groups, numbers(new)], before, strict=True):
        np.testing.assert_array_equal(given, kept)
    assert (held_out.labels.argmax(axis=1) == groups).mean() > 0.9
    assert (scores.labels.argmax(axis=1) == np.arange(40) % K).mean() > 0.9
    for told in (held_out, scores):
        assert told.labels.dtype == told.nearest.dtype == np.float32
        assert ((told.nearest >= 0) & (told.nearest <= 1)).all()


def test_each_row_stands_for_itself(case: tuple[Any, Any]) -> None:
    make, form = case
    signal, targets, groups = rows(60)
    head = make()
    head.fit(form(signal), targets, groups)
    new = form(rows(30, seed=1)[0])
    order = np.random.default_rng(0).permutation(30)
    together, shuffled = head.score(new), head.score(new[order])
    np.testing.assert_allclose(shuffled.labels, together.labels[order], atol=1e-5)
    for i in range(30):
        alone = head.score(new[[i]])
        np.testing.assert_allclose(alone.labels[0], together.labels[i], atol=1e-5)
        np.testing.assert_allclose(alone.nearest[0], together.nearest[i], atol=1e-5)


def test_the_order_of_training_rows_does_not_count(case: tuple[Any, Any]) -> None:
    make, form = case
    signal, targets, groups = rows(60)
    signal, new = form(signal), form(rows(30, seed=1)[0])
    order = np.random.default_rng(0).permutation(60)
    straight, shuffled = make(), make()
    straight.fit(signal, targets, groups)
    shuffled.fit(signal[order], targets[order], groups[order])
    np.testing.assert_allclose(straight.score(new).labels, shuffled.score(new).labels, atol=1e-4)


def test_saving_and_loading_and_fitting_twice(case: tuple[Any, Any]) -> None:
    make, form = case
    signal, targets, groups = rows(60)
    head, twin, loaded = make(), make(), make()
    told, again = head.fit(form(signal), targets, groups), twin.fit(form(signal), targets, groups)
    loaded.from_arrays(*head.to_arrays())
    new = form(rows(30, seed=1)[0])
    np.testing.assert_array_equal(told.labels, again.labels)
    for other in (twin, loaded):
        np.testing.assert_array_equal(other.score(new).labels, head.score(new).labels)
        np.testing.assert_array_equal(other.score(new).nearest, head.score(new).nearest)


def test_the_same_row_is_nearest(case: tuple[Any, Any]) -> None:
    make, form = case
    signal, targets, groups = rows(20)
    head = make()
    head.fit(form(signal), targets, groups)
    np.testing.assert_allclose(head.score(form(signal)).nearest, 1, atol=1e-4)


def test_heads_are_made_by_name() -> None:
    assert isinstance(HEADS["kernel"](), KernelHead)
