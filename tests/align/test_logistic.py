"""The logistic head against scikit-learn, and on rows drawn from its own model."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from huiyi.align import LogisticConfig, LogisticHead


def drawn(n: int, k: int, seed: int, d: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, d), and their log-odds (n, k): linear in the rows of unit length."""
    signal = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    weights = np.random.default_rng(99).normal(size=(d, k))
    return signal, 3 * signal / np.linalg.norm(signal, axis=1, keepdims=True) @ weights


def choice(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    signal, odds = drawn(n, k, seed)
    groups = (odds + np.random.default_rng(seed + 50).gumbel(size=odds.shape)).argmax(axis=1)
    return signal, np.eye(k, dtype=np.float32)[groups], groups


def several(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    signal, odds = drawn(n, k, seed)
    targets = np.random.default_rng(seed + 50).logistic(size=odds.shape) < odds - 1
    return signal, targets.astype(np.float32), np.zeros(n, dtype=int)


def prepared(signal: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Centred rows of unit length, and a column of ones for the bias, which is penalised like any weight."""
    centred = signal - known.mean(axis=0)
    return np.hstack([centred / np.linalg.norm(centred, axis=1, keepdims=True), np.ones((len(signal), 1))])


def log_odds(share: float) -> float:
    return float(np.log(share / (1 - share)))


def softmax(odds: np.ndarray) -> np.ndarray:
    shares = np.exp(odds - odds.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("ridge", [0.1, 10.0])
def test_choice_agrees_with_scikit_learn(ridge: float) -> None:
    signal, targets, groups = choice(200, 4, seed=0)
    new = drawn(50, 4, seed=1)[0]
    head = LogisticHead(config=LogisticConfig(ridge, steps=500))
    head.fit(signal, targets, groups)
    other = LogisticRegression(C=1 / ridge, fit_intercept=False, tol=1e-8, max_iter=5_000)
    other.fit(prepared(signal, signal), groups)
    np.testing.assert_allclose(softmax(head.score(new).labels), other.predict_proba(prepared(new, signal)), atol=2e-3)


def test_several_is_one_regression_a_label() -> None:
    signal, targets, groups = several(200, 3, seed=0)
    new = drawn(50, 3, seed=1)[0]
    head = LogisticHead(several=True, config=LogisticConfig(steps=500))
    head.fit(signal, targets, groups)
    told = head.score(new).labels + log_odds(targets.mean())
    for label in range(3):
        other = LogisticRegression(C=1 / head.config.ridge, fit_intercept=False, tol=1e-8, max_iter=5_000)
        other.fit(prepared(signal, signal), targets[:, label])
        np.testing.assert_allclose(told[:, label], other.decision_function(prepared(new, signal)), atol=0.02)


def test_rows_out_of_scope_are_a_class_of_their_own() -> None:
    signal, targets, groups = choice(200, 4, seed=0)
    new = drawn(50, 4, seed=1)[0]
    full, head = LogisticHead(), LogisticHead()
    full.fit(signal, targets, groups)
    head.fit(signal, targets[:, :3], groups)
    np.testing.assert_allclose(head.score(new).labels, full.score(new).labels[:, :3], atol=1e-4)


def test_the_steps_by_default_are_enough() -> None:
    signal, targets, groups = choice(500, 4, seed=0)
    new = drawn(50, 4, seed=1)[0]
    told = []
    for config in (LogisticConfig(), LogisticConfig(steps=1_000)):
        head = LogisticHead(config=config)
        head.fit(signal, targets, groups)
        told.append(softmax(head.score(new).labels))
    np.testing.assert_allclose(*told, atol=5e-3)


def test_choice_is_calibrated_on_fresh_rows() -> None:
    """Mean confidence and accuracy, of the fitted and of the fresh rows, each vary by sqrt(sum p(1-p)) / n."""
    n = 4_000
    head = LogisticHead()
    head.fit(*choice(n, 4, seed=0))
    fresh, _, truth = choice(n, 4, seed=1)
    probabilities = softmax(head.score(fresh).labels)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    assert abs(confidence.mean() - right.mean()) < 4 * np.sqrt(2 * (confidence * (1 - confidence)).mean() / n)
    assert 0.5 < right.mean() < 0.95


def test_several_is_calibrated_on_fresh_rows() -> None:
    n = 4_000
    head = LogisticHead(several=True)
    signal, targets, groups = several(n, 3, seed=0)
    head.fit(signal, targets, groups)
    fresh, truth, _ = several(n, 3, seed=1)
    probabilities = 1 / (1 + np.exp(-head.score(fresh).labels - log_odds(targets.mean())))
    for told, right in zip(probabilities.T, truth.T, strict=True):
        sure = told > 0.5
        for part in (sure, ~sure):
            spread = np.sqrt(2 * (told[part] * (1 - told[part])).mean() / part.sum())
            assert abs(told[part].mean() - right[part].mean()) < 4 * spread


def test_scale_and_shift_of_the_signal_do_not_matter() -> None:
    signal, targets, groups = choice(200, 4, seed=0)
    new = drawn(50, 4, seed=1)[0]
    plain, moved = LogisticHead(), LogisticHead()
    plain.fit(signal, targets, groups)
    moved.fit(8 * signal + 3, targets, groups)
    np.testing.assert_allclose(moved.score(8 * new + 3).labels, plain.score(new).labels, atol=0.02)


def test_rows_that_are_all_the_same_tell_the_shares() -> None:
    groups = np.array([0] * 30 + [1] * 10)
    head = LogisticHead()
    signal = np.full((40, 3), 0.5, dtype=np.float32)
    head.fit(signal, np.eye(2, dtype=np.float32)[groups], groups)
    np.testing.assert_allclose(softmax(head.score(signal[:1]).labels), [[0.75, 0.25]], atol=5e-3)


def test_a_strong_ridge_draws_scores_to_zero() -> None:
    signal, targets, groups = choice(200, 4, seed=0)
    told = []
    for ridge in (0.1, 1.0, 100.0):
        head = LogisticHead(config=LogisticConfig(ridge))
        head.fit(signal, targets, groups)
        told.append(np.abs(head.score(signal).labels).max())
    assert told[0] > 1.5 * told[1] > 3 * told[2]


def test_what_lies_beside_the_directions_of_the_rows_is_strange() -> None:
    rng = np.random.default_rng(0)
    rows = np.hstack([rng.normal(size=(200, 4)), 0.01 * rng.normal(size=(200, 4))]).astype(np.float32)
    head = LogisticHead(config=LogisticConfig(width=4))
    head.fit(rows, np.eye(2, dtype=np.float32)[np.arange(200) % 2], np.arange(200) % 2)
    beside = rows.copy()
    beside[:, 4:] += np.linalg.norm(rows, axis=1, keepdims=True) / 2  # as long as what lies along them
    known, strange = head.score(rows).nearest, head.score(beside).nearest
    assert known is not None and strange is not None
    assert known.min() > 0.99
    np.testing.assert_allclose(np.median(strange), np.sqrt(0.5), atol=0.02)
    assert strange.max() < known.min()
