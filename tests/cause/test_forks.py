from itertools import product

import numpy as np
import pytest

from huiyi.cause.forks import Fork, Grower, Leaf, cut
from huiyi.cause.log import Categories

RNG = np.random.default_rng(5)
N = 300
NUMBERS = RNG.integers(5, size=N).astype(float)
NAMES = Categories.of(RNG.choice(["a", "b", "c", "d"], N).tolist())
MISSING = np.where(RNG.random(N) < 0.3, np.nan, RNG.normal(size=N))
CONTEXT = {"days": NUMBERS, "city": NAMES, "age": MISSING}


def value_of(tree, scores, context=CONTEXT):
    """The sum of what a tree does, by its own conditions."""
    if isinstance(tree, Leaf):
        return scores[:, tree.action].sum()
    fits = tree.condition.holds(context)
    split = [
        {name: own.rows(side) if isinstance(own, Categories) else own[side] for name, own in context.items()}
        for side in (fits, ~fits)
    ]
    return value_of(tree.yes, scores[fits], split[0]) + value_of(tree.no, scores[~fits], split[1])


def best_by_hand(scores, masks, depth, rows, least):
    """The best value of any tree, by trying all."""
    best = scores[rows].sum(axis=0).max()
    if depth:
        for mask in masks:
            yes, no = rows & mask, rows & ~mask
            if min(yes.sum(), no.sum()) >= least:
                sides = [best_by_hand(scores, masks, depth - 1, side, least) for side in (yes, no)]
                best = max(best, sum(sides))
    return best


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_no_tree_is_better_for_two_actions(depth):
    cells = cut(CONTEXT, ("days", "city"))
    masks = [cutting < NUMBERS for cutting in range(4)]
    masks += [np.isin(NAMES.codes, np.flatnonzero(some)) for some in product([0, 1], repeat=4)]
    for seed in range(4):
        scores = np.random.default_rng(seed).normal(size=(N, 2))
        tree = Grower(cells, scores, 20, 0.0).tree(np.arange(N), depth, 0)
        assert value_of(tree, scores) == pytest.approx(best_by_hand(scores, masks, depth, np.ones(N, dtype=bool), 20))


def test_a_rule_of_two_columns_is_found_though_neither_tells_alone():
    late, far = NUMBERS > 2, NAMES.codes >= 2
    scores = np.column_stack([np.where(late == far, 1.0, -1.0), np.zeros(N), np.where(late == far, -1.0, 1.0)])
    tree = Grower(cut(CONTEXT, ("days", "city", "age")), scores, 20, 2.0).tree(np.arange(N), 2, 1)
    assert isinstance(tree, Fork)
    assert value_of(tree, scores) == N


def test_a_deeper_tree_is_no_worse():
    scores = RNG.normal(size=(N, 3))
    cells = cut(CONTEXT, tuple(CONTEXT))
    values = [value_of(Grower(cells, scores, 10, 0.0).tree(np.arange(N), depth, 0), scores) for depth in range(5)]
    assert values == sorted(values)
    assert values[3] > values[2] + 1


def test_what_is_not_known_is_on_the_side_where_the_condition_does_not_hold():
    known = np.isfinite(MISSING)
    scores = np.column_stack([np.where(known, 1.0, -1.0), np.zeros(N)])
    tree = Grower(cut(CONTEXT, ("age",)), scores, 20, 2.0).tree(np.arange(N), 1, 1)
    assert isinstance(tree, Fork)
    assert not tree.condition.holds(CONTEXT)[~known].any()
    assert tree.no == Leaf(1)


def test_chance_makes_no_conditions():
    cells = cut(CONTEXT, tuple(CONTEXT))
    grown = [
        isinstance(
            Grower(cells, np.random.default_rng(seed).normal(size=(N, 2)), 20, 4.0).tree(np.arange(N), 1, 0), Fork
        )
        for seed in range(50)
    ]
    assert sum(grown) <= 2


def test_parts_are_not_too_small():
    scores = np.column_stack([np.where(NUMBERS == 0, 9.0, 0.0), np.ones(N)])
    cells = cut(CONTEXT, ("days",))
    few = int((NUMBERS == 0).sum())
    assert isinstance(Grower(cells, scores, few, 0.0).tree(np.arange(N), 1, 1), Fork)
    tree = Grower(cells, scores, few + 1, 0.0).tree(np.arange(N), 1, 1)
    assert isinstance(tree, Leaf) or tree.condition.above != 0


def test_columns_that_no_rule_can_be_about_are_left_out():
    others = {
        "text": np.zeros((N, 3)),
        "constant": np.ones(N),
        "blank": np.full(N, np.nan),
        "ids": Categories.of([f"n{place}" for place in range(N)]),
        "one": Categories.of(["x"] * N),
    }
    assert cut(others, tuple(others)) == ()
    assert [own.column for own in cut(CONTEXT, tuple(CONTEXT))] == ["days", "city", "age"]


def test_many_actions_are_compared_with_the_best():
    scores = np.zeros((N, 9))
    scores[:, 4] = np.where(np.isin(NAMES.codes, [1, 3]), 1.0, -1.0)
    tree = Grower(cut(CONTEXT, ("city",)), scores, 20, 2.0).tree(np.arange(N), 1, 0)
    assert value_of(tree, scores) == np.isin(NAMES.codes, [1, 3]).sum()
