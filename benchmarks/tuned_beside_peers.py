"""``tuned`` beside SetFit and AutoIntent's classic-light: same encoder, same rows, same run.

Name some cases to run these alone; their rows then replace the ones of before.
Run it in an environment with the extra ``tune``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from beside_peers import ours, theirs
from harness import load, run_cases

SETFIT_STEPS = 500
"""Of 32 pairs each. Its own default, every pair once, would take hours of the full rows."""

SPLITS = {"banking77-10": "fewshot_train_10", "banking77": "train"}


def measured(split: str, name: str) -> dict[str, Any]:
    """One row of the table."""
    train, test = load(f"banking77/{split}"), load("banking77/test")
    if name == "tuned":
        return {"rows": len(train), **ours(train, test, effort="tuned")}
    return {"rows": len(train), **theirs(name, train, test, **({"steps": SETFIT_STEPS} if name == "setfit" else {}))}


if __name__ == "__main__":
    names = ("tuned", "autointent", "setfit")
    cases = {f"{data} {name}": partial(measured, split, name) for data, split in SPLITS.items() for name in names}
    run_cases("tuned_beside_peers", cases, __doc__, key="case")
