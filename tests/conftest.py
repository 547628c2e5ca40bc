"""One small model for the whole run, and what it was trained on."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

import huiyi
from huiyi import Model, Table, Task, TrainConfig
from huiyi.cli import main
from huiyi.data.desk import FOLDER, desk
from huiyi.data.tasks import read_tasks
from huiyi.perceive.encoders import ENCODERS

settings.register_profile("huiyi", deadline=None)  # how long one example takes says more of the machine than of us
settings.load_profile("huiyi")


@pytest.fixture(scope="session", autouse=True)
def load_weights_once() -> Iterator[None]:
    """Share one encoder of each kind among all models: reading its weights takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name, make in list(ENCODERS.items()):
            shared = make()
            patch.setitem(ENCODERS, name, lambda shared=shared: shared)
        yield


@pytest.fixture(scope="session")
def desk_task() -> Task:
    """The first four intents of the built-in desk, with descriptions in both languages."""
    (task,) = read_tasks(FOLDER / "task.yaml").tasks
    return replace(task, labels=task.labels[:4])


@pytest.fixture(scope="session")
def desk_table(desk_task: Task) -> Table:
    """Their 24 rows each."""
    table = desk("train")
    kept = [i for i, record in enumerate(table.records) if record.labels["intent"] in desk_task.names]
    return replace(table, records=tuple(table.records[i] for i in kept), rows=tuple(table.rows[i] for i in kept))


@pytest.fixture(scope="session")
def model(desk_table: Table, desk_task: Task) -> Model:
    """Trained on them with all signals, and saved."""
    return huiyi.train(desk_table, task=desk_task)


@pytest.fixture(scope="session")
def saved(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the model is saved; nobody writes there."""
    folder = tmp_path_factory.mktemp("models") / "desk"
    model.save(folder)
    return folder


@pytest.fixture(scope="session")
def words_only() -> TrainConfig:
    """Trains in milliseconds, because it counts words and encodes no text."""
    return TrainConfig(signals=("words",))


class Ended(NamedTuple):
    """How a call of the command line ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Ended]:
    """Call the command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["huiyi", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return Ended(code, *capfd.readouterr())

    return call
