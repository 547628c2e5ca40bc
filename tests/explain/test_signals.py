"""Shapley values, against their axioms and a plainer formula."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyi.explain import shapley

NAMES = ("text", "fields", "image", "audio")


def game(values: dict[frozenset[str], float], asked: list[frozenset[str]] | None = None):
    def worth(known: frozenset[str]) -> np.ndarray:
        if asked is not None:
            asked.append(known)
        return np.array([values[known]])

    return worth


@st.composite
def games(draw: st.DrawFn) -> tuple[tuple[str, ...], dict[frozenset[str], float]]:
    names = NAMES[: draw(st.integers(0, 4))]
    sets = [frozenset(n for i, n in enumerate(names) if mask >> i & 1) for mask in range(2 ** len(names))]
    return names, {known: draw(st.floats(-1, 1)) for known in sets}


@given(games())
def test_the_mean_over_all_orders(drawn: tuple[tuple[str, ...], dict[frozenset[str], float]]) -> None:
    names, values = drawn
    asked: list[frozenset[str]] = []
    shares = shapley(names, game(values, asked))
    assert len(asked) == len(set(asked)) == 2 ** len(names)
    orders = list(permutations(names))
    for name in names:
        added = [
            values[frozenset(order[: order.index(name) + 1])] - values[frozenset(order[: order.index(name)])]
            for order in orders
        ]
        assert shares[name][0] == pytest.approx(np.mean(added), abs=1e-12)
    total = sum(float(share[0]) for share in shares.values())
    assert total == pytest.approx(values[frozenset(names)] - values[frozenset()], abs=1e-12)


def test_what_changes_nothing_counts_nothing_and_equals_count_alike() -> None:
    values = {
        known: len(known & {"text", "fields"}) ** 2 / 4
        for known in map(frozenset, ([], ["text"], ["fields"], ["image"], ["text", "fields"], ["text", "image"],
                                     ["fields", "image"], ["text", "fields", "image"]))
    }  # fmt: skip
    shares = shapley(("text", "fields", "image"), game(values))
    assert shares["image"][0] == pytest.approx(0)
    assert shares["text"][0] == pytest.approx(shares["fields"][0]) == pytest.approx(0.5)
