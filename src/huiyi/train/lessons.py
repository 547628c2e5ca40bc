"""What a strategy learns from: the tasks and the rows, checked, and what the user should know of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.data import Table
from huiyi.data.columns import listed
from huiyi.errors import DataError
from huiyi.values import OUT_OF_SCOPE, Label, Record, Task, alike, is_blank, spelt

if TYPE_CHECKING:
    from numpy.typing import NDArray


def tasks_of(table: Table, given: Sequence[Task], labels: Sequence[str] = ()) -> tuple[Task, ...]:
    """The tasks: those of the task file, and one for each other column of ``labels``; or else one for each column."""
    if not given:
        return tuple(task_of(table.only(name), None) for name in table.kinds)
    for task in given if len(given) > 1 else ():
        if task.name not in table.kinds:
            raise table.lacks(task)
    described = tuple(task_of(table.of(task) if table.kinds else table, task) for task in given)
    known = {task.name for task in given}
    others = [name for name in labels if name not in known and name in table.kinds]  # one may have been renamed
    return described + tuple(task_of(table.only(name), None) for name in others)


def task_of(table: Table, given: Task | None) -> Task:
    """The task: its labels from the task file first, then those found in the rows."""
    kind = given.kind if given else table.kind or "choice"
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
    return Task(given.name if given else table.task_name or "intent", kind, labels)


def usable(table: Table, tasks: Sequence[Task]) -> tuple[tuple[Record, ...], list[str]]:
    """Rows that teach: labelled for at least one task, not empty, each with its labels once."""
    names = [task.name for task in tasks]
    kept: dict[tuple[Any, ...], Record] = {}
    empty = repeated = 0
    for record in table.records:
        if not any(name in record.labels for name in names):
            continue
        if record.says_nothing:
            empty += 1
            continue
        for name in names:
            _refuse_mixture(record, name, table.source)
        key = (_told(record), *(record.labels.get(name) for name in names))
        repeated += key in kept
        kept.setdefault(key, record)
    notices = []
    if empty:
        notices.append(f"{_rows_of(empty)} with nothing to perceive, not trained on")
    if repeated:
        notices.append(f"{_rows_of(repeated)} saying the same as one before under the same label, counted once")
    return tuple(kept.values()), notices


def _told(record: Record) -> Hashable:
    """What records have in common that tell the same, however they are labelled.

    Fields alone are no repeats, however often they occur: how often they do is what they teach.
    """
    if is_blank(record.text) and not (record.history or record.images or record.audios):
        return id(record)
    fields = tuple(sorted((name, str(value)) for name, value in record.fields.items()))
    return alike(record.text), record.history, fields, record.images, record.audios


def rows_of(task: Task, records: Sequence[Record]) -> NDArray[np.intp]:
    """Places of the records that teach a task: labelled for it, each text with its label once."""
    first: dict[tuple[Any, ...], int] = {}
    for row, record in enumerate(records):
        if task.name in record.labels:
            first.setdefault((_told(record), record.labels[task.name]), row)
    return np.fromiter(first.values(), dtype=np.intp, count=len(first))


def held_out_rows(table: Table, task: Task) -> tuple[tuple[Record, ...], list[str]]:
    """Rows that a promise can be made on: labelled in the task's way, and not empty, which are declined unread."""
    labelled = table.of(task).labelled().records
    for record in labelled:
        _refuse_mixture(record, task.name, table.source)
    kept = [record for record in labelled if not record.says_nothing]
    notices = []
    if empty := len(labelled) - len(kept):
        notices.append(f"{table.source}: {_rows_of(empty)} with nothing to perceive, not counted")
    if all(record.is_out_of_scope(task.name) for record in kept):
        notices.append(f"{table.source}: no row is in scope, so nothing can be promised on them")
    return tuple(kept), notices


def _refuse_mixture(record: Record, task_name: str, source: str) -> None:
    """Refuse a row that is out of scope and has an intent."""
    labels = record.labels_of(task_name)
    if OUT_OF_SCOPE in labels and len(labels) > 1:
        raise DataError(
            f"{source}: record {record.id or '?'} is labelled {OUT_OF_SCOPE!r} and "
            f"{next(label for label in labels if label != OUT_OF_SCOPE)!r} at once; "
            f"expected {OUT_OF_SCOPE!r} alone or intents alone. Remove one of them"
        )


def surprises(table: Table, given: Task | None, task: Task) -> list[str]:
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


def overlap(records: Sequence[Record], held_out: Sequence[Record], table: Table) -> list[str]:
    """Say how many held-out rows were trained on; a few twins are natural, most of the rows are a mistake.

    Raises:
        DataError: Most were, so they are not held out.
    """
    taught = {_told(record) for record in records}
    twice = sum(_told(record) in taught for record in held_out)
    if 2 * twice > len(held_out):
        raise DataError(
            f"{table.source}: {twice:,} of {len(held_out):,} held-out rows are trained on too; expected other rows "
            "than those of the training file. Leave --validation out, and the error is estimated without them"
        )
    return [f"{table.source}: the texts of {_rows_of(twice)} are trained on too"] if twice else []


def repeats(unlabelled: Sequence[Record], held_out: Sequence[Record]) -> list[str]:
    """Say how many unlabelled texts are those that a promise will be made on."""
    told = {alike(record.text) for record in held_out}
    twice = sum(alike(record.text) in told for record in unlabelled)
    return [f"the unlabelled texts repeat {_rows_of(twice)} of the held-out ones, unseen labels aside"] if twice else []


def _rows_of(count: int) -> str:
    """A number of rows in words."""
    return f"{count:,} row{'' if count == 1 else 's'}"
