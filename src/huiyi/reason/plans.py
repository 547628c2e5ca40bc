"""How a rule is carried out: from where it begins, one look-up after the other, as a chain of small functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from huiyi.reason.facts import Key, Value
from huiyi.reason.logic import (
    ANONYMOUS,
    Atom,
    Comparison,
    Expression,
    Negation,
    Part,
    Rule,
    Variable,
    compare,
    evaluate,
    variables_of,
)
from huiyi.reason.tables import Absence, Places, Row, Symbols, Table


class State(Protocol):
    """What a plan looks things up in."""

    @property
    def symbols(self) -> Symbols:
        """Values and their numbers."""

    @property
    def tables(self) -> Mapping[Key, Table]:
        """The rows of each relation."""


Environment = list[int]
"""The value of each variable, -1 where it has none."""

Emit = Callable[[Environment], None]
Step = Callable[[State, Environment, Emit], None]


@dataclass
class Compiled:
    """A rule ready to be carried out.

    Attributes:
        number: Its place among the rules.
        rule: The rule.
        head: What it concludes.
        slots: The place of each variable in an environment.
        conditions: The place in the body, and the relation, of each condition without ``not``.
        begin_with: For each condition and each negated condition, by its place in the body: the plan that begins with
            a row of it.
        begin_with_head: The plan that begins with a row of the head.
        begin: The plan that begins with nothing.
        indexed: Relation and places by which the plans look rows up.
    """

    number: int
    rule: Rule
    head: Atom
    slots: dict[str, int]
    conditions: list[tuple[int, Key]] = field(default_factory=list)
    begin_with: dict[int, Plan] = field(default_factory=dict)
    begin_with_head: Plan | None = None
    begin: Plan | None = None
    indexed: set[tuple[Key, Places]] = field(default_factory=set)


@dataclass(frozen=True)
class Plan:
    """Where to begin, and the chain of steps."""

    first: Atom | None
    constants: tuple[tuple[int, Value], ...]
    binds: tuple[tuple[int, int], ...]
    equal: tuple[tuple[int, int], ...]
    step: Step
    width: int

    def run(self, state: State, row: Row, emit: Emit) -> None:
        """Carry it out from one row of what it begins with."""
        for place, value in self.constants:
            if state.symbols.known(value) != row[place]:
                return
        environment = [-1] * self.width
        for place, slot in self.binds:
            environment[slot] = row[place]
        for place, slot in self.equal:
            if environment[slot] != row[place]:
                return
        self.step(state, environment, emit)


def compiled(number: int, rule: Rule) -> Compiled:
    """Make the plans of a rule."""
    slots = {name: slot for slot, name in enumerate(rule.variables)}
    wild = {name for atom in rule.negated for name in atom.variables if name.startswith(ANONYMOUS)}
    made = Compiled(number, rule, rule.concludes, slots)
    for place, part in enumerate(rule.body):
        if isinstance(part, Atom):
            made.conditions.append((place, part.key))
            made.begin_with[place] = _plan(made, part, [other for other in rule.body if other is not part])
        elif isinstance(part, Negation):
            made.begin_with[place] = _plan(made, part.atom, list(rule.body), wild)
    made.begin_with_head = _plan(made, rule.concludes, list(rule.body))
    if not rule.atoms:
        made.begin = _plan(made, None, list(rule.body))
    return made


def _plan(made: Compiled, first: Atom | None, rest: list[Part], wild: Collection[str] = ()) -> Plan:
    """A plan that begins with a row of an atom, and then does what is cheapest next."""
    constants, binds, equal = [], [], []
    bound: set[str] = set()
    for place, term in enumerate(first.terms if first is not None else ()):
        if not isinstance(term, Variable):
            constants.append((place, term))
        elif term.name in wild:
            continue
        elif term.name in bound:
            equal.append((place, made.slots[term.name]))
        else:
            binds.append((place, made.slots[term.name]))
            bound.add(term.name)
    steps = _ordered(made, rest, bound)
    step: Step = _emit
    for make in reversed(steps):
        step = make(step)
    return Plan(first, tuple(constants), tuple(binds), tuple(equal), step, len(made.slots))


def _emit(state: State, environment: Environment, emit: Emit) -> None:
    emit(environment)


def _ordered(made: Compiled, rest: list[Part], bound: set[str]) -> list[Callable[[Step], Step]]:
    """The steps of the parts that remain: what only tests comes first, then the atom with most known places."""
    steps: list[Callable[[Step], Step]] = []
    waiting = list(rest)
    while waiting:
        part = _next_of(waiting, bound)
        waiting.remove(part)
        if isinstance(part, Atom):
            steps.append(_match(made, part, bound))
            bound |= set(part.variables)
        elif isinstance(part, Negation):
            steps.append(_absent(made, part.atom))
        else:
            steps.append(_compare(made, part, bound))
            bound |= {side.name for side in (part.left, part.right) if isinstance(side, Variable)}
    return steps


def _next_of(waiting: Sequence[Part], bound: set[str]) -> Part:
    for part in waiting:
        if isinstance(part, Negation):
            if all(name in bound or name.startswith(ANONYMOUS) for name in part.atom.variables):
                return part
        elif isinstance(part, Comparison):
            unknown = {*variables_of(part.left), *variables_of(part.right)} - bound
            sides = [side for side in (part.left, part.right) if isinstance(side, Variable) and side.name in unknown]
            if not unknown or (part.sign == "=" and len(unknown) == 1 and len(sides) == 1):
                return part

    def known(atom: Atom) -> tuple[bool, int]:
        free = sum(isinstance(term, Variable) and term.name not in bound for term in atom.terms)
        return free < len(atom.terms), -free

    return max((part for part in waiting if isinstance(part, Atom)), key=known)


def _match(made: Compiled, atom: Atom, bound: set[str]) -> Callable[[Step], Step]:
    """Go through the rows of a relation that fit what is known."""
    key = atom.key
    places, sources, binds, equal = [], [], [], []
    fresh: set[str] = set()
    for place, term in enumerate(atom.terms):
        if not isinstance(term, Variable):
            places.append(place)
            sources.append((-1, term))
        elif term.name in bound:
            places.append(place)
            sources.append((made.slots[term.name], ""))
        elif term.name in fresh:
            equal.append((place, made.slots[term.name]))
        else:
            binds.append((place, made.slots[term.name]))
            fresh.add(term.name)
    fixed = tuple(places)
    every = len(fixed) == len(atom.terms)
    if not every:
        made.indexed.add((key, fixed))
    values = _values(sources)

    def step_of(following: Step) -> Step:
        def step(state: State, environment: Environment, emit: Emit) -> None:
            wanted = values(state, environment)
            table = state.tables[key]
            if every:
                if table.get(wanted) is not None:
                    following(state, environment, emit)
                return
            for row in table.find(fixed, wanted):
                for place, slot in binds:
                    environment[slot] = row[place]
                for place, slot in equal:
                    if environment[slot] != row[place]:
                        break
                else:
                    following(state, environment, emit)

        return step

    return step_of


def _absent(made: Compiled, atom: Atom) -> Callable[[Step], Step]:
    """Go on only where nothing fits."""
    key = atom.key
    absence = absence_of(made, atom)
    every = len(absence_places(atom)) == len(atom.terms)
    if not every:
        made.indexed.add((key, absence_places(atom)))

    def step_of(following: Step) -> Step:
        def step(state: State, environment: Environment, emit: Emit) -> None:
            _, places, wanted = absence(state, environment)
            table = state.tables[key]
            if table.get(wanted) is None if every else not table.find(places, wanted):
                following(state, environment, emit)

        return step

    return step_of


def absence_places(atom: Atom) -> Places:
    """The places of a negated atom that are not left open."""
    return tuple(
        place
        for place, term in enumerate(atom.terms)
        if not (isinstance(term, Variable) and term.name.startswith(ANONYMOUS))
    )


def absence_of(made: Compiled, atom: Atom) -> Callable[[State, Environment], Absence]:
    """What a negated atom says is not there, once its variables have values."""
    places = absence_places(atom)
    terms = [atom.terms[place] for place in places]
    values = _values([(made.slots[term.name], "") if isinstance(term, Variable) else (-1, term) for term in terms])
    key = atom.key
    return lambda state, environment: (key, places, values(state, environment))


def row_of(made: Compiled, atom: Atom) -> Callable[[State, Environment], Row]:
    """The row that an atom is, once its variables have values."""
    return _values([(made.slots[term.name], "") if isinstance(term, Variable) else (-1, term) for term in atom.terms])


def _values(sources: Sequence[tuple[int, Value]]) -> Callable[[State, Environment], Row]:
    """The numbers of some variables and constants; a constant that nobody has used gets a number."""
    if all(slot >= 0 for slot, _ in sources):
        slots = [slot for slot, _ in sources]
        if len(slots) == 1:
            only = slots[0]
            return lambda state, environment: (environment[only],)
        if len(slots) == 2:
            one, two = slots
            return lambda state, environment: (environment[one], environment[two])
        return lambda state, environment: tuple([environment[slot] for slot in slots])
    return lambda state, environment: tuple(
        [environment[slot] if slot >= 0 else state.symbols.number(value) for slot, value in sources]
    )


def _compare(made: Compiled, part: Comparison, bound: set[str]) -> Callable[[Step], Step]:
    """Go on only where a comparison holds, or give a variable its value."""
    slots = {name: made.slots[name] for name in (*variables_of(part.left), *variables_of(part.right))}
    for side, other in ((part.left, part.right), (part.right, part.left)):
        if part.sign == "=" and isinstance(side, Variable) and side.name not in bound:
            return _assign(made.slots[side.name], other, {name: at for name, at in slots.items() if name != side.name})

    def step_of(following: Step) -> Step:
        def step(state: State, environment: Environment, emit: Emit) -> None:
            value = state.symbols.value
            bindings = {name: value(environment[slot]) for name, slot in slots.items()}
            if compare(part.sign, evaluate(part.left, bindings), evaluate(part.right, bindings)):
                following(state, environment, emit)

        return step

    return step_of


def _assign(target: int, expression: Expression, slots: Mapping[str, int]) -> Callable[[Step], Step]:
    """Give a variable the value of an expression; where that has none, do not go on."""

    def step_of(following: Step) -> Step:
        def step(state: State, environment: Environment, emit: Emit) -> None:
            bindings = {name: state.symbols.value(environment[slot]) for name, slot in slots.items()}
            value = evaluate(expression, bindings)
            if value is not None:
                environment[target] = state.symbols.number(value)
                following(state, environment, emit)

        return step

    return step_of
