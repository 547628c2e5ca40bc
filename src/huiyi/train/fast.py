"""The fast strategy: frozen encoders, light heads, held-out evidence. Seconds, no torch, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from huiyi.align import Aligner, HeldOut, techniques_for
from huiyi.data import Table
from huiyi.errors import DataError, OptionError
from huiyi.perceive import PERCEIVERS
from huiyi.pipeline import Perception
from huiyi.train.config import Progress, Session, TrainConfig, ticks
from huiyi.train.lessons import descriptions, task_of, usable
from huiyi.values import Context, Intents, Record, Task

if TYPE_CHECKING:
    from huiyi.align import FittedHead


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a strategy learnt.

    Attributes:
        perception: The first stage.
        aligner: The second.
        held_out: What its held-out parts say of the training rows.
        report: What to keep in the model's summary.
        notices: What the user should know.
    """

    perception: Perception
    aligner: Aligner
    held_out: HeldOut
    report: Mapping[str, Any] = field(default_factory=dict)
    notices: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Seen:
    """What is perceived of the training rows.

    Attributes:
        perception: What perceived it.
        context: Of the rows.
        names: Of the texts that name or describe labels.
        named: For each row of ``names`` the column of its label.
    """

    perception: Perception
    context: Context
    names: Context
    named: Sequence[int]


def fit_fast(
    task: Task, records: Sequence[Record], unlabelled: Sequence[Record], config: TrainConfig, session: Session
) -> Fitted:
    """Perceive and align by what is frozen.

    Raises:
        OptionError: There are unlabelled texts, from which nothing frozen can learn.
    """
    if unlabelled:
        raise OptionError("--unlabelled: only fine-tuning learns from texts without a label. Add --effort tuned")
    return fit_aligner(task, see(task, records, config, session), session)


def see(task: Task, records: Sequence[Record], config: TrainConfig, session: Session) -> Seen:
    """Perceive rows and label descriptions."""
    signals = config.signals or tuple(
        name for name in PERCEIVERS if name != "history" or any(record.history for record in records)
    )
    texts = [(text, column) for column, label in enumerate(task.labels) for text in descriptions(label)]
    named = [Record(text=text) for text, _ in texts]
    perception = Perception(signals)
    perception.fit([*records, *named])
    context = perception.perceive(records, tick=ticks(session.progress, "reading", len(records) * len(signals)))
    return Seen(perception, context, perception.perceive(named), [column for _, column in texts])


def fit_aligner(task: Task, seen: Seen, session: Session, *, fitted: Mapping[str, FittedHead] | None = None) -> Fitted:
    """Fit heads on what was seen, beside those fitted elsewhere, and stop perceiving what none listens to.

    Raises:
        DataError: There is nothing to listen to.
    """
    aligner = Aligner()
    heads = sum(len(techniques_for(name, signal)) for name, signal in seen.context.signals.items())
    tick = ticks(session.progress, "learning", heads)
    held_out = aligner.fit(task, seen.context, seen.names, seen.named, fitted=fitted, tick=tick)
    if not aligner.signals:
        names = ", ".join(seen.perception.names)
        raise DataError(f"no record has anything for {names}; expected two or more. Name other --signals")
    seen.perception.keep(aligner.signals)
    return Fitted(seen.perception, aligner, held_out)


def held_out_intents(table: Table, *, progress: Progress | None = None) -> tuple[tuple[Record, ...], Intents]:
    """What a model says of each labelled row when it has not seen that row.

    Returns:
        The rows used (with text and label, repeats left out), and their intents.
    """
    task = task_of(table, None)
    records, _ = usable(table, task)
    fitted = fit_fast(task, records, (), TrainConfig(), Session(progress))
    return records, fitted.held_out.intents
