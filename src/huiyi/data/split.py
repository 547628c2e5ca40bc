"""Splitting records into parts that look alike."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from huiyi.values import Record, Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


def split(
    records: Sequence[Record], task_name: str | None, shares: Sequence[float], rng: np.random.Generator
) -> tuple[tuple[int, ...], ...]:
    """Split records into parts in which each label has about its share.

    Rows are dealt out label by label, each to the part that lags furthest
    behind its share, so that with k parts no count of a label is more than k
    rows off. A label of which the largest part would get no row gives it
    one, so that what is trained on that part knows every label. Of several
    labels on one row the rarest counts; rows without a label are dealt out
    as if they shared one.

    Args:
        records: The records.
        task_name: The task whose labels count.
        shares: Share of each part, above 0; together 1.
        rng: Draws which rows of a label go where.

    Returns:
        For each part the indices of its records, ascending. Every record is in one part.

    Raises:
        ValueError: The shares are not above 0, or do not add up to 1.

    Example:
        >>> import numpy as np
        >>> records = [Record(labels={"intent": name}) for name in "aaaaabbbbb"]
        >>> train, test = split(records, "intent", (0.8, 0.2), np.random.default_rng(0))
        >>> len(train), sorted(records[index].labels["intent"] for index in test)
        (8, ['a', 'b'])
    """
    if not all(share > 0 for share in shares) or not math.isclose(sum(shares), 1):
        raise ValueError(f"shares are {tuple(shares)}. Expected numbers above 0 that add up to 1.")
    largest = max(range(len(shares)), key=shares.__getitem__)
    parts: list[list[int]] = [[] for _ in shares]
    counts = [0] * len(shares)
    for stratum in _strata(records, task_name):
        dealt = []
        for _ in stratum:
            rows = sum(counts) + 1
            dealt.append(max(range(len(shares)), key=lambda part: shares[part] * rows - counts[part]))
            counts[dealt[-1]] += 1
        if largest not in dealt:
            dealt[0] = largest
        for index, part in zip(rng.permutation(stratum).tolist(), dealt, strict=True):
            parts[part].append(index)
    return tuple(tuple(sorted(part)) for part in parts)


def _strata(records: Sequence[Record], task_name: str | None) -> list[list[int]]:
    """Indices of the records by their rarest label."""
    names = [_label_names(record.labels.get(task_name or "")) for record in records]
    counts = Counter(name for row in names for name in row)
    strata: defaultdict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(names):
        strata[min(row, key=lambda name: (counts[name], name), default="")].append(index)
    return list(strata.values())


def _label_names(label: Any) -> set[str]:
    if label is None:
        return set()
    if isinstance(label, str):
        return {label}
    return {item.label if isinstance(item, Span) else item for item in label}
