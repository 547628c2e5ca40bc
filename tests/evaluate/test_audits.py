"""Auditor's records: replayed in a new process, and refused or told apart once something is changed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import huiyi
from huiyi import Model, Record
from huiyi.errors import DataError, OptionError
from huiyi.evaluate import audit, replay_audit

IN_ANOTHER_PROCESS = """
import json, sys
import huiyi
from huiyi.evaluate import replay_audit
model = huiyi.load(sys.argv[1])
print(json.dumps([replay_audit(model, record) for record in json.loads(sys.stdin.read())]))
"""


@pytest.fixture(scope="module")
def loaded(saved: Path) -> Model:
    return huiyi.load(saved)


@pytest.fixture(scope="module")
def kept(loaded: Model) -> dict[str, Any]:
    return json.loads(json.dumps(audit(loaded, Record(id="t1", text="how much is a bed to Whitecliff"))))  # type: ignore[no-any-return]


def test_a_new_process_decides_the_same(loaded: Model, saved: Path, kept: dict[str, Any]) -> None:
    more = audit(loaded, Record(text="票价多少"), about=loaded.task.names[1], method="shapley", seed=3)
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(saved)]
    done = subprocess.run(command, input=json.dumps([kept, more]), capture_output=True, check=True, encoding="utf-8")
    assert json.loads(done.stdout) == [[], []]


def test_it_holds_what_was_decided_and_why(loaded: Model, kept: dict[str, Any]) -> None:
    assert kept["model"] == kept["decision"]["model"] == loaded.sha256
    assert kept["versions"]["huiyi"] == huiyi.__version__
    assert (kept["record"]["id"], kept["seed"], kept["about"]) == ("t1", 0, None)
    assert kept["decision"]["explanation"]["words"][0]["text"] == "how"
    assert kept["decision"]["shares"]


def test_what_differs_is_named(loaded: Model, kept: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(kept))
    changed["decision"]["explanation"]["words"][2]["weight"] += 1e-9
    changed["decision"]["kind"] = "shrug"
    told = replay_audit(loaded, changed)
    assert [line.split(":")[0] for line in told] == ["decision.kind", "decision.explanation.words[2].weight"]
    assert '"shrug"' in told[0]


def test_what_is_refused(loaded: Model, kept: dict[str, Any]) -> None:
    other = {**kept, "model": "0" * 64}
    with pytest.raises(DataError, match=f"{'0' * 64}.*{loaded.sha256}"):
        replay_audit(loaded, other)
    with pytest.raises(DataError, match="was changed since"):
        replay_audit(loaded, {**kept, "record": {**kept["record"], "text": "how much is a bed to Whitecliffs"}})
    with pytest.raises(DataError, match="lacks method"):
        replay_audit(loaded, {key: value for key, value in kept.items() if key != "method"})


def test_a_model_that_was_never_saved(words_only: Any) -> None:
    with pytest.raises(OptionError, match="never saved"):
        audit(huiyi.train([("a b", "x"), ("c d", "y")], config=words_only), Record(text="a"))
