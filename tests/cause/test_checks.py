from dataclasses import replace

import numpy as np
import pytest

from huiyi.cause.checks import checked
from huiyi.cause.log import Categories, Log
from huiyi.errors import DataError

RNG = np.random.default_rng(3)
ROWS = 400
LOG = Log(
    "log.csv",
    "reply",
    Categories.of(RNG.choice(["call", "mail"], ROWS).tolist()),
    {"solved": RNG.integers(0, 2, ROWS).astype(float)},
    {"waiting": RNG.normal(size=ROWS), "city": Categories.of(RNG.choice(["a", "b", "c"], ROWS).tolist())},
)


def notices(log: Log) -> str:
    return " ".join(checked(log, "solved").notices)


def test_a_sound_log_is_left_as_it_is():
    assert notices(LOG) == ""


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (LOG.rows(np.arange(3)), "3 of 3 rows"),
        (replace(LOG, actions=Categories.of(["call"] * ROWS)), "always 'call'"),
        (replace(LOG, outcomes={"solved": np.ones(ROWS)}), "always 1"),
        (replace(LOG, outcomes={"solved": np.where(np.arange(ROWS) < 9, 1.0, np.nan)}), "9 of 400"),
    ],
)
def test_what_tells_nothing_is_refused(log, said):
    with pytest.raises(DataError, match=said):
        checked(log, "solved")


def test_missing_outcomes_are_counted_and_held_against_the_action():
    solved = LOG.outcomes["solved"]
    anywhere = np.where(RNG.random(ROWS) < 0.3, np.nan, solved)
    after_calls = np.where(LOG.actions.are("call") & (RNG.random(ROWS) < 0.5), np.nan, solved)
    assert "missing in" in notices(replace(LOG, outcomes={"solved": anywhere}))
    assert "depends on the action" not in notices(replace(LOG, outcomes={"solved": anywhere}))
    assert "depends on the action" in notices(replace(LOG, outcomes={"solved": after_calls}))


def test_an_action_taken_once_is_named():
    once = Categories.of(["gift", *(["call", "mail"] * ROWS)[: ROWS - 1]])
    assert "'gift' was done 1 time;" in notices(replace(LOG, actions=once))


def test_copies_and_repeated_units_are_said():
    twice = np.concatenate([np.arange(ROWS), np.arange(ROWS)])
    assert "400 of 800 rows are copies" in notices(LOG.rows(twice))
    units = Categories.of([str(number // 4) for number in range(ROWS)])
    assert "100 units, such as people" in notices(replace(LOG, units=units))


def test_rows_that_are_alike_by_chance_are_no_copies():
    log = LOG.without("waiting").with_column("days", np.round(LOG.context["waiting"]))
    assert "copies" not in notices(log)


def test_what_was_known_only_afterwards_is_suspected():
    assert "'closed' tells 'solved'" in notices(LOG.with_column("closed", LOG.outcomes["solved"] * 2 - 1))
    named = Categories.of(["good" if solved else "bad" for solved in LOG.outcomes["solved"]])
    assert "'stars' tells 'solved'" in notices(LOG.with_column("stars", named))


def test_a_blank_column_is_left_out():
    log = checked(LOG.with_column("age", np.full(ROWS, np.nan)), "solved")
    assert "age" not in log.context and "'age' is blank" in " ".join(log.notices)
