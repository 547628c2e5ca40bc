"""Across languages: trained on English SNIPS, asked in Chinese, without one Chinese example.

The second case leaves out the English rows whose translations are asked. Run
it in an environment with the extra ``tune``.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

from harness import Pair, clocked, load, one_pass, run_cases, told

import huiyi
from huiyi.train.tuning.backbones import E5

SAME = {"weather/find": "GetWeather"}
"""Intents that both have under another name; those of the same name are the same."""


def shared(split: str, known: set[str]) -> list[Pair]:
    """Rows of xSID whose intent SNIPS has too, under its name."""
    rows = [(text, SAME.get(label, label)) for text, label in load(f"xsid/{split}")]
    return [row for row in rows if row[1] in known]


def plain(text: str) -> str:
    """A text without case and punctuation, which SNIPS does not have."""
    return " ".join(re.findall(r"\w+", text.lower()))


def measured(*, translated: bool) -> dict[str, Any]:
    """One row of the table.

    Args:
        translated: Whether to train on rows whose translations are asked too.
    """
    train = load("snips/train")
    if not translated:
        asked = {
            plain(english)
            for split in ("zh_validation", "zh_test")
            for _, english in load(f"xsid/{split}", label="text_en")
        }
        train = [row for row in train if plain(row[0]) not in asked]
    with clocked() as spent:
        model = huiyi.train(train, config=huiyi.TrainConfig(effort="tuned", encoder=E5), on_epoch=told)
    known = set(model.task.names)
    tests = {"en_test": load("snips/test")} | {split: shared(split, known) for split in ("zh_validation", "zh_test")}
    return {
        "rows": len(train),
        **{name: float(huiyi.evaluate(model, rows).figures["accuracy"]) for name, rows in tests.items()},
        "zh_rows": len(tests["zh_test"]),
        **spent,
        "passes": round(spent["processor_seconds"] / one_pass([text for text, _ in train]), 1),
        "weights": json.dumps(model.skills["intent"].summary["weights"]),
    }


if __name__ == "__main__":
    cases = {"snips": True, "snips-untranslated": False}
    run_cases("xsid", {name: partial(measured, translated=translated) for name, translated in cases.items()}, __doc__)
