from dataclasses import replace

import numpy as np
import pytest

from huiyi.cause.log import Categories, Log
from huiyi.cause.planted import planted
from huiyi.cause.refute import LEVEL, REFUTERS, refute
from huiyi.errors import ColumnError, DataError, OptionError

from .regression import adjusted

FIT = adjusted()


def world(seed, *, rows=1_000, per_unit=1, kind="numbers"):
    """Calls and mails, chosen by ``waiting`` and the channel, which drive the outcome as well."""
    rng = np.random.default_rng(seed)
    waiting, channel = rng.normal(size=rows), rng.integers(0, 3, rows)
    unit = np.arange(rows) // per_unit
    own = rng.normal(size=unit[-1] + 1)
    whim = (rng.normal(size=unit[-1] + 1) if per_unit > 1 else rng.normal(size=rows))[unit]
    mailed = waiting + (channel == 1) + whim > 0.4
    solved = 0.5 * mailed + waiting + (channel == 1) + rng.normal(size=rows) + own[unit] * (per_unit > 1)
    if kind == "yes and no":
        solved = (rng.random(rows) < 0.3 + 0.2 * mailed + 0.15 * np.tanh(waiting)).astype(float)
    return Log(
        "log.csv",
        "reply",
        Categories.of(np.where(mailed, "mail", "call").tolist()),
        {"solved": solved, "before": waiting + rng.normal(size=rows)},
        {"waiting": waiting, "channel": Categories.of([str(one) for one in channel])},
        units=Categories.of([f"{one:05d}" for one in unit]) if per_unit > 1 else None,
    )


def by_name(made):
    return {one.name: one for one in made}


def test_a_valid_design_passes_all_and_says_so():
    made = refute(world(0), FIT, negative_control="before")
    assert [one.name for one in made] == list(REFUTERS)
    assert all(one.passed and one.said.startswith("Passed") for one in made)
    assert by_name(made)["negative control"].expected == 0
    assert by_name(made)["subset"].expected == FIT(world(0)).estimate.value


@pytest.mark.parametrize("kind", ["numbers", "yes and no"])
def test_false_alarms_are_rare(kind):
    made = [refute(world(seed, rows=300, kind=kind), FIT, seed=seed, negative_control="before") for seed in range(60)]
    alarms = sum(not all(one.passed for one in each) for each in made)
    assert alarms <= 6  # at 5 % the chance of more is 3 in 100


def test_what_was_not_held_equal_is_noticed():
    made = by_name(refute(world(1), adjusted(left_out=["waiting"]), negative_control="before"))
    assert not made["planted outcome"].passed and "not held equal" in made["planted outcome"].said
    assert not made["negative control"].passed and "'before'" in made["negative control"].said
    assert made["placebo action"].passed


def test_errors_that_overlook_repeated_units_are_noticed():
    log = world(2, rows=2_000, per_unit=20)
    wrong = by_name(refute(log, adjusted(ignores_units=True)))
    right = by_name(refute(log, FIT))
    assert right["placebo action"].passed and right["subset"].passed
    assert not wrong["subset"].passed or not wrong["placebo action"].passed
    assert wrong["subset"].p_value < right["subset"].p_value


def test_an_estimate_that_finds_effects_anywhere_is_noticed():
    def biased(log):
        found = FIT(log)
        told = found.estimate
        return replace(found, estimate=replace(told, value=told.value + 5 * told.error))

    made = by_name(refute(world(3), biased))
    assert not made["placebo action"].passed and made["placebo action"].p_value < LEVEL
    assert not made["planted outcome"].passed


def test_an_estimate_that_hangs_on_noise_is_noticed():
    def unstable(log):
        found = FIT(log)
        shift = 3 * found.estimate.error * ("noise" in log.context)
        return replace(found, estimate=replace(found.estimate, value=found.estimate.value + shift))

    assert not by_name(refute(world(4), unstable))["random cause"].passed


def test_an_estimate_that_does_not_see_the_noise_is_not_praised():
    stubborn = adjusted(left_out=["noise"])
    (made,) = refute(world(4), stubborn, names=["random cause"])
    assert made.passed is None and "does not hold it equal" in made.said


def test_units_change_places_as_a_whole():
    seen = []

    def watched(log):
        seen.append(log)
        return FIT(log)

    log = world(5, rows=400, per_unit=4)
    held = replace(log, actions=Categories.of([("mail", "call")[row // 4 % 2] for row in range(400)]))
    refute(held, watched, names=["placebo action", "subset"])
    placebo, half = seen[1], seen[-1]
    assert all(len(set(placebo.actions.codes[first : first + 4])) == 1 for first in range(0, 400, 4))
    assert not np.array_equal(placebo.actions.codes, held.actions.codes)
    assert len(half) == 200 and set(np.bincount(half.units.codes)) == {0, 4}


def test_chances_go_with_a_placebo():
    seen = []

    def watched(log):
        seen.append(log)
        return FIT(log)

    refute(replace(world(6), propensities=np.full(1_000, 0.9)), watched, names=["placebo action"])
    mailed = seen[1].actions.are("mail")
    np.testing.assert_allclose(seen[1].propensities, np.where(mailed, mailed.mean(), 1 - mailed.mean()))


def test_of_a_large_log_a_part_is_taken_and_said():
    (made,) = refute(world(7), FIT, names=["subset"], most_rows=200)
    assert made.rows == 200
    (by_units,) = refute(world(7, per_unit=8), FIT, names=["subset"], most_rows=201)
    assert by_units.rows == 200


def test_the_same_seed_says_the_same_whatever_else_is_tried():
    (alone,) = refute(world(8), FIT, names=["subset"], seed=5)
    assert alone == by_name(refute(world(8), FIT, seed=5))["subset"]
    assert alone != refute(world(8), FIT, names=["subset"], seed=6)[0]


def test_progress_counts_each_estimate():
    told = []
    refute(world(9), FIT, negative_control="before", progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 11) for done in range(1, 12)]


def test_what_cannot_be_tried_is_said_and_the_rest_is():
    def choosy(log):
        if len(log) < 1_000:
            raise DataError("log.csv: too few rows")
        return FIT(log)

    made = by_name(refute(world(10), choosy))
    assert made["subset"].passed is None and "too few rows" in made["subset"].said
    assert made["placebo action"].passed


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"names": ["placbo action"]}, OptionError, "Did you mean 'placebo action'"),
        ({"names": ["negative control"]}, OptionError, "name it"),
        ({"negative_control": "waiting"}, OptionError, "held equal"),
        ({"negative_control": "solved"}, OptionError, "what is asked about"),
        ({"negative_control": "befor"}, ColumnError, "Did you mean 'before'"),
    ],
)
def test_what_cannot_be_asked_is_named(options, error, said):
    with pytest.raises(error, match=said):
        refute(world(0), FIT, **options)


def test_names_are_no_negative_control():
    with pytest.raises(ColumnError, match="does not hold numbers"):
        refute(world(0), adjusted(left_out=["channel"]), negative_control="channel")


def test_nothing_is_refuted_where_nothing_was_told():
    with pytest.raises(DataError, match="no overlap at all"):
        refute(world(0), lambda log: replace(FIT(log), estimate=None, refused="no overlap at all"))


def test_a_dose_is_shuffled_and_planted():
    log = world(11)
    dose = np.random.default_rng(1).normal(size=1_000) + log.context["waiting"]
    made = by_name(refute(replace(log, actions=dose), adjusted(action="1 more", against="")))
    assert all(one.passed for one in made.values())
    wrong = by_name(refute(replace(log, actions=dose), adjusted(action="1 more", against="", left_out=["waiting"])))
    assert not wrong["planted outcome"].passed


@pytest.mark.parametrize("kind", ["numbers", "yes and no"])
def test_what_is_planted_is_there(kind):
    log = world(12, rows=20_000, kind=kind)
    made = planted(log, FIT(log), np.random.default_rng(0))
    told = FIT(made.log).estimate
    assert abs(told.value - made.effect) < 4 * told.error and told.error < made.effect / 5
    naive = adjusted(left_out=["waiting", "channel"])(made.log).estimate
    assert naive.value > made.effect + 5 * naive.error
    assert set(np.unique(made.log.outcomes["solved"])) == {0, 1} or kind == "numbers"


def test_what_was_missing_stays_missing():
    log = world(13)
    gone = replace(log, outcomes={"solved": np.where(np.arange(1_000) < 100, np.nan, log.outcomes["solved"])})
    made = planted(gone, FIT(gone), np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(made.log.outcomes["solved"]), np.arange(1_000) < 100)
