"""Attempts to prove an effect wrong: the same estimate on data of which we know what must come out.

Each attempt estimates the effect again, on a log that was changed. What comes is held against what must come, by the
standard error that the estimate states of itself, so each attempt tests that error as well as the effect.

    placebo action        each gets the action of another one       no effect                    3 runs
    random cause          a column of noise joins the context       the effect stays             2 runs
    subset                half of the rows, or of the units         the effect stays             3 runs of half the rows
    planted outcome       an outcome made up from the context       the effect that was planted  1 run
    negative control      an outcome that the action cannot change  no effect                    1 run

An attempt alarms on a valid design once in 100 times (``LEVEL``), so all five together at most once in 20: 8.5 runs are
too few to tell more. Runs are few because each costs as much as the estimate; of a large log a part is taken
(``MOST_ROWS``).

Source:
    Sharma and Kiciman, "DoWhy: An End-to-End Library for Causal Inference", arXiv:2011.04216, section 4 (placebo,
    random cause, subset, dummy outcome); Lipsitch, Tchetgen Tchetgen and Cohen, "Negative Controls: A Tool for
    Detecting Confounding and Bias in Observational Studies", Epidemiology 21(3), 2010. That a subset must differ from
    the whole by no more than the variance it adds: Hausman, Econometrica 46(6), 1978.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from huiyi.cause.altered import at_most, half, shuffled
from huiyi.cause.log import Categories, Log
from huiyi.cause.planted import planted
from huiyi.errors import ColumnError, DataError, HuiyiError, OptionError, did_you_mean
from huiyi.values import Effect, Estimate

LEVEL = 0.01
"""How often one attempt may alarm on a valid design."""

MOST_ROWS = 5_000
"""Of a larger log as many are drawn."""

_PLACEBOS, _CAUSES, _SUBSETS = 3, 2, 3  # runs of each
_CONFIDENCE, _WIDTH = 0.95, 1.96

Estimator: TypeAlias = Callable[[Log], Effect]
"""Estimates one effect, of one action on one outcome, from a log. The same log must give the same effect, and a column
that joins the context must be held equal, too."""


@dataclass(frozen=True)
class Refutation:
    """One attempt to prove an effect wrong.

    Attributes:
        name: Which attempt.
        passed: Whether what came is what must come. None where it could not be tried.
        expected: The effect that must come.
        came: What came; of several runs the mean. None where it could not be tried.
        p_value: How probable it is that something as far off comes from a valid design; it passes from ``LEVEL`` on.
            NaN for ``random cause``, which must move by less than the standard error, and where it could not be tried.
        runs: How often the effect was estimated for it.
        rows: Of how many rows.
        said: All of it in a plain sentence.
    """

    name: str
    passed: bool | None
    expected: float
    came: Estimate | None
    p_value: float
    runs: int
    rows: int
    said: str


@dataclass(frozen=True, eq=False)
class Attempt:
    """What an attempt has to work with.

    Attributes:
        log: The rows.
        effect: What was estimated from them.
        told: What is left of that estimate.
        estimate: Estimates it.
        negative_control: A column that the action cannot change.
        rng: Draws what is random.
    """

    log: Log
    effect: Effect
    told: Estimate
    estimate: Callable[[Log], Estimate]
    negative_control: str | None
    rng: np.random.Generator


def refute(
    log: Log,
    estimate: Estimator,
    *,
    names: Sequence[str] | None = None,
    negative_control: str | None = None,
    most_rows: int = MOST_ROWS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Refutation, ...]:
    """Try to prove an effect wrong.

    Args:
        log: Of n decisions. Its context holds only what may be held equal: leave out an instrument.
        estimate: Estimates the effect from any log with the same columns, or one column of context more.
        names: Which attempts of ``REFUTERS`` to make; all by default, ``negative control`` only where one is named.
        negative_control: An outcome, or a column of context that is not held equal, which the action cannot change.
        most_rows: Of a larger log as many rows, or the rows of as many units as hold so many, are drawn.
        seed: Of all that is drawn.
        progress: Told (estimates done, estimates in all).

    Raises:
        OptionError: An attempt is not known, or the negative control is missing or is held equal.
        ColumnError: The negative control is not there, or holds names.
        DataError: There is no effect to prove wrong.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mailed = rng.integers(0, 2, 400)
        >>> reply = Categories.of(["mail" if one else "call" for one in mailed])
        >>> log = Log("log.csv", "reply", reply, {"score": mailed + rng.normal(size=400)})
        >>> def difference(log: Log) -> Effect:
        ...     mailed, score = log.actions.are("mail"), log.outcomes["score"]
        ...     value = float(score[mailed].mean() - score[~mailed].mean())
        ...     error = float(np.sqrt(score[mailed].var() / mailed.sum() + score[~mailed].var() / (~mailed).sum()))
        ...     told = Estimate(value, value - 2 * error, value + 2 * error, error)
        ...     return Effect("mail", "call", "score", "ATE", {}, len(log), told, value)
        >>> [(one.name, one.passed) for one in refute(log, difference, names=["placebo action", "subset"])]
        [('placebo action', True), ('subset', True)]
    """
    asked = _asked(names, negative_control)
    log = at_most(log, most_rows, _stream(seed, "rows"))
    done, total = 0, 1 + sum(REFUTERS[name][1] for name in asked)

    def counted(log: Log) -> Effect:
        nonlocal done
        found = estimate(log)
        done += 1
        if progress:
            progress(min(done, total), total)
        return found

    effect = counted(log)
    if effect.estimate is None:
        raise DataError(f"{log.source}: no effect was told, so there is nothing to refute: {effect.refused}")
    _check_control(log, effect, negative_control)
    made: list[Refutation] = []
    for name in asked:
        refuter, runs = REFUTERS[name]
        attempt = Attempt(
            log, effect, effect.estimate, lambda log: _told(counted(log)), negative_control, _stream(seed, name)
        )
        try:
            made.append(replace(refuter(attempt), name=name, runs=runs, rows=len(log)))
        except HuiyiError as why:
            said = f"{name.capitalize()}: could not be tried. {why}"
            made.append(Refutation(name, None, np.nan, None, np.nan, 0, len(log), said))
    return tuple(made)


def placebo_action(attempt: Attempt) -> Refutation:
    """Give each the action of another one: it does nothing then, and nothing must come.

    Where units come again, whole units change places, so that what makes their rows alike stays.
    """
    runs = [attempt.estimate(shuffled(attempt.log, attempt.rng)) for _ in range(_PLACEBOS)]
    return _held(
        runs,
        0.0,
        passed=f"with {attempt.log.action_name!r} shuffled at random there is no effect, as it must be",
        off=f"{attempt.log.action_name!r} shuffled at random still seems to have an effect: the estimate finds effects "
        "where there are none",
    )


def random_cause(attempt: Attempt) -> Refutation:
    """Hold one more column equal, which is noise: the effect must move by less than its own standard error."""
    name = _new_name(attempt.log)
    noise = [attempt.rng.normal(size=len(attempt.log)) for _ in range(_CAUSES)]
    runs = [attempt.estimate(attempt.log.with_column(name, one)) for one in noise]
    came = _mean(runs, attempt.told.error)
    if all(run.value == attempt.told.value for run in runs):
        raise DataError("A column of noise changes nothing at all, so the estimate does not hold it equal")
    shift = float(np.median([abs(run.value - attempt.told.value) for run in runs])) / _positive(attempt.told.error)
    said = (
        f"a column of noise beside the others moves the effect by {shift:.0%} of its standard error, from "
        f"{_number(attempt.told.value)} to {_number(came.value)}"
    )
    if shift > 1:
        said += ": a column that says nothing matters, so the estimate is not stable"
    return _refutation(shift <= 1, np.nan, attempt.told.value, came, said)


def subset(attempt: Attempt) -> Refutation:
    """Estimate from half of the rows, or units: the effect must stay, but for what fewer rows add to its error."""
    runs = [attempt.estimate(half(attempt.log, attempt.rng)) for _ in range(_SUBSETS)]
    # Var(half − whole) = Var(half) − Var(whole), and half of the rows have twice the variance.
    runs = [replace(run, error=attempt.told.error) for run in runs]
    return _held(
        runs,
        attempt.told.value,
        passed="from random halves of the rows comes the same effect, but for chance",
        off="from random halves of the rows comes another effect than from all of them: it hangs on how many there are",
    )


def planted_outcome(attempt: Attempt) -> Refutation:
    """Make up an outcome of which the action is known to do something: that must be found."""
    made = planted(attempt.log, attempt.effect, attempt.rng)
    return _held(
        [attempt.estimate(made.log)],
        made.effect,
        passed=f"an effect of {_number(made.effect)} that was planted is found",
        off=f"an effect of {_number(made.effect)} that was planted is not found: what the context says of the outcome "
        "is not held equal, or not well",
    )


def negative_control(attempt: Attempt) -> Refutation:
    """Take an outcome that the action cannot change: what it seems to do to that is bias."""
    name = str(attempt.negative_control)
    values = attempt.log.column(name)
    if isinstance(values, Categories) or values.ndim > 1:  # seen before; for the reader of types
        raise ColumnError(f"{attempt.log.source}: {name!r} does not hold numbers")
    outcomes = {**attempt.log.outcomes, attempt.effect.outcome: values}
    log = replace(attempt.log.without(name), outcomes=outcomes)
    return _held(
        [attempt.estimate(log)],
        0.0,
        passed=f"on {name!r}, which it cannot change, the action has no effect, as it must be",
        off=f"the action seems to change {name!r}, which it cannot: something that is not held equal drives both",
    )


REFUTERS = MappingProxyType(
    {
        "placebo action": (placebo_action, _PLACEBOS),
        "random cause": (random_cause, _CAUSES),
        "subset": (subset, _SUBSETS),
        "planted outcome": (planted_outcome, 1),
        "negative control": (negative_control, 1),
    }
)
"""Name to what makes the attempt, and how many estimates it needs."""


def _asked(names: Sequence[str] | None, control: str | None) -> tuple[str, ...]:
    """The attempts to make."""
    if names is None:
        return tuple(name for name in REFUTERS if control is not None or name != "negative control")
    for name in names:
        if name not in REFUTERS:
            raise OptionError(
                f"there is no attempt {name!r} to refute.{did_you_mean(name, REFUTERS)} "
                f"Expected some of: {', '.join(REFUTERS)}"
            )
    if "negative control" in names and control is None:
        raise OptionError("a negative control needs a column that the action cannot change: name it")
    return tuple(names)


def _check_control(log: Log, effect: Effect, control: str | None) -> None:
    """Raise where a negative control cannot be one."""
    if control is None:
        return
    if control in (log.action_name, effect.outcome):
        raise OptionError(f"the negative control {control!r} is what is asked about. Expected another column")
    if control in effect.adjusted:
        raise OptionError(
            f"the negative control {control!r} is held equal, so no action can seem to change it. Expected a column "
            "that is not held equal, best a second outcome"
        )
    values = log.column(control)
    if isinstance(values, Categories) or values.ndim > 1:
        raise ColumnError(f"{log.source}: {control!r} does not hold numbers. Expected numbers, or yes and no")


def _told(effect: Effect) -> Estimate:
    if effect.estimate is None:
        raise DataError(effect.refused or "no effect was told")
    return effect.estimate


def _held(runs: Sequence[Estimate], expected: float, *, passed: str, off: str) -> Refutation:
    """Hold what came against what must come; runs are independent given the log.

    The sum of squares also grows where runs scatter more than their errors say, on both sides of what is expected.
    """
    from scipy.special import chdtrc

    distances = np.array([(run.value - expected) / _positive(run.error) for run in runs])
    p_value = float(chdtrc(len(runs), np.sum(distances**2)))
    came = _mean(runs, float(np.sqrt(np.mean([run.error**2 for run in runs]) / len(runs))))
    has_passed = p_value >= LEVEL
    if has_passed:
        said = passed
    elif came.low <= expected <= came.high:
        said = "what comes scatters more than its standard error says: the intervals are too narrow"
    else:
        said = off
    said += f" ({_number(came.value)}, expected {_number(expected)})"
    return _refutation(has_passed, p_value, expected, came, said)


def _refutation(has_passed: bool, p_value: float, expected: float, came: Estimate, said: str) -> Refutation:
    verdict = "Passed" if has_passed else "ALARM"
    return Refutation("", has_passed, expected, came, p_value, 0, 0, f"{verdict}: {said}.")


def _mean(runs: Sequence[Estimate], error: float) -> Estimate:
    """The mean of runs, with its interval."""
    value = float(np.mean([run.value for run in runs]))
    return Estimate(value, value - _WIDTH * error, value + _WIDTH * error, error, _CONFIDENCE)


def _positive(error: float) -> float:
    """A standard error to divide by; one of 0 makes any distance an alarm."""
    return max(error, 1e-12)


def _new_name(log: Log) -> str:
    """A name that no column has."""
    name = "noise"
    while name in log.names:
        name += "_"
    return name


def _stream(seed: int, name: str) -> np.random.Generator:
    """Numbers of an attempt's own, whatever else is tried."""
    return np.random.default_rng([seed, *name.encode()])


def _number(value: float) -> str:
    return f"{value:.3g}"
