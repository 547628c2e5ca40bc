"""A diagnosis by a graph alone, the next question, and a graph that is partly wrong: 49 conditions of DDXPlus.

    python benchmarks/evidence.py [CASE …]

The graph says which condition has which symptom and antecedent, and nothing of how often, of values, of age and of sex.
Every condition is as likely as any other before. `full` tells all that a patient has and has not. `asking` begins with
the first complaint and asks until it is 0.95 sure; the patient's own record answers. `fixed order` asks in one
order for all, the one that tells most of training patients, and `random order` in one drawn for each patient; both stop
by the same rule. `rewired` gives a share of the facts another finding; trust and temperature are then fitted
on 300 training patients, and the prior is how often these have each condition. `learned` corrects the strengths by the
same 300. `proved` is a whole model that knows the names of the conditions and the graph, and no patient; it is told
what each patient has as replies to questions, and each of its proofs is checked again. Defaults were chosen on training
patients, and test patients are looked at here only.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from harness import DATA, clocked, run_cases

FOLDER = DATA / "kg_ddxplus"
FEWEST, SURE, SAMPLE, ORDERED, SEEDS, PROVED = 15, 0.95, 300, 600, 5, 200
FEATURES = ("has_symptom", "has_antecedent")
Choice = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Which finding to ask for, of rows with these probabilities and these findings that may be asked for."""


def rows(name: str) -> Iterator[dict[str, Any]]:
    """Rows of a file of the data set."""
    file = FOLDER / f"{name}.jsonl.gz"
    if not file.is_file():
        sys.exit(f"skipped: {file.name} is not in the data folder; set HUIYI_DATA to the folder that has kg_ddxplus")
    with gzip.open(file, "rt", encoding="utf-8", newline="\n") as lines:
        yield from map(json.loads, lines)


@cache
def conditions() -> list[str]:
    """The 49 conditions."""
    return [row["name"] for row in rows("conditions")]


@cache
def graph() -> tuple[Any, ...]:
    """The facts of the graph, and of each evidence which values it may have and which of them says that it is not."""
    from huiyi.reason import Fact

    with gzip.open(FOLDER / "triples.tsv.gz", "rt", encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        facts = [Fact(row["relation"], (row["head"], row["tail"])) for row in table]
    for row in rows("evidences"):
        for value in row["possible_values"]:
            relation = "has_none_value" if value == row["default_value"] else "has_value"
            facts.append(Fact(relation, (row["code"], value)))
    return tuple(facts)


def rewired(share: float, rng: np.random.Generator) -> list[Any]:
    """The graph, where a share of the facts on conditions has another finding."""
    from huiyi.reason import Fact

    facts = list(graph())
    places = [place for place, fact in enumerate(facts) if fact.relation in FEATURES]
    tails = sorted({facts[place].arguments[1] for place in places})
    for place in rng.choice(places, round(share * len(places)), replace=False):
        fact = facts[place]
        facts[place] = Fact(fact.relation, (fact.arguments[0], tails[rng.integers(len(tails))]))
    return facts


@cache
def patients(split: str) -> list[dict[str, Any]]:
    """The patients of a split."""
    return [row for row in rows("patients") if row["split"] == split]


def model(facts: Sequence[Any]) -> Any:
    """What the facts say."""
    from huiyi.reason import Evidence, Statements

    return Evidence.of(Statements(facts), conditions())


def answers(patient: Mapping[str, Any], evidence: Any) -> dict[str, Any]:
    """All that a patient's record says of the findings: what is not in it is absent."""
    findings = evidence.findings
    said: dict[str, Any] = {
        name: False for name, is_value in zip(findings.names, findings.are_values, strict=True) if not is_value
    }
    for written in patient["evidences"]:
        name, _, value = written.partition("_@_")
        if name not in said:
            continue
        if not value:
            said[name] = True
        elif value != findings.nones.get(name):
            said[name] = [*(said[name] or []), value]
    return said


def told(evidence: Any, split: str, which: np.ndarray | None = None) -> Any:
    """What is known of all patients of a split, or of some."""
    chosen = range(len(patients(split))) if which is None else which
    return evidence.findings.observe([answers(patients(split)[place], evidence) for place in chosen])


def places(split: str) -> np.ndarray:
    """Place of each patient's condition."""
    return np.array([conditions().index(patient["label"]) for patient in patients(split)])


def one_hot(right: np.ndarray) -> np.ndarray:
    """One row a patient, 1 where right."""
    return np.eye(len(conditions()))[right]


def differentials(split: str) -> np.ndarray:
    """The differential diagnosis of each patient, as shares."""
    shares = np.zeros((len(patients(split)), len(conditions())))
    for row, patient in enumerate(patients(split)):
        for name, share in patient["differential"]:
            shares[row, conditions().index(name)] = share
    return shares / shares.sum(axis=1, keepdims=True)


def figures(found: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """How often the likeliest condition is the right one: over patients, and over conditions that have enough."""
    hit = found.argmax(axis=1) == right
    counts = np.bincount(right)
    return {
        "patients": len(right),
        "accuracy": float(hit.mean()),
        "macro_accuracy": float(np.mean([hit[right == one].mean() for one in np.flatnonzero(counts >= FEWEST)])),
        "log_loss": loss(one_hot(right), found),
    }


def loss(shares: np.ndarray, found: np.ndarray) -> float:
    """Mean cross-entropy, in nats."""
    return float(-(shares * np.log(np.maximum(found, 1e-12))).sum(axis=1).mean())


def uniform(rows: int) -> np.ndarray:
    """Every condition as likely as any other."""
    return np.full((rows, len(conditions())), 1 / len(conditions()))


def sample() -> np.ndarray:
    """Places of the training patients that trust is fitted on."""
    return np.random.default_rng(7).choice(len(patients("train")), SAMPLE, replace=False)


def full(split: str = "test") -> dict[str, Any]:
    with clocked() as spent:
        evidence = model(graph())
        observed, right, wanted = told(evidence, split), places(split), differentials(split)
        found = evidence.revise(uniform(len(right)), observed)
        few = sample()
        fitted = evidence.fit(uniform(SAMPLE), told(evidence, "train", few), differentials("train")[few])
    return {
        **figures(found, right),
        "differential_loss": loss(wanted, found),
        "differential_loss_prior": loss(wanted, uniform(len(right))),
        "differential_loss_least": loss(wanted, wanted),
        "differential_loss_fitted": loss(wanted, fitted.revise(uniform(len(right)), observed)),
        "trust": fitted.trust,
        "temperature": fitted.temperature,
        **spent,
    }


def learned(split: str = "test") -> dict[str, Any]:
    with clocked() as spent:
        evidence, few = model(graph()), sample()
        evidence = evidence.learn(told(evidence, "train", few), one_hot(places("train")[few]))
        found = evidence.revise(uniform(len(places(split))), told(evidence, split))
    return {**figures(found, places(split)), "differential_loss": loss(differentials(split), found), **spent}


def damaged(share: float, split: str = "test") -> dict[str, Any]:
    few, right = sample(), places(split)
    shares = np.bincount(places("train")[few], minlength=len(conditions())) + 1.0
    prior = np.tile(shares / shares.sum(), (len(right), 1))
    runs: list[dict[str, Any]] = []
    with clocked() as spent:
        for seed in range(SEEDS):
            evidence = model(rewired(share, np.random.default_rng(seed)))
            evidence = evidence.fit(prior[:SAMPLE], told(evidence, "train", few), one_hot(places("train")[few]))
            found = evidence.revise(prior, told(evidence, split))
            runs.append({**figures(found, right), "trust": evidence.trust, "temperature": evidence.temperature})
    before = figures(prior, right)
    means = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
    return {
        **means,
        "patients": len(right),
        "least_accuracy": min(run["accuracy"] for run in runs),
        "accuracy_prior": before["accuracy"],
        "log_loss_prior": before["log_loss"],
        "trusts": ", ".join(f"{run['trust']:.3f}" for run in runs),
        **spent,
    }


def interview(evidence: Any, observed: Any, first: Sequence[str], choose: Choice) -> tuple[np.ndarray, np.ndarray]:
    """Ask n patients side by side until each is sure enough, or nothing is left to gain.

    Args:
        evidence: What findings say.
        observed: All that is so.
        first: What each patient complains of at first.
        choose: Gives the finding to ask for.

    Returns:
        The probabilities at the end, and the number of questions of each patient.
    """
    from scipy.sparse import csr_array

    from huiyi.reason import AskConfig, Asker, Observed

    asker = Asker(evidence, AskConfig(sure_enough=SURE, most_questions=len(evidence.findings)))
    findings, n = evidence.findings, len(first)
    so = observed.present.toarray() > 0
    known = np.zeros_like(so)
    for row, name in enumerate(first):
        known[row, [findings.place(state) for state in findings.states({name: True})]] = True
    asked, live = np.zeros(n, dtype=int), np.arange(n)
    found = np.zeros((n, len(conditions())))
    while len(live):
        there, missing = known[live] & so[live], known[live] & ~so[live]
        found[live] = evidence.revise(
            uniform(len(live)), Observed(csr_array(there.astype(float)), csr_array(missing.astype(float)))
        )
        live = live[found[live].max(axis=1) < SURE]
        there = known[live] & so[live]
        allowed = ~known[live] & ~findings.are_values & ((findings.parents < 0) | there[:, findings.parents])
        going = asker.choose(found[live], allowed) >= 0
        live, allowed = live[going], allowed[going]
        if len(live):
            known[live, choose(found[live], allowed, live)] = True
            asked[live] += 1
    return found, asked


def best_order(evidence: Any) -> np.ndarray:
    """One order for all: each finding is the one that tells most of the training patients who are not yet sure."""
    from scipy.sparse import csr_array

    from huiyi.reason import Asker, Observed

    asker, findings = Asker(evidence), evidence.findings
    few = np.random.default_rng(11).choice(len(patients("train")), ORDERED, replace=False)
    so = told(evidence, "train", few).present.toarray() > 0
    known = np.zeros_like(so)
    for row, place in enumerate(few):
        first = patients("train")[place]["initial_evidence"]
        known[row, [findings.place(state) for state in findings.states({first: True})]] = True
    order: list[int] = []
    left = ~findings.are_values
    while left.any():
        there, missing = known & so, known & ~so
        found = evidence.revise(
            uniform(len(few)), Observed(csr_array(there.astype(float)), csr_array(missing.astype(float)))
        )
        unsure = found.max(axis=1) < SURE
        open_now = ~known & ((findings.parents < 0) | there[:, findings.parents])
        worth = (asker.gains(found) * open_now)[unsure].sum(axis=0) if unsure.any() else np.zeros(len(findings))
        order.append(int(np.argmax(np.where(left, worth, -1.0))))
        left[order[-1]] = False
        may = (findings.parents[order[-1]] < 0) | there[:, findings.parents[order[-1]]]
        known[may, order[-1]] = True
    return np.array(order)


def replies(evidence: Any) -> Callable[[Mapping[str, Any]], dict[str, str]]:
    """Says what a patient's record tells as replies to the questions about it: of several values the first."""
    from huiyi.reason import Asker

    asker = Asker(evidence)

    @cache
    def options(finding: str) -> dict[Any, str]:
        return {asker.read(finding, option): option for option in asker.question(finding).options}

    def told_by(patient: Mapping[str, Any]) -> dict[str, str]:
        said = {
            name: answer[0] if isinstance(answer, list) else answer
            for name, answer in answers(patient, evidence).items()
        }
        return {name: options(name)[answer] for name, answer in said.items() if answer in options(name)}

    return told_by


def proved(split: str = "test") -> dict[str, Any]:
    import huiyi
    from huiyi.reason import Domain, Knowledge
    from huiyi.values import Label, Record, Task

    knowledge = Knowledge()
    knowledge.add(graph())
    task = Task("diagnosis", "choice", tuple(map(Label, conditions())))
    told_by = replies(model(graph()))
    some = patients(split)[:: len(patients(split)) // PROVED][:PROVED]
    with clocked() as spent:
        whole = huiyi.train([Record(text="", labels={})], task=task, knowledge=Domain(knowledge))
        records = [Record(text="", answers=told_by(patient)) for patient in some]
        decisions = whole.decide_all(records, prove=True)
        held = [not whole.replay(*pair) for pair in zip(records, decisions, strict=True) if pair[1].proofs]
    return {
        "patients": len(some),
        "accuracy": float(np.mean([one.label == own["label"] for one, own in zip(decisions, some, strict=True)])),
        "proofs": len(held),
        "replayed": sum(held),
        **spent,
    }


def asking(way: str, split: str = "test", *, damage: float = 0.0) -> dict[str, Any]:
    from huiyi.reason import AskConfig, Asker

    evidence = model(rewired(damage, np.random.default_rng(0)) if damage else graph())
    right = places(split)
    with clocked() as spent:
        n, m = len(right), len(evidence.findings)
        if way == "gain":
            asker = Asker(evidence, AskConfig(sure_enough=SURE))
            choose: Choice = lambda found, allowed, live: asker.choose(found, allowed)  # noqa: E731
        else:
            if way == "fixed":
                order = best_order(evidence)
                ranks = np.full((1, m), m)
                ranks[0, order] = np.arange(len(order))
                ranks = np.repeat(ranks, n, axis=0)
            else:
                ranks = np.random.default_rng(3).random((n, m)) * m
            choose = lambda found, allowed, live: np.where(allowed, ranks[live], m + 1).argmin(axis=1)  # noqa: E731
        first = [patient["initial_evidence"] for patient in patients(split)]
        found, asked = interview(evidence, told(evidence, split), first, choose)
    return {
        **figures(found, right),
        "sure": float((found.max(axis=1) >= SURE).mean()),
        "questions": float(asked.mean()),
        "questions_p90": float(np.percentile(asked, 90)),
        **spent,
    }


if __name__ == "__main__":
    run_cases(
        "evidence",
        {
            "full": full,
            "learned": learned,
            "rewired 30 %": lambda: damaged(0.3),
            "rewired 100 %": lambda: damaged(1.0),
            "proved": proved,
            "asking": lambda: asking("gain"),
            "asking, rewired 30 %": lambda: asking("gain", damage=0.3),
            "fixed order": lambda: asking("fixed"),
            "random order": lambda: asking("random"),
        },
        __doc__,
        key="case",
    )
