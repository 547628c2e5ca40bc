"""Train: read, check, let the strategy of the chosen effort learn, and last fit the promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.data import Columns, read
from huiyi.data.tasks import read_task
from huiyi.decide import Decider
from huiyi.errors import DataError
from huiyi.pipeline import Model
from huiyi.train.config import EpochListener, Progress, Session, TrainConfig, ticks
from huiyi.train.fast import Fitted, fit_fast
from huiyi.train.lessons import descriptions, held_out_rows, overlap, repeats, surprises, task_of, usable
from huiyi.train.tuned import fit_tuned
from huiyi.values import Context, Record, Task

if TYPE_CHECKING:
    from pathlib import Path

Strategy = Callable[[Task, Sequence[Record], Sequence[Record], TrainConfig, Session], Fitted]

STRATEGIES: Mapping[str, Strategy] = {"fast": fit_fast, "tuned": fit_tuned}
"""What learns at each of ``EFFORTS``."""


def train(
    source: Any,
    *,
    validation: Any = None,
    unlabelled: Any = None,
    task: Task | str | Path | None = None,
    columns: Columns | None = None,
    config: TrainConfig | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
    on_epoch: EpochListener | None = None,
    folder: Path | None = None,
    resume: bool = False,
) -> Model:
    """Train a model from labelled examples.

    Args:
        source: A file, a folder, a DataFrame, or a list of records or of
            (text, label) pairs; see ``huiyi.data.read``.
        validation: The same for rows held out. They make the promise a
            guarantee. Without them it is estimated by cross-fitting.
        unlabelled: The same for texts whose labels are not known, or not
            looked at, for efforts above ``fast``.
        task: A task, or a task file, that describes the labels. A label that
            it names may lack examples.
        columns: Which column is what.
        config: Options.
        skip_bad: Skip rows that cannot be read.
        progress: Told how far training has come.
        on_epoch: Told the figures of each epoch of fine-tuning.
        folder: Where fine-tuning keeps checkpoints and logs. Checkpoints stay
            until ``huiyi.train.tuning.runs.end`` removes them, once the model is saved.
        resume: Go on with the training that was interrupted there.

    Raises:
        DataError: The rows cannot be trained on; the message says why.
        OptionError: An option cannot be used.
        OutputError: ``folder`` cannot be written, or holds a training that is not to be resumed.

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
    chosen = task_of(table, given)
    records, notices = usable(table, chosen)
    notices += surprises(table, given, chosen)
    if not records and not (given and any(map(descriptions, given.labels))):
        raise DataError(
            f"{table.source}: no labelled row has a text; expected some, or a task file whose labels are described. "
            "Fill the text column"
        )
    held_out: tuple[Record, ...] = ()
    if validation is not None:
        label = columns.label or table.task_name
        held_out_table = read(validation, replace(columns, label=label), needs_label=True, skip_bad=skip_bad)
        held_out, more = held_out_rows(held_out_table, chosen)
        notices += [*held_out_table.notices, *more, *overlap(records, held_out, held_out_table.source)]
    others: tuple[Record, ...] = ()
    if unlabelled is not None:
        others = read(unlabelled, replace(columns, label=None), skip_bad=skip_bad).records
        notices += repeats(others, held_out)
    fitted = STRATEGIES[config.effort](chosen, records, others, config, Session(progress, on_epoch, folder, resume))
    perception, aligner, decider = fitted.perception, fitted.aligner, Decider()
    if held_out:
        context = perception.perceive(held_out, tick=ticks(progress, "held-out rows", len(held_out)))
        inside = [i for i, record in enumerate(held_out) if not record.is_out_of_scope(chosen.name)]
        if inside:
            aligner.recalibrate_scope(_rows(context, inside))
        decider.fit(
            aligner.align(context), held_out, max_error=config.max_error, oos_rate=config.oos_rate, held_out=True
        )
    else:
        evidence = fitted.held_out
        asked = [records[row] for row in evidence.rows]
        decider.fit(evidence.intents, asked, max_error=config.max_error, oos_rate=config.oos_rate, held_out=False)
    summary = {
        "source": table.source,
        "rows": len(records),
        "held_out_rows": len(held_out),
        "unlabelled_rows": len(others),
        "labels": len(chosen.labels),
        "effort": config.effort,
        "weights": {name: round(weight, 4) for name, weight in aligner.blend.weights.items()},
        "seed": config.seed,
        "seconds": round(perf_counter() - started, 2),
        "left_out_columns": list(table.left_out),
        "notices": list(dict.fromkeys([*table.notices, *notices, *fitted.notices])),
        **fitted.report,
    }
    return Model(perception, aligner, decider, summary=summary, examples=records if config.examples else ())


def _rows(context: Context, rows: Sequence[int]) -> Context:
    """Some rows of a context."""
    index = np.asarray(rows, dtype=np.intp)
    signals = {name: signal[index] for name, signal in context.signals.items()}
    return Context([context.records[row] for row in rows], signals, context.present[index])
