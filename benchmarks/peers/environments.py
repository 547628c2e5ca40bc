"""One virtual environment for each peer, built on first use from the exact versions in ``locks/``.

Build them all ahead of a run with ``python benchmarks/peers/environments.py``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

LOCKS = Path(__file__).parent / "locks"
ENVIRONMENTS = Path(__file__).parent.parent / ".envs"
TORCH = "torch==2.13.0"


def environment_python(name: str) -> Path:
    """Return the Python of a peer's environment, building the environment where it is missing or out of date.

    Example:
        >>> environment_python("setfit").parts[-4:]  # doctest: +SKIP
        ('.envs', 'setfit', 'bin', 'python')
    """
    lock = LOCKS / f"{name}.txt"
    folder = ENVIRONMENTS / name
    python = folder / "bin" / "python"
    # Written last: an environment whose installation was cut short has none and is built anew.
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text() != lock.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        # PyTorch first and by itself, so that nothing that depends on it can bring a build of its own choice.
        install: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--constraint", lock]
        subprocess.run([*install, TORCH], check=True)
        subprocess.run([*install, "--requirement", lock], check=True)
        shutil.copyfile(lock, installed)
    return python


if __name__ == "__main__":
    for path in sorted(LOCKS.glob("*.txt")):
        print(environment_python(path.stem))
