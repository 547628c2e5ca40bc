"""``huiyi.explain``: why did a model decide as it did?"""

from __future__ import annotations

from typing import Any, Protocol

from huiyi.explanation import Explanation
from huiyi.values import Record


class Explains(Protocol):
    """What can be asked why: a model."""

    def explain(
        self,
        record: Record | str,
        about: str | None = None,
        *,
        method: str = "chains",
        seconds: float | None = None,
        seed: int = 0,
        counterfactual: bool = True,
    ) -> Explanation:
        """Say why a label is as probable as it is."""
        ...


def explain(model: Explains, record: Record | str, about: str | None = None, **options: Any) -> Explanation:
    """Say why a model decides on a record or text as it does. See ``huiyi.Model.explain``.

    Example:
        >>> import huiyi
        >>> model = huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")])
        >>> found = huiyi.explain(model, "has my card been stolen?")
        >>> found.label, max(found.words, key=lambda word: word.weight).text
        ('theft', 'stolen')
    """
    return model.explain(record, about, **options)
