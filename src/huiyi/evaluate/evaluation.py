"""Run a model over labelled rows and measure what it said, how sure it was, and what it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from huiyi.data import Columns, Table, read
from huiyi.data.columns import listed
from huiyi.errors import DataError, did_you_mean
from huiyi.evaluate.metrics import Share
from huiyi.evaluate.outcomes import Outcomes, gather, measure
from huiyi.evaluate.sources import SourceCount, SourceWorth
from huiyi.evaluate.spans import span_f1, token_accuracy
from huiyi.pipeline import batched
from huiyi.values import OUT_OF_SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from huiyi.values import Context, Decision, Inference, Intents, Record, Task

FIGURES = (
    "n",
    "accuracy",
    "macro_f1",
    "micro_f1",
    "ece",
    "nll",
    "oos_auroc",
    "oos_aupr",
    "oos_f1",
    "oos_recall",
    "act_rate",
    "act_error",
    "act_error_in_scope",
    "oos_act_rate",
    "set_coverage",
    "set_size",
    "span_f1",
    "token_accuracy",
    "seconds",
    "ms_per_record_p50",
    "ms_per_record_p99",
)
"""Every figure there is, in the order they are printed."""

_TIMED_ROWS = 200  # decided one by one, for the milliseconds a record
_TIMED_BY_SOURCE = 20  # perceived one by one, for the milliseconds of each source
_NAMED_LABELS = 20  # in one notice

Truths = tuple[tuple[str, ...], ...]


class Promise(Protocol):
    """What a model promises about its error."""

    def describe(self, language: str) -> str:
        """The promise in one sentence."""
        ...


class Decider(Protocol):
    """What an evaluation asks of a model; ``huiyi.pipeline.Model`` is one."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it tells from a record."""
        ...

    def of(self, task: str) -> Decider:
        """The same with one of the tasks alone."""
        ...

    @property
    def scope_level(self) -> float:
        """Rows with ``in_scope`` below this are called out of scope."""
        ...

    @property
    def max_error(self) -> float:
        """The error that was asked for."""
        ...

    @property
    def promise(self) -> Promise:
        """What it promises about that error."""
        ...

    def perceive(self, records: Sequence[Record]) -> Context:
        """What is seen of the records."""
        ...

    def align(self, context: Context) -> Intents:
        """What they mean."""
        ...

    def reason(self, context: Context, intents: Intents) -> Inference:
        """What follows from what is known."""
        ...

    def choose(self, context: Context, inference: Inference) -> tuple[Decision, ...]:
        """What to do with each."""
        ...

    def decide(self, record: Record) -> Decision:
        """All of it, for one record."""
        ...

    def costs(self, records: Sequence[Record]) -> Mapping[str, float]:
        """Milliseconds that each source of a record takes to perceive."""
        ...


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the terminal, the JSON and the report are made from.

    Attributes:
        figures: Name to value: those of ``FIGURES`` that apply, in their order.
        intervals: Name to 95 % interval, for the figures that are shares of rows.
        notices: What the reader should know beside the figures.
        source: Where the test rows came from.
        task: What the model tells from a record.
        promise: What it promises about its error.
        max_error: The error that was asked for.
        scope_level: Rows with ``in_scope`` below this are called out of scope.
        records: The n test rows.
        decisions: What the model decided on each.
        outcomes: The same rows as arrays.
        sources: Where the model listens to several sources: what each adds, by its name.
        tasks: Where the model has several tasks: the evaluation of each that
            the test rows have labels for, by its name. What stands beside them
            is that of the first, and each figure that it lacks from the first that has it.
    """

    figures: Mapping[str, float | int]
    intervals: Mapping[str, tuple[float, float]]
    notices: tuple[str, ...]
    source: str
    task: Task
    promise: Promise
    max_error: float
    scope_level: float
    records: tuple[Record, ...]
    decisions: tuple[Decision, ...]
    outcomes: Outcomes
    sources: Mapping[str, SourceWorth] = field(default_factory=dict)
    tasks: Mapping[str, Evaluation] = field(default_factory=dict)


def evaluate(model: Decider, source: Any, *, progress: Callable[[int, int], None] | None = None) -> Evaluation:
    """Measure a model on labelled rows.

    Rows labelled ``oos`` are out of scope: which label the model gives them is
    not measured, only whether it stays away. A label the model was never
    trained on counts as wrong, and a notice names it.

    Args:
        model: The model. It is left as it is.
        source: A table, or what ``huiyi.read`` makes one from. Rows without a
            label are passed over.
        progress: Called with (rows done, rows in all) as the work goes on.

    Returns:
        The figures, and what reports draw from. ``seconds`` is the time of all
        rows in batches; the milliseconds a record are those of single decisions.

    Raises:
        DataError: No row has a label of any task, the labels are of another
            kind than the model's, or the model was trained on none of them.

    Example:
        >>> import huiyi
        >>> model = huiyi.train([("where is my card", "arrival"), ("my card was stolen", "theft")])
        >>> evaluate(model, [("has my card arrived?", "arrival")]).figures["accuracy"]
        1.0

    Source:
        Each figure's own is in ``metrics.py``.
    """
    table = labelled_rows(model.tasks, source)
    if len(model.tasks) == 1:
        return _evaluate_one(model, model.tasks[0], table, progress)
    named = [task for task in model.tasks if task.name in table.kinds]
    if not named:
        raise DataError(
            f"{table.source}: it has labels of {listed(table.kinds)}, but the model tells "
            f"{listed([task.name for task in model.tasks])}; "
            "expected one of these. Name the columns with --label"
        )
    tasks = {}
    for task in named:
        labelled = replace(table, notices=())
        tasks[task.name] = _evaluate_one(model.of(task.name), task, labelled, progress)
    first, *others = tasks.values()
    more = [
        f"{table.source}: nothing is measured of {task.name!r}: there is no such column of labels"
        for task in model.tasks
        if task not in named
    ]
    return replace(
        first,
        figures=_in_order({name: value for found in (*others[::-1], first) for name, value in found.figures.items()}),
        intervals={name: value for found in (*others[::-1], first) for name, value in found.intervals.items()},
        notices=tuple(dict.fromkeys([*table.notices, *more, *(n for found in tasks.values() for n in found.notices)])),
        tasks=tasks,
    )


def labelled_rows(
    tasks: Sequence[Task], source: Any, columns: Columns | None = None, *, skip_bad: bool = False
) -> Table:
    """Read rows to measure tasks on. Unless the columns of labels are named, those called like a task hold labels too.

    Args:
        tasks: What the model tells.
        source: What ``huiyi.read`` makes a table from.
        columns: Which column is what.
        skip_bad: Whether rows that cannot be read are left out.

    Raises:
        DataError: The rows cannot be read, or none has a label.

    Example:
        >>> from huiyi.values import Task
        >>> rows = [{"text": "my card is gone", "intent": "theft", "urgency": "now"}]
        >>> dict(labelled_rows([Task("urgency", "choice", ())], rows).kinds)
        {'urgency': 'choice'}
    """
    columns = columns or Columns()
    if not columns.labels:
        table = read(source, columns, skip_bad=skip_bad)
        if any(task.name in table.left_out for task in tasks):
            there = [task.name for task in tasks if task.name in table.left_out or task.name in table.kinds]
            columns = replace(columns, label=",".join(there))
    return read(source, columns, needs_label=True, skip_bad=skip_bad)


def _evaluate_one(model: Decider, task: Task, table: Table, progress: Callable[[int, int], None] | None) -> Evaluation:
    """Measure a model with one task."""
    records, truths = _labelled(table, task)
    unknown = _unknown(truths, task, table.source)
    timed = _spread(records, _TIMED_ROWS)

    def advance(rows: int) -> None:
        if progress:
            progress(rows, len(records) + len(timed))

    start = perf_counter()
    is_spans = task.kind == "spans"
    count = None if is_spans else SourceCount(model)  # spans are of the text alone
    batches, decisions = _decide_in_batches(model, records, truths, count, advance)
    seconds = perf_counter() - start
    milliseconds = _time_each(model, timed, lambda rows: advance(len(records) + rows))

    outcomes = gather(
        truths,
        batches,
        decisions,
        labels=(*task.names, *unknown),
        scope_level=model.scope_level,
        spans=[record.labels[task.name] for record in records] if is_spans else None,
    )
    measured = {
        **measure(outcomes, task.kind),
        **(_measure_spans(task, records, decisions) if is_spans else {}),
        "n": len(records),
        "seconds": seconds,
        "ms_per_record_p50": float(np.percentile(milliseconds, 50)),
        "ms_per_record_p99": float(np.percentile(milliseconds, 99)),
    }
    values = {name: value.value if isinstance(value, Share) else value for name, value in measured.items()}
    return Evaluation(
        figures=_in_order(values),
        intervals={name: share.interval for name in FIGURES if isinstance(share := measured.get(name), Share)},
        notices=(*table.notices, *_notices(unknown, outcomes, table.source)),
        source=table.source,
        task=task,
        promise=model.promise,
        max_error=model.max_error,
        scope_level=model.scope_level,
        records=records,
        decisions=decisions,
        outcomes=outcomes,
        sources=count.worths(_spread(records, _TIMED_BY_SOURCE)) if count else {},
    )


def _in_order(values: Mapping[str, Any]) -> dict[str, float | int]:
    """Those that apply, in the order they are printed."""
    return {name: value for name in FIGURES if (value := values.get(name)) is not None}


# --- the rows ---------------------------------------------------------------


def _labelled(table: Table, task: Task) -> tuple[tuple[Record, ...], Truths]:
    """The rows that carry a label, and the right labels of each as a tuple."""
    records = table.of(task).labelled().records if table.kinds else ()
    if not records:
        raise DataError(
            f"{table.source}: no row has a label, but an evaluation has to know what is right. "
            "Fill in the label column, or name another one with --label."
        )
    return records, tuple(record.labels_of(task.name) for record in records)


def _unknown(truths: Truths, task: Task, source: str) -> Mapping[str, int]:
    """Labels that the model does not know, and on how many rows; the most frequent first."""
    counts = Counter(label for labels in truths for label in labels if label != OUT_OF_SCOPE)
    unknown = {label: rows for label, rows in counts.most_common() if label not in task.names}
    if unknown and len(unknown) == len(counts):
        raise DataError(
            f"{source}: the model was trained on none of its labels. The file has {_some(unknown)}; the model knows "
            f"{_some(task.names)}.{did_you_mean(next(iter(unknown)), task.names)} Use a test file of the same task, "
            "or name another column with --label."
        )
    return unknown


def _some(names: Iterable[str]) -> str:
    """Up to three of the names, and how many more there are."""
    quoted = [repr(name) for name in names]
    return ", ".join(quoted[:3]) + (f" and {len(quoted) - 3} more" if len(quoted) > 3 else "")


def _spread(records: tuple[Record, ...], most: int) -> tuple[Record, ...]:
    """At most so many of the rows, spread evenly."""
    return tuple(records[i] for i in np.linspace(0, len(records) - 1, min(most, len(records))).astype(int))


def _notices(unknown: Mapping[str, int], outcomes: Outcomes, source: str) -> list[str]:
    """What the reader has to know about the rows."""
    notices = []
    if unknown:
        named = [f"{label!r} ({rows})" for label, rows in unknown.items()]
        more = f" and {len(named) - _NAMED_LABELS} more" if len(named) > _NAMED_LABELS else ""
        notices.append(
            f"{source}: labels the model was never trained on count as wrong (rows): "
            f"{', '.join(named[:_NAMED_LABELS])}{more}."
        )
    if not outcomes.is_oos.any():
        notices.append(f"{source}: no row is labelled 'oos', so nothing here shows how out-of-scope text is handled.")
    elif outcomes.is_oos.all():
        notices.append(f"{source}: every row is labelled 'oos', so only staying out of scope is measured.")
    return notices


# --- the model at work ------------------------------------------------------


def _decide_in_batches(
    model: Decider,
    records: tuple[Record, ...],
    truths: Truths,
    count: SourceCount | None,
    advance: Callable[[int], None],
) -> tuple[list[Intents], tuple[Decision, ...]]:
    """What the rows mean, batch by batch, and what was decided on each."""
    batches: list[Intents] = []
    decisions: list[Decision] = []
    for batch in batched(records):
        context = model.perceive(batch)
        inference = model.reason(context, model.align(context))
        batches.append(inference.intents)
        if count is not None:
            count.add(context, truths[len(decisions) : len(decisions) + len(batch)])
        decisions.extend(model.choose(context, inference))
        advance(len(decisions))
    return batches, tuple(decisions)


def _measure_spans(
    task: Task, records: Sequence[Record], decisions: Sequence[Decision]
) -> Mapping[str, Share | float | None]:
    """How right the spans of the rows are."""
    truth, found = [record.labels[task.name] for record in records], [decision.spans for decision in decisions]
    return {
        "span_f1": span_f1(truth, found),
        "token_accuracy": token_accuracy([record.text or "" for record in records], truth, found),
    }


def _time_each(model: Decider, records: tuple[Record, ...], advance: Callable[[int], None]) -> list[float]:
    """The milliseconds of each single decision."""
    milliseconds = []
    for rows, record in enumerate(records, start=1):
        start = perf_counter()
        model.decide(record)
        milliseconds.append(1000 * (perf_counter() - start))
        advance(rows)
    return milliseconds
