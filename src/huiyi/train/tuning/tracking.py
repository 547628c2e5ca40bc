"""Figures of each epoch for those who follow a training from outside: TensorBoard, or Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from time import time
from typing import Any, Protocol

from huiyi.errors import MissingExtraError
from huiyi.train.tuning.runs import write_whole


class Tracker(Protocol):
    """Keeps the figures of epochs."""

    def tell(self, what: str, figures: Mapping[str, float]) -> None:
        """Keep the figures of an epoch of ``what``, its number ``epoch`` among them."""

    def close(self) -> None:
        """Nothing more will be told."""


class TensorBoard:
    """One line of points for each figure, to be looked at with ``tensorboard --logdir DIR.run/logs``.

    Each epoch is a file of its own, whole or not there. One that is tuned again after a kill takes its place.

    Args:
        folder: Where the logs go; one folder in it for each run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tell(self, what: str, figures: Mapping[str, float]) -> None:
        """Write them.

        Raises:
            OutputError: The disk is full, or the place cannot be written.
        """
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        step, now, content = int(figures["epoch"]), time(), BytesIO()
        points = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items() if name != "epoch"]
        records = RecordWriter(content)
        records.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        records.write(Event(wall_time=now, step=step, summary=Summary(value=points)).SerializeToString())
        file = self.folder / what.replace(", ", "/") / f"events.out.tfevents.{step:06}.huiyi"
        write_whole(file, content.getvalue())

    def close(self) -> None:
        """Nothing is open."""


class WeightsAndBiases:
    """One run of Weights & Biases for the whole training, written to a folder.

    Nothing leaves the machine unless the environment holds ``WANDB_API_KEY``,
    or ``WANDB_MODE`` asks for it. ``wandb sync`` sends it later. The package
    writes when it likes: a training that is killed may lose its last figures here.

    Args:
        folder: Where it is written; its parent gives the run its name.

    Raises:
        MissingExtraError: The package is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import wandb  # noqa: F401  (is it there? Its run begins with the first figures)
        except ImportError as error:
            raise MissingExtraError("Runs of Weights & Biases", extra="wandb") from error
        self.folder = folder
        self._run: Any = None

    def tell(self, what: str, figures: Mapping[str, float]) -> None:
        """Log figures as ``what/name``, over the epochs of ``what``."""
        if self._run is None:
            self._run = self._begun()
        self._run.define_metric(f"{what}/*", step_metric=f"{what}/epoch")
        self._run.log({f"{what}/{name}": value for name, value in figures.items()})

    def close(self) -> None:
        """End the run."""
        if self._run is not None:
            self._run.finish()

    def _begun(self) -> Any:
        """A fresh run."""
        import wandb

        mode = os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_API_KEY") else "offline")
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False)
        return wandb.init(project="huiyi", name=self.folder.parent.name, dir=self.folder, mode=mode, settings=settings)


TRACKERS: Mapping[str, Callable[[Path], Tracker]] = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases}
"""By the name that ``--track`` gives."""
