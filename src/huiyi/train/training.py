"""Train: read, check, let the strategy of the chosen effort learn, and last fit the promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.data import Columns, Table, read
from huiyi.data.columns import listed
from huiyi.data.tasks import TaskFile, read_tasks
from huiyi.decide import Decider
from huiyi.errors import DataError, OptionError
from huiyi.perceive import FeatureCache, Upkeep, left_out
from huiyi.pipeline import Model, Skill
from huiyi.reason import Domain, Reasoner
from huiyi.train.config import EpochListener, Progress, Session, TrainConfig, ticks
from huiyi.train.fast import Assignment, Fitted, fit_fast
from huiyi.train.knowing import fit_knowing, unused
from huiyi.train.lessons import held_out_rows, overlap, repeats, rows_of, surprises, tasks_of, usable
from huiyi.train.thorough import fit_thorough
from huiyi.train.tuned import fit_tuned
from huiyi.train.tuning.tracking import TRACKERS
from huiyi.values import Context, Record, Task

if TYPE_CHECKING:
    from pathlib import Path

FEATURES = "features.sqlite"
"""In the folder of a training: what was seen and heard in pictures and recordings."""

STRATEGIES: Mapping[str, Callable[[Assignment], Fitted]] = {
    "fast": fit_fast,
    "tuned": fit_tuned,
    "thorough": fit_thorough,
}
"""What learns at each of ``EFFORTS``."""


def train(
    source: Any,
    *,
    validation: Any = None,
    unlabelled: Any = None,
    task: Task | Sequence[Task] | str | Path | None = None,
    columns: Columns | None = None,
    config: TrainConfig | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
    on_epoch: EpochListener | None = None,
    folder: Path | None = None,
    resume: bool = False,
    add_to: Model | None = None,
    knowledge: Domain | Sequence[str | Path] = (),
) -> Model:
    """Train a model from labelled examples.

    Args:
        source: A file, a folder, a DataFrame, or a list of records or of
            (text, label) pairs; see ``huiyi.data.read``. Each column of labels is a task.
        validation: The same for rows held out. They make the promise a
            guarantee. Without them it is estimated by cross-fitting.
        unlabelled: The same for texts whose labels are not known, or not
            looked at, for efforts above ``fast``.
        task: A task or several, or a task file, that describes the labels. A
            label that it names may lack examples.
        columns: Which column is what.
        config: Options.
        skip_bad: Skip rows, pictures and recordings that cannot be read.
        progress: Told how far training has come.
        on_epoch: Told the figures of each epoch of fine-tuning.
        folder: Where training keeps what it saw in media, and fine-tuning its
            checkpoints and logs. Checkpoints stay until ``huiyi.train.tuning.runs.end``
            removes them, once the model is saved.
        resume: Go on with the training that was interrupted there.
        add_to: A model that is to learn further tasks. What comes back does
            these as well as its own, of which nothing changes.
        knowledge: Files of facts and, ending in ``.rules``, of rules; see ``huiyi.reason.Domain``. What the graph says
            of labels helps to tell them, rules conclude what to do, and the model proves both.

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
    if config.pretexts and unlabelled is None:
        raise OptionError("--pretext: that is learnt from texts without labels, and there are none. Add --unlabelled")
    columns = columns or Columns()
    started = perf_counter()
    given = _given(task)
    named = _named(given.tasks, columns.labels)
    table, notices = _table(source, columns, named, config, skip_bad=skip_bad)
    tasks = tasks_of(table, named, columns.labels)
    if add_to is not None:
        _refuse_known(tasks, add_to, table)
    records, more = usable(table, tasks)
    notices += more
    for position, chosen in enumerate(tasks):
        notices += surprises(table, named[position] if position < len(named) else None, chosen)
    if unnamed := [task.name for task in given.tasks if task not in named]:
        notices.append(f"{table.source}: tasks of the task file that --label does not name: {listed(unnamed)}")
    reasoner = _reasoner(knowledge, tasks, records, add_to)
    described = any(label.texts for known in named for label in known.labels)
    if not records and not described:
        raise DataError(
            f"{table.source}: no labelled row has a text; expected some, or a task file whose labels are described. "
            "Fill the text column"
        )
    held_out: dict[str, tuple[Record, ...]] = {}
    if validation is not None:
        names = [chosen.name for chosen in tasks]
        asked = replace(columns, label=columns.label or ",".join(table.kinds)) if table.kinds else columns
        other = read(validation, asked, needs_label=True, skip_bad=skip_bad)
        notices += other.notices
        for chosen in tasks:
            held_out[chosen.name], more = held_out_rows(other, chosen)
            notices += more
        notices += overlap(records, list({id(row): row for name in names for row in held_out[name]}.values()), other)
    others: tuple[Record, ...] = ()
    if unlabelled is not None:
        others = read(unlabelled, replace(columns, label=None), skip_bad=skip_bad).records
        notices += repeats(others, [row for rows in held_out.values() for row in rows])
    frozen = add_to.perception.frozen() if add_to is not None else None
    tracker = TRACKERS[config.track](folder / "logs") if folder and config.effort != "fast" else None
    excused: list[str] = []
    upkeep = Upkeep(FeatureCache(folder / FEATURES) if folder else None, excused.append if skip_bad else None)
    session = Session(progress, on_epoch, folder, resume, tracker, upkeep)
    with closing(tracker) if tracker else nullcontext():
        assignment = Assignment(tasks, records, config, session, others, frozen)
        learn = STRATEGIES[config.effort]
        fitted = learn(assignment) if reasoner is None else fit_knowing(learn, assignment, reasoner)
    fitted.perception.keep({signal for aligner in fitted.aligners.values() for signal in aligner.signals})
    skills = {
        chosen.name: _skill(
            fitted,
            chosen,
            records,
            held_out.get(chosen.name, ()),
            config.of(given.options.get(chosen.name, {})),
            session,
            reasoner,
        )
        for chosen in tasks
    }
    summary = {
        "source": table.source,
        "rows": len(records),
        "unlabelled_rows": len(others),
        "effort": config.effort,
        "seed": config.seed,
        "seconds": round(perf_counter() - started, 2),
        "left_out_columns": list(table.left_out),
        "notices": list(
            dict.fromkeys([*table.notices, *notices, *fitted.notices, *unused(reasoner, tasks), *left_out(excused)])
        ),
        **fitted.report,
    }
    fitted.perception.keep_up(Upkeep())
    examples = records if config.examples else ()
    model = Model(fitted.perception, skills, summary=summary, examples=examples, reasoner=reasoner)
    return model if add_to is None else add_to.joined(model)


def _given(task: Task | Sequence[Task] | str | Path | None) -> TaskFile:
    """What is said of the tasks beforehand."""
    if task is None:
        return TaskFile(())
    if isinstance(task, Task):
        return TaskFile((task,))
    if isinstance(task, Sequence) and not isinstance(task, str):
        return TaskFile(tuple(task))
    return read_tasks(task)


def _named(tasks: Sequence[Task], labels: Sequence[str]) -> tuple[Task, ...]:
    """Those of the described tasks whose columns are named, or all where none is."""
    return tuple(task for task in tasks if task.name in labels) or tuple(tasks)


def _table(
    source: Any, columns: Columns, tasks: Sequence[Task], config: TrainConfig, *, skip_bad: bool
) -> tuple[Table, list[str]]:
    """The training rows, with the columns of labels that the tasks name, or that are there."""
    table = read(source, columns, needs_label=not tasks, skip_bad=skip_bad)
    left = [task.name for task in tasks if task.name in table.left_out]
    if left and not columns.labels:
        named = [task.name for task in tasks if task.name in left or task.name in table.kinds]
        table = read(source, replace(columns, label=",".join(named)), skip_bad=skip_bad)
    if len(tasks) == len(table.kinds) == 1:
        table = table.of(tasks[0])
    spans = [name for name, kind in table.kinds.items() if kind == "spans"]
    wanted = {*columns.labels, *(task.name for task in tasks)}
    if config.effort != "fast" or len(spans) == len(table.kinds) or wanted.intersection(spans):
        return table, []
    others = [name for name in table.kinds if name not in spans]
    return table.only(*others), [
        f"{table.source}: {name!r} holds spans, which --effort tuned learns; it is left out" for name in spans
    ]


def _refuse_known(tasks: Sequence[Task], model: Model, table: Table) -> None:
    """Refuse to teach a model what it knows: what it does must not change."""
    for task in tasks:
        if task.name in model.skills:
            raise DataError(
                f"{table.source}: the model does {task.name!r} already; expected a task of another name. Name the "
                "column of the new one with --label, or train a model anew"
            )


def _reasoner(
    knowledge: Domain | Sequence[str | Path], tasks: Sequence[Task], records: Sequence[Record], add_to: Model | None
) -> Reasoner | None:
    """What is known of the domain, if anything."""
    if not knowledge:
        return None
    if add_to is not None:
        raise OptionError(
            "--knowledge: a model that learns a task more keeps what it knows, since nothing it does may change. "
            "Leave the option out, or train a model anew"
        )
    domain = knowledge if isinstance(knowledge, Domain) else Domain.read(knowledge)
    return Reasoner(domain, tasks, sorted({name for record in records for name in record.fields}))


def _said_by(records: Sequence[Record]) -> Context:
    """Records of which only what they say matters."""
    return Context(records, {}, np.zeros((len(records), 0), dtype=bool))


def _skill(
    fitted: Fitted,
    task: Task,
    records: Sequence[Record],
    held_out: Sequence[Record],
    config: TrainConfig,
    session: Session,
    reasoner: Reasoner | None,
) -> Skill:
    """One task with its promise, fitted last."""
    aligner, decider = fitted.aligners[task.name], Decider()
    evidence = fitted.held_out[task.name]
    told = [records[row] for row in evidence.rows]
    if reasoner is not None:
        reasoner.fit(task, evidence.intents, _said_by(told))
    if held_out:
        context = fitted.perception.perceive(
            held_out, tick=ticks(session.progress, "held-out rows", len(held_out) * len(fitted.perception.names))
        )
        inside = [i for i, record in enumerate(held_out) if not record.is_out_of_scope(task.name)]
        if inside:
            aligner.recalibrate_scope(context.rows(np.array(inside, dtype=np.intp)))
        intents, asked = aligner.align(context), held_out
    else:
        context, intents, asked = _said_by(told), evidence.intents, told
    if reasoner is not None:
        intents = reasoner.revise(reasoner.read(context), intents).intents
    decider.fit(intents, asked, max_error=config.max_error, oos_rate=config.oos_rate, held_out=bool(held_out))
    summary = {
        "kind": task.kind,
        "rows": len(rows_of(task, records)),
        "held_out_rows": len(held_out),
        "labels": len(task.labels),
        "weights": {name: round(weight, 4) for name, weight in aligner.weights.items()},
    }
    return Skill(aligner, decider, summary)
