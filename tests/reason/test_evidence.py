"""Evidence: what findings do to probabilities, held against an enumeration of the whole network."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huiyi.errors import DataError, OptionError
from huiyi.reason import Evidence, EvidenceConfig, Fact, Given, Statements

CANDIDATES = ("flu", "cold", "measles")
SYMPTOMS = ("fever", "cough", "rash", "ache")
STRENGTHS = EvidenceConfig(relations={"has_symptom": 1.0}, leak=0.05)


def graph(weights: Mapping[tuple[str, str], float], *more: Fact) -> Statements:
    return Statements([*(Given(Fact("has_symptom", pair), weight) for pair, weight in weights.items()), *more])


SMALL = graph(
    {
        ("flu", "fever"): 0.9,
        ("flu", "cough"): 0.6,
        ("flu", "ache"): 0.7,
        ("cold", "cough"): 0.8,
        ("measles", "rash"): 0.95,
        ("measles", "fever"): 0.8,
    },
    Fact("sub_question_of", ("rash", "fever")),
    *(Fact("has_value", ("ache", value)) for value in ("dull", "sharp")),
    Fact("has_none_value", ("ache", "none")),
)


def revised(evidence: Evidence, answers: Mapping[str, object], prior: Sequence[float] | None = None) -> np.ndarray:
    start = np.full((1, len(evidence.candidates)), 1.0) if prior is None else np.array([prior])
    return evidence.revise(start, evidence.findings.observe([answers]))[0]  # type: ignore[list-item]


def enumerated(
    prior: Sequence[float], weights: Mapping[tuple[str, str], float], leak: float, answers: Mapping[str, bool | None]
) -> np.ndarray:
    """Posterior by adding up every state of every cause: candidates, the leak of each finding, and each link."""
    total = np.zeros(len(prior))
    for place, candidate in enumerate(CANDIDATES):
        chance = prior[place]
        for finding in SYMPTOMS:
            link = weights.get((candidate, finding), 0.0)
            share = 0.0
            for by_candidate, by_other in itertools.product((True, False), repeat=2):
                state = (link if by_candidate else 1 - link) * (leak if by_other else 1 - leak)
                if answers.get(finding) is None or answers[finding] == (by_candidate or by_other):
                    share += state
            chance *= share
        total[place] = chance
    return total / total.sum()


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(CANDIDATES), st.sampled_from(SYMPTOMS)), st.floats(0.05, 0.95), min_size=1
    ),
    st.lists(st.floats(0.05, 1), min_size=3, max_size=3),
    st.dictionaries(st.sampled_from(SYMPTOMS), st.sampled_from([True, False, None])),
    st.floats(0.01, 0.5),
)
def test_it_is_the_posterior_of_the_network(
    weights: dict[tuple[str, str], float], prior: list[float], answers: dict[str, bool | None], leak: float
) -> None:
    evidence = Evidence.of(graph(weights), CANDIDATES, EvidenceConfig(relations={"has_symptom": 1.0}, leak=leak))
    known = {name: answer for name, answer in answers.items() if name in evidence.findings.names}
    found = revised(evidence, known, prior)
    assert found == pytest.approx(enumerated(prior, weights, leak, known), abs=1e-9)
    for place, candidate in enumerate(CANDIDATES):
        account = evidence.account(np.array(prior), known, candidate)
        assert account.prior + sum(one.log_odds for one in account.contributions) == pytest.approx(
            account.log_odds, abs=1e-9
        )
        assert 1 / (1 + np.exp(-account.log_odds)) == pytest.approx(found[place], abs=1e-9)


def test_contributions_cite_facts() -> None:
    evidence = Evidence.of(SMALL, CANDIDATES, STRENGTHS)
    account = evidence.account(np.ones(3), {"fever": True, "cough": False}, "cold")
    assert {one.finding: str(one.fact) for one in account.contributions} == {
        "cough": "has_symptom(cold, cough)",
        "fever": "has_symptom(measles, fever)",  # the likeliest candidate that brings it is cited
    }
    assert all(one.log_odds < 0 for one in account.contributions)
    only = Evidence.of(SMALL, ["flu"], STRENGTHS)
    assert only.account(np.ones(1), {"fever": True}, "flu").contributions == ()


def test_between_two_candidates_contributions_are_log_ratios() -> None:
    evidence = Evidence.of(graph({("flu", "fever"): 0.9, ("cold", "cough"): 0.8}), ["flu", "cold"], STRENGTHS)
    account = evidence.account(np.array([0.3, 0.7]), {"fever": True, "cough": False}, "flu")
    said = {one.finding: one.log_odds for one in account.contributions}
    assert said["fever"] == pytest.approx(np.log((1 - 0.95 * 0.1) / 0.05))
    assert said["cough"] == pytest.approx(-np.log(1 - 0.8))
    assert account.prior == pytest.approx(np.log(0.3 / 0.7))


def test_absent_is_not_unknown() -> None:
    evidence = Evidence.of(SMALL, CANDIDATES, STRENGTHS)
    even = revised(evidence, {})
    assert even == pytest.approx([1 / 3] * 3)
    assert revised(evidence, {"fever": None}) == pytest.approx(even)
    assert revised(evidence, {"fever": False})[1] > 0.6
    assert revised(evidence, {"fever": True})[1] < 0.05


def test_what_presupposes_something() -> None:
    evidence = Evidence.of(SMALL, CANDIDATES, STRENGTHS)
    states = evidence.findings.states
    assert states({"rash": True}) == {"rash": True, "fever": True}
    assert revised(evidence, {"rash": False}) == pytest.approx([1 / 3] * 3)  # whether there is fever is not known
    assert revised(evidence, {"rash": False, "fever": False}) == pytest.approx(revised(evidence, {"fever": False}))
    assert revised(evidence, {"rash": False, "fever": True})[2] < revised(evidence, {"fever": True})[2]


def test_values() -> None:
    evidence = Evidence.of(SMALL, CANDIDATES, STRENGTHS)
    findings = evidence.findings
    assert findings.options("ache") == ("dull", "sharp")
    assert findings.states({"ache": "dull"}) == {"ache": True, "ache=dull": True, "ache=sharp": False}
    assert findings.states({"ache": ["dull", "sharp"]}) == {"ache": True, "ache=dull": True, "ache=sharp": True}
    assert findings.states({"ache": "none"}) == {"ache": False}
    numbers = Evidence.of(graph({("flu", "pain"): 0.9}, *(Fact("has_value", ("pain", n)) for n in (1, 2))), ["flu"])
    assert numbers.findings.states({"pain": 2}) == {"pain": True, "pain=2": True, "pain=1": False}


def test_cases_correct_the_graph() -> None:
    evidence = Evidence.of(SMALL, CANDIDATES, STRENGTHS)
    seen = evidence.findings.observe([{"cough": True, "ache": "sharp"}] * 6 + [{"cough": False}] * 2)
    after = evidence.learn(seen, np.tile([0.0, 1.0, 0.0], (8, 1)))

    def chance(of: Evidence, finding: str) -> float:
        return float(of.present_if[1, of.findings.place(finding)])

    before = 1 - 0.95 * 0.2
    assert chance(after, "cough") == pytest.approx((4 * before + 6) / 12)
    assert chance(after, "ache") == pytest.approx((4 * 0.05 + 6) / 10)  # of no fact: the leak is the prior
    assert chance(after, "ache=sharp") == pytest.approx((4 * 0.5 + 6) / 10)
    assert after.present_if[0, after.findings.place("fever")] == pytest.approx(1 - 0.95 * 0.1)
    assert revised(after, {"ache": "sharp"})[1] > revised(evidence, {"ache": "sharp"})[1]
    assert "has_symptom(flu, ache)" in {
        str(one.fact) for one in after.account(np.ones(3), {"ache": True}, "cold").contributions
    }


def drawn(evidence: Evidence, rows: int, rng: np.random.Generator) -> tuple[list[dict[str, bool]], np.ndarray]:
    """Records that the network itself brings forth, and their right candidates."""
    right = rng.integers(len(evidence.candidates), size=rows)
    chances = np.tile(evidence.leaks, (len(evidence.candidates), 1))
    given = evidence.present_if.tocoo()
    chances[given.row, given.col] = given.data
    there = rng.random((rows, len(evidence.findings))) < chances[right]
    answers = [dict(zip(evidence.findings.names, map(bool, row), strict=True)) for row in there]
    return answers, np.eye(len(evidence.candidates))[right]


def random_graph(rng: np.random.Generator) -> Evidence:
    facts = {(f"c{place}", f"f{rng.integers(12)}"): 0.6 for place in range(8) for _ in range(3)}
    return Evidence.of(graph(facts), [f"c{place}" for place in range(8)], STRENGTHS)


def test_a_true_graph_is_trusted_and_a_random_one_is_not() -> None:
    rng = np.random.default_rng(0)
    truth = random_graph(rng)
    answers, targets = drawn(truth, 300, rng)
    prior = np.full((300, 8), 1 / 8)
    fitted = truth.fit(prior, truth.findings.observe(answers), targets)
    assert fitted.trust / fitted.temperature == pytest.approx(1, abs=0.25)
    for seed in range(5):
        shuffled = targets[
            np.random.default_rng(seed).permutation(300)
        ]  # what the graph says has nothing to do with it
        fitted = truth.fit(prior, truth.findings.observe(answers), shuffled)
        assert fitted.trust == 0
        assert fitted.revise(prior, truth.findings.observe(answers)) == pytest.approx(prior)


def test_an_overconfident_prior_gets_a_temperature() -> None:
    rng = np.random.default_rng(1)
    truth = random_graph(rng)
    answers, targets = drawn(truth, 400, rng)
    said = np.where(rng.random((400, 1)) < 0.6, targets, np.roll(targets, 1, axis=1)) * 0.98 + 0.0025
    observed = truth.findings.observe(answers)
    fitted = truth.fit(said, observed, targets)
    assert fitted.temperature > 1.5

    def loss(evidence: Evidence) -> float:
        return float(-np.log((evidence.revise(said, observed) * targets).sum(axis=1)).mean())

    assert loss(fitted) < loss(truth)


def test_saved_and_loaded() -> None:
    evidence = Evidence.of(SMALL, CANDIDATES, STRENGTHS)
    seen = evidence.findings.observe([{"ache": "dull", "rash": True, "cough": False}, {"cough": True}])
    evidence = evidence.learn(seen, np.eye(3)[:2]).fit(np.ones((2, 3)), seen, np.eye(3)[:2])
    arrays, document = evidence.to_arrays()
    again = Evidence.from_arrays(arrays, document)
    assert (again.revise(np.ones((2, 3)), seen) == evidence.revise(np.ones((2, 3)), seen)).all()
    assert again.account(np.ones(3), {"fever": True}, "flu") == evidence.account(np.ones(3), {"fever": True}, "flu")
    assert again.config == evidence.config
    assert again.findings.states({"ache": "none"}) == {"ache": False}


def test_order_changes_nothing() -> None:
    evidence = Evidence.of(SMALL, CANDIDATES, STRENGTHS)
    other = Evidence.of(Statements(list(dict(SMALL.facts()))[::-1]), CANDIDATES)
    assert other.findings.names == evidence.findings.names
    one = evidence.account(np.ones(3), {"fever": True, "cough": False}, "flu")
    assert one == evidence.account(np.ones(3), {"cough": False, "fever": True}, "flu")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"fevr": True}, "Did you mean 'fever'?"),
        ({"ache": "dul"}, "Did you mean 'dull'?"),
        ({"cough": "dry"}, "Expected true or false"),
        ({"rash": True, "fever": False}, "'fever' is there and that it is not"),
        ({"fever": False, "rash": True}, "'fever' is there and that it is not"),
        ({"ache": "dull", "ache=dull": False}, "'ache=dull' is there and that it is not"),
    ],
)
def test_answers_that_cannot_be_used(answers: dict[str, object], said: str) -> None:
    evidence = Evidence.of(SMALL, CANDIDATES)
    with pytest.raises(DataError) as caught:
        evidence.findings.observe([answers])  # type: ignore[list-item]
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_what_else_cannot_be_used() -> None:
    evidence = Evidence.of(SMALL, CANDIDATES)
    nothing = evidence.findings.observe([{}])
    for prior in ([[1.0, 0.0]], [[-1.0, 1, 1]], [[0.0, 0, 0]], [[np.nan, 1, 1]]):
        with pytest.raises(DataError, match="prior"):
            evidence.revise(np.array(prior), nothing)
    for targets in (np.ones((1, 2)), np.ones((1, 3)), np.ones((0, 3))):
        with pytest.raises(DataError, match="targets"):
            evidence.learn(nothing, targets)
        with pytest.raises(DataError, match="targets"):
            evidence.fit(np.ones((1, 3)), nothing, targets)
    with pytest.raises(DataError, match="Did you mean 'flu'"):
        evidence.account(np.ones(3), {}, "flue")
    with pytest.raises(DataError, match="twice"):
        Evidence.of(SMALL, ["flu", "flu"])
    with pytest.raises(DataError, match="no candidate"):
        Evidence.of(SMALL, [])
    with pytest.raises(DataError, match="says nothing of any candidate"):
        Evidence.of(SMALL, ["gout"])
    circle = [Fact("sub_question_of", pair) for pair in (("fever", "cough"), ("cough", "fever"))]
    with pytest.raises(DataError, match="presupposes itself"):
        Evidence.of(graph({("flu", "fever"): 1, ("flu", "cough"): 1}, *circle), ["flu"])
    for wrong in ({"leak": 0.0}, {"relations": {}}, {"relations": {"r": 2.0}}, {"prior_cases": 0.0}):
        with pytest.raises(OptionError, match="EvidenceConfig"):
            EvidenceConfig(**wrong)  # type: ignore[arg-type]
