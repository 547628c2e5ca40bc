"""The folder of a training that takes long: what it was begun with, and what it has done so far."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from huiyi.errors import DataError, OptionError, OutputError

_BEGUN, _CHECKPOINTS = "run.json", "checkpoints"


def begin(folder: Path, begun_with: Mapping[str, str], *, resume: bool) -> Path:
    """Begin a run, or go on with one, and return where its checkpoints lie.

    Args:
        folder: Of the run. It is made.
        begun_with: What the run depends on, each with a word for it: rows, options, backbone.
        resume: Whether to go on with the one that is there.

    Raises:
        OutputError: A run is there and is not to be gone on with, or it cannot be written.
        OptionError: There is none to go on with.
        DataError: It was begun with something else.
    """
    file = folder / _BEGUN
    if resume:
        _check_same(file, begun_with)
        return folder / _CHECKPOINTS
    if is_begun(folder):
        raise OutputError(
            f"{folder} holds a training that was interrupted. Go on with it by --resume, or remove the folder"
        )
    write_whole(file, json.dumps(dict(begun_with), ensure_ascii=False, indent=1).encode())
    return folder / _CHECKPOINTS


def write_whole(file: Path, content: bytes) -> None:
    """Write a file under another name, and rename it when all of it is on the disk, so that there is no half of it.

    Raises:
        OutputError: The disk is full, or the place cannot be written.
    """
    partial = file.with_name(f".{file.name}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as there:
            there.write(content)
            there.flush()
            os.fsync(there.fileno())
        partial.rename(file)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise OutputError(
            f"{file} could not be written: {error.strerror}. Make room or choose another --out; what was kept before "
            "is whole, and --resume goes on with it"
        ) from error


def is_begun(folder: Path) -> bool:
    """Whether something is kept there of a training that has not come to its end."""
    return any((folder / _CHECKPOINTS).glob("*/*"))


def end(folder: Path) -> None:
    """Remove the checkpoints of a run that has come to its end; its logs stay."""
    shutil.rmtree(folder / _CHECKPOINTS, ignore_errors=True)


def _check_same(file: Path, begun_with: Mapping[str, str]) -> None:
    """Refuse to go on with a run that was begun with something else."""
    try:
        before = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(
            f"--resume: {file.parent} holds no training that was interrupted. Leave --resume out to begin one"
        ) from error
    if changed := [what for what, value in begun_with.items() if before.get(what) != value]:
        raise DataError(
            f"--resume: the training in {file.parent} was begun with other {' and '.join(changed)}; expected the same. "
            f"Give what it was begun with, or remove the folder and begin anew"
        )
