"""Few examples and a graph: diseases told from what people write of their symptoms, with and without the graph.

    python benchmarks/symptoms.py [CASE …]

Texts and labels are those of symptom2disease (repeated texts once); the graph is that of kg_disease_symptom, of which
only `has_symptom` is used. Its names of the 24 diseases were matched by hand, once: see ALIASES. Each seed draws some
examples a disease and tests on all other texts. `gain` is the mean over seeds of accuracy with the graph less
accuracy without, in points, and `low` the lower end of its 95 % interval (Student's t over seeds). `rewired` gives
30 % of the facts another symptom. `replayed` is the share of the proofs of 50 tested texts a seed that hold when they
are checked.
"""

from __future__ import annotations

import csv
import gzip
import sys
import time
from collections import defaultdict
from functools import cache
from typing import Any

import numpy as np
from harness import DATA, Pair, load, run_cases

SEEDS, PROVED, REWIRED = 10, 50, 0.3
FIRST_SEED = 1_000
"""Not among those on which anything was chosen."""
ALIASES = {
    "Dimorphic Hemorrhoids": "Dimorphic hemmorhoids(piles)",
    "gastroesophageal reflux disease": "GERD",
    "peptic ulcer disease": "Peptic ulcer diseae",
}
"""Labels whose disease has another name in the graph. The other 21 differ by case alone."""


@cache
def texts() -> tuple[Pair, ...]:
    """All texts with their disease, each once."""
    return tuple(dict(load("symptom2disease/all")).items())


@cache
def facts() -> tuple[tuple[str, str], ...]:
    """Disease and symptom."""
    file = DATA / "kg_disease_symptom" / "triples.tsv.gz"
    if not file.is_file():
        sys.exit(f"skipped: {file.name} is not there; set HUIYI_DATA to the folder that has kg_disease_symptom")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple((row["head"], row["tail"]) for row in rows if row["relation"] == "has_symptom")


def domain(rewired: float, rng: np.random.Generator) -> Any:
    """The graph, a share of whose facts has another symptom."""
    from huiyi.reason import Domain, Fact, Knowledge

    pairs = list(facts())
    tails = sorted({tail for _, tail in pairs})
    for place in rng.choice(len(pairs), round(rewired * len(pairs)), replace=False):
        pairs[place] = (pairs[place][0], tails[rng.integers(len(tails))])
    knowledge = Knowledge()
    knowledge.add([Fact("has_symptom", pair) for pair in pairs])
    knowledge.add([Fact("skos:altLabel", (name, label)) for label, name in ALIASES.items()])
    return Domain(knowledge)


def split(examples: int, rng: np.random.Generator) -> tuple[list[Pair], list[Pair]]:
    """So many examples a disease, and all other texts."""
    by_label: dict[str, list[Pair]] = defaultdict(list)
    for place in rng.permutation(len(texts())):
        by_label[texts()[place][1]].append(texts()[place])
    parts = [(rows[:examples], rows[examples:]) for rows in by_label.values()]
    return [row for few, _ in parts for row in few], [row for _, rest in parts for row in rest]


def measured(examples: int, rewired: float) -> dict[str, Any]:
    """One row of the table."""
    import huiyi
    from huiyi.values import Record

    found: dict[str, list[float]] = defaultdict(list)
    spent: dict[str, float] = defaultdict(float)
    proofs = held = 0
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        rng = np.random.default_rng(seed)
        train, test = split(examples, rng)
        known = domain(rewired, rng)
        for name in ("alone", "known"):
            started = time.process_time()
            model = huiyi.train(train, knowledge=known if name == "known" else ())
            context = model.perceive([Record(text=text) for text, _ in test])
            intents = model.reason(context, model.align(context)).intents
            right = [model.task.names[column] for column in intents.probabilities.argmax(axis=1)]
            found[name].append(float(np.mean([label == one for (_, label), one in zip(test, right, strict=True)])))
            spent[name] += time.process_time() - started
        shown = [Record(text=text) for text, _ in test[:: len(test) // PROVED]]
        for record, decision in zip(shown, model.decide_all(shown, prove=True), strict=True):
            proofs += len(decision.proofs or ())
            held += len(decision.proofs or ()) if not model.replay(record, decision) else 0
    gains = 100 * (np.array(found["known"]) - np.array(found["alone"]))
    from scipy.stats import t

    half = t.ppf(0.975, SEEDS - 1) * gains.std(ddof=1) / np.sqrt(SEEDS)
    return {
        "examples": examples,
        "seeds": SEEDS,
        "alone": float(np.mean(found["alone"])),
        "known": float(np.mean(found["known"])),
        "gain": round(float(gains.mean()), 2),
        "low": round(float(gains.mean() - half), 2),
        "high": round(float(gains.mean() + half), 2),
        "proofs": proofs,
        "replayed": held / proofs if proofs else None,
        "processor_seconds": round(sum(spent.values())),
        "times_alone": round(spent["known"] / spent["alone"], 2),
    }


if __name__ == "__main__":
    run_cases(
        "symptoms",
        {
            "5 examples": lambda: measured(5, 0.0),
            "20 examples": lambda: measured(20, 0.0),
            "5 examples, rewired": lambda: measured(5, REWIRED),
            "20 examples, rewired": lambda: measured(20, REWIRED),
        },
        __doc__,
        key="case",
    )
