"""The task file: what is to be told from a record, and what the labels mean in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from huiyi.errors import DataError
from huiyi.values import Label, Task

Rate = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class _LabelForm(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    description: str | dict[str, str] = ""
    actions: list[str] = []


class _TaskForm(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1)] = "intent"
    kind: Literal["choice", "several", "spans"] = "choice"
    labels: list[_LabelForm] = []
    max_error: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    oos_rate: Rate | None = None


class _ManyForm(msgspec.Struct, forbid_unknown_fields=True):
    tasks: Annotated[list[_TaskForm], msgspec.Meta(min_length=1)]


@dataclass(frozen=True)
class TaskFile:
    """What a task file says.

    Attributes:
        tasks: The tasks, in their order.
        options: For each task that has any: the options of training that it
            has for itself, ``max_error`` and ``oos_rate``.
    """

    tasks: tuple[Task, ...]
    options: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def read_tasks(path: str | Path) -> TaskFile:
    """Read a ``task.yaml``.

    It holds one task: name, kind, ``max_error`` and ``oos_rate`` where they
    differ from the options of training, and for each label its name,
    description and actions; or, under ``tasks``, a list of such tasks. A
    description is a text, or a text for each language code. Labels may be left
    out: then those of the rows are learnt.

    Raises:
        DataError: The file is missing, is not YAML, or does not have this form; the message says where.
    """
    path = Path(path)
    try:
        content = msgspec.yaml.decode(path.read_bytes())
        many = isinstance(content, dict) and "tasks" in content
        if not many and not (isinstance(content, dict) and "labels" in content):
            raise msgspec.ValidationError("there are neither `labels` nor `tasks`")
        forms = msgspec.convert(content, _ManyForm).tasks if many else [msgspec.convert(content, _TaskForm)]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Expected a task file in YAML, with `labels:`") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}. Expected a task file in YAML") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{path}: {reason}. Expected `labels:`, a list of name, description and actions; or `tasks:`, a list of "
            "name, kind and labels"
        ) from error
    _refuse_twice([form.name for form in forms], "task", path)
    for form in forms:
        _refuse_twice([label.name for label in form.labels], "label", path)
    own = {form.name: {"max_error": form.max_error, "oos_rate": form.oos_rate} for form in forms}
    return TaskFile(
        tuple(Task(form.name, form.kind, tuple(map(_label, form.labels))) for form in forms),
        {name: {key: value for key, value in options.items() if value is not None} for name, options in own.items()},
    )


def _refuse_twice(names: list[str], what: str, path: Path) -> None:
    """Refuse a name that stands for two things."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: {what} {twice[0]!r} stands there twice. Give each {what} once")


def _label(form: _LabelForm) -> Label:
    """The label of a form; a description in no stated language is under ""."""
    descriptions = {"": form.description} if isinstance(form.description, str) else form.description
    return Label(form.name, {language: text for language, text in descriptions.items() if text}, tuple(form.actions))
