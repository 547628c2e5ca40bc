"""Proofs of what mined rules predict: the facts of the graph that meet a rule's conditions."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from huiyi.reason.proof import Proof, Step, bound_by, filled

if TYPE_CHECKING:
    from huiyi.reason.facts import Fact, Source
    from huiyi.reason.logic import Rule
    from huiyi.reason.rulebook import MinedRules


def proof_by(rules: MinedRules, row: int, rule: Rule, head: int, tail: int, source: Source) -> Proof:
    """The proof of a fact by one rule that predicts it. Of several it is the first in the order of the things.

    Args:
        rules: Rules and graph.
        row: Which of them.
        rule: The same one, as a rule.
        head: Number of the fact's first argument.
        tail: Number of its second.
        source: Where the facts of the graph came from, and how sure they are.
    """
    facts = _grounding(rules, row, head, tail)
    bindings = bound_by(rule, facts)
    assert bindings is not None, "what a rule predicts meets its conditions"
    given = [Step(fact, source.weight(fact), sources=source.sources(fact)) for fact in facts]
    last = Step(
        fact=rule.concludes.fact(bindings),
        weight=rule.weight * prod(step.weight for step in given),
        rule=rule.name,
        because=tuple(range(len(given))),
        bindings=bindings,
        comparisons=tuple(filled(comparison, bindings) for comparison in rule.comparisons),
    )
    return Proof((*given, last))


def _grounding(rules: MinedRules, row: int, head: int, tail: int) -> list[Fact]:
    """The first facts that meet the conditions of a rule, in their order."""
    triples, book = rules.triples, rules.book
    body = [int(way) for way in book.bodies[row] if way >= 0]
    if book.constants[row] < 0:
        way = [head, *_between(rules, body, head, tail), tail]
        return [triples.fact(step, *way[at : at + 2]) for at, step in enumerate(body)]
    start, constant = (head, tail) if book.heads[row] < len(triples.relations) else (tail, head)
    if body[0] >= 2 * len(triples.relations):
        return [triples.kind(body[0], start)]
    end = int(book.ends[row])
    if end < 0:
        own = body[0] == book.heads[row]
        end = next(thing for thing in _from(rules, body[0], start) if not (own and thing == constant))
    return [triples.fact(body[0], start, end)]


def _between(rules: MinedRules, body: list[int], head: int, tail: int) -> list[int]:
    """The things between the two ends of a path."""
    if len(body) == 1:
        return []
    back = rules.triples.back
    before = [thing for thing in _from(rules, int(back(body[-1])), tail) if thing != head]
    if len(body) == 2:
        return [next(iter(np.intersect1d(before, _from(rules, body[0], head)).tolist()))]
    for first in _from(rules, body[0], head):
        if first != tail and len(second := np.intersect1d(before, _from(rules, body[1], first))):
            return [first, int(second[0])]
    raise AssertionError("what a path predicts is at its end")


def _from(rules: MinedRules, way: int, thing: int) -> list[int]:
    """Where a way leads from a thing, in order."""
    matrix = rules.triples.ways[way]
    return sorted(matrix.indices[matrix.indptr[thing] : matrix.indptr[thing + 1]].tolist())
