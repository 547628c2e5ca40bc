"""What follows from facts by rules: everything, once; and what a request adds to it, each time.

The closure is computed layer by layer, each to its fixpoint, every round
looking only at what the round before brought (semi-naive evaluation). A request
lays its own facts over the closed graph. What they add is derived; what they
block, because a rule held only while something was not known, is taken away and
derived again where it still can be. Nothing below the overlay is ever changed.

With f a fact, and d any derivation of f by a rule r from facts g₁ … gₘ,

    weight(f) = max over d of   weight(r) · Π weight(gᵢ)

and a given fact has at least its own weight. Of derivations of equal weight the
one with the fewest facts and steps counts; of those still equal, the one whose
rule comes first, then the one whose facts come first in the order of their texts.

Source:
    Semi-naive evaluation and stratified negation: Abiteboul, Hull and Vianu, "Foundations of Databases", 1995,
    chapters 13 and 15. The weights are those of the Viterbi semiring in Green, Karvounarakis and Tannen, "Provenance
    Semirings", PODS 2007, and their least fixpoint that of Knuth, "A Generalization of Dijkstra's Algorithm",
    Information Processing Letters 6(1), 1977. Taking away and deriving again follows DRed of Gupta, Mumick and
    Subrahmanian, "Maintaining Views Incrementally", SIGMOD 1993; since every row keeps one derivation that does not
    go in circles, only rows whose own derivation is broken are taken away.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date

from huiyi.errors import DataError, OptionError, did_you_mean
from huiyi.reason.facts import Fact, Given, Key, Source, Statements, Value, normal, normalised
from huiyi.reason.logic import TODAY, Atom, Negation, Variable
from huiyi.reason.plans import Compiled, Emit, Environment, absence_of, absence_places, compiled, row_of
from huiyi.reason.rules import Rules
from huiyi.reason.tables import GIVEN, Absence, Entry, Places, Row, Symbols, Table

MOST_DERIVED = 1_000_000
"""How many facts may follow, unless another limit is given. Past it, the rules are taken to be endless."""

_Item = tuple[Key, Row]


class View:
    """Facts and all that follows from them. Made by ``close`` and ``Closure.adding``, never by hand."""

    def __init__(self, program: Program, below: View | None, given: Sequence[Source], today: date | None) -> None:
        self.rules = program.rules
        self.today = today
        self.given = tuple(given)
        self.symbols = Symbols(None if below is None else below.symbols)
        self.tables: dict[Key, Table] = {
            key: Table(program.indexed[key], None if below is None else below.tables[key]) for key in program.keys
        }
        self._program = program
        self._below = below

    def holds(self, fact: Fact) -> bool:
        """Whether a fact was given or follows.

        Raises:
            OptionError: No rule speaks of its relation, so nothing was loaded of it.
        """
        return self.entry(fact) is not None

    def weight(self, fact: Fact) -> float:
        """How sure a fact is; 0 when it neither was given nor follows. See ``huiyi.reason.closure`` for the formula."""
        entry = self.entry(fact)
        return 0.0 if entry is None else entry.weight

    def facts(self, relation: str, *arguments: Value | None) -> list[Fact]:
        """The facts of a relation, given and derived, in the order of their texts.

        Args:
            relation: Its name.
            arguments: What the arguments must be; ``None`` for anything.

        Raises:
            OptionError: No rule speaks of it with so many arguments.

        Example:
            >>> closure = close([Fact("human", ("Ada",)), Fact("human", ("Bo",))], Rules.parse("mortal(?x) :- human(?x)."))
            >>> [str(fact) for fact in closure.facts("mortal", None)]
            ['mortal(Ada)', 'mortal(Bo)']
        """
        table = self._table((relation, len(arguments)))
        wanted = [None if value is None else self.symbols.known(normalised(value)) for value in arguments]
        if any(number is None and value is not None for number, value in zip(wanted, arguments, strict=True)):
            return []
        rows = [row for row in table if all(n is None or n == m for n, m in zip(wanted, row, strict=True))]
        return [self.symbols.fact((relation, len(arguments)), row) for row in sorted(rows, key=self.symbols.order)]

    def entry(self, fact: Fact) -> Entry | None:
        """Why a fact holds, as the engine keeps it."""
        fact = normal(fact)
        row = [self.symbols.known(value) for value in fact.arguments]
        table = self._table(fact.key)
        return None if None in row else table.get(tuple(number for number in row if number is not None))

    def rule_of(self, entry: Entry) -> Compiled:
        """The rule that a derived row came by."""
        return self._program.compiled[entry.rule]

    def contradictions(self) -> list[tuple[str, Row]]:
        """The constraints that are broken, by name, with the row of their variables."""
        return [
            (made.rule.name, row)
            for made in self._program.constraints
            for row in sorted(self.tables[made.head.key], key=self.symbols.order)
        ]

    def sources(self, fact: Fact) -> tuple[str, ...]:
        """Where a given fact came from; empty when it was not given."""
        return tuple(dict.fromkeys(one for source in self.given for one in source.sources(fact)))

    def _table(self, key: Key) -> Table:
        if key not in self.tables:
            relation, arity = key
            near = did_you_mean(relation, (name for name, _ in self.tables))
            raise OptionError(
                f"No rule speaks of {relation!r} with {arity} {'argument' if arity == 1 else 'arguments'}, "
                f"so nothing is known of it here.{near} Ask the graph, or name a relation of the rules."
            )
        return self.tables[key]


class Closure(View):
    """A graph closed under its rules. See ``close``."""

    def __init__(self, program: Program, given: Sequence[Source], today: date | None, most: int) -> None:
        super().__init__(program, None, given, today)
        for made in program.compiled:
            for atom in (made.head, *made.rule.atoms, *made.rule.negated):
                for term in atom.terms:
                    if not isinstance(term, Variable):
                        self.symbols.number(term)
        self._most = most
        work = _Work(self, None, most)
        work.run((fact, weight) for source in given for fact, weight in source.facts(program.keys))
        self.own_given: Mapping[_Item, float] = work.given
        self.dependents: dict[_Item, list[_Item]] = defaultdict(list)
        self.blocked: dict[Absence, list[_Item]] = defaultdict(list)
        if program.shapes:  # only through 'not' can anything be taken away
            for key, table in self.tables.items():
                for row, entry in table.own():
                    for used in entry.used:
                        self.dependents[used].append((key, row))
                    for absence in entry.absent:
                        self.blocked[absence].append((key, row))

    @contextmanager
    def adding(
        self, facts: Iterable[Fact | Given], *, today: date | None = None, source: str = "the request", most: int = 100_000
    ) -> Iterator[View]:
        """See what follows when a few facts are added, and leave nothing behind.

        Args:
            facts: What the request says.
            today: The day on which it is asked, where rules speak of today and the closure was given none.
            source: What proofs say of facts that come without a source.
            most: How many facts may follow from them.

        Raises:
            DataError: More follows than may, or a fact is none.
            OptionError: Rules speak of today and nobody has said which day it is, or two days were said.

        Example:
            >>> rules = Rules.parse("mortal(?x) :- human(?x), not god(?x).  @relation god(?x).")
            >>> closure = close([Fact("human", ("Hercules",))], rules)
            >>> with closure.adding([Fact("god", ("Hercules",))]) as view:
            ...     view.holds(Fact("mortal", ("Hercules",)))
            False
            >>> closure.holds(Fact("mortal", ("Hercules",)))
            True
        """
        statements = Statements(facts, source=source)
        self._program.rules.check_facts(statements.relations())
        if today is not None and self.today is not None and today != self.today:
            raise OptionError(
                f"The closure is of {self.today}, but the request of {today}. Expected one day: close without `today`."
            )
        if self._program.rules.asks_for_today and today is None and self.today is None:
            raise OptionError("The rules speak of today, and nobody has said which day it is. Expected `today=…`.")
        day = [] if today is None or self.today is not None else [_day(today)]
        view = View(self._program, self, [*self.given, statements, *day], today or self.today)
        _Work(view, self, most).run(fact for part in (statements, *day) for fact in part.facts(self._program.keys))
        yield view


def close(
    facts: Source | Iterable[Fact | Given], rules: Rules, *, today: date | None = None, most: int = MOST_DERIVED
) -> Closure:
    """Derive all that follows from facts by rules.

    Only relations that rules speak of are loaded.

    Args:
        facts: A ``Knowledge``, or facts.
        rules: The rules. Those that stand for RDFS and OWL are added by ``Rules.of_schema``.
        today: The day of which rules speak as ``today``. Without it, each request says which day it is.
        most: How many facts may follow.

    Raises:
        DataError: Rules speak of a relation that is not known, or more follows than may; the message names the rule.

    Example:
        >>> rules = Rules.parse("@transitive part_of.")
        >>> closure = close([Fact("part_of", ("Lyon", "France")), Fact("part_of", ("France", "Europe"))], rules)
        >>> closure.holds(Fact("part_of", ("Lyon", "Europe")))
        True
    """
    source: Source = facts if hasattr(facts, "relations") else Statements(facts)  # type: ignore[assignment,arg-type]
    rules.check(source.relations(), complete=True)
    given: list[Source] = [source, Statements(rules.facts)]
    if today is not None:
        given.append(_day(today))
    return Closure(Program(rules), given, today, most)


def _day(today: date) -> Statements:
    return Statements([Fact(TODAY, (today,))], source="the day of the question")


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


class _Work:
    """One computation: from given facts to the fixpoint, over nothing or over a closed graph."""

    def __init__(self, view: View, below: Closure | None, most: int) -> None:
        self.view = view
        self.below = below
        self.program = view._program
        self.given: dict[_Item, float] = {}
        self.changed: dict[Key, dict[Row, None]] = defaultdict(dict)  # new, or for a better reason, or back again
        self.new: dict[Key, list[Row]] = defaultdict(list)
        self.taken: dict[Key, list[Row]] = defaultdict(list)
        self.left = most
        self.most = most
        self.counts: Counter[int] = Counter()
        self._delta: dict[Key, dict[Row, None]] = defaultdict(dict)

    def run(self, facts: Iterable[tuple[Fact, float]]) -> None:
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
                places = [place for place, part in enumerate(made.rule.body) if isinstance(part, Atom)]
                if first:  # all rows are new, so one way through them meets every combination
                    places = sorted(places, key=lambda place: len(delta.get(made.rule.body[place].key, ())))[:1]
                collect = self._collector(made)
                for place in places:
                    plan = made.begin_with[place]
                    for row in delta.get(made.rule.body[place].key, ()):
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
        waiting: list[_Item] = []
        for key in {atom.key for made in layer for atom in made.rule.negated}:
            for row in self.new.get(key, ()):
                if tables[key].get(row) is None or below.tables[key].get(row) is not None:
                    continue
                for places in self.program.shapes[key]:
                    waiting += below.blocked.get((key, places, tuple([row[place] for place in places])), ())
        for key, rows in self.taken.items():
            for row in rows:
                waiting += below.dependents.get((key, row), ())
        lost: dict[_Item, None] = {}
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


def computed_from(view: View, facts: Iterable[tuple[Fact, float]], most: int) -> None:
    """Fill an empty view with facts and all that follows."""
    _Work(view, None, most).run(facts)
