"""Ours beside the forty lines, SetFit and AutoIntent's classic-light: same rows, same run."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

from harness import Pair, in_scope, load, report
from peers.run import run_peer

import huiyi

SETFIT_STEPS = 50  # a tenth of what it takes to learn: enough to tell the time, not how good it gets


def ours(train: list[Pair], test: list[Pair]) -> dict[str, Any]:
    start = perf_counter()
    model = huiyi.train(train)
    seconds = perf_counter() - start
    figures = huiyi.evaluate(model, test).figures
    kept = ("accuracy", "ece", "oos_auroc", "oos_f1")
    return {
        "name": "huiyi",
        **{key: float(figures[key]) for key in kept if key in figures},
        "train_seconds": seconds,
        "ms_per_decision_p50": float(figures["ms_per_record_p50"]),
    }


def beside(peer: str, train: list[Pair], test: list[Pair]) -> dict[str, Any]:
    if peer == "huiyi":
        return ours(train, test)
    as_rows = [[{"text": text, "intent": label} for text, label in rows] for rows in (train, test)]
    return run_peer(peer, *as_rows, **({"steps": SETFIT_STEPS} if peer == "setfit" else {}))


def main() -> None:
    banking = load("banking77/test")
    few, full = ("banking77, 10 a class", "banking77/fewshot_train_10"), ("banking77", "banking77/train")
    results: list[dict[str, Any]] = []
    # SetFit last: it takes longer than all others together.
    for peers, sets in ((["huiyi", "forty_lines", "autointent"], (few, full)), (["setfit"], (few, full))):
        for name, rows in sets:
            for peer in peers:
                results.append({"data": name, **beside(peer, load(rows), banking)})
                print(results[-1], file=sys.stderr, flush=True)
    train, test = in_scope(load("clinc150/train")), load("clinc150/test")
    results += [{"data": "clinc150", **beside(peer, train, test)} for peer in ("huiyi", "forty_lines")]
    report("beside_peers", results)


if __name__ == "__main__":
    main()
