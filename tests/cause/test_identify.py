import time

import numpy as np
import pytest

from huiyi.cause.criteria import adjustment_sets, front_door
from huiyi.cause.formula import value
from huiyi.cause.general import Tangle, identified
from huiyi.cause.identify import Identification, identify, mediated, strategies
from huiyi.cause.model import CausalModel
from huiyi.cause.separation import separated
from huiyi.errors import DataError

from .graphs import chances, joint, random_model

# Edges between x, the action, and y, the outcome; u, v are hidden. Then: the strategy, and what it needs.
TEXTBOOK = {
    "back-door": (["z -> x -> y", "z -> y"], "back-door", ("z",)),
    "front-door": (["x -> m -> y", "u -> x", "u -> y"], "front-door", ("m",)),
    "instrument": (["z -> x -> y", "u -> x", "u -> y"], "instrument", ("z",)),
    "M-bias": (["x -> y", "u -> x", "u -> m", "v -> m", "v -> y"], "back-door", ()),
    "collider": (["x -> c <- y", "x -> y"], "back-door", ()),
    "mediator": (["x -> m -> y", "x -> y", "z -> x", "z -> m"], "back-door", ("z",)),
    "bow": (["x -> y", "u -> x", "u -> y"], "not identified", ("u",)),
    "napkin": (["w -> r -> x -> y", "u -> w", "u -> x", "v -> w", "v -> y"], "general", ()),
    "hidden but blocked": (["u -> z -> x -> y", "u -> y"], "back-door", ("z",)),
    "butterfly": (["a -> x -> y", "b -> y", "a -> m <- b", "m -> x", "m -> y"], "back-door", ("b", "m")),
    "selected by what follows": (["x -> y -> s", "z -> x", "z -> y", "x -> s"], "back-door", ("z",)),
    "verma": (["x -> b -> c -> y", "u -> b", "u -> y"], "back-door", ()),
    "front-door with context": (
        ["x -> m -> y", "u -> x", "u -> y", "z -> m", "z -> x", "z -> y"],
        "front-door",
        ("m",),
    ),
    "hidden causes in a chain": (["x -> y", "u -> x", "u -> a", "v -> a", "v -> b", "b <-> y"], "back-door", ()),
    "instrument given context": (["z -> x -> y", "w -> z", "w -> y", "u -> x", "u -> y"], "instrument", ("z",)),
    "outcome first": (["y -> x", "u -> x", "u -> y"], "no effect", ()),
}


def model_of(edges: list[str]) -> CausalModel:
    named = {name for name in "uv" if any(name in edge.replace("<", " ").split() for edge in edges)}
    return CausalModel.of(*edges, roles=dict.fromkeys(named, "hidden") | {"x": "action", "y": "outcome"})


def needed(found: Identification) -> tuple[str, ...]:
    if found.strategy == "not identified":
        return found.measure[0]
    return found.mediators or found.instruments or found.adjustment


@pytest.mark.parametrize("name", TEXTBOOK)
def test_textbook_graphs(name: str) -> None:
    edges, strategy, needs = TEXTBOOK[name]
    found = identify(model_of(edges))
    assert (found.strategy, needed(found)) == (strategy, needs)


@pytest.mark.parametrize(
    "name", [name for name, row in TEXTBOOK.items() if row[1] not in ("instrument", "not identified")]
)
def test_formulas_of_textbook_graphs_give_the_truth(name: str) -> None:
    model = model_of(TEXTBOOK[name][0])
    _hold(model, "x", "y", strategies(model), np.random.default_rng(1))


def test_formulas_of_random_graphs_give_the_truth() -> None:
    rng = np.random.default_rng(7)
    seen: list[str] = []
    for _ in range(60):
        model = random_model(rng, nodes=5, hidden=int(rng.integers(1, 4)))
        ways = strategies(model, "b", "e")
        seen += [way.strategy for way in ways]
        _hold(model, "b", "e", ways, rng)
        general = identified(model.graph.projected(model.hidden), "b", "e")
        if not isinstance(general, Tangle):
            _hold(model, "b", "e", [Identification("b", "e", "general", estimand=general)], rng)
    assert {"back-door", "front-door", "instrument", "no effect", "not identified"} <= set(seen)


@pytest.mark.parametrize(
    "edges",
    [
        "a -> c; a -> e -> f; a -> f; b -> c -> d -> e; b -> d; b -> e; b -> f; c -> f; c <-> e; e <-> a; f <-> b",
        "a -> b -> c -> d -> e -> f; a -> d; a -> e -> f <- a; b -> d -> f <- b; c -> f; b <-> e; a <-> f; c <-> e",
    ],
)
def test_formulas_of_graphs_where_only_the_general_way_leads_give_the_truth(edges: str) -> None:
    model = CausalModel.of(*edges.split(";"))
    ways = strategies(model, "c", "f")
    assert ways[0].strategy == "general"
    _hold(model, "c", "f", ways, np.random.default_rng(2))


def _hold(model: CausalModel, action: str, outcome: str, ways: object, rng: np.random.Generator) -> None:
    """That what formulas make of what is seen is what happens if the action is done."""
    tables, _ = joint(model, rng)
    names = model.measured
    seen = chances(model, tables, names)
    ends, starts = names.index(outcome), names.index(action)
    for way in ways:  # type: ignore[attr-defined]
        if way.estimand is None:
            continue
        told = value(way.estimand, seen, names)
        for done in range(2):
            after = chances(model, tables, names, do={action: done})
            truth = np.moveaxis(after, ends, -1).reshape(-1, 2).sum(axis=0)
            one = np.take(told, [min(done, told.shape[starts] - 1)], axis=starts)
            for row in np.moveaxis(one, ends, -1).reshape(-1, 2):  # whatever else is free makes no difference
                assert row == pytest.approx(truth, abs=1e-9), (model.arrows, way)


def test_a_back_door_set_is_found_whenever_there_is_one() -> None:
    rng = np.random.default_rng(3)
    both = set()
    for _ in range(80):
        model = random_model(rng, nodes=5, hidden=2)
        graph = model.graph
        sets = adjustment_sets(graph, "b", "e", model.measured)
        if "b" not in graph.ancestors("e"):
            continue
        others = sorted(set("acd") - graph.descendants("b"))  # of these a set must be, if there is any
        cut = graph.without_effects("b")
        every = [[name for place, name in enumerate(others) if mask >> place & 1] for mask in range(2 ** len(others))]
        good = [set(some) for some in every if separated(cut, "b", "e", some)]
        assert bool(sets) == bool(good)
        for some in sets[:1]:
            assert set(some) in good or set(some) - set(others)
            assert not any(fewer < set(some) for fewer in good)
        both.add(bool(sets))
    assert both == {True, False}


def test_the_narrow_set_takes_what_tells_the_outcome_and_leaves_what_tells_the_action() -> None:
    model = CausalModel.of("a -> z -> x -> y", "z -> y", "p -> y", "a -> x")
    found = identify(model, "x", "y")
    assert (found.adjustments[0], found.adjustment) == (("z",), ("z", "p"))


def test_fifty_columns_and_a_thousand_are_instant() -> None:
    for count in (50, 1_000):
        names = [f"c{number}" for number in range(count)]
        edges = [f"{name} -> {end}" for name in names for end in ("x", "y")]
        started = time.process_time()
        found = identify(CausalModel.of(*edges, "x -> y"), "x", "y")
        assert len(found.adjustment) == count
        assert time.process_time() - started < 2


def test_a_mediator_that_is_reached_from_behind_is_no_front_door() -> None:
    model = CausalModel.of("x -> m -> y", "x <-> y", "x <-> m")
    assert front_door(model.graph, "x", "y", model.measured) is None
    assert identify(model, "x", "y").strategy == "not identified"


def test_a_front_door_of_two_mediators() -> None:
    model = CausalModel.of("x -> m -> y", "x -> n -> y", "x <-> y")
    assert identify(model, "x", "y").mediators == ("m", "n")


def test_what_is_not_identified_says_what_to_measure() -> None:
    found = identify(
        CausalModel.of("x -> y", "u -> x", "u -> y", "v -> x", "v -> y", roles={"u": "hidden", "v": "hidden"}), "x", "y"
    )
    assert found.measure == (("u", "v"),)  # one is not enough
    assert "Measure 'u' and 'v'" in found.reason
    assert "instrument" in found.reason
    assert "mediator" in found.reason
    arc = identify(CausalModel.of("x -> y", "x <-> y"), "x", "y")
    assert arc.measure == (("what leads to both x and y",),)


def test_measuring_what_it_says_is_enough() -> None:
    rng = np.random.default_rng(11)
    refused = 0
    for _ in range(60):
        model = random_model(rng, nodes=5, hidden=3)
        for some in identify(model, "b", "e").measure:
            refused += 1
            roles = {name: "measured" if name in some else role for name, role in model.roles.items()}
            assert identify(CausalModel(roles, model.arrows), "b", "e").is_identified  # type: ignore[arg-type]
    assert refused > 5


def test_mediation_holds_what_leads_to_mediator_and_outcome() -> None:
    found = mediated(CausalModel.of("x -> m -> y", "x -> y", "w -> m", "w -> y"), ["m"], "x", "y")
    assert found.adjustment == ("w",)
    assert found.formula.startswith("direct: Σ_{m,w} [E(y | x=1, m, w)")


def test_mediation_is_refused_where_the_action_moves_a_cause_of_both() -> None:
    found = mediated(CausalModel.of("x -> l -> m -> y", "l -> y", "x -> m"), ["m"], "x", "y")
    assert not found.is_identified
    assert "cannot be told from the rest" in found.reason


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("x", "z"), "there is no node 'z'"),
        (("replly", "y"), "Did you mean 'reply'"),
        (("u", "y"), "'u' is hidden"),
        (("y", "y"), "both action and outcome"),
        ((None, "y"), "no node is the action"),
    ],
)
def test_what_is_asked_must_be_there(asked: tuple[str | None, str], said: str) -> None:
    model = CausalModel.of("x -> y", "u -> x", "reply -> y", roles={"u": "hidden"})
    with pytest.raises(DataError, match=said):
        identify(model, *asked)
