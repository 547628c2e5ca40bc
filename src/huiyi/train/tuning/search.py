"""Search for settings within a time: what was usual first, then what Optuna proposes, poor trials cut short.

All that is drawn for a trial follows from the seed, its number and the trials
before it. So a search that was killed proposes again what it was trying, and
no more need be kept of it than its finished trials, as JSON.

Source:
    Akiba et al., "Optuna", KDD 2019; Bergstra et al., "Algorithms for
    Hyper-Parameter Optimization", NeurIPS 2011 (its sampler, TPE); Watanabe et
    al., "PED-ANOVA", IJCAI 2023 (which settings mattered).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from huiyi.errors import MissingExtraError
from huiyi.train.tuning.runs import write_whole

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

Settings = Mapping[str, Any]
"""Names of settings to numbers or words."""

FIRST_DRAWN = 4
"""So many trials are drawn at large before any is proposed by what the others told."""

FIRST_WHOLE = 3
"""So many trials are never cut short: there is no median to be below yet."""

FEWEST_TO_RANK = 10
"""Of fewer finished trials nobody can say which settings mattered."""


@dataclass(frozen=True)
class Between:
    """A number of a range, a whole one if the ends are.

    Attributes:
        low: The least.
        high: The most.
        by_ratio: Whether 1 to 2 is as far as 2 to 4.
    """

    low: float
    high: float
    by_ratio: bool = False


Space = Mapping[str, Between | tuple[Any, ...]]
"""Each setting with its range, or the values that it may have."""


@dataclass(frozen=True)
class Trial:
    """One try.

    Attributes:
        number: Counted from 0.
        settings: What was tried.
        loss: How well it did, less is better; None if it was cut short.
        seconds: How long it took.
        steps: Its loss after each step that was told.
    """

    number: int
    settings: Settings
    loss: float | None
    seconds: float
    steps: Mapping[int, float] = field(default_factory=dict)


Tell = Callable[[int, float | None], None]
"""Told a step, and the loss after it if it is known. Raises when the trial is to end, which an objective lets pass."""

Objective = Callable[[int, Settings, Tell], float]
"""From a trial's number and settings to its loss."""


class CutShortError(Exception):
    """A trial is not worth its time any more."""


def search(
    objective: Objective,
    space: Space,
    first: Sequence[Settings],
    *,
    seconds: float,
    reserve: Callable[[Sequence[Trial]], float],
    seed: int = 0,
    journal: Path | None = None,
    most: int | None = None,
    clock: Callable[[], float] = perf_counter,
) -> list[Trial]:
    """Try settings until the time is over, and return all trials in their order.

    The very first trial always runs to its end. A later one begins if it will
    likely end in time, and is cut short when it does not after all, or when its
    loss is above the median of the others' after as many steps.

    Args:
        objective: What is to be made small.
        space: The settings, and what each may be.
        first: What is tried first, in this order.
        seconds: How long the search and what comes after it may take.
        reserve: Of the trials so far, how long what comes after will take.
        seed: Of what is drawn.
        journal: A JSON file where finished trials are kept. Those that are
            there already are taken as they are, with the time that they took.
        most: Stop after this many trials, where there is time for more.
        clock: Tells the time in seconds.

    Raises:
        MissingExtraError: The extra ``tune`` is not installed.
        OutputError: The journal cannot be written.

    Example:
        >>> def bowl(number, settings, tell):
        ...     return (settings["x"] - 0.3) ** 2
        >>> space = {"x": Between(0.0, 1.0)}
        >>> trials = search(bowl, space, [{"x": 1.0}], seconds=60, reserve=lambda trials: 0.0, most=12)
        >>> trials[0].settings, min(trial.loss for trial in trials) < 0.05
        ({'x': 1.0}, True)
    """
    _study((), space)  # is there what proposes? The first trial takes long
    trials = _kept(journal)
    begun = clock() - sum(trial.seconds for trial in trials)
    while most is None or len(trials) < most:
        if trials and clock() - begun + _expected(trials) + reserve(trials) > seconds:
            break
        number, started = len(trials), clock()
        settings = dict(first[number]) if number < len(first) else _proposed(trials, space, seed + number)
        steps: dict[int, float] = {}

        def tell(step: int, loss: float | None, steps: dict[int, float] = steps) -> None:
            if loss is not None:
                steps[step] = loss
            is_late = bool(trials) and clock() - begun + reserve(trials) > seconds
            if is_late or (loss is not None and _is_poor(step, loss, trials)):
                raise CutShortError

        loss: float | None = None
        with suppress(CutShortError):
            loss = objective(number, settings, tell)
        trials.append(Trial(number, settings, loss, round(clock() - started, 3), steps))
        if journal is not None:
            write_whole(journal, json.dumps([asdict(trial) for trial in trials], indent=1).encode())
    return trials


def importance(trials: Sequence[Trial], space: Space) -> dict[str, float]:
    """The share that each setting had in being among the better trials, the largest first.

    Empty where fewer than FEWEST_TO_RANK trials ran to their end, or all had the same settings.
    """
    from optuna.importance import get_param_importances

    finished = [trial for trial in trials if trial.loss is not None]
    varied = [name for name in space if len({trial.settings[name] for trial in finished}) > 1]
    if len(finished) < FEWEST_TO_RANK or not varied:
        return {}
    shares = get_param_importances(_study(finished, space), params=varied)
    return {name: round(float(share), 3) for name, share in shares.items()}


def _expected(trials: Sequence[Trial]) -> float:
    """How long one more trial will take, if it is like those that ran to their end."""
    return float(np.mean([trial.seconds for trial in trials if trial.loss is not None]))


def _is_poor(step: int, loss: float, trials: Sequence[Trial]) -> bool:
    """Whether a loss is above the median of what the others had after as many steps."""
    others = [trial.steps[step] for trial in trials if step in trial.steps]
    return len(others) >= FIRST_WHOLE and loss > float(np.median(others))


def _proposed(trials: Sequence[Trial], space: Space, seed: int) -> Settings:
    """What Optuna would try next."""
    from optuna.samplers import TPESampler

    study = _study(trials, space)
    study.sampler = TPESampler(n_startup_trials=FIRST_DRAWN, seed=seed)
    return dict(study.ask(_distributions(space)).params)


def _study(trials: Sequence[Trial], space: Space) -> Study:
    """The trials as Optuna holds them, in memory."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("Searches", extra="tune") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    for trial in trials:
        frozen = optuna.trial.create_trial(
            state=optuna.trial.TrialState.PRUNED if trial.loss is None else optuna.trial.TrialState.COMPLETE,
            value=trial.loss,
            params=dict(trial.settings),
            distributions=_distributions(space),
            intermediate_values=dict(trial.steps),
        )
        study.add_trial(frozen)
    return study


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    """The space as Optuna describes it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for name, values in space.items():
        if isinstance(values, tuple):
            found[name] = CategoricalDistribution(values)
        elif isinstance(values.low, int):
            found[name] = IntDistribution(values.low, int(values.high))
        else:
            found[name] = FloatDistribution(values.low, values.high, log=values.by_ratio)
    return found


def _kept(journal: Path | None) -> list[Trial]:
    """The trials of a journal."""
    if journal is None or not journal.is_file():
        return []
    rows = json.loads(journal.read_text("utf-8"))
    return [Trial(**{**row, "steps": {int(step): loss for step, loss in row["steps"].items()}}) for row in rows]
