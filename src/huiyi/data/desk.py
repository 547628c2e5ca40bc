"""The built-in service desk: a sleeper-train company that answers in English and Chinese."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from huiyi.data.tables import Table

FOLDER = Path(str(resources.files("huiyi.data"))) / "desk_files"
"""Where the desk's files lie; ``README.md`` there tells of the company and its 20 intents."""

KNOWLEDGE = (FOLDER / "names.csv", FOLDER / "knowledge.csv", FOLDER / "desk.rules")
"""What the company knows, for ``train(…, knowledge=KNOWLEDGE)``: names of things, how they hang together, rules."""

TASKS = ("intent", "urgency", "mood", "spans")
"""The tasks of the parts ``tasks_train`` and ``tasks_test``."""


def desk(part: Literal["train", "test", "oos", "tasks_train", "tasks_test", "screens", "voices"]) -> Table:
    """Read one part of the built-in desk.

    Each row has its language, ``en`` or ``zh``, in the column ``language``.
    The task with its labels' descriptions is ``FOLDER / "task.yaml"``; those
    of the parts with several tasks are in ``FOLDER / "tasks.yaml"``.

    Args:
        part: ``train``: 12 English and 12 Chinese rows an intent. ``test``:
            4 and 4. ``oos``: 40 and 40 that fit no intent. ``tasks_train``
            and ``tasks_test``: 320 and 120 rows with the labels of ``TASKS``,
            half of them in Chinese. ``screens``: 8 messages as pictures of a
            phone, without a text. ``voices``: 3 as recordings, likewise.

    Example:
        >>> record = desk("train").records[12]
        >>> record.text, record.labels["intent"]
        ('帮我订一张明晚云门到白崖的软卧，下铺优先', 'book_ticket')
    """
    from huiyi.data.columns import Columns
    from huiyi.data.reading import read

    if part in ("train", "test", "oos", "screens", "voices"):
        return read(FOLDER / f"{part}.csv")
    return read(FOLDER / f"{part}.jsonl", Columns(label=",".join(TASKS)))
