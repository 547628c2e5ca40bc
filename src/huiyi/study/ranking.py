"""Who gains most from an action: effects row by row, learnt from one half of a log and measured on the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from huiyi.cause.by_row import effects_of_rows
from huiyi.cause.checks import FEWEST_OF_AN_ACTION
from huiyi.cause.comparing import Estimated
from huiyi.cause.log import Categories, Log
from huiyi.cause.uplift import Uplift, uplift


def rankings(
    told: Estimated,
    outcome: str,
    adjust: Sequence[str],
    *,
    seed: int = 0,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Uplift]:
    """How well effects that are told row by row rank those rows, for each action whose effect is told.

    Whoever comes again is in one half only. Rows without overlap are left out, and each counts by how probable what was
    done was.

    Args:
        told: The effects over all, and what they were made of.
        outcome: What is gained.
        adjust: The columns held equal.
        seed: Of learners and of the bootstrap.
        on_progress: Told what is done, how much of it, and of how much.

    Returns:
        Action to its Qini curve; none of a dose, and of what was hardly ever done in one of the halves.
    """
    found, log = told.found, told.log
    if found is None or not isinstance(log.actions, Categories):
        return {}
    taken = found.propensities[np.arange(len(log)), found.codes]
    learnt = found.folds % 2 == 0
    kept = {overlap.action: overlap.kept for overlap in told.overlaps}
    asked = [one for one in told.effects.overall if one.estimate is not None]
    ranked = {}
    for place, one in enumerate(asked):
        if on_progress is not None:
            on_progress("who gains most", place, len(asked))
        action, against = one.action, one.against
        which = [np.flatnonzero(kept[action] & half) for half in (learnt, ~learnt)]
        train, test = map(log.rows, which)
        if min(_times(half, name) for half in (train, test) for name in (action, against)) < FEWEST_OF_AN_ACTION:
            continue
        predicted = effects_of_rows(
            train, outcome=outcome, action=action, against=against, adjust=adjust, rows=test, seed=seed
        )
        ranked[action] = uplift(
            test, outcome, predicted, action=action, against=against, propensities=taken[which[1]], seed=seed
        )
    if on_progress is not None and asked:
        on_progress("who gains most", len(asked), len(asked))
    return ranked


def _times(log: Log, action: str) -> int:
    """How often an action was done."""
    assert isinstance(log.actions, Categories), "actions with names"
    return int(log.actions.are(action).sum())
