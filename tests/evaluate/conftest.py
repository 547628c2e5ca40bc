"""A stand-in model that believes what it is told, and tables for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from huiyi.data import Table
from huiyi.values import Candidate, Context, Decision, DecisionKind, Inference, Intents, Label, Record, Task, TaskKind


@dataclass(frozen=True)
class Promise:
    def describe(self, language: str) -> str:
        return {"en": "At most 5% of <acts> are wrong.", "zh": "错误率不超过 5%。"}[language]


@dataclass(frozen=True)
class StandIn:
    """Looks up what to believe of a text: the probabilities of its labels, and how familiar it looks.

    It acts from 0.8 on, asks from 0.5 on, and otherwise declines; ``several`` are all labels from 0.5 on.
    """

    task: Task
    beliefs: Mapping[str, tuple[Sequence[float], float]]
    scope_level: float = 0.05
    max_error: float = 0.05
    promise: Promise = Promise()

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (self.task,)

    def of(self, task: str) -> StandIn:
        return self

    def perceive(self, records: Sequence[Record]) -> Context:
        return Context(records, {}, np.zeros((len(records), 0), dtype=bool))

    def align(self, context: Context) -> Intents:
        beliefs = [self.beliefs[record.text or ""] for record in context.records]
        return Intents(self.task, np.array([row for row, _ in beliefs]), np.array([scope for _, scope in beliefs]))

    def reason(self, context: Context, intents: Intents) -> Inference:
        return Inference(intents, intents)

    def choose(self, context: Context, inference: Inference) -> tuple[Decision, ...]:
        intents = inference.intents
        return tuple(
            self._decision(record, row, float(scope))
            for record, row, scope in zip(context.records, intents.probabilities, intents.in_scope, strict=True)
        )

    def decide(self, record: Record) -> Decision:
        context = self.perceive([record])
        return self.choose(context, self.reason(context, self.align(context)))[0]

    def costs(self, records: Sequence[Record]) -> Mapping[str, float]:
        return {}

    def _decision(self, record: Record, row: Any, in_scope: float) -> Decision:
        names, several = self.task.names, self.task.kind == "several"
        labels = tuple(n for n, p in zip(names, row, strict=True) if p >= 0.5) if several else (names[row.argmax()],)
        probability = float(max(row[row >= 0.5].min(initial=1.0), 0.5) if several else row.max())
        kind: DecisionKind = "act" if probability >= 0.8 else "clarify" if probability >= 0.5 else "decline"
        return Decision(
            id=f"d-{record.id}",
            record_id=record.id,
            kind="decline" if in_scope < self.scope_level else kind,
            task=self.task.name,
            label=None if several else labels[0],
            labels=labels,
            probability=probability,
            in_scope=in_scope,
            candidates=tuple(Candidate(n, float(p)) for n, p in zip(names, row, strict=True) if p >= 0.3),
            version="0.1.0",
        )


MakeTable = Callable[..., Table]
MakeModel = Callable[..., StandIn]


@pytest.fixture
def make_table() -> MakeTable:
    """A table of (text, label) pairs."""

    def make(*rows: tuple[str, Any], kind: TaskKind = "choice", notices: tuple[str, ...] = ()) -> Table:
        return Table(
            source="test.csv",
            records=tuple(
                Record(id=str(i), text=text, labels={} if label is None else {"intent": label})
                for i, (text, label) in enumerate(rows, start=1)
            ),
            rows=tuple(range(1, len(rows) + 1)),
            kinds={"intent": kind},
            left_out=(),
            notices=notices,
        )

    return make


@pytest.fixture
def make_model() -> MakeModel:
    """A stand-in for the labels a, b, c that believes {text: (probabilities, in_scope)}."""

    def make(beliefs: Mapping[str, tuple[Sequence[float], float]], *, kind: TaskKind = "choice") -> StandIn:
        return StandIn(Task("intent", kind, tuple(map(Label, "abc"))), beliefs)

    return make
