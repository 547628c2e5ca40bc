"""What complaints mention, found in a graph of 8,800 diseases, and which diseases it speaks for.

    python benchmarks/linking.py [CASE …]

The exam, its keys and how a linker is scored are told in exams/README.md. The development complaints were looked at
while the linker and its words were made; those of the exam were not. `no background` knows the names of the graph
alone, `everyday` also what people call what ails them, `near` has an encoder besides, and `commonsense` ConceptNet in
the place of that. Diseases are ranked by `Evidence` without a prior, from what was linked: present and absent. The
facts are those of the graph, and what follows as a symptom may be a kind of another by its name, or said in the same
words. `rewired` gives 30 %
of the facts another symptom, in the mean of three graphs; `recall_uninformed` is that of a ranking that knows nothing,
and `by hand` links what the exam's keys accept.
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
FILES = {"development": "medical_zh_dev", "second development": "medical_zh_dev2", "exam": "medical_zh"}
TOP, SHARE, SEEDS = 10, 0.3, 3
STRENGTH, KIND, ALIKE = 0.6, 0.5, 0.5


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


@cache
def diseases() -> tuple[str, ...]:
    """What may be the matter."""
    return tuple(sorted({head for head, relation, _ in graph() if relation == "has_symptom"}))


@cache
def rules() -> Any:
    """What a disease has that has a kind of it, or what people say in the same words."""
    from huiyi.reason import Rules

    return Rules.parse(
        "@relation alike(?one, ?other).\n"
        "@rule kind shown(?d, ?s) :- has_symptom(?d, ?s).\n"
        f"@rule kind_of weight {KIND} shown(?d, ?s) :- has_symptom(?d, ?k), kind_of(?k, ?s).\n"
        f"@rule alike weight {ALIKE} shown(?d, ?s) :- has_symptom(?d, ?k), alike(?k, ?s)."
    )


def related(linker: Any, way: str) -> list[Any]:
    """How symptoms are related, by their names and by what is said for them."""
    from huiyi.reason import alike

    return [*linker.kinds(), *alike(linker.entities, background(way))]


def closed(facts: Sequence[Any], relations: Sequence[Any]) -> Any:
    """What diseases show, with what follows."""
    from huiyi.reason import close

    return close([*facts, *relations], rules())


def evidence_of(closure: Any) -> Any:
    """What the closed graph says of diseases."""
    from huiyi.reason import Evidence, EvidenceConfig, Given, Statements

    shown = Statements([Given(fact, closure.weight(fact)) for fact in closure.facts("shown", None, None)])
    return Evidence.of(shown, diseases(), EvidenceConfig(relations={"shown": STRENGTH}))


def said_of(links: Sequence[Any], evidence: Any) -> dict[str, bool | None]:
    """What the links of a complaint say of findings."""
    from huiyi.reason import answers

    return answers(links, evidence.findings)


def recall(rows: Sequence[Mapping[str, Any]], links: Sequence[Sequence[Any]], evidence: Any) -> float:
    """The share of complaints whose disease is among the first; of those as likely a fair share counts."""
    observed = evidence.findings.observe([said_of(some, evidence) for some in links])
    found = evidence.weigh(observed)
    own = found[np.arange(len(rows)), [evidence.candidates.index(row["disease"]) for row in rows]][:, None]
    above, alike = (found > own + 1e-9).sum(axis=1), (np.abs(found - own) <= 1e-9).sum(axis=1)
    return float(np.clip((TOP - above) / alike, 0, 1).mean())


def proofs(
    rows: Sequence[Mapping[str, Any]], links: Sequence[Sequence[Any]], evidence: Any, closure: Any, given: Any
) -> float:
    """The share of complaints of which each fact that speaks for the likeliest disease is proved, and replays."""
    from huiyi.reason import prove, replay

    held = 0
    for some in links:
        said = said_of(some, evidence)
        found = evidence.weigh(evidence.findings.observe([said]))[0]
        account = evidence.account(np.ones(len(found)), said, evidence.candidates[int(found.argmax())])
        facts = [one.fact for one in account.contributions if one.fact is not None]
        held += all(replay(prove(closure, fact), given, rules()) == () for fact in facts)
    return held / len(rows)


def background(name: str) -> list[Any]:
    """Common knowledge."""
    from huiyi.reason import Fact, Statements, everyday

    if name != "commonsense":
        return [] if name == "no background" else [everyday()]
    with gzip.open(DATA / "kg_conceptnet_zh" / "train.tsv.gz", "rt", encoding="utf-8", newline="\n") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines][1:]
    return [everyday(), Statements([Fact(relation, (head, tail)) for head, relation, tail in rows])]


def encoder() -> Any:
    """The core's encoder: both views of it, as one vector."""
    from huiyi.perceive.encoders.use import UniversalSentenceEncoder

    reads = UniversalSentenceEncoder()

    def encode(texts: Sequence[str]) -> np.ndarray:
        views = reads.encode(list(texts))
        parts = [view / np.maximum(np.linalg.norm(view, axis=1, keepdims=True), 1e-9) for view in views.values()]
        return np.concatenate(parts, axis=1) / np.sqrt(len(parts))

    return encode


def by_hand(which: str) -> dict[str, Any]:
    """What evidence is worth where the linker makes no mistake: all entities that a reader accepts."""
    from huiyi.reason import Link, Linker

    rows = exam(which)
    links = [
        [Link(name, 0, 0, "", 1.0, gold["polarity"]) for gold in row["mentions"] for name in gold["ids"]]
        for row in rows
    ]
    linker = Linker.of(entities(), background=background("everyday"))
    evidence = evidence_of(closed(symptoms(), related(linker, "everyday")))
    return {"complaints": len(rows), f"recall_top{TOP}": recall(rows, links, evidence)}


def case(way: str, which: str) -> dict[str, Any]:
    from huiyi.reason import Linker, Statements

    rows = exam(which)
    started = time.process_time()
    linker = Linker.of(entities(), background=background(way), encode=encoder() if way == "near" else None)
    building = time.process_time() - started
    texts = [row["text"] for row in rows]
    linker.link(texts[:1])
    started = time.process_time()
    links = linker.link(texts)
    linking = time.process_time() - started
    relations = related(linker, way)
    given = Statements([*symptoms(), *relations])
    closure = closed(symptoms(), relations)
    evidence = evidence_of(closure)
    result = {
        "complaints": len(rows),
        **compare(rows, links),
        f"recall_top{TOP}": recall(rows, links, evidence),
        "recall_uninformed": TOP / len(diseases()),
        "build_processor_seconds": building,
        "ms_per_text": 1_000 * linking / len(rows),
    }
    if way == "everyday":
        result["proofs_replayed"] = proofs(rows, links, evidence, closure, given)
        graphs = [evidence_of(closed(symptoms(SHARE, seed), relations)) for seed in range(SEEDS)]
        result[f"recall_top{TOP}_rewired"] = float(np.mean([recall(rows, links, one) for one in graphs]))
    return result


if __name__ == "__main__":
    run_cases(
        "linking",
        {
            **{
                f"{way}, {which}": lambda way=way, file=file: case(way, file)
                for which, file in FILES.items()
                for way in ("no background", "everyday", "near", "commonsense")
            },
            **{
                f"by hand, {which}": lambda file=file: by_hand(file) for which, file in FILES.items() if which != "exam"
            },
        },
        __doc__,
        key="case",
    )
