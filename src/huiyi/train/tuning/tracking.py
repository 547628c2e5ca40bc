"""Figures of each epoch for TensorBoard, in the folder of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class Tracker:
    """Writes what it is told as one line of points for each figure.

    Look at them with ``tensorboard --logdir DIR.run/logs``.

    Args:
        folder: Where the logs go; one folder in it for each run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, what: str, figures: Mapping[str, float]) -> None:
        """Write the figures of an epoch of ``what`` at once, so that they survive a kill."""
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(self.folder / what.replace(", ", "/"))) as writer:
            for name, value in figures.items():
                if name != "epoch":
                    writer.add_scalar(name, value, int(figures["epoch"]))
