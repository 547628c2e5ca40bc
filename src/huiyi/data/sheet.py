"""Raw cells by column, as every kind of source gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from huiyi.data.columns import column_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, eq=False)
class Sheet:
    """The cells of one file or one list, before anyone asks what they mean.

    Attributes:
        source: What to call it in messages.
        folder: What the paths in its cells are relative to, and stay below. None for a list or a data frame, which a
            program gives.
        columns: Name to cells, one for each row; ``None`` where a row has none.
        rows: The number of each row, 1 for the first.
    """

    source: str
    folder: Path | None
    columns: Mapping[str, Sequence[Any]]
    rows: Sequence[int]


def sheet_of_objects(source: str, folder: Path | None, objects: Iterable[tuple[int, Mapping[Any, Any]]]) -> Sheet:
    """Turn numbered objects, which may differ in their keys, into columns.

    Example:
        >>> sheet_of_objects("the list", None, [(1, {"text": "hi"}), (2, {"intent": "bye"})]).columns
        {'text': ['hi', None], 'intent': [None, 'bye']}
    """
    rows: list[int] = []
    columns: dict[Any, list[Any]] = {}
    for row, cells in objects:
        for name, cell in cells.items():
            column = columns.setdefault(name, [])
            column.extend([None] * (len(rows) - len(column)))
            column.append(cell)
        rows.append(row)
    for column in columns.values():
        column.extend([None] * (len(rows) - len(column)))
    return Sheet(source, folder, dict(zip(column_names(columns, source), columns.values(), strict=True)), rows)
