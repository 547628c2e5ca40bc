import numpy as np
import pytest

from huiyi.cause import Categories, Log
from huiyi.cause.instrument import instrument_effect
from huiyi.errors import DataError, OptionError


def simulated(seed: int, n: int = 2_000, *, strength: float = 1.0, units: int = 1) -> Log:
    """Calls are worth 1; mood is hidden and leads to both; age leads to the lot and to the outcome."""
    rng = np.random.default_rng(seed)
    mood, age = rng.normal(size=n), rng.normal(size=n)
    lot = rng.normal(size=n) + age
    calls = (strength * lot + mood + rng.normal(size=n) > 0).astype(np.intp)
    solved = calls + 2 * mood + age + rng.normal(size=n)
    office = Categories(("a", "b", "c", "d"), np.digitize(lot - age, [-0.7, 0.0, 0.7]).astype(np.intp))
    copied = {"lot": np.repeat(lot, units), "age": np.repeat(age, units), "draw": np.repeat(lot - age, units)}
    return Log(
        "log.csv",
        "reply",
        Categories(("mail", "call"), np.repeat(calls, units)),
        {"solved": np.repeat(solved, units)},
        {**copied, "office": Categories(office.names, np.repeat(office.codes, units))},
        units=Categories(tuple(map(str, range(n))), np.repeat(np.arange(n), units).astype(np.intp))
        if units > 1
        else None,
    )


def test_intervals_cover_the_truth_and_naive_means_do_not() -> None:
    effects = [instrument_effect(simulated(seed), "solved", "draw") for seed in range(200)]
    found = [effect.estimate for effect in effects]
    covered = sum(one is not None and one.low < 1 < one.high for one in found)
    assert 182 <= covered <= 198  # 0.95 of 200, three standard errors
    assert np.mean([one.value for one in found if one]) == pytest.approx(1, abs=0.04)
    assert min(effect.naive for effect in effects) > 2


def test_what_leads_to_instrument_and_outcome_is_held_equal() -> None:
    log = simulated(1, 900)
    held = instrument_effect(log, "solved", "lot", adjust=["age"])
    bare = instrument_effect(log, "solved", "lot")
    assert held.estimate is not None
    assert bare.estimate is not None
    assert held.estimate.low < 1 < held.estimate.high
    assert bare.estimate.low > 1.2
    assert held.adjusted == ("age",)


def test_an_instrument_of_names() -> None:
    found = instrument_effect(simulated(2, 5_000), "solved", "office").estimate
    assert found is not None
    assert found.low < 1 < found.high
    assert found.high - found.low < 1


def test_rows_of_one_unit_count_once() -> None:
    once, often = (instrument_effect(simulated(3, units=units), "solved", "draw").estimate for units in (1, 4))
    assert once is not None
    assert often is not None
    assert often.error == pytest.approx(once.error, rel=1e-6)


def test_an_instrument_that_hardly_moves_the_action_is_refused_and_a_weak_one_warned_of() -> None:
    none = instrument_effect(simulated(4, strength=0.0), "solved", "draw")
    assert none.estimate is None
    assert "'draw' hardly moves 'reply'" in none.refused
    weak = instrument_effect(simulated(6, 300, strength=0.2), "solved", "draw")
    assert any("moves 'reply' little" in notice for notice in weak.notices)


def test_the_other_action_turns_the_sign() -> None:
    there, back = (instrument_effect(simulated(5), "solved", "draw", action=name).estimate for name in ("call", "mail"))
    assert there is not None
    assert back is not None
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


def test_doses() -> None:
    rng = np.random.default_rng(6)
    mood, draw = rng.normal(size=2_000), rng.normal(size=2_000)
    dose = draw + mood + rng.normal(size=2_000)
    log = Log("log.csv", "minutes", dose, {"solved": 0.5 * dose + mood + rng.normal(size=2_000)}, {"draw": draw})
    effect = instrument_effect(log, "solved", "draw")
    assert effect.estimate is not None
    assert effect.estimate.low < 0.5 < effect.estimate.high < 0.7
    assert (effect.action, effect.against) == ("minutes", "")


def test_what_cannot_be_an_instrument() -> None:
    log = simulated(7, 100)
    with pytest.raises(DataError, match="'flat' never varies"):
        instrument_effect(log.with_column("flat", np.ones(100)), "solved", "flat")
    with pytest.raises(DataError, match="'solved' is no context"):
        instrument_effect(log, "solved", "solved")
    with pytest.raises(OptionError, match=r"never 'cal'. Did you mean 'call'\?"):
        instrument_effect(log, "solved", "draw", action="cal")
    three = Log(
        "log.csv", "reply", Categories.of(["a", "b", "c"] * 10), {"solved": np.ones(30)}, {"z": np.arange(30.0)}
    )
    with pytest.raises(DataError, match=r"3 different values. Expected two"):
        instrument_effect(three, "solved", "z")
