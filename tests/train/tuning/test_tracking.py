"""Who keeps the figures of epochs."""

import os
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from huiyi.errors import MissingExtraError
from huiyi.train.tuning.tracking import TRACKERS

EPOCHS = [{"epoch": 1.0, "loss": 0.5, "held_out_loss": 0.7}, {"epoch": 2.0, "loss": 0.25, "held_out_loss": 0.6}]


def test_tensorboard_reads_back_what_was_told(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="fine-tuning needs the extra tune")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracker = TRACKERS["tensorboard"](tmp_path / "logs")
    for figures in EPOCHS:
        tracker.tell("text@intent, without part 1", figures)
    tracker.close()
    points = EventAccumulator(str(tmp_path / "logs" / "text@intent" / "without part 1"))
    points.Reload()
    assert set(points.Tags()["scalars"]) == {"loss", "held_out_loss"}
    assert [(point.step, point.value) for point in points.Scalars("loss")] == [(1, 0.5), (2, 0.25)]


class Run:
    """Stands in for a run of Weights & Biases."""

    def __init__(self, **options: Any) -> None:
        self.options, self.logged, self.axes, self.is_finished = options, [], {}, False

    def define_metric(self, name: str, *, step_metric: str) -> None:
        self.axes[name] = step_metric

    def log(self, figures: dict[str, float]) -> None:
        self.logged.append(figures)

    def finish(self) -> None:
        self.is_finished = True


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The runs that a stand-in for the package was asked for, without a key or a wish about it."""
    begun: list[Run] = []
    package = ModuleType("wandb")
    package.Settings = SimpleNamespace  # type: ignore[attr-defined]
    package.init = lambda **options: begun.append(Run(**options)) or begun[-1]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", package)
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    return begun


def test_weights_and_biases_is_offline_and_one_run(runs: list[Run], tmp_path: Path) -> None:
    tracker = TRACKERS["wandb"](tmp_path / "desk.run" / "logs")
    assert not runs and not (tmp_path / "desk.run").exists()
    for what in ("text@intent, without part 1", "text@intent, all"):
        for figures in EPOCHS:
            tracker.tell(what, figures)
    tracker.close()
    (run,) = runs
    assert run.is_finished
    assert run.options["mode"] == "offline"
    assert (run.options["name"], run.options["dir"]) == ("desk.run", tmp_path / "desk.run" / "logs")
    assert run.axes["text@intent, all/*"] == "text@intent, all/epoch"
    assert run.logged[-1] == {
        "text@intent, all/epoch": 2.0, "text@intent, all/loss": 0.25, "text@intent, all/held_out_loss": 0.6
    }  # fmt: skip


@pytest.mark.parametrize(
    ("set_to", "mode"),
    [({"WANDB_API_KEY": "k"}, "online"), ({"WANDB_API_KEY": "k", "WANDB_MODE": "offline"}, "offline")],
)
def test_weights_and_biases_goes_online_only_when_asked(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_to: dict[str, str], mode: str
) -> None:
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    TRACKERS["wandb"](tmp_path).tell("all", EPOCHS[0])
    assert runs[0].options["mode"] == mode


def test_weights_and_biases_itself_writes_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="Weights & Biases needs the extra wandb")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracker = TRACKERS["wandb"](tmp_path / "desk.run" / "logs")
    for figures in EPOCHS:
        tracker.tell("all", figures)
    tracker.close()
    (file,) = tmp_path.glob("desk.run/logs/wandb/offline-run-*/*.wandb")
    latest = time.monotonic() + 20
    while b"all/held_out_loss" not in file.read_bytes():  # a process of its own writes it
        assert time.monotonic() < latest
        time.sleep(0.05)


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtraError, match=r"Weights & Biases need the extra .* pip install \"huiyi\[wandb\]\""):
        TRACKERS["wandb"](tmp_path)
