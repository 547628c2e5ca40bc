"""A training that is killed again and again, and resumed, beside one that was left alone: how far their models differ.

Kills are by SIGKILL, which leaves a process no time to tidy up. Both learn
from the built-in desk, by the command line, with the same number of threads.
Run it in an environment with the extra ``tune``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from harness import publish, result_file

from huiyi.data.desk import FOLDER
from huiyi.storage import MANIFEST, read_folder
from huiyi.train.tuning.finetune import best_epoch

ASKED = 1e-6
"""The largest difference between two saved numbers that is no difference."""

EXPORT_SECONDS = 2.0
"""So long after the last epoch, a backbone is being exported."""


@dataclass
class Watched:
    """What is seen of a training from outside.

    Attributes:
        folder: Where it will save its model.
        epochs: What it has said of each epoch.
        since: When it said the last of it.
    """

    folder: Path
    epochs: list[str] = field(default_factory=list)
    since: float = 0.0

    def is_saving(self) -> bool:
        """Whether the folder of the model is there, under its temporary name."""
        return any(self.folder.parent.glob(f".{self.folder.name}.partial-*"))

    def has_told(self, what: str, seconds: float) -> bool:
        """Whether it has told an epoch, and so much time has passed since."""
        return any(what in line for line in self.epochs) and time.monotonic() - self.since >= seconds

    def has_ended(self, run: str) -> bool:
        """Whether the last epoch of a run is kept: as many as were best in the first one."""
        kept = self.folder.with_name(f"{self.folder.name}.run") / "checkpoints"
        histories = list(kept.glob("without part 1/epoch-*/history.json"))
        if len(histories) != 1:
            return False
        epochs = best_epoch(json.loads(histories[0].read_text("utf-8")))
        return (kept / run / f"epoch-{epochs}").is_dir()


Moment = Callable[[Watched], bool]


@contextmanager
def training(out: Path, options: list[str], *, resume: bool) -> Iterator[tuple[subprocess.Popen[str], Watched]]:
    """A training in a process of its own, which is dead when this ends."""
    command = [sys.executable, "-m", "huiyi", "train", str(FOLDER / "train.csv"), "--out", str(out)]
    command += ["--task", str(FOLDER / "task.yaml"), "--effort", "tuned", *options, *(["--resume"] if resume else [])]
    error = out.with_name(f"{out.name}.said")
    with error.open("w") as said, subprocess.Popen(command, stdout=said, stderr=said, text=True) as process:
        try:
            yield process, Watched(out)
        finally:
            process.kill()
    if process.returncode not in (0, -signal.SIGKILL):
        sys.exit(error.read_text("utf-8"))


def run(out: Path, options: list[str], *, resume: bool = False, until: Moment | None = None) -> dict[str, Any]:
    """Train until it ends or a moment has come, and tell what was seen."""
    started, killed = time.monotonic(), False
    error = out.with_name(f"{out.name}.said")
    with training(out, options, resume=resume) as (process, watched):
        while process.poll() is None:
            lines = [line for line in error.read_text("utf-8").splitlines(keepends=True) if ": epoch " in line]
            whole = [line for line in lines if line.endswith("\n")]
            if len(whole) > len(watched.epochs):
                watched.epochs, watched.since = whole, time.monotonic()
            if until is not None and until(watched):
                os.kill(process.pid, signal.SIGKILL)
                killed = True
                break
            time.sleep(0.002)
    kept = sorted(place.name for place in out.with_name(f"{out.name}.run").glob("checkpoints/*/epoch-*"))
    return {
        "killed": killed,
        "seconds": round(time.monotonic() - started, 1),
        "epochs_tuned": len(watched.epochs),
        "runs_kept": len(kept),
    }


def moments(epoch_seconds: float) -> Mapping[str, Moment]:
    """When to kill, in the order of one training."""
    half = epoch_seconds / 2
    return {
        "before anything is tuned": lambda seen: any(seen.folder.parent.glob("*.run/run.json")),
        "in mid-epoch of the first run": lambda seen: seen.has_told("without part 1: epoch 2", half),
        "between two runs": lambda seen: seen.has_ended("without part 2"),
        "in mid-epoch of the last run": lambda seen: seen.has_told("all: epoch 1", half),
        "in the export": lambda seen: seen.has_ended("all") and seen.has_told("all: epoch", EXPORT_SECONDS),
        "while the model is saved": lambda seen: seen.is_saving(),
    }


def difference(left: Path, right: Path) -> tuple[float, int]:
    """The largest difference of two saved models' numbers, and how many files are the same to the byte.

    Of a backbone in ONNX the weights are compared.
    """
    one, other = read_folder(left), read_folder(right)
    if one[0].keys() != other[0].keys():
        sys.exit(f"the models hold other arrays: {sorted(one[0].keys() ^ other[0].keys())}")
    largest = 0.0
    for name, array in one[0].items():
        if name.endswith(".onnx"):
            largest = max(largest, weights_differ(array, other[0][name]))
        elif array.shape != other[0][name].shape:
            sys.exit(f"{name}: {array.shape} is not {other[0][name].shape}")
        elif array.size and array.dtype.kind in "fiub":
            largest = max(largest, float(np.abs(array.astype(np.float64) - other[0][name].astype(np.float64)).max()))
    files = [
        file.name
        for file in left.iterdir()
        if file.name != MANIFEST and file.read_bytes() == (right / file.name).read_bytes()
    ]
    return largest, len(files)


def weights_differ(left: Any, right: Any) -> float:
    """The largest difference of two ONNX files' weights."""
    import onnx
    from onnx.numpy_helper import to_array

    one, other = (
        {tensor.name: to_array(tensor) for tensor in onnx.load_from_string(file.tobytes()).graph.initializer}
        for file in (left, right)
    )
    if one.keys() != other.keys():
        sys.exit("the exported backbones hold other weights")
    gaps = [float(np.abs(one[name].astype(np.float64) - other[name].astype(np.float64)).max()) for name in one]
    return max(gaps, default=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="all-MiniLM-L6-v2")
    parser.add_argument("--epoch-seconds", type=float, default=4.0, help="about as long as an epoch takes here")
    parser.add_argument("--out", type=Path, default=result_file("resume"))
    asked = parser.parse_args()
    options = ["--encoder", asked.encoder]
    with tempfile.TemporaryDirectory() as place:
        alone, killed = Path(place) / "alone" / "desk", Path(place) / "killed" / "desk"
        alone.parent.mkdir()
        killed.parent.mkdir()
        rows: list[dict[str, Any]] = [{"moment": "never, left alone", **run(alone, options)}]
        print(rows[-1], file=sys.stderr, flush=True)
        for name, moment in moments(asked.epoch_seconds).items():
            rows.append({"moment": name, **run(killed, options, resume=len(rows) > 1, until=moment)})
            print(rows[-1], file=sys.stderr, flush=True)
        rows.append({"moment": "never, resumed to the end", **run(killed, options, resume=True)})
        largest, same = difference(alone, killed)
        left = [file.name for file in killed.parent.iterdir() if file.name.startswith(f".{killed.name}.partial-")]
        rows[-1] |= {"largest_difference": largest, "same_files": same, "left_behind": len(left)}
    publish("resume", rows, asked.out)
    if largest > ASKED:
        sys.exit(f"the models differ by {largest}, asked for: {ASKED}")


if __name__ == "__main__":
    main()
