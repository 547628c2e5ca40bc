"""What is kept of a run after each epoch, so that it can go on where it stopped. Nothing is pickled.

A checkpoint is written under a temporary name and renamed, and the one before
is removed only then: a process that is killed leaves one whole checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huiyi.errors import DataError, OutputError

if TYPE_CHECKING:
    from torch import Tensor

_STATE, _HISTORY = "state.safetensors", "history.json"


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Where they lie. It is made when the first is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(
        self, state: Mapping[str, Tensor], good: Mapping[str, Tensor], history: Sequence[Mapping[str, float]]
    ) -> None:
        """Keep the state after an epoch, and the best weights so far.

        Raises:
            OutputError: The disk is full, or the place cannot be written.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        place = self.folder / f"epoch-{len(history)}"
        partial = self.folder / f".epoch-{len(history)}"
        tensors = {f"state/{name}": value.contiguous() for name, value in state.items()}
        tensors |= {f"good/{name}": value.contiguous() for name, value in good.items()}
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            save_file(tensors, partial / _STATE)
            (partial / _HISTORY).write_text(json.dumps(list(history)), "utf-8")
            for file in partial.iterdir():
                with file.open("rb") as written:
                    os.fsync(written.fileno())
            partial.rename(place)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            why = getattr(error, "strerror", None) or str(error).rpartition("I/O error: ")[2]
            raise OutputError(
                f"{place} could not be written: {why}. Make room, and go on with --resume; what was kept before is "
                "whole"
            ) from error
        for older in self._kept()[:-1]:
            shutil.rmtree(older, ignore_errors=True)

    def latest(self) -> tuple[dict[str, Tensor], dict[str, Tensor], list[Any]] | None:
        """The state, the best weights and the history of the last epoch that was kept.

        Raises:
            DataError: It cannot be read.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        kept = self._kept()
        if not kept:
            return None
        try:
            tensors, history = load_file(kept[-1] / _STATE), json.loads((kept[-1] / _HISTORY).read_text("utf-8"))
        except (OSError, ValueError, SafetensorError) as error:
            raise DataError(
                f"{kept[-1]} is damaged ({error}); expected what a run had kept of itself. Remove that folder, and "
                "the run begins anew"
            ) from error
        parts: dict[str, dict[str, Tensor]] = {"state": {}, "good": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        return parts["state"], parts["good"], history

    def _kept(self) -> list[Path]:
        """Whole checkpoints, the oldest first."""
        return sorted(self.folder.glob("epoch-*"), key=lambda place: int(place.name.removeprefix("epoch-")))
