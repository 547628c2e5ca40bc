"""Principal directions, by whichever side is smaller."""

import numpy as np
import pytest

from huiyi.align.spread import spread


@pytest.mark.parametrize("shape", [(30, 8), (8, 30), (8, 8), (1, 5), (5, 1)])
def test_the_directions_are_those_of_the_singular_values(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    values, directions = spread(rows)
    np.testing.assert_allclose(np.sqrt(values), np.linalg.svd(rows)[1][::-1], rtol=1e-3)
    np.testing.assert_allclose(directions.T @ directions, np.eye(min(shape)), atol=1e-4)
    np.testing.assert_allclose(directions @ (values[:, None] * directions.T), rows.T @ rows, atol=1e-3)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_rows_that_do_not_differ_have_no_direction(shape: tuple[int, int]) -> None:
    values, directions = spread(np.zeros(shape, dtype=np.float32))
    assert values.shape == (0,)
    assert directions.shape == (shape[1], 0)


def test_directions_that_repeat_others_are_left_out() -> None:
    one = np.random.default_rng(0).normal(size=(20, 1)).astype(np.float32)
    assert len(spread(np.hstack([one, 2 * one, -one]))[0]) == 1
