"""May I apply? Questions about government services, answered by rules with proof.

    python benchmarks/services.py [CASE …]

Questions and answers are those of `exams/gov_services_zh.md`, `exam` the 40 and `development` the 12; the graph is that
of kg_gov_services_zh. What a question says is read by `applying.py`; the rules are those of `services/services.rules`.
`right` counts an answer only with a proof that replays and, unless it is unknown, rests on who may apply for the
right service; `wrong_eligible` counts who would go there in vain. It needs the extras `reason` and `tune` (multilingual
E5 tells which service is near in meaning).
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from applying import Reading, Said, encoder
from harness import DATA, HERE, run_cases

if TYPE_CHECKING:
    from huiyi.reason import Closure, Given, Knowledge, Proof, Rules

RULES = HERE / "services" / "services.rules"
MAY_APPLY, CALLED = "服务对象", "通俗叫法"
ANSWERS = ("eligible", "not eligible", "unknown")
QUESTION = "request"


@cache
def graph() -> Knowledge:
    """All three splits together."""
    from huiyi.reason import Knowledge

    knowledge = Knowledge()
    for split in ("train", "valid", "test"):
        file = DATA / "kg_gov_services_zh" / f"{split}.tsv.gz"
        if not file.is_file():
            sys.exit(f"skipped: {file} is not there; set HUIYI_DATA to the folder that has kg_gov_services_zh")
        knowledge.read(file)
    return knowledge


@cache
def tools() -> tuple[Reading, Rules, Closure]:
    """What reads questions, the rules, and what follows from the graph."""
    from huiyi.reason import Retriever, Rules, close

    rules = Rules.read(RULES)
    encode = encoder()
    if encode is None:
        sys.exit("skipped: the extra `tune` is not installed, and multilingual E5 with it")
    services = sorted({str(fact.arguments[0]) for fact, _ in graph().facts({(MAY_APPLY, 2)})})
    retriever = Retriever.of(graph(), services, relations=(CALLED,), encode=encode)
    return Reading(retriever), rules, close(graph(), rules)


def facts(said: Said) -> Iterator[Given]:
    """What a question says, as facts."""
    from huiyi.reason import Fact, Given

    yield Given(Fact("asked", (QUESTION,)), 1.0, "the text")
    for service, share in said.services:
        yield Given(Fact("about", (QUESTION, service)), share, "the text")
    for relation, found in (("applicant", said.applicants), ("turns_on", said.conditions)):
        for what, quote in found:
            yield Given(Fact(relation, (QUESTION, what)), 1.0, f"the text: “{quote}”")


def answered(text: str) -> tuple[str, Proof, bool]:
    """The answer to a question, its proof, and whether it replays."""
    from huiyi.reason import prove, replay

    reading, rules, closure = tools()
    given = list(facts(reading.read(text)))
    with closure.adding(given) as view:
        (answer,) = view.facts("answer", QUESTION, None)  # the rules leave no question without one, or with two
        proof = prove(view, answer)
    return str(answer.arguments[1]), proof, not replay(proof, graph(), rules, given=given)


def rests_on(proof: Proof, service: str | None) -> bool:
    """Whether a proof rests on who may apply for a service."""
    return any(step.fact.relation == MAY_APPLY and step.fact.arguments[0] == service for step in proof.steps)


def measured(questions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One row of the table."""
    tools()  # what is loaded once is no part of a question's time
    right: Counter[str] = Counter()
    wrong_eligible = replayed = 0
    spent: list[float] = []
    worked = time.process_time()
    for row in questions:
        started = time.perf_counter()
        answer, proof, holds = answered(row["text"])
        spent.append(1_000 * (time.perf_counter() - started))
        replayed += holds
        wrong_eligible += answer == "eligible" != row["answer"]
        proved = holds and (answer == "unknown" or rests_on(proof, row["service"]))
        right[answer] += answer == row["answer"] and proved
    asked = Counter(row["answer"] for row in questions)
    return {
        "questions": len(questions),
        "right": right.total(),
        "wrong_eligible": wrong_eligible,
        **{f"right_{answer.replace(' ', '_')}": f"{right[answer]} of {asked[answer]}" for answer in ANSWERS},
        "proofs": len(questions),
        "replayed": replayed,
        "ms_p50": sorted(spent)[len(spent) // 2],
        "processor_seconds": round(time.process_time() - worked, 1),
    }


def exam(name: str) -> list[dict[str, Any]]:
    """The questions of a file."""
    with Path(HERE / "exams" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


if __name__ == "__main__":
    run_cases(
        "services",
        {
            "exam": lambda: measured(exam("gov_services_zh")),
            "development": lambda: measured(exam("gov_services_zh_dev")),
        },
        __doc__,
        key="case",
    )
