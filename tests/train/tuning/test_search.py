"""The search, on objectives that cost nothing, by a clock that only they move."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from huiyi.errors import MissingExtraError, OutputError
from huiyi.train.tuning.search import FEWEST_TO_RANK, FIRST_WHOLE, Between, Tell, Trial, importance, search

pytest.importorskip("optuna", reason="searching needs the extra tune")

SPACE = {
    "rate": Between(1e-4, 1e-1, by_ratio=True),
    "smoothing": Between(0.0, 0.3),
    "epochs": Between(1, 5),
    "method": ("full", "lora"),
}
USUAL = {"rate": 1e-2, "smoothing": 0.1, "epochs": 3, "method": "full"}


@dataclass
class Bench:
    """An objective of so many steps, its minimum at rate 1e-3, and the time that it takes."""

    now: float = 0.0
    step_seconds: float = 10.0
    steps: int = 3

    def __call__(self, number: int, settings: Mapping[str, Any], tell: Tell) -> float:
        from math import log10

        loss = (log10(settings["rate"]) + 3) ** 2 + 0.01 * settings["smoothing"]
        for step in range(1, self.steps + 1):
            self.now += self.step_seconds
            tell(step, loss + self.steps - step)
        return loss

    def run(self, seconds: float, reserve: float = 0.0, **options: Any) -> list[Trial]:
        return search(
            self, SPACE, [USUAL], seconds=seconds, reserve=lambda _: reserve, clock=lambda: self.now, **options
        )


def test_what_is_usual_comes_first_and_better_is_found() -> None:
    trials = Bench().run(1500)
    assert trials[0].settings == USUAL
    assert [trial.number for trial in trials] == list(range(len(trials)))
    losses = [trial.loss for trial in trials if trial.loss is not None]
    assert min(losses) < 0.2 < losses[0]
    for trial in trials:
        assert 1e-4 <= trial.settings["rate"] <= 1e-1
        assert trial.settings["epochs"] in range(1, 6) and trial.settings["method"] in ("full", "lora")


def test_poor_trials_are_cut_short() -> None:
    trials = Bench().run(1e9, most=40)
    assert all(trial.loss is not None for trial in trials[:FIRST_WHOLE])
    short = [trial for trial in trials if trial.loss is None]
    assert any(len(trial.steps) == 1 for trial in short)
    for trial in short:
        step = len(trial.steps)
        assert trial.seconds == 10 * step
        before = sorted(other.steps[step] for other in trials[: trial.number] if step in other.steps)
        assert trial.steps[step] > before[(len(before) - 1) // 2]


@pytest.mark.parametrize("seconds", [95.0, 200.0, 333.0])
def test_time_is_kept_to_a_step(seconds: float) -> None:
    bench = Bench()
    trials = bench.run(seconds, reserve=40.0)
    assert trials and bench.now <= seconds - 40.0 + bench.step_seconds


def test_a_trial_that_takes_longer_than_others_did_ends_in_time() -> None:
    bench = Bench()

    def slow(number: int, settings: Mapping[str, Any], tell: Tell) -> float:
        bench.step_seconds = 10.0 if number == 0 else 100.0
        return bench(number, settings, tell)

    trials = search(slow, SPACE, [USUAL], seconds=120, reserve=lambda _: 20.0, clock=lambda: bench.now)
    assert [trial.loss is None for trial in trials] == [False, True]
    assert bench.now == 130


def test_the_first_trial_always_ends() -> None:
    trials = Bench().run(5)
    assert len(trials) == 1 and trials[0].loss is not None


def test_killed_and_gone_on_with_it_tries_the_same(tmp_path: Path) -> None:
    whole = Bench().run(600, journal=tmp_path / "whole" / "trials.json")

    class KilledError(Exception):
        pass

    bench, journal = Bench(), tmp_path / "killed" / "trials.json"

    def killed(number: int, settings: Mapping[str, Any], tell: Tell) -> float:
        if number == 6:
            raise KilledError
        return bench(number, settings, tell)

    with pytest.raises(KilledError):
        search(killed, SPACE, [USUAL], seconds=600, reserve=lambda _: 0.0, clock=lambda: bench.now, journal=journal)
    (journal.parent / f".{journal.name}").write_text("[{", "utf-8")  # what a kill may leave of a journal half written
    assert Bench().run(600, journal=journal) == whole
    assert journal.read_text("utf-8") == (tmp_path / "whole" / "trials.json").read_text("utf-8")
    assert len(json.loads(journal.read_text("utf-8"))) == len(whole)


def test_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(OutputError, match=r"could not be written.*--resume"):
        Bench().run(60, journal=tmp_path / "file" / "trials.json")


def test_without_what_proposes_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    bench = Bench()
    with pytest.raises(MissingExtraError, match=r"huiyi\[tune\]"):
        bench.run(60)
    assert bench.now == 0


def test_what_mattered_is_ranked() -> None:
    trials = Bench().run(3000)
    shares = importance(trials, SPACE)
    assert next(iter(shares)) == "rate"
    assert sum(shares.values()) == pytest.approx(1, abs=0.01)
    assert importance(trials[: FEWEST_TO_RANK - 1], SPACE) == {}
