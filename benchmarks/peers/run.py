"""Run one peer on given rows, in its own environment, and return what it measured."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from .environments import environment_python

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUNNERS = {  # name -> (environment, script)
    "forty_lines": ("forty_lines", "forty_lines.py"),
    "setfit": ("setfit", "setfit_peer.py"),
    "autointent": ("autointent", "autointent_peer.py"),
    "minilm_encode": ("forty_lines", "minilm_encode.py"),
}


def run_peer(
    name: str, train_rows: Sequence[Mapping[str, str]], test_rows: Sequence[Mapping[str, str]], **options: object
) -> dict[str, Any]:
    """Train and measure one peer: offline, in a fresh folder with fresh caches.

    It gets two threads, or as many as ``OMP_NUM_THREADS`` names.

    Args:
        name: A key of ``RUNNERS``.
        train_rows: Rows of ``text`` and ``intent``, none labelled ``oos``.
        test_rows: Rows of ``text`` and ``intent``, those out of scope labelled ``oos``.
        **options: The runner's own options, which refuses those it does not know: ``steps=500`` is ``--steps 500``.

    Returns:
        The runner's figures; see README.md beside this file.

    Raises:
        RuntimeError: The runner failed; what it printed last is in the notes.

    Example:
        >>> run_peer("setfit", train_rows, test_rows, steps=500)["accuracy"]  # doctest: +SKIP
        0.795
    """
    environment, script = RUNNERS[name]
    with TemporaryDirectory(prefix=f"{name}-") as folder:
        train, test, out = (Path(folder) / file for file in ("train.jsonl", "test.jsonl", "out.json"))
        write_rows(train, train_rows)
        write_rows(test, test_rows)
        flags = [part for option, value in options.items() for part in (f"--{option}", str(value))]
        done = subprocess.run(
            [environment_python(environment), Path(__file__).parent / script, train, test, out, *flags],
            cwd=folder,  # some peers write their logs where they stand
            env=offline_environment(cache=folder),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            error = RuntimeError(f"{script}: ended with exit code {done.returncode}, expected 0. See its output below.")
            error.add_note(done.stderr[-4000:])
            raise error
        result: dict[str, Any] = json.loads(out.read_text())
        return result


def offline_environment(*, cache: str) -> dict[str, str]:
    """Return the variables a peer runs under. A new cache keeps it from finding an earlier run's embeddings."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {"OMP_NUM_THREADS": "2", **ours, "HF_HUB_OFFLINE": "1", "HF_HOME": cache, "XDG_CACHE_HOME": cache}


def write_rows(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write rows as JSONL, their text and intent alone."""
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"text": row["text"], "intent": row["intent"]}) + "\n" for row in rows)
