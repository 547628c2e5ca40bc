"""The thorough strategy, end to end, on a tiny backbone."""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import huiyi
from huiyi import TrainConfig
from huiyi.cli import main
from huiyi.errors import OptionError
from huiyi.train import thorough
from huiyi.train.thorough import SPACE
from huiyi.train.tuning.search import Trial

pytest.importorskip("torch", reason="fine-tuning needs the extra tune")
pytest.importorskip("optuna", reason="searching needs the extra tune")


@pytest.fixture(scope="module")
def config(tiny: Path) -> TrainConfig:
    return TrainConfig(effort="thorough", encoder=str(tiny), signals=("words",))


@pytest.fixture(autouse=True)
def _few_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast the machine is, there are as many trials as this."""
    monkeypatch.setattr(thorough, "MOST_TRIALS", 5)


class StoppedError(Exception):
    """What the test interrupts training with."""


def test_it_searches_is_interrupted_and_goes_on(
    config: TrainConfig, rows: list[tuple[str, str]], tmp_path: Path
) -> None:
    run, told = tmp_path / "desk.run", set[str]()

    def stop(what: str, figures: Mapping[str, float]) -> None:
        told.add(what.partition(",")[0])
        if len(told) == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        huiyi.train(rows[::2], config=config, folder=run, on_epoch=stop)
    before = json.loads((run / "checkpoints" / "trials" / "trials.json").read_text("utf-8"))
    assert [trial["number"] for trial in before] == [0, 1, 2]
    told.clear()
    model = huiyi.train(
        rows[::2], config=config, folder=run, resume=True, on_epoch=lambda what, _: told.add(what.partition(",")[0])
    )
    assert not told & {"trial 0", "trial 1", "trial 2"}
    after = json.loads((run / "checkpoints" / "trials" / "trials.json").read_text("utf-8"))
    assert after[:3] == before
    found = model.summary["search"]
    assert found["trials"] == len(after) == 5
    losses = {trial["number"]: trial["loss"] for trial in after if trial["loss"] is not None}
    assert found["members"][0] == min(losses, key=losses.__getitem__)
    assert found["together_loss"] <= found["best_loss"] <= found["usual_loss"]
    assert len(model.summary["also_tuned"]) + 1 == len(found["members"]) <= thorough.MOST_MEMBERS
    assert not list((run / "checkpoints").glob("trial-*/without*")), "checkpoints of finished trials are removed"
    told.clear()
    again = huiyi.train(rows[::2], config=config, folder=run, resume=True, on_epoch=lambda what, _: told.add(what))
    assert not told and again.summary["search"] == found
    assert huiyi.evaluate(model, rows).figures["accuracy"] > 0.9


def test_without_time_it_is_tuned(config: TrainConfig, rows: list[tuple[str, str]]) -> None:
    model = huiyi.train(rows, config=replace(config, minutes=0.001))
    assert model.summary["search"]["members"] == [0]
    assert any("Give more --minutes" in notice for notice in model.summary["notices"])
    tuned = huiyi.train(rows, config=replace(config, effort="tuned", minutes=TrainConfig.minutes))
    texts = [huiyi.Record(text=text) for text, _ in rows]
    np.testing.assert_allclose(
        model.align(model.perceive(texts)).probabilities, tuned.align(tuned.perceive(texts)).probabilities, atol=1e-5
    )


def test_the_command_line_says_what_was_found(
    config: TrainConfig, rows: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: object
) -> None:
    file = tmp_path / "tickets.csv"
    file.write_text("text,intent\n" + "".join(f"{text},{label}\n" for text, label in rows), "utf-8")
    out = tmp_path / "desk"
    options = ["--effort", "thorough", "--minutes", "0.001", "--encoder", config.encoder, "--signals", "words"]
    monkeypatch.setattr(sys, "argv", ["huiyi", "train", str(file), "--out", str(out), *options])
    main()
    assert "Search: 1 trials, 0 of them cut short." in capfd.readouterr().out  # type: ignore[attr-defined]
    assert not (tmp_path / "desk.run" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (TrainConfig(effort="thorough", minutes=0), "--minutes is 0, expected more than 0"),
        (TrainConfig(effort="thorough", minutes=float("nan")), "--minutes is nan"),
        (TrainConfig(effort="tuned", minutes=5), "expected with --effort thorough"),
        (TrainConfig(minutes=-1, max_error=2), "--max-error is 2.*; --minutes is -1"),
    ],
)
def test_options_that_cannot_be_used(config: TrainConfig, says: str, rows: list[tuple[str, str]]) -> None:
    with pytest.raises(OptionError, match=says):
        huiyi.train(rows, config=config)


def test_the_space_is_of_settings_there_are() -> None:
    from huiyi.train.tuning.finetune import FinetuneConfig

    usual = Trial(0, thorough.as_settings(FinetuneConfig()), None, 0.0)
    assert set(usual.settings) == set(SPACE)


def test_descriptions_alone_leave_nothing_to_search_by(config: TrainConfig) -> None:
    labels = [
        huiyi.Label(name, {"en": words}) for name, words in (("card", "stolen lost pin"), ("order", "parcel late"))
    ]
    model = huiyi.train([{"text": "", "intent": ""}], task=huiyi.Task("intent", "choice", tuple(labels)), config=config)
    assert model.summary["search"]["trials"] == 1
    assert model.decide("parcel late").label == "order"


def test_several_tasks_are_searched_together(
    config: TrainConfig, rows: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thorough, "MOST_TRIALS", 2)
    both = [
        {"text": text, "intent": label, "urgency": "high" if "please" in text else "low"} for text, label in rows[::3]
    ]
    columns = huiyi.Columns(label="intent,urgency")
    model = huiyi.train(both, columns=columns, config=config, folder=tmp_path / "run")
    again = huiyi.train(both, columns=columns, config=config, folder=tmp_path / "run", resume=True)
    assert set(model.skills) == {"intent", "urgency"}
    assert again.summary["search"] == model.summary["search"]
    assert again.skills["urgency"].summary["weights"] == model.skills["urgency"].summary["weights"]
