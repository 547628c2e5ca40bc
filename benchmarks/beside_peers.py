"""Ours beside the forty lines, SetFit and AutoIntent's classic-light: same rows, same run."""

from __future__ import annotations

import sys
from typing import Any

from harness import Pair, clocked, in_scope, load, report
from peers.run import run_peer

import huiyi

SETFIT_STEPS = 50  # a tenth of what it takes to learn: enough to tell the time, not how good it gets


def ours(train: list[Pair], test: list[Pair], *, effort: str = "fast") -> dict[str, Any]:
    with clocked() as spent:
        model = huiyi.train(train, config=huiyi.TrainConfig(effort=effort))
    figures = huiyi.evaluate(model, test).figures
    kept = ("accuracy", "ece", "oos_auroc", "oos_f1")
    return {
        "name": "huiyi" if effort == "fast" else f"huiyi {effort}",
        **{key: float(figures[key]) for key in kept if key in figures},
        **{f"train_{unit}": value for unit, value in spent.items()},
        "ms_per_decision_p50": float(figures["ms_per_record_p50"]),
    }


def theirs(peer: str, train: list[Pair], test: list[Pair], **options: object) -> dict[str, Any]:
    as_rows = [[{"text": text, "intent": label} for text, label in rows] for rows in (train, test)]
    return run_peer(peer, *as_rows, **options)


def beside(peer: str, train: list[Pair], test: list[Pair]) -> dict[str, Any]:
    if peer == "huiyi":
        return ours(train, test)
    return theirs(peer, train, test, **({"steps": SETFIT_STEPS} if peer == "setfit" else {}))


def main() -> None:
    banking = load("banking77/test")
    clinc = load("clinc150/test")
    few = ("banking77, 10 a class", load("banking77/fewshot_train_10"), banking)
    full = ("banking77", load("banking77/train"), banking)
    large = ("clinc150", in_scope(load("clinc150/train")), clinc)
    quick = ("huiyi", "forty_lines", "autointent")
    results: list[dict[str, Any]] = []
    # SetFit last: it takes longer than all others together.
    for (name, train, test), peers in (
        (few, quick),
        (full, quick),
        (large, quick[:2]),
        (few, ["setfit"]),
        (full, ["setfit"]),
    ):
        for peer in peers:
            results.append({"data": name, **beside(peer, train, test)})
            print(results[-1], file=sys.stderr, flush=True)
    report("beside_peers", results)


if __name__ == "__main__":
    main()
