"""Graphs suggested by rows sampled from known networks, beside causal-learn's PC as it comes.

    python benchmarks/discovery.py [CASE …]

Each case is a Bayesian network of `causal_bnlearn`: 5,000 rows are drawn from its tables for each of three seeds, and
the edges that are found are compared with its own, whichever way they point. Options were chosen on `cancer`,
`earthquake`, `survey`, `sachs` and `hepar2` alone. It needs the extra `cause`.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from harness import DATA, run_cases
from numpy.typing import NDArray

from huiyi.cause import Categories, Log
from huiyi.cause.discover import Knowledge, discover

ROWS, SEEDS = 5_000, (0, 1, 2)
ASKED = ("asia", "child", "alarm", "insurance")
TO_CHOOSE = ("cancer", "earthquake", "survey", "sachs", "hepar2")


@dataclass(frozen=True, eq=False)
class Network:
    """Variables with their values, their parents, and the probability of each value given these.

    Attributes:
        values: Name to values.
        parents: Name to the names of its parents.
        tables: Name to probabilities, an axis for each parent, the values last.
    """

    values: dict[str, tuple[str, ...]]
    parents: dict[str, tuple[str, ...]]
    tables: dict[str, NDArray[np.float64]]

    @property
    def edges(self) -> set[frozenset[str]]:
        return {frozenset((name, parent)) for name, some in self.parents.items() for parent in some}

    def sampled(self, rows: int, rng: np.random.Generator) -> dict[str, NDArray[np.intp]]:
        """The place of each row's value, by name, in the order of the file."""
        found: dict[str, NDArray[np.intp]] = {}
        while len(found) < len(self.values):
            for name, parents in self.parents.items():
                if name not in found and all(parent in found for parent in parents):
                    chances = self.tables[name][tuple(found[parent] for parent in parents)]
                    ends = np.broadcast_to(np.cumsum(chances, axis=-1), (rows, len(self.values[name])))
                    drawn = (rng.random(rows)[:, None] > ends[:, :-1]).sum(axis=1)
                    found[name] = drawn.astype(np.intp)
        return {name: found[name] for name in self.values}


def read(name: str) -> Network:
    """A network in the interchange format .bif."""
    file = DATA / "causal_bnlearn" / f"{name}.bif"
    if not file.is_file():
        sys.exit(
            f"skipped: {file.name} is not in the data folder; set HUIYI_DATA to the folder that has causal_bnlearn"
        )
    text = file.read_text("utf-8")
    values = {
        found[1]: tuple(value.strip() for value in found[2].split(","))
        for found in re.finditer(r"variable\s+(\S+)\s*\{\s*type\s+discrete\s*\[\s*\d+\s*\]\s*\{([^}]*)\}", text)
    }
    parents: dict[str, tuple[str, ...]] = {}
    tables: dict[str, NDArray[np.float64]] = {}
    for found in re.finditer(r"probability\s*\(\s*([^|)\s]+)\s*(?:\|([^)]*))?\)\s*\{(.*?)\}", text, re.DOTALL):
        node, body = found[1], found[3]
        parents[node] = tuple(parent.strip() for parent in (found[2] or "").split(",") if parent.strip())
        shape = [len(values[parent]) for parent in parents[node]]
        table = np.full((*shape, len(values[node])), np.nan)
        if plain := re.search(r"table([^;]*);", body):
            table[...] = np.array([float(number) for number in plain[1].split(",")]).reshape(table.shape)
        for row in re.finditer(r"\(([^)]*)\)([^;]*);", body):
            given = [value.strip() for value in row[1].split(",")]
            place = tuple(values[parent].index(value) for parent, value in zip(parents[node], given, strict=True))
            table[place] = [float(number) for number in row[2].split(",")]
        for place in product(*map(range, shape)):
            assert abs(table[place].sum() - 1) < 1e-3, f"{name}: {node} given {place}"
        tables[node] = table
    return Network(values, parents, tables)


def log_of(network: Network, codes: dict[str, NDArray[np.intp]]) -> Log:
    """The rows as a log in which nothing is known before: the first variable is its action."""
    columns = {name: Categories(network.values[name], column) for name, column in codes.items()}
    first, *rest = columns
    return Log("rows", first, columns[first], {}, {name: columns[name] for name in rest})


def f1(found: set[frozenset[str]], truth: set[frozenset[str]]) -> float:
    return 2 * len(found & truth) / max(1, len(found) + len(truth))


def ours(log: Log, codes: dict[str, NDArray[np.intp]]) -> set[frozenset[str]]:
    suggestion = discover(log, knowledge=Knowledge(), resamples=0)
    return {frozenset((edge.cause, edge.effect)) for edge in suggestion.edges}


def pc(log: Log, codes: dict[str, NDArray[np.intp]]) -> set[frozenset[str]]:
    from causallearn.search.ConstraintBased.PC import pc as by_default

    kept = [name for name, column in codes.items() if np.ptp(column) > 0]  # it fails on a column that never varies
    data = np.stack([codes[name].astype(float) for name in kept], axis=1)
    graph = by_default(data, show_progress=False).G.graph
    return {frozenset((kept[a], kept[b])) for a, b in np.argwhere(graph != 0).tolist()}


def case(name: str) -> dict[str, Any]:
    network = read(name)
    figures: dict[str, Any] = {"nodes": len(network.values), "edges": len(network.edges)}
    ways: dict[str, Callable[..., set[frozenset[str]]]] = {"ours": ours, "pc": pc}
    for way, found_by in ways.items():
        scores, started = [], time.process_time()
        for seed in SEEDS:
            codes = network.sampled(ROWS, np.random.default_rng(seed))
            scores.append(f1(found_by(log_of(network, codes), codes), network.edges))
        figures |= {f"{way}_f1": float(np.mean(scores)), f"{way}_least": min(scores)}
        figures[f"{way}_processor_seconds"] = round((time.process_time() - started) / len(SEEDS), 2)
    return figures


if __name__ == "__main__":
    run_cases("discovery", {name: partial(case, name) for name in (*ASKED, *TO_CHOOSE)}, __doc__, key="network")
