"""The head of learnt prototypes, against the formula."""

import numpy as np
import pytest

from huiyi.align import PrototypesConfig, PrototypesHead

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(30, 8)).astype(np.float32)
PROTOTYPES = np.linalg.qr(RNG.normal(size=(8, 3)))[0].T.astype(np.float32)
BIAS = np.array([0.5, 0.0, -0.5], np.float32)


def fitted(several: bool = False) -> PrototypesHead:
    head = PrototypesHead(several=several, config=PrototypesConfig(sharpness=7), prototypes=PROTOTYPES, bias=BIAS)
    head.fit(ROWS, np.zeros((30, 3), np.float32), np.zeros(30))
    return head


def test_scores_are_sharpened_cosines_and_the_bias_up_to_a_constant() -> None:
    told = fitted().score(ROWS).labels
    plain = 7 * (ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)) @ PROTOTYPES.T + BIAS
    np.testing.assert_allclose(told - told.mean(), plain - plain.mean(), atol=1e-5)
    assert abs(told.mean()) < 1e-5  # what an average label and row scores says nothing


def test_training_rows_are_the_nearest_to_themselves() -> None:
    near = fitted().score(ROWS).nearest
    assert near is not None
    np.testing.assert_allclose(near, 1, atol=1e-4)
    far = fitted().score(-ROWS).nearest
    assert far is not None and (far < 0.999).all()


@pytest.mark.parametrize("several", [False, True])
def test_taken_back_it_says_the_same(several: bool) -> None:
    head, other = fitted(several), PrototypesHead()
    other.from_arrays(*head.to_arrays())
    assert (other.several, other.config) == (several, head.config)
    np.testing.assert_array_equal(other.score(ROWS).labels, head.score(ROWS).labels)


def test_the_prototypes_given_are_left_alone() -> None:
    before = PROTOTYPES.copy(), BIAS.copy()
    fitted()
    np.testing.assert_array_equal(PROTOTYPES, before[0])
    np.testing.assert_array_equal(BIAS, before[1])
