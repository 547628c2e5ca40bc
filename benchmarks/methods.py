"""Each way to tune on BANKING77: what trains, what it costs, what it is worth alone and in the whole model.

Alone it is measured twice: on training rows that a first run left out, and on the test rows.

Name some methods to run these alone; their rows then replace the ones of before.
Run it in an environment with the extra ``tune``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from harness import Pair, clocked, load, one_pass, run_cases, told

import huiyi
from huiyi.train.tuning.methods import METHODS
from huiyi.values import Record

SIGNAL, HEAD = "text@intent", "text@intent/prototypes"
"""Of the tuned backbone. A model that has no use for it has neither."""


def own_accuracy(model: huiyi.Model, test: Sequence[Pair]) -> float | None:
    """The share that the tuned backbone's own head tells right, without the signals beside it."""
    arrays, _ = model.skills["intent"].aligner.to_arrays()
    if f"{HEAD}/prototypes" not in arrays:
        return None
    vectors = np.asarray(model.perceive([Record(text=text) for text, _ in test]).signals[SIGNAL])
    sharpness = model.summary["tuning"]["sharpness"]
    odds = sharpness * vectors @ arrays[f"{HEAD}/prototypes"].T + arrays[f"{HEAD}/bias"]  # (n, labels)
    names = np.array(model.task.names)[odds.argmax(axis=1)]
    return float(np.mean(names == [label for _, label in test]))


def measured(method: str) -> dict[str, Any]:
    """One row of the table."""
    train, test = load("banking77/train"), load("banking77/test")
    config = huiyi.TrainConfig(effort="tuned", tune=method)
    held_out: dict[float, float] = {}

    def listen(what: str, figures: Mapping[str, float]) -> None:
        told(what, figures)
        if "held_out_accuracy" in figures:
            held_out[figures["epoch"]] = figures["held_out_accuracy"]

    with clocked() as spent:
        model = huiyi.train(train, config=config, on_epoch=listen)
    tuning = model.summary["tuning"]
    return {
        "held_out_accuracy": held_out[tuning["epochs"]],
        "own_accuracy": own_accuracy(model, test),
        "accuracy": float(huiyi.evaluate(model, test).figures["accuracy"]),
        "trained_parameters": tuning["trained"],
        "saved_bytes": tuning["saved_bytes"],
        "epochs": tuning["epochs"],
        **spent,
        "passes": round(spent["processor_seconds"] / one_pass([text for text, _ in train]), 1),
    }


if __name__ == "__main__":
    run_cases("methods", {name: partial(measured, name) for name in METHODS}, __doc__, key="method")
