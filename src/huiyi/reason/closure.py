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

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date

from huiyi.errors import OptionError, did_you_mean
from huiyi.reason.engine import Program, Work
from huiyi.reason.facts import Fact, Given, Key, Source, Statements, Value, normal, normalised
from huiyi.reason.logic import TODAY, Variable
from huiyi.reason.plans import Compiled
from huiyi.reason.rules import Rules
from huiyi.reason.tables import Absence, Entry, Item, Row, Symbols, Table

MOST_DERIVED = 1_000_000
"""How many facts may follow, unless another limit is given. Past it, the rules are taken to be endless."""

_WHICH_DAY = "The rules speak of today, and nobody has said which day it is. Expected `today=…`."


class View:
    """Facts and all that follows from them. Made by ``close`` and ``Closure.adding``, never by hand."""

    def __init__(self, program: Program, below: View | None, given: Sequence[Source], today: date | None) -> None:
        self.rules = program.rules
        self.today = today
        self.given = tuple(given)
        self.symbols: Symbols = Symbols(None if below is None else below.symbols)
        self.tables: dict[Key, Table] = {
            key: Table(program.indexed[key], None if below is None else below.tables[key]) for key in program.keys
        }
        self._program = program
        self._below = below

    def holds(self, fact: Fact) -> bool:
        """Whether a fact was given or follows.

        Raises:
            OptionError: No rule speaks of its relation, so nothing was loaded of it; or rules speak of today, and
                nobody has said which day it is.
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
            >>> rules = Rules.parse("mortal(?x) :- human(?x).")
            >>> closure = close([Fact("human", ("Ada",)), Fact("human", ("Bo",))], rules)
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
        if self.rules.asks_for_today and self.today is None:  # what depends on it would look as if it were not so
            raise OptionError(_WHICH_DAY)
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
        work = Work(self, None, most)
        with _uncollected():
            work.run((fact, weight) for source in given for fact, weight in source.facts(program.keys))
        self.own_given: Mapping[Item, float] = work.given
        self.dependents: dict[Item, list[Item]] = defaultdict(list)
        self.blocked: dict[Absence, list[Item]] = defaultdict(list)
        if program.shapes:  # only through 'not' can anything be taken away
            for key, table in self.tables.items():
                for row, entry in table.own():
                    for used in entry.used:
                        self.dependents[used].append((key, row))
                    for absence in entry.absent:
                        self.blocked[absence].append((key, row))

    @contextmanager
    def adding(
        self,
        facts: Iterable[Fact | Given],
        *,
        today: date | None = None,
        source: str = "the request",
        most: int = 100_000,
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
            raise OptionError(_WHICH_DAY)
        day = [] if today is None or self.today is not None else [_day(today)]
        view = View(self._program, self, [*self.given, statements, *day], today or self.today)
        Work(view, self, most).run(fact for part in (statements, *day) for fact in part.facts(self._program.keys))
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
    source: Source = facts if hasattr(facts, "relations") else Statements(facts)  # type: ignore[assignment]
    rules.check(source.relations(), complete=True)
    given: list[Source] = [source, Statements(rules.facts)]
    if today is not None:
        given.append(_day(today))
    return Closure(Program(rules), given, today, most)


def _day(today: date) -> Statements:
    return Statements([Fact(TODAY, (today,))], source="the day of the question")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let Python not look for circles meanwhile: there are none, and it would walk all rows again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def computed_from(view: View, facts: Iterable[tuple[Fact, float]], most: int) -> None:
    """Fill an empty view with facts and all that follows."""
    Work(view, None, most).run(facts)
