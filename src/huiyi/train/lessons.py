"""What a strategy learns from: the task and the rows, checked, and what the user should know of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from huiyi.data import Table
from huiyi.data.columns import listed
from huiyi.errors import DataError, MissingExtraError
from huiyi.values import OUT_OF_SCOPE, Label, Record, Task, alike, spelt


def task_of(table: Table, given: Task | None) -> Task:
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


def usable(table: Table, task: Task) -> tuple[tuple[Record, ...], list[str]]:
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


def held_out_rows(table: Table, task: Task) -> tuple[tuple[Record, ...], list[str]]:
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


def overlap(records: Sequence[Record], held_out: Sequence[Record], source: str) -> list[str]:
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


def repeats(unlabelled: Sequence[Record], held_out: Sequence[Record]) -> list[str]:
    """Say how many unlabelled texts are those that a promise will be made on."""
    told = {alike(record.text) for record in held_out}
    twice = sum(alike(record.text) in told for record in unlabelled)
    return [f"the unlabelled texts repeat {_rows_of(twice)} of the held-out ones, unseen labels aside"] if twice else []


def _rows_of(count: int) -> str:
    """A number of rows in words."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def descriptions(label: Label) -> list[str]:
    """Texts that say what a label means: its name, if it has words, and its descriptions."""
    name = spelt(label.name)
    texts = [name] if any(character.isalpha() for character in name) else []
    return list(dict.fromkeys([*texts, *label.descriptions.values()]))
