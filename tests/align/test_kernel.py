"""The kernel head against plainer formulas, and on rows that give it little."""

import numpy as np
import pytest

from huiyi.align import KernelConfig, KernelHead


def rows(n: int, k: int, d: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows in k overlapping heaps."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(k, size=n)
    centres = np.random.default_rng(99).normal(size=(k, d))
    signal = (centres[groups] + rng.normal(size=(n, d))).astype(np.float32)
    return signal, np.eye(k, dtype=np.float32)[groups], groups


def unit(signal: np.ndarray) -> np.ndarray:
    return signal / np.linalg.norm(signal, axis=1, keepdims=True)


def fitted(
    signal: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    config: KernelConfig | None = None,
    *,
    several: bool = False,
) -> KernelHead:
    head = KernelHead(several=several, config=config)
    head.fit(signal, targets, groups)
    return head


def estimated(known: np.ndarray, targets: np.ndarray, new: np.ndarray, config: KernelConfig) -> np.ndarray:
    """Ridge regression on the deviations from the share of each label, with the shares added again."""
    share = targets.astype(float).mean(axis=0)
    ridged = np.exp(config.sharpness * (known @ known.T - 1)) + config.noise * np.eye(len(known))
    return np.exp(config.sharpness * (new @ known.T - 1)) @ np.linalg.solve(ridged, targets - share) + share


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(("n", "k"), [(2, 2), (30, 3), (90, 30)])
def test_logarithms_of_plain_ridge_regression(n: int, k: int, several: bool) -> None:
    signal, targets, groups = rows(n, k)
    new = rows(40, k, seed=1)[0]
    config = KernelConfig(roundness=1.0)
    told = fitted(signal, targets, groups, config, several=several).score(new)
    centre, scale = signal.mean(axis=0), signal.std(axis=0)
    known, asked = (unit((part - centre) / scale).astype(float) for part in (signal, new))
    estimate = estimated(known, targets, asked, config)
    share = targets.mean(axis=0) if several else targets.mean()
    expected = np.log((np.maximum(estimate, 0) + config.doubt) / (share + config.doubt))
    if several:
        expected -= np.log((np.maximum(1 - estimate, 0) + config.doubt) / (1 - share + config.doubt))
    np.testing.assert_allclose(told.labels, expected, atol=2e-3)


def test_each_block_answers_by_itself_and_the_mean_counts() -> None:
    signal, targets, groups = rows(20, 2)
    new = rows(15, 2, seed=1)[0]
    config = KernelConfig(roundness=1.0, largest_block=10)
    told = fitted(signal, targets, groups, config).score(new).labels
    centre, scale = signal.mean(axis=0), signal.std(axis=0)
    known, asked = (unit((part - centre) / scale).astype(float) for part in (signal, new))
    order, share = np.argsort(groups, kind="stable"), targets.astype(float).mean(axis=0)
    answers = []
    for block in (order[0::2], order[1::2]):
        kernel = np.exp(config.sharpness * (known[block] @ known[block].T - 1)) + config.noise * np.eye(10)
        solved = np.linalg.solve(kernel, targets[block] - share)
        answers.append(np.exp(config.sharpness * (asked @ known[block].T - 1)) @ solved + share)
    expected = np.log((np.maximum(np.mean(answers, axis=0), 0) + config.doubt) / (share.mean() + config.doubt))
    np.testing.assert_allclose(told, expected, atol=2e-3)


def test_blocks_agree_roughly_with_all_at_once() -> None:
    signal, targets, groups = rows(240, 3)
    new = rows(100, 3, seed=1)[0]
    whole, blocks = (
        fitted(signal, targets, groups, config).score(new).labels
        for config in (KernelConfig(), KernelConfig(largest_block=100))
    )
    assert np.corrcoef(whole.ravel(), blocks.ravel())[0, 1] > 0.9
    assert (whole.argmax(axis=1) == blocks.argmax(axis=1)).mean() > 0.9
    assert not np.allclose(whole, blocks, atol=1e-3)


def test_wide_spread_within_classes_counts_less() -> None:
    """A column that varies as much within each class as over all tells classes apart badly."""
    rng = np.random.default_rng(0)
    groups = np.arange(200) % 2
    noise = 3 * rng.normal(size=(200, 1)) @ np.ones((1, 6)) / np.sqrt(6)  # along one direction, the same in each class
    signal = (np.eye(6)[groups] + noise + 0.2 * rng.normal(size=(200, 6))).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[groups]
    new = (np.eye(6)[groups] + noise[::-1] + 0.2 * rng.normal(size=(200, 6))).astype(np.float32)
    right = {}
    for roundness in (0.1, 1.0):
        told = fitted(signal, targets, groups, KernelConfig(roundness=roundness)).score(new).labels
        right[roundness] = told[np.arange(200), groups] - told[np.arange(200), 1 - groups]
    assert np.median(right[0.1]) > np.median(right[1.0]) + 0.2


def test_duplicate_rows() -> None:
    signal, targets, groups = (np.concatenate([part] * 3) for part in rows(10, 2))
    told = fitted(signal, targets, groups).score(signal)
    assert (told.labels.argmax(axis=1) == groups).all()


def test_one_row_a_class() -> None:
    signal, groups = np.random.default_rng(0).normal(size=(6, 50)).astype(np.float32), np.arange(6)
    told = fitted(signal, np.eye(6, dtype=np.float32), groups).score(signal + 0.01).labels
    assert (told.argmax(axis=1) == groups).all()


def test_two_rows() -> None:
    signal = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 3.0]], dtype=np.float32)
    head = fitted(signal, np.eye(2, dtype=np.float32), np.arange(2))
    assert head.score(np.array([[0.9, 0.1, 3.0]], dtype=np.float32)).labels.argmax() == 0


def test_one_row() -> None:
    signal = np.array([[1.0, 0.0, 3.0]], dtype=np.float32)
    told = fitted(signal, np.array([[0, 1]], dtype=np.float32), np.array([1])).score(signal + 1)
    assert told.labels[0, 0] < 0 < told.labels[0, 1]  # the labels' shares say it all
    assert told.nearest is None


def test_constant_columns_say_nothing() -> None:
    signal, targets, groups = rows(60, 3)
    new = rows(20, 3, seed=1)[0]
    constant = np.full((60, 4), 0.3, dtype=np.float32)
    plain = fitted(signal, targets, groups).score(new).labels
    wide = fitted(np.hstack([signal, constant]), targets, groups).score(np.hstack([new, constant[:20]])).labels
    assert (plain.argmax(axis=1) == wide.argmax(axis=1)).all()
    assert np.abs(wide - plain).max() < 0.1 * np.abs(plain).max()


def test_wide_signals_are_narrowed() -> None:
    signal, targets, groups = rows(120, 3, d=60)
    narrow, full = (fitted(signal, targets, groups, config) for config in (KernelConfig(width=40), KernelConfig()))
    told = [head.score(signal).labels for head in (narrow, full)]
    assert narrow.to_arrays()[0]["rows"].shape == (120, 40)
    assert full.to_arrays()[0]["rows"].shape == (120, 60)
    assert (told[0].argmax(axis=1) == told[1].argmax(axis=1)).mean() > 0.9
