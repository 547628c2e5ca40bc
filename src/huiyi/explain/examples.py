"""The training rows behind a decision: the most alike, and those that counted most.

Nearest rows are told by the cosine with the record, as a head of the model
sees both. Influence is exact for a head of kernel ridge regression: its estimate
for a label c is a sum over the training rows i,

    p_c(z) = ȳ_c + Σ_i K(z, z_i) A_ic,     influence_i = K(z, z_i) A_ic

so each row's part stands for itself. It is not exact for the model: the other heads
of the blend have no part in it, the logarithm is taken of the sum, and a row that
were left out would move the coefficients of its neighbours too.

Source:
    Schölkopf, Herbrich and Smola, "A Generalized Representer Theorem", COLT 2001; Yeh, Kim, Yen and Ravikumar,
    "Representer Point Selection for Explaining Deep Neural Networks", NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from huiyi.values import Example, Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN = 5
"""Rows that are named of each kind."""


def nearest_examples(
    records: Sequence[Record], task: str, similar: NDArray[np.floating], influence: NDArray[np.floating] | None
) -> tuple[Example, ...]:
    """The training rows that are most alike, the nearest first.

    Args:
        records: The n training rows.
        task: Name of the task.
        similar: Cosine of each with the record, shape (n,).
        influence: What each added to the label, shape (n,), where that is known.

    Example:
        >>> rows = [Record(text="lost", labels={"intent": "loss"}), Record(text="late", labels={"intent": "delay"})]
        >>> [row.text for row in nearest_examples(rows, "intent", np.array([0.2, 0.9]), None)]
        ['late', 'lost']
    """
    return _named(records, task, similar, influence, np.argsort(-similar, kind="stable"))


def influential_examples(
    records: Sequence[Record], task: str, similar: NDArray[np.floating], influence: NDArray[np.floating] | None
) -> tuple[Example, ...]:
    """The training rows that added most to a label or took most from it. See ``nearest_examples``."""
    if influence is None:
        return ()
    return _named(records, task, similar, influence, np.argsort(-np.abs(influence), kind="stable"))


def _named(
    records: Sequence[Record],
    task: str,
    similar: NDArray[np.floating],
    influence: NDArray[np.floating] | None,
    order: NDArray[np.intp],
) -> tuple[Example, ...]:
    """The first rows of an order."""
    return tuple(
        Example(
            records[row].text or "",
            records[row].labels_of(task),
            float(np.clip(similar[row], 0, 1)),
            None if influence is None else float(influence[row]),
        )
        for row in order[:SHOWN]
    )
