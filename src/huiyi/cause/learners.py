"""What is expected of a row: the mean of a number, or how probable each action is.

Several learners are asked: lines, bends and products, likeness to other rows, and trees where rows are many. How much
each counts is decided by how well it predicts rows that it was not fitted to, among the rows that it was given.

Source:
    van der Laan, Polley and Hubbard, "Super Learner", Statistical Applications in Genetics and Molecular Biology 6(1),
    2007.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import nnls

from huiyi.cause.bases import Basis, Bends, Likeness, Lines, landmarks
from huiyi.cause.covariates import Design
from huiyi.cause.log import Numbers

ROWS_TO_CHOOSE = 10_000
"""Learners are compared on at most so many rows."""

ROWS_FOR_LINES = 50_000
"""Least squares are fitted to at most so many rows: they have a few hundred coefficients."""

ROWS_FOR_SHARES = 15_000
"""Logistic regressions are fitted to at most so many rows: each takes several times what least squares do."""

TREES_FROM = 2_000
"""Trees are tried from so many rows."""

_PARTS = 4
_PARTS_OF_MANY = 2
_MANY_ROWS = 5_000  # of which each half says enough
_RIDGES = np.logspace(-6, 1, 15)
_INVERSE_RIDGES = (0.003, 0.03, 0.3, 3.0)  # the strongest first
_ROWS_AT_ONCE = 50_000
_LEAST_WEIGHT = 0.05
_LEAST_SHARE = 0.01  # what least squares say of a probability
_ROWS_FOR_LIKENESS = 20_000
_WIDTHS = (0.15, 0.5, 2.0)
_WIDTHS_OF_TEXTS = (0.1, 0.25, 0.6)
_LANDMARKS = 2.5  # times the root of the rows
_LANDMARKS_OF_TEXTS = 5.0


class Learner(Protocol):
    """What predicts a number of each row, or the probabilities of k actions, from a design."""

    def predict(self, design: Design) -> Numbers:
        """Shape (n,) or (n, k)."""


class _Asked(Learner, Protocol):
    """A learner that is fitted here."""

    def choose(self, design: Design, targets: NDArray[Any], parts: NDArray[np.intp]) -> Numbers:
        """Choose options on parts that take turns to be left out, and return the predictions for these."""

    def fit(self, design: Design, targets: NDArray[Any]) -> None:
        """Fit with what was chosen."""


class Mean:
    """The mean of a number, given what is held equal.

    Args:
        rng: Draws rows, parts and landmarks.
        slack: By how much more, as a share, squares may be lost than by the best choice, for learners that are drawn
            less towards the mean. What is drawn hides what drives the action, and biases effects; what is not only
            makes them a little less exact.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> design = Design(rng.normal(size=(300, 1)), np.array(["number"]), ("waiting",))
        >>> mean = Mean(rng)
        >>> mean.fit(design, np.abs(design.rows[:, 0]))
        >>> mean.predict(Design(np.array([[-1.5], [0.0], [1.5]]), design.kinds, design.sources)).round(1).tolist()
        [1.5, 0.1, 1.5]

    Source:
        Less smoothing than predicts best: Newey and Robins, "Cross-Fitting and Fast Remainder Rates for Semiparametric
        Estimation", arXiv:1801.09138, 2018.
    """

    def __init__(self, rng: np.random.Generator, *, slack: float = 0.0) -> None:
        self.rng = rng
        self.slack = slack

    def fit(
        self,
        design: Design,
        values: Numbers,
        groups: NDArray[np.intp] | None = None,
        beside: Mapping[str, tuple[Learner, Numbers]] = MappingProxyType({}),
    ) -> None:
        """Choose among the learners and fit those that count.

        Args:
            design: n rows.
            values: Shape (n,).
            groups: Rows of one group are left out together, shape (n,).
            beside: Learners that were fitted elsewhere, by name, and what they said of the rows when they had not seen
                them, shape (n,).
        """
        self.constant = float(values.mean()) if len(values) else 0.0
        self.least, self.most = float(values.min(initial=self.constant)), float(values.max(initial=self.constant))
        self.learners: list[tuple[str, float, Learner]] = []
        if len(values) < 2 * _PARTS or self.least == self.most or not design.rows.shape[1]:
            return
        some = _some(len(values), ROWS_TO_CHOOSE, self.rng)
        chosen, told = design.taking(some), values[some]
        parts = parts_of(len(some), _parts(some), self.rng, groups=None if groups is None else groups[some])
        asked: dict[str, _Asked] = {
            name: _Number(basis, self.rng, slack=self.slack)
            for name, basis in (*_lines(design), *_likenesses(chosen, design, self.rng))
        }
        if suits_trees(design):
            asked["trees"] = Trees(self.rng, len(design))
        columns = [learner.choose(chosen, told, parts) for learner in asked.values()]
        columns += [said[some] for _, said in beside.values()]
        weights = self._weights(np.stack(columns, axis=1) - self.constant, told - self.constant).tolist()
        for (name, learner), weight in zip(asked.items(), weights, strict=False):
            if weight >= _LEAST_WEIGHT:
                learner.fit(design, values)
                self.learners.append((name, weight, learner))
        for (name, (given, _)), weight in zip(beside.items(), weights[len(asked) :], strict=True):
            if weight >= _LEAST_WEIGHT:
                self.learners.append((name, weight, given))

    def predict(self, design: Design) -> Numbers:
        """The mean of each row, by no learner beyond what was seen, shape (n,)."""
        told = np.full(len(design), self.constant)
        for start in range(0, len(design), _ROWS_AT_ONCE):
            here = slice(start, start + _ROWS_AT_ONCE)
            rows = design.taking(here)
            for _, weight, learner in self.learners:
                told[here] += weight * (np.clip(learner.predict(rows), self.least, self.most) - self.constant)
        return told

    def _weights(self, columns: Numbers, values: Numbers) -> Numbers:
        """How much each learner counts; with slack they sum to 1, else what is left is drawn to the mean."""
        if not self.slack:
            weights, _ = nnls(columns, values)
            return np.asarray(weights / max(1.0, weights.sum()))
        heavy = 1e3 * float(np.abs(columns).sum() + 1)  # asks for weights that sum to 1
        weights, _ = nnls(np.vstack([columns, np.full((1, columns.shape[1]), heavy)]), np.append(values, heavy))
        return np.asarray(weights / weights.sum())

    @property
    def said(self) -> str:
        """What counts how much, in words."""
        return ", ".join(f"{name} {weight:.0%}" for name, weight, _ in self.learners) or "the mean"


class Shares:
    """How probable each of k actions is, given what is held equal.

    Args:
        actions: k.
        rng: Draws rows, parts and landmarks.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> design = Design(rng.normal(size=(400, 1)), np.array(["number"]), ("waiting",))
        >>> shares = Shares(2, rng)
        >>> shares.fit(design, (design.rows[:, 0] + rng.logistic(size=400) > 0).astype(np.intp))
        >>> shares.predict(Design(np.array([[-2.0], [2.0]]), design.kinds, design.sources)).round().tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, actions: int, rng: np.random.Generator) -> None:
        self.actions = actions
        self.rng = rng

    def fit(self, design: Design, codes: NDArray[np.intp], groups: NDArray[np.intp] | None = None) -> None:
        """Choose among the learners and fit those that count. See ``Mean.fit``."""
        counts = np.bincount(codes, minlength=self.actions)
        self.constant = (counts + 0.5) / (counts.sum() + 0.5 * self.actions)
        self.learners: list[tuple[str, float, Learner]] = []
        if np.count_nonzero(counts) < 2 or not design.rows.shape[1]:
            return
        some = _some(len(codes), ROWS_TO_CHOOSE, self.rng)
        chosen, told = design.taking(some), codes[some]
        parts = parts_of(len(some), _parts(some), self.rng, codes=told, groups=None if groups is None else groups[some])
        asked: dict[str, _Asked] = {name: _Logistic(basis, self.actions, self.rng) for name, basis in _lines(design)}
        for name, basis in _likenesses(chosen, design, self.rng):
            asked[name] = _Indicators(basis, self.actions, self.rng)
        if suits_trees(design):
            asked["trees"] = _Forks(self.actions, self.rng, len(design))
        columns = [np.tile(self.constant, (len(some), 1))]
        columns += [learner.choose(chosen, told, parts) for learner in asked.values()]
        weights = _mixture(np.stack([column[np.arange(len(some)), told] for column in columns], axis=1))
        for (name, learner), weight in zip(asked.items(), weights[1:].tolist(), strict=True):
            if weight >= _LEAST_WEIGHT:
                learner.fit(design, codes)
                self.learners.append((name, weight, learner))

    def predict(self, design: Design) -> Numbers:
        """The probabilities of each row, shape (n, k), that sum to 1."""
        left = 1 - sum(weight for _, weight, _ in self.learners)
        told = np.tile(left * self.constant, (len(design), 1))
        for start in range(0, len(design), _ROWS_AT_ONCE):
            here = slice(start, start + _ROWS_AT_ONCE)
            rows = design.taking(here)
            for _, weight, learner in self.learners:
                told[here] += weight * learner.predict(rows)
        told /= told.sum(axis=1, keepdims=True)
        return told

    @property
    def said(self) -> str:
        """What counts how much, in words."""
        return ", ".join(f"{name} {weight:.0%}" for name, weight, _ in self.learners) or "the shares"


def parts_of(
    n: int,
    parts: int,
    rng: np.random.Generator,
    *,
    codes: NDArray[np.intp] | None = None,
    groups: NDArray[np.intp] | None = None,
) -> NDArray[np.intp]:
    """Deal n rows into parts of like size, shape (n,).

    Args:
        n: How many rows.
        parts: How many parts.
        rng: Shuffles.
        codes: Each part gets its share of each code, shape (n,).
        groups: Rows of one group fall into one part, shape (n,); codes then do not count.
    """
    if groups is not None:
        _, places = np.unique(groups, return_inverse=True)
        dealt = rng.permutation(int(places.max(initial=-1)) + 1) % parts
        return np.asarray(dealt[places], dtype=np.intp)
    order = rng.permutation(n)
    if codes is not None:
        order = order[np.argsort(codes[order], kind="stable")]
    dealt = np.empty(n, dtype=np.intp)
    dealt[order] = np.arange(n) % parts
    return dealt


def _parts(rows: NDArray[np.intp]) -> int:
    return _PARTS if len(rows) < _MANY_ROWS else _PARTS_OF_MANY


def suits_trees(design: Design) -> bool:
    """Whether rows are many, and most columns mean something by themselves, as directions of texts do not."""
    is_plain = 2 * np.count_nonzero(design.kinds == "vector") <= design.rows.shape[1]
    return len(design) >= TREES_FROM and is_plain and not _is_of_names(design)


def _is_of_names(design: Design) -> bool:
    """Whether all of it is one column of names, of which lines say all there is to say."""
    return len(set(design.sources)) == 1 and bool((design.kinds == "indicator").all())


def _lines(design: Design) -> Iterator[tuple[str, Basis]]:
    """Features that are as many however many rows there are, by name."""
    yield "lines", Lines()
    if (design.kinds != "vector").any() and not _is_of_names(design):
        yield "bends", Bends()


def _likenesses(chosen: Design, design: Design, rng: np.random.Generator) -> Iterator[tuple[str, Basis]]:
    """Features that compare with other rows, by name, where rows are not too many."""
    if len(design) > _ROWS_FOR_LIKENESS or _is_of_names(design):
        return
    texts = bool((design.kinds == "vector").any())
    known = landmarks(chosen, round((_LANDMARKS_OF_TEXTS if texts else _LANDMARKS) * len(design) ** 0.5), rng)
    for width in _WIDTHS_OF_TEXTS if texts else _WIDTHS:
        yield f"likeness {width:g}", Likeness(width, known)


class _Ridge:
    """Least squares for one or more numbers on the features of a basis, drawn towards 0 as ``Mean`` says."""

    def __init__(self, basis: Basis, rng: np.random.Generator, *, slack: float = 0.0) -> None:
        self.basis = basis
        self.rng = rng
        self.slack = slack

    def choose(self, design: Design, targets: Numbers, parts: NDArray[np.intp]) -> Numbers:
        """Choose how far to draw; the predictions for parts that were left out, shape (n, m)."""
        self.basis.fit(design, self.rng)
        features = self.basis.of(design)
        folds = [np.flatnonzero(parts == part) for part in np.unique(parts)]
        moments = [_moments(features[rows], targets[rows]) for rows in folds]
        told = np.empty((len(_RIDGES), *targets.shape))
        for place, rows in enumerate(folds):
            others = _summed(moments[:place] + moments[place + 1 :])
            told[:, rows] = _path(others, features[rows], _RIDGES)
        losses = ((told - targets) ** 2).mean(axis=(1, 2))
        best = int(np.argmax(losses <= (1 + self.slack) * losses.min()))  # the first is drawn least
        self.ridge = float(_RIDGES[best])
        return np.asarray(told[best])

    def fit(self, design: Design, targets: Numbers) -> None:
        """Fit with what was chosen."""
        some = _some(len(targets), ROWS_FOR_LINES, self.rng)
        blocks = [some[start : start + _ROWS_AT_ONCE] for start in range(0, len(some), _ROWS_AT_ONCE)]
        moments = _summed([_moments(self.basis.of(design.taking(block)), targets[block]) for block in blocks])
        count, sums, squares, totals, products = moments
        self.centre, self.constants = sums / count, totals / count
        gram = squares - np.outer(sums, self.centre)
        gram[np.diag_indices_from(gram)] += self.ridge * count
        moved = products - np.outer(sums, self.constants)
        factor = cho_factor(gram, lower=True, check_finite=False)
        self.slopes = cho_solve(factor, moved, check_finite=False)

    def predict(self, design: Design) -> Numbers:
        """Shape (n, m)."""
        told: Numbers = (self.basis.of(design) - self.centre) @ self.slopes + self.constants
        return told


_Moments: TypeAlias = tuple[float, Numbers, Numbers, Numbers, Numbers]


def _moments(features: Numbers, targets: Numbers) -> _Moments:
    """Count, sum of the features, of their products, of the targets, and of the products of both."""
    return (
        float(len(targets)),
        features.sum(axis=0),
        features.T @ features,
        targets.sum(axis=0),
        features.T @ targets,
    )


def _summed(moments: Sequence[_Moments]) -> _Moments:
    count, sums, squares, totals, products = zip(*moments, strict=True)
    return sum(count), np.sum(sums, axis=0), np.sum(squares, axis=0), np.sum(totals, axis=0), np.sum(products, axis=0)


def _path(moments: _Moments, features: Numbers, ridges: Numbers) -> Numbers:
    """Predictions for rows at each ridge, shape (ridges, n, m), by one decomposition."""
    count, sums, squares, totals, products = moments
    centre, constants = sums / count, totals / count
    values, vectors = np.linalg.eigh(squares / count - np.outer(centre, centre))
    slopes = vectors.T @ (products / count - np.outer(centre, constants))
    turned = (features - centre) @ vectors
    drawn = slopes / (np.maximum(values, 0)[:, None] + ridges[:, None, None])  # (ridges, p, m)
    return np.asarray(turned @ drawn + constants)


class _Number:
    """Least squares for a number."""

    def __init__(self, basis: Basis, rng: np.random.Generator, *, slack: float) -> None:
        self.ridge = _Ridge(basis, rng, slack=slack)

    def choose(self, design: Design, targets: NDArray[Any], parts: NDArray[np.intp]) -> Numbers:
        return self.ridge.choose(design, targets[:, None], parts)[:, 0]

    def fit(self, design: Design, targets: NDArray[Any]) -> None:
        self.ridge.fit(design, targets[:, None])

    def predict(self, design: Design) -> Numbers:
        return self.ridge.predict(design)[:, 0]


class _Indicators:
    """Least squares for 0 and 1 of each action, as probabilities: with many features, much faster than logistic."""

    def __init__(self, basis: Basis, actions: int, rng: np.random.Generator) -> None:
        self.ridge = _Ridge(basis, rng)
        self.actions = np.arange(actions)

    def choose(self, design: Design, targets: NDArray[Any], parts: NDArray[np.intp]) -> Numbers:
        return self._shares(self.ridge.choose(design, (targets[:, None] == self.actions).astype(float), parts))

    def fit(self, design: Design, targets: NDArray[Any]) -> None:
        self.ridge.fit(design, (targets[:, None] == self.actions).astype(float))

    def predict(self, design: Design) -> Numbers:
        return self._shares(self.ridge.predict(design))

    @staticmethod
    def _shares(told: Numbers) -> Numbers:
        shares = np.maximum(told, _LEAST_SHARE)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))


class _Logistic:
    """Logistic regression on the features of a basis, drawn towards 0."""

    def __init__(self, basis: Basis, actions: int, rng: np.random.Generator) -> None:
        self.basis = basis
        self.actions = actions
        self.rng = rng

    def choose(self, design: Design, targets: NDArray[Any], parts: NDArray[np.intp]) -> Numbers:
        self.basis.fit(design, self.rng)
        features = self.basis.of(design)
        # Features of a kernel are smaller than columns of spread 1; what is added to the curvature is the same share.
        self.scale = np.sqrt(max(float(features.var(axis=0).sum()), 1e-9) / features.shape[1])
        features = features / self.scale
        rows, least = np.arange(len(targets)), np.inf
        for place, _ in enumerate(_INVERSE_RIDGES):
            told = np.empty((len(targets), self.actions))
            for part in np.unique(parts):
                here = parts == part
                model = self._fitted(features[~here], targets[~here], place)
                told[here] = _all_actions(model, features[here], self.actions)
            loss = -np.log(np.maximum(told[rows, targets], 1e-9)).mean()
            if loss >= least:
                break
            least, self.place, best = loss, place, told
        return best

    def fit(self, design: Design, targets: NDArray[Any]) -> None:
        some = _some(len(targets), ROWS_FOR_SHARES, self.rng)
        self.model = self._fitted(self.basis.of(design.taking(some)) / self.scale, targets[some], self.place)

    def predict(self, design: Design) -> Numbers:
        return _all_actions(self.model, self.basis.of(design) / self.scale, self.actions)

    @staticmethod
    def _fitted(features: Numbers, codes: NDArray[Any], place: int) -> Any:
        from sklearn.linear_model import LogisticRegression

        if len(np.unique(codes)) < 2:
            return _Always(int(codes[0]))
        few = features.shape[1] * (len(np.unique(codes)) - 1) <= 500
        model = LogisticRegression(
            C=_INVERSE_RIDGES[place],
            solver="newton-cholesky" if few else "lbfgs",
            max_iter=5_000,
            tol=1e-3,
        )
        return model.fit(features, codes)


def _halves(parts: NDArray[np.intp]) -> Iterator[NDArray[np.bool_]]:
    """Two halves of parts, for learners that take long."""
    even = parts % 2 == 0
    yield even
    yield ~even


class Trees:
    """Boosted trees for a number.

    Args:
        rng: Draws the rows that tell when to stop.
        rows: So many they will be fitted to; those that are chosen by grow alike.
    """

    def __init__(self, rng: np.random.Generator, rows: int) -> None:
        self.rng = rng
        self.rows = rows

    def choose(self, design: Design, targets: NDArray[Any], parts: NDArray[np.intp]) -> Numbers:
        """What trees of one half say of the other, shape (n,)."""
        told = np.empty(len(targets))
        for here in _halves(parts):
            told[here] = self._fitted(design.rows[~here], targets[~here]).predict(design.rows[here])
        return told

    def fit(self, design: Design, targets: NDArray[Any]) -> None:
        """Fit to all rows."""
        self.model = self._fitted(design.rows, targets)

    def predict(self, design: Design) -> Numbers:
        """Shape (n,)."""
        return np.asarray(self.model.predict(design.rows))

    def _fitted(self, rows: Numbers, targets: NDArray[Any]) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(**_growing(self.rows, len(targets), self.rng)).fit(rows, targets)


class _Forks:
    """Boosted trees for the probabilities of actions. See ``Trees``."""

    def __init__(self, actions: int, rng: np.random.Generator, rows: int) -> None:
        self.actions = actions
        self.rng = rng
        self.rows = rows

    def choose(self, design: Design, targets: NDArray[Any], parts: NDArray[np.intp]) -> Numbers:
        told = np.empty((len(targets), self.actions))
        for part in np.unique(parts):
            here = parts == part
            told[here] = _all_actions(self._fitted(design.rows[~here], targets[~here]), design.rows[here], self.actions)
        return told

    def fit(self, design: Design, targets: NDArray[Any]) -> None:
        self.model = self._fitted(design.rows, targets)

    def predict(self, design: Design) -> Numbers:
        return _all_actions(self.model, design.rows, self.actions)

    def _fitted(self, rows: Numbers, targets: NDArray[Any]) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        if len(np.unique(targets)) < 2:
            return _Always(int(targets[0]))
        # Early stopping deals the rare to both sides, so it needs two rows of each action.
        stops = bool(np.bincount(targets)[np.unique(targets)].min() >= 10)
        return HistGradientBoostingClassifier(**_growing(self.rows, len(targets), self.rng, stops=stops)).fit(
            rows, targets
        )


def _growing(n: int, seen: int, rng: np.random.Generator, *, stops: bool = True) -> dict[str, Any]:
    """Options of trees for n rows, of which so many are seen."""
    pace, leaves, least = next(rest for most, *rest in _PACES if n < most)
    return {
        "learning_rate": pace,
        "max_iter": 1_500 if stops else 50,
        "max_leaf_nodes": leaves,
        "min_samples_leaf": least,
        "early_stopping": stops,
        "n_iter_no_change": 30 if n < 20_000 else 10,
        "validation_fraction": min(0.15, 10_000 / seen),
        "random_state": int(rng.integers(2**31)),
    }


_PACES = ((20_000, 0.05, 4, 5), (100_000, 0.1, 16, 20), (math.inf, 0.2, 31, 100))
"""Below so many rows: the learning rate of trees, their leaves, and the rows in each leaf at least."""


class _Always:
    """What rows in which one action alone was taken say."""

    def __init__(self, code: int) -> None:
        self.classes_ = [code]

    def predict_proba(self, rows: Numbers) -> Numbers:
        """That it is certain."""
        return np.ones((len(rows), 1))


def _all_actions(model: Any, rows: Numbers, actions: int) -> Numbers:
    """What a classifier says of each of k actions, also of those it has not seen, shape (n, k)."""
    told = np.zeros((len(rows), actions))
    told[:, model.classes_] = model.predict_proba(rows)
    return told


def _mixture(likelihoods: Numbers, rounds: int = 200) -> Numbers:
    """The weights, shape (m,), of the mixture under which rows are likeliest; likelihoods of shape (n, m)."""
    weights = np.full(likelihoods.shape[1], 1 / likelihoods.shape[1])
    for _ in range(rounds):
        joint = np.maximum(likelihoods, 1e-9) * weights
        weights = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
    weights[weights < _LEAST_WEIGHT] = 0.0
    return np.asarray(weights / weights.sum())


def _some(n: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """The places of all rows, or of some drawn at random where there are more."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False)).astype(np.intp)
