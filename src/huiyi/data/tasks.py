"""The task file: what the labels mean, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from huiyi.errors import DataError
from huiyi.values import Label, Task


class _LabelForm(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    description: str | dict[str, str] = ""
    actions: list[str] = []


class _TaskForm(msgspec.Struct, forbid_unknown_fields=True):
    labels: Annotated[list[_LabelForm], msgspec.Meta(min_length=1)]
    name: str = "intent"
    kind: Literal["choice", "several"] = "choice"


def read_task(path: str | Path) -> Task:
    """Read a ``task.yaml``: name, kind, and for each label its name, description and actions.

    A description is a text, or a text for each language code.

    Raises:
        DataError: The file is missing, is not YAML, or does not have this form; the message says where.
    """
    path = Path(path)
    try:
        form = msgspec.yaml.decode(path.read_bytes(), type=_TaskForm)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Expected a task file in YAML, with `labels:`") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}. Expected a task file in YAML") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: {reason}. Expected `labels:`, a list of name, description and actions") from error
    names = [label.name for label in form.labels]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: label {twice[0]!r} stands there twice. Give each label once")
    return Task(form.name, form.kind, tuple(_label(label) for label in form.labels))


def _label(form: _LabelForm) -> Label:
    """The label of a form; a description in no stated language is under ""."""
    descriptions = {"": form.description} if isinstance(form.description, str) else form.description
    return Label(form.name, {language: text for language, text in descriptions.items() if text}, tuple(form.actions))
