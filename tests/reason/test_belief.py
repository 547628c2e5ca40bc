"""Probabilities that findings revise, and the proof of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huiyi.reason import Evidence, Fact, Proof, Statements, Step
from huiyi.reason.belief import Belief, said_of
from huiyi.reason.logic import Atom

PAIRS = [("flu", "fever"), ("flu", "ache"), ("flu", "where"), ("cold", "cough"), ("measles", "fever")]
GRAPH = Statements([*(Fact("has_symptom", pair) for pair in PAIRS), Fact("sub_question_of", ("where", "ache"))])
EVIDENCE = Evidence.of(GRAPH, ["measles", "flu", "cold"])
LABELS = ("MEASLES", "FLU", "COLD")
BELIEF = Belief("illness", LABELS, np.array([3, 0, 1]), replace(EVIDENCE, trust=0.7, temperature=1.4))
"""Of a task of five labels: FLU, COLD, gout, MEASLES, well."""
SAID: dict[str, bool] = {"fever": True, "cough": False}


def shown(fact: Fact) -> Proof:
    return Proof((Step(fact, 1.0),))


def priors(rows: int) -> Any:
    return np.random.default_rng(rows).dirichlet(np.ones(5), rows)


shares = st.lists(st.floats(0, 1), min_size=5, max_size=5).map(np.array)
states = st.dictionaries(st.sampled_from(["fever", "ache", "cough"]), st.booleans())


@settings(max_examples=50)
@given(shares, states)
def test_what_is_revised_and_what_stays(prior: Any, known: dict[str, bool]) -> None:
    revised = BELIEF.revise(prior[None, :], [known])[0]
    assert (revised[[2, 4]] == prior[[2, 4]]).all(), "to the bit"
    assert revised[[0, 1, 3]].sum() == pytest.approx(prior[[0, 1, 3]].sum(), abs=1e-12)
    if not known or not prior[[0, 1, 3]].sum():
        assert (revised == prior).all(), "to the bit"
    else:
        observed = BELIEF.evidence.findings.observe([known])
        expected = BELIEF.evidence.revise(prior[None, [3, 0, 1]], observed)[0] * prior[[0, 1, 3]].sum()
        np.testing.assert_allclose(revised[[3, 0, 1]], expected, atol=1e-12)


def test_each_row_is_revised_by_what_it_says_alone() -> None:
    rows, known = priors(4), [{}, SAID, {"where": False}, {"ache": True}]
    together = BELIEF.revise(rows, known)
    for row in range(4):
        assert (together[row] == BELIEF.revise(rows[[row]], [known[row]])[0]).all()
    assert (together[0] == rows[0]).all()
    assert (together[2] == rows[2]).all(), "that a finding is absent says nothing while its parent is not known"
    assert (together[1] != rows[1]).any()
    assert BELIEF.revise(rows, known) is not rows
    assert (rows == priors(4)).all(), "what is given is left as it is"


def test_without_trust_nothing_changes() -> None:
    rows = priors(3)
    wary = replace(BELIEF, evidence=replace(EVIDENCE, trust=0.0, temperature=3.0))
    assert (wary.revise(rows, [SAID] * 3) == rows).all()
    assert not wary.counts(rows[0], SAID, "FLU")
    assert wary.prove(rows[0], SAID, "FLU", shown) is None


def proof(label: str = "FLU", known: dict[str, bool] = SAID) -> Proof:
    found = BELIEF.prove(priors(1)[0], known, label, shown)
    assert found is not None
    return found


def checked(step: Step, known: dict[str, bool] = SAID, before: Any = None) -> list[str]:
    before = proof("FLU", SAID).steps[:-1] if before is None else before
    return BELIEF.replay(step, before, priors(1)[0], known)


def test_a_proof_tells_what_revise_finds() -> None:
    for column, label in ((0, "FLU"), (1, "COLD"), (3, "MEASLES")):
        last = proof(label).steps[-1]
        assert last.fact == Fact("illness", ("request", label))
        assert last.weight == pytest.approx(BELIEF.revise(priors(1), [SAID])[0, column], abs=1e-12)
        assert last.bindings == {name: priors(1)[0, place] for name, place in zip(LABELS, (3, 0, 1), strict=True)}
        assert BELIEF.replay(last, proof(label).steps[:-1], priors(1)[0], SAID) == []
        again = Proof.from_json(proof(label).to_json())
        assert BELIEF.replay(again.steps[-1], again.steps[:-1], priors(1)[0], SAID) == []
    grounds = [step.fact for step in proof().steps[:-1]]
    assert said_of("fever", True) in grounds
    assert Fact("has_symptom", ("flu", "fever")) in grounds, "the label's own fact"
    assert Fact("has_symptom", ("cold", "cough")) in grounds, "the fact of another, which speaks against it"
    assert BELIEF.prove(priors(1)[0], {}, "FLU", shown) is None
    assert BELIEF.prove(priors(1)[0], {"where": False}, "FLU", shown) is None
    assert BELIEF.prove(priors(1)[0], SAID, "gout", shown) is None, "the graph does not speak of it"
    assert BELIEF.prove(np.array([0, 0, 1.0, 0, 0]), SAID, "FLU", shown) is None


@pytest.mark.parametrize(
    "change",
    [
        {"fact": Fact("illness", ("request", "gout"))},
        {"fact": Fact("illness", ("request", "COLD"))},
        {"fact": Fact("illness", ("somebody", "FLU"))},
        {"fact": Fact("illness", ("FLU",))},
        {"fact": Fact("illness", ())},
        {"fact": Fact("mood", ("request", "FLU"))},
        {"weight": 0.999},
        {"weight": float("nan")},
        {"bindings": {}},
        {"bindings": dict.fromkeys(LABELS, 0.0)},
        {"bindings": dict.fromkeys(LABELS, float("nan"))},
        {"bindings": dict.fromkeys(LABELS, -1.0)},
        {"bindings": dict.fromkeys(LABELS, 1 / 3)},
        {"bindings": dict.fromkeys(LABELS, "many")},
        {"bindings": {**proof().steps[-1].bindings, "gout": 0.1}},
        {"comparisons": ()},
        {"comparisons": proof().steps[-1].comparisons[::-1]},
        {"comparisons": ("fever +9.99", proof().steps[-1].comparisons[1])},
        {"absent": (Atom("a", ("b",)),)},
        {"sources": ("a book",)},
    ],
)
def test_an_altered_step_is_found_out(change: dict[str, Any]) -> None:
    last = proof().steps[-1]
    assert checked(last) == []
    assert len(checked(replace(last, **change))) == 1, change


def test_other_findings_are_found_out() -> None:
    """Even where all the rest was worked out anew to fit."""
    one, other = proof("FLU", {"fever": True}), proof("FLU", {"fever": False, "cough": False})
    for false in (one, other):
        assert checked(false.steps[-1], SAID, false.steps[:-1]) != []
        assert checked(proof().steps[-1], SAID, false.steps[:-1]) == ["the findings that 'FLU' rests on are others"]
    assert checked(proof().steps[-1], SAID, proof().steps[1:-1]) == ["the findings that 'FLU' rests on are others"]
    forged = BELIEF.prove(np.array([0.9, 0.05, 0.0, 0.05, 0.0]), SAID, "FLU", shown)
    assert forged is not None
    assert checked(forged.steps[-1]) == ["the probabilities before the step on 'FLU' are others"]


def test_the_order_of_the_labels_in_a_file_does_not_matter() -> None:
    last = proof().steps[-1]
    assert checked(replace(last, bindings=dict(sorted(last.bindings.items())))) == []


def test_names_that_read_as_numbers_and_days() -> None:
    pairs = [("37", "39.5"), ("2026-01-01", "40")]
    evidence = Evidence.of(Statements([Fact("has_symptom", pair) for pair in pairs]), ["37", "2026-01-01"])
    belief = Belief("illness", ("37", "2026-01-01"), np.array([0, 1]), evidence)
    prior, known = np.array([0.6, 0.4]), {"39.5": True, "40": False}
    found = belief.prove(prior, known, "2026-01-01", shown)
    assert found is not None
    again = Proof.from_json(found.to_json())
    assert again == found
    assert belief.replay(again.steps[-1], again.steps[:-1], prior, known) == []
