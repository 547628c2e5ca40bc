"""What complaints mention, found in a graph of 8,800 diseases, and which diseases it speaks for.

    python benchmarks/linking.py [CASE …]

The complaints are `exams/medical_zh.jsonl`: what somebody might write to a doctor, with each mention, the entities of the
graph that it may be, and its polarity. `medical_zh_dev.jsonl` was looked at while the linker and its words were made; the
exam was not. A mention is found if a link overlaps it, is one of its entities (of several links that score alike, the
first), and has its polarity; any other link is wrong. Diseases are ranked by `Evidence` from what was linked, by no prior.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from harness import DATA, HERE, run_cases

FOLDER = DATA / "kg_medical_zh"
COUNTED = ("present", "absent")
TOP, SHARE, SEEDS = 10, 0.3, 3


@cache
def graph() -> tuple[tuple[str, str, str], ...]:
    """The triples of the graph."""
    if not (FOLDER / "train.tsv.gz").is_file():
        sys.exit("skipped: kg_medical_zh is not in the data folder; set HUIYI_DATA to the folder that has it")
    found: list[tuple[str, str, str]] = []
    for part in ("train", "valid", "test"):
        with gzip.open(FOLDER / f"{part}.tsv.gz", "rt", encoding="utf-8", newline="\n") as lines:
            next(lines)
            for line in lines:
                head, relation, tail = line.rstrip("\n").split("\t")
                found.append((head, relation, tail))
    return tuple(found)


def symptoms(rewired: float = 0.0, seed: int = 0) -> list[Any]:
    """The facts `has_symptom`, of which a share may have another symptom."""
    from huiyi.reason import Fact

    pairs = [(head, tail) for head, relation, tail in graph() if relation == "has_symptom"]
    if rewired:
        rng = np.random.default_rng(seed)
        tails = [tail for _, tail in pairs]
        for place in rng.choice(len(pairs), round(rewired * len(pairs)), replace=False):
            pairs[place] = (pairs[place][0], tails[rng.integers(len(tails))])
    return [Fact("has_symptom", pair) for pair in dict.fromkeys(pairs)]


@cache
def entities() -> tuple[str, ...]:
    """Symptoms and diseases, the ones of most facts first."""
    counts = Counter(name for head, relation, tail in graph() if relation == "has_symptom" for name in (head, tail))
    return tuple(name for name, _ in counts.most_common())


def exam(name: str) -> list[dict[str, Any]]:
    """The complaints of an exam."""
    file = HERE / "exams" / f"{name}.jsonl"
    if not file.is_file():
        sys.exit(f"skipped: {file.name} is not in benchmarks/exams")
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def pairs(links: Sequence[Any]) -> dict[tuple[str, str], Any]:
    """The names and polarities linked, each once; of links of one place that score alike, the commonest name's."""
    order = {name: place for place, name in enumerate(entities())}
    first: dict[tuple[int, int], Any] = {}
    for link in sorted(links, key=lambda link: order[link.entity]):
        first.setdefault((link.start, link.end), link)
    return {(link.entity, link.polarity): link for link in first.values()}


def matched(row: Mapping[str, Any], said: Sequence[tuple[str, str]]) -> np.ndarray:
    """For each pair the mention it is right about, or -1: as many as possible, each mention once."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    fits = [
        [name in gold["ids"] and polarity == gold["polarity"] for gold in row["mentions"]] for name, polarity in said
    ]
    if not fits or not row["mentions"]:
        return np.full(len(said), -1)
    return maximum_bipartite_matching(csr_array(np.array(fits, dtype=np.int8)), perm_type="column")


def compare(
    rows: Sequence[Mapping[str, Any]], links: Sequence[Sequence[Any]], *, told: bool = False
) -> dict[str, float]:
    """Precision, recall and F1 of what is said to be present or absent, together and apart."""
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    for row, found in zip(rows, links, strict=True):
        said = {pair: link for pair, link in pairs(found).items() if pair[1] in COUNTED}
        met = matched(row, list(said))
        for ((name, polarity), link), place in zip(said.items(), met, strict=True):
            (wrong if place < 0 else right)[polarity] += 1
            if told and place < 0:
                print("wrong ", row["id"], polarity, name, link.quote, link.score, "|", row["text"])
        for place, gold in enumerate(row["mentions"]):
            if gold["polarity"] in COUNTED and place not in met:
                missed[gold["polarity"]] += 1
                if told:
                    print("missed", row["id"], gold["polarity"], gold["quote"], gold["ids"])
    result = {"mentions": sum(right.values()) + sum(missed.values()), **_scores(right, wrong, missed, COUNTED)}
    return result | {
        f"{one}_{key}": value for one in COUNTED for key, value in _scores(right, wrong, missed, [one]).items()
    }


def _scores(right: Counter[str], wrong: Counter[str], missed: Counter[str], which: Sequence[str]) -> dict[str, float]:
    hits, false, lost = (sum(some[one] for one in which) for some in (right, wrong, missed))
    precision, recall = hits / max(hits + false, 1), hits / max(hits + lost, 1)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(precision + recall, 1e-12)}


def ranks(said: Sequence[Mapping[str, bool | None]], diseases: Sequence[str], facts: Sequence[Any]) -> np.ndarray:
    """The place of each complaint's disease; of those as likely half come before."""
    from huiyi.reason import Evidence, Statements

    names = sorted({fact.arguments[0] for fact in facts} | set(diseases))
    evidence = Evidence.of(Statements(facts), names)
    known = set(evidence.findings.names)
    observed = evidence.findings.observe(
        [{name: there for name, there in one.items() if name in known} for one in said]
    )
    found = evidence.weigh(observed)
    own = found[np.arange(len(said)), [names.index(disease) for disease in diseases]][:, None]
    return (found > own + 1e-9).sum(axis=1) + (np.abs(found - own) <= 1e-9).sum(axis=1) / 2 + 0.5
