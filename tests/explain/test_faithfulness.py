"""Faithfulness: figures worked out by hand, and orders that must differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from huiyi.explain.faithfulness import faithfulness, likeness
from huiyi.explain.tokens import Game
from huiyi.explain.units import units_of

TEXT = "one two three four"
UNITS = units_of(TEXT)
GAINS = {"one": 0.1, "two": 0.2, "three": 0.3, "four": 0.4}


def worth(texts: Sequence[str]) -> Any:
    return np.array([sum(GAINS.get(word, 0.0) for word in text.split()) for text in texts])


def test_by_hand() -> None:
    best = faithfulness(Game(TEXT, UNITS, worth), [3, 2, 1, 0], shares=(0.25, 0.5))
    assert best.comprehensiveness == pytest.approx((0.4 + 0.7) / 2)
    assert best.sufficiency == pytest.approx((0.6 + 0.3) / 2)
    assert best.monotonicity == 1.0
    worst = faithfulness(Game(TEXT, UNITS, worth), [0, 1, 2, 3], shares=(0.25, 0.5))
    assert worst.comprehensiveness == pytest.approx((0.1 + 0.3) / 2)
    assert worst.sufficiency == pytest.approx((0.9 + 0.7) / 2)


def test_monotonicity_counts_falls() -> None:
    def odd(texts: Sequence[str]) -> Any:
        return np.array([0.5 - 0.2 * ("two" in text) for text in texts])

    assert faithfulness(Game(TEXT, UNITS, odd), [0, 1, 2, 3]).monotonicity == 0.75


def test_nothing_to_order() -> None:
    found = faithfulness(Game("?", (), worth), [])
    assert (found.comprehensiveness, found.sufficiency, found.monotonicity) == (0.0, 0.0, 1.0)


def test_likeness_is_that_of_ranks() -> None:
    assert likeness([1, 2, 3, 4], [10, 20, 30, 400]) == 1.0
    assert likeness([1, 2, 3, 4], [4, 3, 2, 1]) == -1.0
    assert likeness([1], [2]) == likeness([], []) == likeness([1, 1], [1, 2]) == 0.0
