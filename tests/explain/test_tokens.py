"""What words added to a decision: sums, known answers, budgets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from huiyi.explain.tokens import METHODS, Game, attribute
from huiyi.explain.units import units_of

TEXT = "no fever but a bad cough and a sore throat"
UNITS = units_of(TEXT)


def worth(texts: Sequence[str]) -> Any:
    """A model in which words stand in for each other, and need each other."""
    told = []
    for text in texts:
        words = set(text.split())
        told.append(0.05 + 0.3 * bool(words & {"cough", "throat"}) + 0.4 * ({"bad", "cough"} <= words))
    return np.array(told)


def exact(texts: str) -> np.ndarray:
    """Shapley values over all orders."""
    units = units_of(texts)
    totals = np.zeros(len(units))
    orders = list(permutations(range(len(units))))
    game = Game(texts, units, worth)
    for order in orders:
        told = game.gone([frozenset(order[place:]) for place in range(len(units) + 1)])
        totals[list(order)] += np.diff(told)
    return totals / len(orders)


@pytest.mark.parametrize("method", ["chains", "shapley"])
@pytest.mark.parametrize("most_passes", [45, 70, 1000])
def test_weights_sum_to_what_all_words_changed(method: str, most_passes: int) -> None:
    found = attribute(Game(TEXT, UNITS, worth, most_passes=most_passes), method=method)
    assert sum(found.weights) == pytest.approx(found.all - found.none)
    assert (found.all, found.none) == (pytest.approx(0.75), pytest.approx(0.05))


def test_chains_name_the_words_that_matter_first() -> None:
    found = attribute(Game(TEXT, UNITS, worth))
    assert {UNITS[place].text for place in found.order[:2]} == {"cough", "bad"}
    assert [w for u, w in zip(UNITS, found.weights, strict=True) if u.text in ("no", "fever", "but", "and")] == [
        0.0
    ] * 4


def test_sampled_orders_come_near_the_exact_values() -> None:
    text = "bad cough sore throat"
    found = attribute(Game(text, units_of(text), worth, most_passes=10_000), method="shapley")
    assert np.allclose(found.weights, exact(text), atol=1e-9)  # all sets of four words are known: every order counts


def test_occlusion_does_not_see_words_that_stand_in_for_each_other() -> None:
    found = attribute(Game("cough throat", units_of("cough throat"), worth), method="occlusion")
    assert found.weights == (0.0, 0.0)
    assert sum(attribute(Game("cough throat", units_of("cough throat"), worth)).weights) == pytest.approx(0.3)


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("most_passes", [150, 300, 700])
def test_a_budget_is_kept_to(method: str, most_passes: int) -> None:
    text = " ".join(f"word{place}" for place in range(60))
    asked: list[int] = []

    def counting(texts: Sequence[str]) -> Any:
        asked.append(len(texts))
        return worth(texts)

    found = attribute(Game(text, units_of(text), counting, most_passes=most_passes), method=method)
    assert found.passes == sum(asked)
    assert sum(asked) <= most_passes


def test_no_words() -> None:
    found = attribute(Game("?!", units_of("?!"), worth))
    assert (found.weights, found.order) == ((), ())


def test_the_same_seed_gives_the_same_weights() -> None:
    one, two = (attribute(Game(TEXT, UNITS, worth, most_passes=30), method="shapley", seed=7) for _ in range(2))
    assert one == two


def test_masks_stand_where_words_were() -> None:
    seen: list[str] = []

    def noting(texts: Sequence[str]) -> Any:
        seen.extend(texts)
        return worth(texts)

    attribute(Game("my card", units_of("my card"), noting, mask="[MASK]"))
    assert "[MASK] card" in seen and "[MASK] [MASK]" in seen and "card" not in seen
