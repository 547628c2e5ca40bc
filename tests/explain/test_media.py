"""Regions of pictures and stretches of recordings: where they lie, sums, known answers, budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from huiyi.explain.media import CUT, explain_regions, explain_stretches, grid
from huiyi.explanation import Region, Stretch


def area(regions: Sequence[Region]) -> float:
    return sum((one.right - one.left) * (one.bottom - one.top) for one in regions)


def covers(region: Region, x: float, y: float) -> bool:
    return region.left <= x < region.right and region.top <= y < region.bottom


def two_spots(sets: Sequence[Sequence[Region]]) -> Any:
    """Sees a spot that counts, one that counts half as much, and one that speaks against it."""
    spots = ((0.3, 0.6, 0.4), (0.9, 0.1, 0.2), (0.1, 0.1, -0.1))
    return np.array(
        [0.2 + sum(weight for x, y, weight in spots if not any(covers(one, x, y) for one in gone)) for gone in sets]
    )


@pytest.mark.parametrize("method", ["chains", "shapley", "occlusion"])
def test_regions_tell_where_it_is_seen(method: str) -> None:
    found = explain_regions(1, two_spots, method=method)
    assert area(found.parts) == pytest.approx(1.0)
    assert len(found.parts) == 16 + 3 * 3  # the three cells that tell something are cut
    first, second = found.parts[:2]
    assert covers(first, 0.3, 0.6) and covers(second, 0.9, 0.1) and covers(found.parts[-1], 0.1, 0.1)
    assert (first.weight, second.weight) == (pytest.approx(0.4), pytest.approx(0.2))
    assert first.right - first.left == 0.125
    assert sum(one.weight for one in found.parts) == pytest.approx(0.7 - found.without)
    assert found.sufficed and found.faithfulness is not None
    assert found.faithfulness.comprehensiveness == pytest.approx(0.6)


def test_of_several_pictures_the_right_one_is_named() -> None:
    def second(sets: Sequence[Sequence[Region]]) -> Any:
        return np.array([0.9 - 0.5 * any(one.picture == 1 and covers(one, 0.5, 0.5) for one in gone) for gone in sets])

    found = explain_regions(3, second)
    assert (found.parts[0].picture, found.parts[0].weight) == (1, pytest.approx(0.5))
    assert {one.picture for one in found.parts} == {0, 1, 2}
    assert area(found.parts) == pytest.approx(3.0)


def test_few_cells_where_each_look_takes_long() -> None:
    found = explain_regions(1, two_spots, is_slow=True)
    assert len(found.parts) == 9 and found.passes < 60 and found.sufficed
    assert covers(found.parts[0], 0.3, 0.6) and covers(found.parts[-1], 0.1, 0.1)


def test_grids_cover_all_pictures_with_few_cells() -> None:
    for pictures in (1, 2, 3, 7, 16, 40):
        cells = grid(pictures)
        assert area(cells) == pytest.approx(pictures)
        assert len(cells) <= max(20, pictures) + 4 * CUT


def test_too_little_time_gives_the_cells_known_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("huiyi.explain.parts.perf_counter", lambda: clock[0])

    def slow(sets: Sequence[Sequence[Region]]) -> Any:
        clock[0] += 1
        return two_spots(sets)

    found = explain_regions(1, slow, until=0.5)
    assert not found.sufficed and found.faithfulness is None
    assert len(found.parts) == 16 and len({one.weight for one in found.parts}) == 1  # none could be told apart
    clock[0] = 0.0
    found = explain_regions(1, slow, until=1.5)  # each cell was looked at, and no time is left to cut any
    assert not found.sufficed and len(found.parts) == 16
    assert covers(found.parts[0], 0.3, 0.6) and found.parts[0].weight == pytest.approx(0.4)


def test_stretches_stay_in_the_order_of_the_recording() -> None:
    some = [Stretch(0, start, start + 1, 0.0) for start in range(5)]

    def hears(sets: Sequence[Sequence[Stretch]]) -> Any:
        """Both of two words are needed."""
        return np.array([0.1 if {1, 3} & {int(one.start) for one in gone} else 0.8 for gone in sets])

    found = explain_stretches(some, hears)
    assert [one.start for one in found.parts] == [0, 1, 2, 3, 4]
    assert [one.weight for one in found.parts] == pytest.approx([0, 0.35, 0, 0.35, 0])
    assert found.without == pytest.approx(0.1)
