"""What form fields added: exact values of few, drawn orders of many, and too little time."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from huiyi.explain.fields import MOST_EXACT, explain_fields


def worth(sets: Sequence[frozenset[int]]) -> Any:
    """The first two are needed together; the third counts by itself."""
    return np.array([0.1 + 0.6 * (not gone & {0, 1}) + 0.2 * (2 not in gone) for gone in sets])


def test_few_fields_are_told_exactly() -> None:
    found = explain_fields({"plan": "gold", "since": 2019, "city": "Bay  Town"}, worth)
    assert found is not None
    assert [(one.name, one.value) for one in found.parts] == [("plan", "gold"), ("since", "2019"), ("city", "Bay Town")]
    assert [one.weight for one in found.parts] == pytest.approx([0.3, 0.3, 0.2])
    assert (found.method, found.passes, found.sufficed, found.without) == ("exact", 8, True, pytest.approx(0.1))


def test_orders_of_many_fields_are_drawn() -> None:
    many = {f"field {number}": number for number in range(MOST_EXACT + 5)}
    found = explain_fields(many, worth, seed=1)
    assert found is not None and found.method == "shapley" and found.passes <= 400
    weights = [one.weight for one in found.parts]
    assert weights[2:] == pytest.approx([0.2] + [0] * (len(many) - 3))
    assert weights[:2] == pytest.approx([0.3, 0.3], abs=0.1)
    assert sum(weights) == pytest.approx(0.8)
    assert explain_fields(many, worth, seed=1) == found


def test_no_fields_and_no_time() -> None:
    assert explain_fields({}, worth) is None
    found = explain_fields({"plan": 1, "since": 2, "city": 3}, worth, until=perf_counter() - 1)
    assert found is not None and not found.sufficed
    assert [one.weight for one in found.parts] == pytest.approx([0.8 / 3] * 3)
