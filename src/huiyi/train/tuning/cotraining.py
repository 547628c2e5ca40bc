"""Heads of frozen signals that learn from unlabelled texts too, by the labels that are passed on to them.

What the texts around a text say is told by one signal. Another, taught by it,
errs elsewhere than its teacher, so that both together are better than either.

Source:
    Blum and Mitchell, "Combining Labeled and Unlabeled Data with Co-Training",
    COLT 1998 (one view of a text teaches another).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align import FittedHead, LogisticHead, Scores, SvmHead
from huiyi.train.fast import Seen
from huiyi.train.tuning.tuner import Evidence, Tuner
from huiyi.values import Context, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from huiyi.values import Signal


def cotrained(
    tuner: Tuner,
    seen: Seen,
    unlabelled: Context,
    evidence: Evidence,
    folds: NDArray[np.intp],
    task: Task,
    rows: NDArray[np.intp],
) -> dict[str, FittedHead]:
    """A head for each signal that most unlabelled texts have, with evidence on the rows that the tuned one has it on.

    Args:
        tuner: What passes labels on.
        seen: What was seen of the lessons.
        unlabelled: What was seen of the unlabelled texts.
        evidence: Of the tuned backbone.
        folds: The fold that leaves each row out.
        task: Of one label a row.
        rows: Those that teach it.

    Returns:
        Heads by ``signal/technique``.
    """
    left_out = [np.flatnonzero(folds == fold) for fold in np.unique(folds[evidence.evident])]
    found = {}
    for name in unlabelled.signals:
        parts = [_part(context, name) for context in (seen.context, seen.names, unlabelled)]
        signal, present = _stacked([part for part, _ in parts]), np.concatenate([there for _, there in parts])
        if 2 * parts[2][1].sum() < len(parts[2][1]):
            continue
        labels = np.zeros((len(folds), len(task.labels)), np.float32)
        nearest = np.zeros(len(folds), np.float32)
        for asked in left_out:
            told_of = asked[present[asked]]
            told = _taught(tuner, task, signal, present, asked).score(signal[told_of])
            labels[told_of] = told.labels
            nearest[told_of] = 0 if told.nearest is None else told.nearest
        head = _taught(tuner, task, signal, present, None)
        near = nearest[rows] if isinstance(head, LogisticHead) else None
        technique = "logistic" if isinstance(head, LogisticHead) else "svm"
        found[f"{name}/{technique}"] = FittedHead(head, Scores(labels[rows], near), evidence.evident[rows])
    return found


def _taught(
    tuner: Tuner, task: Task, signal: Signal, present: NDArray[np.bool_], left_out: NDArray[np.intp] | None
) -> LogisticHead | SvmHead:
    """A head that learnt a signal of the lessons, some rows left out, and below them of the unlabelled texts."""
    lessons = len(tuner.lessons.texts)
    taught = np.concatenate([~tuner.left_out(left_out), np.ones(len(present) - lessons, dtype=bool)])
    shares = tuner.passed_on(taught[:lessons])[task.name][present[taught]]
    heard = signal[np.flatnonzero(taught & present)]
    head = LogisticHead() if isinstance(signal, np.ndarray) else SvmHead()
    head.fit(heard, shares, shares.argmax(axis=1))
    if isinstance(head, LogisticHead):
        known = np.flatnonzero(taught[:lessons] & present[:lessons] & tuner.known(task))
        head.keep(np.asarray(signal[known]))
    return head


def _part(context: Context, name: str) -> tuple[Signal, NDArray[np.bool_]]:
    """A signal, and which rows have it."""
    return context.signals[name], context.present[:, list(context.signals).index(name)]


def _stacked(parts: Sequence[Any]) -> Signal:
    """Rows below each other."""
    from scipy.sparse import csr_array, vstack

    return np.vstack(parts) if isinstance(parts[0], np.ndarray) else csr_array(vstack(parts))
