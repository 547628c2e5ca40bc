"""What a causal model says should tell nothing of each other, and whether a log agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import sparse
from scipy.special import gammaincc

from huiyi.cause.graph import Graph
from huiyi.cause.log import Categories, Column, Log, Numbers, are_known, rows_of
from huiyi.cause.model import CausalModel
from huiyi.cause.separation import minimal_separator

MOST_GIVEN = 6
"""Independences given more columns than this are not looked at: there is little power left to refuse them."""

MOST_TESTS = 200
"""So many independences are tested, those given the fewest columns first."""

FEWEST_ROWS = 50
"""An independence is tested where so many rows know all its columns."""

_NAMES_COMPARED = 10  # of a column whose independence is tested, the others together as one
_NAMES_GIVEN = 1_000  # of a column that is held equal
_ROWS_A_STRATUM = 10
_DENSE = 64  # columns up to which a design is kept with its zeros
_KNOTS = (0.2, 0.4, 0.6, 0.8)
_MOST_ROWS = 200_000


@dataclass(frozen=True)
class Independence:
    """Two columns that tell nothing of each other once others are known."""

    left: str
    right: str
    given: tuple[str, ...] = ()

    def __str__(self) -> str:
        """In words."""
        known = f" once {' and '.join(map(repr, self.given))} {'is' if len(self.given) == 1 else 'are'} known"
        return f"{self.left!r} and {self.right!r} tell nothing of each other{known if self.given else ''}"


@dataclass(frozen=True)
class Agreement:
    """What a log says of an independence.

    Attributes:
        independence: What the model says.
        rows: Rows that know all its columns.
        strength: How much the two do tell of each other: the correlation of what is left of them, 0 to 1; of names the
            mean of canonical ones.
        chance: How probable as much is if the model is right.
        corrected: The same, for the most surprising of all that were tested.
        holds: Whether the log agrees.
    """

    independence: Independence
    rows: int
    strength: float
    chance: float
    corrected: float
    holds: bool

    def __str__(self) -> str:
        """In words."""
        if self.holds:
            return f"{self.independence}: the log agrees."
        return (
            f"The model says that {self.independence}, and in the log they do (correlation {self.strength:.2f}). "
            "An arrow or a hidden cause is missing."
        )


def implied(model: CausalModel) -> tuple[Independence, ...]:
    """The independences that a model says a log should show, those given the fewest columns first.

    There is one for each pair of measured nodes without an edge that something separates; from these all others
    follow, but where causes are hidden. Of context that has no causes in the model, the model says nothing: what was
    there before may hang together anyhow.

    Example:
        >>> [str(one) for one in implied(CausalModel.of("a -> b -> c"))]
        ["'a' and 'c' tell nothing of each other once 'b' is known"]

    Source:
        Separators of pairs without an edge: Textor et al., "Robust causal inference using directed acyclic graphs: the
        R package dagitty", International Journal of Epidemiology 45(6), 2016.
    """
    graph = _freed(model)
    measured = frozenset(model.measured)
    found: list[Independence] = []
    for left, right in combinations(model.measured, 2):
        if left in graph.parents[right] | graph.siblings[right] or right in graph.parents[left]:
            continue
        ways = [minimal_separator(graph, *pair, measured) for pair in ((left, right), (right, left))]
        sets = [way for way in ways if way is not None and len(way) <= MOST_GIVEN]
        if sets:
            found.append(Independence(left, right, min(sets, key=len)))
    return tuple(sorted(found, key=lambda one: len(one.given)))


def agreements(model: CausalModel, log: Log, *, level: float = 0.05) -> tuple[Agreement, ...]:
    """Whether a log agrees with what a model says should be independent.

    What is held equal is taken out of both columns, numbers by bent lines, names by a mean each, or a mean for each
    combination of names where rows suffice. What is left of one must not go along with what is left of the other.

    Args:
        model: The causal model.
        log: A log. What it lacks, and vectors, are not tested.
        level: How often a right model is called wrong in anything at all.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> a = rng.normal(size=500)
        >>> c = a + rng.normal(size=500)
        >>> log = Log("log.csv", "a", a, {"c": c}, {"b": rng.normal(size=500)})
        >>> print(*agreements(CausalModel.of("a -> b -> c"), log))
        The model says that 'a' and 'c' tell nothing of each other once 'b' is known, and in the log they do \
(correlation 0.74). An arrow or a hidden cause is missing.

    Source:
        Shah and Peters, "The hardness of conditional independence testing and the generalised covariance measure",
        Annals of Statistics 48(3), 2020. Correction: Holm, Scandinavian Journal of Statistics 6(2), 1979.
    """
    known = {name: log.column(name) for name in model.measured if name in log.names}
    usable = {name for name, column in known.items() if isinstance(column, Categories) or column.ndim == 1}
    here = [one for one in implied(model) if {one.left, one.right, *one.given} <= usable][:MOST_TESTS]
    found = [(one, *_compared(known[one.left], known[one.right], [known[name] for name in one.given])) for one in here]
    found = [row for row in found if row[1] >= FEWEST_ROWS]
    corrected = _holm([chance for *_, chance in found])
    return tuple(
        Agreement(one, rows, strength, chance, fixed, fixed >= level)
        for (one, rows, strength, chance), fixed in zip(found, corrected, strict=True)
    )


def _freed(model: CausalModel) -> Graph:
    """The graph in which context without causes hangs together."""
    graph = model.graph
    first = [name for name, role in model.roles.items() if role in ("context", "intent") and not graph.parents[name]]
    return Graph.of(model.roles, model.arrows, (*model.arcs, *combinations(first, 2)))


def _compared(left: Column, right: Column, given: Sequence[Column]) -> tuple[int, float, float]:
    """Rows that know all, how much two columns go together given others, and how probable that is by chance."""
    rows = np.flatnonzero(np.logical_and.reduce([are_known(column) for column in (left, right, *given)]))
    if len(rows) > _MOST_ROWS:
        rows = np.random.default_rng(0).choice(rows, _MOST_ROWS, replace=False)
    if len(rows) < FEWEST_ROWS:
        return len(rows), 0.0, 1.0
    design = _design([rows_of(column, rows) for column in given], len(rows))
    one, other = (_left(_block(rows_of(column, rows), _NAMES_COMPARED), design) for column in (left, right))
    if not one.shape[1] or not other.shape[1]:
        return len(rows), 0.0, 1.0
    products = (one[:, :, None] * other[:, None, :]).reshape(len(rows), -1)  # (n, left * right)
    means = products.mean(axis=0)
    spread = products.T @ products / len(rows) - np.outer(means, means)
    inverse = np.linalg.pinv(spread, rcond=1e-9, hermitian=True)
    freedom = float(np.trace(inverse @ spread).round())
    left_free = max(1.0, len(rows) - design.shape[1])
    chance = float(gammaincc(max(freedom, 1.0) / 2, left_free * means @ inverse @ means / 2))  # of chi-square
    cross = one.T @ other
    alike = np.trace(np.linalg.pinv(one.T @ one) @ cross @ np.linalg.pinv(other.T @ other) @ cross.T)
    return len(rows), float(np.sqrt(np.clip(alike / min(cross.shape), 0, 1))), chance


def _design(columns: Sequence[Column], n: int) -> Numbers | sparse.csr_array:
    """What is held equal, with a constant, shape (n, d): names as 0 and 1, numbers bent at their quintiles."""
    names = [column for column in columns if isinstance(column, Categories)]
    joined = _joined(names)
    if joined is not None:
        names = [joined]
    blocks: list[Numbers | sparse.csr_array] = [np.ones((n, 1))]
    blocks += [_indicators(_merged(column, _NAMES_GIVEN)) for column in names]
    for column in columns:
        if not isinstance(column, Categories):
            knots = np.unique(np.quantile(column, _KNOTS))
            bends = np.maximum(column[:, None] - np.append(column.min(), knots), 0)
            blocks.append(bends / max(float(column.std()), 1e-12))
    if sum(block.shape[1] for block in blocks) <= _DENSE:
        return np.concatenate([block if isinstance(block, np.ndarray) else block.toarray() for block in blocks], axis=1)
    return sparse.csr_array(sparse.hstack([sparse.csr_array(block) for block in blocks]))


def _joined(names: Sequence[Categories]) -> Categories | None:
    """Each combination of names as a name, where rows suffice."""
    if len(names) < 2:
        return None
    _, codes = np.unique(np.stack([column.codes for column in names], axis=1), axis=0, return_inverse=True)
    different = int(codes.max()) + 1
    if different > min(len(codes) / _ROWS_A_STRATUM, _NAMES_GIVEN):
        return None
    return Categories(tuple(map(str, range(different))), codes.astype(np.intp))


def _block(column: Column, most: int) -> Numbers:
    """A column as numbers of mean 0: itself, or 0 and 1 for each of its frequent names but one, shape (n, w)."""
    if isinstance(column, Categories):
        numbers = _indicators(_merged(column, most)).toarray()[:, 1:]
        return np.asarray(numbers - numbers.mean(axis=0))
    spread = float(column.std())
    return np.zeros((len(column), 0)) if spread == 0 else ((column - column.mean()) / spread)[:, None]


def _merged(column: Categories, most: int) -> Categories:
    """The column with its names by how frequent they are, all beyond the first as one."""
    counts = np.bincount(column.codes, minlength=len(column.names))
    order = np.argsort(-counts, kind="stable")
    kept = int(np.clip(np.count_nonzero(counts >= 5), 1, most))
    places = np.full(len(counts), kept, dtype=np.intp)
    places[order[:kept]] = np.arange(kept)
    codes = places[column.codes]
    used = np.unique(codes)
    return Categories(tuple(map(str, used)), np.searchsorted(used, codes).astype(np.intp))


def _indicators(column: Categories) -> sparse.csr_array:
    n = len(column)
    return sparse.csr_array((np.ones(n), (np.arange(n), column.codes)), shape=(n, len(column.names)))


def _left(block: Numbers, design: Numbers | sparse.csr_array) -> Numbers:
    """What is left of columns once a design is taken out, shape (n, w); none of a column of which nothing is left."""
    gram = design.T @ design if isinstance(design, np.ndarray) else (design.T @ design).toarray()
    gram[np.diag_indices_from(gram)] += 1e-8 * np.trace(gram) / len(gram)
    rest = block - design @ np.linalg.solve(gram, design.T @ block)
    return np.asarray(rest[:, rest.std(axis=0) > 1e-6])


def _holm(chances: Sequence[float]) -> list[float]:
    """Probabilities corrected for all being looked at."""
    order = np.argsort(chances)
    corrected, largest = [0.0] * len(chances), 0.0
    for rank, place in enumerate(order.tolist()):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[place]))
        corrected[place] = largest
    return corrected
