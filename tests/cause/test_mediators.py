import numpy as np
import pytest

from huiyi.cause import Categories, Log
from huiyi.cause.formula import value
from huiyi.cause.identify import identify
from huiyi.cause.mediators import front_door_effect, mediation_effects
from huiyi.cause.model import CausalModel
from huiyi.errors import ColumnError, OptionError


def smoking(seed: int, n: int) -> Log:
    """Mood is hidden, leads to calls and outcome; calls work through what is heard alone: by 2 · 0.5 = 1."""
    rng = np.random.default_rng(seed)
    mood, busy = rng.integers(2, size=n), rng.integers(2, size=n)
    calls = (rng.random(n) < 0.2 + 0.4 * mood + 0.2 * busy).astype(np.intp)
    heard = (rng.random(n) < 0.1 + 0.5 * calls + 0.3 * busy) * 1.0
    solved = 2 * heard - 2 * mood + busy + rng.normal(size=n)
    context = {"heard": heard, "busy": Categories(("no", "yes"), busy.astype(np.intp))}
    return Log("log.csv", "reply", Categories(("mail", "call"), calls), {"solved": solved}, context)


def test_the_front_door_gives_what_the_formula_does_and_the_truth() -> None:
    log = smoking(0, 2_000)
    effect = front_door_effect(log, "solved", ["heard"], action="call", against="mail", adjust=["busy"])
    assert effect.estimate is not None
    assert effect.estimate.low < 1 < effect.estimate.high
    assert effect.naive < 0.5
    model = CausalModel.of("reply -> heard -> y", "reply <-> y", "busy -> reply", "busy -> heard", "busy -> y")
    way = identify(model, "reply", "y")
    assert (way.strategy, way.mediators, way.adjustment) == ("front-door", ("heard",), ("busy",))
    assert way.estimand is not None
    busy, actions = log.context["busy"], log.actions
    assert isinstance(busy, Categories)
    assert isinstance(actions, Categories)
    levels, y = np.unique(np.round(log.outcomes["solved"]), return_inverse=True)  # an outcome with few values
    heard = log.context["heard"]
    assert not isinstance(heard, Categories)
    seen = np.zeros((2, 2, len(levels), 2))
    np.add.at(seen, (actions.codes, heard.astype(int), y, busy.codes), 1 / len(log))
    told = value(way.estimand, seen, ("reply", "heard", "y", "busy"))[:, 0, :, 0] @ levels
    assert effect.estimate.value == pytest.approx(told[1] - told[0], abs=0.05)


def test_a_mediator_may_be_a_number_and_units_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    mood = rng.normal(size=800)
    calls = (mood + rng.normal(size=800) > 0).astype(np.intp)
    heard = calls + rng.normal(size=800)
    log = Log(
        "log.csv",
        "reply",
        Categories(("mail", "call"), calls),
        {"solved": heard - mood + 0.5 * rng.normal(size=800)},
        {"heard": heard},
    )
    effect = front_door_effect(log, "solved", ["heard"], action="call", against="mail")
    assert effect.estimate is not None
    assert effect.estimate.low < 1 < effect.estimate.high
    assert effect.naive < 0.3


def test_parts_of_an_effect_sum_to_it() -> None:
    rng = np.random.default_rng(2)
    hard = rng.normal(size=800)
    calls = (hard + rng.normal(size=800) > 0).astype(np.intp)
    heard = calls + hard + rng.normal(size=800)
    solved = 0.5 * calls + heard - hard + rng.normal(size=800)
    log = Log(
        "log.csv", "reply", Categories(("mail", "call"), calls), {"solved": solved}, {"heard": heard, "hard": hard}
    )
    parts = mediation_effects(log, "solved", ["heard"], action="call", against="mail", adjust=["hard"])
    found = [part.estimate for part in (parts.total, parts.direct, parts.indirect)]
    for one, truth in zip(found, (1.5, 0.5, 1.0), strict=True):
        assert one is not None
        assert one.low < truth < one.high
    values = [one.value for one in found if one]
    assert values[0] == pytest.approx(values[1] + values[2])


def test_an_unknown_action_or_mediator_gets_a_hint() -> None:
    log = smoking(0, 60)
    with pytest.raises(ColumnError, match="heard"):
        front_door_effect(log, "solved", ["herd"], action="call", against="mail")
    with pytest.raises(OptionError, match=r"Did you mean 'call'\?"):
        front_door_effect(log, "solved", ["heard"], action="calls", against="mail")
