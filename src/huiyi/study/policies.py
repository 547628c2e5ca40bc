"""A better policy, from a log: what to do when, what it would bring, and whether to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from huiyi.cause.checks import checked
from huiyi.cause.identify import Identification, identified_in
from huiyi.cause.learning import LearnConfig, Learned, learn
from huiyi.cause.log import Categories, Log
from huiyi.cause.model import CausalModel, assumed, fitted_to
from huiyi.cause.nuisance import nuisances
from huiyi.errors import DataError
from huiyi.study.effects import ADJUSTED, Progress, as_log

_NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class PolicyStudy:
    """What was learnt from a log about what to do.

    Attributes:
        log: What was read.
        outcome: What the policy is to bring more of, or less.
        model: What may cause what.
        identification: How it can be told what actions do.
        learned: The policy, its value, and whether to use it. Where less is better, values have a minus.
        costs: Action to what it costs; values are less that.
        less_is_better: Whether it is to bring less.
    """

    log: Log
    outcome: str
    model: CausalModel
    identification: Identification
    learned: Learned
    costs: Mapping[str, float]
    less_is_better: bool

    @property
    def notices(self) -> tuple[str, ...]:
        """All that should be known before it is trusted, each once."""
        return tuple(dict.fromkeys((*self.log.notices, *self.learned.value.notices, *self.learned.notices)))


def policy(
    source: Any,
    action: str | None = None,
    outcome: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    costs: Mapping[str, float] = _NOTHING,
    less_is_better: bool = False,
    causal_model: CausalModel | None = None,
    config: LearnConfig | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> PolicyStudy:
    """Learn what to do when from a log of decisions. It is to be used only where ``learned.adopted``.

    Args:
        source: A log that ``read_log`` read, or what it reads.
        action: The column of what was done. Not needed of a log.
        outcome: The column of what came of it. Of a log: its first outcome where none is named.
        columns: What the policy may look at; all that was known before the action when not given.
        costs: Action to what it costs, in the outcome's unit.
        less_is_better: Whether less of the outcome is better, such as of minutes. Else more is.
        causal_model: What may cause what. See ``effect``.
        config: How it is learnt.
        seed: Of folds and learners.
        on_progress: Told what is done, how much of it, and of how much.

    Raises:
        DataError: The log tells nothing of what to do.
        ColumnError: A column is not there.
        OptionError: No action or outcome is named.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> late, call = rng.integers(9, size=4000), rng.random(4000) < 0.5
        >>> solved = rng.random(4000) < 0.4 + np.where(call, 0.4 * (late > 4) - 0.2, 0.0)
        >>> found = policy({"reply": np.where(call, "call", "mail"), "late": late, "solved": solved}, "reply", "solved")
        >>> found.learned.policy.explain(), found.learned.adopted
        (('for late > 4: call', 'otherwise: mail'), True)
    """
    log, outcome = as_log(source, action, outcome, on_progress=on_progress)
    log = checked(log, outcome)
    log = log.rows(np.isfinite(log.outcomes[outcome]))
    if not isinstance(log.actions, Categories):
        raise DataError(
            f"{log.source}: {log.action_name!r} is a dose. Expected actions to choose from: group it into a few"
        )
    model = assumed(log, outcome) if causal_model is None else fitted_to(causal_model, log)
    found = identified_in(model, log, outcome)
    if found.strategy not in ADJUSTED:
        why = found.reason or f"What {log.action_name!r} does can be told by {found.strategy} only."
        raise DataError(f"{log.source}: no policy can be learnt. {why} Expected columns that can be held equal")
    if less_is_better:
        log = replace(log, outcomes={**log.outcomes, outcome: -log.outcomes[outcome]})
    told = nuisances(log, outcome, adjust=found.adjustment, seed=seed, on_progress=on_progress)
    learned = learn(log, told, outcome=outcome, columns=columns, costs=dict(costs), config=config)
    return PolicyStudy(log, outcome, model, found, learned, dict(costs), less_is_better)
