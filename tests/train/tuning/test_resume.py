"""A training in a process of its own that is killed, stopped and gone on with."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from huiyi.cli import main
from huiyi.storage import read_folder

pytest.importorskip("torch", reason="fine-tuning needs the extra tune")


@pytest.fixture
def command(tiny: Path, rows: list[tuple[str, str]], tmp_path: Path) -> list[str]:
    """What trains on the rows; the place of the model is still to be named."""
    file = tmp_path / "tickets.csv"
    file.write_text("text,intent\n" + "".join(f"{text},{label}\n" for text, label in rows), "utf-8")
    return ["train", str(file), "--effort", "tuned", "--encoder", str(tiny), "--signals", "words", "--out"]


def interrupted(command: list[str], how: signal.Signals, *, after: str) -> tuple[int, str]:
    """The exit code, and what else is said, of a process that is sent a signal when it says something."""
    with subprocess.Popen(
        [sys.executable, "-m", "huiyi", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C is ignored by what a shell runs in the background, and by all that this starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads run here
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if after in line:
                process.send_signal(how)
                break
        rest = process.stderr.read()
    return process.returncode, rest


def test_killed_stopped_and_resumed_the_model_is_the_same(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "killed"
    code, _ = interrupted([*command, str(out)], signal.SIGKILL, after="without part 2: epoch 1")
    assert code == -signal.SIGKILL and not out.exists()
    code, said = interrupted([*command, str(out), "--resume"], signal.SIGINT, after="without part 2: epoch 2")
    assert code == 130 and not out.exists()
    assert said.splitlines()[-1].startswith("huiyi: stopped; ") and said.rstrip().endswith("--resume")
    assert "Traceback" not in said
    for place, options in ((out, ["--resume"]), (whole, [])):
        monkeypatch.setattr(sys, "argv", ["huiyi", *command, str(place), *options])
        main()
    resumed, alone = (read_folder(place)[0] for place in (out, whole))
    assert resumed.keys() == alone.keys()
    for name, array in alone.items():
        np.testing.assert_allclose(resumed[name], array, atol=1e-6, err_msg=name)
