"""A better policy, learnt from a log: what to do when, and how sure it is that this brings more.

Policies of several shapes are learnt from doubly robust scores: the same action for all, a table by intent, a tree, a
tree for each intent. With the rows in folds, in any order,

1. a shape is valued by learning it without one fold and looking at what it does in it, for each fold;
2. the shape that is best in the first two folds is learnt from them, and does what it says in the third; the one that
   is best in the first three is learnt from those, and does what it says in the fourth; and so on;
3. what was done like that is valued against the policy that logged.

The policy that is returned is of the shape that is best in all folds, learnt from all rows, so it is better, if
anything, than those of step 3. It is adopted only where their interval is above 0.

Why not each fold by a policy that was learnt from all the others: where actions differ little, such values of two folds
go up and down together, each having taught the other, and their interval is too narrow by about √2. In step 2 nothing
is taught by what is valued later, and the interval holds also where no policy is better than another.

Sources:
    Athey and Wager, "Policy Learning with Observational Data", Econometrica 89(1), 2021. Zhou, Athey and Wager,
    "Offline Multi-Action Policy Learning: Generalization and Optimization", Operations Research 71(1), 2023. Step 2:
    Luedtke and van der Laan, "Statistical Inference for the Mean Outcome under a Possibly Non-unique Optimal Treatment
    Strategy", Annals of Statistics 44(2), 2016. Adopted only where surely better: Thomas, Theocharous and Ghavamzadeh,
    "High Confidence Policy Improvement", ICML 2015.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from huiyi.cause.checks import FEWEST_OF_AN_ACTION, FEWEST_ROWS
from huiyi.cause.forks import Cells, Grower, Leaf, Tree, cut, is_sure
from huiyi.cause.log import Categories, Column, Log, Numbers
from huiyi.cause.means import mean_of
from huiyi.cause.offpolicy import Logged, Value, ValueConfig, value
from huiyi.cause.policy import Condition, Policy, Rule
from huiyi.errors import ColumnError, DataError, OptionError, did_you_mean
from huiyi.values import Estimate

if TYPE_CHECKING:
    from huiyi.cause.nuisance import Nuisances

Shape: TypeAlias = Literal["one action", "table", "tree", "table of trees"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
"""From the simplest on: the same for all; by intent; a tree of all columns; a tree for each intent."""


_FOLDS_AT_FIRST = 2  # a shape is chosen by learning from one and looking at the other
_SURELY = 1.0  # standard errors by which a shape must be better than a simpler one


@dataclass(frozen=True)
class LearnConfig:
    """How a policy is learnt.

    Attributes:
        depth: How many conditions may follow each other in a tree.
        least_rows: No condition is about fewer rows.
        sure: Standard errors by which conditions of a tree must be better than none in the rows they are learnt from.
        value: When a value is told, and how surely.
    """

    depth: int = 2
    least_rows: int = 50
    sure: float = 2.0
    value: ValueConfig = field(default_factory=ValueConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.depth <= 4 or self.least_rows < 1 or not self.sure >= 0:
            raise OptionError(
                f"{self} cannot be used. Expected a depth of 0 to 4, least_rows above 0, and sure not below 0."
            )


@dataclass(frozen=True)
class Learned:
    """A policy, and whether to use it.

    Attributes:
        policy: Learnt from all rows.
        shape: What it looks like.
        value: What such policies bring in rows that they were not learnt from, beside the policy that logged.
        adopted: Whether it is surely better than the policy that logged.
        reason: Why, or why not, in a sentence.
        gains: Intent to how much more such a policy brings there; empty where no intents are known. Each holds by
            itself: of twenty intervals at 95 %, one may miss.
        notices: What was left out, a sentence each.
    """

    policy: Policy
    shape: Shape
    value: Value
    adopted: bool
    reason: str
    gains: Mapping[str, Estimate]
    notices: tuple[str, ...] = ()


def learn(
    log: Log,
    found: Nuisances,
    *,
    outcome: str,
    columns: Sequence[str] | None = None,
    costs: Mapping[str, float] | None = None,
    config: LearnConfig | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Learned:
    """Learn what to do when.

    Args:
        log: n decisions.
        found: What each action would have brought, and how probable it was, in each of them.
        outcome: What ``found`` is about; more of it is better.
        columns: Of the context: what the policy may look at; all that a tree can split when not given.
        costs: Action to what it costs, as much of the outcome as it must bring to be worth it; 0 where it is not named.
        config: See there.
        on_progress: Told of each fold.

    Raises:
        ColumnError: There is no such column.
        OptionError: A cost names no action.
        DataError: Fewer than two actions were taken often enough.

    Example:
        >>> from huiyi.cause.nuisance import Nuisances
        >>> rng = np.random.default_rng(0)
        >>> late, actions = rng.integers(9, size=6000).astype(float), rng.integers(2, size=6000)
        >>> chances = np.column_stack([0.5 + 0 * late, 0.3 + 0.4 * (late > 4)])
        >>> solved = (rng.random(6000) < chances[np.arange(6000), actions]).astype(float)
        >>> log = Log("log.csv", "reply", Categories(("mail", "call"), actions), {"solved": solved}, {"late": late})
        >>> halves, folds = np.full((6000, 2), 0.5), np.arange(6000) % 5
        >>> known = Nuisances(("mail", "call"), actions, solved, halves, halves, folds, ())
        >>> learned = learn(log, known, outcome="solved")
        >>> learned.policy.explain(), learned.adopted
        (('for late > 4: call', 'otherwise: mail'), True)
    """
    config = config or LearnConfig()
    found = _with_costs(found, costs or {})
    if columns is not None and (unknown := [name for name in columns if name not in log.context]):
        raise ColumnError(
            f"{log.source}: the policy cannot look at {unknown[0]!r}.{did_you_mean(unknown[0], log.context)} "
            f"Expected some of: {', '.join(log.context)}"
        )
    names = tuple(log.context) if columns is None else tuple(columns)
    often = np.flatnonzero(np.bincount(found.codes, minlength=len(found.names)) >= FEWEST_OF_AN_ACTION)
    if len(often) < 2:
        raise DataError(
            f"{log.source}: fewer than two actions were taken in at least {FEWEST_OF_AN_ACTION} rows. Expected two to "
            "choose from: log more decisions"
        )
    cells = cut(log.context, names)
    actions = tuple(found.names[code] for code in often)
    teacher = _Teacher(log, outcome, _folds(log, found), actions, found.scores[:, often], cells, config)
    rows, done = teacher.honest(on_progress)
    done = often[done]
    told = value(Logged.of(log, found).rows(rows), np.eye(len(found.names))[done], config=config.value)
    shape = teacher.best()
    adopted = told.gain is not None and told.gain.low > 0
    gains = _by_intent(log, rows, found.scores[rows, done] - found.outcomes[rows], config.value.level)
    notices = _left_out(found.names, often, names, cells)
    return Learned(
        teacher.told(teacher.policy(shape)), shape, told, adopted, _reason(told, outcome), gains, tuple(notices)
    )


def _folds(log: Log, found: Nuisances) -> NDArray[np.intp]:
    """Folds, shape (n,): those of the predictions, or others where these are few."""
    from huiyi.cause.nuisance import FOLDS, deal

    return found.folds if len(np.unique(found.folds)) >= FOLDS else deal(log, FOLDS, seed=0)


def _with_costs(found: Nuisances, costs: Mapping[str, float]) -> Nuisances:
    """Outcomes less what the actions cost."""
    for name in costs:
        if name not in found.names:
            raise OptionError(
                f"A cost is given for {name!r}, which is no action.{did_you_mean(name, found.names)} "
                f"Expected some of: {', '.join(found.names)}."
            )
    each = np.array([costs.get(name, 0.0) for name in found.names])
    return replace(found, outcomes=found.outcomes - each[found.codes], predictions=found.predictions - each)


def _reason(told: Value, outcome: str) -> str:
    """Whether it is better, in a sentence."""
    if told.gain is None:
        return f"Not adopted, because its value cannot be told. {told.refused}"
    gain = told.gain
    between = f"{gain.low:+.3f} to {gain.high:+.3f} of {outcome!r} in each decision, at {gain.level:.0%} confidence"
    if gain.low > 0:
        return f"Adopted: it brings {between}, more than what was done before."
    return f"Not adopted, because it may be no better than what was done before: {between}."


def _left_out(
    actions: tuple[str, ...], often: NDArray[np.intp], columns: tuple[str, ...], cells: tuple[Cells, ...]
) -> Iterator[str]:
    """What the policy does not do and does not look at."""
    if rare := [repr(name) for code, name in enumerate(actions) if code not in often]:
        yield f"Left out of the policy, since it was hardly ever done: {', '.join(rare)}."
    split = {own.column for own in cells}
    if others := [repr(name) for name in columns if name not in split]:
        yield f"The policy does not look at {', '.join(others)}: people could not read a rule about that."


def _by_intent(log: Log, rows: NDArray[np.intp], gains: Numbers, level: float) -> dict[str, Estimate]:
    """How much more each intent gets, by the gains of some rows."""
    if log.intents is None:
        return {}
    found = {}
    for code, name in enumerate(log.intents.names):
        own = log.intents.codes[rows] == code
        if np.count_nonzero(own) >= FEWEST_ROWS:
            units = None if log.units is None else log.units.codes[rows[own]]
            found[name] = mean_of(gains[own], units=units, level=level)
    return found


@dataclass(eq=False)
class _Teacher:
    """Learns policies of each shape from parts of a log, each once.

    Attributes:
        log: n decisions.
        outcome: What policies are to bring more of.
        folds: Shape (n,).
        actions: m of them, to choose from.
        scores: What each would bring in each row, shape (n, m).
        cells: The columns that policies may look at.
        config: See there.
    """

    log: Log
    outcome: str
    folds: NDArray[np.intp]
    actions: tuple[str, ...]
    scores: Numbers
    cells: tuple[Cells, ...]
    config: LearnConfig
    known: dict[tuple[Shape, frozenset[int]], Policy] = field(default_factory=dict)

    def honest(self, on_progress: Callable[[str, int, int], None] | None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows of all folds but the first two, and what the best policy of the folds before its own does in each."""
        folds = np.unique(self.folds).tolist()
        rows, done = [], []
        for place in range(_FOLDS_AT_FIRST, len(folds)):
            rows.append(np.flatnonzero(self.folds == folds[place]))
            later = folds[place:]
            done.append(self._done(self.best(*later), frozenset(later), rows[-1]))
            if on_progress is not None:
                on_progress("learning a policy", place + 1 - _FOLDS_AT_FIRST, len(folds) - _FOLDS_AT_FIRST)
        return np.concatenate(rows), np.concatenate(done)

    def best(self, *without: int) -> Shape:
        """The simplest shape that no other one is surely better than, in rows that it was not learnt from."""
        folds = [fold for fold in np.unique(self.folds).tolist() if fold not in without]
        best, most = SHAPES[0], None
        for shape in self._shapes():
            told = []
            for fold in folds:
                rows = np.flatnonzero(self.folds == fold)
                told.append(self.scores[rows, self._done(shape, frozenset([fold, *without]), rows)])
            scored = np.concatenate(told)
            if most is None or is_sure(scored - most, _SURELY):
                best, most = shape, scored
        return best

    def policy(self, shape: Shape, without: frozenset[int] = frozenset()) -> Policy:
        """The policy of a shape, learnt without some folds."""
        if (shape, without) not in self.known:
            rows = np.flatnonzero(~np.isin(self.folds, list(without)))
            self.known[shape, without] = self._learnt(shape, rows)
        return self.known[shape, without]

    def _shapes(self) -> tuple[Shape, ...]:
        """Those that the columns and the depth allow."""
        trees = self.config.depth > 0 and bool(self.cells)
        allowed = {
            "table": self._intent is not None,
            "tree": trees,
            "table of trees": self._intent is not None and trees,
        }
        return tuple(shape for shape in SHAPES if allowed.get(shape, True))

    @property
    def _intent(self) -> Cells | None:
        """The intents, where policies may look at them."""
        return next((own for own in self.cells if own.column == self.log.intent_name), None)

    def _done(self, shape: Shape, without: frozenset[int], rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """What a policy does in some rows."""
        policy = self.policy(shape, without)
        codes = np.array([self.actions.index(rule.action) for rule in policy.rules])
        return np.asarray(codes[policy.places(self._context(policy, rows), len(rows))])

    def _context(self, policy: Policy, rows: NDArray[np.intp]) -> dict[str, Column]:
        """What a policy looks at, in some rows."""
        columns = {name: self.log.context[name] for name in policy.columns}
        return {name: own.rows(rows) if isinstance(own, Categories) else own[rows] for name, own in columns.items()}

    def _learnt(self, shape: Shape, rows: NDArray[np.intp]) -> Policy:
        """The policy of a shape, from some rows."""
        config, intent = self.config, self._intent
        usual = int(np.argmax(self.scores[rows].sum(axis=0)))
        found: list[tuple[tuple[Condition, ...], int]] = []
        if shape == "tree":
            grower = Grower(self.cells, self.scores, config.least_rows, config.sure)
            found = _flat(grower.tree(rows, config.depth, usual))
        elif shape != "one action":
            assert intent is not None
            cells = tuple(own for own in self.cells if own is not intent) if shape == "table of trees" else ()
            grower = Grower(cells, self.scores, config.least_rows, config.sure)
            alike: dict[Tree, list[str]] = {}
            for code, name in enumerate(intent.names):
                tree = grower.tree(rows[intent.codes[rows] == code], config.depth, usual)
                alike.setdefault(tree, []).append(name)
            for tree, names in alike.items():
                if tree != Leaf(usual):
                    where = Condition(intent.column, tuple(names))
                    found += [((where, *when), action) for when, action in _flat(tree)]
        if not found or found[-1][0]:
            found.append(((), usual))
        return Policy(self.outcome, self.actions, tuple(Rule(when, self.actions[a], 0, (), ()) for when, a in found))

    def told(self, policy: Policy) -> Policy:
        """The same policy, with what the log says of each action where each rule counts."""
        rows = np.arange(len(self.log))
        places = policy.places(self._context(policy, rows), len(rows))
        rules = []
        for place, rule in enumerate(policy.rules):
            own = np.flatnonzero(places == place)
            of_action = [self._mean(own if len(own) > 1 else rows, action) for action in range(len(self.actions))]
            means, errors = (tuple(getattr(one, name) for one in of_action) for name in ("value", "error"))
            rules.append(replace(rule, rows=len(own), means=means, errors=errors))
        return replace(policy, rules=tuple(rules))

    def _mean(self, rows: NDArray[np.intp], action: int) -> Estimate:
        """What an action brings in some rows."""
        return mean_of(self.scores[rows, action], units=None if self.log.units is None else self.log.units.codes[rows])


def _flat(tree: Tree) -> list[tuple[tuple[Condition, ...], int]]:
    """A tree as rules of which the first that fits counts; those that change nothing are left out."""
    if isinstance(tree, Leaf):
        return [((), tree.action)]
    held = [(_joined(tree.condition, when), action) for when, action in _flat(tree.yes)]
    rules = [*held, *_flat(tree.no)]
    for place in range(len(rules) - 2, -1, -1):
        (when, action), (wider, same) = rules[place], rules[place + 1]
        if action == same and set(wider) <= set(when):
            del rules[place]
    return rules


def _joined(first: Condition, rest: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Conditions that all must hold, one for each column."""
    joined = first
    for other in rest:
        if other.column == first.column:
            above = None if joined.above is None or other.above is None else max(joined.above, other.above)
            joined = Condition(first.column, tuple(name for name in joined.names if name in other.names), above)
    return (joined, *(other for other in rest if other.column != first.column))
