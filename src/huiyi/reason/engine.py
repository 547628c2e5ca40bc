"""The engine: one computation, from facts to the fixpoint. What it computes stands in ``closure.py``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from huiyi.errors import DataError
from huiyi.reason.facts import Fact, Key
from huiyi.reason.logic import TODAY, Negation
from huiyi.reason.plans import Compiled, Emit, Environment, absence_of, absence_places, compiled, row_of
from huiyi.reason.rules import Rules
from huiyi.reason.tables import GIVEN, Entry, Item, Places, Row

if TYPE_CHECKING:
    from huiyi.reason.closure import Closure, View


class Program:
    """Rules with all that is worked out once from them."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.compiled = [compiled(number, rule) for number, rule in enumerate(rules.rules)]
        by_name = {made.rule.name: made for made in self.compiled}
        self.strata = [[by_name[rule.name] for rule in layer] for layer in rules.strata]
        self.constraints = [made for made in self.compiled if made.rule.head is None]
        extra = {relation.atom.key for relation in rules.relations} | {given.fact.key for given in rules.facts}
        self.keys = frozenset({*rules.keys, *extra, (TODAY, 1), *(made.head.key for made in self.compiled)})
        self.indexed: dict[Key, list[Places]] = {key: [] for key in self.keys}
        for key, places in sorted({pair for made in self.compiled for pair in made.indexed}):
            self.indexed[key].append(places)
        self.shapes: dict[Key, set[Places]] = defaultdict(set)
        for made in self.compiled:
            for atom in made.rule.negated:
                self.shapes[atom.key].add(absence_places(atom))
        self.derivations = [_Derivation(made) for made in self.compiled]
        self.by_head: dict[Key, list[Compiled]] = defaultdict(list)
        for made in self.compiled:
            self.by_head[made.head.key].append(made)


class _Derivation:
    """Reads off an environment what a rule concluded, and from what."""

    def __init__(self, made: Compiled) -> None:
        self.made = made
        self.key = made.head.key
        self.weight = made.rule.weight
        self.head = row_of(made, made.head)
        self.used = [(atom.key, row_of(made, atom)) for atom in made.rule.atoms]
        self.absent = [absence_of(made, atom) for atom in made.rule.negated]

    def read(self, state: View, environment: Environment) -> tuple[Row, Entry]:
        """The row of the head, and its entry."""
        weight, size = self.weight, 1
        used = []
        for key, row in self.used:
            item = row(state, environment)
            entry = state.tables[key].get(item)
            assert entry is not None
            weight *= entry.weight
            size += entry.size
            used.append((key, item))
        absent = tuple([absence(state, environment) for absence in self.absent])
        return self.head(state, environment), Entry(weight, size, self.made.number, tuple(used), absent)


class Work:
    """One computation: from given facts to the fixpoint, over nothing or over a closed graph."""

    def __init__(self, view: View, below: Closure | None, most: int) -> None:
        self.view = view
        self.below = below
        self.program = view._program
        self.given: dict[Item, float] = {}
        self.changed: dict[Key, dict[Row, None]] = defaultdict(dict)  # new, or for a better reason, or back again
        self.new: dict[Key, list[Row]] = defaultdict(list)
        self.taken: dict[Key, list[Row]] = defaultdict(list)
        self.left = most
        self.most = most
        self.counts: Counter[int] = Counter()
        self._delta: dict[Key, dict[Row, None]] = defaultdict(dict)

    def run(self, facts: Iterable[tuple[Fact, float]]) -> None:
        """Take the facts in, and derive what follows, layer by layer.

        Raises:
            DataError: More follows than may; the message names the rule.
        """
        number, tables = self.view.symbols.number, self.view.tables
        for fact, weight in facts:
            key, row = fact.key, tuple([number(value) for value in fact.arguments])
            if key in tables:
                self.given[key, row] = max(weight, self.given.get((key, row), 0.0))
        for (key, row), weight in self.given.items():
            self._offer(key, row, Entry(weight, 1))
        self._delta.clear()
        for layer in self.program.strata:
            self._layer(layer)

    def _layer(self, layer: Sequence[Compiled]) -> None:
        """Bring one layer to its fixpoint."""
        heads = dict.fromkeys(made.head.key for made in layer)
        if self.below is not None:
            self._take_away(layer, heads)
        first = self.below is None
        for made in layer:
            collect = self._collector(made)
            if made.begin is not None and first:
                made.begin.run(self.view, (), collect)
            for place, part in enumerate(made.rule.body):
                if isinstance(part, Negation):
                    table = self.view.tables[part.atom.key]
                    for row in self.taken.get(part.atom.key, ()):
                        if table.get(row) is None:
                            made.begin_with[place].run(self.view, row, collect)
        delta: Mapping[Key, Mapping[Row, None]] = {
            atom.key: dict(self.changed[atom.key])
            for made in layer
            for atom in made.rule.atoms
            if self.changed.get(atom.key)
        }
        self._delta.clear()
        while delta:
            for made in layer:
                conditions = made.conditions
                if first:  # all rows are new, so one way through them meets every combination
                    conditions = sorted(conditions, key=lambda condition: len(delta.get(condition[1], ())))[:1]
                collect = self._collector(made)
                for place, key in conditions:
                    plan = made.begin_with[place]
                    for row in delta.get(key, ()):
                        plan.run(self.view, row, collect)
            first = False
            delta = {key: rows for key, rows in self._delta.items() if rows}
            self._delta = defaultdict(dict)

    def _collector(self, made: Compiled) -> Emit:
        """What takes in each way in which a rule's conditions are met."""
        derivation, view, offer = self.program.derivations[made.number], self.view, self._offer
        key, read = derivation.key, derivation.read
        return lambda environment: offer(key, *read(view, environment))

    def _offer(self, key: Key, row: Row, entry: Entry) -> None:
        """Take a derivation if it is better than the one there is."""
        table = self.view.tables[key]
        old = table.get(row)
        if old is None:
            self.new[key].append(row)
            if entry.rule != GIVEN:
                self.counts[entry.rule] += 1
                self.left -= 1
                if self.left < 0:
                    self._too_many(list(self.counts.elements()))
        elif entry.weight < old.weight or (entry.weight == old.weight and entry.size > old.size):
            return
        elif entry.weight == old.weight and entry.size == old.size:
            if self._order(entry) < self._order(old):
                table.put(row, entry)
            return
        table.put(row, entry)
        self.changed[key][row] = None
        self._delta[key][row] = None

    def _order(self, entry: Entry) -> tuple[int, list[tuple[str, ...]]]:
        return entry.rule, [self.view.symbols.order(row) for _, row in entry.used]

    def _too_many(self, numbers: Sequence[int]) -> None:
        number, count = Counter(numbers).most_common(1)[0]
        rule = self.program.compiled[number].rule
        raise DataError(
            f"{rule.source}: more than {self.most:,} facts follow, most of them ({count:,}) by the rule {rule.name!r}. "
            "Expected fewer: give it a further condition, or allow more by `most`."
        )

    def _take_away(self, layer: Sequence[Compiled], heads: Mapping[Key, None]) -> None:
        """Hide the rows whose own derivation is broken, and derive again those that have another."""
        assert self.below is not None
        below, tables = self.below, self.view.tables
        numbers = {made.number for made in layer}
        waiting: list[Item] = []
        for key in {atom.key for made in layer for atom in made.rule.negated}:
            for row in self.new.get(key, ()):
                if tables[key].get(row) is None or below.tables[key].get(row) is not None:
                    continue
                for places in self.program.shapes[key]:
                    waiting += below.blocked.get((key, places, tuple([row[place] for place in places])), ())
        for key, rows in self.taken.items():
            for row in rows:
                waiting += below.dependents.get((key, row), ())
        lost: dict[Item, None] = {}
        while waiting:
            item = waiting.pop()
            key, row = item
            if item in lost or key not in heads:
                continue
            old = below.tables[key].get(row)
            if old is None or old.rule not in numbers or tables[key].get(row) is not old:
                continue  # it was given for a better reason, which nothing has broken
            lost[item] = None
            tables[key].hide(row)
            waiting += below.dependents.get(item, ())
        for key, row in lost:
            self.taken[key].append(row)
            weight = max(below.own_given.get((key, row), 0.0), self.given.get((key, row), 0.0))
            if weight:
                self._offer(key, row, Entry(weight, 1))
            for made in self.program.by_head[key]:
                assert made.begin_with_head is not None
                made.begin_with_head.run(self.view, row, self._collector(made))
