"""Random models whose every number is known, to hold formulas against."""

from __future__ import annotations

from itertools import product as combinations

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.model import CausalModel

Table = NDArray[np.float64]


def random_model(rng: np.random.Generator, nodes: int = 5, hidden: int = 2) -> CausalModel:
    """Letters with arrows from earlier to later ones, and hidden causes of some of them."""
    names = "abcdefgh"[:nodes]
    edges = [f"{one} -> {other}" for i, one in enumerate(names) for other in names[i + 1 :] if rng.random() < 0.5]
    for number in range(hidden):
        pair = rng.choice(list(names), 2, replace=False)
        edges += [f"u{number} -> {name}" for name in pair]
    roles = dict.fromkeys(names, "measured") | {f"u{number}": "hidden" for number in range(hidden)}
    return CausalModel.of(*edges, roles=roles)  # type: ignore[arg-type]


def joint(model: CausalModel, rng: np.random.Generator, *, values: int = 2) -> tuple[dict[str, Table], tuple[str, ...]]:
    """A random table for each node, by the values of its parents, its own as the last axis; and the order of the nodes.

    Arcs become hidden nodes.
    """
    graph = explicit(model).graph
    tables = {}
    for name in graph.order:
        shape = (values,) * (len(graph.parents[name]) + 1)
        tables[name] = rng.dirichlet(np.ones(values), size=shape[:-1])
    return tables, graph.order


def explicit(model: CausalModel) -> CausalModel:
    """The model where each arc is a hidden node."""
    arcs = {f"arc{number}": arc for number, arc in enumerate(model.arcs)}
    return CausalModel(
        {**model.roles, **dict.fromkeys(arcs, "hidden")},
        (*model.arrows, *((name, end) for name, arc in arcs.items() for end in arc)),
    )


def chances(
    model: CausalModel, tables: dict[str, Table], names: tuple[str, ...], *, do: dict[str, int] | None = None
) -> Table:
    """The probability of each combination of the measured nodes, an axis each, where some are set by hand."""
    graph = explicit(model).graph
    order = graph.order
    values = next(iter(tables.values())).shape[-1]
    found = np.zeros((values,) * len(names))
    for combination in combinations(range(values), repeat=len(order)):
        at = dict(zip(order, combination, strict=True))
        chance = 1.0
        for name in order:
            if do and name in do:
                chance *= float(at[name] == do[name])
            else:
                parents = graph.sorted(graph.parents[name])
                chance *= tables[name][(*(at[parent] for parent in parents), at[name])]
        found[tuple(at[name] for name in names)] += chance
    return found
