"""What is broken: each constraint that does not hold, with as few facts as break it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from huiyi.reason.closure import MOST_DERIVED, View, computed_from
from huiyi.reason.engine import Program
from huiyi.reason.facts import Fact, Given, Key
from huiyi.reason.logic import Atom, Negation, Rule
from huiyi.reason.proof import Proof, proof_of
from huiyi.reason.rules import Rules
from huiyi.reason.tables import Row, Symbols


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A constraint that is broken.

    Attributes:
        rule: The constraint.
        facts: Given facts that break it together. Without any one of them they no longer do, whatever else is
            known staying absent.
        proof: How they break it.
    """

    rule: Rule
    facts: tuple[Given, ...]
    proof: Proof

    def __str__(self) -> str:
        said = "; ".join(f"{given.fact} ({given.source})" if given.source else str(given.fact) for given in self.facts)
        return f"{self.rule.name} is broken by: {said}"


def contradictions(view: View, *, most: int = 100) -> tuple[Contradiction, ...]:
    """The constraints that facts break, and for each a minimal set of given facts.

    Args:
        view: What is known.
        most: How many are looked at.

    Example:
        >>> from huiyi.reason import close
        >>> rules = Rules.parse("@rule 'dead or alive' :- dead(?x), alive(?x).  alive(?x) :- speaks(?x).")
        >>> closure = close([Fact("dead", ("Ada",)), Fact("speaks", ("Ada",)), Fact("speaks", ("Bo",))], rules)
        >>> print(contradictions(closure)[0])
        dead or alive is broken by: dead(Ada) (given); speaks(Ada) (given)
    """
    found = view.contradictions()[:most]
    if not found:
        return ()
    program = Program(_with_fixed_absences(view.rules))
    return tuple(_contradiction(view, program, name, row) for name, row in found)


def _contradiction(view: View, program: Program, name: str, row: Row) -> Contradiction:
    """Take facts away, one after the other, as long as the rest still breaks the constraint."""
    rule = view.rules.by_name[name]
    key = rule.concludes.key
    proof = proof_of(view, key, row)
    kept = {step.fact: step.weight for step in proof.given}
    for fact in list(kept):
        fewer = {other: weight for other, weight in kept.items() if other != fact}
        if _breaks(view, program, fewer, key, row):
            kept = fewer
    return Contradiction(
        rule,
        tuple(Given(fact, weight, ", ".join(view.sources(fact))) for fact, weight in kept.items()),
        proof,
    )


def _breaks(view: View, program: Program, facts: dict[Fact, float], key: Key, row: Row) -> bool:
    """Whether some facts break a constraint, nothing that was absent having appeared."""
    alone = View(program, None, (), view.today)
    alone.symbols = Symbols(view.symbols)
    for relation, arity in program.keys:
        if relation.startswith(_NOT):
            alone.tables[relation, arity] = view.tables[relation.removeprefix(_NOT), arity]
    computed_from(alone, facts.items(), MOST_DERIVED)
    return alone.tables[key].get(row) is not None


_NOT = "\0not "


def _with_fixed_absences(rules: Rules) -> Rules:
    """The same rules, negating relations of other names, in which nothing changes."""
    return Rules(
        [
            replace(
                rule,
                body=tuple(
                    Negation(Atom(_NOT + part.atom.relation, part.atom.terms)) if isinstance(part, Negation) else part
                    for part in rule.body
                ),
            )
            for rule in rules.rules
        ]
    )
