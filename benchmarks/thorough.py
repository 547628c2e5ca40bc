"""What the effort ``thorough`` makes of its usual minutes: how right it is, and what it tried.

Its rows stand beside those of ``tuned.py``, which are of the same rows and the same test rows.
Name some cases to run these alone; their rows then replace the ones of before.
Run it in an environment with the extra ``tune``.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from harness import clocked, run_cases, told
from tuned import CASES, KEPT

import huiyi


def measured(name: str) -> dict[str, Any]:
    """One row of the table."""
    case = CASES[name]()
    config = huiyi.TrainConfig(effort="thorough")
    with clocked() as spent:
        model = huiyi.train(case.train, validation=case.validation, config=config, on_epoch=told)
    evaluation = huiyi.evaluate(model, case.test)
    search = model.summary["search"]
    return {
        "rows": len(case.train),
        "minutes": config.minutes,
        "accuracy": float(evaluation.figures["accuracy"]),
        **{key: float(evaluation.figures[key]) for key in KEPT if key in evaluation.figures},
        "promise": model.promise.kind,
        **spent,
        **{key: search[key] for key in ("trials", "cut_short", "usual_loss", "best_loss", "together_loss")},
        "members": json.dumps(search["members"]),
        "weights": json.dumps(model.skills["intent"].summary["weights"]),
    }


if __name__ == "__main__":
    run_cases("thorough", {name: partial(measured, name) for name in ("banking77", "clinc150")}, __doc__)
