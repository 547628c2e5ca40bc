"""The fast strategy: frozen encoders, light heads, held-out evidence. Seconds, no torch, no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align import Aligner, techniques_for
from huiyi.data import Columns, Table, read
from huiyi.data.columns import listed
from huiyi.data.tasks import read_task
from huiyi.decide import Decider
from huiyi.errors import DataError, MissingExtraError, OptionError, did_you_mean
from huiyi.perceive import PERCEIVERS
from huiyi.pipeline import Model, Perception
from huiyi.values import OUT_OF_SCOPE, Context, Intents, Label, Record, Task, alike, spelt

if TYPE_CHECKING:
    from pathlib import Path

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class TrainConfig:
    """Options of training.

    Attributes:
        max_error: Largest share of wrong acts that is allowed.
        oos_rate: Share of records out of scope where the model will work.
        signals: What to perceive; all there are when empty.
        examples: Whether the model keeps the training texts.
        seed: Told in every decision. The fast strategy draws no random numbers.
    """

    max_error: float = 0.05
    oos_rate: float = 0.1
    signals: tuple[str, ...] = ()
    examples: bool = True
    seed: int = 0

    def check(self) -> None:
        """Report what cannot be used, all at once.

        Raises:
            OptionError: With every mistake.
        """
        mistakes = []
        if not 0 < self.max_error < 1:
            mistakes.append(f"--max-error is {self.max_error}, expected more than 0 and less than 1, such as 0.05")
        if not 0 <= self.oos_rate < 1:
            mistakes.append(f"--oos-rate is {self.oos_rate}, expected 0 or more and less than 1, such as 0.1")
        for name in self.signals:
            if name not in PERCEIVERS:
                known = ", ".join(PERCEIVERS)
                mistakes.append(
                    f"signal {name!r} is not known, expected some of {known}.{did_you_mean(name, PERCEIVERS)}"
                )
        if mistakes:
            raise OptionError("; ".join(mistakes))


def train(
    source: Any,
    *,
    validation: Any = None,
    task: Task | str | Path | None = None,
    columns: Columns | None = None,
    config: TrainConfig | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Model:
    """Train a model from labelled examples.

    Args:
        source: A file, a folder, a DataFrame, or a list of records or of
            (text, label) pairs; see ``huiyi.data.read``.
        validation: The same for rows held out. They make the promise a
            guarantee. Without them it is estimated by cross-fitting.
        task: A task, or a task file, that describes the labels. A label that
            it names may lack examples.
        columns: Which column is what.
        config: Options.
        skip_bad: Skip rows that cannot be read.
        progress: Told how far training has come.

    Raises:
        DataError: The rows cannot be trained on; the message says why.
        OptionError: An option cannot be used.

    Example:
        >>> model = train([("where is my card", "arrival"), ("my card was stolen", "theft")])
        >>> model.promise.kind
        'none'
    """
    config = config or TrainConfig()
    config.check()
    columns = columns or Columns()
    started = perf_counter()
    given = task if task is None or isinstance(task, Task) else read_task(task)
    table = read(source, columns, needs_label=given is None, skip_bad=skip_bad)
    chosen = _task_of(table, given)
    records, notices = _usable(table, chosen)
    notices += _surprises(table, given, chosen)
    if not records and not (given and any(map(_descriptions, given.labels))):
        raise DataError(
            f"{table.source}: no labelled row has a text; expected some, or a task file whose labels are described. "
            "Fill the text column"
        )
    held_out: tuple[Record, ...] = ()
    if validation is not None:
        label = columns.label or table.task_name
        held_out_table = read(validation, replace(columns, label=label), needs_label=True, skip_bad=skip_bad)
        held_out, more = _held_out(held_out_table, chosen)
        notices += [*held_out_table.notices, *more, *_overlap(records, held_out, held_out_table.source)]
    perception, aligner, evidence = _fitted(chosen, records, config, progress)
    decider = Decider()
    if held_out:
        context = perception.perceive(held_out, tick=_ticks(progress, "held-out rows", len(held_out)))
        inside = [i for i, record in enumerate(held_out) if not record.is_out_of_scope(chosen.name)]
        if inside:
            aligner.recalibrate_scope(_rows(context, inside))
        decider.fit(
            aligner.align(context), held_out, max_error=config.max_error, oos_rate=config.oos_rate, held_out=True
        )
    else:
        decider.fit(evidence, records, max_error=config.max_error, oos_rate=config.oos_rate, held_out=False)
    summary = {
        "source": table.source,
        "rows": len(records),
        "held_out_rows": len(held_out),
        "labels": len(chosen.labels),
        "weights": {name: round(weight, 4) for name, weight in aligner.blend.weights.items()},
        "seed": config.seed,
        "seconds": round(perf_counter() - started, 2),
        "left_out_columns": list(table.left_out),
        "notices": list(dict.fromkeys([*table.notices, *notices])),
    }
    return Model(perception, aligner, decider, summary=summary, examples=records if config.examples else ())


def held_out_intents(table: Table, *, progress: Progress | None = None) -> tuple[tuple[Record, ...], Intents]:
    """What a model says of each labelled row when it has not seen that row.

    Returns:
        The rows used (with text and label, repeats left out), and their intents.
    """
    task = _task_of(table, None)
    records, _ = _usable(table, task)
    _, _, evidence = _fitted(task, records, TrainConfig(), progress)
    return records, evidence


def _fitted(
    task: Task, records: tuple[Record, ...], config: TrainConfig, progress: Progress | None
) -> tuple[Perception, Aligner, Intents]:
    """Perceive and align, and the held-out evidence."""
    signals = config.signals or tuple(
        name for name in PERCEIVERS if name != "history" or any(record.history for record in records)
    )
    texts = [(text, column) for column, label in enumerate(task.labels) for text in _descriptions(label)]
    named = [Record(text=text) for text, _ in texts]
    perception = Perception(signals)
    perception.fit([*records, *named])
    context = perception.perceive(records, tick=_ticks(progress, "reading", len(records) * len(signals)))
    names = perception.perceive(named)
    aligner = Aligner()
    heads = sum(len(techniques_for(name, signal)) for name, signal in context.signals.items())
    tick = _ticks(progress, "learning", heads)
    evidence = aligner.fit(task, context, names, [column for _, column in texts], tick=tick)
    if not aligner.signals:
        raise DataError(f"no record has anything for {', '.join(signals)}; expected two or more. Name other --signals")
    perception.keep(aligner.signals)
    return perception, aligner, evidence


def _task_of(table: Table, given: Task | None) -> Task:
    """The task: its labels from the task file first, then those found in the rows."""
    kind = table.kind or (given.kind if given else "choice")
    if kind == "spans":
        raise MissingExtraError("Spans (tokens and tags)", extra="tune")
    if given is not None and table.kind is not None and given.kind != table.kind:
        raise DataError(
            f"{table.source}: the task file says kind {given.kind!r}, but the column {table.task_name!r} holds "
            f"{table.kind!r}. Use the same in both"
        )
    found: Counter[str] = Counter()
    for record in table.records:
        found.update(record.labels_of(table.task_name or ""))
    known = {label.name: label for label in given.labels} if given else {}
    names = [*known, *sorted(set(found) - set(known) - {OUT_OF_SCOPE})]
    if kind == "choice" and len(names) < 2:
        only = f"only the label {names[0]!r}" if names else "no label"
        raise DataError(
            f"{table.source}: there is {only}; expected two or more to tell apart. Add rows of another label"
        )
    if not names:
        raise DataError(
            f"{table.source}: no row has a label; expected at least one. Fill the column {table.task_name!r}"
        )
    labels = tuple(known.get(name) or Label(name) for name in names)
    return Task(table.task_name or (given.name if given else "intent"), kind, labels)


def _usable(table: Table, task: Task) -> tuple[tuple[Record, ...], list[str]]:
    """Rows that teach: labelled, not empty, each text and label once."""
    kept: dict[tuple[Any, ...], Record] = {}
    empty = repeated = 0
    for record in table.labelled().records if table.task_name else ():
        if record.says_nothing:
            empty += 1
            continue
        _refuse_mixture(record, table)
        key = (alike(record.text), record.history, record.labels[task.name])
        repeated += key in kept
        kept.setdefault(key, record)
    notices = []
    if empty:
        notices.append(f"{_rows_of(empty)} without a text not trained on")
    if repeated:
        notices.append(f"{_rows_of(repeated)} with a text and label that stood before, counted once")
    return tuple(kept.values()), notices


def _held_out(table: Table, task: Task) -> tuple[tuple[Record, ...], list[str]]:
    """Rows that a promise can be made on: labelled in the task's way, and not empty, which are declined unread."""
    if table.kind != task.kind:
        raise DataError(
            f"{table.source}: its labels are of the kind {table.kind!r}, but the training file's are {task.kind!r}. "
            "Use the same in both"
        )
    kept = []
    labelled = table.labelled().records
    for record in labelled:
        _refuse_mixture(record, table)
        if not record.says_nothing:
            kept.append(replace(record, labels={task.name: record.labels[table.task_name or ""]}))
    notices = []
    if empty := len(labelled) - len(kept):
        notices.append(f"{table.source}: {_rows_of(empty)} without a text not counted")
    if all(record.is_out_of_scope(task.name) for record in kept):
        notices.append(f"{table.source}: no row is in scope, so nothing can be promised on them")
    return tuple(kept), notices


def _refuse_mixture(record: Record, table: Table) -> None:
    """Refuse a row that is out of scope and has an intent."""
    labels = record.labels_of(table.task_name or "")
    if OUT_OF_SCOPE in labels and len(labels) > 1:
        raise DataError(
            f"{table.source}: record {record.id or '?'} is labelled {OUT_OF_SCOPE!r} and "
            f"{next(label for label in labels if label != OUT_OF_SCOPE)!r} at once; "
            f"expected {OUT_OF_SCOPE!r} alone or intents alone. Remove one of them"
        )


def _surprises(table: Table, given: Task | None, task: Task) -> list[str]:
    """What the user may not have meant: labels not read, misspelt, or out of scope under another name."""
    notices = []
    if given is not None and table.task_name is None and table.left_out:
        notices.append(
            f"{table.source}: no column of labels found, so the task file alone teaches. If there is one, name it with "
            "--label"
        )
    elif given is not None:
        known, found = set(given.names), {label for record in table.records for label in record.labels_of(task.name)}
        if stray := sorted(found - known - {OUT_OF_SCOPE}):
            notices.append(f"{table.source}: labels that the task file does not name: {listed(stray)}")
        if bare := [name for name in given.names if name not in found]:
            notices.append(f"{table.source}: labels of the task file without an example: {listed(bare)}")
    for name in task.names:
        if spelt(name) in ("oos", "out of scope"):
            notices.append(f"{table.source}: {name!r} is taken for an intent; rows out of scope are labelled 'oos'")
    return notices


def _overlap(records: Sequence[Record], held_out: Sequence[Record], source: str) -> list[str]:
    """Say how many held-out rows were trained on; a few twins are natural, most of the rows are a mistake.

    Raises:
        DataError: Most were, so they are not held out.
    """
    taught = {(alike(record.text), record.history) for record in records}
    twice = sum((alike(record.text), record.history) in taught for record in held_out)
    if 2 * twice > len(held_out):
        raise DataError(
            f"{source}: {twice:,} of {len(held_out):,} held-out rows are trained on too; expected other rows than "
            "those of the training file. Leave --validation out, and the error is estimated without them"
        )
    return [f"{source}: the texts of {_rows_of(twice)} are trained on too"] if twice else []


def _rows_of(count: int) -> str:
    """A number of rows in words."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def _descriptions(label: Label) -> list[str]:
    """Texts that say what a label means: its name, if it has words, and its descriptions."""
    name = spelt(label.name)
    texts = [name] if any(character.isalpha() for character in name) else []
    return list(dict.fromkeys([*texts, *label.descriptions.values()]))


def _rows(context: Context, rows: Sequence[int]) -> Context:
    """Some rows of a context."""
    index = np.asarray(rows, dtype=np.intp)
    signals = {name: signal[index] for name, signal in context.signals.items()}
    return Context([context.records[row] for row in rows], signals, context.present[index])


def _ticks(progress: Progress | None, what: str, total: int) -> Callable[[int], None] | None:
    """Turn steps into progress of ``what``."""
    if progress is None:
        return None
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        progress(what, done, total)

    return tick
