"""The kernel head against plainer formulas, and on rows that give it little."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from huiyi.align import KernelConfig, KernelHead

AT_ONCE = 100_000


def rows(n: int, k: int, d: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows in k overlapping heaps."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(k, size=n)
    centres = np.random.default_rng(99).normal(size=(k, d))
    signal = (centres[groups] + rng.normal(size=(n, d))).astype(np.float32)
    return signal, np.eye(k, dtype=np.float32)[groups], groups


def unit(signal: np.ndarray) -> np.ndarray:
    return signal / np.linalg.norm(signal, axis=1, keepdims=True)


def really_left_out(unit_rows: np.ndarray, targets: np.ndarray, config: KernelConfig) -> np.ndarray:
    """Ridge regression without each row in turn, on the deviations from the share of each label."""
    kernel = np.exp(config.sharpness * (unit_rows @ unit_rows.T - 1))
    wanted = targets - targets.mean(axis=0)
    told = np.empty_like(wanted)
    for i in range(len(wanted)):
        rest = np.delete(np.arange(len(wanted)), i)
        ridged = kernel[np.ix_(rest, rest)] + config.noise * np.eye(len(rest))
        told[i] = kernel[i, rest] @ np.linalg.solve(ridged, wanted[rest])
    return told


@pytest.mark.parametrize(("n", "k"), [(2, 2), (30, 3), (90, 30)])
def test_leave_one_out_of_sparse_rows(n: int, k: int) -> None:
    signal, targets, groups = rows(n, k)
    sparse = unit(np.where(signal > 0, signal, 0) + 1e-3).astype(np.float32)
    config = KernelConfig(largest_block=AT_ONCE, fewest_rows=0)
    told = KernelHead(config).fit(csr_array(sparse), targets, groups)
    np.testing.assert_allclose(told.labels, really_left_out(sparse.astype(float), targets, config), atol=1e-3)
    similar = sparse @ sparse.T - 2 * np.eye(n)
    np.testing.assert_allclose(told.nearest, similar.max(axis=1), atol=1e-3)


@pytest.mark.parametrize(("n", "k"), [(30, 3), (90, 30)])
def test_leave_one_out_of_dense_rows(n: int, k: int) -> None:
    signal, targets, groups = rows(n, k)
    config = KernelConfig(roundness=1.0, largest_block=AT_ONCE, fewest_rows=0)
    told = KernelHead(config).fit(signal, targets, groups)
    scaled = unit((signal - signal.mean(axis=0)) / signal.std(axis=0))
    np.testing.assert_allclose(told.labels, really_left_out(scaled.astype(float), targets, config), atol=1e-3)


def test_held_out_scores_of_few_rows_do_not_know_the_own_label() -> None:
    signal, targets, groups = rows(40, 3)
    told = KernelHead().fit(signal, targets, groups)
    for i in (0, 17, 39):
        other = targets.copy()
        other[i] = np.roll(other[i], 1)
        np.testing.assert_array_equal(KernelHead().fit(signal, other, groups).labels[i], told.labels[i])


@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("fewest_rows", [0, 3_000])
def test_blocks_agree_roughly_with_all_at_once(form: type, fewest_rows: int) -> None:
    signal, targets, groups = rows(240, 3)
    new = form(unit(rows(100, 3, seed=1)[0]))
    whole = KernelHead(KernelConfig(fewest_rows=fewest_rows))
    blocks = KernelHead(KernelConfig(largest_block=100, fewest_rows=fewest_rows))
    told = [head.fit(form(unit(signal)), targets, groups).labels for head in (whole, blocks)]
    scored = [head.score(new).labels for head in (whole, blocks)]
    for left, right in (told, scored):
        assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.95
        assert (left.argmax(axis=1) == right.argmax(axis=1)).mean() > 0.9


def test_held_out_scores_of_blocks_are_those_of_the_blocks() -> None:
    """With two blocks: the mean of the own block without the row, and of the other block as it is."""
    signal, targets, groups = rows(20, 2)
    sparse = unit(np.abs(signal))
    config = KernelConfig(largest_block=10, fewest_rows=0)
    told = KernelHead(config).fit(csr_array(sparse), targets, groups).labels
    order = np.argsort(groups, kind="stable")
    kernel = np.exp(config.sharpness * (sparse @ sparse.T - 1)).astype(float)
    wanted = targets - targets.mean(axis=0)
    for i in range(20):
        means = []
        for block in (order[0::2], order[1::2]):
            used = block[block != i]
            ridged = kernel[np.ix_(used, used)] + config.noise * np.eye(len(used))
            means.append(kernel[i, used] @ np.linalg.solve(ridged, wanted[used]))
        np.testing.assert_allclose(told[i], np.mean(means, axis=0), atol=1e-3)


def test_duplicate_rows() -> None:
    signal, targets, groups = rows(10, 2)
    signal, targets, groups = (np.concatenate([part] * 3) for part in (signal, targets, groups))
    told = KernelHead(KernelConfig(fewest_rows=0)).fit(signal, targets, groups)
    np.testing.assert_allclose(told.nearest, 1, atol=1e-5)
    assert (told.labels.argmax(axis=1) == groups).all()


def test_one_row_a_class() -> None:
    signal, groups = np.random.default_rng(0).normal(size=(6, 50)).astype(np.float32), np.arange(6)
    head = KernelHead()
    told = head.fit(signal, np.eye(6, dtype=np.float32), groups)
    assert np.isfinite(told.labels).all()
    assert (head.score(signal + 0.01).labels.argmax(axis=1) == groups).all()


def test_two_rows() -> None:
    signal = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 3.0]], dtype=np.float32)
    head = KernelHead()
    told = head.fit(signal, np.eye(2, dtype=np.float32), np.arange(2))
    assert np.isfinite(told.labels).all()
    assert head.score(np.array([[0.9, 0.1, 3.0]], dtype=np.float32)).labels.argmax() == 0


def test_constant_columns_say_nothing() -> None:
    signal, targets, groups = rows(60, 3)
    new = rows(20, 3, seed=1)[0]
    constant = np.full((60, 4), 0.3, dtype=np.float32)
    plain, wide = KernelHead(), KernelHead()
    plain.fit(signal, targets, groups)
    wide.fit(np.hstack([signal, constant]), targets, groups)
    np.testing.assert_allclose(wide.score(np.hstack([new, constant[:20]])).labels, plain.score(new).labels, atol=0.02)


def test_sparse_rows_of_nothing() -> None:
    signal, targets, groups = rows(12, 2)
    sparse = unit(np.abs(signal))
    sparse[3] = 0
    head = KernelHead()
    told = head.fit(csr_array(sparse), targets, groups)
    nothing = head.score(csr_array(np.zeros((2, 10), dtype=np.float32)))
    assert np.isfinite(told.labels).all()
    np.testing.assert_allclose(nothing.nearest, 0, atol=1e-6)
    np.testing.assert_array_equal(*nothing.labels)


@pytest.mark.parametrize("outside_group", [-1, 3])
def test_rows_out_of_scope_teach_what_is_no_label(outside_group: int) -> None:
    signal, targets, groups = rows(60, 3)
    strange = signal[:20] + 8
    head = KernelHead()
    told = head.fit(
        np.vstack([signal, strange]),
        np.vstack([targets, np.zeros((20, 3), dtype=np.float32)]),
        np.append(groups, np.full(20, outside_group)),
    )
    assert told.labels[60:].max(axis=1).mean() < told.labels[:60].max(axis=1).mean() - 0.2


def test_wide_signals_are_narrowed() -> None:
    signal, targets, groups = rows(120, 3, d=60)
    narrow, full = KernelHead(KernelConfig(width=40)), KernelHead()
    told = [head.fit(signal, targets, groups).labels for head in (narrow, full)]
    arrays, _ = narrow.to_arrays()
    assert arrays["rows"].shape == (120, 40)
    assert (told[0].argmax(axis=1) == told[1].argmax(axis=1)).mean() > 0.9
