"""Ours beside the forty lines, SetFit and AutoIntent's classic-light: same rows, same run."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

from harness import Pair, in_scope, load, report
from peers.run import run_peer

import huiyi

SETFIT_STEPS = 500


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


def compared(name: str, train: list[Pair], test: list[Pair], peers: list[str]) -> list[dict[str, Any]]:
    as_rows = [[{"text": text, "intent": label} for text, label in rows] for rows in (train, test)]
    results = [{"data": name, **ours(train, test)}]
    print(results[-1], file=sys.stderr, flush=True)
    for peer in peers:
        options = {"steps": SETFIT_STEPS} if peer == "setfit" else {}
        results.append({"data": name, **run_peer(peer, as_rows[0], as_rows[1], **options)})
        print(results[-1], file=sys.stderr, flush=True)
    return results


def main() -> None:
    banking = load("banking77/test")
    everyone = ["forty_lines", "autointent", "setfit"]
    results = compared("banking77, 10 a class", load("banking77/fewshot_train_10"), banking, everyone)
    results += compared("banking77", load("banking77/train"), banking, everyone)
    results += compared("clinc150", in_scope(load("clinc150/train")), load("clinc150/test"), ["forty_lines"])
    report("beside_peers", results)


if __name__ == "__main__":
    main()
