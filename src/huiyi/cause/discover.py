"""A causal graph that a log suggests. A log alone proves none: look at every arrow before you believe it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.graph import Graph, Pair
from huiyi.cause.log import Categories, Column, Log
from huiyi.cause.model import CausalModel, Role
from huiyi.cause.scores import Lines, Names, blocks_of, codes_of
from huiyi.cause.search import Allowed, best_graph, certain
from huiyi.errors import DataError, OptionError, did_you_mean

Method: TypeAlias = Literal["score", "pc", "ges", "lingam"]
METHODS: tuple[Method, ...] = get_args(Method)

RESAMPLES = 20
MOST_ROWS = 50_000
"""So many rows are looked at, drawn at random where there are more."""

FEWEST_ROWS = 30
FEW_VALUES = 10
"""A column of numbers with at most so many different ones is one of names, where all others are of names."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how many steps of it are done, and of how many."""


@dataclass(frozen=True)
class Knowledge:
    """What is known before a log is looked at.

    Attributes:
        forbidden: (cause, effect) pairs that are not there.
        required: (cause, effect) pairs that are there.
        tiers: Groups of columns, the earlier first: nothing later leads to anything earlier.
    """

    forbidden: frozenset[Pair] = frozenset()
    required: frozenset[Pair] = frozenset()
    tiers: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of_log(cls, log: Log) -> Knowledge:
        """That context came before the action, and the action before its outcomes.

        Example:
            >>> log = Log("log.csv", "reply", np.zeros(1), {"solved": np.zeros(1)}, {"age": np.zeros(1)})
            >>> Knowledge.of_log(log).tiers
            (('age',), ('reply',), ('solved',))
        """
        return cls(tiers=(tuple(log.context), (log.action_name,), tuple(log.outcomes)))

    @classmethod
    def of_model(cls, model: CausalModel) -> Knowledge:
        """That the arrows of a model are there, between what is measured."""
        hidden = set(model.hidden)
        return cls(required=frozenset(pair for pair in model.arrows if not hidden & set(pair)))

    def __or__(self, other: Knowledge) -> Knowledge:
        """Both; the tiers are the other's where it has some."""
        return Knowledge(self.forbidden | other.forbidden, self.required | other.required, other.tiers or self.tiers)

    def matrices(self, names: tuple[str, ...]) -> tuple[Allowed, Allowed]:
        """Which arrows may be there and which must, each of shape (nodes, nodes), from the row to the column.

        Raises:
            DataError: A name is not among the columns, or what must be there may not.
        """
        places = {name: place for place, name in enumerate(names)}
        mentioned = {name for pair in (*self.forbidden, *self.required) for name in pair}
        for name in sorted(mentioned):
            if name not in places:
                raise DataError(
                    f"background knowledge: there is no column {name!r}.{did_you_mean(name, names)} Expected one of: "
                    f"{', '.join(names)}"
                )
        allowed = ~np.eye(len(names), dtype=bool)
        required = np.zeros((len(names), len(names)), dtype=bool)
        tier = {name: number for number, some in enumerate(self.tiers) for name in some}
        for one in names:
            for other in names:
                if one in tier and other in tier and tier[one] > tier[other]:
                    allowed[places[one], places[other]] = False
        for cause, effect in self.forbidden:
            allowed[places[cause], places[effect]] = False
        for cause, effect in sorted(self.required):
            if not allowed[places[cause], places[effect]]:
                raise DataError(
                    f"background knowledge: {cause} -> {effect} must be there, and may not. Expected one of both: take "
                    "the other out"
                )
            required[places[cause], places[effect]] = True
            allowed[places[effect], places[cause]] = False
        if circle := Graph.of(names, self.required).circle():
            raise DataError(
                f"background knowledge: {' -> '.join((*circle, circle[0]))} is a circle. Expected arrows that never "
                "lead back: take one of them out"
            )
        return allowed, required


@dataclass(frozen=True)
class SuggestedEdge:
    """An edge that a log suggests.

    Attributes:
        cause: Where it begins.
        effect: Where it ends.
        is_directed: Whether the log, or what was known, tells which way it points.
        confidence: In which share of resamples there is an edge between the two. NaN where none were drawn.
        direction: In which share of these it may point this way and not the other, a half counted for either.
    """

    cause: str
    effect: str
    is_directed: bool
    confidence: float
    direction: float

    def __str__(self) -> str:
        """As an edge."""
        return f"{self.cause} {'->' if self.is_directed else '--'} {self.effect}"


@dataclass(frozen=True)
class Suggestion:
    """A graph that a log suggests. It is no more than that.

    Attributes:
        names: The columns that were looked at.
        edges: Those that were found.
        method: How.
        rows: Rows that were looked at.
        resamples: How often it was done again with rows drawn anew.
        notices: What to know, a sentence each.
    """

    names: tuple[str, ...]
    edges: tuple[SuggestedEdge, ...]
    method: Method
    rows: int
    resamples: int
    notices: tuple[str, ...] = ()

    def model(self, roles: Mapping[str, Role] = MappingProxyType({})) -> CausalModel:
        """The suggestion as a causal model, to edit before it is used.

        Edges without a direction point so that no circle and no new meeting of arrows arises where that can be.

        Args:
            roles: Of columns.
        """
        arrows = [(edge.cause, edge.effect) for edge in self.edges]
        said = [
            f"This graph was suggested by {self.rows:,} rows (method {self.method}); nobody has vouched for it.",
            "Nothing that is not measured leads to two of its columns.",
        ]
        unsure = [f"{edge.cause} -> {edge.effect}" for edge in self.edges if not edge.is_directed]
        if unsure:
            said.append(f"The log does not tell the direction of {', '.join(unsure)}.")
        given: dict[str, Role] = {name: roles.get(name, "measured") for name in self.names}
        return CausalModel(given, tuple(arrows), (), tuple(said), "the suggested graph")


def discover(
    log: Log,
    *,
    knowledge: Knowledge | None = None,
    method: Method = "score",
    resamples: int = RESAMPLES,
    seconds: float = 60.0,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Suggestion:
    """Suggest a causal graph of the columns of a log.

    Args:
        log: The log. Vectors are left out; a name that is not known is a name; rows without a number are left out.
        knowledge: What is known before; that context comes before the action, and the action before outcomes, where
            nothing is said.
        method: ``score``: the graph with the best score, by our own search; ``pc``, ``ges`` and ``lingam`` by
            causal-learn. ``ges`` knows of no background knowledge, and ``lingam`` takes numbers that are not Gaussian.
        resamples: How often it is done again with rows drawn anew, to tell how sure an edge is.
        seconds: No resample is begun after so many.
        seed: Of the rows that are drawn.
        on_progress: Told of each graph.

    Raises:
        DataError: There are too few rows or columns, or the knowledge contradicts itself.
        OptionError: There is no such method, or it cannot take what is given.
        MissingExtraError: The method needs causal-learn.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.normal(size=500), rng.normal(size=500)
        >>> log = Log("log.csv", "c", a + b + rng.normal(size=500), {}, {"a": a, "b": b})
        >>> [str(edge) for edge in discover(log, knowledge=Knowledge(), resamples=0).edges]
        ['a -> c', 'b -> c']
    """
    if method not in METHODS:
        raise OptionError(
            f"there is no method {method!r}.{did_you_mean(method, METHODS)} Expected one of: {', '.join(METHODS)}"
        )
    knowledge = Knowledge.of_log(log) if knowledge is None else knowledge
    rng = np.random.default_rng(seed)
    columns, notices = _usable(log, rng)
    names = tuple(columns)
    allowed, required = knowledge.matrices(names)
    started = time.monotonic()
    find = partial(_found, method=method, allowed=allowed, required=required, known=knowledge != Knowledge())
    graph = find(columns)
    count = len(next(iter(columns.values())))
    beside, pointing, done = np.zeros(graph.shape), np.zeros(graph.shape), 0
    if on_progress is not None:
        on_progress("discovering", 1, resamples + 1)
    for _ in range(resamples):
        if time.monotonic() - started > seconds:
            notices.append(f"Time was enough for {done} of {resamples} resamples.")
            break
        again = find(_drawn(columns, rng.integers(count, size=count)))
        beside += again | again.T
        pointing += again & ~again.T
        pointing += 0.5 * (again & again.T)
        done += 1
        if on_progress is not None:
            on_progress("discovering", done + 1, resamples + 1)
    edges = [
        SuggestedEdge(
            names[cause],
            names[effect],
            not graph[effect, cause],
            float(beside[cause, effect] / done) if done else float("nan"),
            float(pointing[cause, effect] / beside[cause, effect]) if beside[cause, effect] else float("nan"),
        )
        for cause, effect in _oriented(graph, names)
    ]
    return Suggestion(names, tuple(edges), method, count, done, tuple(notices))


def _found(
    columns: Mapping[str, Column], *, method: Method, allowed: Allowed, required: Allowed, known: bool
) -> NDArray[np.bool_]:
    """A graph, in which what has no direction points both ways."""
    if method == "score":
        named = _all_names(columns)
        score = Names(codes_of(named)) if named is not None else Lines(blocks_of(columns))
        return certain(best_graph(score, allowed, required), allowed, required)
    from huiyi.cause.causal_learn import by_causal_learn

    return by_causal_learn(method, columns, _all_names(columns) is not None, allowed, required, known=known)


def _all_names(columns: Mapping[str, Column]) -> dict[str, Categories] | None:
    """Every column as names, where each is of names or of few different numbers."""
    found: dict[str, Categories] = {}
    for name, column in columns.items():
        if isinstance(column, Categories):
            found[name] = column
            continue
        values, codes = np.unique(column, return_inverse=True)
        if len(values) > FEW_VALUES:
            return None
        found[name] = Categories(tuple(map(str, values)), codes.astype(np.intp))
    return found


def _usable(log: Log, rng: np.random.Generator) -> tuple[dict[str, Column], list[str]]:
    """The columns that can be looked at, with rows that know all numbers, and what was left out."""
    notices: list[str] = []
    columns: dict[str, Column] = {}
    for name in log.names:
        column = log.column(name)
        if not isinstance(column, Categories) and column.ndim > 1:
            notices.append(f"{name!r} holds vectors and was left out.")
        elif len(np.unique(column.codes if isinstance(column, Categories) else column[np.isfinite(column)])) < 2:
            notices.append(f"{name!r} never varies and was left out.")
        else:
            columns[name] = column
    if len(columns) < 2:
        raise DataError(
            f"{log.source}: {len(columns)} columns vary. Expected two at least, to tell which leads to which"
        )
    known = np.ones(len(log), dtype=bool)
    for column in columns.values():
        if not isinstance(column, Categories):
            known &= np.isfinite(column)
    rows = np.flatnonzero(known)
    if len(rows) < FEWEST_ROWS:
        raise DataError(
            f"{log.source}: {len(rows)} rows know all numbers. Expected {FEWEST_ROWS} at least: leave out columns that "
            "are mostly blank with --ignore"
        )
    if len(rows) < len(log):
        notices.append(f"{len(log) - len(rows):,} rows in which a number is blank were left out.")
    if len(rows) > MOST_ROWS:
        rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
        notices.append(f"{MOST_ROWS:,} rows were drawn at random.")
    return _drawn(columns, rows), notices


def _drawn(columns: Mapping[str, Column], rows: NDArray[np.intp]) -> dict[str, Column]:
    return {
        name: column.rows(rows) if isinstance(column, Categories) else column[rows] for name, column in columns.items()
    }


def _oriented(graph: NDArray[np.bool_], names: tuple[str, ...]) -> list[tuple[int, int]]:
    """All edges with a direction each, so that arrows make no circle.

    Source:
        Dor and Tarsi, "A simple algorithm to construct a consistent extension of a partially oriented graph", 1992.
    """
    left = graph.copy()
    found = {(int(a), int(b)) for a, b in np.argwhere(graph & ~graph.T)}
    alive = list(range(len(names)))
    while len(alive) > 1:
        node = next((one for one in reversed(alive) if _is_sink(left, one)), None)
        if node is None:  # there is none without a new meeting of arrows: what comes later is the effect
            node = next((one for one in reversed(alive) if not (left[one] & ~left[:, one]).any()), alive[-1])
        found |= {(int(other), node) for other in np.flatnonzero(left[:, node] & left[node])}
        left[node, :] = left[:, node] = False
        alive.remove(node)
    return sorted(found)


def _is_sink(graph: NDArray[np.bool_], node: int) -> bool:
    """Whether all that is undecided at a node may point to it."""
    if (graph[node] & ~graph[:, node]).any():
        return False
    beside = np.flatnonzero(graph[:, node] | graph[node])
    undecided = np.flatnonzero(graph[:, node] & graph[node])
    return all((graph[one, other] or graph[other, one]) for one in undecided for other in beside if one != other)


def knowledge_of(
    forbidden: Iterable[str] = (), required: Iterable[str] = (), tiers: Iterable[Iterable[str]] = ()
) -> Knowledge:
    """Knowledge of edges such as ``a -> b``.

    Raises:
        DataError: An edge cannot be read.

    Example:
        >>> knowledge_of(["solved -> age"]).forbidden
        frozenset({('solved', 'age')})
    """
    from huiyi.cause.model import parsed_edge

    pairs: list[frozenset[Pair]] = []
    for edges in (forbidden, required):
        pairs.append(frozenset(pair for edge in edges for pair in parsed_edge(edge, "background knowledge")[0]))
    return Knowledge(pairs[0], pairs[1], tuple(tuple(some) for some in tiers))
