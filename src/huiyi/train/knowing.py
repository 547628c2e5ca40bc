"""What knowledge of the domain gives to training: texts that say what labels mean, where they help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from huiyi.data.columns import listed
from huiyi.train.config import Session, TrainConfig
from huiyi.train.fast import Assignment, Fitted, fit_fast

if TYPE_CHECKING:
    from huiyi.align import HeldOut
    from huiyi.reason import Reasoner
    from huiyi.values import Record, Task

Hints = Mapping[tuple[str, str], Sequence[str]]
"""Task and label to texts."""


def fit_knowing(learn: Callable[[Assignment], Fitted], given: Assignment, reasoner: Reasoner) -> Fitted:
    """Let a strategy learn with what the graph says of labels as further examples of them, if that helps.

    Whether it does is told by the frozen parts: the right labels of held-out rows must be likelier with it. So a graph
    that is wrong is left aside.

    Args:
        learn: The strategy.
        given: What it is given.
        reasoner: What is known of the domain.
    """
    hints = {(task.name, label): texts for task in given.tasks for label, texts in reasoner.hints(task).items()}
    if not hints:
        return learn(given)
    quiet = replace(
        given,
        config=replace(TrainConfig(), signals=given.config.signals),
        session=Session(upkeep=given.session.upkeep),
        unlabelled=(),
    )
    told = [task for task in given.tasks if any(name == task.name for name, _ in hints)]
    without = learn(given) if learn is fit_fast else fit_fast(replace(quiet, tasks=told))
    with_hints = fit_fast(replace(given if learn is fit_fast else replace(quiet, tasks=told), hints=hints))
    kept = {
        task.name
        for task in told
        if _likelihood(task, with_hints.held_out[task.name], given.records)
        > _likelihood(task, without.held_out[task.name], given.records)
    }
    if learn is fit_fast and kept in (set(), {task.name for task in told}):
        return with_hints if kept else without
    return learn(replace(given, hints={key: texts for key, texts in hints.items() if key[0] in kept}))


def unused(reasoner: Reasoner | None, tasks: Sequence[Task]) -> list[str]:
    """What to say of labels that the graph does not speak of, or is not trusted on."""
    if reasoner is None:
        return []
    relations = sorted(reasoner.domain.evidence.relations)
    if not any(True for _ in reasoner.domain.facts.facts({(relation, 2) for relation in relations})):
        return []
    notices = []
    for task in tasks:
        belief = reasoner.beliefs.get(task.name)
        if task.kind != "choice":
            continue
        if belief is None:
            notices.append(
                f"--knowledge: no two labels of {task.name!r} have facts of {' or '.join(relations)}, so the graph "
                "revises none; expected labels, or their descriptions, that are names in it"
            )
        elif not belief.evidence.trust:
            notices.append(
                f"--knowledge: what the graph says of {task.name!r} does not make the right labels likelier, so it is "
                "left aside"
            )
        elif others := [name for name in task.names if name not in belief.labels]:
            notices.append(f"--knowledge: the graph says nothing of these labels of {task.name!r}: {listed(others)}")
    return notices


def _likelihood(task: Task, held_out: HeldOut, records: Sequence[Record]) -> float:
    """Mean log-likelihood of the right labels of held-out rows, those out of scope left aside."""
    place = {name: column for column, name in enumerate(task.names)}
    pairs = [
        (row, place[label])
        for row, record in enumerate(held_out.rows)
        if len(labels := records[record].labels_of(task.name)) == 1 and (label := labels[0]) in place
    ]
    rows, columns = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    chances = np.maximum(held_out.intents.probabilities[rows, columns], 1e-12)
    return float(np.log(chances).mean()) if len(rows) else -np.inf
