"""Huiyi 会意: from examples of what people say to a model that acts, asks or declines.

    model = huiyi.train("tickets.csv")
    decision = model.decide("my card still hasn't arrived")
    huiyi.evaluate(model, "test.csv"); huiyi.explain(model, "…"); model.save("desk/"); huiyi.load("desk/")

Names are loaded when first used, so importing costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huiyi import reason as reason
    from huiyi.data import Columns as Columns
    from huiyi.data import Table as Table
    from huiyi.data import read as read
    from huiyi.errors import HuiyiError as HuiyiError
    from huiyi.errors import InputError as InputError
    from huiyi.evaluate import Evaluation as Evaluation
    from huiyi.evaluate import evaluate as evaluate
    from huiyi.explain import explain as explain
    from huiyi.explanation import Explanation as Explanation
    from huiyi.pipeline import Model as Model
    from huiyi.pipeline import load as load
    from huiyi.train import TrainConfig as TrainConfig
    from huiyi.train import train as train
    from huiyi.values import Decision as Decision
    from huiyi.values import Label as Label
    from huiyi.values import Record as Record
    from huiyi.values import Task as Task

_HOMES = {
    "Columns": "data",
    "Decision": "values",
    "Evaluation": "evaluate",
    "Explanation": "explanation",
    "HuiyiError": "errors",
    "InputError": "errors",
    "Label": "values",
    "Model": "pipeline",
    "Record": "values",
    "Table": "data",
    "Task": "values",
    "TrainConfig": "train",
    "evaluate": "evaluate",
    "explain": "explain",
    "load": "pipeline",
    "read": "data",
    "reason": "reason",
    "train": "train",
}

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: PLE0604  (the names are strings; ruff cannot see it)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'huiyi' has no attribute {name!r}")
    home = import_module(f"huiyi.{_HOMES[name]}")
    return home if name == _HOMES[name] else getattr(home, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
