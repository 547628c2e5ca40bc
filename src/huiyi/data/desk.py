"""The built-in service desk: a sleeper-train company that answers in English and Chinese."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from huiyi.data.tables import Table

FOLDER = Path(str(resources.files("huiyi.data"))) / "desk_files"
"""Where the desk's files lie; ``README.md`` there tells of the company and its 20 intents."""


def desk(part: Literal["train", "test", "oos"]) -> Table:
    """Read one part of the built-in desk.

    Each row has its language, ``en`` or ``zh``, in the column ``language``.
    The task with its labels' descriptions is ``FOLDER / "task.yaml"``.

    Args:
        part: ``train``: 12 English and 12 Chinese rows an intent. ``test``:
            4 and 4. ``oos``: 40 and 40 that fit no intent.

    Example:
        >>> record = desk("train").records[12]
        >>> record.text, record.labels["intent"]
        ('帮我订一张明晚云门到白崖的软卧，下铺优先', 'book_ticket')
    """
    from huiyi.data.reading import read

    return read(FOLDER / f"{part}.csv")
