"""Missing facts, predicted by rules that were mined from the graph: UMLS, WN18RR and FB15k-237.

    python benchmarks/mined.py [CASE …]

Rules are mined from the training facts. How the rules for a candidate are put together is chosen on validation facts,
and all options are the defaults, chosen there too. Figures are of test facts: each asks for its tail and for its head
among all things of the data set, other right answers being left out; of equally sure candidates the mean rank counts.
`replayed` is the share of predictions for 200 test questions, the surest one of each, whose proof holds when it is
checked again. Seconds and processor seconds are those of mining, choosing and ranking; `mining_processor_seconds` those
of the first alone.
"""

from __future__ import annotations

import csv
import gzip
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from harness import DATA, clocked, run_cases
from peers.peak import peak_rss_mb

QUESTIONS = 200


def facts(name: str, split: str) -> list[Any]:
    """The facts of a split."""
    from huiyi.reason import Fact

    file = DATA / f"kg_{name}" / f"{split}.tsv.gz"
    if not file.is_file():
        sys.exit(f"skipped: {file.name} is not in the data folder; set HUIYI_DATA to the folder that has kg_{name}")
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Fact(row["relation"], (row["head"], row["tail"])) for row in table]


def told() -> Callable[[str, int, int], None]:
    """Says now and then how far things are."""
    last = 0.0

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last > 10:
            last = time.monotonic()
            print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)

    return tell


def replayed(mined: Any, graph: Any, asked: list[Any]) -> dict[str, Any]:
    """Check the proofs of the surest prediction for some questions. What the graph does not know is not asked about."""
    from huiyi.reason import replay

    rng, proofs, right = np.random.default_rng(7), 0, 0
    for at in rng.permutation(len(asked)).tolist():
        fact = asked[at]
        side = "head" if at % 2 else "tail"
        thing = fact.arguments[0 if side == "head" else 1]
        if thing not in mined.rules.triples.number:
            continue
        for one in mined.predict(fact.relation, **{side: thing}, top=1):
            proofs += 1
            right += replay(one.proof, graph, one.as_rules()) == () and one.proof.fact == one.fact
        if proofs == QUESTIONS:
            break
    return {"proofs": proofs, "replayed": right / proofs}


def measured(name: str) -> dict[str, Any]:
    """One row of the table."""
    from huiyi.reason import Statements, mine

    train, valid, test = (facts(name, split) for split in ("train", "valid", "test"))
    graph, tell = Statements(train), told()
    with clocked() as spent:
        with clocked() as mining:
            mined = mine(graph, progress=tell)
        mined = mined.tuned(valid, progress=tell)
        ranks = mined.ranks(test, known=valid, progress=tell)
    return {
        "facts": len(train),
        "rules": len(mined.rules),
        "test_facts": len(test),
        "mrr": float((1 / ranks).mean()),
        "hits_at_1": float((ranks <= 1).mean()),
        "hits_at_10": float((ranks <= 10).mean()),
        "mrr_tails": float((1 / ranks[:, 0]).mean()),
        "mrr_heads": float((1 / ranks[:, 1]).mean()),
        **replayed(mined, graph, test),
        **spent,
        "mining_processor_seconds": mining["processor_seconds"],
        "peak_mb": round(peak_rss_mb()),
    }


def alone(name: str) -> Callable[[], Mapping[str, Any]]:
    """Run in a process of its own, so that the memory is that of the case."""

    def run() -> dict[str, Any]:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(measured, name).result()

    return run


if __name__ == "__main__":
    run_cases("mined", {name: alone(name) for name in ("umls", "wn18rr", "fb15k237")}, __doc__)
