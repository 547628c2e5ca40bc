"""What knowledge costs: a request on a closed graph, and a large graph on disk. Data are generated.

    python benchmarks/reasoning.py [CASE …] [--triples 1000000]

`request` lays five facts of an order over a closed graph of 100,000 facts, reads off what follows, and proves it; then
the closed graph is compared with what it was. `table` and `n-triples` load generated triples onto the disk, from a
tab-separated table with a source for each line and from N-Triples, and ask where two steps lead.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from harness import run_cases

REQUESTS, QUERIES = 1_000, 1_000
RULES = """
@relation placed_on(?order, ?day).  @relation used(?order).  @relation broken(?order).
@relation of_customer(?order, ?customer).  @relation of_product(?order, ?product).
@relation complaint(?who, ?customer).
@transitive part_of.
in_category(?product, ?category) :- in(?product, ?category).
in_category(?product, ?whole) :- in(?product, ?category), part_of(?category, ?whole).
@rule refund weight 0.9
eligible(?order, refund) :- placed_on(?order, ?day), age_days(?day) <= 30, not used(?order).
eligible(?order, repair) :- broken(?order), of_product(?order, ?product), in_category(?product, ?category),
    repairs(?shop, ?category).
banned(?customer) :- complaint(?_, ?customer).
valued(?customer) :- spent(?customer, ?amount), ?amount > 900, not banned(?customer).
served_first(?order) :- of_customer(?order, ?customer), valued(?customer).
:- served_first(?order), used(?order).
"""
TODAY = date(2026, 1, 31)


def percentiles(milliseconds: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    ordered = sorted(milliseconds)
    return {"ms_p50": ordered[len(ordered) // 2], "ms_p99": ordered[int(len(ordered) * 0.99)]}


def resident_mb() -> int:
    """Memory that the process holds now."""
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def request() -> dict[str, Any]:
    from huiyi.reason import Fact, Rules, close, contradictions, prove

    rng = random.Random(7)
    facts = [Fact("part_of", (f"c{n}", f"c{n // 4}")) for n in range(1, 2_000)]
    facts += [Fact("in", (f"p{n}", f"c{rng.randrange(2_000)}")) for n in range(60_000)]
    facts += [Fact("spent", (f"k{n}", rng.randrange(1_000))) for n in range(30_000)]
    facts += [Fact("repairs", (f"s{n}", f"c{rng.randrange(2_000)}")) for n in range(100_000 - len(facts))]
    rules = Rules.parse(RULES)
    started, worked = time.perf_counter(), time.process_time()
    closure = close(facts, rules, today=TODAY)
    closing, processor = time.perf_counter() - started, time.process_time() - worked

    def fingerprint() -> str:
        """Of every row, why it is there, every index and every value."""
        state = hashlib.sha256()
        for key, table in sorted(closure.tables.items()):
            state.update(repr((key, table._rows, table._hidden, table._indexes)).encode())
        state.update(repr([closure.symbols.value(n) for n in range(len(closure.symbols))]).encode())
        return state.hexdigest()

    before = fingerprint()
    spent, working, proving = [], [], []
    for n in range(REQUESTS):
        customer, product = f"k{rng.randrange(30_000)}", f"p{rng.randrange(60_000)}"
        said = [
            Fact("placed_on", (f"o{n}", "2026-01-10")),
            Fact("of_customer", (f"o{n}", customer)),
            Fact("of_product", (f"o{n}", product)),
            Fact("broken", (f"o{n}",)),
            Fact("complaint", ("the shop", customer if n % 2 else f"k{rng.randrange(30_000)}")),
        ]
        started, worked = time.perf_counter(), time.process_time()
        with closure.adding(said) as view:
            found = view.facts("eligible", f"o{n}", None)
            broken = contradictions(view)
            working.append(1_000 * (time.process_time() - worked))
            spent.append(1_000 * (time.perf_counter() - started))
            started = time.perf_counter()
            for fact in found:
                prove(view, fact)
            proving.append(1_000 * (time.perf_counter() - started))
        assert found and not broken
    rows = sum(len(table) for table in closure.tables.values())
    return {
        "facts": len(facts),
        "closed_facts": rows,
        "closing_seconds": closing,
        "closing_processor_seconds": processor,
        **percentiles(spent),
        "processor_ms_p50": percentiles(working)["ms_p50"],
        "processor_ms_p99": percentiles(working)["ms_p99"],
        "proof_ms_p50": percentiles(proving)["ms_p50"],
        "left_behind": int(fingerprint() != before),
        "resident_mb": resident_mb(),
    }


def load(ending: str, triples: int) -> dict[str, Any]:
    from huiyi.reason import Knowledge

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"triples{ending}")
        rng = random.Random(7)
        things = triples // 5
        known = []
        with file.open("w", encoding="utf-8") as stream:
            if ending == ".tsv":
                stream.write("head\trelation\ttail\n")
            for n in range(triples):
                head, relation, tail = f"e{rng.randrange(things)}", f"r{rng.randrange(20)}", f"e{rng.randrange(things)}"
                if n % (triples // QUERIES) == 0:
                    known.append((head, relation))
                if ending == ".tsv":
                    stream.write(f"{head}\t{relation}\t{tail}\n")
                else:
                    stream.write(f"<urn:huiyi:{head}> <urn:huiyi:{relation}> <urn:huiyi:{tail}> .\n")
        with Knowledge(Path(folder, "graph")) as knowledge:
            started, worked = time.perf_counter(), time.process_time()
            count = knowledge.read(file)
            seconds, processor = time.perf_counter() - started, time.process_time() - worked
            spent, answers = [], 0
            for name, relation in known:
                query = f"SELECT ?end {{ ?start :{relation} ?middle . ?middle ?then ?end }}"
                started = time.perf_counter()
                answers += len(knowledge.select(query, {"start": name}))
                spent.append(1_000 * (time.perf_counter() - started))
            size = sum(path.stat().st_size for path in Path(folder, "graph").rglob("*") if path.is_file())
            return {
                "facts": count,
                "load_seconds": seconds,
                "facts_per_second": round(count / seconds),
                "facts_per_processor_second": round(count / processor),
                **percentiles(spent),
                "answers": answers,
                "disk_mb": size // 2**20,
                "resident_mb": resident_mb(),
            }


def alone(function: Callable[..., dict[str, Any]], *arguments: Any) -> Callable[[], Mapping[str, Any]]:
    """Run in a process of its own, so that the memory is that of the case."""

    def run() -> dict[str, Any]:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(function, *arguments).result()

    return run


if __name__ == "__main__":
    triples = 1_000_000
    if "--triples" in sys.argv:
        at = sys.argv.index("--triples")
        triples = int(sys.argv[at + 1])
        del sys.argv[at : at + 2]
    run_cases(
        "reasoning",
        {
            "request": alone(request),
            f"table, {triples:,}": alone(load, ".tsv", triples),
            f"n-triples, {triples:,}": alone(load, ".nt", triples),
        },
        __doc__,
        key="case",
    )
