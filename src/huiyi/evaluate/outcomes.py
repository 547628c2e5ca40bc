"""What was right and what the model made of it, as arrays; and the figures they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from huiyi.evaluate import metrics
from huiyi.evaluate.metrics import Share
from huiyi.values import OUT_OF_SCOPE, places

if TYPE_CHECKING:
    from huiyi.values import Array, Decision, Intents, Span, TaskKind

Figures = Mapping[str, Share | float | None]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What was right and what the model made of it, for n rows and k labels.

    Attributes:
        labels: The k names of the columns: the model's own, then those that
            only the test rows have.
        truth: Boolean (n, k): the right labels. Out-of-scope rows have none.
        exact: Boolean (n,): the answer is the right one, in whole.
        said: Boolean (n, k): the labels given, whatever the decision's kind.
        candidates: Boolean (n, k): the labels of the candidate sets.
        probabilities: Shape (n, number of the model's own labels).
        confidence: Shape (n,): the decisions' probabilities.
        in_scope: Shape (n,), see ``Intents``.
        acted: Boolean (n,).
        is_oos: Boolean (n,): labelled as out of scope.
        called_oos: Boolean (n,): ``in_scope`` is below the model's level.
    """

    labels: tuple[str, ...]
    truth: Array
    exact: Array
    said: Array
    candidates: Array
    probabilities: Array
    confidence: Array
    in_scope: Array
    acted: Array
    is_oos: Array
    called_oos: Array

    @property
    def correct(self) -> Array:
        """Boolean (n,): in scope, and given exactly the right labels."""
        return np.asarray(self.exact & ~self.is_oos)


def gather(
    truths: Sequence[Sequence[str]],
    batches: Sequence[Intents],
    decisions: Sequence[Decision],
    *,
    labels: tuple[str, ...],
    scope_level: float,
    spans: Sequence[Sequence[Span]] | None = None,
) -> Outcomes:
    """Lay out what was right and what was decided as arrays.

    Args:
        truths: The right labels of each of the n rows; ``oos`` marks a row as
            out of scope.
        batches: What the rows mean, in the same order.
        decisions: What was decided on each.
        labels: Names of the columns, the model's own first.
        scope_level: Rows with ``in_scope`` below this are called out of scope.
        spans: The right spans of each row, where these are the answer.
    """
    truth = _mark([() if OUT_OF_SCOPE in truth else truth for truth in truths], labels)
    said = _mark([decision.labels for decision in decisions], labels)
    exact = (truth == said).all(axis=1)
    if spans is not None:
        pairs = zip(spans, decisions, strict=True)
        exact = np.array([places(right) == places(decision.spans) for right, decision in pairs], dtype=bool)
    in_scope = np.concatenate([intents.in_scope for intents in batches])
    return Outcomes(
        labels=labels,
        truth=truth,
        exact=exact,
        said=said,
        candidates=_mark([[c.label for c in decision.candidates] for decision in decisions], labels),
        probabilities=np.concatenate([intents.probabilities for intents in batches]),
        confidence=np.array([decision.probability for decision in decisions]),
        in_scope=in_scope,
        acted=np.array([decision.kind == "act" for decision in decisions]),
        is_oos=np.array([OUT_OF_SCOPE in truth for truth in truths]),
        called_oos=in_scope < scope_level,
    )


def measure(outcomes: Outcomes, kind: TaskKind) -> Figures:
    """Every figure of the rows by its name, ``None`` where it does not apply."""
    about_labels: dict[TaskKind, Callable[[Outcomes], Figures]] = {
        "choice": _choice,
        "several": _several,
        "spans": _spans,
    }
    return {**about_labels[kind](outcomes), **_scope(outcomes), **_acts(outcomes)}


def _choice(outcomes: Outcomes) -> Figures:
    """How right and how sure the one label is, on in-scope rows."""
    rows = ~outcomes.is_oos
    truth, said, candidates = outcomes.truth[rows], outcomes.said[rows], outcomes.candidates[rows]
    probabilities = outcomes.probabilities[rows]
    known = truth[:, : probabilities.shape[1]]  # the model has no probability for the other columns
    has_known = known.any(axis=1)
    return {
        "accuracy": metrics.accuracy(truth, said),
        "macro_f1": metrics.macro_f1(truth, said),
        "ece": metrics.expected_calibration_error(outcomes.confidence[rows], outcomes.correct[rows]),
        "nll": metrics.nll(probabilities[has_known], known[has_known]),
        "set_coverage": metrics.set_coverage(truth, candidates),
        "set_size": metrics.set_size(candidates),
    }


def _several(outcomes: Outcomes) -> Figures:
    """How right the sets of labels are, on in-scope rows."""
    truth, said = outcomes.truth[~outcomes.is_oos], outcomes.said[~outcomes.is_oos]
    return {
        "accuracy": metrics.accuracy(truth, said),
        "macro_f1": metrics.macro_f1(truth, said),
        "micro_f1": metrics.micro_f1(truth, said),
    }


def _spans(outcomes: Outcomes) -> Figures:
    """How often all spans of a row are right, and how sure that was."""
    rows = ~outcomes.is_oos
    return {"ece": metrics.expected_calibration_error(outcomes.confidence[rows], outcomes.correct[rows])}


def _scope(outcomes: Outcomes) -> Figures:
    """How well rows that belong to no label are told from the others."""
    return {
        "oos_auroc": metrics.oos_auroc(outcomes.in_scope, outcomes.is_oos),
        "oos_aupr": metrics.oos_aupr(outcomes.in_scope, outcomes.is_oos),
        "oos_f1": metrics.oos_f1(outcomes.called_oos, outcomes.is_oos),
        "oos_recall": metrics.oos_recall(outcomes.called_oos, outcomes.is_oos),
    }


def _acts(outcomes: Outcomes) -> Figures:
    """How often the model acts, and how often it should not have."""
    acted, correct, is_oos = outcomes.acted, outcomes.correct, outcomes.is_oos
    return {
        "act_rate": metrics.act_rate(acted),
        "act_error": metrics.act_error(acted, correct, is_oos),
        "act_error_in_scope": metrics.act_error_in_scope(acted, correct, is_oos),
        "oos_act_rate": metrics.oos_act_rate(acted, is_oos),
    }


def _mark(rows: Iterable[Sequence[str]], labels: tuple[str, ...]) -> Array:
    """Boolean (n, k): which of the labels each row names."""
    rows = list(rows)
    column = {label: j for j, label in enumerate(labels)}
    marks = np.zeros((len(rows), len(labels)), dtype=bool)
    for i, names in enumerate(rows):
        marks[i, [column[name] for name in names]] = True
    return marks
