"""What a reader looks for behind the figures: which labels are mixed up, which are weak, which rows went wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from huiyi.evaluate.metrics import count_labels

if TYPE_CHECKING:
    from huiyi.evaluate.outcomes import Outcomes
    from huiyi.values import Array


@dataclass(frozen=True)
class Confusion:
    """One label taken for another.

    Attributes:
        truth: The label that was missed; ``None`` when ``said`` was one too many.
        said: The label given instead; ``None`` when ``truth`` was only left out.
        rows: How often.
        example: Index of the row where the model was surest.
    """

    truth: str | None
    said: str | None
    rows: int
    example: int


@dataclass(frozen=True)
class LabelScore:
    """How well one label is told, on in-scope rows. What has no rows to be measured on is ``None``."""

    label: str
    rows: int
    precision: float | None
    recall: float | None
    f1: float


def confusions(outcomes: Outcomes) -> list[Confusion]:
    """Pairs of labels that were mixed up on in-scope rows, the most frequent first."""
    counts: Counter[tuple[str | None, str | None]] = Counter()
    examples: dict[tuple[str | None, str | None], int] = {}
    for i in _surest_first(outcomes, ~outcomes.correct & ~outcomes.is_oos):
        missed = _names(outcomes, outcomes.truth[i] & ~outcomes.said[i])
        added = _names(outcomes, outcomes.said[i] & ~outcomes.truth[i])
        for pair in product(missed, added):
            counts[pair] += 1
            examples.setdefault(pair, i)
    return [Confusion(*pair, rows=rows, example=examples[pair]) for pair, rows in counts.most_common()]


def label_scores(outcomes: Outcomes) -> list[LabelScore]:
    """Each label that occurs in the in-scope rows, or was given to one; the weakest first."""
    in_scope = ~outcomes.is_oos
    counts = count_labels(outcomes.truth[in_scope], outcomes.said[in_scope])
    scores = [
        LabelScore(
            label=label,
            rows=int(counts.true[j]),
            precision=float(counts.precision[j]) if counts.given[j] else None,
            recall=float(counts.recall[j]) if counts.true[j] else None,
            f1=float(counts.f1[j]),
        )
        for j, label in enumerate(outcomes.labels)
        if counts.true[j] or counts.given[j]
    ]
    return sorted(scores, key=lambda score: (score.f1, -score.rows))


def mistakes(outcomes: Outcomes) -> list[int]:
    """Indices of the rows with a wrong label in scope, or an act out of scope; the surest first."""
    return _surest_first(outcomes, ~outcomes.correct & (~outcomes.is_oos | outcomes.acted))


def _surest_first(outcomes: Outcomes, chosen: Array) -> list[int]:
    order = np.argsort(-outcomes.confidence, kind="stable")
    return [int(i) for i in order[chosen[order]]]


def _names(outcomes: Outcomes, marks: Array) -> list[str | None]:
    """The marked labels, or ``None`` for want of any."""
    return [outcomes.labels[j] for j in np.flatnonzero(marks)] or [None]
