from __future__ import annotations

import numpy as np

from huiyi.cause.covariates import Design
from huiyi.cause.nearest import Nearest


def texts(rows: np.ndarray, kinds: list[str] | None = None) -> Design:
    kinds = kinds or ["vector"] * rows.shape[1]
    return Design(rows, np.array(kinds), ("text",) * rows.shape[1])


def test_each_row_is_told_by_texts_that_point_the_same_way() -> None:
    rng = np.random.default_rng(0)
    subject = rng.integers(3, size=600)
    rows = 3 * np.eye(3)[subject] + 0.1 * rng.normal(size=(600, 3))
    left = np.array([-0.3, 0.0, 0.3])[subject] + 0.1 * rng.normal(size=600)
    nearest = Nearest(rng)
    nearest.fit(texts(rows), np.column_stack([left, -left]))
    told = nearest.of(texts(7 * np.eye(3)))  # longer vectors, same ways
    np.testing.assert_allclose(told[:, 0], [-0.3, 0.0, 0.3], atol=0.05)
    np.testing.assert_allclose(told[:, 1], -told[:, 0])


def test_the_liker_a_text_the_more_it_says() -> None:
    angles = np.array([0.0, 0.5])
    nearest = Nearest(np.random.default_rng(0))
    nearest.fit(texts(np.column_stack([np.cos(angles), np.sin(angles)])), np.array([[0.0], [1.0]]))
    here = np.array([0.05, 0.2, 0.3, 0.45])
    told = nearest.of(texts(np.column_stack([np.cos(here), np.sin(here)])))[:, 0]
    assert (np.diff(told) > 0).all() and told[0] < 0.2 and told[-1] > 0.8


def test_numbers_beside_texts_do_not_make_them_alike() -> None:
    rows = np.array([[1.0, 0.0, 9.0], [0.0, 1.0, 0.0]])
    nearest = Nearest(np.random.default_rng(0))
    nearest.fit(texts(rows, ["vector", "vector", "number"]), np.array([[1.0], [-1.0]]))
    assert nearest.of(texts(np.array([[0.0, 1.0, 9.0]]), ["vector", "vector", "number"]))[0, 0] < -0.99


def test_many_rows_are_told_in_turns_and_an_empty_text_is_told_the_mean() -> None:
    rng = np.random.default_rng(0)
    rows, left = rng.normal(size=(2_500, 4)), rng.normal(size=(2_500, 1))
    nearest = Nearest(rng)
    nearest.fit(texts(rows), left)
    np.testing.assert_allclose(nearest.of(texts(rows))[2_100:2_110], nearest.of(texts(rows[2_100:2_110])))
    few = Nearest(rng)
    few.fit(texts(rows[:10]), left[:10])
    np.testing.assert_allclose(few.of(texts(np.zeros((1, 4)))), [left[:10].mean(axis=0)])
