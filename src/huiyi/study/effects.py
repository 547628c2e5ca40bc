"""What each action does: whether that can be told, by how much, and how far the answer can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from huiyi.cause.checks import checked
from huiyi.cause.comparing import Estimated
from huiyi.cause.effect import estimated, pairs_of, untold
from huiyi.cause.identify import Identification, identified_in
from huiyi.cause.independences import agreements
from huiyi.cause.instrument import instrument_effect
from huiyi.cause.log import Categories, Log
from huiyi.cause.mediators import front_door_effect
from huiyi.cause.model import CausalModel, assumed, fitted_to, mismatch
from huiyi.cause.overlap import Overlap
from huiyi.cause.refute import Refutation, refute
from huiyi.cause.segments import segments
from huiyi.cause.sensitivity import Sensitivity, sensitivity
from huiyi.cause.table import Roles
from huiyi.cause.uplift import Uplift
from huiyi.errors import ColumnError, OptionError, did_you_mean
from huiyi.study.ranking import rankings
from huiyi.study.reading import read_log
from huiyi.values import Effect, Effects

Progress: TypeAlias = Callable[[str, int, int], None]

ADJUSTED = ("back-door", "propensities", "no effect")
"""Strategies for which columns are held equal."""


@dataclass(frozen=True)
class StudyConfig:
    """How an effect is estimated.

    Attributes:
        estimand: Over whom: ``ATE``, everybody; ``ATT``, those who got the action.
        method: How, ``doubly robust`` or one of ``huiyi.cause.borrowed.METHODS``.
        level: How often an interval holds the truth.
        attempts: Whether to try to prove it wrong; that takes some times as long as the estimate.
        ranked: Whether to tell who gains most; that takes about as long as the estimate.
        negative_control: A column that the action cannot change: no effect on it must be found. It is not held equal.
        seed: Of all that is drawn.
    """

    estimand: str = "ATE"
    method: str = "doubly robust"
    level: float = 0.95
    attempts: bool = True
    ranked: bool = False
    negative_control: str | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Study:
    """What a log tells of an action and an outcome.

    Attributes:
        log: What was read.
        outcome: The outcome.
        model: What may cause what.
        identification: Whether and how the effect can be told.
        effects: What each action does.
        overlaps: How alike those are who got each action and those who did not.
        refutations: Attempts to prove the effect of each action wrong.
        sensitivities: How strong a hidden cause must be to overturn it.
        rankings: How well effects row by row tell who gains most, where that was asked for.
        config: How it was estimated.
    """

    log: Log
    outcome: str
    model: CausalModel
    identification: Identification
    effects: Effects
    overlaps: tuple[Overlap, ...]
    refutations: Mapping[str, tuple[Refutation, ...]]
    sensitivities: Mapping[str, Sensitivity]
    rankings: Mapping[str, Uplift]
    config: StudyConfig

    @property
    def notices(self) -> tuple[str, ...]:
        """All that should be known before it is trusted, each once."""
        each = (notice for one in self.effects.overall for notice in one.notices)
        return tuple(dict.fromkeys((*self.log.notices, *self.effects.notices, *each)))


def effect(
    source: Any,
    action: str | None = None,
    outcome: str | None = None,
    *,
    by: Sequence[str] = (),
    against: str | None = None,
    causal_model: CausalModel | None = None,
    config: StudyConfig | None = None,
    on_progress: Progress | None = None,
) -> Study:
    """Tell what each action does to an outcome, over a log of decisions.

    Where no causal model is given, all that the log holds beside action and outcome is taken to be known before the
    action, and to be all that led to both. That is said in ``Study.model.assumptions``.

    Args:
        source: A log that ``read_log`` read, or what it reads.
        action: The column of what was done. Not needed of a log.
        outcome: The column of what came of it. Of a log: its first outcome where none is named.
        by: Columns: the effect is also told for each of their values.
        against: The action that others are compared with.
        causal_model: What may cause what.
        config: How it is estimated.
        on_progress: Told what is done, how much of it, and of how much.

    Raises:
        DataError: The log tells nothing.
        ColumnError: A column is not there.
        OptionError: No action or outcome is named, or there is no such action.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> hard = rng.normal(size=500)
        >>> call = rng.random(500) < 1 / (1 + np.exp(-hard))
        >>> study = effect({"reply": np.where(call, "call", "mail"), "hard": hard,
        ...     "score": call - 2 * hard + rng.normal(size=500)}, "reply", "score", against="mail",
        ...     config=StudyConfig(attempts=False))
        >>> (told,) = study.effects.overall
        >>> told.action, bool(told.naive < 0), bool(told.estimate.low < 1 < told.estimate.high)
        ('call', True, True)
    """
    config = config or StudyConfig()
    log, outcome = as_log(source, action, outcome, on_progress=on_progress)
    segments(log, by)  # refuses what it cannot tell apart before anything is estimated
    if causal_model is None:
        control = config.negative_control
        model = assumed(log if control is None else log.without(control), outcome)
    else:
        said = mismatch(causal_model, log)
        log = replace(log, notices=(*log.notices, said)) if said else log
        model = fitted_to(causal_model, log)
        against_it = tuple(str(one) for one in agreements(model, log) if not one.holds)
        log = replace(log, notices=(*log.notices, *against_it))
    found = identified_in(model, log, outcome)
    asked = _Asked(log, outcome, against, found, config, on_progress)
    if found.strategy in ADJUSTED:
        told = asked.adjusted(by)
        doubts = asked.doubted(told.effects)
        ranked = asked.ranked(told) if config.ranked else {}
        return Study(log, outcome, model, found, told.effects, told.overlaps, *doubts, ranked, config)
    effects = asked.otherwise()
    effects = replace(effects, notices=(*effects.notices, *_not_by(by)))
    return Study(log, outcome, model, found, effects, (), {}, {}, {}, config)


def as_log(
    source: Any, action: str | None, outcome: str | None, *, on_progress: Progress | None = None
) -> tuple[Log, str]:
    """A log, and which of its outcomes is meant.

    Raises:
        OptionError: No action or outcome is named.
        ColumnError: There is no such outcome.
    """
    if isinstance(source, Log):
        outcome = outcome or next(iter(source.outcomes), None)
        if outcome is None:
            raise OptionError(f"{source.source} has no outcome. Expected a column of what came of it: name one")
        if outcome not in source.outcomes:
            raise ColumnError(
                f"{source.source}: {outcome!r} is no outcome.{did_you_mean(outcome, source.outcomes)} Expected one of: "
                f"{', '.join(source.outcomes)}"
            )
        return source, outcome
    if not action or not outcome:
        raise OptionError(
            "no action or no outcome is named; expected the column of what was done, and of what came of it"
        )
    return read_log(source, Roles(action, (outcome,)), on_progress=on_progress), outcome


def _not_by(by: Sequence[str]) -> tuple[str, ...]:
    """Say that segments are not told apart."""
    return (f"By {', '.join(by)} it is told only where columns are held equal.",) if by else ()


@dataclass(frozen=True, eq=False)
class _Asked:
    """One question to a log, and how it can be answered."""

    log: Log
    outcome: str
    against: str | None
    found: Identification
    config: StudyConfig
    on_progress: Progress | None

    def adjusted(self, by: Sequence[str]) -> Estimated:
        """What each action does, with columns held equal."""
        return self._estimated(self.log, None, self.against, by, self.on_progress)

    def ranked(self, told: Estimated) -> dict[str, Uplift]:
        """Who gains most from each action."""
        return rankings(told, self.outcome, self.found.adjustment, seed=self.config.seed, on_progress=self.on_progress)

    def doubted(self, effects: Effects) -> tuple[dict[str, tuple[Refutation, ...]], dict[str, Sensitivity]]:
        """Attempts to prove each effect wrong, and how strong a hidden cause must be."""
        refutations, sensitivities = {}, {}
        for one in effects.overall:
            if one.estimate is not None:
                if self.found.strategy != "propensities":  # else no hidden cause matters
                    sensitivities[one.action] = sensitivity(self.log, one)
                refutations[one.action] = self._refuted(one) if self.config.attempts else ()
        return refutations, sensitivities

    def _refuted(self, one: Effect) -> tuple[Refutation, ...]:
        is_dose = not isinstance(self.log.actions, Categories)

        def again(log: Log) -> Effect:
            action, against = (None, None) if is_dose else (one.action, one.against)
            (told,) = self._estimated(log, action, against, (), None).effects.overall
            return told

        def tell(done: int, total: int) -> None:
            if self.on_progress is not None:
                self.on_progress(f"trying to prove it wrong: {one.action}", done, total)

        control = self.config.negative_control
        # What is neither held equal nor the control, such as an instrument, is no part of the design that is tried.
        spare = [name for name in self.log.context if name not in (*self.found.adjustment, control)]
        return refute(self.log.without(*spare), again, negative_control=control, seed=self.config.seed, progress=tell)

    def _estimated(
        self, log: Log, action: str | None, against: str | None, by: Sequence[str], on_progress: Progress | None
    ) -> Estimated:
        added = tuple(name for name in log.context if name not in self.log.context)  # a cause that an attempt made up
        config = self.config
        return estimated(
            log,
            outcome=self.outcome,
            action=action,
            against=against,
            adjust=(*self.found.adjustment, *added),
            by=by,
            estimand=config.estimand,
            method=config.method,
            level=config.level,
            seed=config.seed,
            on_progress=on_progress,
        )

    def otherwise(self) -> Effects:
        """What each action does where holding columns equal is not the way, or why that cannot be told."""
        log = checked(self.log, self.outcome)
        notices = log.notices[len(self.log.notices) :]
        log = log.rows(np.isfinite(log.outcomes[self.outcome]))
        found, config = self.found, self.config
        if found.strategy == "instrument":
            (instrument,) = found.instruments
            told = instrument_effect(
                log, self.outcome, instrument, adjust=found.adjustment, level=config.level, seed=config.seed
            )
            return Effects((told,), notices=notices)
        refused = found.reason
        if found.strategy == "general":
            refused = (
                f"It follows from what is measured: {found.formula}. Huiyi does not estimate this formula. Measure "
                "what leads to both the action and the outcome, or a mediator through which all of the effect goes."
            )
        if found.strategy == "front-door":
            through = tuple(
                front_door_effect(
                    log,
                    self.outcome,
                    found.mediators,
                    action=action,
                    against=against,
                    adjust=found.adjustment,
                    level=config.level,
                    seed=config.seed,
                    on_progress=self.on_progress,
                )
                for action, against in pairs_of(log, None, self.against)
            )
            return Effects(through, notices=notices)
        effects = untold(log, refused, outcome=self.outcome, against=self.against, estimand=config.estimand)
        return replace(effects, notices=notices)
