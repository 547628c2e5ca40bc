"""The training rows behind a decision: the most alike, and those whose labels count most.

Nearest rows are told by the cosine with the record, as a head of the model sees
both. What a row's label counts is told by a head of kernel ridge regression,
whose estimate for a record z is linear in the labels y of the rows i:

    p(z) = ȳ + Σ_i h_i(z) (y_i − ȳ),     h(z) = (K + λI)⁻¹ K(·, z)

So if one row had another label, its own would fall by h_i and the other rise by as
much. That is exact for the head, with the spread and the shares ȳ as they are; it
is not exact for the model, in which the logarithm is taken of the sum and other
heads have their part. The other exact sum, of K(z, z_i) A_i, was tried first: its
parts are what the fit left over of each row, and say little of its label.

Source:
    Hastie and Tibshirani, "Generalized Additive Models", 1990, chapter 3 (linear smoothers); Rifkin, Yeo and Poggio,
    "Regularized Least-Squares Classification", 2003; Yeh, Kim, Yen and Ravikumar, "Representer Point Selection for
    Explaining Deep Neural Networks", NeurIPS 2018 (the sum that was tried first).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from huiyi.explanation import Example
from huiyi.values import Record

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
        influence: What the label of each counts, shape (n,), where that is known.

    Example:
        >>> rows = [Record(text="lost", labels={"intent": "loss"}), Record(text="late", labels={"intent": "delay"})]
        >>> [row.text for row in nearest_examples(rows, "intent", np.array([0.2, 0.9]), None)]
        ['late', 'lost']
    """
    return _named(records, task, similar, influence, np.argsort(-similar, kind="stable"))


def influential_examples(
    records: Sequence[Record], task: str, similar: NDArray[np.floating], influence: NDArray[np.floating] | None
) -> tuple[Example, ...]:
    """The training rows whose labels count most, for or against. See ``nearest_examples``."""
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
