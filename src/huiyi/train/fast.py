"""The fast strategy: frozen encoders, light heads, held-out evidence. Seconds, no torch, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.align import Aligner, HeldOut, SpansAligner, techniques_for
from huiyi.data import Table
from huiyi.errors import DataError, OptionError
from huiyi.perceive import ImagePerceiver, Perception, perceivable
from huiyi.perceive.encoders.vision import vision_encoder
from huiyi.train.config import Progress, Session, TrainConfig, ticks
from huiyi.train.lessons import rows_of, task_of, usable
from huiyi.values import Context, Intents, Record, Task

if TYPE_CHECKING:
    from huiyi.align import FittedHead

PICTURED = "image"
"""The signal of pictures, as a frozen encoder sees them."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """What a strategy is given.

    Attributes:
        tasks: What is to be learnt.
        records: Rows that teach at least one of them.
        config: Options.
        session: Whom to tell, and where to keep what survives an interruption.
        unlabelled: Other records, of which nothing is known.
        perception: What a model that learns a task more perceives already, apart from what learnt labels.
        hints: Task and label to further texts that say what the label means. They are examples too.
    """

    tasks: Sequence[Task]
    records: Sequence[Record]
    config: TrainConfig
    session: Session
    unlabelled: Sequence[Record] = ()
    perception: Perception | None = None
    hints: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a strategy learnt.

    Attributes:
        perception: The first stage.
        aligners: The second, for each task by its name.
        held_out: What the held-out parts of each say of the training rows, by their places among all.
        report: What to keep in the model's summary.
        notices: What the user should know.
    """

    perception: Perception
    aligners: Mapping[str, Aligner | SpansAligner]
    held_out: Mapping[str, HeldOut]
    report: Mapping[str, Any] = field(default_factory=dict)
    notices: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Seen:
    """What is perceived of the training rows.

    Attributes:
        perception: What perceived it.
        context: Of the rows.
        names: Of the texts that name or describe labels.
        named: For each row of ``names`` its task, and the column of its label there.
    """

    perception: Perception
    context: Context
    names: Context
    named: Sequence[tuple[str, int]]

    def names_of(self, task: Task) -> tuple[Context, list[int]]:
        """Of the texts that name the labels of one task, and the column of each."""
        which = [place for place, (name, _) in enumerate(self.named) if name == task.name]
        return self.names.rows(np.array(which, dtype=np.intp)), [self.named[place][1] for place in which]


def fit_fast(given: Assignment) -> Fitted:
    """Perceive and align by what is frozen.

    Raises:
        OptionError: There are unlabelled texts, from which nothing frozen can
            learn; or spans, which nothing frozen can tell.
    """
    if given.unlabelled:
        raise OptionError("--unlabelled: only fine-tuning learns from texts without a label. Add --effort tuned")
    for task in given.tasks:
        if task.kind == "spans":
            raise OptionError(
                f"{task.name!r} holds spans, which only fine-tuning learns; expected one label a row, or several. "
                "Add --effort tuned, or name the other columns of labels with --label"
            )
    return fit_aligners(given.tasks, see(given), given.session)


def see(given: Assignment) -> Seen:
    """Perceive rows and label descriptions by what is there already, and by perceivers fitted on all of what is not.

    Raises:
        OptionError: The encoder for pictures cannot be used, or there are no pictures for it.
    """
    texts = [
        (text, task.name, column)
        for task in given.tasks
        for column, label in enumerate(task.labels)
        for text in dict.fromkeys([*label.texts, *given.hints.get((task.name, label.name), ())])
    ]
    records, named = given.records, [Record(text=text) for text, _, _ in texts]
    signals = given.config.signals or perceivable(records)
    known = given.perception.names if given.perception else ()
    if given.config.image_encoder and PICTURED not in {*signals} - {*known}:
        raise OptionError(
            "--image-encoder: nothing new is learnt from pictures; expected rows with an image. Leave the option out"
        )
    fresh = Perception([name for name in signals if name not in known])
    if given.config.image_encoder:
        fresh.add(PICTURED, ImagePerceiver(vision_encoder(given.config.image_encoder)))
    fresh.keep_up(given.session.upkeep)
    learnt = [*records, *named, *given.unlabelled]
    fresh.fit(learnt, tick=ticks(given.session.progress, "transcribing", len(learnt) * fresh.readers))
    perception = given.perception.joined(fresh) if given.perception else fresh
    perception.keep_up(given.session.upkeep)
    tick = ticks(given.session.progress, "reading", len(records) * len(perception.names))
    context = perception.perceive(records, tick=tick)
    return Seen(perception, context, perception.perceive(named), [(name, column) for _, name, column in texts])


def fit_aligners(
    tasks: Sequence[Task],
    seen: Seen,
    session: Session,
    *,
    fitted: Mapping[str, Mapping[str, FittedHead]] | None = None,
) -> Fitted:
    """Fit heads for each task on what was seen, beside those fitted elsewhere, and stop perceiving what none hears.

    Args:
        tasks: The tasks.
        seen: What was seen.
        session: Whom to tell.
        fitted: Heads fitted elsewhere, by task and ``signal/technique``. What they say is in the order of ``rows_of``.

    Raises:
        DataError: There is nothing to listen to.
    """
    aligners, held_out = {}, {}
    for task in tasks:
        rows = rows_of(task, seen.context.records)
        context, (names, named) = seen.context.rows(rows), seen.names_of(task)
        aligner = Aligner()
        heads = sum(len(techniques_for(name, signal)) for name, signal in context.signals.items())
        what = "learning" if len(tasks) == 1 else f"learning {task.name}"
        tick = ticks(session.progress, what, heads)
        told = aligner.fit(task, context, names, named, fitted=(fitted or {}).get(task.name), tick=tick)
        if not aligner.signals:
            raise DataError(
                f"no record has anything for {', '.join(seen.perception.names)}; expected two or more. "
                "Name other --signals"
            )
        aligners[task.name], held_out[task.name] = aligner, replace(told, rows=rows[told.rows])
    return Fitted(seen.perception, aligners, held_out)


def held_out_intents(table: Table, *, progress: Progress | None = None) -> tuple[tuple[Record, ...], Intents]:
    """What a model says of each labelled row when it has not seen that row.

    Returns:
        The rows used (with text and label, repeats left out), and their intents.
    """
    task = task_of(table, None)
    records, _ = usable(table, [task])
    fitted = fit_fast(Assignment([task], records, TrainConfig(), Session(progress)))
    return records, fitted.held_out[task.name].intents
