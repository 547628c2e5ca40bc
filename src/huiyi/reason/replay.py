"""Checking a proof step by step against facts and rules, without the engine that found it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from math import isclose, prod

from huiyi.reason.facts import Fact, Given, Key, Source, Statements, normal
from huiyi.reason.logic import ANONYMOUS, TODAY, Atom, Rule
from huiyi.reason.plain import Shelves, follows
from huiyi.reason.proof import EVIDENCE, Proof, Step, bound_by, filled, left_open
from huiyi.reason.rules import Rules

_TOLERANCE = 1e-9

Weigher = Callable[[Step, Sequence[Step]], list[str]]
"""Says what is wrong with a step that tells how probable a label is, given those it rests on."""


def replay(
    proof: Proof,
    facts: Source | Iterable[Fact | Given],
    rules: Rules,
    *,
    given: Iterable[Fact | Given] = (),
    today: date | None = None,
    source: str = "the request",
    evidence: Mapping[str, Weigher] | None = None,
    implied: Iterable[Fact | Given] = (),
) -> tuple[str, ...]:
    """Check a proof.

    Each given fact must be in the graph, among the rules or in the request, with this weight and from there. Each
    derived fact must follow from earlier steps by a rule of this name as it stands now, with these values. What the
    proof says is absent must be absent: that is looked up, and where rules could conclude it, worked out by a second
    evaluator.

    Args:
        proof: The proof.
        facts: The graph, or facts.
        rules: The rules.
        given: What the request said.
        today: The day on which it was asked.
        source: Where facts of the request came from when they do not say so.
        evidence: For each task whose labels are weighed by evidence, what checks that.
        implied: What evidence takes to be so with the request. Rules do not see it.

    Returns:
        What is wrong, one line each; nothing when all of it holds.

    Example:
        >>> from huiyi.reason import close, prove
        >>> people, rules = [Fact("human", ("Ada",))], Rules.parse("mortal(?x) :- human(?x).")
        >>> proof = prove(close(people, rules), Fact("mortal", ("Ada",)))
        >>> replay(proof, people, rules), replay(proof, [], rules)
        ((), ('step 1: human(Ada) is not among the facts',))
    """
    own: Source = facts if hasattr(facts, "relations") else Statements(facts)  # type: ignore[assignment]
    sources: list[Source] = [own, Statements(rules.facts), Statements(given, source=source)]
    if today is not None:
        sources.append(Statements([Fact(TODAY, (today,))], source="the day of the question"))
    absent = _Absences(proof, sources, rules)
    failures: list[str] = []
    for place, step in enumerate(proof.steps):
        weigher = (evidence or {}).get(step.fact.relation)
        if not step.rule:
            check = _given(step, [*sources, Statements(implied, source=source)])
        elif step.rule == EVIDENCE and weigher is not None:
            check = weigher(step, [proof.steps[earlier] for earlier in step.because if 0 <= earlier < place])
        else:
            check = _derived(step, place, proof.steps, rules, absent)
        failures += [f"step {place + 1}: {failure}" for failure in check]
    return tuple(failures)


def _given(step: Step, sources: Sequence[Source]) -> list[str]:
    """What is wrong with a fact that is said to be given."""
    if normal(step.fact) != step.fact or not (weight := max(source.weight(step.fact) for source in sources)):
        return [f"{step.fact} is not among the facts"]
    failures = []
    if step.because or step.bindings or step.absent or step.comparisons:
        failures.append(f"{step.fact} is given, and rests on nothing")
    if not isclose(weight, step.weight, rel_tol=_TOLERANCE):
        failures.append(f"{step.fact} has the weight {weight:g}, not {step.weight:g}")
    said = {one for source in sources for one in source.sources(step.fact)}
    if wrong := [one for one in step.sources if one not in said]:
        failures.append(f"{step.fact} does not come from {wrong[0]}")
    return failures


def _derived(step: Step, place: int, steps: Sequence[Step], rules: Rules, absent: _Absences) -> list[str]:
    """What is wrong with a fact that is said to follow."""
    rule = rules.by_name.get(step.rule)
    if rule is None:
        return [f"there is no rule {step.rule!r}"]
    if not all(0 <= earlier < place for earlier in step.because):
        return [f"{step.fact} rests on a step that is not before it"]
    bindings = bound_by(rule, [steps[earlier].fact for earlier in step.because])
    if bindings is None:
        return [f"the steps before do not meet the conditions of the rule {step.rule!r}"]
    failures = []
    if rule.concludes.fact(bindings) != step.fact:
        failures.append(f"{step.fact} is not what the rule {step.rule!r} concludes")
    if {name: value for name, value in bindings.items() if not name.startswith(ANONYMOUS)} != dict(step.bindings):
        failures.append(f"the values of the variables of the rule {step.rule!r} are others")
    if tuple(filled(comparison, bindings) for comparison in rule.comparisons) != step.comparisons:
        failures.append(f"the comparisons of the rule {step.rule!r} are others")
    expected = tuple(left_open(atom.bound(bindings)) for atom in rule.negated)
    if expected != step.absent:
        failures.append(f"what must be absent for the rule {step.rule!r} is something else")
    failures += [
        f"{atom} is known, so the rule {step.rule!r} does not apply" for atom in expected if absent.known(atom)
    ]
    weight = rule.weight * prod(steps[earlier].weight for earlier in step.because)
    if not isclose(weight, step.weight, rel_tol=_TOLERANCE):
        failures.append(f"the weight of {step.fact} is {weight:g}, not {step.weight:g}")
    if step.sources:
        failures.append(f"{step.fact} follows, and does not come from {step.sources[0]}")
    return failures


class _Absences:
    """What is known of the relations that a proof says something is absent of."""

    def __init__(self, proof: Proof, sources: Sequence[Source], rules: Rules) -> None:
        negated = {atom.key for step in proof.steps for atom in step.absent}
        for step in proof.steps:
            if step.rule in rules.by_name:
                negated |= {atom.key for atom in rules.by_name[step.rule].negated}
        self._shelves = Shelves(())
        if not negated:
            return
        layers, keys = _below(rules, negated)
        facts: dict[Fact, float] = {}
        for source in sources:
            for fact, weight in source.facts(keys):
                facts[fact] = max(weight, facts.get(fact, 0.0))
        self._shelves = Shelves(follows(facts, layers))

    def known(self, atom: Atom) -> bool:
        """Whether any fact of a shape is known."""
        return not self._shelves.lack(atom)


def _below(rules: Rules, keys: set[Key]) -> tuple[list[list[Rule]], set[Key]]:
    """The rules on which relations depend, in their layers, and all relations that these speak of."""
    wanted = set(keys)
    layers: list[list[Rule]] = []
    for layer in reversed(rules.strata):  # a layer depends on itself and on those before it
        kept = [rule for rule in layer if rule.head is not None and rule.head.key in wanted]
        if kept:
            kept = [rule for rule in layer if rule.head is not None]
        wanted |= {atom.key for rule in kept for atom in (*rule.atoms, *rule.negated, rule.concludes)}
        layers.insert(0, kept)
    return layers, wanted
